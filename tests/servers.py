"""Debian's nginx, caddy and tinyproxy, as `tests/system.sh` unpacked them: on loopback, in a folder of the test."""

from __future__ import annotations

import os
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from installing import ROOT
from program import wait_for


def find_server(name: str) -> Path:
    """Find a server's program; without it a test is left out, or fails where CI is set."""
    for program in ROOT.glob(f".cache/servers/usr/*bin/{name}"):
        return program
    missing = f"There is no {name}; 'bash tests/system.sh' gets it."
    if os.environ.get("CI"):
        raise AssertionError(missing)
    pytest.skip(missing)


def find_port() -> int:
    """Find a port that nobody listens on, for a program that must be told one."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


@contextmanager
def running_server(name: str, *words: object, folder: Path, port: int) -> Iterator[None]:
    """Run a server until it is no longer needed, from when it takes connections; what it says goes to the folder."""
    environ = {"PATH": os.defpath, "HOME": str(folder), "XDG_DATA_HOME": str(folder), "XDG_CONFIG_HOME": str(folder)}
    with (folder / f"{name}.log").open("w") as log:
        command = [find_server(name), *(str(word) for word in words)]
        process = subprocess.Popen(
            command, cwd=folder, env=environ, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT
        )
    try:
        wait_for(lambda: process.poll() is not None or is_listening(port), f"{name} to listen")
        assert process.poll() is None, (folder / f"{name}.log").read_text()
        yield
    finally:
        process.terminate()
        process.wait()


def is_listening(port: int) -> bool:
    """Tell whether somebody takes connections on a port of this machine."""
    with socket.socket() as caller:
        return caller.connect_ex(("127.0.0.1", port)) == 0


@contextmanager
def running_tinyproxy(folder: Path, port: int) -> Iterator[Path]:
    """Run a forward proxy; gives the file in which it writes what it was asked for."""
    (folder / "tinyproxy.conf").write_text(f"Port {port}\nListen 127.0.0.1\nLogLevel Connect\nTimeout 60\n")
    with running_server("tinyproxy", "-d", "-c", folder / "tinyproxy.conf", folder=folder, port=port):
        yield folder / "tinyproxy.log"
