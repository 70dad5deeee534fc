"""Causes in small histories in a real store: several jobs, two projects, two runs at one table, odd manifests."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from dbt_places import NOW, make_table, open_places, save_place

from headwater.model.account import Job
from headwater.model.invocation import Execution, Invocation, RunResults
from headwater.model.node import (
    ArtifactMetadata,
    Catalog,
    CatalogColumn,
    CatalogTable,
    Manifest,
    Node,
    Relation,
    TestTarget,
)
from headwater.model.run import Run, RunStatus, RunStep, Way
from headwater.observatory.evaluating import evaluate_stored
from headwater.observatory.holder import Observatory
from headwater.observatory.incidents import IncidentQuestion, get_incident, list_incidents
from headwater.observatory.references import NodeQuestion
from headwater.observatory.runs import get_run
from headwater.observatory.verdicts import VerdictReport, get_verdict
from headwater.store.catalog import save_catalog
from headwater.store.inventory import save_jobs
from headwater.store.invocations import save_invocation
from headwater.store.manifests import save_manifest
from headwater.store.runs import save_run
from headwater.store.writing import Scope

RAW, STAGED, ORDERS = "source.shop.raw.orders", "model.shop.stg_orders", "model.shop.fct_orders"
IMPORTED, LEDGER = "model.shop.fct_orders", "model.finance.ledger"
MISSING = 'Binder Error: Referenced column "amount" not found in FROM clause!'


@dataclass
class History:
    """A store that runs are written to, each an invocation of one step."""

    observatory: Observatory
    scopes: dict[str, Scope]

    def manifest(self, *nodes: Node, project: str = "shop", at: datetime = NOW) -> int:
        """Save what dbt parsed."""
        content = hashlib.blake2b(f"{nodes}".encode(), digest_size=16).digest()
        metadata = ArtifactMetadata(generated_at=at, adapter_type="duckdb", project_name=project)
        with self.observatory.store.write() as tx:
            return save_manifest(
                tx, self.scopes[project], Manifest(metadata=metadata, content=content, nodes=nodes), None, at
            )

    def run(
        self, run_id: int, hours_ago: float, manifest: int | None, statuses: dict[str, str], *, job: int = 1,
        message: str | None = None, status: str | None = None, project: str = "shop",
        variables: dict[str, str] | None = None, seconds: float = 30, **more: Any,
    ) -> None:  # fmt: skip
        """Save a run of a job in which nodes ended so, one second after the other."""
        scope, at = self.scopes[project], NOW - timedelta(hours=hours_ago)
        bad = any(found not in {"success", "pass"} for found in statuses.values())
        facts = {"created_at": at, "started_at": at, "finished_at": at + timedelta(minutes=5), **more}
        run = Run(
            run_id=run_id, status=RunStatus(status or ("error" if bad else "success")), job_id=job,
            project_id=scope.project_id, environment_id=scope.environment_id, **facts,
        )  # fmt: skip
        executions = tuple(
            Execution(
                unique_id=unique_id, status=found, started_at=at + timedelta(seconds=place + 1),
                elapsed=timedelta(seconds=seconds), message=message if found not in {"success", "skipped"} else None,
            )
            for place, (unique_id, found) in enumerate(statuses.items())
        )  # fmt: skip
        metadata = ArtifactMetadata(generated_at=at, invocation_id=f"i{run_id}")
        results = RunResults(
            metadata=metadata, command="build", elapsed=None, executions=executions, variables=variables
        )
        invocation = Invocation(invocation_id=f"i{run_id}", command="dbt build", step_index=1, generated_at=at)
        with self.observatory.store.write() as tx:
            save_jobs(
                tx, scope.account_key,
                (Job(job_id=job, project_id=scope.project_id, environment_id=scope.environment_id, name=f"job {job}"),),
            )  # fmt: skip
            save_run(tx, scope.account_key, run, Way.POLL, NOW)
            save_invocation(
                tx, scope, invocation, results if statuses else None, manifest_key=manifest, run_id=run_id, now=NOW
            )

    def catalog(self, hours_ago: float, **columns: str) -> None:
        """Save what the warehouse held of the raw orders then: columns with their types."""
        held = tuple(
            CatalogColumn(name=name, data_type=kind, position=place)
            for place, (name, kind) in enumerate(columns.items())
        )
        relation = Relation("db", "main", "orders")
        found = CatalogTable(unique_id=RAW, relation=relation, kind="BASE TABLE", columns=held)
        metadata = ArtifactMetadata(generated_at=NOW - timedelta(hours=hours_ago))
        with self.observatory.store.write() as tx:
            save_catalog(tx, self.scopes["shop"], Catalog(metadata=metadata, tables=(found,)), NOW)

    def ask(self, ref: str, at: datetime | None = None) -> VerdictReport:
        """Ask for a verdict."""
        return get_verdict(self.observatory, NodeQuestion(ref=ref, at=at))

    def first(self, ref: str) -> tuple[str, str | None, str | None]:
        """Give the likeliest cause: its kind, its node, and what it is about."""
        causes = self.ask(ref).causes
        assert causes
        return causes[0].kind, causes[0].unique_id, causes[0].about


@pytest.fixture(params=["sqlite", "postgres"])
def history(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[History]:
    if request.param == "sqlite":
        with open_places(tmp_path) as observatory:
            yield begin(observatory)
        return
    server = request.getfixturevalue("postgres_server")
    with server.database(template=None) as url, open_places(tmp_path, url) as observatory:
        yield begin(observatory)


def begin(observatory: Observatory) -> History:
    """Begin a history of two projects, of which finance imports a model of shop."""
    shop = save_place(observatory, (), project=(1, "shop"), environment=(2, "Production"))
    finance = save_place(observatory, (), project=(3, "finance"), environment=(4, "Production"))
    return History(observatory, {"shop": shop, "finance": finance})


def table(unique_id: str, code: str = "select 1", *parents: str, **facts: Any) -> Node:
    """Make a node of the project."""
    name = unique_id.rsplit(".", 1)[-1]
    version = hashlib.blake2b(f"{unique_id}{code}{parents}".encode(), digest_size=16).digest()
    return make_table(
        unique_id,
        f'"db"."main"."{name}"',
        raw_code=code,
        parents=parents,
        version=version,
        code_version=version,
        **facts,
    )


def shop(staged: str = "select amount from raw", orders: str = "select amount from stg") -> tuple[Node, ...]:
    """Make the nodes of shop."""
    return table(RAW, ""), table(STAGED, staged, RAW), table(ORDERS, orders, STAGED)


WELL = {STAGED: "success", ORDERS: "success"}


def failed_step(log: str) -> RunStep:
    """Make a step that failed before dbt executed anything."""
    return RunStep(index=1, name="Invoke dbt with `dbt run`", status=RunStatus.ERROR, command="dbt run", log=log)


def test_a_change_counts_from_when_it_was_built(history: History) -> None:
    """The new code was parsed before the orders were last good, but another job built it only after that."""
    old, new = history.manifest(*shop()), history.manifest(*shop(staged="select total from raw"))
    history.run(1, 9, old, WELL, job=1)
    history.run(2, 8, new, {ORDERS: "success"}, job=2)
    history.run(3, 7, new, {STAGED: "success"}, job=1)
    history.run(4, 6, new, {ORDERS: "error"}, job=2, message=MISSING)

    assert history.first("fct_orders") == ("upstream_code_changed", STAGED, None)


def test_what_was_parsed_and_not_built_is_not_to_blame(history: History) -> None:
    """The staging model changed in the project; its table is still the old one."""
    old, new = history.manifest(*shop()), history.manifest(*shop(staged="select amount, 1 as one from raw"))
    history.run(1, 9, old, WELL, job=1)
    history.run(2, 6, new, {ORDERS: "error"}, job=2, message="Conversion Error: Could not convert string")

    assert STAGED not in {cause.unique_id for cause in history.ask("fct_orders").causes}


def test_two_runs_at_one_table(history: History) -> None:
    """Another job's run was building the same table; the message is of a lock, and the other run is named."""
    manifest = history.manifest(*shop())
    history.run(1, 9, manifest, WELL)
    history.run(2, 6, manifest, WELL, job=2, seconds=90)
    history.run(3, 6, manifest, {STAGED: "error", ORDERS: "skipped"}, message="tuple concurrently updated")

    assert history.first("stg_orders")[::2] == ("concurrent_runs", "run 2")
    assert history.first("fct_orders") == ("concurrent_runs", STAGED, "run 2")


