"""Consequences of what real dbt did when real faults were made: who suffers, who does not, and the way back."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import pytest
import urllib3
from sqlalchemy import event

from cloud import Cloud, running_cloud, serving, watching
from headwater.model.verdict import Cause, CauseKind
from headwater.observatory.access import Role, create_token
from headwater.observatory.consequences import read_consequences
from headwater.observatory.explorer import LineageQuestion, get_lineage
from headwater.observatory.explorer_states import get_lineage_states
from headwater.observatory.full_nodes import get_full_node
from headwater.observatory.holder import Observatory
from headwater.observatory.impact import get_impact
from headwater.observatory.jobs import list_jobs
from headwater.observatory.lineage import scope_of
from headwater.observatory.nodes import get_node
from headwater.observatory.references import NodeQuestion, find_node
from headwater.observatory.revision import get_revision
from headwater.observatory.runs import get_run
from headwater.observatory.syncing import sync_accounts
from headwater.observatory.verdicts import VerdictReport, get_verdict

MODEL = "model.storefront"
JOBS = {
    "nightly": "Nightly build", "hourly": "Hourly models", "freshness": "Source freshness",
    "metrics_hourly": "Metrics hourly",
}  # fmt: skip
TABLES = {"model", "seed", "snapshot", "function"}
BAD = {"failed", "skipped", "not-rebuilt", "test-failing"}


@dataclass(frozen=True)
class Scene:
    """A simulated dbt Cloud and an observatory that watches it."""

    cloud: Cloud
    observatory: Observatory

    def play(self, recording: str, project: str = "storefront") -> int:
        """Let the job of a recording run now and be collected; give the run's id."""
        (job,) = {
            job.job_id
            for job in list_jobs(self.observatory, account="first").jobs
            if job.project_name == project.title() and job.job_name == JOBS[recording.partition("/")[0]]
        }
        order = {"job_id": job, "recording_id": f"{project}/{recording}", "duration_seconds": 30, "queue_seconds": 1}
        run_id = int(self.cloud.simulator.control("POST", "runs", order)["id"])
        self.cloud.advance(120)
        sync_accounts(self.observatory)
        return run_id

    def why(self, ref: str) -> VerdictReport:
        """Ask for the verdict of now."""
        return get_verdict(self.observatory, NodeQuestion(ref=ref, account="first"))

    def statuses(self, run_id: int) -> dict[str, str]:
        """Give how each node of a run ended, the last step of each counts."""
        run = get_run(self.observatory, "first", run_id)
        return {one.unique_id: one.status for one in run.executions}


@pytest.fixture(scope="module")
def cloud() -> Iterator[Cloud]:
    with running_cloud(days=1) as running:
        running.advance(1800)  # past the runs that it had under way by itself
        yield running


@pytest.fixture(scope="module", params=["SQLite", "PostgreSQL"])
def scene(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, cloud: Cloud) -> Iterator[Scene]:
    folder: Path = tmp_path_factory.mktemp("consequences")
    with ExitStack() as stack:
        is_postgres = request.param == "PostgreSQL"
        server = request.getfixturevalue("postgres_server") if is_postgres else None
        url = stack.enter_context(server.database()) if server is not None else None
        opened = stack.enter_context(watching(cloud, folder, store_url=url, accounts=1))
        sync_accounts(opened)
        yield Scene(cloud, opened)


def test_what_failed_and_was_skipped_in_the_run_suffers_and_no_other_table(scene: Scene) -> None:
    """Asked of the model that failed and of one that was skipped, the answer is the same, and exactly dbt's."""
    scene.play("nightly/healthy-b")
    run_id = scene.play("nightly/broken_sql")
    statuses = scene.statuses(run_id)

    root, symptom = scene.why("int_sessions_attributed"), scene.why("campaign_performance_daily")

    bad = {name for name, status in statuses.items() if status in {"error", "skipped"} and is_table(name)}
    assert {one.unique_id for one in root.consequences.affected if is_table(one.unique_id)} == bad
    assert names(root) == names(symptom)
    assert {one.run_id for one in root.consequences.affected if is_table(one.unique_id)} == {run_id}
    assert root.consequences.affected[0].resource_type == "exposure"
    silent = {name for name, status in statuses.items() if status == "skipped" and name.startswith("test.")}
    assert set(root.consequences.tests_unvouched) >= silent
    (command,) = root.consequences.rerun.commands
    assert command.command == "dbt build --select int_sessions_attributed+"
    assert command.jobs == ("Nightly build",)
    assert command.expected_seconds is not None
    assert command.expected_seconds > 0
    assert root.consequences.rerun.in_the_way == ()
    assert symptom.consequences.rerun.in_the_way == (f"{MODEL}.fct_sessions",)


