"""Evaluating an account on both databases: idempotent, cheap where all is well, one incident whoever evaluates."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Connection, event

from headwater.analysis.lateness import JobFacts
from headwater.incidents.evaluate import evaluate
from headwater.model.account import AccountAddress, Environment, Job
from headwater.model.incident import Finding, Incident, Standing
from headwater.model.invocation import Execution, Invocation, RunResults
from headwater.model.lineage import NodeAddress
from headwater.model.node import ArtifactMetadata
from headwater.model.run import Run, RunStatus, Way
from headwater.model.sync import SyncState
from headwater.model.verdict import Cause, CauseKind
from headwater.store.accounts import save_account
from headwater.store.database import Store, open_store
from headwater.store.incidents import IncidentFilter, list_incidents, list_transitions
from headwater.store.inventory import save_environments, save_jobs
from headwater.store.invocations import save_invocation
from headwater.store.retention import delete_before
from headwater.store.runs import save_run
from headwater.store.sync_states import save_sync_state
from headwater.store.writing import Scope

T0 = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - timedelta(days=2)
HOUR = timedelta(hours=1)


@dataclass
class Told:
    """A judge that says what the test wants, and notes where it was asked."""

    findings: tuple[Finding, ...] = ()
    remaining: frozenset[NodeAddress] = frozenset()
    only_late: bool = False
    before: Callable[[], object] = lambda: None
    asked: list[Scope] = field(default_factory=list)

    def find(self, _tx: Connection, scope: Scope, late: Sequence[JobFacts], _now: datetime) -> tuple[Finding, ...]:
        self.asked.append(scope)
        self.before()
        return self.findings if late or not self.only_late else ()

    def check(self, _tx: Connection, _incident: Incident, _held_up: Collection[NodeAddress], now: datetime) -> Standing:
        return Standing(gone_at=now, remaining=self.remaining)


def failure(at: datetime = T0) -> Finding:
    cause = Cause(kind=CauseKind.CODE_CHANGED, unique_id="model.shop.m1", confidence=0.9, evidence=("So.",))
    affected = frozenset({NodeAddress(1, 1, 2, "model.shop.m1")})
    return Finding(root="model.shop.m1", causes=(cause,), began_at=at, seen_at=at, affected=affected)


def new_account(store: Store) -> int:
    with store.write() as tx:
        return save_account(tx, "acme", AccountAddress("https://cloud.getdbt.example", 42), T0).account_key


def store_run(store: Store, key: int, run_id: int, status: str, environment_id: int = 2, job_id: int = 3) -> None:
    """Store a finished run in which one model ended so."""
    at = T0 + run_id * HOUR
    run = Run(
        run_id=run_id, status=RunStatus.SUCCESS if status == "success" else RunStatus.ERROR, project_id=1,
        environment_id=environment_id, job_id=job_id, created_at=at, started_at=at, finished_at=at + HOUR / 2,
    )  # fmt: skip
    one = Execution(unique_id="model.shop.m1", status=status, started_at=at)
    results = RunResults(
        metadata=ArtifactMetadata(), command="build", elapsed=HOUR, executions=(one,), is_executing=True
    )
    invocation = Invocation(invocation_id=f"inv-{run_id}", command="dbt build", step_index=1, generated_at=at)
    with store.write() as tx:
        save_run(tx, key, run, Way.POLL, at)
        save_invocation(tx, Scope(key, 1, environment_id), invocation, results, run_id=run_id, now=at)


def listed(store: Store, key: int) -> list[tuple[str, list[str]]]:
    """Give each incident's state and timeline."""
    with store.read() as tx:
        return [
            (str(one.state), [str(told.kind) for told in list_transitions(tx, key, one.number)])
            for one in list_incidents(tx, IncidentFilter())
        ]


