"""Opening the database, its transactions and its clock."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self, TypeVar

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url, text
from sqlalchemy.exc import ArgumentError, NoSuchModuleError

from headwater.errors import StoreBusy, StoreUnavailable
from headwater.store.faults import translated
from headwater.store.limited import limit_engine
from headwater.store.migrate import NEWEST, migrate, read_revision

_BUSY_SECONDS = 10.0
_ANALYSED_ROWS = 1000
_LOG_PAGES = 4000
"""Pages in SQLite's write-ahead log, 16 MB, after which a commit moves them itself, where no process did so before."""
_WRITES = "headwater_writes"
_NOTES = "headwater_notes"

Read = TypeVar("Read")


@dataclass(frozen=True, slots=True)
class Store:
    """The open database; `where` names it without its password. Close it, or use it as a context manager."""

    engine: Engine
    where: str
    clock: Callable[[], datetime] | None = None
    busy_seconds: float = _BUSY_SECONDS
    _writing: threading.Lock = field(default_factory=threading.Lock)

    @property
    def is_sqlite(self) -> bool:
        """Whether the database is a file of this machine, with one writer at a time."""
        return self.engine.dialect.name == "sqlite"

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Open a transaction that sees one moment of the database and changes nothing.

        Raises:
            StoreError: the database could not be asked.
        """
        with translated(self.where), self.engine.connect() as tx:
            options: dict[str, Any] = {_NOTES: {}}
            if not self.is_sqlite:
                options |= {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
            tx.execution_options(**options)
            with tx.begin():
                yield tx

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """Open a transaction that is committed at the end, or leaves nothing behind if an error passes.

        Raises:
            StoreBusy: another process held the database for longer than we wait.
            StoreFull: no space is left; nothing of this transaction was stored.
            StoreError: the database could not be asked.
        """
        with self._turn(), translated(self.where), self.engine.connect() as tx:
            tx.execution_options(**{_WRITES: True, _NOTES: {}})
            with tx.begin():
                yield tx

    def limited_to(self, account_keys: frozenset[int]) -> Store:
        """Give the same database with nothing in it but these accounts; only this one is to be closed."""
        return replace(self, engine=limit_engine(self.engine, account_keys))

    def now(self) -> datetime:
        """Give the time: of the given clock, else of PostgreSQL, which all its clients share, else of the system."""
        if self.clock is not None:
            return self.clock()
        if self.is_sqlite:
            return datetime.now(UTC)
        with self.read() as tx:
            moment: datetime = tx.execute(text("SELECT clock_timestamp()")).scalar_one()
            return moment.astimezone(UTC)

    def update_statistics(self) -> None:
        """Let SQLite's planner know from a sample how the rows are spread; PostgreSQL finds that out by itself.

        Without it, a question for some nodes may read all executions of an account.
        """
        if self.is_sqlite:
            with self.write() as tx:
                tx.execute(text(f"PRAGMA analysis_limit = {_ANALYSED_ROWS}"))
                tx.execute(text("ANALYZE"))

    def checkpoint(self) -> None:
        """Move what SQLite's write-ahead log holds into the database file, so that no commit has to do it on its way.

        It holds up neither readers nor writers; PostgreSQL does this by itself.
        """
        if self.is_sqlite:
            with translated(self.where), self.engine.connect() as connection:
                connection.execution_options(isolation_level="AUTOCOMMIT").exec_driver_sql(
                    "PRAGMA wal_checkpoint(PASSIVE)"
                )

    def close(self) -> None:
        """Give the connections back."""
        self.engine.dispose()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @contextmanager
    def _turn(self) -> Iterator[None]:
        """Wait for this process's turn to write: SQLite has one writer, and a queue here is fairer than its retries."""
        if not self.is_sqlite:
            yield
            return
        if not self._writing.acquire(timeout=self.busy_seconds):
            raise StoreBusy(f"The database {self.where} is being written by this process.", hint="Try again.")
        try:
            yield
        finally:
            self._writing.release()


def read_once(tx: Connection, key: tuple[object, ...], read: Callable[[], Read]) -> Read:
    """Give what a transaction that changes nothing has read before under a key; one that may change it reads again."""
    if tx.get_execution_options().get(_WRITES):
        return read()
    known = notes(tx)
    if key not in known:
        known[key] = read()
    found: Read = known[key]
    return found


