"""What `help` tells, and so editors and the reference do: each public name with its types, units, errors and
an example, under the name that people import it by."""

import ast
import builtins
import inspect
import pydoc
import re
import textwrap

import pytest

import preopen
from preopen import logging, sandbox, static_ip, testing

MODULES = (preopen, logging, sandbox, static_ip, testing)
PUBLIC = {
    f"{module.__name__}.{name}": getattr(module, name)
    for module in MODULES
    for name in module.__all__
    if not inspect.ismodule(getattr(module, name)) and name != "__version__"
}
CLASSES = {name: thing for name, thing in PUBLIC.items() if inspect.isclass(thing)}
FUNCTIONS = {name: thing for name, thing in PUBLIC.items() if not inspect.isclass(thing)}


def members(kind):
    """What a class has of its own that is public."""
    for name in dir(kind):
        if name.startswith("_") or hasattr(OSError, name):
            continue
        yield name, inspect.getattr_static(kind, name)


METHODS = {
    f"{name}.{member}": (kind, getattr(kind, member))
    for name, kind in CLASSES.items()
    for member, value in members(kind)
    if callable(getattr(kind, member))
}


@pytest.mark.parametrize("name", PUBLIC)
def test_help_names_no_inner_module(name):
    text = pydoc.plain(pydoc.render_doc(PUBLIC[name]))
    # What Python notes for itself: 3.13.0 of every class, any version of one that a test tried to pickle.
    text = re.sub(r"__(static_attributes|slotnames)__ = .*", "", text)
    first = text.splitlines()[0]
    assert first.endswith(f" in module {PUBLIC[name].__module__}"), first
    assert PUBLIC[name].__module__ in [module.__name__ for module in MODULES]
    for inner in ("_native", "native."):
        assert inner not in text, name


@pytest.mark.parametrize("name", CLASSES)
def test_every_member_is_documented(name):
    kind = CLASSES[name]
    assert inspect.getdoc(kind)
    for member, value in members(kind):
        assert inspect.getdoc(value), f"{name}.{member}"
    # Fields that are set on making: their types are told, and the class says what they are.
    for field in vars(kind).get("__annotations__", {}):
        if not field.startswith("_") and not hasattr(kind, field):
            assert f"`{field}`" in inspect.getdoc(kind), f"{name}.{field}"


def test_fields_tell_their_types():
    told = inspect.getdoc(preopen.WhoAmI.source_ip)
    assert told == "Optional[str]\n\nThe address that the broker sees."
    lines = pydoc.plain(pydoc.render_doc(preopen.SessionState)).splitlines()
    at = lines.index(" |  name")
    assert lines[at + 1].strip(" |").startswith('Literal["signed_out", "opening", "active"')


def parameters(thing):
    return [
        one.name
        for one in inspect.signature(thing).parameters.values()
        if one.name not in ("self", "cls") and not one.name.startswith("_")
    ]


def doc_of(kind, thing):
    """A text with those that it refers to."""
    text = inspect.getdoc(thing) or ""
    for owner, other in re.findall(r"(?:Arguments as|As) `(?:(\w+)\.)?(\w+)`", text):
        owner = getattr(preopen, owner) if owner else kind or testing
        text += inspect.getdoc(getattr(owner, other))
    return text


@pytest.mark.parametrize("name", [*METHODS, *FUNCTIONS])
def test_every_parameter_is_explained(name):
    kind, thing = METHODS.get(name) or (None, FUNCTIONS[name])
    text = doc_of(kind, thing)
    for parameter in parameters(thing):
        assert re.search(rf"`{parameter}`", text), f"{name}: {parameter}"


@pytest.mark.parametrize("name", CLASSES)
def test_every_argument_of_a_constructor_is_explained(name):
    kind = CLASSES[name]
    if (
        "__init__" not in vars(kind)
        or issubclass(kind, BaseException)
        or getattr(kind, "_is_protocol", False)
    ):
        return
    text = inspect.getdoc(kind)
    for parameter in parameters(kind.__init__):
        # One that is called what it is, such as an API key, needs no more than its name in words.
        words = parameter.replace("_", " ")
        assert re.search(rf"`{parameter}`|\b{words}\b", text, re.IGNORECASE), f"{name}: {parameter}"