def test_a_variable_that_dbt_was_given(history: History) -> None:
    """The values of both runs are told; the variable that stayed the same is not."""
    manifest = history.manifest(*shop(orders="select {{ var('since') }} from stg"))
    history.run(1, 9, manifest, WELL, variables={"since": "2026", "region": "eu"})
    history.run(2, 6, manifest, {STAGED: "success", ORDERS: "error"}, message="odd",
                variables={"since": "soon", "region": "eu"})  # fmt: skip

    assert history.first("fct_orders") == ("variable_changed", None, "since")
    assert "was 2026 and is soon" in history.ask("fct_orders").causes[0].evidence[0]


def test_a_late_job_upstream_makes_what_is_made_from_it_stale(history: History) -> None:
    """The job that stages was cancelled; the orders were built on what was there, well by themselves."""
    mail = Node(unique_id="exposure.shop.mail", resource_type="exposure", name="mail", parents=(STAGED,), version=b"e")
    manifest = history.manifest(*shop(), mail)
    history.run(1, 9, manifest, {STAGED: "success", mail.unique_id: "no-op"}, job=1)
    history.run(2, 8, manifest, {ORDERS: "success"}, job=2)
    history.run(3, 7, None, {}, job=1, status="cancelled")
    history.run(4, 6, manifest, {ORDERS: "success"}, job=2)

    for asked in ("fct_orders", mail.unique_id):
        verdict = history.ask(asked)
        assert (verdict.state, verdict.causes[0].kind, verdict.causes[0].run_id) == ("stale", "run_cancelled", 3)
    assert history.ask("fct_orders", at=NOW - timedelta(hours=7.5)).state == "healthy"


