"""Where in Airflow we are, from what Airflow puts into the environment of a task."""

from __future__ import annotations

from collections.abc import Mapping

from headwater.model.run import AirflowContext


def find_airflow_context(environ: Mapping[str, str]) -> AirflowContext | None:
    """Find the DAG, task, run and try; None outside of a task.

    Airflow sets `AIRFLOW_CTX_*` around each task; version 3 calls the execution date the logical date.
    """
    dag_id = environ.get("AIRFLOW_CTX_DAG_ID")
    if not dag_id:
        return None
    number = environ.get("AIRFLOW_CTX_TRY_NUMBER", "")
    return AirflowContext(
        dag_id=dag_id,
        task_id=environ.get("AIRFLOW_CTX_TASK_ID"),
        dag_run_id=environ.get("AIRFLOW_CTX_DAG_RUN_ID"),
        try_number=int(number) if number.isdecimal() else None,
        logical_date=environ.get("AIRFLOW_CTX_LOGICAL_DATE") or environ.get("AIRFLOW_CTX_EXECUTION_DATE"),
        owner=environ.get("AIRFLOW_CTX_DAG_OWNER"),
    )
