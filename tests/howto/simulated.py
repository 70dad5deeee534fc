"""A simulated dbt Cloud in a process of its own, for tests that fork terminals."""

from __future__ import annotations

import json
import ssl
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Simulated:
    """What a simulator announced, and how to ask its control API."""

    announced: dict[str, Any]

    @property
    def url(self) -> str:
        return str(self.announced["url"])

    def account(self, index: int = 0) -> dict[str, Any]:
        found: dict[str, Any] = self.announced["accounts"][index]
        return found

    def own(self, index: int = 0) -> dict[str, str]:
        """Give what stands on the pages for an account, and this simulator's in its place."""
        account = self.account(index)
        host = self.url.partition("://")[2]
        return {
            "https://ab123.us1.dbt.com": self.url,
            "ab123.us1.dbt.com": host,
            "12345": str(account["id"]),
            " is Acme,": f" is {account['name']},",
        }

    def control(self, method: str, name: str, body: object = None) -> dict[str, Any]:
        """Ask the control API."""
        answered: dict[str, Any] = self.ask(f"/_simulator/{name}", method, body)
        return answered

    def ask(self, path: str, method: str = "GET", body: object = None, token: str = "") -> Any:
        """Ask the simulator."""
        data = None if body is None else json.dumps(body).encode()
        headers = {"Authorization": f"Token {token}"} if token else {}
        request = urllib.request.Request(self.url + path, data, headers, method=method)
        ca_path = self.announced["ca_path"]
        context = ssl.create_default_context(cafile=ca_path) if ca_path else None
        with urllib.request.urlopen(request, context=context) as answer:
            return json.load(answer)

    def jobs(self, index: int = 0) -> set[tuple[int, str]]:
        """Give id and name of the jobs of an account that are there."""
        account = self.account(index)
        listed = self.ask(f"/api/v2/accounts/{account['id']}/jobs/", token=account["token"])["data"]
        return {(job["id"], job["name"]) for job in listed}


@contextmanager
def simulating(*options: object) -> Iterator[Simulated]:
    """Run a simulator at the pace of the real clock."""
    command = [sys.executable, "-m", "headwater.simulator", *(str(option) for option in options)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True)
    try:
        assert process.stdout is not None
        yield Simulated(json.loads(process.stdout.readline()))
    finally:
        process.terminate()
        process.wait()
        process.stdout.close()
