"""How the terminal shows reports, one JSON document or tables and sentences for people; and how it reads times."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

import msgspec
from rich.console import Console
from rich.table import Table
from rich.text import Text

from headwater.errors import WrongUse

_WIDEST = 10_000
_WRAPPED = 16
_STYLES = {
    "success": "green", "pass": "green", "connected": "green", "error": "red", "fail": "red", "failing": "red",
    "rejected": "red", "runtime error": "red", "warn": "yellow", "running": "blue", "starting": "blue",
    "queued": "cyan", "cancelled": "dim", "skipped": "dim", "paused": "dim",
}  # fmt: skip
_SHAPES = {
    "success": "●", "pass": "●", "connected": "●", "error": "✕", "fail": "✕", "failing": "✕", "rejected": "✕",
    "runtime error": "✕", "warn": "▲", "running": "◐", "starting": "◐", "queued": "◐", "cancelled": "◌", "skipped": "◌",
}  # fmt: skip


def console() -> Console:
    """Give the console for answers; into a file or a pipe lines are as long as they are."""
    return Console(highlight=False) if sys.stdout.isatty() else Console(highlight=False, width=_WIDEST, soft_wrap=True)


def console_errors() -> Console:
    """Give the console for everything that is not the answer."""
    return Console(stderr=True, highlight=False, soft_wrap=True)


def print_json(report: object) -> None:
    """Print a report as one JSON document on standard output."""
    sys.stdout.buffer.write(msgspec.json.format(msgspec.json.encode(report), indent=2) + b"\n")
    sys.stdout.flush()


def print_table(
    columns: Sequence[str],
    rows: Iterable[Sequence[Text | str]],
    *,
    right: Sequence[str] = (),
    wraps: Sequence[str] = (),
    optional: Sequence[str] = (),
) -> None:
    """Print a table without boxes; the columns in `right` hold numbers, only those in `wraps` take several lines.

    In a narrow terminal the `optional` columns are left out one by one, the first named first; `--json` has them all.
    """
    out = console()
    listed = [[cell if isinstance(cell, Text) else Text(cell) for cell in row] for row in rows]
    shown = _fitting(columns, listed, wraps, optional, out.width)
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in shown:
        table.add_column(
            column, justify="right" if column in right else "left", no_wrap=column not in wraps, overflow="fold"
        )
    for row in listed:
        table.add_row(*(cell for column, cell in zip(columns, row, strict=True) if column in shown))
    out.print(table)


def _fitting(
    columns: Sequence[str], rows: Sequence[Sequence[Text]], wraps: Sequence[str], optional: Sequence[str], width: int
) -> list[str]:
    longest = {
        column: max((len(column), *(cell.cell_len for cell in cells)))
        for column, *cells in zip(columns, *rows, strict=True)
    }
    needed = {column: min(size, _WRAPPED) if column in wraps else size for column, size in longest.items()}
    shown = list(columns)
    for column in optional:
        if sum(needed[name] + 1 for name in shown) <= width:
            break
        shown.remove(column)
    return shown


def say_status(status: str) -> Text:
    """Say a status in words, a shape and a colour."""
    return Text(f"{_SHAPES.get(status, '○')} {status}", style=_STYLES.get(status, ""))


def say_time(moment: datetime | None) -> str:
    """Say a time in UTC to the second; nothing where there is none."""
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S") if moment is not None else ""


def say_counts(counts: dict[str, int]) -> str:
    """Say counts in one line, the most first."""
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return ", ".join(f"{count} {name}" for name, count in ordered)


def read_time(text: str | None) -> datetime | None:
    """Read a time as people write it, in UTC where it has no offset; None where none was given.

    Raises:
        WrongUse: it is not a time.
    """
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
        return moment.astimezone(UTC) if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        raise WrongUse(f"{text!r} is not a time.", hint="Write it as 2026-01-31 or 2026-01-31T06:00.") from None