def test_a_job_that_builds_most_often_is_waited_for_whoever_built_last(history: History) -> None:
    """The hourly job could not write to the warehouse; the nightly one had built the table just before that."""
    mail = Node(unique_id="exposure.shop.mail", resource_type="exposure", name="mail", parents=(ORDERS,), version=b"e")
    manifest = history.manifest(*shop(), mail)
    for run_id, hours_ago in ((1, 12), (2, 11), (3, 10)):
        history.run(run_id, hours_ago, manifest, WELL, job=1)
    history.run(4, 9, manifest, {**WELL, mail.unique_id: "no-op"}, job=2)
    log = "IO Error: Cannot open file: database is opened in read-only mode"
    history.run(5, 8, None, {}, job=1, status="error", steps=(failed_step(log),))

    for asked in (ORDERS, "exposure.shop.mail"):
        first = history.ask(asked).causes[0]
        assert (first.kind, first.run_id) == ("warehouse_trouble", 5)
    assert history.ask("exposure.shop.mail").state == "stale"
    assert mail.unique_id in {one.unique_id for one in history.ask(ORDERS).consequences.affected}
    assert history.ask("exposure.shop.mail", at=NOW - timedelta(hours=8.5)).state == "healthy"


def test_who_reads_a_view_that_could_not_be_renewed_is_well(history: History) -> None:
    """The warehouse keeps the view as it was: what another job builds from it later has the newest data."""

    def nodes(code: str) -> tuple[Node, ...]:
        return table(RAW, ""), table(STAGED, code, RAW, materialized="view"), table(ORDERS, "select 1", STAGED)

    old, new = history.manifest(*nodes("select amount from raw")), history.manifest(*nodes("selct amount from raw"))
    history.run(1, 9, old, WELL)
    history.run(2, 7, new, {STAGED: "error"}, message="Parser Error: syntax error")
    history.run(3, 6, new, {ORDERS: "success"}, job=2)

    assert history.ask("fct_orders").state == "healthy"
    assert [one.unique_id for one in history.ask("stg_orders").consequences.affected] == [STAGED]


def test_what_is_built_before_the_tests_is_in_doubt_with_what_they_refuse(history: History) -> None:
    """A job builds all and tests afterwards: what was made of the table before its test spoke is not well."""
    test = Node(
        unique_id="test.shop.unique_stg", resource_type="test", name="unique_stg", parents=(STAGED,), version=b"t"
    )
    manifest = history.manifest(*shop(), test)
    history.run(1, 9, manifest, {**WELL, test.unique_id: "pass"})
    history.run(2, 6, manifest, {**WELL, test.unique_id: "fail"})

    verdict = history.ask("fct_orders")

    assert verdict.state == "warned"
    assert verdict.causes[0].kind == "data_changed"
    assert {one.unique_id for one in verdict.consequences.affected} == {STAGED, ORDERS}
    assert history.ask("fct_orders", at=NOW - timedelta(hours=8)).state == "healthy"


