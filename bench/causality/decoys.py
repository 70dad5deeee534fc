"""What happens beside a fault and has nothing to do with it: remarks, a flaky test, a pull request, a mishap."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from random import Random
from typing import Any

import msgspec
from records import CANCELLED, ERROR, RESULTS, SUCCESS, RunRecord, StepRecord
from studio import Studio

from faults import Fault, Scene, file_of

_REMARKS = ("-- reviewed with finance\n", "-- see the wiki on naming\n", "-- moved here from the old warehouse\n")


def make_harmless(scene: Scene, project: str, fault: Fault) -> Callable[[Studio], None]:
    """Choose remarks to be written into some models, near and far from the fault, with the same deployment."""
    nodes = [node for node in scene.models(project) if node["unique_id"] not in fault.subjects]
    chosen = [(file_of(node), scene.chance.choice(_REMARKS)) for node in scene.chance.sample(nodes, 2)]

    def strike(studio: Studio) -> None:
        for path, remark in chosen:
            studio.edit(path, lambda text, remark=remark: text.rstrip("\n") + "\n" + remark)  # type: ignore[misc]

    return strike


def with_flaky_test(record: RunRecord, chance: Random) -> RunRecord:
    """Give a run of a job that only tests in its last step, in which one of its tests failed this once."""
    step = record.steps[-1]
    document = msgspec.json.decode(step.artifacts[RESULTS])
    test = chance.choice(document["results"])
    test |= {"status": "fail", "failures": chance.randint(1, 9), "message": "Got 3 results, configured to fail if != 0"}
    return _ended(record, _with_results(step, document), ERROR, "dbt command failed")


def with_failed_model(record: RunRecord, chance: Random) -> RunRecord:
    """Give a run in which one model failed, as a pull request's may; nothing is built in production by it."""
    index = next(index for index, step in enumerate(record.steps) if RESULTS in step.artifacts)
    document = msgspec.json.decode(record.steps[index].artifacts[RESULTS])
    models = [result for result in document["results"] if result["unique_id"].startswith("model.")]
    chance.choice(models).update({
        "status": "error", "message": 'Runtime Error in model\n  Parser Error: syntax error at or near "form"',
    })  # fmt: skip
    shortened = replace(record, steps=record.steps[: index + 1])
    return _ended(shortened, _with_results(record.steps[index], document), ERROR, "dbt command failed")


def cancelled(record: RunRecord) -> RunRecord:
    """Give a run that somebody stopped before dbt came to anything."""
    steps = record.steps[:3]
    return replace(
        record, status=CANCELLED, steps=steps, finished_at=steps[-1].finished_at, message="Cancelled by a user."
    )


def _with_results(step: StepRecord, document: dict[str, Any]) -> StepRecord:
    artifacts = {**step.artifacts, RESULTS: msgspec.json.encode(document)}
    return replace(step, status=ERROR, artifacts=artifacts)


def _ended(record: RunRecord, step: StepRecord, status: str, message: str) -> RunRecord:
    assert record.status == SUCCESS
    return replace(record, status=status, steps=(*record.steps[:-1], step), message=message)
