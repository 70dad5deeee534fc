"""Where a warehouse is: a DuckDB file or a PostgreSQL server, from the address a person writes."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from headwater.dbtcloud.origin import is_private_host
from headwater.errors import WrongUse
from headwater.model.secret import Secret

_HINT = "Use duckdb:///path/to/file.duckdb or postgresql://user@host/database."
_QUERY = frozenset({"sslmode", "sslrootcert", "application_name"})


class WarehouseKind(StrEnum):
    """The warehouses that can be read, by the name of dbt's adapter."""

    DUCKDB = "duckdb"
    POSTGRES = "postgres"


@dataclass(frozen=True, slots=True, kw_only=True)
class WarehouseAddress:
    """An address that may hold a password; `shown` has none, `has_password` tells whether there is one."""

    kind: WarehouseKind
    url: Secret
    shown: str
    has_password: bool = False


def read_warehouse_address(text: str, *, allow_private: bool) -> WarehouseAddress:
    """Read an address; relative paths are made absolute. `postgres://` is PostgreSQL as well.

    Files and private or loopback hosts are for the command line (`allow_private`), not for web forms.

    Raises:
        WrongUse: it is no address of a warehouse that can be read; the message repeats nothing of it.
    """
    stripped = text.strip()
    if not stripped or not stripped.isprintable() or len(stripped) > 4_000:
        raise WrongUse("The warehouse's address is empty or holds characters that no address has.", hint=_HINT)
    if stripped.startswith("duckdb:") or stripped.endswith((".duckdb", ".ddb")):
        if not allow_private:
            raise WrongUse("A DuckDB file can only be added from the command line.")
        path = _find_file(stripped.removeprefix("duckdb:"))
        return WarehouseAddress(kind=WarehouseKind.DUCKDB, url=Secret(str(path)), shown=f"duckdb://{path}")
    url = _read_url(stripped)
    if not allow_private and is_private_host((url.host or "").strip("[]")):
        raise WrongUse("A warehouse of a private network can only be added from the command line.")
    return WarehouseAddress(
        kind=WarehouseKind.POSTGRES,
        url=Secret(url.render_as_string(hide_password=False)),
        shown=url.render_as_string(hide_password=True).replace("postgresql+psycopg:", "postgresql:"),
        has_password=url.password is not None,
    )


def _find_file(rest: str) -> Path:
    """Find the file of `///path`: relative as SQLAlchemy reads it, else absolute as a file's address has it."""
    bare = rest.removeprefix("//")
    readings = [Path(bare.removeprefix("/")), Path(bare)] if rest.startswith("///") else [Path(bare)]
    found = next((path for path in readings if path.is_file()), None)
    if found is None:
        raise WrongUse(f"There is no DuckDB file {readings[-1].absolute()}.", hint="Give the path of the file itself.")
    return found.resolve()


def _read_url(text: str) -> URL:
    try:
        url = make_url(text)
    except (ArgumentError, ValueError):
        raise WrongUse("The warehouse's address cannot be read.", hint=_HINT) from None
    if url.drivername not in {"postgresql", "postgres", "postgresql+psycopg"}:
        raise WrongUse(f"Warehouses of the kind {url.drivername[:40]} cannot be read.", hint=_HINT)
    if not url.host or not url.database:
        raise WrongUse("The warehouse's address names no host or no database.", hint=_HINT)
    unknown = sorted(set(url.query) - _QUERY)
    if unknown:
        raise WrongUse(f"The address sets {unknown[0][:40]}, which is not taken.", hint=f"Only {', '.join(_QUERY)}.")
    return url.set(drivername="postgresql+psycopg")
