"""Which runs a filter admits, which filters admit more than others, and how it is said."""

from __future__ import annotations

import itertools
import random

import pytest

from headwater.model.account import Job
from headwater.model.filter import AccountFilter, Choice, Following, Kind, is_job_wanted, is_wanted, say_filter
from headwater.model.run import Run, RunStatus, Trigger


def make_run(project: int | None = 1, environment: int | None = 10, job: int | None = 100, **trigger: object) -> Run:
    """Make a run of a job somewhere."""
    return Run(
        run_id=7,
        status=RunStatus.SUCCESS,
        project_id=project,
        environment_id=environment,
        job_id=job,
        trigger=Trigger(**trigger) if trigger else None,
    )


def only(*ids: int) -> Choice:
    """Choose these."""
    return Choice(ids=frozenset(ids))


def without(*ids: int) -> Choice:
    """Choose all but these."""
    return Choice(ids=frozenset(ids), is_exclusion=True)


@pytest.mark.parametrize(
    ("chosen", "run", "job_type", "is_admitted"),
    [
        (AccountFilter(), make_run(None, None, None), None, True),
        (AccountFilter(projects=only(1, 2)), make_run(1), None, True),
        (AccountFilter(projects=only(2)), make_run(1), None, False),
        (AccountFilter(projects=only(2)), make_run(None), None, False),
        (AccountFilter(projects=without(2)), make_run(None), None, True),
        (AccountFilter(projects=without(1)), make_run(1), None, False),
        (AccountFilter(projects=only(1), environments=without(10)), make_run(), None, False),
        (AccountFilter(projects=only(1), jobs=without(101)), make_run(), None, True),
        (AccountFilter(jobs=only(100)), make_run(), "ci", True),
        (AccountFilter(with_ci=False), make_run(), "ci", False),
        (AccountFilter(with_ci=False), make_run(), "merge", True),
        (AccountFilter(with_ci=False), make_run(), "scheduled", True),
        (AccountFilter(with_ci=False), make_run(category="ci"), None, False),
        (AccountFilter(with_ci=False), make_run(category="ci"), "other", False),
        (AccountFilter(with_ci=False), make_run(category="rerun", pull_request_id=3), None, False),
        (AccountFilter(with_ci=False), make_run(category="scheduled"), None, True),
    ],
)
def test_which_runs_a_filter_admits(chosen: AccountFilter, run: Run, job_type: str | None, is_admitted: bool) -> None:
    """Every choice has its say; CI is told by the job's type, and by the trigger where there is no type."""
    assert is_wanted(chosen, run, job_type) is is_admitted
    assert Following(filter=chosen, job_types={100: job_type}).wants(run) is is_admitted


def test_a_job_is_followed_where_its_runs_are() -> None:
    """A job is judged by where it stands and what type it is."""
    job = Job(job_id=100, project_id=1, environment_id=10, name="CI", job_type="ci")

    assert is_job_wanted(AccountFilter(projects=only(1)), job)
    assert not is_job_wanted(AccountFilter(with_ci=False), job)


@pytest.mark.parametrize("seed", range(5))
def test_a_wider_filter_admits_all_that_a_narrower_one_does(seed: int) -> None:
    """`includes` never says yes where a run tells otherwise, and says yes of the same and of the open filter."""
    chance = random.Random(seed)
    runs = [
        (make_run(*place, category=category), None)
        for place in itertools.product((1, 2, None), (10, 20), (100, 200, None))
        for category in ("ci", "scheduled")
    ]

    def make_choice(*ids: int) -> Choice:
        return Choice(ids=frozenset(chance.sample(ids, chance.randint(0, 2))), is_exclusion=chance.random() < 0.5)

    def make_filter() -> AccountFilter:
        return AccountFilter(
            projects=make_choice(1, 2, 3),
            environments=make_choice(10, 20, 30),
            jobs=make_choice(100, 200, 300),
            with_ci=chance.random() < 0.5,
        )

    said = 0
    for wide, narrow in ((make_filter(), make_filter()) for _ in range(600)):
        assert wide.includes(wide)
        assert AccountFilter().includes(narrow)
        if wide.includes(narrow):
            said += 1
            assert all(is_wanted(wide, *run) for run in runs if is_wanted(narrow, *run))
    assert said > 5


@pytest.mark.parametrize(
    ("chosen", "sentence"),
    [
        (AccountFilter(), "Follows every run."),
        (AccountFilter(projects=only(12, 13), with_ci=False), "Follows projects 12 and 13, without CI jobs."),
        (AccountFilter(projects=only(12), environments=only(5)), "Follows project 12, environment 5."),
        (
            AccountFilter(jobs=without(3, 1, 2), environments=without(9)),
            "Follows every run, without environment 9, without jobs 1, 2 and 3.",
        ),
    ],
)
def test_a_filter_is_said_in_a_sentence(chosen: AccountFilter, sentence: str) -> None:
    """What is followed, and what is left out of it."""
    assert say_filter(chosen, lambda _kind, number: str(number)) == sentence


def test_names_in_the_sentence_are_those_of_now() -> None:
    """Ids are kept, and whoever says the filter supplies the names."""
    names = {(Kind.PROJECT, 12): "Analytics", (Kind.JOB, 3): "Nightly"}
    chosen = AccountFilter(projects=only(12), jobs=without(3))

    assert say_filter(chosen, lambda kind, number: names[kind, number]) == (
        "Follows project Analytics, without job Nightly."
    )
