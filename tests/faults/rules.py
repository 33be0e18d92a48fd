"""The rules of the fault table, which make a cell of what was observed, without knowing whose it is."""

#: What a memory row may cost: twice the largest reply that Preopen reads.
RISE = 16 << 20
#: Seconds for import and construction.
START = 10.0
#: Builtin errors that do tell what happened.
TYPED_BUILTINS = {"builtins.OSError"}
#: The language's own errors: they tell where a program went wrong, and not what happened.
BARE_IN_NODE = {"TypeError", "SyntaxError", "RangeError", "ReferenceError"}
BARE_IN_PYTHON = ("builtins.", "json.decoder.")

TEXT = """\
1. **A caller can tell success from failure.** A call must not come back as a success, by the check that
   the client documents, unless the reply is what was asked for.
2. **A failure says what it was**: an exception of the client's, of its HTTP library's or of the
   system's, or a reply that the client documents as a failure and that names a code, a message or a
   status. Not so: `KeyError`, `TypeError`, `JSONDecodeError` and their like from inside of the client,
   `None`, an empty object, whatever a gateway sent passed on as if it were the broker's reply, and a
   process that ends.
3. **Time is bounded.** Each client gets the row's timeout by its own option; the row is over within its
   deadline (never less than the timeout), else within the timeout and 3.5 seconds. A row without a
   timeout leaves each client its own, and ends after 45 seconds. A client that goes on for 2 seconds
   more is ended.
4. **A write reaches the broker at most once.**
5. **No secret is shown**: not the API key, the API secret, a PIN, a TOTP secret or a token in the
   exception (its text, representation and traceback), in standard output or error, or in a file. Four
   digits of a PIN are not looked for, a long wrong one is.
6. **Memory is bounded**: reading rises it by no more than 16 MiB, twice the largest reply that Preopen
   reads.
7. **No credential leaves** to another host, or to a server that cannot prove who it is.
8. **A read whose token has ended gives the caller the reply.** Clients that do not renew cannot; what
   they do instead is told, as *no*.
9. **Import and construction** without a network are over within 10 seconds, send nothing, write nothing
   and start no thread.
10. **The fault was met.** A client that never came to the broker, or to the server that is played, does
   not pass by the error that it gives instead."""


def cell(row, on, observed):
    """`pass`, `no` or `fail`, with what was observed."""
    broken = start(observed) if on == "start" else call(row, on, observed)
    if broken:
        got = what(observed)
        # What is right about it is told, too.
        rest = (
            "" if on == "start" or any(got in one for one in broken) or not typed(observed) else f" ({got})"
        )
        return f"fail: {'; '.join(broken)}{rest}"
    if row["expect"].get("ok") and observed["kind"] != "success":
        return f"no {row['needs']}: {what(observed)}"
    return f"pass: {what(observed)}"


def start(observed):
    broken = [*ending(observed), *shown(observed)]
    if observed["kind"] != "success":
        broken.append(what(observed))
    if observed["seconds"] > START:
        broken.append(f"takes {observed['seconds']:.0f} s")
    if observed.get("sent"):
        broken.append("uses the network")
    if observed.get("threads"):
        broken.append("starts a thread")
    if observed["written"]:
        broken.append(f"writes {', '.join(f'`{name}`' for name in observed['written'])}")
    return broken


def call(row, on, observed):
    return [
        *met(observed),
        *answer(row, observed),
        *ending(observed),
        *time(observed),
        *writes(on, observed),
        *memory(row, observed),
        *elsewhere(row, observed),
        *shown(observed),
    ]


def answer(row, observed):
    """Rules 1 and 2. What a client makes of 64 MB is no question of these: rule 6 is."""
    kind = observed["kind"]
    if kind == "success" and observed["went_elsewhere"]:
        yield "took another host's reply for the broker's"
    elif kind == "success" and not observed["genuine"] and not row.get("memory"):
        yield "told as a success"
    elif kind == "other" and not row.get("memory"):
        yield f"returned as a reply: {quoted(observed['what'])}{of_many(observed)}"
    elif kind == "raised" and bare(observed["types"]):
        yield what(observed)
    elif typed(observed) and row["expect"].get("ok") and "needs" not in row:
        yield f"{what(observed)} in place of a success"


def met(observed):
    """Rule 10."""
    if observed["reached"] is False:
        yield "never met the fault"


def ending(observed):
    """A process that ends is no answer, whether it gave one before or not."""
    if observed["kind"] == "crash" or observed["exit"] not in (0, None):
        yield f"the process ends: {quoted(observed['last_words'][:60])}"
    elif observed["kind"] != "hangs" and observed["exit"] is None:
        yield "the process does not end"


def time(observed):
    """Rule 3."""
    if observed["kind"] == "hangs":
        yield f"goes on past its deadline of {observed['bound']:g} s (ended)"
    elif observed["seconds"] > observed["bound"]:
        yield f"takes longer than {observed['bound']:g} s"


def writes(on, observed):
    """Rule 4."""
    if on == "write" and observed["seen"] > 1:
        yield f"sent {observed['seen']} times"


def memory(row, observed):
    """Rule 6."""
    rise = observed.get("rise", 0)
    if row.get("memory") and rise > RISE:
        # A collector of garbage is never at the same place twice: the next smaller of these is.
        most = max(limit for limit in (RISE >> 20, 100, 1000) if rise > limit << 20)
        yield f"memory rises by more than {most} MiB"


def elsewhere(row, observed):
    """Rule 7."""
    if observed["leaked"]:
        yield f"followed to another host with {listed(observed['leaked'])}"
    if observed["unproven"] and not row["expect"].get("ok"):
        yield f"{listed(observed['unproven'])} sent to a server that cannot prove who it is"


def shown(observed):
    """Rule 5."""
    if observed["shown"]:
        kinds = sorted({kind for kinds in observed["shown"].values() for kind in kinds})
        yield f"{listed(kinds)} in {', '.join(observed['shown'])}"


def bare(types):
    """Is it an error of the language's own?"""
    if "." not in types[0]:
        return types[0] in BARE_IN_NODE
    return types[0].startswith(BARE_IN_PYTHON) and not TYPED_BUILTINS & set(types)


def typed(observed):
    """Does the caller learn what happened?"""
    kind = observed["kind"]
    return kind == "failure" or (kind == "raised" and not bare(observed["types"]))


def what(observed):
    """What a caller gets, in a few words."""
    kind = observed["kind"]
    if kind == "raised":
        return f"`{observed['types'][0].split('.')[-1]}`" + of_many(observed)
    if kind == "failure":
        return f"failure {quoted(observed['what'])}" + of_many(observed)
    return {"success": "success", "other": "another reply", "hangs": "no answer", "crash": "no answer"}[kind]


def of_many(observed):
    return f" at call {observed['calls']}" if observed.get("calls", 1) > 1 else ""


def quoted(text):
    """A short quotation that cannot end a cell."""
    text = " ".join(text.replace("`", "'").replace("|", "/").split())
    return f"`{text if len(text) <= 36 else text[:35] + '…'}`"


def listed(kinds):
    return ", ".join(kind.replace("_", " ") for kind in kinds)
