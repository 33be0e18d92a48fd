"""The page of the fault table."""

import rules

OPENING = """\
# The fault matrix

Written by `cargo xtask faults`; a test holds that its rows are those of `tests/faults/matrix.json`, and
plays some of them again. Each cell is one client in a process of its own against the embedded broker,
or, where bytes on the wire or TLS matter, a server that is played: it logs in where the row is not
about that, the fault is set, and the client acts once. Preopen is asked through its sessions, the
brokers' own clients as their documents say, with their own defaults but for the address, the row's
timeout and the test's certificate authority. Preopen and `stocknotebridge` play Samco's side of a row;
rows that only Angel One has, and the other clients, Angel One's.
"""

READING = """
## How to read a cell

- *pass*: no rule is broken, and what the caller gets: a success, an exception, or the failure that the
  reply names.
- *no renewal*, *no repetition*: no rule is broken, but the client does not do what the row asks for,
  and the failure reaches the caller. It is no defect of a client that does not promise it.
- *fail*: which rules are broken, by what was seen.
- *n/a*: the row cannot be said to this client's broker.

## The rules

The same for every client.

{rules}

How a caller tells success: Preopen raises or rejects for everything else. `smartapi-python` answers
with the reply, whose `status` is `True`, and `placeOrder` with the order's number. `stocknotebridge`
answers with text, which is JSON whose `status` is `Success`. `smartapi-javascript` resolves with the
reply, whose `status` is `true`; a number there, the HTTP status of a failure, is not taken for a
success, although it is true in a condition.

What is kept away: `smartapi-python` and `smartapi-javascript` ask a public service for this machine's
address when they are imported and constructed; but for the row about import and construction they are
kept from it; what the latter does later without an answer is in
[Migrating](migrating-from-the-official-sdks.md#smartapi-javascript). `stocknotebridge` imports pandas,
whose NumPy starts threads of its own; its method `generate_session_token` raises `TypeError` before it
sends anything, so that its login is the call which that method would make.
"""


def write(rows, peers, versions):
    """The page: `rows` are a name, an action and the cells by peer."""
    lines = [
        OPENING,
        f"{versions}.",
        "",
        "| client | pass | no | fail | n/a |",
        "| --- | ---: | ---: | ---: | ---: |",
    ]
    for peer in peers:
        verdicts = [cells[peer].split(":")[0].split(" ")[0] for _, _, cells in rows]
        counted = " | ".join(str(verdicts.count(kind)) for kind in ("pass", "no", "fail", "n/a"))
        lines.append(f"| {peer} | {counted} |")
    lines.append(READING.format(rules=rules.TEXT))
    lines += ["## The table", "", line(["fault", "on", *peers]), line(["---"] * (2 + len(peers)))]
    lines += [line([name, on, *(cells[peer] for peer in peers)]) for name, on, cells in rows]
    return "\n".join(lines) + "\n"


def line(cells):
    return f"| {' | '.join(cells)} |"


def read(text):
    """The rows of a page, as `write` takes them."""
    table = [row.strip("|\n ").split(" | ") for row in text.split("\n## The table\n")[1].strip().splitlines()]
    peers = table[0][2:]
    return [(row[0], row[1], dict(zip(peers, row[2:]))) for row in table[2:]]
