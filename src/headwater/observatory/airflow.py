"""Where in Airflow a run came from, and where it was collected."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import urlsplit

from headwater.model.airflow import AirflowPart, name_task
from headwater.model.run import AirflowContext
from headwater.observatory.reports import AirflowSummary, ObservationSummary
from headwater.store.rows import Observation


def describe_airflow_part(part: AirflowPart | None) -> str | None:
    """Say which task a run came from; None where Airflow had no part in it."""
    if part is None:
        return None
    return f"It was {'triggered' if part.is_trigger else 'collected'} by {name_task(part.task)}."


def summarise_task(context: AirflowContext) -> AirflowSummary:
    """Give an Airflow task for a report, without an address that is not one of the web: it comes from outside."""
    is_mapped = context.map_index is not None and context.map_index >= 0
    return AirflowSummary(
        dag_id=context.dag_id,
        task_id=context.task_id,
        dag_run_id=context.dag_run_id,
        try_number=context.try_number,
        map_index=context.map_index if is_mapped else None,
        logical_date=context.logical_date,
        owner=context.owner,
        url=context.url if _is_web_address(context.url) else None,
    )


def summarise_observations(observations: Sequence[Observation]) -> tuple[ObservationSummary, ...]:
    """Give who saw a run when, and from where in Airflow."""
    return tuple(
        ObservationSummary(
            way=str(seen.way),
            first_seen_at=seen.first_seen_at,
            airflow=None if seen.context is None else name_task(seen.context),
            task=None if seen.context is None else summarise_task(seen.context),
        )
        for seen in observations
    )


def _is_web_address(address: str | None) -> bool:
    try:
        parts = urlsplit(address or "")
    except ValueError:
        return False
    return parts.scheme in {"http", "https"} and bool(parts.netloc)