def test_a_test_that_the_warehouse_kept_from_speaking_says_nothing_of_the_data(history: History) -> None:
    """It ran out of memory: nobody vouches for what it tests, and what is made from that is well."""
    test = Node(
        unique_id="test.shop.unique_stg", resource_type="test", name="unique_stg", parents=(STAGED,), version=b"t"
    )
    mail = Node(unique_id="exposure.shop.mail", resource_type="exposure", name="mail", parents=(STAGED,), version=b"e")
    manifest = history.manifest(*shop(), test, mail)
    history.run(1, 9, manifest, {**WELL, test.unique_id: "pass"})
    history.run(2, 6, manifest, {STAGED: "success", test.unique_id: "error", ORDERS: "success"},
                message="Out of Memory Error: could not allocate block")  # fmt: skip

    told = history.ask("stg_orders")

    assert (told.state, told.causes[0].kind) == ("test-failing", "warehouse_trouble")
    assert {one.unique_id for one in told.consequences.affected} == {STAGED, mail.unique_id}
    assert history.ask("fct_orders").state == "healthy"
    assert history.ask(mail.unique_id).causes[0].kind == "warehouse_trouble"


def test_a_source_has_a_column_that_a_model_of_the_run_read(history: History) -> None:
    """A column is missing; the staging model read it from the source in the same run: the model between dropped it."""

    def nodes(dropped: str) -> tuple[Node, ...]:
        daily = table("model.shop.daily", f"select {dropped} from stg where amount > 0", STAGED)
        return (*shop()[:2], daily, table(ORDERS, "select amount from daily", daily.unique_id))

    well = {STAGED: "success", "model.shop.daily": "success", ORDERS: "success"}
    old, new = history.manifest(*nodes("*")), history.manifest(*nodes("* exclude (amount)"))
    history.run(1, 9, old, well)
    history.run(2, 6, new, {**well, ORDERS: "error"}, message=MISSING)

    assert history.first("fct_orders") == ("upstream_code_changed", "model.shop.daily", None)
    assert RAW not in {cause.unique_id for cause in history.ask("fct_orders").causes if cause.confidence > 0.8}


def test_values_that_a_reader_cannot_work_with_are_read_by_others_too(history: History) -> None:
    """A changed model makes one reader fail on its values; another one that was built from it is not well either."""

    def nodes(code: str) -> tuple[Node, ...]:
        return (*shop(staged=code), table("model.shop.copy", "select * from stg", STAGED))

    old, new = history.manifest(*nodes("select amount from raw")), history.manifest(*nodes("select 'x' from raw"))
    history.run(1, 9, old, {**WELL, "model.shop.copy": "success"})
    history.run(2, 6, new, {STAGED: "success", "model.shop.copy": "success", ORDERS: "error"},
                message="Conversion Error: Could not convert string")  # fmt: skip

    affected = history.ask("fct_orders").consequences.affected

    assert {one.unique_id for one in affected} == {STAGED, "model.shop.copy", ORDERS}
    for asked in (STAGED, "model.shop.copy"):
        assert history.ask(asked).state == "warned"
        assert history.first(asked) == ("upstream_code_changed", STAGED, None)
    assert history.ask(STAGED, at=NOW - timedelta(hours=8)).state == "healthy"


def test_a_test_that_fails_by_another_speaks_against_its_own_table(history: History) -> None:
    """The keys of one table are gone, so that a test of another one that compares them fails too: both suffer.

    The other one's data are as they were, and so is what is made from it.
    """
    other = table("source.shop.raw.other", "")
    copy = table("model.shop.copy", "select 1", other.unique_id)
    tests = [
        Node(unique_id="test.shop.there", resource_type="test", name="there", parents=(STAGED,), version=b"t"),
        Node(unique_id="test.shop.both", resource_type="test", name="both", parents=(copy.unique_id, STAGED),
             version=b"t"),
    ]  # fmt: skip
    below = table("model.shop.below", "select 1", copy.unique_id)
    manifest = history.manifest(table(RAW, ""), other, copy, shop()[1], below, *tests)
    built = {STAGED: "success", copy.unique_id: "success", below.unique_id: "success"}
    history.run(1, 9, manifest, {**built, "test.shop.there": "pass", "test.shop.both": "pass"})
    history.run(2, 6, manifest, {**built, "test.shop.there": "fail", "test.shop.both": "fail"})

    affected = history.ask(STAGED).consequences.affected

    assert {one.unique_id for one in affected} == {STAGED, copy.unique_id}


