"""The DAGs of the tests, for Airflow 2.11 and 3; it runs with Airflow's Python: `python dags.py DAG …`, one by one.

Nothing here is ours but the call in `record_run`, which is the one of docs/howto/collect-from-airflow.md.
"""

from __future__ import annotations

import os
import sys
from datetime import UTC, datetime, timedelta

from airflow.providers.dbt.cloud.operators.dbt import DbtCloudRunJobOperator
from airflow.providers.dbt.cloud.sensors.dbt import DbtCloudJobRunSensor

try:
    from airflow.providers.standard.operators.bash import BashOperator
    from airflow.providers.standard.operators.python import PythonOperator
    from airflow.sdk import DAG, Variable, task
except ImportError:
    from airflow.decorators import task
    from airflow.models import DAG, Variable
    from airflow.operators.bash import BashOperator
    from airflow.operators.python import PythonOperator

JOB, OTHER_JOB = (int(number) for number in os.environ["JOBS"].split(","))
template = "{{ ti.xcom_pull(task_ids='run_dbt') }}"
AGAIN = {"retries": 1, "retry_delay": timedelta(0)}


def record_run(dbt_run_id: int) -> str:
    """Record a run by the SDK, and give the outcome."""
    from headwater import collect_data_from_dbt_cloud

    result = collect_data_from_dbt_cloud(
        dbt_cloud_account_id=int(os.environ["ACCOUNT_ID"]),
        dbt_cloud_api_token=Variable.get("dbt_cloud_token"),
        dbt_job_run_id=dbt_run_id,
        dbt_api_url=os.environ["DBT_URL"],
    )
    print(f"outcome of {dbt_run_id}: {result.outcome}, {result.error}")  # read by the tests
    return result.outcome


def run_job(**options: object) -> DbtCloudRunJobOperator:
    """The provider's operator, polling quickly."""
    return DbtCloudRunJobOperator(task_id="run_dbt", **{"job_id": JOB, "check_interval": 1} | options)


def new_dag(name: str) -> DAG:
    return DAG(name, schedule=None, start_date=datetime(2026, 1, 1, tzinfo=UTC), catchup=False)


with new_dag("listened") as listened:
    run_job(**AGAIN)

with new_dag("deferred") as deferred:
    run_job(deferrable=True, **AGAIN)

with new_dag("mapped") as mapped:
    DbtCloudRunJobOperator.partial(task_id="run_dbt", check_interval=1).expand(job_id=[JOB, OTHER_JOB])

with new_dag("watched") as watched:
    begun = run_job(wait_for_termination=False, trigger_reason="The nightly models, as every night.")
    DbtCloudJobRunSensor(task_id="watch", run_id=begun.output, poke_interval=1, timeout=60)

with new_dag("called") as called:
    ended = run_job()
    task(record_run, task_id="record_run", trigger_rule="all_done")(ended.output)
    record_again = PythonOperator(
        task_id="record_again", python_callable=record_run, op_kwargs={"dbt_run_id": template}
    )
    ended >> record_again

with new_dag("away") as away:
    task(record_run, task_id="record_run", **AGAIN)(run_job().output)

with new_dag("unseen") as unseen:
    run_job(openlineage_inject_parent_job_info=True, **AGAIN)

with new_dag("worded") as worded:
    run_job()

with new_dag("isolated") as isolated:
    # A process of its own has the task's environment and nothing else of Airflow, as with `@task.virtualenv`.
    command = "$PLAIN_PYTHON -m headwater.sdk collect --account-id $ACCOUNT_ID --url $DBT_URL --run-id"
    run_job() >> BashOperator(task_id="record_run", bash_command=f"{command} {template}")


def main(names: list[str]) -> None:
    """Run DAGs one after the other, each with what a name may say after `=`: the server, or none."""
    for name in names:
        dag_id, _, server = name.partition("=")
        os.environ["HEADWATER_URL"] = server or os.environ["HEADWATER"]
        os.environ["HEADWATER_TOKEN"] = os.environ["TOKEN"]
        if server == "none":
            del os.environ["HEADWATER_URL"], os.environ["HEADWATER_TOKEN"]
        ended = globals()[dag_id].test()
        print(f"DAG {dag_id} ended: {ended.state}", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
