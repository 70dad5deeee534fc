"""All ways in at once, by fixed seeds; and that the comparison sees what is lost, double or wrong."""

from __future__ import annotations

import json
import logging
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import play
import pytest
from sqlalchemy import ColumnElement, Connection, Table, delete, insert, select, update
from ways_acts import ACTS
from ways_history import compare_scene, settle
from ways_scene import Delivery, Place, Scene, open_scene

from cloud import open_watching, wait_until_stored
from headwater.sdk import Outcome, collect_data_from_dbt_cloud
from headwater.simulator.recordings import Archive
from headwater.simulator.settings import RECORDINGS
from headwater.store.schema import (
    accounts,
    executions,
    invocations,
    observations,
    run_artifacts,
    run_hours,
    run_steps,
    runs,
)
from truth import Comparison

SEEDS = (2, 5, 8, 16)
"""A few that together play every act; `make ways` plays many."""
KEYS = ["histories", "runs", "observations", "lost", "double", "wrong"]


@pytest.fixture(autouse=True)
def quiet(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """What the SDK says of a server that is away is part of every history."""
    with caplog.at_level(logging.CRITICAL):
        yield


@pytest.mark.parametrize("database", play.DATABASES)
def test_all_ways_at_once_are_one_run(request: pytest.FixtureRequest, archive: Archive, database: str) -> None:
    """Shuffled, repeated, in trouble, at the same time: in the end each run is there once and as in truth."""
    server = request.getfixturevalue("postgres_server") if database == "postgresql" else None
    played = {seed: play.play_on(seed, database, server, archive) for seed in SEEDS}

    assert {seed: one.compared.differences for seed, one in played.items()} == {seed: [] for seed in SEEDS}
    assert all(one.compared.runs > 5 for one in played.values())
    assert {act for one in played.values() for act in one.acts} == {act.__name__ for act in ACTS} | {"sync_and_die"}


def test_the_program_ends_with_one_line_of_counts(postgres_server: object) -> None:
    """`make ways` plays on both databases and prints the counts last."""
    command = [sys.executable, play.__file__, "--seeds", "1", "--first", "4"]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    counts = json.loads(ended.stdout.splitlines()[-1])

    assert (ended.returncode, ended.stderr, list(counts)) == (0, "", KEYS)
    assert counts["runs"] > 10
    assert {name: counts[name] for name in KEYS if name not in {"runs", "observations"}} == {
        "histories": 1, "lost": 0, "double": 0, "wrong": 0,
    }  # fmt: skip


def test_a_difference_is_said_with_how_to_see_it_again(capsys: pytest.CaptureFixture[str]) -> None:
    """Seed, database, the difference and the command stand on standard error, and the counts tell the kind."""
    counts = play.count(7, "sqlite", Comparison(runs=2, lost=["run 5"], wrong=["run 6: status"]))

    assert counts == {"runs": 2, "observations": 0, "lost": 1, "double": 0, "wrong": 1}
    assert capsys.readouterr().err.splitlines() == [
        "Seed 7 on sqlite, again with: make ways SEEDS=1 FIRST=7", "  lost: run 5", "  wrong: run 6: status",
    ]  # fmt: skip


@pytest.fixture(scope="module")
def archive() -> Iterator[Archive]:
    """The simulator's recordings, unpacked once."""
    with Archive(RECORDINGS) as opened:
        yield opened


@pytest.fixture(scope="module")
def scene(archive: Archive, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """A history in which nothing went wrong, settled; one run was sent by the SDK too, from an Airflow task."""
    folder = tmp_path_factory.mktemp("scene")
    with open_scene(3, folder, f"sqlite:///{folder / 'headwater.db'}", archive) as opened:
        settle(opened)
        run_id = max(run_id for run_id, run in opened.truth("first").items() if run["status"] == 10)
        arguments = (opened.account_id("first"), opened.token("first"), run_id, opened.cloud.simulator.url)
        with opened.as_task(opened.places[0].url, "airflow", {"DAG_ID": "warehouse"}):
            assert collect_data_from_dbt_cloud(*arguments).outcome is Outcome.SENT
        wait_until_stored(opened.places[0].observatory)
        opened.notes.arrived(Delivery((opened.account_id("first"), run_id), "sdk"))
        yield opened


@pytest.fixture
def copied(scene: Scene, tmp_path: Path) -> Iterator[Scene]:
    """The same, with a database of the test's own."""
    for path in (*scene.folder.glob("headwater.db*"), scene.folder / "secret.key"):
        shutil.copy(path, tmp_path / path.name)
    with open_watching(scene.cloud, tmp_path) as observatory:
        yield replace(scene, places=(Place(observatory, ""),))


def test_a_history_without_a_fault_has_no_difference(copied: Scene) -> None:
    """What the next tests break is whole before."""
    found = compare_scene(copied)

    assert found.differences == []
    assert found.observations > found.runs > 5


def first(tx: Connection, table: Table, where: ColumnElement[bool]) -> Any:
    """Give a row as it is."""
    return tx.execute(select(table).where(where).limit(1)).one()


def remove(table: Table, where: ColumnElement[bool]) -> Callable[[Connection], None]:
    """Give what removes one row."""

    def do(tx: Connection) -> None:
        row = first(tx, table, where)
        tx.execute(delete(table).where(*(column == getattr(row, column.name) for column in table.primary_key)))

    return do


def change(table: Table, where: ColumnElement[bool], **values: Any) -> Callable[[Connection], None]:
    """Give what changes one row."""

    def do(tx: Connection) -> None:
        row = first(tx, table, where)
        here = (column == getattr(row, column.name) for column in table.primary_key)
        tx.execute(update(table).where(*here).values(**values))

    return do


def double(table: Table, where: ColumnElement[bool], **values: Any) -> Callable[[Connection], None]:
    """Give what stores one row again, under another key."""

    def do(tx: Connection) -> None:
        tx.execute(insert(table).values({**first(tx, table, where)._mapping, **values}))

    return do


IS_OVER = runs.c.status == "success"
BY_POLL = observations.c.way == "poll"
ANY = runs.c.run_id > 0


@pytest.mark.parametrize(
    ("kind", "harm"),
    [
        ("lost", remove(runs, ANY)),
        ("lost", remove(run_steps, run_steps.c.step_index == 1)),
        ("lost", remove(executions, executions.c.node_key > 0)),
        ("lost", remove(invocations, invocations.c.executions_fullness > 0)),
        ("lost", remove(observations, BY_POLL)),
        ("lost", remove(observations, observations.c.way == "sdk")),
        ("lost", change(run_artifacts, run_artifacts.c.path == "run_results.json", state="absent")),
        ("lost", change(run_artifacts, run_artifacts.c.path == "run_results.json", state="failed")),
        ("lost", change(run_hours, run_hours.c.runs == 1, runs=0)),
        ("double", double(accounts, accounts.c.name == "first", account_key=99, name="again", origin="https://else")),
        ("double", double(observations, BY_POLL, context_hash=b"another")),
        ("double", double(invocations, invocations.c.step_index > 0, account_key=99, invocation_key=1)),
        ("double", double(invocations, invocations.c.step_index > 0, invocation_key=9_999, invocation_id="other")),
        ("double", change(run_hours, run_hours.c.runs == 1, runs=2)),
        ("wrong", change(runs, IS_OVER, status="error")),
        ("wrong", change(runs, IS_OVER, finished_at=None)),
        ("wrong", change(runs, IS_OVER, retrying_run_id=1)),
        ("wrong", change(runs, IS_OVER, trigger_cause="nobody knows")),
        ("wrong", double(runs, IS_OVER, run_id=1)),
        ("wrong", change(run_steps, run_steps.c.step_index == 1, status="error")),
        ("wrong", change(executions, executions.c.status == "success", status="error")),
        ("wrong", change(executions, executions.c.elapsed.is_not(None), elapsed=None)),
        ("wrong", change(invocations, invocations.c.executions_fullness > 0, command="dbt")),
        ("wrong", change(observations, BY_POLL, way="ingest")),
    ],
)  # fmt: skip
def test_harm_done_to_the_store_is_counted(copied: Scene, kind: str, harm: Callable[[Connection], None]) -> None:
    """A row that is taken away, stored again or altered makes its count greater than nothing."""
    with copied.places[0].observatory.store.write() as tx:
        harm(tx)

    assert getattr(compare_scene(copied), kind)


def test_a_delivery_that_is_withheld_is_lost(copied: Scene) -> None:
    """A way that delivered and is not named by its run counts; one that may have failed does not."""
    told = copied.notes.told(copied.account_id("first")).ways
    run_id = next(run_id for run_id in copied.truth("first") if "ingest" not in told.get(run_id, ()))
    delivery = Delivery((copied.account_id("first"), run_id), "ingest")
    uncertain = replace(copied, notes=replace(copied.notes, uncertain={delivery}))
    withheld = replace(copied, notes=replace(copied.notes, delivered=copied.notes.delivered | {delivery}))

    assert compare_scene(uncertain).differences == []
    assert compare_scene(withheld).differences == [f"lost: run {run_id}: observation by ingest"]
