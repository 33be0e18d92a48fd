"""Every way in which an object may end up in a log, a file or a message; and that no secret is in any of
them."""

import copy
import dataclasses
import gc
import inspect
import io
import json
import logging
import marshal
import pickle
import pprint
import pydoc
import reprlib
import string
import sys
import traceback
import types
import warnings


def renderings(thing):
    """Texts of a thing, by how they were made. What is refused with a TypeError gives no text."""
    made = {
        "repr": repr(thing),
        "str": str(thing),
        "ascii": ascii(thing),
        "format": f"{thing}",
        "format wide": f"{thing!r:>200}",
        "format repr": f"{thing!r}",
        "format method": "{0} {0!s} {0!a}".format(thing),  # noqa: UP032 - one more way
        "percent": "%s %r" % (thing, thing),  # noqa: UP031 - one more way
        "template": string.Template("$thing").substitute(thing=thing),
        "reprlib": reprlib.Repr(**({"maxother": 10_000} if sys.version_info >= (3, 12) else {})).repr(thing),
        "namespace": repr(types.SimpleNamespace(thing=thing)),
        "as an error's argument": repr(ValueError(thing)) + str(KeyError(thing)),
        "help": pydoc.plain(pydoc.render_doc(type(thing))),
        "warning": warned(thing),
        "frames": in_frames(thing),
        "pprint": pprint.pformat(thing),
        "list": repr([thing]),
        "dir": repr(dir(thing)),
        "members": members(thing),
        "vars": repr(getattr(thing, "__dict__", {})),
        "log": logged(thing),
        "html": call(thing, "_repr_html_") if not isinstance(thing, type) else "",
    }
    for name in dir(thing):
        if name not in ("__doc__", "__annotations__"):
            value = getattr(thing, name, None)
            if not callable(value):
                made[f"attribute {name}"] = repr(value)
    for name in ("__reduce__", "__reduce_ex__", "__getstate__"):
        made[name] = attempted(lambda name=name: call(thing, name))
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        made[f"pickle {protocol}"] = attempted(lambda protocol=protocol: pickle.dumps(thing, protocol))
    made["copy"] = attempted(lambda: repr(copy.copy(thing)))
    made["deepcopy"] = attempted(lambda: repr(copy.deepcopy(thing)))
    made["json"] = attempted(lambda: json.dumps(thing))
    made["json default"] = attempted(lambda: json.dumps(thing, default=vars))
    made["json of its text"] = attempted(lambda: json.dumps([thing], default=str))
    made["asdict"] = attempted(lambda: dataclasses.asdict(thing))
    made["marshal"] = marshalled(thing)
    made["buffer"] = attempted(lambda: memoryview(thing).tobytes())
    made["bytes"] = attempted(lambda: bytes(thing))
    made["list of"] = attempted(lambda: list(thing))
    if isinstance(thing, BaseException):
        made["traceback"] = "".join(traceback.format_exception(type(thing), thing, thing.__traceback__))
        made["args"] = repr(thing.args)
        for below in (thing.__cause__, thing.__context__):
            if below is not None:
                made.update(
                    {f"{type(below).__name__} below: {how}": text for how, text in renderings(below).items()}
                )
    return made


def members(thing):
    """What inspectors list, slots among it."""
    found = []
    for name, value in inspect.getmembers(thing):
        # The class's own texts are not about this object, and some methods show the object they are bound to.
        if name not in ("__doc__", "__annotations__"):
            found.append((name, repr(value)))
    for kind in type(thing).__mro__:
        for name in getattr(kind, "__slots__", ()):
            found.append((name, repr(getattr(thing, name, None))))
    return repr(found)


def in_frames(thing):
    """Tracebacks of frames that hold a thing, as tools show them that list local variables."""
    held = {"thing": thing}
    try:
        return held["no such"]
    except KeyError as error:
        told = traceback.TracebackException.from_exception(error, capture_locals=True)
        frames = inspect.getinnerframes(error.__traceback__)
        values = [inspect.formatargvalues([], None, None, frame.frame.f_locals) for frame in frames]
        return "".join([*told.format(), *values])


def warned(thing):
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        warnings.warn(f"{thing} {thing!r}", stacklevel=1)
    return warnings.formatwarning(seen[0].message, UserWarning, "x.py", 1, repr(thing))


def marshalled(thing):
    try:
        return repr(marshal.dumps(thing))
    except ValueError:
        return ""


def reachable(thing):
    """Every text that the garbage collector finds from a thing on, but for modules, types and frames: those
    hold the whole program."""
    elsewhere = {id(vars(module)) for module in list(sys.modules.values()) if hasattr(module, "__dict__")}
    seen, found, left = set(), [], [thing]
    while left:
        one = left.pop()
        if id(one) in seen or id(one) in elsewhere:
            continue
        seen.add(id(one))
        if isinstance(one, (str, bytes)):
            found.append(one if isinstance(one, str) else one.decode("latin-1"))
        elif not isinstance(one, (type, types.ModuleType, types.FrameType, types.BuiltinFunctionType)):
            left += gc.get_referents(one)
    return found


def call(thing, name):
    method = getattr(thing, name, None)
    if method is None:
        return ""
    return repr(method(2) if name == "__reduce_ex__" else method())


def attempted(make):
    try:
        return str(make())
    except (TypeError, AttributeError, pickle.PicklingError):
        return ""


def logged(thing):
    stream = io.StringIO()
    logger = logging.Logger("test")
    logger.addHandler(logging.StreamHandler(stream))
    logger.warning("%s %r", thing, thing, exc_info=thing if isinstance(thing, BaseException) else None)
    return stream.getvalue()


def assert_no_secret(thing, secrets):
    for how, text in renderings(thing).items():
        for secret in secrets:
            assert secret not in text, f"{type(thing).__name__} shows a secret in: {how}"


def assert_holds_no_secret(thing, secrets):
    """No secret is in Python's memory because of a thing."""
    for text in reachable(thing):
        for secret in secrets:
            assert secret not in text, f"a secret is reachable from {type(thing).__name__}"
