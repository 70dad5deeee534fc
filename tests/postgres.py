"""A real PostgreSQL for the tests: Debian's binaries, a data folder of its own, gone when the session is over."""

from __future__ import annotations

import itertools
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psycopg

TEMPLATE = "headwater_template"
_PATIENCE = 60.0


class PostgresMissing(Exception):
    """There are no server binaries, and they cannot be installed here."""


@dataclass
class PostgresServer:
    """A running server; every test gets a database of its own, copied from a migrated template."""

    port: int
    _numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def url(self, database: str) -> str:
        return f"postgresql://headwater@127.0.0.1:{self.port}/{database}"

    @contextmanager
    def database(self, template: str | None = TEMPLATE) -> Iterator[str]:
        name = f"test_{next(self._numbers)}"
        self.execute(f"CREATE DATABASE {name}" + (f" TEMPLATE {template}" if template else ""))
        try:
            yield self.url(name)
        finally:
            self.execute(f"DROP DATABASE {name} WITH (FORCE)")

    def execute(self, statement: str) -> None:
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(statement.encode())


@contextmanager
def running_postgres() -> Iterator[PostgresServer]:
    """Start a server in a temporary folder, as an unprivileged user where we are root: initdb refuses root."""
    binaries = _find_binaries()
    user = _unprivileged_user()
    folder = Path(tempfile.mkdtemp(prefix="headwater-pg-"))
    try:
        if user is not None:
            shutil.chown(folder, user)
        options = ["--username=headwater", "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync"]
        _run([str(binaries / "initdb"), *options, str(folder / "data")], folder, user)
        port = _free_port()
        settings = {
            "listen_addresses": "127.0.0.1", "port": port, "unix_socket_directories": folder,
            "fsync": "off", "full_page_writes": "off", "synchronous_commit": "off", "max_connections": 100,
        }  # fmt: skip
        arguments = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        with (folder / "log").open("wb") as log:
            server = subprocess.Popen(
                [str(binaries / "postgres"), "-D", str(folder / "data"), *arguments],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=folder, **_as_user(user),
            )  # fmt: skip
        try:
            _wait_until_ready(port, server, folder / "log")
            yield PostgresServer(port)
        finally:
            server.send_signal(signal.SIGINT)  # "fast": it ends sessions and shuts down
            server.wait(_PATIENCE)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _find_binaries() -> Path:
    found = _list_binaries()
    if not found and os.geteuid() == 0 and shutil.which("apt-get"):
        command = ["apt-get", "install", "-y", "--no-install-recommends", "postgresql"]
        environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
        subprocess.run(command, check=False, env=environment, capture_output=True)
        found = _list_binaries()
    if not found:
        raise PostgresMissing("No PostgreSQL server was found; install Debian's package postgresql.")
    return found[-1]


def _list_binaries() -> list[Path]:
    folders = [path.parent for path in Path("/usr/lib/postgresql").glob("*/bin/initdb")]
    on_path = shutil.which("initdb")
    folders = sorted(folders, key=lambda folder: float(folder.parent.name))
    return folders or ([Path(on_path).resolve().parent] if on_path else [])


def _unprivileged_user() -> str | None:
    if os.geteuid() != 0:
        return None
    names = {entry.pw_name for entry in pwd.getpwall()}
    return "postgres" if "postgres" in names else "nobody"


def _as_user(user: str | None) -> dict[str, object]:
    if user is None:
        return {}
    entry = pwd.getpwnam(user)
    return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}


def _run(command: list[str], folder: Path, user: str | None) -> None:
    done = subprocess.run(command, check=False, cwd=folder, capture_output=True, text=True, **_as_user(user))
    if done.returncode != 0:
        raise PostgresMissing(f"{command[0]} failed: {done.stderr.strip()}")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_until_ready(port: int, server: subprocess.Popen[bytes], log: Path) -> None:
    patience = time.monotonic() + _PATIENCE
    while True:
        try:
            psycopg.connect(f"postgresql://headwater@127.0.0.1:{port}/postgres").close()
        except psycopg.OperationalError:
            if server.poll() is not None or time.monotonic() > patience:
                raise PostgresMissing(f"The server did not start: {log.read_text()}") from None
            time.sleep(0.05)
        else:
            return