def notes(tx: Connection) -> dict[Any, Any]:
    """Give the dictionary that lives as long as the transaction, for what it looked up already."""
    found: dict[Any, Any] = tx.get_execution_options()[_NOTES]
    return found


def open_store(url: str, *, clock: Callable[[], datetime] | None = None, busy_seconds: float = _BUSY_SECONDS) -> Store:
    """Open the database and bring its schema up to date; `url` may be the path of an SQLite file.

    Raises:
        StoreUnavailable: it cannot be opened, or a newer Headwater wrote its schema.
        StoreBusy: another process is migrating it for longer than we wait.
    """
    parsed = _read_url(url)
    where = parsed.render_as_string(hide_password=True)
    engine = _sqlite_engine(parsed, busy_seconds) if parsed.get_backend_name() == "sqlite" else _postgres_engine(parsed)
    store = Store(engine, where, clock, busy_seconds)
    try:
        if store.is_sqlite:
            _use_write_ahead_log(store)
        with store.read() as tx:
            is_current = read_revision(tx) == NEWEST
        if not is_current:
            with store.write() as tx:
                migrate(tx)
    except BaseException:
        store.close()
        raise
    return store


def _read_url(url: str) -> URL:
    hint = "Use sqlite:///path or postgresql://user@host/database."
    if "://" not in url:
        return URL.create("sqlite", database=url)
    try:
        parsed = make_url(url)
        backend = parsed.get_backend_name()
    except (ArgumentError, NoSuchModuleError, ValueError):
        raise StoreUnavailable("database_url is not the address of a database.", hint=hint) from None
    if backend == "sqlite" and parsed.database and parsed.database != ":memory:":
        return parsed
    if backend in {"postgresql", "postgres"}:
        return parsed.set(drivername="postgresql+psycopg")
    raise StoreUnavailable("database_url names no database that Headwater keeps its data in.", hint=hint)


def _sqlite_engine(url: URL, busy_seconds: float) -> Engine:
    folder = Path(url.database or "").absolute().parent
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise StoreUnavailable(
            f"The folder {folder} cannot be created: {error.strerror}.", hint="Set data_folder or database_url."
        ) from error
    engine = create_engine(
        url,
        connect_args={"timeout": busy_seconds, "isolation_level": None, "check_same_thread": False},
        pool_size=8,
        max_overflow=32,
    )

    @event.listens_for(engine, "connect")
    def _configure(connection: sqlite3.Connection, _record: object) -> None:
        # FULL: a committed run survives a power cut, as the promise says. It costs one fsync a run's transaction.
        settings = ("synchronous=FULL", "cache_size=-32768", "temp_store=MEMORY", f"wal_autocheckpoint={_LOG_PAGES}")
        for pragma in settings:
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        # A writer takes the lock at once: one that began as a reader could be refused in the middle of its work.
        writes = connection.get_execution_options().get(_WRITES, False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine


def _postgres_engine(url: URL) -> Engine:
    try:
        engine = create_engine(
            url, connect_args={"connect_timeout": 10}, pool_pre_ping=True, pool_size=8, max_overflow=32
        )
    except ModuleNotFoundError:
        raise StoreUnavailable(
            "The driver for PostgreSQL is not installed.", hint="Run: pip install 'headwater[server,postgres]'"
        ) from None

    @event.listens_for(engine, "connect")
    def _configure(connection: Any, _record: object) -> None:
        was, connection.autocommit = connection.autocommit, True
        connection.execute("SET lock_timeout = '30s'")
        connection.autocommit = was

    return engine


def _use_write_ahead_log(store: Store) -> None:
    """Switch the file to a write-ahead log; SQLite does not wait by itself while another process does the same."""
    patience = time.monotonic() + store.busy_seconds
    while True:
        try:
            with translated(store.where), store.engine.connect() as connection:
                raw: Any = connection.connection.driver_connection
                raw.execute("PRAGMA journal_mode=WAL")
        except StoreBusy:
            if time.monotonic() > patience:
                raise
            time.sleep(0.05)
        else:
            return
