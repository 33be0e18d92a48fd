"""A right store of a program's own, and wrong ones: each has one bug."""

import asyncio
import functools
import inspect
import threading
import time


class MemoryStore:
    """Keeps texts in this process. `calls` counts what was called."""

    def __init__(self):
        self.kept, self.claimed, self.lock = {}, set(), threading.Lock()
        self.calls = []

    def describe(self):
        return "a store of the tests"

    def read(self, account):
        self.calls.append("read")
        return self.kept.get(account)

    def claim(self, account):
        self.calls.append("claim")
        with self.lock:
            if account in self.claimed:
                return None
            self.claimed.add(account)
            return self.make_claim(account)

    def make_claim(self, account):
        return MemoryClaim(self, account, self.kept.get(account))


class MemoryClaim:
    def __init__(self, store, account, value):
        self.store, self.account, self.value = store, account, value

    def write(self, value):
        self.store.calls.append("write")
        self.store.kept[self.account] = value
        return True

    def release(self):
        self.store.calls.append("release")
        self.store.claimed.discard(self.account)


class Asynchronous:
    """The same object with coroutine functions, which note the event loop that they run on."""

    def __init__(self, inner, loops=None):
        self._inner, self.loops = inner, set() if loops is None else loops

    def __getattr__(self, name):
        found = getattr(self._inner, name)
        if name == "describe" or not inspect.ismethod(found):
            return found

        async def asynchronous(*arguments):
            self.loops.add(asyncio.get_event_loop())
            await asyncio.sleep(0.001)
            result = found(*arguments)
            return Asynchronous(result, self.loops) if isinstance(result, MemoryClaim) else result

        return asynchronous


class NoExclusion(MemoryStore):
    def claim(self, account):
        return self.make_claim(account)


class Race(MemoryStore):
    def claim(self, account):
        if account in self.claimed:
            return None
        time.sleep(0.02)
        self.claimed.add(account)
        return self.make_claim(account)


class StaleClaims(MemoryStore):
    def claim(self, account):
        seen = self.kept.get(account)
        time.sleep(0.03)
        claim = super().claim(account)
        if claim:
            claim.value = seen
        return claim


class BlindClaims(MemoryStore):
    def make_claim(self, account):
        return MemoryClaim(self, account, None)


class NoClaims(MemoryStore):
    def claim(self, account):
        return None


class OneForAll(MemoryStore):
    def read(self, account):
        return super().read("all")

    def claim(self, account):
        return super().claim("all")


class Blank(MemoryStore):
    def read(self, account):
        return super().read(account) or ""


class WaitingReads(MemoryStore):
    """Reads as a database does that locks the row for them too."""

    def read(self, account):
        end = time.monotonic() + 3
        while account in self.claimed and time.monotonic() < end:
            time.sleep(0.01)
        return self.kept.get(account)


class WaitingClaims(MemoryStore):
    def claim(self, account):
        end = time.monotonic() + 4
        while time.monotonic() < end:
            claim = super().claim(account)
            if claim:
                return claim
            time.sleep(0.01)
        return None


class Forgets(MemoryStore):
    """Keeps values as long as their claim."""

    def claim(self, account):
        claim = super().claim(account)
        if claim:
            release = claim.release
            claim.release = lambda: (self.kept.pop(account, None), release())
        return claim


def with_claim(**methods):
    """A store whose claims have these methods."""

    class Other(MemoryStore):
        def make_claim(self, account):
            claim = super().make_claim(account)
            for name, method in methods.items():
                setattr(claim, name, functools.partial(method, claim))
            return claim

    return Other


def write_short(claim, value):
    return MemoryClaim.write(claim, value[:1000])


def write_nothing(claim, value):
    return True


def write_once(claim, value):
    if claim.store.kept.get(claim.account) is None:
        MemoryClaim.write(claim, value)
    return True


def write_late(claim, value):
    claim.late = value
    return True


def release_late(claim):
    if hasattr(claim, "late"):
        MemoryClaim.write(claim, claim.late)
    MemoryClaim.release(claim)


def write_session_only_if_there(claim, value):
    """Keeps the old session when the new value has none."""
    old = claim.store.kept.get(claim.account) or "|"
    session, guard = value.split("|")
    return MemoryClaim.write(claim, (session or old.split("|")[0]) + "|" + guard)


def write_lower(claim, value):
    return MemoryClaim.write(claim, value.lower())


def never_release(claim):
    pass


def refuse_to_write(claim, value):
    return False


# The bug, and checks that must notice it.
WRONG = {
    "no exclusion": (NoExclusion, {"a second claim is refused at once"}),
    "a race": (Race, {"of many who claim at the same time one succeeds"}),
    "stale claims": (StaleClaims, {"no claimed update is lost"}),
    "blind claims": (BlindClaims, {"a claim tells what is stored when it begins"}),
    "no claims": (
        NoClaims,
        {"a released claim is free", "what is written is read back, by the writer and by others"},
    ),
    "one value for all": (OneForAll, {"accounts do not know of each other"}),
    "blank instead of none": (Blank, {"what was never written reads as nothing"}),
    "reads that wait": (WaitingReads, {"reading does not wait for a claim"}),
    "claims that wait": (WaitingClaims, {"a second claim is refused at once"}),
    "forgets": (Forgets, {"a claim tells what is stored when it begins"}),
    "short values": (with_claim(write=write_short), {"a value is kept as it is, of any length"}),
    "mangled values": (with_claim(write=write_lower), {"a value is kept as it is, of any length"}),
    "lost writes": (
        with_claim(write=write_nothing),
        {"what is written is read back, by the writer and by others"},
    ),
    "first write wins": (
        with_claim(write=write_once),
        {"what is written is read back, by the writer and by others", "no claimed update is lost"},
    ),
    "late writes": (
        with_claim(write=write_late, release=release_late),
        {
            "what is written is read back, by the writer and by others",
            "those who wait are told of a change in time",
        },
    ),
    "sessions that stay": (
        with_claim(write=write_session_only_if_there),
        {"a session can be removed while its guard stays"},
    ),
    "never released": (
        with_claim(release=never_release),
        {"a released claim is free", "a dropped claim becomes free"},
    ),
    "claims that are lost at once": (
        with_claim(write=refuse_to_write),
        {"what is written is read back, by the writer and by others"},
    ),
}
