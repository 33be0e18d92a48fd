"""Every way in which an object may end up in a log, a file or a message; and that no secret is in any of them."""

import copy
import io
import json
import logging
import pickle
import pprint
import traceback


def renderings(thing):
    """Texts of a thing, by how they were made. What is refused with a TypeError gives no text."""
    made = {
        "repr": repr(thing),
        "str": str(thing),
        "ascii": ascii(thing),
        "format": f"{thing}",
        "format wide": f"{thing!r:>200}",
        "percent": "%s %r" % (thing, thing),  # noqa: UP031 - one more way
        "pprint": pprint.pformat(thing),
        "list": repr([thing]),
        "dir": repr(dir(thing)),
        "vars": repr(getattr(thing, "__dict__", {})),
        "log": logged(thing),
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
    made["bytes"] = attempted(lambda: bytes(thing))
    made["list of"] = attempted(lambda: list(thing))
    if isinstance(thing, BaseException):
        made["traceback"] = "".join(traceback.format_exception(type(thing), thing, thing.__traceback__))
        made["args"] = repr(thing.args)
        for below in (thing.__cause__, thing.__context__):
            if below is not None:
                made.update({f"{type(below).__name__} below: {how}": text for how, text in renderings(below).items()})
    return made


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
