"""The recordings that are shipped: a month of them, and every one of their artifacts."""

import json
import re

import pytest
from asking import NOW

from headwater.simulator import SimulatorSettings
from headwater.simulator.artifacts import artifact_bytes, invocation_id
from headwater.simulator.cloud import Cloud
from headwater.simulator.recordings import Archive
from headwater.simulator.settings import RECORDINGS


@pytest.fixture(scope="module")
def shipped():
    """The archive of the package."""
    with Archive(RECORDINGS) as opened:
        yield opened


def month(archive, seed):
    made = Cloud(SimulatorSettings(seed=seed, now=NOW, clock="manual"), archive)
    return made, [plan for account in made.accounts for plan in made.runs_of(account, NOW)]


@pytest.mark.parametrize("seed", range(4))
def test_a_month_shows_most_of_what_was_recorded(shipped, seed):
    """A thousand runs or a few more, and nearly all scenarios of all projects among them."""
    _made, plans = month(shipped, seed)
    assert 1_000 <= len(plans) <= 1_150
    recorded = {(r.project, r.scenario) for r in shipped.index.recordings if not r.retry_of}
    shown = {(p.recording.project, p.recording.scenario) for p in plans if p.recording}
    assert len(recorded - shown) <= 4, recorded - shown
    assert all(plan.git_sha in _shas(shipped) for plan in plans if plan.recording and plan.trigger.category != "ci")


def test_every_artifact_is_whole(shipped):
    """Each recorded file, filled for a run, is the same JSON with the run's ids and invocation in it."""
    made, plans = month(shipped, 0)
    first = {plan.recording.id: plan for plan in plans if plan.recording}
    for plan in first.values():
        for step in plan.steps:
            for name, member in step.recorded.artifacts.items() if step.recorded else ():
                data = artifact_bytes(made, plan, step, name) if step.has_artifacts() else None
                if data is None or not name.endswith(".json"):
                    continue
                filled, recorded = json.loads(data), json.loads(bytes(shipped.read(member)))
                assert filled.keys() == recorded.keys()
                assert filled["metadata"]["invocation_id"] == invocation_id(made, plan, step)
                assert filled["metadata"]["env"]["DBT_CLOUD_RUN_ID"] == str(plan.id)
                assert not re.search(rb"__(ACCOUNT|PROJECT|JOB|ENVIRONMENT|RUN)_ID__|__RUN_(REASON|TRIGGER)", data)


def _shas(archive):
    return {sha for project in archive.index.projects for sha in project.git_revisions.values()}
