"""What the drivers say when something is wrong → the errors of the house."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from headwater.errors import StoreBusy, StoreError, StoreFull, StoreUnavailable

try:
    from psycopg import Error as PostgresError
except ImportError:  # the extra `postgres` is not installed
    PostgresError = sqlite3.Error  # type: ignore[misc, assignment]

_SQLITE_BUSY = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED})
_SQLITE_GONE = frozenset({
    sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_NOTADB,
    sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_PERM, sqlite3.SQLITE_AUTH,
})  # fmt: skip
_POSTGRES_BUSY = ("55P03", "40P01", "40001", "57014")
_POSTGRES_FULL = ("53100",)
_POSTGRES_GONE = ("08", "28", "3D", "53", "57P", "25006", "42501", "58")


@contextmanager
def translated(where: str) -> Iterator[None]:
    """Turn a driver's error into a StoreError that names the database and what to do next."""
    try:
        yield
    except PoolTimeout as error:
        raise StoreBusy(f"Every connection to {where} is in use.", hint="Try again.") from error
    except DBAPIError as error:
        raise explain(error.orig or error, where) from error
    except (sqlite3.Error, PostgresError) as error:
        raise explain(error, where) from error


def explain(error: BaseException, where: str) -> StoreError:
    """Give the error of the house for a driver's error."""
    said = str(error).strip().split("\n", maxsplit=1)[0]
    if isinstance(error, sqlite3.Error):
        return _explain_sqlite(error, where, said)
    state = getattr(error, "sqlstate", None)
    if state is None or (state.startswith(_POSTGRES_GONE) and state not in _POSTGRES_FULL):
        if type(error).__name__ in {"OperationalError", "ConnectionTimeout"} or state is not None:
            return StoreUnavailable(
                f"The database {where} refuses us: {said}.", hint="Check database_url and that the server runs."
            )
    elif state in _POSTGRES_BUSY:
        return StoreBusy(f"The database {where} is busy: {said}.", hint="Try again.")
    elif state in _POSTGRES_FULL:
        return StoreFull(f"The database {where} has no space left.", hint="Free disk space on its server.")
    return StoreError(f"The database {where} refused a statement: {said}.")


def _explain_sqlite(error: sqlite3.Error, where: str, said: str) -> StoreError:
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code in _SQLITE_BUSY:
        return StoreBusy(f"The database {where} is locked by another process.", hint="Try again when it is done.")
    if code == sqlite3.SQLITE_FULL:
        return StoreFull(f"The database {where} has no space left.", hint="Free disk space; what was stored is intact.")
    if code in _SQLITE_GONE:
        return StoreUnavailable(
            f"The database {where} cannot be used: {said}.", hint="Check that the path, its folder and its rights fit."
        )
    return StoreError(f"The database {where} refused a statement: {said}.")
