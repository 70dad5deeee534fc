"""What this installation is: version, database, how much it holds and how long."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from importlib.metadata import version
from typing import TYPE_CHECKING

from headwater.store.migrate import NEWEST
from headwater.store.run_counts import count_stored

if TYPE_CHECKING:
    from headwater.observatory.holder import Observatory


@dataclass(frozen=True, slots=True, kw_only=True)
class AboutReport:
    """This installation. `schema` is the revision of the database's schema, `runs_days` how long runs are kept.

    `provider` is the issuer of the OpenID provider, `external_url` the address people open; None where there is none.
    """

    version: str
    database: str
    schema: str
    accounts: int
    runs: int
    executions: int
    runs_days: int
    provider: str | None
    external_url: str | None
    as_of: datetime


def get_about(observatory: Observatory) -> AboutReport:
    """Say what this installation is."""
    with observatory.store.read() as tx:
        stored = count_stored(tx)
    return AboutReport(
        version=version("headwater"),
        database="SQLite" if observatory.store.is_sqlite else "PostgreSQL",
        schema=NEWEST,
        accounts=stored.accounts,
        runs=stored.runs,
        executions=stored.executions,
        provider=observatory.settings.oidc.issuer,
        external_url=observatory.settings.web.external_url,
        runs_days=observatory.settings.retention.runs_days,
        as_of=observatory.store.now(),
    )
