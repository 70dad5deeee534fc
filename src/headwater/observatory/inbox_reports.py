"""What is said of the inbox: what the SDK sent, until it is stored."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class AcceptReport:
    """What was accepted from the SDK: it is safe here, and stored in a moment.

    `run_id` is null for a dbt target folder; `is_new` is false where the same waits already.
    """

    run_id: int | None
    is_new: bool
    accepted_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class InboxFault:
    """Something that was accepted and could not be stored so far; it is tried again at `due_at`."""

    what: str
    accepted_at: datetime
    attempts: int
    due_at: datetime
    error: str


@dataclass(frozen=True, slots=True, kw_only=True)
class InboxReport:
    """What was accepted from the SDK and is not stored yet; `faults` has the oldest that could not be."""

    waiting: int = 0
    faults: tuple[InboxFault, ...] = ()
