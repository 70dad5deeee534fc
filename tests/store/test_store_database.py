"""Opening, migrating, locking, filling and losing the database."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, event, func, select, text
from things import T0, make_run, new_account

import headwater.store.migrate
from headwater.errors import StoreBusy, StoreError, StoreFull, StoreUnavailable
from headwater.model.run import Way
from headwater.store.database import Store, open_store, read_once
from headwater.store.migrate import NEWEST
from headwater.store.run_queries import list_runs
from headwater.store.runs import save_run
from headwater.store.schema import metadata, runs


def test_a_migrated_database_is_what_the_code_says(store: Store) -> None:
    """Alembic finds no difference between the migrated schema and the tables in the code."""
    with store.read() as tx:
        assert compare_metadata(MigrationContext.configure(tx), metadata) == []


def test_the_newest_revision_is_the_one_the_code_names() -> None:
    """The shortcut that skips Alembic when nothing is to do cannot go stale."""
    config = Config()
    config.set_main_option("script_location", str(Path(headwater.store.migrate.__file__).parent / "migrations"))
    assert ScriptDirectory.from_config(config).get_heads() == [NEWEST]


def test_a_newer_schema_is_refused(store: Store, store_url: str) -> None:
    """An old program does not touch a database that a newer one has migrated, and says so."""
    with store.write() as tx:
        tx.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(StoreUnavailable, match="9999") as refused:
        open_store(store_url)
    assert refused.value.hint


def test_many_may_open_a_new_database_at_once(tmp_path: Path, postgres_server) -> None:
    """Of several that open an empty database at the same moment one migrates, and all can use it."""
    with postgres_server.database(template=None) as postgres:
        for url in (str(tmp_path / "new" / "folder" / "headwater.db"), postgres):
            failures: list[BaseException] = []

            def open_and_close(url: str = url, failures: list[BaseException] = failures) -> None:
                try:
                    open_store(url).close()
                except BaseException as error:  # noqa: BLE001 - shown by the assertion
                    failures.append(error)

            threads = [threading.Thread(target=open_and_close) for _ in range(6)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            assert failures == []


def test_what_cannot_be_opened_is_explained(tmp_path: Path) -> None:
    """A wrong address, a folder in the way, a file that is no database and a server that is not there: one sentence."""
    (tmp_path / "notes.txt").write_text("this is not a database, it only says so " * 100)
    (tmp_path / "folder.db").mkdir()
    addresses = (
        "mysql://somewhere/x",
        "nonsense://",
        "sqlite://",
        str(tmp_path / "notes.txt"),
        str(tmp_path / "folder.db"),
        str(tmp_path / "notes.txt" / "inside.db"),
        "postgresql://someone:tell-nobody@127.0.0.1:1/x",
    )
    for address in addresses:
        with pytest.raises(StoreUnavailable) as refused:
            open_store(address)
        assert refused.value.hint
        assert "tell-nobody" not in str(refused.value)


def test_what_changes_nothing_reads_once_and_what_may_change_it_reads_again(store: Store) -> None:
    """A transaction that only reads asks once for what it needs again; a writing one, and the next one, ask anew."""

    def count(tx: Connection) -> int:
        found: int = read_once(tx, ("runs",), lambda: tx.execute(select(func.count()).select_from(runs)).scalar_one())
        return found

    key = new_account(store)
    with store.write() as tx:
        before = count(tx)
        save_run(tx, key, make_run(1), Way.POLL, T0)
        assert (before, count(tx)) == (0, 1)
    asked: list[str] = []
    event.listen(store.engine, "before_cursor_execute", lambda *call: asked.append(call[2]))
    with store.read() as tx:
        assert (count(tx), count(tx)) == (1, 1)
    assert len([statement for statement in asked if "count(" in statement]) == 1
    with store.read() as tx:
        assert count(tx) == 1
    assert len([statement for statement in asked if "count(" in statement]) == 2


def test_an_error_inside_leaves_nothing_behind(store: Store) -> None:
    """A write that an error passes through is undone, and the next one can begin at once."""
    account_key = new_account(store)
    with pytest.raises(KeyboardInterrupt), store.write() as tx:  # noqa: PT012 - raised where it is
        save_run(tx, account_key, make_run(), Way.POLL, T0)
        raise KeyboardInterrupt
    with store.write() as tx:
        assert list_runs(tx).total == 0


def test_a_locked_database_is_busy(tmp_path: Path) -> None:
    """While another process writes, a write waits its time and then says busy; reading goes on."""
    with open_store(str(tmp_path / "x.db"), busy_seconds=0.05) as store:
        account_key = new_account(store)
        other = sqlite3.connect(tmp_path / "x.db", isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreBusy), store.write() as tx:
            save_run(tx, account_key, make_run(), Way.POLL, T0)
        with store.read() as tx:
            assert list_runs(tx).total == 0
        other.execute("ROLLBACK")
        other.close()
        with store.write() as tx:
            assert save_run(tx, account_key, make_run(), Way.POLL, T0).is_new


def test_a_writer_of_this_process_is_waited_for(tmp_path: Path) -> None:
    """Two threads that write take turns, and one that holds on too long makes the other say busy."""
    with open_store(str(tmp_path / "x.db"), busy_seconds=0.05) as store:  # noqa: SIM117 - one inside the other
        with store.write(), pytest.raises(StoreBusy), store.write():
            pass


def test_a_full_disk_keeps_what_was_stored(tmp_path: Path) -> None:
    """When there is no space left, the write says so and is undone; what was stored can be read."""
    with open_store(str(tmp_path / "x.db")) as store:
        account_key = new_account(store)
        with store.write() as tx:
            save_run(tx, account_key, make_run(1), Way.POLL, T0)
        with pytest.raises(StoreFull) as full, store.write() as tx:  # noqa: PT012 - whichever write is too much
            pages = tx.exec_driver_sql("PRAGMA page_count").scalar_one()
            tx.exec_driver_sql(f"PRAGMA max_page_count={pages}")
            for run_id in range(2, 200):
                save_run(tx, account_key, make_run(run_id, status_message="x" * 5000), Way.POLL, T0)
        assert full.value.hint
        with store.read() as tx:
            assert [row.run.run_id for row in list_runs(tx).runs] == [1]
            assert tx.exec_driver_sql("PRAGMA integrity_check").scalar_one() == "ok"


def test_a_read_only_database_says_so(store: Store, store_url: str) -> None:
    """A write where nothing may be written is a StoreError of ours, not the driver's."""
    with pytest.raises(StoreError), store.read() as tx:  # noqa: PT012 - PostgreSQL knows that it only reads
        if store.is_sqlite:
            tx.exec_driver_sql("PRAGMA query_only=1")
        tx.execute(text("INSERT INTO leases (name, holder, until) VALUES ('a', 'b', 1)"))
    with pytest.raises(StoreError), store.read() as tx:
        tx.execute(text("SELECT * FROM nowhere"))