def test_a_table_that_another_run_wrote_meanwhile_is_new(history: History) -> None:
    """A run could not write the table, since another one was writing it: who reads it gets new data all the same."""
    mail = Node(unique_id="exposure.shop.mail", resource_type="exposure", name="mail", parents=(STAGED,), version=b"e")
    manifest = history.manifest(*shop(), mail)
    history.run(1, 9, manifest, WELL)
    history.run(2, 6, manifest, {mail.unique_id: "no-op", STAGED: "error"}, message="tuple concurrently updated")
    history.run(3, 6, manifest, {STAGED: "success"}, job=2, seconds=90)
    history.run(4, 5, manifest, {ORDERS: "success"}, job=3)

    verdict = history.ask(STAGED)

    assert (verdict.state, verdict.causes[0].kind) == ("failed", "concurrent_runs")
    assert {one.unique_id for one in verdict.consequences.affected} == {STAGED}
    assert history.ask("fct_orders").state == history.ask(mail.unique_id).state == "healthy"


def test_what_keeps_dbt_from_beginning_keeps_every_job_from_it(history: History) -> None:
    """Two jobs of one environment could not clone the repository: what either builds waits by the same cause."""
    manifest = history.manifest(*shop())
    history.run(1, 9, manifest, {STAGED: "success"}, job=1)
    history.run(2, 8, manifest, {ORDERS: "success"}, job=2)
    log = "fatal: could not read from remote repository"
    at = NOW - timedelta(hours=6)
    step = RunStep(index=1, name="Clone", status=RunStatus.ERROR, started_at=at, finished_at=at, log=log)
    history.run(3, 6, None, {}, job=1, status="error", steps=(step,))
    history.run(4, 5, None, {}, job=2, status="error", steps=(step,))

    for asked in (STAGED, ORDERS):
        verdict = history.ask(asked)
        assert (verdict.state, verdict.causes[0].kind) == ("late", "run_failed_before_dbt")
        assert {one.unique_id for one in verdict.consequences.affected} == {STAGED, ORDERS}


def test_a_warning_is_explained_where_it_is_new(history: History) -> None:
    """A test that passed until the code changed says why it warns; one that has always warned says nothing."""
    tests = [
        Node(unique_id=f"test.shop.{name}", resource_type="test", name=name, parents=(ORDERS,), version=b"t")
        for name in ("new", "old")
    ]
    old, new = history.manifest(*shop(), *tests), history.manifest(*shop(orders="select 0 as amount"), *tests)
    history.run(1, 9, old, {**WELL, "test.shop.new": "pass", "test.shop.old": "warn"}, status="success")
    assert not history.ask("fct_orders").causes
    history.run(2, 6, new, {**WELL, "test.shop.new": "warn", "test.shop.old": "warn"}, status="success")

    verdict = history.ask("fct_orders")

    assert (verdict.state, verdict.causes[0].kind, verdict.causes[0].unique_id) == (
        "warned", "upstream_code_changed", ORDERS,
    )  # fmt: skip
    assert not verdict.consequences.affected


def test_what_another_job_builds_more_often_does_not_wait_for_this_one(history: History) -> None:
    """The nightly run was cancelled; the orders, which are built every hour, are not late by that."""
    manifest = history.manifest(*shop())
    history.run(1, 30, manifest, WELL, job=1)
    for place in range(3):
        history.run(2 + place, 29 - place, manifest, {ORDERS: "success"}, job=2)
    history.run(9, 6, None, {}, job=1, status="cancelled")

    verdict = history.ask("stg_orders")

    assert (verdict.state, verdict.causes[0].run_id) == ("late", 9)
    assert {one.unique_id for one in verdict.consequences.affected} == {STAGED}
    assert history.ask("fct_orders").state == "healthy"


