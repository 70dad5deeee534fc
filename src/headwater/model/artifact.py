"""What is known of an artifact that a run may have: wanted, stored, absent, or to be tried again."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class ArtifactState(StrEnum):
    """Pending was not asked for yet; absent is not in dbt Cloud; failed is tried again; unreadable is given up.

    Left out is what is not asked for because the account's filter does not admit the run.
    """

    PENDING = "pending"
    STORED = "stored"
    ABSENT = "absent"
    FAILED = "failed"
    UNREADABLE = "unreadable"
    LEFT_OUT = "left out"

    @property
    def is_open(self) -> bool:
        """Whether a later pass will ask again."""
        return self in {ArtifactState.PENDING, ArtifactState.FAILED}


@dataclass(frozen=True, slots=True, kw_only=True)
class ArtifactRecord:
    """The state of one artifact of one run step; `reason` says in words why it is absent, failed or unreadable."""

    step_index: int
    path: str
    state: ArtifactState
    reason: str = ""
    attempts: int = 0
    size_bytes: int | None = None
    next_attempt_at: datetime | None = None
