"""`preopen.logging`: what arrives at the standard library's loggers, and that handlers, forks and exits hold
up nothing."""

import logging
import threading
import time

import pytest
from conftest import LOGIN, QUOTE, READ, run_script
from test_concurrency import IGNORE_WARNINGS, program

import preopen
import preopen.logging as subject


class Kept(logging.Handler):
    """Keeps records; a test may wait for them."""

    def __init__(self):
        super().__init__()
        self.records, self.came = [], threading.Condition()

    def emit(self, record):
        with self.came:
            self.records.append(record)
            self.came.notify_all()

    def wait_for(self, condition, seconds=10):
        with self.came:
            assert self.came.wait_for(lambda: any(map(condition, self.records)), seconds), self.texts()
            return next(filter(condition, self.records))

    def texts(self):
        return [record.getMessage() for record in self.records]


@pytest.fixture
def kept():
    handler, logger = Kept(), logging.getLogger("preopen")
    logger.addHandler(handler)
    logger.setLevel(1)
    yield handler
    subject.disable()
    logger.removeHandler(handler)
    logger.setLevel(logging.NOTSET)


def is_audit(record):
    return record.name == "preopen.audit"


def threads():
    return [thread for thread in threading.enumerate() if thread.name == "preopen logging"]


def test_a_login_is_told_and_audited(kept, sandbox):
    subject.enable()
    before = time.time()
    session = sandbox.session("samco")
    token = session.token()
    entry = kept.wait_for(is_audit)
    assert entry.levelno == logging.INFO
    assert entry.preopen["action"] == "login"
    assert {name: entry.preopen[name] for name in ("broker", "why", "outcome")} == {
        "broker": "samco",
        "why": "first_use",
        "outcome": "ok",
    }
    text = entry.getMessage()
    assert text.startswith("samco login: ok ")
    assert f" account={entry.preopen['account']} " in text
    assert "why=first_use" in text
    # When it happened, and in the form that formatters expect.
    assert before - 1 <= entry.created <= time.time()
    assert 0 <= entry.msecs < 1000
    formatted = logging.Formatter("%(asctime)s %(name)s %(levelname)s %(threadName)s %(message)s").format(
        entry
    )
    assert " preopen.audit INFO preopen logging samco login: ok " in formatted
    renewed = kept.wait_for(
        lambda record: record.name == "preopen" and "event=renewed" in record.getMessage()
    )
    assert renewed.preopen["generation"] == 1
    account = next(one for one in sandbox.accounts if one["broker"] == "samco")
    for record in kept.records:
        for secret in (token.expose(), account["api_key"], account["api_secret"], account["account"]):
            assert secret not in repr(vars(record))


def test_levels_are_decided_where_records_are_made(kept, sandbox):
    session = sandbox.session("samco")
    subject.enable("warning")
    session.token()
    sandbox.fault("samco", LOGIN["samco"], status=500, body="down")
    with pytest.raises(preopen.BrokerUnavailableError):
        sandbox.session("samco").token()
    kept.wait_for(lambda record: record.levelno == logging.WARNING)
    assert {record.levelno for record in kept.records} == {logging.WARNING}
    subject.enable(logging.DEBUG)
    session.get(READ["samco"], params=QUOTE)
    call = kept.wait_for(lambda record: record.levelno == logging.DEBUG)
    assert call.preopen["outcome"] == "ok"
    # A logger's own level holds beside it.
    logging.getLogger("preopen").setLevel(logging.ERROR)
    count = len(kept.records)
    session.get(READ["samco"], params=QUOTE)
    session.logout()
    subject.disable()
    assert len(kept.records) == count


def test_nothing_is_there_before_and_after(kept, sandbox):
    assert threads() == []
    sandbox.session("samco").token()
    subject.disable()
    assert threads() == kept.records == []
    subject.enable()
    subject.enable()
    assert len(threads()) == 1
    sandbox.session("samco").token()
    # What has come is handed over first.
    subject.disable()
    assert len([record for record in kept.records if is_audit(record)]) == 1
    assert threads() == []
    sandbox.session("samco").token()
    assert len([record for record in kept.records if is_audit(record)]) == 1


def test_a_name_of_ones_own(sandbox):
    handler, logger = Kept(), logging.getLogger("strategy")
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    subject.enable(logger="strategy.broker")
    sandbox.session("samco").token()
    handler.wait_for(lambda record: record.name == "strategy.broker")
    assert {record.name for record in handler.records} == {"strategy.broker", "strategy.broker.audit"}
    subject.disable()
    logger.removeHandler(handler)


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"level": "loud"}, "level"),
        ({"level": 1.5}, "level"),
        ({"level": True}, "level"),
        ({"level": None}, "level"),
        ({"logger": 1}, "logger"),
        ({"logger": logging.getLogger("x")}, "logger"),
    ],
)
def test_wrong_settings_are_refused(kept, given, field):
    with pytest.raises(preopen.InvalidInputError) as caught:
        subject.enable(**given)
    assert caught.value.field == field
    assert threads() == []


