"""The how-to page on Airflow, tried from zero by its own text, in each Airflow.

What a reader would put in is put in: addresses, ids and tokens, and on Airflow 2 the modules that the page names for
it. The operator polls every second, for the simulated jobs are that short. Packages come from the wheel and go to a
folder on Python's path, so that the installed Airflow stays as it is.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from airflow_house import JOB_NAME, WELL, AirflowHouse

from cloud import wait_until_stored
from installing import ROOT

PAGE = (ROOT / "docs" / "howto" / "collect-from-airflow.md").read_text()
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
FLUSHED = {"sent", "left", "refused", "error"}


@dataclass
class Tried:
    """What the commands of the page said, by command line as the page has it, and the runs each DAG triggered."""

    said: dict[str, str]
    runs: dict[str, list[int]]


@pytest.fixture(scope="module")
def tried(house: AirflowHouse, wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Tried:
    """Every code block of the page was carried out in order, in an empty folder."""
    folder = tmp_path_factory.mktemp("howto")
    (folder / "dags").mkdir()
    job_id = house.job_id(JOB_NAME)
    house.simulator.control("POST", "faults", {"next_recordings": {str(job_id): [WELL] * 2}})
    known = {run["id"] for run in house.truth()}
    environ = make_environment(house, folder)
    said: dict[str, str] = {}
    for number, (language, block) in enumerate(BLOCKS):
        if language == "python":
            code = put_in(block, house, job_id)
            (folder / "dags" / f"dag{number}.py").write_text(in_this_version(code, house.installed.version))
        for line in block.splitlines() if language == "console" else ():
            if line.startswith("$ export "):
                name, _, value = line.removeprefix("$ export ").partition("=")
                environ[name] = {"HEADWATER_URL": house.url, "HEADWATER_TOKEN": token_in(said)}.get(name, value)
                environ[name] = environ[name].replace("/var/lib/airflow", str(folder))
            elif line.startswith("$ "):
                done = run_line(line[2:], house, environ, folder, wheel)
                said[line[2:].split(" --account-id")[0]] = done.stdout
                assert done.returncode == 0, (line, done.stdout, done.stderr)
                wait_until_stored(house.observatory)
    new = [run for run in house.truth() if run["id"] not in known]
    runs = {
        dag: [run["id"] for run in new if f"task 'run_dbt' in the {dag} DAG" in run["trigger_cause"]]
        for dag in ("nightly", "recorded")
    }
    return Tried(said, runs)


def make_environment(house: AirflowHouse, folder: Path) -> dict[str, str]:
    """Give what Airflow and Headwater on this machine know before the page is read: connections and settings."""
    environ = house.environment()
    for name in ("HEADWATER", "TOKEN", "HEADWATER_SPOOL", "JOBS"):
        del environ[name]
    database = f"sqlite:///{house.folder / 'headwater' / 'headwater.db'}"
    settings = {"HEADWATER__DATABASE_URL": database, "HEADWATER__DATA_FOLDER": str(house.folder / "headwater")}
    packages = {"PYTHONPATH": str(folder / "packages"), "AIRFLOW__CORE__DAGS_FOLDER": str(folder / "dags")}
    return environ | settings | packages


def put_in(text: str, house: AirflowHouse, job_id: int, run_id: int = 0) -> str:
    """Put in the account, the job, the run and dbt Cloud's address of this house."""
    for shown, here in (
        ("12345", house.account_id),
        ("job_id=42", f"job_id={job_id}, check_interval=1"),
        ("70403103936332", run_id),
    ):
        text = text.replace(shown, str(here))
    return text.replace("https://ab123.us1.dbt.com", house.dbt_url)


def in_this_version(code: str, version: str) -> str:
    """Take the modules that the page names for Airflow 2."""
    if version == "3":
        return code
    return re.sub(r"^from \S+ (import .*?)  # Airflow 2: (\S+)$", r"from \2 \1", code, flags=re.MULTILINE)


def token_in(said: dict[str, str]) -> str:
    """Give the token that the page's first command printed."""
    found = re.search(r"hw_i_\S+", said["headwater token create airflow --role ingest"])
    assert found is not None
    return found[0]


def run_line(
    line: str, house: AirflowHouse, environ: dict[str, str], folder: Path, wheel: Path
) -> subprocess.CompletedProcess[str]:
    """Run a line in a shell: Airflow's own programs, or `headwater` as it is installed on the server."""
    environ = dict(environ)
    if line.startswith("headwater "):
        environ |= {"PATH": f"{Path(sys.executable).parent}:{os.defpath}", "PYTHONPATH": ""}
    if line.startswith("pip "):
        environ |= {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(wheel.parent)}
    if line.startswith("pip install 'h"):
        environ |= {"PIP_TARGET": str(folder / "packages"), "PIP_NO_DEPS": "1"}
    if "token.txt" in line:
        (folder / "token.txt").write_text(environ["DBT_CLOUD_API_TOKEN"])
    if "DBT_CLOUD_API_TOKEN=…" in line:
        line = line.removeprefix("DBT_CLOUD_API_TOKEN=… ")
    run_id = max(run["id"] for run in house.truth() if run["status"] == 10)
    line = put_in(line, house, 0, run_id)
    return subprocess.run(
        ["sh", "-c", line], env=environ, cwd=folder, capture_output=True, text=True, timeout=300, check=False
    )


def test_nothing_but_headwater_would_be_installed(tried: Tried) -> None:
    """The dry run that the page tells of says so."""
    planned = re.findall(r"Would install (.*)", tried.said["pip install --dry-run 'headwater[airflow]'"])

    assert planned == ["headwater-0.1.0"]


def test_the_dag_without_a_line_for_it(house: AirflowHouse, tried: Tried) -> None:
    """The run that `airflow dags test nightly` triggered is stored with its task, whole."""
    (run_id,) = tried.runs["nightly"]
    report = house.report(run_id)

    assert report.airflow_sentence == "It was triggered by DAG nightly, task run_dbt, try 1."
    assert (report.observed_by, report.is_complete, bool(report.executions)) == (("sdk",), True, True)


def test_the_dag_that_calls(house: AirflowHouse, tried: Tried) -> None:
    """Plugin, task and operator each handed the run in, and it is one; so may have the page's commands, of no task."""
    (run_id,) = tried.runs["recorded"]
    tasks = {seen.airflow for seen in house.report(run_id).observations if seen.airflow is not None}

    names = ("run_dbt", "record_by_task", "record_by_operator")
    assert tasks == {f"DAG recorded, task {name}, try 1" for name in names}
    assert f"{run_id}" in tried.said["headwater runs"]


def test_the_commands_for_what_was_kept_and_for_plain_python(tried: Tried) -> None:
    """`flush` prints the fields that the page shows; both `collect` commands send a run."""
    assert set(json.loads(tried.said["python -m headwater.sdk flush"])) == FLUSHED
    assert json.loads(tried.said["DBT_CLOUD_API_TOKEN=… python -m headwater.sdk collect"])["outcome"] == "sent"
    assert "sent" in tried.said["headwater collect"]
