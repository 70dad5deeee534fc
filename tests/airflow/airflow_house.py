"""A real Airflow in an environment of its own, a simulated dbt Cloud over HTTPS, and a served Headwater."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from cloud import make_settings
from headwater.model.secret import Secret
from headwater.observatory.access import Role, create_token
from headwater.observatory.accounts import add_account
from headwater.observatory.holder import Observatory, open_observatory
from headwater.observatory.inbox import storing_accepted
from headwater.observatory.reports import RunReport
from headwater.observatory.runs import get_run
from headwater.simulator import RunningSimulator, SimulatorSettings, start_in_thread
from headwater.web.app import create_app
from headwater.web.serve import listen, make_server
from installing import ROOT, find_uv, one_at_a_time

HERE = Path(__file__).parent
DAGS = HERE / "dags"
VERSIONS = ("2.11", "3")
GONE = "http://127.0.0.1:1"
"""Where no server is."""
PAGES = "https://airflow.example"
"""Where Airflow's pages are said to be."""
SPEED = 200
"""How much faster than real the simulated dbt Cloud goes: an hourly job takes about a second."""
FAILING, WELL = "finance/metrics_hourly/compilation_error", "finance/metrics_hourly/healthy-b"
JOB_NAME, OTHER_JOB_NAME = "Metrics hourly", "Source freshness"


@dataclass(frozen=True)
class Installed:
    """An Airflow with the dbt Cloud provider, as it comes from PyPI, and its empty database."""

    version: str
    python: Path
    database: Path


@dataclass(frozen=True)
class Ran:
    """What the DAGs said, and what is true in dbt Cloud afterwards."""

    house: AirflowHouse
    said: str

    def states(self) -> dict[str, str]:
        """Give how each DAG ended."""
        lines = (line.split() for line in self.said.splitlines() if line.startswith("DAG "))
        return {words[1]: words[3] for words in lines}

    def runs(self, dag_id: str) -> list[dict[str, Any]]:
        """Give the true runs that a DAG's task triggered, oldest first."""
        causes = (f"Triggered via Apache Airflow by task 'run_dbt' in the {dag_id} DAG.", f'"name":"{dag_id}.run_dbt"')
        return [run for run in self.house.truth() if any(cause in run["trigger_cause"] for cause in causes)]

    def reports(self, dag_id: str) -> list[RunReport]:
        """Give what Headwater has of these runs."""
        return [self.house.report(run["id"]) for run in self.runs(dag_id)]