def test_code_of_the_project_that_owns_what_is_imported(history: History) -> None:
    """The ledger's own project did not change; the model it imports lost the column."""
    ledger = (table(IMPORTED, "", resource_type="model", path="", package_name="shop"), table(LEDGER, "x", IMPORTED))
    imported = tuple(
        Node(unique_id=node.unique_id, resource_type="model", name="fct_orders", package_name="shop", version=b"i")
        if node.unique_id == IMPORTED else node for node in ledger
    )  # fmt: skip
    finance = history.manifest(*imported, project="finance", at=NOW - timedelta(hours=9))
    old, new = history.manifest(*shop()), history.manifest(*shop(orders="select total from stg"))
    history.run(1, 9, old, WELL)
    history.run(2, 8, finance, {LEDGER: "success"}, job=7, project="finance")
    history.run(3, 7, new, WELL)
    history.run(4, 6, finance, {LEDGER: "error"}, job=7, project="finance", message=MISSING)

    assert history.first("ledger") == ("upstream_code_changed", ORDERS, None)


def test_what_repaired_a_node_is_told(history: History) -> None:
    """A retry of the run, told apart from a later run; also of a moment of the past."""
    manifest = history.manifest(*shop())
    history.run(1, 9, manifest, WELL)
    history.run(2, 8, manifest, {STAGED: "error", ORDERS: "skipped"}, message="odd")
    history.run(3, 7, manifest, WELL, retrying_run_id=2)

    said = "in run 2 and was repaired by the retry, run 3."
    assert str(history.ask("stg_orders").past).endswith(said)
    assert str(history.ask("fct_orders", at=NOW - timedelta(hours=6)).past).endswith(said)
    assert history.ask("fct_orders", at=NOW - timedelta(hours=7.5)).state == "skipped"


def test_a_run_without_a_manifest_is_explained_by_what_there_is(history: History) -> None:
    """Nothing can be compared: the message and the place where it began are told."""
    history.manifest(*shop())
    history.run(1, 9, None, WELL)
    history.run(2, 6, None, {STAGED: "error", ORDERS: "skipped"}, message="Parser Error: syntax error")

    assert history.first("fct_orders") == ("node_failed", STAGED, None)
    (cause,) = get_run(history.observatory, None, 2).causes
    assert (cause.kind, cause.failed) == ("node_failed", (STAGED,))


def test_two_manifests_of_one_run_and_clocks_that_differ(history: History) -> None:
    """A second invocation of the run came from a machine whose clock is a day ahead, with other code."""
    old, new = history.manifest(*shop()), history.manifest(*shop(orders="select 2"))
    history.run(1, 9, old, WELL)
    history.run(2, 6, new, {STAGED: "success", ORDERS: "error"}, message="odd")
    later = Invocation(invocation_id="ahead", command="dbt test", step_index=2, generated_at=NOW + timedelta(days=1))
    with history.observatory.store.write() as tx:
        save_invocation(tx, history.scopes["shop"], later, manifest_key=old, run_id=2, now=NOW)

    assert history.first("fct_orders") == ("code_changed", ORDERS, None)
    assert [cause.kind for cause in get_run(history.observatory, None, 2).causes] == ["code_changed"]


NAMES = ['it\'s "quoted"', "a.b..c", "café ☕", "x" * 10_000]


@pytest.mark.parametrize("name", NAMES, ids=["quotes", "dots", "emoji", "10 kB"])
def test_circles_strangers_and_odd_names_are_answered(history: History, name: str) -> None:
    """A node made from itself and from what is in no manifest, whose status nobody knows, is told for what it is."""
    odd = f"model.shop.{name}"
    manifest = history.manifest(table(odd, "select 1", odd, "model.shop.gone"), table(ORDERS, "select 2", odd))
    history.run(1, 9, manifest, {odd: "success", ORDERS: "success"})
    history.run(2, 6, manifest, {odd: "exploded", ORDERS: "skipped"}, status="error")

    verdict = history.ask(ORDERS)

    assert verdict.state == "skipped"
    assert verdict.causes
    assert get_run(history.observatory, None, 2).run_id == 2


TEXT = "Conversion Error: Could not convert string '4 units' to INT32 when casting from source column paid"


def staged_twice() -> tuple[Node, ...]:
    """Make orders of two views over two sources, of which one calls the amount paid."""
    refunds, refunded = table("source.shop.raw.refunds", ""), "model.shop.stg_refunds"
    return (
        *shop(staged="select id, amount as paid from raw")[:2],
        refunds,
        table(refunded, "select id, cents as back from raw", refunds.unique_id, materialized="view"),
        table(ORDERS, "select sum(paid - back) as net from stg join stg_refunds", refunded, STAGED),
    )  # fmt: skip


