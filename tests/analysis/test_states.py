"""In what state a node is, by what happened to it, to its tests and to its job."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from headwater.analysis.lateness import JobFacts
from headwater.analysis.missed import explain_missed
from headwater.analysis.roots import each_upstream, find_roots
from headwater.analysis.schedule import next_run_at
from headwater.analysis.states import NodeFacts, judge
from headwater.model.outcome import Outcome
from headwater.model.run import Run, RunStatus, RunStep
from headwater.model.verdict import CauseKind, NodeState

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


def outcome(status: str, hours_ago: float = 1, unique_id: str = "model.shop.orders", **more: object) -> Outcome:
    """Make something that happened."""
    facts = {"invocation_key": 1, "run_id": int(1000 - hours_ago), **more}
    return Outcome(unique_id=unique_id, status=status, at=NOW - hours_ago * HOUR, **facts)  # type: ignore[arg-type]


def facts(*statuses: str, resource_type: str = "model", **more: object) -> NodeFacts:
    """Make a node that these things happened to, newest first, an hour apart."""
    happened = tuple(outcome(status, number) for number, status in enumerate(statuses, 1))
    return NodeFacts(
        unique_id="model.shop.orders",
        resource_type=resource_type,
        outcomes=happened,
        **more,  # type: ignore[arg-type]
    )


def run(run_id: int, status: str, hours_ago: float, **more: object) -> Run:
    """Make a run of half an hour."""
    created = NOW - hours_ago * HOUR
    facts = {"created_at": created, "started_at": created, "finished_at": created + HOUR / 2, **more}
    return Run(run_id=run_id, status=RunStatus(status), **facts)  # type: ignore[arg-type]


def job(*runs: Run, building: tuple[int, ...] = (), **more: object) -> JobFacts:
    """Make a job."""
    return JobFacts(
        job_id=5,
        name="nightly",
        runs=runs,
        building_run_ids=frozenset(building),
        **more,  # type: ignore[arg-type]
    )


@pytest.mark.parametrize(
    ("statuses", "resource_type", "state", "since_hours", "good_hours"),
    [
        (("success",), "model", NodeState.HEALTHY, None, 1),
        (("error", "error", "success"), "model", NodeState.FAILED, 2, 3),
        (("skipped", "error", "success"), "model", NodeState.SKIPPED, 2, 3),
        (("partial success", "success"), "model", NodeState.FAILED, 1, 2),
        (("success", "error"), "model", NodeState.HEALTHY, None, 1),
        ((), "model", NodeState.UNKNOWN, None, None),
        (("fail", "pass"), "test", NodeState.TEST_FAILING, 1, 2),
        (("warn", "warn", "pass"), "test", NodeState.WARNED, 2, 1),
        (("error", "pass"), "source", NodeState.STALE, 1, 2),
        (("warn", "error", "pass"), "source", NodeState.WARNED, 1, 3),
        (("runtime error", "pass"), "source", NodeState.MISSING, 1, 2),
        (("skipped",), "exposure", NodeState.UNKNOWN, None, None),
    ],
)
def test_the_newest_decides_and_the_streak_tells_since_when(
    statuses: tuple[str, ...], resource_type: str, state: NodeState, since_hours: int | None, good_hours: int | None
) -> None:
    """The state is that of the newest outcome, since the first of its kind without a good one between."""
    judgement = judge(facts(*statuses, resource_type=resource_type), NOW)

    assert judgement.state is state
    assert judgement.since == (NOW - since_hours * HOUR if since_hours else None)
    assert judgement.last_good_at == (NOW - good_hours * HOUR if good_hours else None)
    assert judgement.reason


def test_a_failing_test_speaks_against_a_node_that_was_built() -> None:
    """The table is there, but its test says that it is wrong."""
    tests = {"test.shop.a": (outcome("fail", 1),), "test.shop.b": (outcome("pass", 1),)}

    judgement = judge(facts("success", "success", tests=tests), NOW)

    assert judgement.state is NodeState.TEST_FAILING
    assert judgement.reason == "1 of its 2 tests fails."
    assert judgement.last_good_at == NOW - 2 * HOUR


def test_a_node_is_late_whose_run_failed_before_it() -> None:
    """The node's last outcome is good, and the run after it ended without coming to it."""
    late = facts("success", job=job(run(2, "error", 0.8), run(999, "success", 1.1), building=(999,)))

    judgement = judge(late, NOW)

    assert judgement.state is NodeState.LATE
    assert late.job is not None
    assert explain_missed(judgement, late.job).kind is CauseKind.RUN_FAILED_BEFORE_DBT


