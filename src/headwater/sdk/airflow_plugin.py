"""The plugin that Airflow loads by its entry point: it collects what a task of the dbt Cloud provider ran or watched.

Only Airflow imports this module. Both versions of Airflow call a listener within the task's own process, after the
task has ended, and in both the arguments that a listener does not name are left out.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Mapping
from typing import Any

from pluggy import HookimplMarker

from headwater.sdk.airflow import read_task
from headwater.sdk.call import RunRequest, collect_run

try:
    from airflow.sdk.plugins_manager import AirflowPlugin
except ImportError:
    from airflow.plugins_manager import AirflowPlugin

_WATCHED = (
    ("airflow.providers.dbt.cloud.operators.dbt", "DbtCloudRunJobOperator"),
    ("airflow.providers.dbt.cloud.sensors.dbt", "DbtCloudJobRunSensor"),
)
_FETCH_SECONDS = 15.0
"""Airflow ends a task that goes on for 20 seconds after its success (`core.task_success_overtime`)."""

_hookimpl = HookimplMarker("airflow")
_log = logging.getLogger("headwater")


class RunListener:
    """Told by Airflow of every task that ended, also of each try that failed."""

    @_hookimpl
    def on_task_instance_success(self, task_instance: Any) -> None:
        """Collect what a task that went well ran."""
        collect_after(task_instance, os.environ)

    @_hookimpl
    def on_task_instance_failed(self, task_instance: Any) -> None:
        """Collect what a try that failed ran: dbt may be why it failed."""
        collect_after(task_instance, os.environ)


class HeadwaterPlugin(AirflowPlugin):  # type: ignore[misc]  # Airflow is not installed where this is checked
    """Makes Airflow know the listener."""

    name = "headwater"
    listeners = (RunListener(),)


def collect_after(task_instance: Any, environ: Mapping[str, str]) -> None:
    """Collect the dbt Cloud run of a task that ended, if it is the provider's and the environment names a server."""
    if not (environ.get("HEADWATER_URL") or environ.get("HEADWATER_TOKEN")) or not _is_watched(task_instance.task):
        return
    try:
        request = _find_run(task_instance)
        if request is not None:
            collect_run(request, read_task(task_instance, environ), environ)
    except Exception as error:  # noqa: BLE001
        # Airflow's and the provider's own objects may do anything, and the task has ended well or badly without us.
        _log.warning("Headwater collected nothing after the task %s: %s.", task_instance.task_id, type(error).__name__)


def _is_watched(task: Any) -> bool:
    """Whether a task is one of the provider's, or made from one; a provider that nothing imported has no tasks."""
    kinds = (getattr(sys.modules.get(module), name, None) for module, name in _WATCHED)
    return isinstance(task, tuple(kind for kind in kinds if kind is not None))


def _find_run(task_instance: Any) -> RunRequest | None:
    """Find the run of a task and how to read it: as the operator does, by its connection; None where it began none."""
    task = task_instance.task
    run_id = task.run_id or task_instance.xcom_pull(
        task_ids=task_instance.task_id, key="job_run_id", map_indexes=task_instance.map_index
    )
    if not run_id:
        return None
    connection = task.hook.connection
    return RunRequest(
        account_id=task.account_id or connection.login,
        token=connection.password,
        run_id=run_id,
        url=f"https://{connection.host or 'cloud.getdbt.com'}",
        timeout=_FETCH_SECONDS,
    )
