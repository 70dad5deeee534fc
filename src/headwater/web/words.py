"""How values are said in a page: times, spans, numbers, and the look (shape and colour) of a status."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from markupsafe import Markup, escape

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

LOOKS = {
    "success": "success", "pass": "success", "connected": "success", "stored": "success",
    "warn": "warn", "failing": "warn", "failed": "warn",
    "error": "error", "fail": "error", "runtime error": "error", "partial success": "error", "rejected": "error",
    "unreadable": "error", "left out": "skipped",
    "running": "running", "starting": "running", "new": "running", "pending": "running", "queued": "queued",
    "skipped": "skipped", "cancelled": "skipped", "paused": "skipped", "absent": "skipped", "no-op": "skipped",
    "reused": "skipped",
}  # fmt: skip
"""The look of each status of a run, an execution, a source check, an artifact and an account."""

STATE_LOOKS = {
    "healthy": "success", "failed": "error", "test-failing": "error", "missing": "error", "skipped": "skipped",
    "warned": "warn", "anomalous": "warn", "stale": "late", "late": "late",
}  # fmt: skip
"""The look of each state of a node."""

INCIDENT_LOOKS = {"open": "error", "acknowledged": "late", "resolved": "success"}
"""The look of each state of an incident."""

RUN_STATUSES = ("success", "error", "cancelled", "running", "starting", "queued", "unknown")
"""The statuses of a run in the order legends and forms give them."""

STALE_SECONDS = 300
"""An account that was read longer ago than this is said to be late."""

STACKING = ("error", "cancelled", "unknown", "success", "running", "starting", "queued")
"""The statuses of a run from the foot of a bar to its top: errors where height is read best."""


def look_of(status: str | None) -> str:
    """Give the look of a status; one nobody told us about looks unknown."""
    return LOOKS.get(status or "", "unknown")


def look_of_state(state: str) -> str:
    """Give the look of a node's state."""
    return STATE_LOOKS.get(state, "unknown")


def look_of_incident(state: str) -> str:
    """Give the look of an incident's state."""
    return INCIDENT_LOOKS.get(state, "unknown")


def say_number(number: float | None) -> str:
    """Say a number with its thousands apart; a dash where it is not known."""
    return "–" if number is None else f"{number:,}"


def say_bytes(size: int | None) -> str:
    """Say a size in the unit that keeps it short."""
    if size is None:
        return "–"
    value = float(size)
    for unit in ("B", "kB", "MB"):
        if value < 1000:
            return f"{value:.0f} {unit}" if unit == "B" or value >= 10 else f"{value:.1f} {unit}"
        value /= 1000
    return f"{value:.1f} GB"


def say_share(share: float | None) -> str:
    """Say a share of 1 in percent; only what is whole is called 100 %."""
    if share is None:
        return "–"
    percent = share * 100
    if 99.5 <= percent < 100:
        return "> 99 %"
    if 0 < percent < 0.5:
        return "< 1 %"
    return f"{percent:.0f} %"


def say_count(number: int, one: str, many: str = "") -> str:
    """Say how many: 1 run, 1,204 runs."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def say_time(time: datetime) -> str:
    """Say a time to the second, in UTC."""
    return f"{time.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def say_day(time: datetime) -> str:
    """Say a day: 20 Nov."""
    return f"{time.day} {time:%b}"


def say_nodes(nodes: Mapping[str, int]) -> str:
    """Say how many executions ended how, the bad ones first."""
    ordered = sorted(nodes.items(), key=lambda item: (_WEIGHT.get(look_of(item[0]), 9), -item[1], item[0]))
    return ", ".join(f"{count:,} {status}" for status, count in ordered if count)


_WEIGHT = {"error": 0, "warn": 1, "success": 2, "running": 3, "skipped": 4}


def time_tag(time: datetime | None) -> Markup:
    """Give a `<time>` that reads well without a script; a script turns it into a relative one."""
    if time is None:
        return Markup('<span class="none">–</span>')
    moment = time.astimezone(UTC)
    return Markup('<time datetime="{}" title="{}">{}</time>').format(
        f"{moment:%Y-%m-%dT%H:%M:%S}Z", say_time(moment), f"{say_day(moment)} {moment:%H:%M}"
    )


def emphasise(sentence: str, names: Iterable[str | None]) -> Markup:
    """Set the names in a sentence in bold; everything else of it is text."""
    for name in names:
        if name and name in sentence:
            before, after = sentence.split(name, 1)
            return Markup("{}<b>{}</b>{}").format(before, name, after)
    return escape(sentence)


def web_address(address: str | None) -> str | None:
    """Give an address that may become a link: http or https with a host, nothing else."""
    if not address:
        return None
    try:
        parts = urlsplit(address)
    except ValueError:
        return None
    return address if parts.scheme in {"http", "https"} and parts.netloc else None
