"""The month before the start: enough of everything, and the same for the same seed."""

from datetime import timedelta
from itertools import pairwise

import pytest
from asking import NOW

from headwater.simulator import SimulatorSettings
from headwater.simulator.cloud import Cloud


def cloud(archive, seed=0, days=30, **more):
    return Cloud(SimulatorSettings(seed=seed, days=days, now=NOW, clock="manual", **more), archive)


def plans(made):
    return [plan for account in made.accounts for plan in made.runs_of(account, made.now())]


@pytest.mark.parametrize("seed", range(8))
def test_a_month_has_about_a_thousand_runs(archive, seed):
    """Between 1,000 and 1,150 over both accounts, every status and most kinds of trigger among them."""
    found = plans(cloud(archive, seed))
    assert 1_000 <= len(found) <= 1_150
    statuses = [plan.status_at(NOW) for plan in found]
    assert {1, 2, 3, 10, 20, 30} == set(statuses)
    assert 0.03 < statuses.count(20) / len(statuses) < 0.25
    assert {"scheduled", "ci", "rerun", "job completion", "api"} <= {plan.trigger.category for plan in found}
    assert any(plan.retrying_run_id for plan in found)
    assert any(plan.recording is None and plan.outcome == 20 for plan in found)
    assert any((plan.dequeued_at - plan.created_at).total_seconds() > 900 for plan in found if plan.dequeued_at)
    assert {plan.recording.scenario for plan in found if plan.recording} == {
        "healthy",
        "bad_data",
        "parse_error",
        "stale_source",
    }
    assert {plan.recording.revision for plan in found if plan.recording} == {"a", "b", "typo"}


def test_ids_follow_creation(archive):
    """Over both accounts ids are unique, rise with the time of creation, and have gaps."""
    found = sorted(plans(cloud(archive)), key=lambda plan: plan.created_at)
    ids = [plan.id for plan in found]
    assert ids == sorted(set(ids))
    assert min(ids) > 2**32
    assert min(after - before for before, after in pairwise(ids)) >= 1
    assert max(after - before for before, after in pairwise(ids)) > 1_000


def test_the_same_seed_makes_the_same_month(archive):
    """And another seed another."""
    assert plans(cloud(archive, 5)) == plans(cloud(archive, 5))
    assert plans(cloud(archive, 5)) != plans(cloud(archive, 6))


def test_it_does_not_matter_how_the_clock_gets_there(archive):
    """In one leap or in many steps, the runs are the same."""
    leaping, walking = cloud(archive, 2, days=2), cloud(archive, 2, days=2)
    leaping.clock.advance(timedelta(hours=30))
    leaping.now()
    for _ in range(180):
        walking.clock.advance(timedelta(minutes=10))
        walking.now()
    assert plans(leaping) == plans(walking)


def test_trouble_lasts(archive):
    """A scenario befalls several runs on end of a job, and the start lies in such an episode."""
    found = plans(cloud(archive, 3))
    hourly = [p for p in found if p.job.name == "Hourly models" and p.recording and not p.retrying_run_id]
    scenarios = [plan.recording.scenario for plan in hourly]
    longest = run = 0
    for before, after in pairwise(scenarios):
        run = run + 1 if before == after != "healthy" else 0
        longest = max(longest, run)
    assert longest >= 3
    latest = [p.recording.scenario for p in hourly if p.recording and (NOW - p.created_at).total_seconds() < 6 * 3600]
    assert set(latest) - {"healthy"}


def test_busy_begins_a_run_every_25_seconds(archive):
    """For somebody who watches: four further runs in 100 real seconds, however fast the clock."""
    for speed in (1.0, 60.0):
        calm, busy = cloud(archive, 1, days=1, speed=speed), cloud(archive, 1, days=1, busy=True, speed=speed)
        before = len(plans(busy)) - len(plans(calm))
        for made in (calm, busy):
            made.clock.advance(timedelta(seconds=101 * speed))
        assert len(plans(busy)) - len(plans(calm)) - before >= 4


def test_busy_queues_do_not_grow(archive):
    """At the ordinary speed a busy hour leaves few runs waiting."""
    made = cloud(archive, 1, days=1, busy=True, speed=1.0)
    made.clock.advance(timedelta(hours=1))
    now = made.now()
    assert [plan.status_at(now) for plan in plans(made)].count(1) < 20


def test_without_history_there_are_only_the_runs_under_way(archive):
    """Zero days leave the three that the start finds."""
    assert len(plans(cloud(archive, days=0))) == 3


def test_steps_of_a_plan_follow_each_other(archive):
    """No step begins before the last has ended, and the run ends after its last step."""
    for plan in plans(cloud(archive, 4)):
        edges = [moment for step in plan.steps for moment in (step.started_at, step.finished_at)]
        assert edges == sorted(edges)
        assert [step.index for step in plan.steps] == list(range(1, len(plan.steps) + 1))
        assert not edges or edges[-1] <= plan.ended_at
        assert plan.created_at < plan.ended_at