@pytest.mark.parametrize(
    ("runs", "expected_hours_ago", "kind"),
    [
        ((run(2, "cancelled", 0.8), run(999, "success", 1.1)), None, CauseKind.RUN_CANCELLED),
        ((run(999, "success", 1.1),), 0.5, CauseKind.RUN_NOT_STARTED),
        (
            (
                run(2, "queued", 5, started_at=None, finished_at=None),
                *(run(900 + number, "success", 6 + number) for number in range(4)),
            ),
            None,
            CauseKind.RUN_QUEUED,
        ),
        (
            (
                run(2, "running", 5, finished_at=None),
                *(run(900 + number, "success", 6 + number) for number in range(4)),
            ),
            None,
            CauseKind.RUN_SLOW,
        ),
    ],
)
def test_why_a_node_is_late_is_told_from_its_job(
    runs: tuple[Run, ...], expected_hours_ago: float | None, kind: CauseKind
) -> None:
    """Cancelled, not started, waiting and slow are told apart."""
    expected = None if expected_hours_ago is None else NOW - expected_hours_ago * HOUR
    late = facts("success", job=job(*runs, building=(999,), expected_at=expected))
    if runs[0].status in {RunStatus.QUEUED, RunStatus.RUNNING}:
        late = NodeFacts(
            unique_id=late.unique_id, resource_type="model", outcomes=(outcome("success", 5.5),), job=late.job
        )

    judgement = judge(late, NOW)

    assert judgement.state is NodeState.LATE
    assert late.job is not None
    cause = explain_missed(judgement, late.job)
    assert (cause.kind, cause.about) == (kind, late.job.name if kind is CauseKind.RUN_NOT_STARTED else None)


def test_what_a_step_logged_is_the_evidence() -> None:
    """The error's own line stands beside the sentence that names the step."""
    step = RunStep(
        index=1, name="Clone git repository", status=RunStatus.ERROR,
        log="Cloning…\nfatal: repository 'https://git.example/shop' not found\n",
    )  # fmt: skip
    late = facts("success", job=job(run(2, "error", 0.8, steps=(step,))))
    judgement = judge(late, NOW)
    assert late.job is not None

    cause = explain_missed(judgement, late.job)

    assert "Clone git repository" in cause.evidence[0]
    assert "(git)" in cause.evidence[0]
    assert cause.evidence[1].startswith("fatal: repository")


def test_far_fewer_rows_than_usual_are_an_anomaly() -> None:
    """Nine builds of about a thousand rows, then one of twelve."""
    usual = [outcome("success", number, rows=1000 + number) for number in range(2, 12)]
    odd = NodeFacts(
        unique_id="model.shop.orders", resource_type="model", outcomes=(outcome("success", 1, rows=12), *usual)
    )

    judgement = judge(odd, NOW)

    assert judgement.state is NodeState.ANOMALOUS
    assert "12 rows" in judgement.reason


def test_growth_is_no_anomaly() -> None:
    """A table that grows by a tenth each time is as it was."""
    growing = tuple(outcome("success", number, rows=int(1000 * 1.1 ** (12 - number))) for number in range(1, 12))

    judgement = judge(NodeFacts(unique_id="model.shop.orders", resource_type="model", outcomes=growing), NOW)

    assert judgement.state is NodeState.HEALTHY


PARENTS = {
    "model.a": ("source.s",),
    "model.b": ("model.a",),
    "model.c": ("model.b",),
    "test.a": ("model.a",),
    "test.bc": ("model.b", "model.c"),
    "model.loop": ("model.loop", "model.gone"),
}


def bad(**statuses: str) -> dict[str, Outcome]:
    """Make what was not good in a run, by the part of the unique_id behind its dot."""
    named = {name.replace("_", "."): status for name, status in statuses.items()}
    return {unique_id: outcome(status, 1, unique_id) for unique_id, status in named.items()}


@pytest.mark.parametrize(
    ("in_run", "node", "roots"),
    [
        (bad(model_a="error", model_b="skipped", model_c="skipped"), "model.c", ["model.a"]),
        (bad(test_a="fail", model_b="skipped", model_c="skipped"), "model.c", ["test.a"]),
        (bad(model_a="error", test_a="skipped", model_b="error"), "model.c", ["model.a"]),
        (bad(test_bc="fail", model_c="error"), "model.c", ["model.c"]),
        (bad(model_c="error"), "model.c", ["model.c"]),
        (bad(model_c="skipped"), "model.c", []),
        (bad(model_loop="error"), "model.loop", ["model.loop"]),
    ],
)
def test_symptoms_lead_to_the_first_failure(in_run: dict[str, Outcome], node: str, roots: list[str]) -> None:
    """The first failing ancestor is the root, a test that blocks included; a test below does not stand above."""
    assert [root.unique_id for root in find_roots(node, in_run, PARENTS)] == roots


def test_circles_end() -> None:
    """A node that is made from itself has other parents only."""
    assert list(each_upstream("model.loop", PARENTS)) == ["model.gone"]


@pytest.mark.parametrize(
    ("cron", "expected"),
    [
        ("0 6 * * *", datetime(2026, 11, 21, 6, tzinfo=UTC)),
        ("*/15 * * * *", datetime(2026, 11, 20, 12, 15, tzinfo=UTC)),
        (None, None),
        ("whenever", None),
        ("0 0 31 2 *", None),
    ],
)
def test_a_schedule_tells_the_next_run(cron: str | None, expected: datetime | None) -> None:
    """What cannot be read, or never comes, tells nothing."""
    assert next_run_at(cron, NOW) == expected
