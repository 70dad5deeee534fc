"""An account and what it holds: projects, environments, jobs."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


@dataclass(frozen=True, slots=True)
class AccountAddress:
    """What an account is known by: the origin (`https://host[:port]`, no path) and dbt Cloud's account id."""

    origin: str
    account_id: int

    def covers(self, other: AccountAddress) -> bool:
        """Whether an account that is known by the other address is meant."""
        return self.account_id == other.account_id and self.origin in {ANY_ORIGIN, other.origin}


ANY_ORIGIN = ""
"""The origin where an account is named by its id alone, wherever it is."""

LOCAL_ORIGIN = "local:"
"""The origin of invocations that were ingested from a folder and belong to no dbt Cloud account."""

UNKNOWN_ORIGIN = "unknown:"
"""The origin of an account that is known by its id alone, from artifacts of its runs, until it is said where it is."""


class AccountStatus(StrEnum):
    """What the accounts table says of an account."""

    CONNECTED = "connected"
    NEW = "new"
    FAILING = "failing"
    REJECTED = "rejected"
    PAUSED = "paused"


@dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """A dbt Cloud project; an ingested one has a negative id (see `local_id`)."""

    project_id: int
    name: str
    is_deleted: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """A dbt Cloud environment; `deployment_type` is production, staging or None, `kind` development or deployment."""

    environment_id: int
    project_id: int | None
    name: str
    deployment_type: str | None = None
    kind: str | None = None
    is_deleted: bool = False

    @property
    def is_production(self) -> bool:
        """Whether questions that name no environment are answered from here."""
        return self.deployment_type == "production"


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A configured dbt Cloud job (`job_definition_id`); `cron` is None where it is not scheduled."""

    job_id: int
    project_id: int | None
    environment_id: int | None
    name: str
    commands: tuple[str, ...] = ()
    cron: str | None = None
    job_type: str | None = None
    generates_docs: bool = False
    generates_sources: bool = False
    is_deleted: bool = False
    updated_at: datetime | None = None


def local_id(name: str) -> int:
    """Give an ingested project, environment or run a stable negative 62-bit id, where dbt Cloud gives none."""
    digest = hashlib.blake2b(name.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return -(int.from_bytes(digest) >> 2) - 1