def test_calls_say_which_errors_they_raise():
    silent = {
        name
        for name in [*METHODS, *FUNCTIONS]
        if not re.search(
            r"[Rr]aises |errors as|[Ee]rror`|As `",
            inspect.getdoc((METHODS.get(name) or (0, FUNCTIONS.get(name)))[1]),
        )
    }
    both = [f"preopen.{kind}" for kind in ("Session", "AsyncSession")]
    assert {name for name in silent if not name.startswith("preopen.sandbox.")} == {
        *(f"{kind}.{name}" for kind in both for name in ("events", "reset", "state")),
        *(f"preopen.{kind}.{name}" for kind in ("Events", "AsyncEvents") for name in ("close",)),
        "preopen.AsyncEvents.aclose",
        "preopen.Token.expose",
        "preopen.LoginCode.expose",
        "preopen.Claim.release",
        "preopen.Claim.write",
        "preopen.Store.claim",
        "preopen.Store.read",
        "preopen.generate_key",
        "preopen.logging.disable",
    }
    # Those of the sandbox raise what its class says.
    assert "from every other call" in inspect.getdoc(sandbox.Sandbox)


def test_names_in_texts_exist():
    known = {name for module in MODULES for name in dir(module)}
    for name, thing in [*PUBLIC.items(), *((name, thing) for name, (_, thing) in METHODS.items())]:
        for told in re.findall(r"(?<!`)`([A-Z]\w+)`", inspect.getdoc(thing)):
            assert told in known or hasattr(builtins, told), f"{name} tells of {told}"


def examples(text):
    """The blocks of a text that are indented, which are code."""
    blocks = re.findall(r"(?:^|\n)\n((?: {4}.*\n?|\n(?= {4}))+)", text + "\n")
    return [textwrap.dedent(block) for block in blocks]


def texts():
    yield "preopen", inspect.getdoc(preopen)
    for name, thing in PUBLIC.items():
        yield name, inspect.getdoc(thing)
    for name, (_, thing) in METHODS.items():
        yield name, inspect.getdoc(thing)
    for module in MODULES[1:]:
        yield module.__name__, inspect.getdoc(module)


def test_examples_are_code_and_use_names_that_exist():
    shown = {}
    for name, text in texts():
        for block in examples(text):
            tree = ast.parse(f"async def example():\n{textwrap.indent(block, '    ')}")
            shown[name] = block
            for node in ast.walk(tree):
                if isinstance(node, ast.ImportFrom):
                    module = __import__(node.module, fromlist=["x"])
                    assert all(hasattr(module, one.name) for one in node.names), name
                if isinstance(node, ast.Name) and node.id[0].isupper() and node.id != "MyStore":
                    assert hasattr(preopen, node.id) or hasattr(sandbox, node.id), f"{name}: {node.id}"
                if isinstance(node, ast.Attribute) and getattr(node.value, "id", "") == "session":
                    assert hasattr(preopen.Session, node.attr), f"{name}: {node.attr}"
    wanted = (
        "Session AsyncSession Samco AngelOne SamcoOAuth AngelOnePublisher SamcoLoginCode SamcoLegacy Events"
    )
    wanted += " AsyncEvents Reply WhoAmI SessionState SessionEvent Preflight PreopenError Store Claim"
    for name in wanted.split():
        assert f"preopen.{name}" in shown, name
    for name in ("preopen", "preopen.sandbox.Sandbox", "preopen.static_ip", "preopen.testing.check_store"):
        assert name in shown, name


def test_what_only_a_session_makes_says_so():
    for kind in (
        preopen.Events,
        preopen.AsyncEvents,
        preopen.SamcoLegacyCalls,
        preopen.AsyncSamcoLegacyCalls,
    ):
        with pytest.raises(TypeError, match=f"{kind.__name__} .*made by a session: call its "):
            kind()


def test_signatures_can_be_read():
    for name, thing in [*FUNCTIONS.items(), *((name, thing) for name, (_, thing) in METHODS.items())]:
        assert inspect.signature(thing), name
    assert str(inspect.signature(preopen.generate_key)) == "()"
    assert str(inspect.signature(preopen.Token.expose)) == "(self, /)"