def test_what_was_built_before_is_spared_until_its_job_runs(scene: Scene) -> None:
    """A fault in the hourly job leaves what only the nightly one builds as it was, and says when that is next."""
    scene.play("nightly/healthy-c")
    run_id = scene.play("hourly/dropped_column")
    touched = {name for name, status in scene.statuses(run_id).items() if status in {"error", "skipped"}}

    found = scene.why("int_order_items_priced").consequences

    suffering = {one.unique_id for one in found.affected if one.suffers in BAD}
    assert suffering == {name for name in touched if is_table(name)}
    spared = {one.unique_id: one for one in found.unaffected}
    assert not spared.keys() & {one.unique_id for one in found.affected}
    assert spared[f"{MODEL}.executive_daily"].job_name == "Nightly build"
    assert spared[f"{MODEL}.executive_daily"].next_run_at is not None


def test_what_a_run_never_came_to_was_not_rebuilt(scene: Scene) -> None:
    """A run that failed before dbt: all that the last good one built suffers, but for what another job built since."""
    hourly = scene.play("hourly/healthy-c")
    good = scene.play("nightly/healthy-c")
    bad = scene.play("nightly/parse_error")

    found = scene.why("campaign_performance_daily").consequences

    waiting = {one.unique_id for one in found.affected if one.suffers == "not-rebuilt"}
    built, elsewhere = ({name for name in scene.statuses(run) if is_table(name)} for run in (good, hourly))
    assert built - elsewhere <= waiting <= built
    assert {one.run_id for one in found.affected if one.suffers == "not-rebuilt"} == {bad}
    assert found.rerun.commands[0].command.startswith("dbt build")
    assert found.rerun.commands[0].nodes >= len(waiting)


def test_a_table_of_another_project_suffers_from_when_it_reads(scene: Scene) -> None:
    """Finance is spared until its own job runs on what was not renewed; then it was built from bad data."""
    scene.play("nightly/healthy-c")
    scene.play("metrics_hourly/healthy-a", project="finance")
    scene.play("nightly/contract_breach")
    before = scene.why("fct_orders").consequences
    run_id = scene.play("metrics_hourly/healthy-a", project="finance")
    after = scene.why("fct_orders").consequences

    flash = "model.finance.revenue_flash"
    assert flash in {one.unique_id for one in before.unaffected}
    assert flash not in {one.unique_id for one in before.affected}
    suffering = {one.unique_id: one for one in after.affected}
    assert (suffering[flash].suffers, suffering[flash].run_id) == ("built-from-bad-data", run_id)
    assert set(after.projects) == {"Storefront", "Finance"}
    assert [command.project for command in after.rerun.commands] == ["Storefront", "Finance"]


def test_of_a_stale_source_only_what_reads_it_now_suffers(scene: Scene) -> None:
    """Views show the old rows at once; tables that were built before are spared."""
    scene.play("nightly/healthy-c")
    scene.play("freshness/stale_source")

    found = scene.why("source.storefront.payments.payments").consequences

    assert {one.suffers for one in found.affected} == {"reads-bad-data"}
    assert f"{MODEL}.stg_payments__payments" in {one.unique_id for one in found.affected}
    assert f"{MODEL}.fct_payments" in {one.unique_id for one in found.unaffected}


def test_a_healthy_node_makes_nothing_suffer(scene: Scene) -> None:
    """No one suffers, and nothing is to be run; the cause of before leads to nothing any more."""
    scene.play("nightly/contract_breach")
    cause = Cause(
        kind=CauseKind.CONTRACT_BREACH, confidence=0.97, evidence=(), unique_id=f"{MODEL}.fct_orders",
        run_id=scene.why("fct_orders").causes[0].run_id,
    )  # fmt: skip
    scene.play("nightly/healthy-c")

    healthy = scene.why("fct_orders")

    assert healthy.state == "healthy"
    assert (healthy.consequences.affected, healthy.consequences.suffering) == ((), "")
    assert healthy.consequences.rerun.commands == ()
    observatory = scene.observatory
    with observatory.store.read() as tx:
        found = find_node(observatory, tx, NodeQuestion(ref="fct_orders", account="first"))
        left = read_consequences(tx, found.estate, scope_of(found.address), cause, observatory.store.now())
    assert left.affected == ()


