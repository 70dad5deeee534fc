"""Install each client, serve a simulator over http and https, let each client's checks run against it, and count.

`run.sh` starts this with the project's own Python; a client's checks run with the client's.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import shutil
import subprocess
import sys
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from xml.etree import ElementTree as ET

from headwater.simulator import Assumptions, RunningSimulator, SimulatorSettings, start_in_thread

HERE = Path(__file__).parent
CACHE = HERE.parent.parent / ".cache" / "clients"
PYTHON = "3.11"
NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
INSTALL_SECONDS = 1200
CHECK_SECONDS = 300


@dataclass(frozen=True)
class Client:
    """A client: the folder of its checks, its distribution, whether it speaks https only, what it takes for granted."""

    folder: str
    distribution: str
    https: bool
    assumes: tuple[str, ...] = ()

    def world(self) -> SimulatorSettings:
        """The simulator it is pointed at: fresh, so that no client sees what another did, and the same each time."""
        assumptions = Assumptions().changed(list(self.assumes))
        return SimulatorSettings(seed=7, days=14, now=NOW, clock="manual", tls=self.https, assumptions=assumptions)


@dataclass(frozen=True)
class Count:
    """How many checks of a client passed and failed."""

    passed: int
    failed: int


CLIENTS = (
    Client("dbtc", "dbtc", https=True),
    Client("airflow", "apache-airflow-providers-dbt-cloud", https=True),
    Client("dagster", "dagster-dbt", https=False, assumes=("delete_answer=envelope",)),
)


def main(wanted: list[str]) -> int:
    """Check the clients that are named, or all; the exit status tells whether all is well."""
    unknown = set(wanted) - {client.folder for client in CLIENTS}
    if unknown:
        print(f"no client {', '.join(sorted(unknown))}; there are {', '.join(c.folder for c in CLIENTS)}")
        return 2
    logging.getLogger("uvicorn").setLevel(logging.CRITICAL)  # it complains of connections that faults break
    counts = [check(client) for client in CLIENTS if not wanted or client.folder in wanted]
    passed, failed = sum(count.passed for count in counts), sum(count.failed for count in counts)
    print(f"{passed} passed, {failed} failed")
    return 1 if failed or not passed else 0


def check(client: Client) -> Count:
    """Run a client's checks and print one line; a client that cannot be installed is one failure."""
    try:
        python = installed(client)
    except (subprocess.SubprocessError, OSError) as error:
        print(f"{client.distribution}: could not be installed: {said_by(error)}", flush=True)
        return Count(0, 1)
    report = CACHE / f"{client.folder}.xml"
    report.unlink(missing_ok=True)
    with start_in_thread(client.world()) as simulator:
        output = ran(client, python, report, environment(client, simulator))
    count = counted(report)
    state = f"{count.passed} checks passed" + (f", {count.failed} failed" if count.failed else "")
    if count.failed:
        print(output)
    print(f"{client.distribution} {pinned(client)}: {state}", flush=True)
    return count


def installed(client: Client) -> Path:
    """The client's Python, in an environment made anew when its requirements changed."""
    folder, uv = CACHE / client.folder, os.environ.get("UV", "uv")
    digest = hashlib.sha256((HERE / client.folder / "requirements.txt").read_bytes())
    digest.update((HERE / client.folder / "lock.txt").read_bytes())
    python, mark = folder / "bin" / "python", folder / "requirements.sha256"
    if python.exists() and mark.exists() and mark.read_text() == digest.hexdigest():
        return python
    print(f"{client.distribution}: installing into {folder.relative_to(CACHE.parent.parent)}", flush=True)
    shutil.rmtree(folder, ignore_errors=True)
    lock = str(HERE / client.folder / "lock.txt")
    for command in (
        [uv, "venv", "--quiet", "--no-project", "--python", PYTHON, str(folder)],
        [uv, "pip", "install", "--quiet", "--compile-bytecode", "--python", str(python), "--no-deps", "-r", lock],
        [uv, "pip", "check", "--quiet", "--python", str(python)],
    ):
        subprocess.run(command, check=True, capture_output=True, text=True, timeout=INSTALL_SECONDS)
    mark.write_text(digest.hexdigest())
    return python


def environment(client: Client, simulator: RunningSimulator) -> dict[str, str]:
    """All that the client gets to know: where the simulator is, and homes under .cache; nothing of the caller's."""
    homes = CACHE / "homes" / client.folder
    shutil.rmtree(homes, ignore_errors=True)
    homes.mkdir(parents=True)
    account = simulator.accounts[0]
    host = simulator.url.partition("://")[2].replace("127.0.0.1", "localhost")
    connection = {"conn_type": "dbt_cloud", "login": str(account.id), "password": account.token, "host": host}
    told = {
        "PATH": os.defpath,
        "HOME": str(homes),
        "LANG": "C.UTF-8",
        "PYTHONDONTWRITEBYTECODE": "1",
        "SIMULATOR_URL": simulator.url,
        "SIMULATOR_ACCOUNTS": json.dumps([asdict(account) for account in simulator.accounts]),
        "DBT_CLOUD_HOST": host,
        "DBT_CLOUD_SERVICE_TOKEN": account.token,
        "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
        "DO_NOT_TRACK": "1",
        "AIRFLOW_HOME": str(homes),
        "AIRFLOW_CONN_DBT_CLOUD_DEFAULT": json.dumps(connection),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "false",
        "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "false",
        "DAGSTER_HOME": str(homes),
        "DAGSTER_DBT_CLOUD_POLL_INTERVAL": "0",
        "DAGSTER_DBT_CLOUD_POLL_TIMEOUT": "20",
    }
    if simulator.announcement.ca_path:
        told |= {"REQUESTS_CA_BUNDLE": simulator.announcement.ca_path, "SSL_CERT_FILE": simulator.announcement.ca_path}
    return told


def ran(client: Client, python: Path, report: Path, told: dict[str, str]) -> str:
    """What a client's checks said while they ran."""
    command = [
        *(str(python), "-m", "pytest", "-c", str(HERE / "pytest.ini"), f"--rootdir={HERE}", f"--confcutdir={HERE}"),
        *("-p", "no:cacheprovider", f"--junitxml={report}", str(HERE / client.folder / "checks.py")),
    ]
    try:
        done = subprocess.run(
            command, env=told, cwd=told["HOME"], capture_output=True, text=True, check=False, timeout=CHECK_SECONDS
        )
    except subprocess.TimeoutExpired as late:
        return said_by(late)
    return done.stdout + done.stderr


def counted(report: Path) -> Count:
    """The counts in a report; without a report, or with checks that were skipped, something failed."""
    if not report.exists():
        return Count(0, 1)
    suites = list(ET.parse(report).getroot().iter("testsuite"))

    def total(name: str) -> int:
        return sum(int(suite.get(name, "0")) for suite in suites)

    failed = total("failures") + total("errors") + total("skipped")
    return Count(max(total("tests") - failed, 0), failed or int(not total("tests")))


def pinned(client: Client) -> str:
    """The client's version, as its requirements pin it."""
    lines = (HERE / client.folder / "requirements.txt").read_text().splitlines()
    return next(line for line in lines if line.startswith(f"{client.distribution}==")).partition("==")[2].split()[0]


def said_by(error: Exception) -> str:
    """An error with what the command printed."""
    said = [getattr(error, "stdout", None), getattr(error, "stderr", None)]
    texts = [text.decode(errors="replace") if isinstance(text, bytes) else text for text in said if text]
    return "\n".join([str(error), *texts])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
