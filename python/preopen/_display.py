"""How notebooks, IPython and `help` show what a session returns: a small table, or one field a line. Nothing
is asked for and nothing is sent: what is shown is what the object holds already, and no secret is in it."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime
    from typing import Any, Protocol

    class Printer(Protocol):
        """The part of IPython's pretty printer that is used here."""

        def text(self, text: str, /) -> None: ...
        def breakable(self, sep: str = ..., /) -> None: ...
        def pretty(self, obj: object, /) -> None: ...
        def begin_group(self, indent: int = ..., opening: str = ..., /) -> None: ...
        def end_group(self, dedent: int = ..., closing: str = ..., /) -> None: ...


__all__ = ["documented", "html", "indian", "pretty"]

#: The most characters of one value, and entries of one list, that a table shows.
_LONGEST = 300
_MOST = 20

# No colour and no background: a table looks right on whatever it is shown.
_TABLE = '<table style="text-align:left">'
_CAPTION = '<caption style="text-align:left;caption-side:top"><b>{}</b></caption>'
_ROW = '<tr><th scope="row" style="text-align:left">{}</th><td style="text-align:left">{}</td></tr>'


def html(title: str, fields: Iterable[tuple[str, Any]]) -> str:
    """A table of the fields that say something."""
    rows = [_ROW.format(_text(name), _cell(value)) for name, value in fields if not _says_nothing(value)]
    return f"{_TABLE}{_CAPTION.format(_text(title))}<tbody>{''.join(rows)}</tbody></table>"


def pretty(printer: Printer, cycle: bool, title: str, fields: Iterable[tuple[str, Any]]) -> None:
    """``title(name=value, ...)``, on one line if it fits and else a field a line."""
    if cycle:
        printer.text(f"{title}(...)")
        return
    printer.begin_group(4, f"{title}(")
    for number, (name, value) in enumerate(fields):
        if number:
            printer.text(",")
        printer.breakable("" if number == 0 else " ")
        printer.text(f"{name}=")
        printer.pretty(value)
    printer.end_group(4, ")")


def _says_nothing(value: object) -> bool:
    return value is None or value == "" or value == []


def _cell(value: object) -> str:
    if isinstance(value, list):
        shown = "<br>".join(_cell(one) for one in value[:_MOST])
        return shown + (f"<br>and {len(value) - _MOST} more" if len(value) > _MOST else "")
    if hasattr(value, "astimezone"):
        return _text(indian(value))  # type: ignore[arg-type]  # only datetimes have it
    line = getattr(value, "_line", None)
    return _text(value if isinstance(value, str) else line() if line else str(value))


def indian(time: datetime) -> str:
    """A time as the brokers' documents tell it."""
    from datetime import timedelta, timezone

    zone = timezone(timedelta(hours=5, minutes=30))
    return time.astimezone(zone).strftime("%Y-%m-%d %H:%M:%S IST")


def _text(text: str) -> str:
    """Text that is shown as what it is: no tag, and no character that hides or turns round others."""
    from html import escape

    if len(text) > _LONGEST:
        text = text[:_LONGEST] + "…"
    return escape("".join(one if one.isprintable() else ascii(one)[1:-1] for one in text))


def documented(module: str, kind: str) -> dict[str, str]:
    """Types of the fields of a class, and what they are as the strings below them in the source say; empty
    without a source."""
    import ast
    import inspect
    import sys

    try:
        source = inspect.getsource(sys.modules[module])
        tree = ast.parse(source)
    except (KeyError, OSError, TypeError, SyntaxError):
        return {}
    (body,) = [one.body for one in tree.body if isinstance(one, ast.ClassDef) and one.name == kind] or [[]]
    found = {}
    for field, below in zip(body, body[1:]):
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name):
            text = getattr(getattr(below, "value", None), "value", None)
            if isinstance(below, ast.Expr) and isinstance(text, str):
                kind = " ".join((ast.get_source_segment(source, field.annotation) or "").split())
                found[field.target.id] = f"{kind}\n\n{inspect.cleandoc(text)}"
    return found
