"""Reports on incidents as the pages show them, made by hand."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from headwater.observatory.cause_reports import CauseSummary
from headwater.observatory.consequence_reports import RerunCommand
from headwater.observatory.incident_reports import (
    AffectedNode,
    IncidentReport,
    IncidentsReport,
    IncidentSummary,
    TransitionSummary,
)
from headwater.observatory.incidents import IncidentQuestion
from headwater.observatory.node_reports import ExposureSummary, OwnerSummary

NOW = datetime(2026, 11, 20, 12, 4, 31, tzinfo=UTC)
SENTENCE = (
    "stg_orders fails since 04:10: a column of raw.orders is gone. 14 tables and 2 exposures hold old or bad data."
)
LONG = f"{'an_exceedingly_long_model_name_' * 4} fails since 2026-11-18 02:05 UTC: the warehouse does not do its part."


def make_summary(state: str = "open", number: int = 1, **changes) -> IncidentSummary:
    is_resolved = state == "resolved"
    facts = {
        "id": f"1-{number}",
        "sentence": SENTENCE,
        "state": state,
        "account": "acme",
        "project_id": 3,
        "project_name": "Storefront",
        "environment_id": 4,
        "environment_name": "Production",
        "is_production": True,
        "cause": CauseSummary(
            kind="columns_changed",
            subject="raw.orders",
            unique_id="source.storefront.raw.orders",
            run_id=300_412_980,
            confidence=0.9,
            since=NOW - timedelta(hours=8),
            evidence=("ordered_at of the source raw.orders is gone.", "Binder Error: <b>ordered_at</b> was not found"),
        ),
        "tables": 14,
        "exposures": 2,
        "began_at": NOW - timedelta(hours=8),
        "opened_at": NOW - timedelta(hours=7, minutes=55),
        "seen_at": NOW - timedelta(hours=1),
        "gone_at": NOW - timedelta(minutes=30) if is_resolved else None,
        "resolved_at": NOW - timedelta(minutes=10) if is_resolved else None,
        "resolved_by": "",
        "acknowledged_by": "ada" if state == "acknowledged" else "",
    }
    return IncidentSummary(**facts | changes)


def make_incidents(asked: IncidentQuestion | None = None) -> IncidentsReport:
    listed = [
        make_summary(),
        make_summary("acknowledged", 2, sentence=LONG, tables=1_204, exposures=0),
        make_summary("resolved", 3),
    ]
    states = (asked or IncidentQuestion()).states
    shown = tuple(one for one in listed if not states or one.state in states)
    return IncidentsReport(total=len(shown), open=1, acknowledged=1, incidents=shown, as_of=NOW)


def make_incident(state: str = "open", *, by: str = "", note: str = "", **changes) -> IncidentReport:
    number = {"open": 1, "acknowledged": 2, "resolved": 3}[state]
    timeline = [make_transition("opened", "Opened; 16 nodes affected.", 0)]
    timeline.append(make_transition("noted", "Noted by ada.", 1, by="ada", note="Asked the shop.\n<script>1</script>"))
    if by:
        timeline.append(make_transition("noted", f"Noted by {by}.", 2, by=by, note=note))
    facts = {
        "incident": make_summary(state, number),
        "roots": (make_affected("model.storefront.stg_orders"),),
        "jobs": (),
        "affected": (
            make_affected("exposure.storefront.weekly_revenue"),
            *(make_affected(f"model.storefront.table_number_{place}") for place in range(120)),
        ),
        "affected_exposures": (
            ExposureSummary(
                unique_id="exposure.storefront.weekly_revenue",
                name="weekly_revenue",
                project_name="Storefront",
                owner="Growth",
                email="growth@acme.example",
                url=None,
            ),
        ),
        "owners": (OwnerSummary(name="Growth", email=None, owns=("exposure.storefront.weekly_revenue",)),),
        "reruns": (
            RerunCommand(
                project="Storefront",
                command="dbt build --select stg_orders+",
                nodes=121,
                jobs=("Nightly build",),
                expected_seconds=312.0,
            ),
        ),
        "timeline": tuple(timeline),
        "revision": 41,
        "as_of": NOW,
    }
    return IncidentReport(**facts | changes)


def make_affected(unique_id: str) -> AffectedNode:
    return AffectedNode(
        unique_id=unique_id,
        name=unique_id.rpartition(".")[2],
        resource_type=unique_id.partition(".")[0],
        project_id=3,
        project_name="Storefront",
        environment_id=4,
    )


def make_transition(kind: str, sentence: str, hours: int, *, by: str = "", note: str = "") -> TransitionSummary:
    return TransitionSummary(
        kind=kind,
        sentence=sentence,
        happened_at=NOW - timedelta(hours=8 - hours),
        by=by,
        note=note,
        affected=16,
    )
