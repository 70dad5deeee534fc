"""The how-to pages, tried by their own text."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from dbt_house import DbtHouse

ROOT = Path(__file__).parents[2]
FILES = ROOT / "tests" / "artifacts" / "files"
FUSION = "01a1f8b4-95a2-7521-92ab-3dffe641c04f"


def blocks(page: str, language: str) -> list[str]:
    """Give the blocks of a page in a language."""
    text = (ROOT / "docs" / "howto" / f"{page}.md").read_text()
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


def shell(house: DbtHouse, text: str, **environ: str) -> subprocess.CompletedProcess[str]:
    """Run a line as cron, or a shell, would, in the project."""
    environ = house.program.environment(**environ)
    environ["PATH"] = f"{Path(sys.executable).parent}:{environ['PATH']}"
    return subprocess.run(
        ["sh", "-ec", text], cwd=house.project, env=environ, capture_output=True, text=True, timeout=120, check=False
    )


@pytest.fixture
def fails(engine: DbtHouse) -> DbtHouse:
    """An engine at the places the pages name, that leaves the artifacts of a failed build and ends with 1."""
    for place in (engine.project / "venv" / "bin", engine.project / ".venv" / "bin"):
        place.mkdir(parents=True)
        copies = "".join(f"cp {FILES}/fusion_{name}.json target/{name}.json\n" for name in ("manifest", "run_results"))
        (place / "dbt").write_text(f"#!/bin/sh\nmkdir -p target\n{copies}exit 1\n")
        (place / "dbt").chmod(0o755)
    return engine


def test_the_page_on_dbt_core(real: DbtHouse) -> None:
    """Its commands, in order, on a real project: each is silent but for dbt, and says what the page says."""
    wanted = [block.splitlines() for block in blocks("dbt-core", "console")]
    real.write(orders="select * from {{ ref('first') }}")

    said = [shell(real, line[2:]) for lines in wanted for line in lines if line.startswith("$ ")]

    assert [(each.returncode, each.stderr) for each in said] == [(0, "")] * 2
    assert said[1].stdout.startswith(wanted[1][1].rstrip("…"))
    assert real.stored(real.metadata("run_results")["invocation_id"]) == {"first": "success", "orders": "success"}


def test_the_python_of_the_page_on_dbt_core(engine: DbtHouse) -> None:
    """It runs as it stands and, with no server there, says so instead of failing."""
    engine.target.mkdir()
    (engine.target / "run_results.json").write_bytes((FILES / "fusion_run_results.json").read_bytes())
    (code,) = blocks("dbt-core", "python")

    line = f"cd .. && python -c {shlex.quote(code)}"
    ended = shell(engine, line, HEADWATER_URL="http://127.0.0.1:1", HEADWATER_TOKEN="hw_i_x")

    assert (ended.returncode, ended.stdout) == (0, "spooled error ['dbt build']\n")


def test_the_page_on_cron(fails: DbtHouse) -> None:
    """Its line, by sh with cron's environment, stores what dbt wrote and ends as dbt did."""
    (line,) = blocks("cron", "crontab")
    (settings,) = blocks("cron", "sh")
    (fails.project / "headwater.env").write_text("# none: the local database\n")
    command = line.split(maxsplit=5)[5].replace("/srv/dbt/shop", str(fails.project))

    ended = shell(fails, command, HEADWATER_URL="", HEADWATER_TOKEN="")

    assert (ended.returncode, ended.stdout, ended.stderr) == (1, "", "")
    assert fails.stored(FUSION)
    assert re.findall(r"^(\w+)=", settings, re.MULTILINE) == ["HEADWATER_URL", "HEADWATER_TOKEN"]


def test_the_page_on_github_actions(fails: DbtHouse) -> None:
    """Its workflow is YAML; its build step stores what dbt wrote and fails as dbt did."""
    workflow, _ = blocks("github-actions", "yaml")
    job = yaml.safe_load(workflow)["jobs"]["dbt"]
    (build,) = [step["run"] for step in job["steps"] if step.get("name") == "Build"]

    ended = shell(fails, build, HEADWATER_TOKEN="")

    assert set(job["env"]) == {"HEADWATER_URL", "HEADWATER_TOKEN"}
    assert (ended.returncode, ended.stderr) == (1, "")
    assert fails.stored(FUSION)
