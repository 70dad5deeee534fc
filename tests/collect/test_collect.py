"""Which artifacts of a run are asked for, and the wire."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headwater.collect import (
    CollectedRun,
    StepCommand,
    collect_artifacts,
    decode,
    encode,
    read_command,
)
from headwater.errors import ArtifactUnreadable, ServerFault
from headwater.model.account import AccountAddress
from headwater.model.artifact import ArtifactState
from headwater.model.run import AirflowContext, Run, RunStatus, RunStep

NOW = datetime(2026, 11, 20, 12, 0, 0, 123456, tzinfo=UTC)


def step(index: int, command: str | None, status: RunStatus = RunStatus.SUCCESS) -> RunStep:
    started_at = NOW if status.is_finished else None
    return RunStep(index=index, name=f"step {index}", status=status, command=command, started_at=started_at)


def run(*commands: str | None, status: RunStatus = RunStatus.SUCCESS) -> Run:
    steps = tuple(step(index, command) for index, command in enumerate(commands, 1))
    return Run(run_id=70437497968255, status=status, artifacts_saved=True, steps=steps)


class Cloud:
    """Answers from a table and remembers what it was asked."""

    def __init__(self, *missing: tuple[str, int]) -> None:
        self.missing = set(missing)
        self.asked: list[tuple[str, int]] = []

    def read(self, path: str, step_index: int) -> bytes | None:
        self.asked.append((path, step_index))
        return None if (path, step_index) in self.missing else b"{}"


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("dbt build --select tag:hourly", StepCommand("build", ())),
        ("dbt --no-partial-parse build", StepCommand("build", ())),
        ("dbt --log-level debug run", StepCommand("run", ())),
        ("dbt run --vars '{day: 1}' --target ci", StepCommand("run", ("--target=ci", "--vars={day: 1}"))),
        ("dbt run --target=ci", StepCommand("run", ("--target=ci",))),
        ("dbt source freshness", StepCommand("source", ())),
        ("git clone", None),
        ("dbt run --vars '{open", None),
        ("dbt", None),
    ],
)
def test_command_lines_are_read(line: str, expected: StepCommand | None) -> None:
    """The verb is found behind global flags, and the flags that decide parsing are kept."""
    assert read_command(line) == expected


def test_each_step_is_asked_for_its_own_results_and_one_manifest_serves_all() -> None:
    """Results are read by step, docs give their catalog, and the steps of one parse share a manifest."""
    cloud = Cloud()

    collect_artifacts(
        run(None, "dbt deps", "dbt source freshness", "dbt seed", "dbt build", "dbt docs generate"), cloud.read
    )

    assert cloud.asked == [
        ("sources.json", 3),
        ("manifest.json", 3),
        ("run_results.json", 4),
        ("run_results.json", 5),
        ("catalog.json", 6),
    ]


def test_another_target_is_another_parse() -> None:
    """Steps that parse the project another way have a manifest of their own."""
    cloud = Cloud()

    collect_artifacts(run("dbt run", "dbt run --target audit", "dbt test"), cloud.read)

    assert [asked for asked in cloud.asked if asked[0] == "manifest.json"] == [
        ("manifest.json", 1),
        ("manifest.json", 2),
    ]


def test_a_step_without_results_costs_one_request_and_the_next_gives_the_manifest() -> None:
    """At most one request without an answer for each step: the manifest comes from the first step that has results."""
    cloud = Cloud(("sources.json", 1))

    collected = collect_artifacts(run("dbt source freshness", "dbt build"), cloud.read)

    assert cloud.asked == [("sources.json", 1), ("run_results.json", 2), ("manifest.json", 2)]
    assert [artifact.state for artifact in collected] == [
        ArtifactState.ABSENT,
        ArtifactState.STORED,
        ArtifactState.STORED,
    ]


def test_a_cancelled_run_without_artifacts_is_not_asked() -> None:
    """Where dbt Cloud says it saved nothing for a cancelled run, nothing is asked and the reason is kept."""
    cloud = Cloud()
    cancelled = replace(run("dbt build", status=RunStatus.CANCELLED), artifacts_saved=False)

    collected = collect_artifacts(cancelled, cloud.read)

    assert cloud.asked == []
    assert [(artifact.state, bool(artifact.reason)) for artifact in collected] == [(ArtifactState.ABSENT, True)]


def test_a_failing_request_is_not_an_absence() -> None:
    """A request that fails is kept as failed and the other steps are still read."""

    def read(path: str, step_index: int) -> bytes | None:
        if step_index == 1:
            raise ServerFault("dbt Cloud answered 502.", status=502)
        return b"{}"

    collected = collect_artifacts(run("dbt seed", "dbt build"), read)

    assert [(artifact.step_index, artifact.state) for artifact in collected] == [
        (1, ArtifactState.FAILED),
        (1, ArtifactState.FAILED),
        (2, ArtifactState.STORED),
        (2, ArtifactState.STORED),
    ]


def test_the_wire_gives_back_what_was_sent() -> None:
    """A collected run survives encoding, with its times, 64-bit ids, bodies and Airflow context."""
    sent = CollectedRun(
        address=AccountAddress("https://ab123.us1.dbt.com", 70437463654321),
        run=run("dbt build"),
        artifacts=collect_artifacts(run("dbt build"), Cloud().read),
        collected_at=NOW,
        airflow=AirflowContext(dag_id="etl", task_id="dbt", try_number=2),
    )

    assert decode(encode(sent)) == sent


@given(st.binary(max_size=200))
def test_junk_on_the_wire_is_refused_with_a_reason(body: bytes) -> None:
    """Bytes that are no collected run raise ArtifactUnreadable and nothing else."""
    for junk in (body, b"headwater-collected-1\n" + body, b"headwater-collected-2\n" + body):
        with pytest.raises(ArtifactUnreadable):
            decode(junk)