@dataclass(frozen=True)
class AirflowHouse:
    """An Airflow, dbt Cloud and Headwater together."""

    installed: Installed
    packages: Path
    simulator: RunningSimulator
    observatory: Observatory
    url: str
    token: str
    folder: Path

    @property
    def account_id(self) -> int:
        return self.simulator.accounts[0].id

    @property
    def dbt_url(self) -> str:
        return self.simulator.url.replace("127.0.0.1", "localhost")

    def truth(self) -> list[dict[str, Any]]:
        """Give what is true of the account's runs, oldest first."""
        (account,) = self.simulator.truth(account_id=self.account_id, executions="false")["accounts"]
        return sorted(account["runs"], key=lambda run: run["id"])

    def job_id(self, name: str) -> int:
        return next(run["job_id"] for run in self.truth() if run["job_name"] == name)

    def let_every_other_fail(self, times: int) -> None:
        """Let dbt fail in the next run of the job that is asked for, and go well in the one after it."""
        job_id = str(self.job_id(JOB_NAME))
        self.simulator.control("POST", "faults", {"next_recordings": {job_id: [FAILING, WELL] * times}})

    def run(self, *dags: str) -> Ran:
        """Run DAGs to their ends in one process of Airflow."""
        done = subprocess.run(
            [self.installed.python, DAGS / "dags.py", *dags],
            env=self.environment(),
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        said = done.stdout + done.stderr
        assert done.returncode == 0, said
        return Ran(self, said)

    def environment(self) -> dict[str, str]:
        """Give all that Airflow gets to know; nothing of the machine but where programs are."""
        account = self.simulator.accounts[0]
        host = self.dbt_url.partition("://")[2]
        connection = {"conn_type": "dbt_cloud", "login": str(account.id), "password": account.token, "host": host}
        ca_path = str(self.simulator.announcement.ca_path)
        return {
            "PATH": f"{self.installed.python.parent}:{os.defpath}",
            "HOME": str(self.folder),
            "LANG": "C.UTF-8",
            "PYTHONPATH": str(self.packages),
            "AIRFLOW_HOME": str(self.folder / "airflow"),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "false",
            "AIRFLOW__CORE__DAGS_FOLDER": str(DAGS),
            "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "false",
            "AIRFLOW__API__BASE_URL" if self.installed.version == "3" else "AIRFLOW__WEBSERVER__BASE_URL": PAGES,
            "AIRFLOW_CONN_DBT_CLOUD_DEFAULT": json.dumps(connection),
            "AIRFLOW_VAR_DBT_CLOUD_TOKEN": account.token,
            "REQUESTS_CA_BUNDLE": ca_path,
            "SSL_CERT_FILE": ca_path,
            "JOBS": f"{self.job_id(JOB_NAME)},{self.job_id(OTHER_JOB_NAME)}",
            "ACCOUNT_ID": str(account.id),
            "DBT_URL": self.dbt_url,
            "DBT_CLOUD_API_TOKEN": account.token,
            "PLAIN_PYTHON": str(self.installed.python),
            "HEADWATER": self.url,
            "TOKEN": self.token,
            "HEADWATER_SPOOL": str(self.folder / "spool"),
        }

    def report(self, run_id: int) -> RunReport:
        """Give what is stored of a run."""
        return get_run(self.observatory, "first", run_id)


def install_airflow(version: str) -> Installed:
    """Install an Airflow below `.cache`, once for each list of versions, with a database that is up to date."""
    lock = HERE / f"airflow-{version}" / "lock.txt"
    digest = hashlib.sha256(lock.read_bytes()).hexdigest()[:16]
    folder = ROOT / ".cache" / "airflow" / f"{version}-{digest}"
    installed = Installed(version, folder / "bin" / "python", folder / "airflow.db")
    with one_at_a_time(folder.parent):
        if not installed.database.exists():
            _make_environment(installed, lock)
            _make_database(installed)
    return installed


def _make_environment(installed: Installed, lock: Path) -> None:
    folder = installed.database.parent
    shutil.rmtree(folder, ignore_errors=True)
    uv = find_uv()
    pip = (uv, "pip")
    for command in (
        [uv, "venv", "--quiet", "--no-project", "--python", "3.11", folder],
        [*pip, "install", "--quiet", "--compile-bytecode", "--python", installed.python, "--no-deps", "-r", lock],
        [*pip, "check", "--quiet", "--python", installed.python],
    ):
        subprocess.run(command, check=True, capture_output=True, text=True)


def _make_database(installed: Installed) -> None:
    with tempfile.TemporaryDirectory() as home:
        environ = {"PATH": f"{installed.python.parent}:{os.defpath}", "HOME": home, "AIRFLOW_HOME": home}
        environ |= {"AIRFLOW__CORE__LOAD_EXAMPLES": "false"}
        command = [installed.python.with_name("airflow"), "db", "migrate"]
        subprocess.run(command, env=environ, check=True, capture_output=True, text=True)
        draft = installed.database.with_suffix(".draft")
        shutil.copy(Path(home) / "airflow.db", draft)
        draft.rename(installed.database)


def build_wheel(folder: Path) -> Path:
    """Build Headwater's wheel."""
    subprocess.run([find_uv(), "build", "--quiet", "--wheel", "--out-dir", folder, ROOT], check=True)
    return next(folder.glob("headwater-*.whl"))


def unpack_wheel(wheel: Path, folder: Path) -> Path:
    """Install the wheel alone into a folder, which then stands on Airflow's path; its environment stays as it is."""
    command = [find_uv(), "pip", "install", "--quiet", "--no-deps", "--python", "3.11", "--target", folder, wheel]
    subprocess.run(command, check=True)
    return folder


@contextmanager
def airflow_house(version: str, wheel: Path, folder: Path) -> Iterator[AirflowHouse]:
    """Start dbt Cloud and Headwater, connected, and make an Airflow's home."""
    installed = install_airflow(version)
    (folder / "airflow").mkdir()
    shutil.copy(installed.database, folder / "airflow" / "airflow.db")
    settings = SimulatorSettings(days=1, seed=1, tls=True, speed=SPEED)
    with start_in_thread(settings) as simulator, _watching(simulator, folder) as observatory:
        token = create_token(observatory, "house", Role.INGEST)[1].reveal()
        with _served(observatory) as url:
            packages = unpack_wheel(wheel, folder / "packages")
            yield AirflowHouse(installed, packages, simulator, observatory, url, token, folder)


@contextmanager
def _watching(simulator: RunningSimulator, folder: Path) -> Iterator[Observatory]:
    """Open an observatory with the simulator's first account connected, on the simulator's clock."""
    account, ca_file = simulator.accounts[0], simulator.announcement.ca_path
    settings = make_settings(folder / "headwater", days=1, dbt_cloud={"ca_file": ca_file})

    def clock() -> datetime:
        return datetime.fromisoformat(simulator.control("GET", "clock")["now"])

    with open_observatory(settings, clock=clock) as observatory:
        url = simulator.url.replace("127.0.0.1", "localhost")
        token = Secret(account.token)
        add_account(observatory, "first", account_id=account.id, url=url, token=token, allow_private=True)
        yield observatory


@contextmanager
def _served(observatory: Observatory) -> Iterator[str]:
    server = make_server(create_app(observatory))
    with storing_accepted(observatory), listen("127.0.0.1", 0) as listener:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        server.should_exit = True
        thread.join()
