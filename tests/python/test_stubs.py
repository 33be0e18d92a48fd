"""The stub of the native module and the module have the same public names."""

import ast
import inspect
import typing

from conftest import ROOT

import preopen
from preopen import _native, sandbox

STUB = ast.parse((ROOT / "python" / "preopen" / "_native.pyi").read_text())


def public(names):
    return {name for name in names if not name.startswith("_") or name == "__version__"}


def names_in(body):
    for node in body:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            yield node.name
        elif isinstance(node, ast.AnnAssign):
            yield node.target.id


def test_the_module_has_the_names_of_its_stub():
    assert public(names_in(STUB.body)) == public(dir(_native))


def test_classes_have_the_names_of_their_stubs():
    classes = [node for node in STUB.body if isinstance(node, ast.ClassDef)]
    assert len(classes) == 17
    for node in classes:
        kind = getattr(_native, node.name)
        assert public(names_in(node.body)) == public(dir(kind)), node.name


def test_everything_public_is_documented():
    for name in preopen.__all__:
        thing = getattr(preopen, name)
        if not inspect.isclass(thing):
            continue
        assert thing.__doc__, name
        for member, value in vars(thing).items():
            if not member.startswith("_") and (inspect.isfunction(value) or isinstance(value, property)):
                assert value.__doc__, f"{name}.{member}"


def test_what_is_public_tells_the_same_in_editors_and_in_help():
    told = 0
    for node in STUB.body:
        if not hasattr(node, "name") or getattr(preopen, node.name, None) is not getattr(_native, node.name):
            continue
        thing = getattr(_native, node.name)
        for part in [node, *getattr(node, "body", ())]:
            text = ast.get_docstring(part) if hasattr(part, "name") else None
            if text is not None:
                assert inspect.getdoc(thing if part is node else getattr(thing, part.name)) == text, part.name
                told += 1
    assert told == 11


def test_both_sessions_have_the_same_calls():
    blocking, awaited = (public(dir(kind)) for kind in (preopen.Session, preopen.AsyncSession))
    assert blocking == awaited
    for name in blocking:
        one, other = getattr(preopen.Session, name), getattr(preopen.AsyncSession, name)
        if inspect.isfunction(one):
            assert list(inspect.signature(one).parameters) == list(inspect.signature(other).parameters)


def test_type_checkers_and_users_read_the_same_of_what_is_deprecated():
    told = 0
    for name in ("_legacy", "_logins"):
        tree = ast.parse((ROOT / "python" / "preopen" / f"{name}.py").read_text())
        constants = {
            node.targets[0].id: node.value.value
            for node in tree.body
            if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant)
        }
        for node in ast.walk(tree):
            for decorator in getattr(node, "decorator_list", ()):
                if isinstance(decorator, ast.Call) and decorator.func.id == "deprecated":
                    calls = [one for one in ast.walk(node) if isinstance(one, ast.Call)]
                    warned = [one for one in calls if getattr(one.func, "id", "") == "warn"]
                    texts = {constants[one.args[0].id] for one in warned}
                    assert texts == {decorator.args[0].value}, node.name
                    told += 1
    assert told == 9


def literals(annotation):
    """The texts that an annotation allows."""
    return set(typing.get_args(eval(annotation, {"Literal": typing.Literal})))


def test_names_of_a_few_are_literal_types():
    states = {"signed_out", "opening", "active", "expired", "blocked", "closed"}
    assert literals(preopen.SessionState.__annotations__["name"]) == states
    verdicts = {"match", "mismatch", "unregistered", "unsupported"}
    assert literals(preopen.WhoAmI.__annotations__["verdict"]) == verdicts
    for make in (sandbox.Sandbox.session, sandbox.Sandbox.async_session):
        assert make.__annotations__["broker"] == "Broker"
    source = ast.parse((ROOT / "python" / "preopen" / "_base.py").read_text())
    (broker,) = (
        node.value
        for node in ast.walk(source)
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "Broker"
    )
    assert ast.dump(broker) == ast.dump(ast.parse('Literal["samco", "angelone"]', mode="eval").body)
