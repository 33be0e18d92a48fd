"""The exceptions: one class for every kind in Rust, builtin parents, pickling, text."""

import builtins
import copy
import datetime
import pickle

import pytest

import preopen
from preopen import _native, errors

PARENTS = {
    "invalid_input": ValueError,
    "credentials_rejected": PermissionError,
    "account_action_required": PermissionError,
    "login_required": PermissionError,
    "session_expired": PermissionError,
    "static_ip_mismatch": PermissionError,
    "rate_limited": None,
    "timeout": builtins.TimeoutError,
    "network": ConnectionError,
    "broker_unavailable": ConnectionError,
    "outcome_unknown": None,
    "broker_rejected": None,
    "malformed_response": ValueError,
    "store_unavailable": ConnectionError,
    "cancelled": None,
    "internal": RuntimeError,
}
INFO = {
    "message": "no",
    "text": "samco: no [GET /x, HTTP 400]",
    "advice": "after",
    "advice_seconds": 1.5,
    "broker": "samco",
    "endpoint": "GET /x",
    "http_status": 400,
    "broker_code": "E1",
    "message_id": "m",
    "server_time": "2026-11-22T02:30:00.5Z",
    "which": None,
    "reason": None,
    "phase": "read",
    "retry_after": 2.0,
    "source_ip": None,
    "primary_ip": None,
    "secondary_ip": None,
    "field": None,
    "validation_errors": ["a", "b"],
    "body": "{}",
    "causes": ["c"],
}


def test_every_code_of_rust_has_its_class_and_no_other_has():
    assert list(errors.BY_CODE) == _native.error_catalogue()
    assert set(PARENTS) == set(errors.BY_CODE)
    assert len(set(errors.BY_CODE.values())) == len(errors.BY_CODE)


@pytest.mark.parametrize("code", _native.error_catalogue())
def test_class(code):
    kind = errors.BY_CODE[code]
    assert kind.code == code
    assert kind.__name__ == "".join(word.title() for word in code.split("_")) + "Error"
    assert issubclass(kind, preopen.PreopenError)
    assert getattr(preopen, kind.__name__) is kind
    builtin = [base for base in kind.__bases__ if base is not preopen.PreopenError]
    assert builtin == ([PARENTS[code]] if PARENTS[code] else [])
    assert kind.__doc__


@pytest.mark.parametrize("code", _native.error_catalogue())
def test_errors_survive_pickling_and_copying(code):
    error = errors.from_info({"code": code, **INFO})
    assert str(error) == INFO["text"]
    assert error.args == ("no",)
    assert error.server_time == datetime.datetime(2026, 11, 22, 2, 30, 0, 500000, tzinfo=datetime.timezone.utc)
    copies = [pickle.loads(pickle.dumps(error, protocol)) for protocol in range(pickle.HIGHEST_PROTOCOL + 1)]
    for other in [*copies, copy.copy(error), copy.deepcopy(error)]:
        assert type(other) is type(error)
        assert other.__dict__ == error.__dict__
        assert other.args == error.args
        assert str(other) == str(error)


def test_an_unknown_code_has_no_class():
    with pytest.raises(KeyError):
        errors.from_info({"code": "other", **INFO})


def test_unknown_context_is_refused():
    with pytest.raises(TypeError, match="unknown context: colour"):
        preopen.PreopenError("no", colour="red")


def test_an_error_by_hand_has_every_attribute():
    error = preopen.InvalidInputError("x is wrong", field="x")
    assert str(error) == error.message == "x is wrong"
    assert repr(error) == "InvalidInputError('x is wrong')"
    assert (error.field, error.advice, error.broker, error.causes) == ("x", "never", None, [])
    for name in preopen.PreopenError.__annotations__:
        assert hasattr(error, name), name