@contextmanager
def counted(store: Store) -> Iterator[list[str]]:
    """Note the statements that are sent."""
    sent: list[str] = []

    def note(_conn: object, _cursor: object, statement: str, *_more: object) -> None:
        sent.append(statement)

    event.listen(store.engine, "before_cursor_execute", note)
    try:
        yield sent
    finally:
        event.remove(store.engine, "before_cursor_execute", note)


def test_one_cause_is_opened_once_and_resolved_by_itself(store: Store) -> None:
    """A failure opens one incident, the same facts again change nothing, and when all is well it is resolved."""
    key, judge = new_account(store), Told()
    evaluate(store, key, judge)
    store_run(store, key, 1, "error")
    judge.findings = (failure(),)
    evaluate(store, key, judge)
    store_run(store, key, 2, "error")
    evaluate(store, key, judge)
    during = listed(store, key)
    judge.findings = ()
    store_run(store, key, 3, "success")
    evaluate(store, key, judge)
    evaluate(store, key, judge)

    assert during == [("open", ["opened"])]
    assert listed(store, key) == [("resolved", ["opened", "resolved"])]


def test_what_another_projects_node_makes_fail_is_its_incident(store: Store) -> None:
    """Two projects fail by one node: one incident, in its environment; both are judged while it goes on."""
    key, judge = new_account(store), Told()
    evaluate(store, key, judge)
    reached = NodeAddress(key, 1, 2, "model.finance.ledger")
    judge.findings = (replace(failure(), home=NodeAddress(key, 7, 8, "model.shop.m1"), affected=frozenset({reached})),)
    store_run(store, key, 1, "error")
    evaluate(store, key, judge)
    store_run(store, key, 2, "success", environment_id=8)
    judge.asked.clear()
    evaluate(store, key, judge)

    with store.read() as tx:
        (incident,) = list_incidents(tx, IncidentFilter())
    assert (incident.project_id, incident.environment_id) == (7, 8)
    assert Scope(key, 1, 2) in judge.asked
    judge.findings = ()
    store_run(store, key, 3, "success")
    evaluate(store, key, judge)
    assert listed(store, key) == [("resolved", ["opened", "resolved"])]


def test_where_nothing_was_stored_nobody_is_asked(store: Store) -> None:
    """The second evaluation of the same facts reads the mark, the revision and what is new, and ends."""
    key, judge = new_account(store), Told()
    store_run(store, key, 1, "success")
    evaluate(store, key, judge)
    asked = len(judge.asked)
    with counted(store) as sent:
        evaluate(store, key, judge)

    selects = [statement for statement in sent if statement.startswith("SELECT") and "FROM" in statement]
    assert len(selects) <= 5
    assert [statement for statement in sent if statement.startswith(("INSERT", "UPDATE"))] == []
    assert len(judge.asked) == asked


def test_a_run_in_which_all_went_well_costs_the_same_however_much_is_stored(store: Store) -> None:
    """With no incident open a good run is not judged; it takes as many statements after 3 runs as after 40."""
    key, judge, counts = new_account(store), Told(), []
    evaluate(store, key, judge)
    for run_id in range(1, 41):
        store_run(store, key, run_id, "success")
        with counted(store) as sent:
            evaluate(store, key, judge)
        counts.append(len(sent))

    assert judge.asked == []
    assert counts[39] == counts[2] <= 20