class Uses(Kept):
    """A handler that does something with each audit entry, once."""

    def __init__(self, use):
        super().__init__()
        self.use, self.done = use, []

    def emit(self, record):
        super().emit(record)
        if is_audit(record) and not self.done:
            self.done.append(None)
            self.done.append(self.use())


@pytest.mark.parametrize("use", ["a call", "a login", "disable", "enable"])
def test_a_handler_may_use_preopen(kept, sandbox, use):
    session, other = sandbox.session("samco"), sandbox.session("angelone")
    uses = {
        "a call": lambda: session.get(READ["samco"], params=QUOTE).http_status,
        "a login": lambda: other.token().generation,
        "disable": subject.disable,
        "enable": subject.enable,
    }
    handler = Uses(uses[use])
    logging.getLogger("preopen").addHandler(handler)
    try:
        subject.enable()
        session.token()
        handler.wait_for(is_audit)
        end = time.monotonic() + 10
        while len(handler.done) < 2:
            assert time.monotonic() < end, "it did not come back"
            time.sleep(0.01)
    finally:
        logging.getLogger("preopen").removeHandler(handler)
    assert handler.done[1] == {"a call": 200, "a login": 1}.get(use)
    assert session.token().generation == 1


def test_a_slow_handler_holds_up_nobody(kept, sandbox):
    entered, leave = threading.Event(), threading.Event()

    class Slow(logging.Handler):
        def emit(self, record):
            entered.set()
            leave.wait(30)

    slow = Slow()
    logging.getLogger("preopen").addHandler(slow)
    try:
        subject.enable()
        session = sandbox.session("samco")
        session.token()
        assert entered.wait(10)
        session.invalidate(1)
        assert session.token().generation == 2
        assert session.get(READ["samco"], params=QUOTE).http_status == 200
    finally:
        leave.set()
        logging.getLogger("preopen").removeHandler(slow)


def test_what_fails_ends_one_record(kept, sandbox, monkeypatch):
    failed = []
    monkeypatch.setattr("sys.excepthook", lambda *error: failed.append(error[0]))
    logger = logging.getLogger("preopen.audit")

    def breaks(record):
        raise ZeroDivisionError

    logger.addFilter(breaks)
    subject.enable()
    session = sandbox.session("samco")
    session.token()
    kept.wait_for(lambda record: "event=renewed" in record.getMessage())
    logger.removeFilter(breaks)
    session.logout()
    kept.wait_for(is_audit)
    assert failed == [ZeroDivisionError]


BASIC = """
import logging
import preopen.logging
logging.basicConfig(level=logging.INFO, stream=sys.stdout, format="%(name)s %(message).20s")
preopen.logging.enable()
"""
ENDS = {
    "at once": ("session().token()", 1),
    "an exit handler logs out": ("s = session()\natexit.register(s.logout)\ns.token()", 2),
    "a session keeps itself warm": ("s = session(keep_warm=True); s.token()", 1),
    "listeners, threads and tasks wait": (
        """
s = session(keep_warm=True)
threading.Thread(target=lambda: list(s.events()), daemon=True).start()
s.token()
""",
        1,
    ),
    "sys.exit on another thread": ("threading.Thread(target=sys.exit).start()\nsession().token()", 1),
}


@pytest.mark.parametrize("how", ENDS)
def test_what_was_told_before_the_end_is_handed_over(sandbox, how):
    text, entries = ENDS[how]
    code, out, err = run_script(*program(sandbox, BASIC + text), seconds=20)
    assert (code, err) == (0, "")
    assert len([line for line in out.splitlines() if line.startswith("preopen.audit samco log")]) == entries


STUCK = (
    BASIC
    + """
class Stuck(logging.Handler):
    # Without a lock of its own: for that, `logging` itself would wait at the end, for ever.
    def createLock(self):
        self.lock = threading.Semaphore(99)
    def emit(self, record):
        time.sleep(3600)
logging.getLogger("preopen").addHandler(Stuck())
session().token()
say("done")
"""
)


def test_a_handler_that_never_comes_back_does_not_keep_the_program(sandbox):
    began = time.monotonic()
    code, out, err = run_script(*program(sandbox, STUCK), seconds=30)
    assert (code, err) == (0, "")
    assert "done" in out
    assert time.monotonic() - began < 20


FORKS = (
    BASIC
    + """
s = session()
s.token()
children = []
for _ in range(3):
    child = os.fork()
    if child == 0:
        session().token()
        sys.exit(0)
    children.append(child)
for child in children:
    assert os.waitpid(child, 0)[1] == 0
s.invalidate(1)
s.token()
"""
)


def test_forked_children_tell_of_themselves(sandbox):
    sandbox.switch(samco_second_login_revokes_first=False)
    code, out, err = run_script(*program(sandbox, IGNORE_WARNINGS + FORKS), seconds=30)
    assert (code, err) == (0, "")
    # Two of the parent and one of each child; none is told twice.
    assert len([line for line in out.splitlines() if line.startswith("preopen.audit")]) == 5


def test_it_is_not_there_unless_it_is_imported():
    code, out, err = run_script("import sys, preopen; print('logging' in sys.modules)")
    assert (code, out, err) == (0, "False\n", "")
