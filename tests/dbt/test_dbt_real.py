"""Real dbt Core under `headwater dbt`: it succeeds, its tests and models fail, it cannot parse, it is ended."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
from dbt_house import SLOW, DbtHouse

from program import DEADLINE, wait_for


def test_a_build_is_stored_as_dbt_reported_it(real: DbtHouse) -> None:
    """A success from another folder into another target folder: dbt's output, status 0, and each node with lineage."""
    said = real.program.run("dbt", "--", "build", "--target-path", "made")

    made = real.project / "made"
    invocation_id = real.metadata("run_results", made)["invocation_id"]
    assert (said.status, said.err) == (0, "")
    assert "Completed successfully" in said.out
    assert not real.target.exists()
    assert real.stored(invocation_id) == {
        "first": "success",
        "second": "success",
        "not_null_second_id": "pass",
        "third": "success",
        "fourth": "success",
    }
    assert real.lineage(invocation_id) == {"first", "second", "third", "fourth", "not_null_second_id"}


def test_a_failing_test_and_a_failing_model_are_failures(real: DbtHouse) -> None:
    """Dbt's own exit status 1; the test failed, the model erred, and what depends on them was skipped."""
    real.write(first="select cast(null as integer) as id", third="select nowhere from {{ ref('first') }}")

    said = real.program.run("dbt", "--", "build")

    invocation_id = real.metadata("run_results")["invocation_id"]
    assert (said.status, said.err) == (1, "")
    assert real.stored(invocation_id) == {
        "first": "success",
        "second": "success",
        "not_null_second_id": "fail",
        "third": "error",
        "fourth": "skipped",
    }


def test_a_project_that_cannot_be_parsed_leaves_nothing_to_mistake(real: DbtHouse) -> None:
    """Dbt's exit status 2 stays; results there were before are not taken for this invocation's."""
    real.write(third="{{ nonsense")
    real.target.mkdir()
    (real.target / "run_results.json").write_text('{"metadata": {"invocation_id": "earlier"}}')

    said = real.program.run("dbt", "--", "build")

    assert said.status == 2
    assert "wrote no artifact" in said.err
    assert real.stored("earlier") is None


DONE = {"first": "success", "second": "success", "not_null_second_id": "pass", "third": "success"}


@pytest.mark.parametrize(
    ("number", "status", "stored", "said"),
    [
        (signal.SIGINT, 2, DONE, []),
        (signal.SIGKILL, -9, {}, ["headwater: dbt was ended by SIGKILL; it left manifest.json."]),
    ],
)
def test_a_dbt_that_is_ended_leaves_what_it_leaves(
    real: DbtHouse, number: signal.Signals, status: int, stored: dict[str, str], said: list[str]
) -> None:
    """Interrupted, dbt writes what was done, and its status is ours; killed, it leaves a manifest, and that is said."""
    real.write(fourth=SLOW)
    with real.program.running("dbt", "--", "build") as process:
        wait_for((real.folder / "running.csv").exists, "the slow model")
        (dbt,) = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        os.kill(process.pid if number is signal.SIGINT else int(dbt), number)
        ended = process.wait(DEADLINE)

    invocation_id = real.metadata("manifest")["invocation_id"]
    found = real.stored(invocation_id) or {}
    assert ended == status
    assert {name: status for name, status in found.items() if name != "fourth"} == stored
    assert real.lineage(invocation_id) == {"first", "second", "third", "fourth", "not_null_second_id"}
    assert [line for line in real.program.errors().splitlines() if "headwater:" in line] == said