def test_data_are_as_old_as_the_source_that_was_read(scene: Scene) -> None:
    """A table rests on the newest row of its oldest source by a freshness check, and a build names what it read."""
    run_id = scene.play("nightly/healthy-c")

    orders = get_node(scene.observatory, NodeQuestion(ref="fct_orders", account="first"))

    assert orders.data_as_of is not None
    assert orders.data_as_of.at == min(age.at for age in orders.data_as_of.ages if age.at and is_source(age.unique_id))
    assert orders.builds[0].run_id == run_id
    assert {one.run_id for one in orders.builds[0].reads if one.run_id} == {run_id}
    assert any(is_source(one.unique_id) for one in orders.builds[0].reads)
    assert scene.why("fct_orders").data_as_of == orders.data_as_of
    test = next(iter(orders.tests)).unique_id
    assert get_node(scene.observatory, NodeQuestion(ref=test, account="first")).data_as_of is None


def test_the_questions_cost_as_many_queries_for_a_wide_reach_as_for_a_narrow_one(scene: Scene) -> None:
    """Nodes are read by the hundred: a reach of many tables asks hardly more often than one of a few."""
    scene.play("nightly/healthy-c")
    scene.play("nightly/contract_breach")
    counted: list[str] = []
    event.listen(scene.observatory.store.engine, "before_cursor_execute", lambda *told: counted.append(told[2]))

    wide = scene.why("fct_orders")
    for_wide = len(counted)
    narrow = scene.why("revenue_daily")
    for_narrow = len(counted) - for_wide
    get_impact(scene.observatory, NodeQuestion(ref="fct_orders", account="first"))

    assert len(wide.consequences.affected) > 20
    assert narrow.consequences.affected == wide.consequences.affected
    assert for_wide < 100
    assert for_narrow < 100
    assert len(counted) - for_wide - for_narrow < 20


def test_the_page_of_a_failed_node_asks_little_of_the_store(scene: Scene) -> None:
    """Its page takes a transaction for who asks and one for all that it says, and some sixty statements."""
    scene.play("nightly/healthy-c")
    scene.play("nightly/broken_sql")
    engine = scene.observatory.store.engine
    _, token = create_token(scene.observatory, "pages", Role.VIEWER)
    told: list[str] = []

    def note(*call: object) -> None:
        if threading.current_thread().name != "inbox":  # which looks by itself whether something came in
            told.append(str(call[2]) if len(call) > 1 else "a transaction")

    with (
        serving(scene.observatory) as url,
        urllib3.PoolManager(headers={"Authorization": f"Bearer {token.reveal()}"}) as ask,
    ):
        page = f"{url}/nodes?ref=int_sessions_attributed&account=first"
        ask.request("GET", page)
        for name in ("before_cursor_execute", "begin"):
            event.listen(engine, name, note)
        reply = ask.request("GET", page)
        for name in ("before_cursor_execute", "begin"):
            event.remove(engine, name, note)

    assert (reply.status, scene.why("int_sessions_attributed").state) == (200, "failed")
    assert told.count("a transaction") == 2
    assert len([one for one in told if one.startswith(("SELECT", "WITH"))]) <= 65, told


def test_all_that_is_told_of_a_node_is_what_each_question_tells_alone(scene: Scene) -> None:
    """Read in one transaction, node, impact, verdict, lineage and states are the same as asked for one by one."""
    scene.play("nightly/healthy-c")
    run_id = scene.play("nightly/broken_sql")
    asked = NodeQuestion(ref="int_sessions_attributed", account="first")
    full = get_full_node(scene.observatory, asked, with_ephemeral=True)

    assert full.node == get_node(scene.observatory, asked, with_ephemeral=True)
    assert full.impact == get_impact(scene.observatory, asked, with_ephemeral=True)
    assert full.verdict == get_verdict(scene.observatory, asked)
    around = LineageQuestion(ref=full.node.unique_id, account="first")
    states = get_lineage_states(scene.observatory, around)
    assert full.around == (get_lineage(scene.observatory, around), states)
    assert full.revision == get_revision(scene.observatory)

    in_run = replace(asked, run_id=run_id)
    told = get_full_node(scene.observatory, in_run)
    assert (told.node, told.verdict, told.around) == (get_node(scene.observatory, in_run), None, None)
    earlier = replace(asked, at=full.node.as_of - timedelta(hours=1))
    told = get_full_node(scene.observatory, earlier)
    assert (told.node, told.verdict) == (get_node(scene.observatory, earlier), get_verdict(scene.observatory, earlier))
    assert told.around is not None
    assert told.around[1].as_of == earlier.at


def names(report: VerdictReport) -> set[str]:
    """Give what is affected."""
    return {one.unique_id for one in report.consequences.affected}


def is_table(unique_id: str) -> bool:
    """Whether dbt builds it."""
    return unique_id.partition(".")[0] in TABLES


def is_source(unique_id: str) -> bool:
    """Whether it is loaded by others."""
    return unique_id.startswith("source.")