def test_values_are_followed_to_their_source_through_views(history: History) -> None:
    """The views are built well; by the names in code the value comes from one of the two sources, which is named."""
    manifest = history.manifest(*staged_twice())
    well = {**WELL, "model.shop.stg_refunds": "success"}
    history.run(1, 9, manifest, well)
    history.run(2, 6, manifest, {**well, ORDERS: "error"}, message=TEXT)

    assert history.first("fct_orders") == ("data_changed", RAW, None)
    assert {one.unique_id for one in history.ask("fct_orders").consequences.affected} == {STAGED, ORDERS}
    assert history.ask("stg_refunds").state == "healthy"


def test_catalogs_tell_that_a_column_has_another_type(history: History) -> None:
    """One was made before the failure and one after it: up to the second, only the names in code tell."""
    manifest = history.manifest(*staged_twice())
    well = {**WELL, "model.shop.stg_refunds": "success"}
    history.run(1, 9, manifest, well)
    history.catalog(9, amount="INTEGER")
    history.run(2, 6, manifest, {**well, ORDERS: "error"}, message=TEXT)
    history.catalog(3, amount="VARCHAR")

    first = history.ask("fct_orders").causes[0]

    assert (first.kind, first.unique_id) == ("columns_changed", RAW)
    assert "amount was INTEGER and is VARCHAR" in first.evidence[0]
    assert history.ask("fct_orders", at=NOW - timedelta(hours=5)).causes[0].kind == "data_changed"


def test_a_table_that_is_compared_with_a_bad_one_is_well_to_other_projects(history: History) -> None:
    """A test compares the orders with customers, who are gone, and fails; the ledger reads good orders."""
    raw, customers = table("source.shop.raw.customers", ""), "model.shop.customers"
    test = Node(
        unique_id="test.shop.known", resource_type="test", name="known", parents=(customers, ORDERS), version=b"t",
        test=TestTarget(test_name="relationships", attached_node=ORDERS, column_name="customer_id"),
    )  # fmt: skip
    staged = table(customers, "select id as customer_id from raw", raw.unique_id)
    imported = table(IMPORTED, "", resource_type="model", path="", package_name="shop")
    shop_now = history.manifest(*shop(), raw, staged, test)
    finance = history.manifest(imported, table(LEDGER, "x", IMPORTED), project="finance")
    well = {**WELL, customers: "success"}
    history.run(1, 9, shop_now, {**well, test.unique_id: "pass"})
    history.run(2, 8, finance, {LEDGER: "success"}, job=7, project="finance")
    history.run(3, 6, shop_now, {**well, test.unique_id: "fail"})
    history.run(4, 5, finance, {LEDGER: "success"}, job=7, project="finance")

    assert history.ask(ORDERS).state == "test-failing"
    assert history.first(ORDERS) == ("data_changed", raw.unique_id, None)
    assert history.ask(LEDGER).state == "healthy"


def test_what_another_project_read_before_it_was_built_from_old_data_is_well(history: History) -> None:
    """The orders were built again after the job that stages was cancelled; the ledger had read those of before."""
    shop_now = history.manifest(*shop())
    imported = table(IMPORTED, "", resource_type="model", path="", package_name="shop")
    finance = history.manifest(imported, table(LEDGER, "x", IMPORTED), project="finance")
    history.run(1, 9, shop_now, {STAGED: "success"}, job=1)
    history.run(2, 8, shop_now, {ORDERS: "success"}, job=2)
    history.run(3, 7, None, {}, job=1, status="cancelled")
    history.run(4, 6, finance, {LEDGER: "success"}, job=7, project="finance")
    history.run(5, 5, shop_now, {ORDERS: "success"}, job=2)

    assert history.ask(ORDERS).state == "stale"
    assert history.ask(LEDGER).state == "healthy"
    history.run(6, 4, finance, {LEDGER: "success"}, job=7, project="finance")
    assert history.first(LEDGER)[0] == "run_cancelled"


