"""Reports of nodes as the observatory gives them, of the company that sells coffee."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from web_reports import NOW

from headwater.observatory.cause_reports import CauseSummary, PathStep
from headwater.observatory.consequence_reports import AffectedJob, AffectedSummary, RerunCommand, RerunSummary
from headwater.observatory.full_nodes import FullNodeReport
from headwater.observatory.lineage_reports import LineagePlace, LineageReport, LineageStates
from headwater.observatory.node_reports import (
    CatalogNode,
    CatalogReport,
    ChangesReport,
    ExposureSummary,
    ImpactReport,
    MacroDifference,
    Neighbour,
    NodeColumn,
    NodeDifference,
    NodeExecution,
    NodeJob,
    NodePlace,
    NodeReport,
    NodeSummary,
    NodeTable,
    NodeTest,
    OwnerSummary,
    VersionChange,
)
from headwater.observatory.provenance_reports import (
    BuildSummary,
    DataAgeSummary,
    DataAsOfSummary,
    ReadingSummary,
)
from headwater.observatory.verdicts import ConsequencesSummary, VerdictReport

PLACE = NodePlace(
    account="acme",
    project_id=3,
    project_name="Storefront",
    environment_id=4,
    environment_name="Production",
    is_production=True,
    sentence="Production of Storefront answers: it is production, and no environment was named.",
)


def make_verdict(**changes) -> VerdictReport:
    """A model that failed because a column of its source is gone."""
    cause = CauseSummary(
        kind="columns_changed",
        subject="shop.products",
        unique_id="source.storefront.shop.products",
        run_id=8,
        confidence=0.9,
        since=NOW - timedelta(hours=2),
        evidence=("price_cents of the source shop.products is gone.", "Binder Error: <script>alert(1)</script>"),
    )
    facts = {
        "unique_id": "model.storefront.fct_orders",
        "name": "fct_orders",
        "sentence": "fct_orders is failed since 2026-11-20 10:00 UTC: columns changed (shop.products).",
        "state": "failed",
        "reason": "When it was last due, its build failed.",
        "since": NOW - timedelta(hours=2),
        "last_good_at": NOW - timedelta(hours=4),
        "place": PLACE,
        "causes": (cause,),
        "data_as_of": make_data_as_of(),
        "consequences": make_consequences(),
        "notes": (),
        "as_of": NOW,
        "path": (
            PathStep(name="fct_orders", unique_id="model.storefront.fct_orders", status="skipped", run_id=8),
            PathStep(name="stg_products", unique_id="model.storefront.stg_products", status="error", run_id=8),
            PathStep(name="shop.products", unique_id="source.storefront.shop.products"),
        ),
        "past": "It failed at 2026-11-19 10:00 UTC in run 5 and was repaired by the retry, run 6.",
    }
    return VerdictReport(**facts | changes)


def make_consequences(**changes) -> ConsequencesSummary:
    """Two nodes suffer, and one command is the way back."""
    affected = AffectedSummary(
        unique_id="model.storefront.fct_orders",
        resource_type="model",
        project_name="Storefront",
        suffers="failed",
        since=NOW - timedelta(hours=2),
        run_id=300_412_980,
        at=NOW - timedelta(hours=2),
        read=None,
    )
    shown = replace(
        affected,
        unique_id="exposure.storefront.cockpit",
        suffers="reads-bad-data",
        run_id=None,
        read=affected.unique_id,
    )
    command = RerunCommand(
        project="Storefront",
        command="dbt build --select fct_orders+",
        nodes=1,
        jobs=("nightly",),
        expected_seconds=41.0,
    )
    facts = {
        "sentence": "fct_orders feeds 2 tables.",
        "downstream": (),
        "counts": {},
        "exposures": (),
        "owners": (),
        "suffering": "Affected now: 1 table (1 failed), 1 exposure.",
        "affected": (shown, affected),
        "unaffected": (),
        "spared": "",
        "tests_unvouched": ("test.storefront.unique_id",),
        "tests_failing": (),
        "jobs": (AffectedJob(job_id=7, job_name="nightly", nodes=1),),
        "projects": ("Storefront",),
        "rerun": RerunSummary(commands=(command,)),
    }
    return ConsequencesSummary(**facts | changes)


def make_data_as_of(**changes) -> DataAsOfSummary:
    """Of two sources the older is named."""
    ages = tuple(
        DataAgeSummary(
            unique_id=f"source.storefront.shop.{name}", basis="loaded", at=NOW - timedelta(hours=hours), read_by=None
        )
        for name, hours in (("orders", 5), ("products", 4))
    )
    facts = {
        "sentence": "Data as of 2026-11-20 07:00 UTC: the newest row of shop.orders that it was made from.",
        "at": NOW - timedelta(hours=5),
        "rests_on": "source.storefront.shop.orders",
        "basis": "loaded",
        "ages": ages,
    }
    return DataAsOfSummary(**facts | changes)


def make_build(**changes) -> BuildSummary:
    """A build that read a table and a source."""
    reads = (
        ReadingSummary(
            unique_id="model.storefront.stg_orders", built_at=NOW - timedelta(hours=3), run_id=8, loaded_at=None
        ),
        ReadingSummary(unique_id="source.storefront.shop.orders", built_at=None, run_id=None, loaded_at=NOW),
    )
    return BuildSummary(**{"at": NOW, "run_id": 300_412_980, "job_id": 7, "rows": 1204, "reads": reads} | changes)


def make_summary(name: str = "fct_orders", **changes) -> NodeSummary:
    return NodeSummary(**_summary_facts(name) | changes)


CODE_DIFF = ("@@ -1,2 +1,2 @@", " select", "-  old", "+  <script>alert(1)</script>")

CODE_CHANGE = VersionChange(
    happened_at=NOW, run_id=300_412_980, what="changed", aspects=("code", "columns"), diff=CODE_DIFF
)


def make_node(name: str = "fct_orders", **changes) -> NodeReport:
    facts = _summary_facts(name) | {
        "sentence": f"{name} is a model of Storefront. Its 2 tests: 1 fail, 1 pass.",
        "place": PLACE,
        "other_environments": ("Staging of Storefront",),
        "description": "One row for each order.",
        "package_name": "storefront",
        "path": "models/marts/core/fct_orders.sql",
        "access": "public",
        "language": "sql",
        "manifest_from": NOW - timedelta(hours=1),
        "contacts": (OwnerSummary(name="Data Platform", email="data@acme.example", owns=("model.storefront.x",)),),
        "parents": (make_neighbour("stg_orders"), make_neighbour("gone", is_known=False, relation=None)),
        "children": (make_neighbour("fct_revenue"),),
        "ephemeral": ("model.storefront.int_totals",),
        "upstream": 15,
        "downstream": {"model": 22, "test": 68},
        "columns": (NodeColumn(name="id", declared_type="int", warehouse_type="BIGINT", description="Key."),),
        "tests": (
            make_test("unique_id", "fail", history=("pass", "fail") * 3, turns=5, is_flaky=True),
            make_test("not_null_id", "pass"),
            make_test("new", None),
        ),
        "jobs": (NodeJob(job_id=7, job_name="nightly", executions=12, last_run_id=300_412_980, last_at=NOW),),
        "executions": (make_execution("error"), make_execution("success")),
        "builds": (make_build(), make_build(run_id=None, reads=())),
        "data_as_of": make_data_as_of(),
        "version_changes": (
            VersionChange(
                happened_at=NOW, run_id=300_412_980, what="changed", aspects=("code", "columns"), diff=CODE_DIFF
            ),
            VersionChange(happened_at=NOW, run_id=None, what="added", aspects=()),
        ),
        "notes": ("Named as parents, but in no manifest that is known: model.storefront.gone.",),
        "as_of": NOW,
        "raw_code": "select * from {{ ref('stg_orders') }}",
        "compiled_code": "select * from db.stg.stg_orders",
        "warehouse": NodeTable(
            relation="db.marts.fct_orders",
            kind="BASE TABLE",
            owner="dbt",
            row_count=1204,
            columns=1,
            first_seen_at=NOW - timedelta(days=9),
            last_seen_at=NOW,
        ),
    }
    return NodeReport(**facts | changes)


def make_impact(name: str = "fct_orders", **changes) -> ImpactReport:
    exposure = ExposureSummary(
        unique_id="exposure.storefront.cockpit",
        name="cockpit",
        project_name="Storefront",
        owner="Anouk",
        email=None,
        url="https://bi.acme.example/cockpit",
    )
    facts = {
        "unique_id": f"model.storefront.{name}",
        "name": name,
        "sentence": f"{name} feeds 22 tables and 1 exposure. Anouk should know.",
        "place": PLACE,
        "downstream": ("model.storefront.fct_revenue", "exposure.storefront.cockpit"),
        "counts": {"model": 22, "exposure": 1},
        "tables": ("db.marts.fct_revenue",),
        "ephemeral": (),
        "exposures": (exposure,),
        "owners": (OwnerSummary(name="Anouk", email=None, owns=("exposure.storefront.cockpit",)),),
        "projects": ("Storefront",),
        "manifest_from": NOW,
        "notes": (),
        "as_of": NOW,
    }
    return ImpactReport(**facts | changes)


def make_lineage(**changes) -> LineageReport:
    """A source, a model that reads it and one in the middle that failed, and a folder of two."""
    place = LineagePlace(
        account="acme", project_id=3, project_name="Storefront", environment_id=4, environment_name="Production"
    )
    facts = {
        "etag": "view-1",
        "sentence": "Production of Storefront answers: it is production, and no environment was named.",
        "collapse": "folder",
        "total": 9,
        "shown": 5,
        "node_width": 208,
        "node_height": 28,
        "group_height": 48,
        "pitch": 264,
        "width": 1000,
        "height": 120,
        "focus": 2,
        "path": (0, 1, 2),
        "reached": (1, 2, 3),
        "places": (place,),
        "resource_types": ("model", "source"),
        "unique_ids": ("source.storefront.shop.orders", "model.storefront.stg", "model.storefront.fct_orders", None),
        "names": ("orders", "stg_<script>", "fct_orders", "models/marts"),
        "counts": (1, 1, 1, 2),
        "place_numbers": (0, 0, 0, 0),
        "resource_type_numbers": (1, 0, 0, 0),
        "x": (0, 264, 528, 792),
        "y": (10, 10, 10, 0),
        "hidden_parents": (0, 1, 0, 0),
        "hidden_children": (0, 2, 0, 0),
        "sources": (0, 1, 2, 0),
        "targets": (1, 2, 3, 3),
        "bends": {0: (70, 80)},
        "notes": (),
    }
    return LineageReport(**facts | changes)


def make_lineage_states(**changes) -> LineageStates:
    """The states of that lineage."""
    facts = {
        "of": "view-1",
        "etag": "states-1",
        "states": ("failed", "stale", "healthy", "unknown"),
        "state_numbers": (1, 2, 0, 0),
        "state_counts": {3: {"failed": 1, "healthy": 1}},
        "ran_at": (int(NOW.timestamp()) - 7200, int(NOW.timestamp()) - 60, int(NOW.timestamp()) - 60, None),
        "elapsed_seconds": (None, 4.2, 41.0, 700.0),
        "as_of": NOW,
    }
    return LineageStates(**facts | changes)


def make_full_node(**changes) -> FullNodeReport:
    """All of these together."""
    facts = {
        "node": make_node(),
        "impact": make_impact(),
        "verdict": make_verdict(),
        "around": (make_lineage(), make_lineage_states()),
        "revision": 41,
    }
    return FullNodeReport(**facts | changes)


def make_catalog(limit: int = 50, offset: int = 0, **changes) -> CatalogReport:
    nodes = tuple(make_catalog_node(f"model_{number}") for number in range(offset, min(offset + limit, 120)))
    facts = {
        "total": 120,
        "nodes": nodes,
        "resource_types": {"model": 100, "source": 20},
        "materializations": {"table": 60, "view": 40},
        "places": (PLACE,),
        "facets": {
            "resource_type": {"model": 100, "source": 20},
            "state": {"healthy": 117, "failed": 3},
            "tag": {f"tag_{number}": 12 - number for number in range(12)},
        },
        "as_of": NOW,
    }
    return CatalogReport(**facts | changes)


def make_catalog_node(name: str, **changes) -> CatalogNode:
    return CatalogNode(**_summary_facts(name) | {"state": "healthy", "ran_at": NOW, "data_as_of": NOW} | changes)


def make_neighbour(name: str, **changes) -> Neighbour:
    facts = {
        "unique_id": f"model.storefront.{name}",
        "name": name,
        "resource_type": "model",
        "project_id": 3,
        "project_name": "Storefront",
        "environment_id": 4,
        "relation": f"db.marts.{name}",
        "materialized": "table",
    }
    return Neighbour(**facts | changes)


def make_test(name: str, status: str | None, **changes) -> NodeTest:
    facts = {
        "unique_id": f"test.storefront.{name}",
        "name": name,
        "test_name": "unique",
        "column_name": "id",
        "severity": "error",
        "status": status,
        "failures": 3 if status == "fail" else None,
        "message": None,
        "run_id": 300_412_980 if status else None,
        "happened_at": NOW if status else None,
    }
    return NodeTest(**facts | changes)


def make_execution(status: str, **changes) -> NodeExecution:
    facts = {
        "status": status,
        "happened_at": NOW,
        "elapsed_seconds": 1.4,
        "rows_affected": 1204,
        "failures": None,
        "message": "OK",
        "run_id": 300_412_980,
        "step_index": 4,
        "job_id": 7,
        "job_name": "nightly",
        "is_failed": status == "error",
    }
    return NodeExecution(**facts | changes)


def make_changes(**changes) -> ChangesReport:
    changed = NodeDifference(
        unique_id="model.storefront.fct_orders",
        resource_type="model",
        aspects=("code", "columns"),
        parents_added=(),
        parents_removed=(),
        columns_added=("tax",),
        columns_removed=(),
        columns_changed=(),
    )
    macro = MacroDifference(unique_id="macro.storefront.hours", what="changed", used_by=("model.a", "model.b"))
    facts = {
        "against_run_id": 300_412_977,
        "sentence": "1 node added, 1 node changed, 1 macro changed since the last good run, 300412977.",
        "added": ("model.storefront.campaign_pacing",),
        "removed": ("model.storefront.old",),
        "changed": (changed,),
        "macros": (macro,),
    }
    return ChangesReport(**facts | changes)


def _summary_facts(name: str) -> dict[str, object]:
    return {
        "unique_id": f"model.storefront.{name}",
        "name": name,
        "resource_type": "model",
        "account": "acme",
        "project_id": 3,
        "project_name": "Storefront",
        "environment_id": 4,
        "environment_name": "Production",
        "relation": f"db.marts.{name}",
        "materialized": "table",
        "group": "core",
        "owners": ("Data Platform",),
        "tags": ("hourly",),
    }


FLAKY = make_test("unique_id", "fail", history=("pass", "fail") * 3, turns=5, is_flaky=True)
