"""The how-to page on GitHub Actions, tried from zero: its workflow by the official schema, its steps in their order.

There is no runner here. In its place: `actions/checkout` copies a project, uv and Python are those of this machine,
and each `run` goes to the shell that GitHub gives it, in an empty home with the environment that the workflow names.
What a user puts in is put in: the server's address and token; and Headwater is the wheel of this source.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from dbt_house import PROJECT, REQUIREMENTS

from cloud import make_settings, serving, wait_until_stored
from headwater.observatory.access import Role, create_token
from headwater.observatory.holder import Observatory, open_observatory
from headwater.store.accounts import ensure_local_account
from headwater.store.inventory import list_environments
from headwater.store.invocation_queries import find_invocation, list_invocation_executions
from installing import ROOT, find_uv

PAGE = (ROOT / "docs" / "howto" / "github-actions.md").read_text()
WORKFLOW, CACHE = re.findall(r"^```yaml\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
REACHING = re.compile("INDEX|CERT|CA_BUNDLE|TLS|PROXY", re.IGNORECASE)
"""Settings of this machine that decide how a package registry is reached."""
ACTIONS = {"actions/checkout", "astral-sh/setup-uv", "actions/cache"}


@dataclass
class Runner:
    """A machine that a job runs on, and the server that is told of it."""

    observatory: Observatory
    home: Path
    environ: dict[str, str]
    wheel: Path

    @property
    def workspace(self) -> Path:
        return self.home / "work"

    def run(self, step: dict[str, Any]) -> subprocess.CompletedProcess[str] | None:
        """Do a step as GitHub does; None for one that another's action does."""
        if "uses" in step:
            if step["uses"].startswith("actions/checkout@"):
                check_out(self.workspace)
            return None
        script = step["run"].replace('"headwater[server]"', f'"headwater[server] @ {self.wheel.as_uri()}"')
        command = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", script]
        return subprocess.run(
            command, cwd=self.workspace, env=self.environ, capture_output=True, text=True, timeout=300, check=False
        )


def check_out(workspace: Path) -> None:
    """Put the repository's files there: a dbt project with its requirements."""
    for name, text in PROJECT.items():
        path = workspace / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    shutil.copy(REQUIREMENTS, workspace / "requirements.txt")


@pytest.fixture
def runner(tmp_path: Path) -> Iterator[Runner]:
    """A runner with nothing on it but uv, and a served Headwater with a token of the role that the page names."""
    wheels = tmp_path / "dist"
    subprocess.run([find_uv(), "build", "--quiet", "--wheel", "--out-dir", wheels, ROOT], check=True)
    with open_observatory(make_settings(tmp_path / "server")) as observatory, serving(observatory) as url:
        (role,) = re.findall(r"`headwater token create github --role (\w+)`", PAGE)
        secrets = {"HEADWATER_TOKEN": create_token(observatory, "github", Role(role))[1].reveal()}
        home = tmp_path / "home"
        (home / "work").mkdir(parents=True)
        given = {"vars": {"HEADWATER_URL": url}, "secrets": secrets}
        named = yaml.safe_load(WORKFLOW)["jobs"]["dbt"]["env"]
        environ = {name: put_in(value, given) for name, value in named.items()}
        python = Path(sys.base_prefix) / "bin"
        path = f"{home / '.local' / 'bin'}:{Path(find_uv()).parent}:{python}:{os.defpath}"
        machine = {"HOME": str(home), "PATH": path, "CI": "true", "DBT_SEND_ANONYMOUS_USAGE_STATS": "false"}
        network = {name: value for name, value in os.environ.items() if REACHING.search(name)}
        environ |= machine | network | {"UV_CACHE_DIR": find_cache()}
        yield Runner(observatory, home, environ, next(wheels.glob("*.whl")))


def put_in(value: str, given: dict[str, dict[str, str]]) -> str:
    """Put in what `${{ vars.NAME }}` and `${{ secrets.NAME }}` stand for."""
    return re.sub(r"\$\{\{ (\w+)\.(\w+) \}\}", lambda found: given[found[1]][found[2]], value)


def find_cache() -> str:
    """Give the folder in which uv keeps what it fetched already."""
    return subprocess.run([find_uv(), "cache", "dir"], capture_output=True, text=True, check=True).stdout.strip()


def test_the_workflow_is_one_by_the_official_schema(tmp_path: Path) -> None:
    """As it stands, and with the step that keeps the spool; a workflow with a misspelt key is none."""
    install = "      - name: Install\n"
    whole = WORKFLOW.replace(install, CACHE + install)
    texts = {"as_it_stands": WORKFLOW, "with_cache": whole, "wrong": WORKFLOW.replace("steps:", "step:")}
    statuses = {}
    for name, text in texts.items():
        (tmp_path / f"{name}.yml").write_text(text)
        checker = [Path(sys.executable).with_name("check-jsonschema"), "--builtin-schema", "vendor.github-workflows"]
        done = subprocess.run([*checker, tmp_path / f"{name}.yml"], capture_output=True, text=True, check=False)
        statuses[name] = done.returncode

    assert statuses == {"as_it_stands": 0, "with_cache": 0, "wrong": 1}
    steps = yaml.safe_load(whole)["jobs"]["dbt"]["steps"]
    assert {step["uses"].split("@")[0] for step in steps if "uses" in step} == ACTIONS


def test_the_steps_from_zero(runner: Runner) -> None:
    """Headwater and a real dbt are installed apart, dbt builds, and the server has what it did, under the name ci."""
    done = [runner.run(step) for step in yaml.safe_load(WORKFLOW)["jobs"]["dbt"]["steps"]]
    wait_until_stored(runner.observatory)

    ended = [each for each in done if each is not None]
    assert [each.returncode for each in ended] == [0, 0], [each.stdout + each.stderr for each in ended]
    assert "PASS=5" in ended[-1].stdout
    assert ended[-1].stderr == ""
    results = yaml.safe_load((runner.workspace / "target" / "run_results.json").read_text())
    with runner.observatory.store.write() as tx:
        key = ensure_local_account(tx, runner.observatory.store.now()).account_key
        row = find_invocation(tx, key, results["metadata"]["invocation_id"])
        assert row is not None
        statuses = {one.execution.status for one in list_invocation_executions(tx, key, row.invocation_key)}
        names = [environment.name for environment in list_environments(tx, key)]
    assert (statuses, names) == ({"success", "pass"}, ["ci"])
    assert list((runner.home / ".local" / "state").glob("**/*.collected")) == []
    cached = yaml.safe_load(CACHE)[0]["with"]["path"].replace("~", str(runner.home))
    assert Path(cached) == runner.home / ".local" / "state" / "headwater" / "spool"
