"""run_results.json, sources.json and catalog.json of every dbt version."""

from __future__ import annotations

import json
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from artifact_files import artifact, kind_of, ours, run_results, samples

from headwater.artifacts import read_catalog, read_run_results, read_sources
from headwater.errors import ArtifactUnreadable
from headwater.model.invocation import NOT_EXECUTING, Execution, Freshness
from headwater.model.node import CatalogColumn, Relation

FOUND = [(path, kind_of(json.loads(path.read_bytes()))) for path in samples()]


def ids(path: Path) -> str:
    return "/".join(path.parts[-4:])


@pytest.mark.parametrize("path", [path for path, kind in FOUND if kind == "run_results"], ids=ids)
def test_every_sample_of_results_counts_as_json_alone(path: Path) -> None:
    """Every sample of results counts as json alone."""
    raw = json.loads(path.read_bytes())
    read = read_run_results(path.read_bytes())
    assert not read.faults
    assert not read.unknown_statuses
    assert read.command == raw["args"]["which"]
    assert read.is_executing is (read.command not in NOT_EXECUTING)
    expected = Counter(result["status"] for result in raw["results"]) if read.is_executing else Counter()
    assert Counter(execution.status for execution in read.executions) == expected
    for execution, result in zip(read.executions, raw["results"], strict=False):
        assert execution.unique_id == result["unique_id"]
        assert (execution.started_at is None) is (not result["timing"])
        assert execution.elapsed == timedelta(seconds=result["execution_time"])


@pytest.mark.parametrize("path", [path for path, kind in FOUND if kind == "catalog"], ids=ids)
def test_every_sample_catalog_counts_as_json_alone(path: Path) -> None:
    """Every sample catalog counts as json alone."""
    raw = json.loads(path.read_bytes())
    tables = raw["nodes"] | raw["sources"]
    read = read_catalog(path.read_bytes())
    assert not read.faults
    assert {table.unique_id: len(table.columns) for table in read.tables} == {
        unique_id: len(table["columns"]) for unique_id, table in tables.items()
    }


def only(**fields: Any) -> Execution:
    """Read one result with these fields."""
    (execution,) = read_run_results(run_results({"unique_id": "model.p.m", "status": "success", **fields})).executions
    return execution


def test_timing_spans_both_phases() -> None:
    """Timing spans both phases."""
    execution = only(
        timing=[
            {"name": "compile", "started_at": "2026-11-20T10:00:00Z", "completed_at": "2026-11-20T10:00:01Z"},
            {
                "name": "execute",
                "started_at": "2026-11-20T12:00:02.123456789+02:00",
                "completed_at": "2026-11-20T10:00:05",
            },
        ],
        execution_time=5.5,
    )
    assert execution.started_at == datetime(2026, 11, 20, 10, tzinfo=UTC)
    assert execution.executing_at == datetime(2026, 11, 20, 10, 0, 2, 123457, tzinfo=UTC)
    assert execution.finished_at == datetime(2026, 11, 20, 10, 0, 5, tzinfo=UTC)
    assert execution.elapsed == timedelta(seconds=5.5)


@pytest.mark.parametrize(
    "text", ["9999-12-31T23:59:59-05:00", "0001-01-01T00:00:00+14:00", "1969-12-31", "yesterday", ""]
)
def test_absurd_times_are_none_and_noted(text: str) -> None:
    """Absurd times are none and noted."""
    timing = [{"name": "execute", "started_at": text, "completed_at": None}]
    read = read_run_results(run_results({"unique_id": "a", "status": "success", "timing": timing}))
    assert read.executions[0].started_at is None
    assert len(read.faults) == 1


@pytest.mark.parametrize("seconds", [-1.0, 1e300])
def test_absurd_spans_are_none_and_noted(seconds: float) -> None:
    """Absurd spans are none and noted."""
    read = read_run_results(run_results({"unique_id": "a", "status": "success", "execution_time": seconds}))
    assert read.executions[0].elapsed is None
    assert len(read.faults) == 1


@pytest.mark.parametrize(
    ("written", "rows"),
    [(5, 5), ("5", 5), ("1,200", 1200), (-1, None), (True, None), (7.0, 7), ("many", None), (None, None)]
)  # fmt: skip
def test_rows_are_read_however_the_adapter_writes_them(written: Any, rows: int | None) -> None:
    """Rows are read however the adapter writes them."""
    assert only(adapter_response={"rows_affected": written}).rows_affected == rows


