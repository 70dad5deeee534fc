"""The budget of requests to dbt Cloud: one row an account, shared by every process on the store.

A token bucket. It holds at most a tenth of a minute's requests and refills so slowly that no 60 seconds see more than
`per_minute` of them, even when requests that were claimed are sent up to five seconds later: those of 60 seconds were
claimed within 65, and a bucket gives at most its capacity and 65 seconds' refill in that time.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, select, update

from headwater.store.schema import request_budgets
from headwater.store.values import span_to_micros
from headwater.store.writing import upsert

SENT_WITHIN = timedelta(seconds=5)
"""How long after its claim a request may be sent."""

_WINDOW = (timedelta(minutes=1) + SENT_WITHIN) // timedelta(microseconds=1)
_WHOLE = 1_000_000  # millionths of a request
_CLOCK_STEP = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class Claim:
    """How many requests may be sent now; `wait` is until the next one where fewer were granted than wanted."""

    granted: int
    wait: timedelta


def claim_requests(tx: Connection, account_key: int, wanted: int, *, per_minute: int, now: datetime) -> Claim:
    """Claim requests to send within `SENT_WITHIN`; grants what there is, which may be none."""
    row = _lock_budget(tx, account_key, per_minute, now)
    if row.blocked_until is not None and row.blocked_until > now:
        return Claim(0, row.blocked_until - now)
    millionths, refilled_at = _refill(row.millionths, row.refilled_at, now, per_minute)
    granted = max(0, min(wanted, millionths // _WHOLE))
    left = millionths - granted * _WHOLE
    _save(tx, account_key, {"millionths": left, "refilled_at": refilled_at})
    if granted >= wanted:
        return Claim(granted, timedelta())
    short = max(0, _WHOLE - left) * _WINDOW
    ready_at = refilled_at + timedelta(microseconds=-(-short // _refill_of_window(per_minute)))
    return Claim(granted, max(ready_at - now, timedelta(milliseconds=1)))


def block_requests_until(tx: Connection, account_key: int, until: datetime) -> None:
    """Send nothing for an account before a time that dbt Cloud named; a block is never shortened."""
    row = _lock_budget(tx, account_key, 0, until)
    if row.blocked_until is None or row.blocked_until < until:
        _save(tx, account_key, {"blocked_until": until})


def _capacity(per_minute: int) -> int:
    return max(1, per_minute // 10) * _WHOLE


def _refill_of_window(per_minute: int) -> int:
    return max(per_minute * _WHOLE - _capacity(per_minute), _WHOLE // 2)


def _refill(millionths: int, refilled_at: datetime, now: datetime, per_minute: int) -> tuple[int, datetime]:
    if refilled_at - now > _CLOCK_STEP:  # the clock was set back: begin anew, with nothing
        return 0, now
    passed = span_to_micros(max(now - refilled_at, timedelta())) or 0
    refilled = millionths + passed * _refill_of_window(per_minute) // _WINDOW
    return min(refilled, _capacity(per_minute)), max(now, refilled_at)


def _lock_budget(tx: Connection, account_key: int, per_minute: int, now: datetime) -> Any:
    first = {"account_key": account_key, "millionths": _capacity(per_minute), "refilled_at": now}
    upsert(tx, request_budgets, [first], keep=("millionths", "refilled_at"))
    here = request_budgets.c.account_key == account_key
    return tx.execute(select(request_budgets).where(here).with_for_update()).one()


def _save(tx: Connection, account_key: int, facts: dict[str, Any]) -> None:
    tx.execute(update(request_budgets).where(request_budgets.c.account_key == account_key).values(facts))