def test_what_was_skipped_and_not_rebuilt_still_suffers_where_the_failure_was_made_good(history: History) -> None:
    """Another job staged again; `why` and the incident say the same of the models that had been skipped."""
    daily = table("model.shop.daily", "select count(*) from stg", STAGED)
    manifest = history.manifest(*shop(), daily)
    all_well, skipped = {**WELL, daily.unique_id: "success"}, {ORDERS: "skipped", daily.unique_id: "skipped"}
    history.run(1, 9, manifest, all_well)
    history.run(2, 6, manifest, {STAGED: "error", **skipped}, message=MISSING)
    history.run(3, 5, manifest, {STAGED: "success"}, job=2)
    evaluate_stored(history.observatory)

    (incident,) = list_incidents(history.observatory, IncidentQuestion()).incidents

    for asked in (ORDERS, daily.unique_id):
        affected = {one.unique_id for one in history.ask(asked).consequences.affected}
        assert affected == {ORDERS, daily.unique_id}
    assert {one.unique_id for one in get_incident(history.observatory, incident.id).affected} == affected
    history.run(4, 4, manifest, {ORDERS: "success"})
    evaluate_stored(history.observatory)
    left = get_incident(history.observatory, incident.id)
    history.run(5, 3, manifest, {daily.unique_id: "success"})
    evaluate_stored(history.observatory)
    assert [one.unique_id for one in left.affected] == [daily.unique_id]
    assert get_incident(history.observatory, incident.id).incident.state == "resolved"


def test_what_was_built_from_refused_data_is_waited_for_after_they_are_mended(history: History) -> None:
    """The test passes again on a new build; the orders still hold what was built from the refused one."""
    test = Node(
        unique_id="test.shop.unique_stg", resource_type="test", name="unique_stg", parents=(STAGED,), version=b"t"
    )
    manifest = history.manifest(*shop(), test)
    history.run(1, 9, manifest, {**WELL, test.unique_id: "pass"})
    history.run(2, 6, manifest, {STAGED: "success", test.unique_id: "fail", ORDERS: "success"})
    evaluate_stored(history.observatory)
    history.run(3, 5, manifest, {STAGED: "success", test.unique_id: "pass"})
    evaluate_stored(history.observatory)

    (waiting,) = list_incidents(history.observatory, IncidentQuestion()).incidents
    left = get_incident(history.observatory, waiting.id).affected
    history.run(4, 4, manifest, {ORDERS: "success"})
    evaluate_stored(history.observatory)

    assert waiting.gone_at is not None
    assert [one.unique_id for one in left] == [ORDERS]
    assert get_incident(history.observatory, waiting.id).incident.state == "resolved"


def test_what_another_fault_holds_up_is_waited_for_there(history: History) -> None:
    """The orders were late and came again; the ledger, made from the old ones, and its board wait for another fault."""
    board = Node(unique_id="exposure.finance.board", resource_type="exposure", name="board", parents=(LEDGER,))
    shop_manifest = history.manifest(*shop())
    imported = Node(unique_id=IMPORTED, resource_type="model", name="fct_orders", package_name="shop", access="public")
    finance = history.manifest(imported, table(LEDGER, "select 1", IMPORTED), board, project="finance")
    history.run(1, 15, shop_manifest, {STAGED: "success"})
    for number, hours in enumerate((14, 13, 12), 2):
        history.run(number, hours, shop_manifest, {ORDERS: "success"}, job=2)
        history.run(number + 10, hours - 0.5, finance, {LEDGER: "success"}, job=7, project="finance")
    history.run(5, 11, shop_manifest, {}, job=2, status="cancelled")
    history.run(15, 10.5, finance, {LEDGER: "success"}, job=7, project="finance")
    evaluate_stored(history.observatory)
    (late,) = list_incidents(history.observatory, IncidentQuestion()).incidents
    reached = {one.unique_id for one in get_incident(history.observatory, late.id).affected}
    history.run(6, 10, shop_manifest, {ORDERS: "success"}, job=2)
    evaluate_stored(history.observatory)
    waiting = {one.unique_id for one in get_incident(history.observatory, late.id).affected}
    history.run(
        16, 9.5, finance, {}, job=7, project="finance", status="error", steps=(failed_step("Env var required"),)
    )
    evaluate_stored(history.observatory)

    assert reached == {ORDERS, LEDGER, board.unique_id}
    assert waiting == {LEDGER, board.unique_id}
    assert get_incident(history.observatory, late.id).incident.state == "resolved"
    (other,) = list_incidents(history.observatory, IncidentQuestion()).incidents
    assert {one.unique_id for one in get_incident(history.observatory, other.id).affected} >= {LEDGER}