def test_two_that_evaluate_at_once_make_one_incident(store_url: str) -> None:
    """Two processes judge the same failure before either writes; one opens the incident, the other finds it."""
    with open_store(store_url) as one, open_store(store_url) as other:
        key = new_account(one)
        evaluate(one, key, Told())
        store_run(one, key, 1, "error")
        together = threading.Barrier(2)
        met: list[int] = []

        def meet() -> None:
            if len(met) < 2:
                met.append(1)
                together.wait(timeout=30)

        judges = [Told(findings=(failure(),), before=meet) for _ in range(2)]
        threads = [
            threading.Thread(target=evaluate, args=(store, key, judge))
            for store, judge in zip((one, other), judges, strict=True)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        assert len(met) == 2
        assert listed(one, key) == [("open", ["opened"])]


def test_an_evaluation_that_broke_off_is_made_up_for(store: Store) -> None:
    """What was stored before the break is judged by the next evaluation, whoever makes it."""
    key = new_account(store)
    evaluate(store, key, Told())
    store_run(store, key, 1, "error")

    def break_off() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        evaluate(store, key, Told(findings=(failure(),), before=break_off))
    evaluate(store, key, Told(findings=(failure(),)))

    assert listed(store, key) == [("open", ["opened"])]


def test_a_development_environment_opens_nothing(store: Store) -> None:
    """What somebody breaks while they develop is no incident, and is not judged."""
    key, judge = new_account(store), Told()
    with store.write() as tx:
        save_environments(tx, key, [Environment(environment_id=9, project_id=1, name="Dev", kind="development")])
    evaluate(store, key, judge)
    judge.findings = (failure(),)
    store_run(store, key, 1, "error", environment_id=9)
    evaluate(store, key, judge)

    assert (judge.asked, listed(store, key)) == ([], [])


def test_a_job_that_does_not_start_opens_one_without_a_run(tmp_path) -> None:
    """Time alone makes it due: before that nothing is asked, then it opens, and a run that comes resolves it."""
    now = [T0 + 5 * HOUR]
    with open_store(str(tmp_path / "late.db"), clock=lambda: now[0]) as store:
        key, judge = new_account(store), Told(only_late=True, findings=(failure(),))
        with store.write() as tx:
            save_jobs(tx, key, [Job(job_id=3, project_id=1, environment_id=2, name="hourly", cron="0 * * * *")])
        for run_id in range(1, 6):
            store_run(store, key, run_id, "success")
        states = []
        for minutes in (40, 70, 76, 90):
            now[0] = T0 + 5 * HOUR + timedelta(minutes=minutes)
            _sync_well(store, key, now[0])
            before = len(judge.asked)
            evaluate(store, key, judge)
            states.append((minutes, len(judge.asked) - before, listed(store, key)))
        store_run(store, key, 6, "success")
        store_run(store, key, 7, "success")
        evaluate(store, key, judge)

        opened = [("open", ["opened"])]
        assert states == [(40, 0, []), (70, 0, []), (76, 1, opened), (90, 0, opened)]
        assert listed(store, key) == [("resolved", ["opened", "resolved"])]


def test_while_dbt_cloud_cannot_be_asked_no_job_is_missed(tmp_path) -> None:
    """A run that may only not have been seen is not missing."""
    now = [T0 + 5 * HOUR]
    with open_store(str(tmp_path / "away.db"), clock=lambda: now[0]) as store:
        key, judge = new_account(store), Told(only_late=True, findings=(failure(),))
        with store.write() as tx:
            save_jobs(tx, key, [Job(job_id=3, project_id=1, environment_id=2, name="hourly", cron="0 * * * *")])
        for run_id in range(1, 6):
            store_run(store, key, run_id, "success")
        _sync_well(store, key, T0 + 5 * HOUR)
        evaluate(store, key, judge)
        now[0] = T0 + 20 * HOUR
        evaluate(store, key, judge)

        assert listed(store, key) == []


def test_incidents_are_kept_longer_than_runs(store: Store) -> None:
    """Retention takes the run and leaves the incident with its timeline."""
    key, judge = new_account(store), Told()
    evaluate(store, key, judge)
    store_run(store, key, 1, "error")
    evaluate(store, key, Told(findings=(failure(),)))
    with store.write() as tx:
        deleted = delete_before(tx, key, T0 + 100 * HOUR, 100)

    assert deleted.runs == 1
    assert listed(store, key) == [("open", ["opened"])]


def _sync_well(store: Store, key: int, at: datetime) -> None:
    with store.write() as tx:
        save_sync_state(tx, key, SyncState(last_success_at=at))
