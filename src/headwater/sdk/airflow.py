"""Where in Airflow we are: from the running task where Airflow is loaded, else from the task's environment."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any
from urllib.parse import quote

from headwater.model.run import AirflowContext

_TASK_MODULES = ("airflow.sdk", "airflow.operators.python")
"""Where `get_current_context` is in Airflow 3 and in Airflow 2; they are looked into, never imported."""


def find_airflow_context(environ: Mapping[str, str]) -> AirflowContext | None:
    """Find the DAG, task, run and try; None outside of a task."""
    try:
        task_instance = _find_running_task()
        return read_environment(environ) if task_instance is None else read_task(task_instance, environ)
    except Exception:  # noqa: BLE001
        # Airflow's own objects may do anything; the environment tells enough.
        return read_environment(environ)


def read_task(task_instance: Any, environ: Mapping[str, str]) -> AirflowContext:
    """Read a task instance of Airflow 2 or 3; what only the environment has of the same task is taken from there."""
    here = AirflowContext(
        dag_id=str(task_instance.dag_id),
        task_id=str(task_instance.task_id),
        dag_run_id=str(task_instance.run_id),
        try_number=task_instance.try_number,
        map_index=task_instance.map_index,
        started_at=_iso(getattr(task_instance, "start_date", None)),
        url=str(task_instance.log_url),
    )
    around = read_environment(environ)
    if around is None or (around.dag_id, around.task_id, around.dag_run_id) != (
        here.dag_id,
        here.task_id,
        here.dag_run_id,
    ):
        return here
    return replace(here, logical_date=around.logical_date, owner=around.owner)


def read_environment(environ: Mapping[str, str]) -> AirflowContext | None:
    """Read what Airflow puts into the environment of a task, `AIRFLOW_CTX_*`; None where it did not.

    Version 3 calls the execution date the logical date. The environment does not have the map index.
    """
    dag_id = environ.get("AIRFLOW_CTX_DAG_ID")
    if not dag_id:
        return None
    number = environ.get("AIRFLOW_CTX_TRY_NUMBER", "")
    context = AirflowContext(
        dag_id=dag_id,
        task_id=environ.get("AIRFLOW_CTX_TASK_ID"),
        dag_run_id=environ.get("AIRFLOW_CTX_DAG_RUN_ID"),
        try_number=int(number) if number.isdecimal() else None,
        logical_date=environ.get("AIRFLOW_CTX_LOGICAL_DATE") or environ.get("AIRFLOW_CTX_EXECUTION_DATE"),
        owner=environ.get("AIRFLOW_CTX_DAG_OWNER"),
    )
    return replace(context, url=_page(context, environ))


def _find_running_task() -> Any | None:
    for name in _TASK_MODULES:
        get_current_context = getattr(sys.modules.get(name), "get_current_context", None)
        if get_current_context is not None:
            return get_current_context()["ti"]
    return None


def _page(context: AirflowContext, environ: Mapping[str, str]) -> str | None:
    """Give the address of a task's page where the environment says where Airflow's pages are."""
    dag_id, task_id, run_id = (
        quote(word or "", safe="") for word in (context.dag_id, context.task_id, context.dag_run_id)
    )
    if not task_id or not run_id:
        return None
    if base := environ.get("AIRFLOW__API__BASE_URL"):
        number = f"?try_number={context.try_number}" if context.try_number else ""
        return f"{base.rstrip('/')}/dags/{dag_id}/runs/{run_id}/tasks/{task_id}{number}"
    if base := environ.get("AIRFLOW__WEBSERVER__BASE_URL"):
        return f"{base.rstrip('/')}/dags/{dag_id}/grid?dag_run_id={run_id}&task_id={task_id}&tab=logs"
    return None


def _iso(moment: object) -> str | None:
    return moment.isoformat() if isinstance(moment, datetime) else None