def test_the_given_clock_is_the_clock_and_the_database_has_one(store_url: str) -> None:
    """A simulation's clock wins; without one, two stores on one database agree within a minute."""
    with open_store(store_url, clock=lambda: T0) as store:
        assert store.now() == T0
    with open_store(store_url) as one, open_store(store_url) as other:
        assert abs((one.now() - other.now()).total_seconds()) < 60
        assert one.now().utcoffset() is not None


_WRITER = """
import sys
from things import T0, make_run, new_account
from headwater.model.run import Way
from headwater.store.database import open_store
from headwater.store.runs import save_run
store = open_store(sys.argv[1])
account_key = int(sys.argv[2])
for run_id in range(int(sys.argv[3]), 10**9):
    with store.write() as tx:
        save_run(tx, account_key, make_run(run_id), Way.POLL, T0)
    print(run_id, flush=True)
"""


def test_a_killed_writer_loses_nothing_it_had_committed(store_url: str) -> None:
    """After kill -9 at any moment every run that was reported is there whole, and writing goes on."""
    with open_store(store_url) as store:
        account_key = new_account(store)
    reported = 0
    for kill_after in (1, 7, 23):
        command = [sys.executable, "-c", _WRITER, store_url, str(account_key), str(reported + 1)]
        paths = os.pathsep.join([str(Path(__file__).parent), *filter(None, sys.path)])
        with subprocess.Popen(command, stdout=subprocess.PIPE, env=os.environ | {"PYTHONPATH": paths}) as writer:
            assert writer.stdout is not None
            for _ in range(kill_after):
                reported = int(writer.stdout.readline())
            writer.send_signal(signal.SIGKILL)
            reported = max([reported, *(int(line) for line in writer.stdout.read().split())])
        with open_store(store_url) as store, store.read() as tx:
            found = list_runs(tx, limit=None).runs
            assert {row.run.run_id for row in found} >= set(range(1, reported + 1))
            assert all(row.observed_by == (Way.POLL,) for row in found)
            reported = tx.execute(select(func.max(runs.c.run_id))).scalar_one()


def test_sqlite_knows_how_its_rows_are_spread(tmp_path: Path) -> None:
    """Once told, the planner finds the results of one node by the index of nodes and times."""
    with open_store(f"sqlite:///{tmp_path / 'headwater.db'}") as store:
        new_account(store)
        store.update_statistics()

        with store.read() as tx:
            analysed = tx.execute(text("SELECT count(*) FROM sqlite_stat1")).scalar_one()

    assert analysed > 0


def test_a_checkpoint_brings_what_was_committed_into_the_file(tmp_path: Path) -> None:
    """The file alone, without the write-ahead log beside it, holds what was committed before."""
    path = tmp_path / "headwater.db"
    with open_store(str(path)) as store:
        account_key = new_account(store)
        with store.write() as tx:
            save_run(tx, account_key, make_run(7), Way.POLL, T0)
        store.checkpoint()
        alone = tmp_path / "alone.db"
        alone.write_bytes(path.read_bytes())

    with closing(sqlite3.connect(alone)) as database:
        assert database.execute("SELECT run_id FROM runs").fetchall() == [(7,)]
