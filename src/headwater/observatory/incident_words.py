"""An incident in one sentence: what happens since when, why, and what it reaches."""

from __future__ import annotations

from datetime import datetime

from headwater.model.incident import Incident, Reach, Transition, TransitionKind, reach_of
from headwater.model.node import short_name
from headwater.model.verdict import Cause, CauseKind

_LATE, _JOB = "late:", "job:"
_OF_NODE = {
    CauseKind.CODE_CHANGED: "the code of {name} was changed",
    CauseKind.UPSTREAM_CODE_CHANGED: "the code of {name}, upstream, was changed",
    CauseKind.CONFIGURATION_CHANGED: "the configuration of {name} was changed",
    CauseKind.MACRO_CHANGED: "the macro {name} was changed",
    CauseKind.SEED_CHANGED: "the seed {name} was changed",
    CauseKind.COLUMNS_CHANGED: "a column of {name} is gone",
    CauseKind.CONTRACT_BREACH: "{name} does not keep its contract",
    CauseKind.SOURCE_STALE: "the source {name} gets no new rows",
    CauseKind.SOURCE_MISSING: "the table of the source {name} is not there",
    CauseKind.DATA_CHANGED: "the data of {name} are other than they were",
    CauseKind.TEST_FAILED: "the test {name} finds bad rows",
}
_OF_RUN = {
    CauseKind.WAREHOUSE_TROUBLE: "the warehouse does not do its part",
    CauseKind.RUN_FAILED_BEFORE_DBT: "{run} failed before dbt built anything",
    CauseKind.RUN_CANCELLED: "{run} was cancelled",
    CauseKind.RUN_QUEUED: "{run} waits in the queue",
    CauseKind.RUN_NOT_STARTED: "its job did not start when it should have",
    CauseKind.RUN_SLOW: "{run} takes much longer than usual",
}


def say_incident(incident: Incident, now: datetime) -> str:
    """Say an incident: `stg_orders fails since 04:10: a column of shop.orders is gone. 14 tables hold old …`."""
    return f"{_say_roots(incident, now)}: {say_cause(incident.cause)}. {_say_state(incident)}"


def say_cause(cause: Cause) -> str:
    """Say a cause in a few words."""
    run = f"run {cause.run_id}" if cause.run_id is not None else "dbt"
    if cause.kind in _OF_RUN:
        return _OF_RUN[cause.kind].format(run=run)
    name = short_name(cause.unique_id) if cause.unique_id else run
    if cause.kind is CauseKind.NODE_FAILED:
        return cause.evidence[0].rstrip(".") if cause.evidence else f"{name} failed"
    words = _OF_NODE.get(cause.kind)
    return words.format(name=name) if words else f"{str(cause.kind).replace('_', ' ')} ({name})"


def say_reach(reach: Reach) -> str:
    """Say how much suffers: 14 tables and 2 exposures; empty where nothing does."""
    parts = [_count(reach.tables, "table"), _count(reach.exposures, "exposure")]
    said = " and ".join(part for part in parts if part)
    return said or _count(reach.others, "node")


def say_transition(transition: Transition) -> str:
    """Say what happened to an incident."""
    by = f" by {transition.by}" if transition.by else ""
    reached = f"{transition.affected:,} {'node' if transition.affected == 1 else 'nodes'}"
    return {
        TransitionKind.OPENED: f"Opened; {reached} affected.",
        TransitionKind.GREW: f"It grew; {reached} affected.",
        TransitionKind.SHRANK: f"It shrank; {reached} affected.",
        TransitionKind.CAUSE_GONE: f"The cause is gone; {reached} to be rebuilt.",
        TransitionKind.CAUSE_BACK: "The cause is back.",
        TransitionKind.ACKNOWLEDGED: f"Acknowledged{by}.",
        TransitionKind.UNACKNOWLEDGED: f"No longer acknowledged{by}.",
        TransitionKind.NOTED: f"Noted{by}.",
        TransitionKind.RESOLVED: f"Resolved{by}." if by else "Resolved by itself: the cause is gone, all is rebuilt.",
        TransitionKind.REOPENED: f"Opened again; {reached} affected.",
    }[transition.kind]


def _say_roots(incident: Incident, now: datetime) -> str:
    failing = sorted(root for root in incident.roots if not root.startswith((_LATE, _JOB)))
    late = sorted(root.removeprefix(_LATE) for root in incident.roots if root.startswith(_LATE))
    named = _name_root(incident, failing) if failing else short_name(late[0]) if late else "A job"
    others = len(failing or late) - 1
    more = f" and {others:,} other{'' if others == 1 else 's'}" if others > 0 else ""
    verb = "fail" if others > 0 else "fails"
    if not failing:
        verb = "are late" if others > 0 else "is late"
    elif incident.cause.kind is CauseKind.SOURCE_STALE and incident.cause.unique_id in failing:
        verb = "are stale" if others > 0 else "is stale"
    if incident.gone_at is not None or incident.is_resolved:
        return f"{named}{more} {_PAST[verb]} from {_moment(incident.began_at, now)} on"
    return f"{named}{more} {verb} since {_moment(incident.began_at, now)}"


_PAST = {
    "fails": "failed", "fail": "failed", "is late": "was late", "are late": "were late", "is stale": "was stale",
    "are stale": "were stale",
}  # fmt: skip


def _name_root(incident: Incident, failing: list[str]) -> str:
    """Name the node that the cause lies in where it is one of them, else a table before a test."""
    if incident.cause.unique_id in failing:
        return short_name(incident.cause.unique_id or "")
    return short_name(min(failing, key=lambda root: (root.startswith(("test.", "unit_test.")), root)))


def _say_state(incident: Incident) -> str:
    said = say_reach(reach_of(incident.affected))
    is_one = said.startswith("1 ") and " and " not in said
    if incident.is_resolved:
        return "It is resolved."
    if not said:
        return "No table is known to be reached."
    if incident.gone_at is not None:
        return f"The cause is gone; {said} {'is' if is_one else 'are'} still to be rebuilt."
    return f"{said} {'holds' if is_one else 'hold'} old or bad data."


def _moment(moment: datetime, now: datetime) -> str:
    return f"{moment:%H:%M}" if now.date() == moment.date() else f"{moment:%Y-%m-%d %H:%M} UTC"


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}" if number else ""