def test_queries_are_known_by_either_name() -> None:
    """Queries are known by either name."""
    assert only(adapter_response={"query_id": "01b"}).query_id == "01b"
    bigquery = only(adapter_response={"job_id": "j", "bytes_processed": 12})
    assert (bigquery.query_id, bigquery.bytes_processed) == ("j", 12)


def test_long_messages_are_cut_with_a_mark() -> None:
    """Long messages are cut with a mark."""
    message = only(message="é" * 100_000).message
    assert message is not None
    assert len(message.encode()) <= 64 * 1024
    assert message.endswith("(200,000 bytes; the rest is left out)")
    assert only(message="é" * 30_000).message == "é" * 30_000


def test_odd_results_are_noted_and_the_rest_survives() -> None:
    """Odd results are noted and the rest survives."""
    read = read_run_results(
        run_results(
            {"unique_id": "a", "status": "success"},
            "nonsense",
            {"status": "success"},
            {"unique_id": "b", "status": "Success", "failures": "x", "adapter_response": []},
            {"unique_id": "c", "status": "beamed up"},
            {"unique_id": "d", "status": "Beamed up"},
            {"unique_id": "a", "status": "error"},
        )
    )
    assert {execution.unique_id: execution.status for execution in read.executions} == {
        "a": "error", "b": "success", "c": "beamed up", "d": "beamed up",
    }  # fmt: skip
    assert read.unknown_statuses == ("beamed up", "beamed up")
    assert len(read.faults) == 5


@pytest.mark.parametrize("command", ["compile", "generate", "show"])
def test_commands_that_execute_nothing_have_no_executions(command: str) -> None:
    """Commands that execute nothing have no executions."""
    read = read_run_results(run_results({"unique_id": "a", "status": "success"}, which=command))
    assert not read.is_executing
    assert read.executions == ()


def test_sources_tell_how_fresh_they_are() -> None:
    """Sources tell how fresh they are."""
    read = read_sources(ours("core_sources"))
    assert read.results[0].status == "warn"
    assert read.results[0].warn_after == timedelta(hours=12)
    assert read.results[0].max_loaded_at == datetime(2024, 3, 3, tzinfo=UTC)


def test_a_failed_source_check_has_its_error() -> None:
    """A failed source check has its error."""
    results = [
        {"unique_id": "source.p.a.b", "status": "runtime error", "error": "no such table"},
        {
            "unique_id": "source.p.a.c",
            "status": "pass",
            "max_loaded_at": "9999-12-31",
            "max_loaded_at_time_ago_in_s": -3,
        },
        {"unique_id": "source.p.a.d", "status": "lost", "criteria": {"warn_after": {"count": None, "period": None}}},
    ]
    read = read_sources(json.dumps(artifact("sources", 3, results=results, elapsed_time=1)).encode())
    assert read.results[0] == Freshness(unique_id="source.p.a.b", status="runtime error", message="no such table")
    assert (read.results[1].max_loaded_at, read.results[1].age) == (None, timedelta())
    assert read.results[2].warn_after is None
    assert len(read.faults) == 2


def test_a_catalog_tells_tables_and_columns() -> None:
    """A catalog tells tables and columns."""
    table = {
        "metadata": {"type": "VIEW", "database": "DB", "schema": "S", "name": "T", "owner": "ME"},
        "columns": {"B": {"name": "B", "type": "INT", "index": 2}, "A": {"name": "A", "type": "TEXT", "index": 1}},
        "stats": {"row_count": {"id": "row_count", "value": "1,234"}},
    }
    placeless = {"metadata": {"type": "VIEW"}}
    data = artifact("catalog", 1, nodes={"model.p.t": table, "model.p.u": placeless}, sources={}, errors=["denied"])
    read = read_catalog(json.dumps(data).encode())
    assert [table.unique_id for table in read.tables] == ["model.p.t"]
    assert read.tables[0].relation == Relation("DB", "S", "T")
    assert read.tables[0].columns[0] == CatalogColumn(name="A", data_type="TEXT", position=1)
    assert read.tables[0].row_count == 1234
    assert any("denied" in fault for fault in read.faults)
    assert len(read.faults) == 2


@pytest.mark.parametrize("read", [read_run_results, read_sources, read_catalog])
def test_another_artifact_is_refused(read: Any) -> None:
    """Another artifact is refused."""
    with pytest.raises(ArtifactUnreadable, match="manifest"):
        read(ours("core_manifest"))
