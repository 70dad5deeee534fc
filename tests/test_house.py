"""The house rules that a program can see."""

from __future__ import annotations

import ast
import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).parent.parent
TESTS = sorted(path for path in (ROOT / "tests").rglob("test_*.py"))
SOURCES = sorted((ROOT / "src").rglob("*.py"))


def test_every_test_says_what_it_shows() -> None:
    """Each test function has a docstring, and holds something that can fail."""
    silent = []
    for path in TESTS:
        for node in ast.walk(ast.parse(path.read_text())):
            is_test = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_")
            if is_test and not ast.get_docstring(node):
                silent.append(f"{path.name}::{node.name}")

    assert silent == []


def test_no_module_is_past_four_hundred_lines() -> None:
    """A module past 400 lines is two modules."""
    long = {path.name: lines for path in SOURCES if (lines := len(path.read_text().splitlines())) > 400}

    assert {name: lines for name, lines in long.items() if name not in {"schema.py", "0001_initial.py"}} == {}


def test_broad_excepts_stand_in_few_places() -> None:
    """Only the monitor's loop, the inbox, the evaluation, what runs in others' tasks or around dbt, error pages."""
    broad = re.compile(r"except (Base)?Exception\b|except:")
    places = {path.relative_to(ROOT / "src" / "headwater").as_posix() for path in SOURCES if _catches_all(path, broad)}

    in_tasks = {"sdk/call.py", "sdk/core.py", "sdk/airflow.py", "sdk/airflow_plugin.py"}
    assert places <= in_tasks | {
        "monitor.py",
        "cli/dbt.py",
        "web/faults.py",
        "store/database.py",
        "observatory/inbox.py",
        "observatory/evaluating.py",
    }


def test_no_mock_library_and_no_sleeping_in_tests() -> None:
    """Tests use real parts and wait for conditions."""
    banned = re.compile(r"unittest\.mock|MagicMock|monkeypatch\.setattr|time\.sleep\(")
    found = [path.name for path in TESTS if path.name != "test_house.py" and banned.search(path.read_text())]

    assert found == []


def test_nothing_names_the_machine_it_was_written_on() -> None:
    """No tracked file holds a path of somebody's machine."""
    banned = "/" + "work/|/" + "root/|/" + "farm/"
    found = subprocess.run(
        ["git", "grep", "-lE", banned, "--", ".", ":!*.lock"], cwd=ROOT, capture_output=True, text=True, check=False
    )

    assert found.stdout.split() == []


def _catches_all(path: Path, broad: re.Pattern[str]) -> bool:
    return broad.search(path.read_text()) is not None
