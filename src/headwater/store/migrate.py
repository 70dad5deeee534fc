"""Bringing the schema up to date, by Alembic and inside the caller's transaction."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Connection, inspect, text

from headwater.errors import StoreUnavailable

NEWEST = "0013"
"""The revision this version of Headwater works with."""

_ADVISORY_LOCK = 0x68656164  # "head"


def migrate(tx: Connection) -> None:
    """Bring the schema up to date; one process does it, others wait and find it done.

    Raises:
        StoreUnavailable: the schema is newer than this Headwater.
    """
    if tx.dialect.name == "postgresql":
        tx.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _ADVISORY_LOCK})
    found = read_revision(tx)
    if found == NEWEST:
        return
    if found is not None and found > NEWEST:
        raise StoreUnavailable(
            f"The database has schema {found}, this Headwater knows {NEWEST}.",
            hint="Run the Headwater that wrote it, or a newer one.",
        )
    _upgrade(tx)


def read_revision(tx: Connection) -> str | None:
    """Read which revision the schema has, None where there is none yet."""
    if not inspect(tx).has_table("alembic_version"):
        return None
    revision: str | None = tx.execute(text("SELECT version_num FROM alembic_version")).scalar()
    return revision


def _upgrade(tx: Connection) -> None:
    from alembic import command  # noqa: PLC0415 - a tenth of a second that only a migration needs
    from alembic.config import Config  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    config.attributes["connection"] = tx
    command.upgrade(config, NEWEST)
