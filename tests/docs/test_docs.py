"""The documentation holds what it says: pages from the code are fresh, links lead somewhere, command lines exist."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from headwater.config import list_settings

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "docs"))

import generate  # noqa: E402 - docs/ is no package

PAGES = sorted([ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")])
WRITTEN = [page for page in PAGES if not page.read_text().startswith("<!-- Written by")]
FENCE = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"(?<!!)\[[^\]]+\]\(([^)\s]+)\)")
SETTINGS = {name for name, _, _ in list_settings()}
VARIABLES = {generate.variable_of(name) for name in SETTINGS}
SDK_VARIABLES = {name for name, _, _ in generate.SDK_VARIABLES}
COMMANDS = dict(generate.each_command())


def test_the_pages_from_the_code_are_fresh() -> None:
    """`docs/generate.py --check` finds nothing stale."""
    assert _check().stderr == ""


def test_a_stale_page_is_named(tmp_path: Path) -> None:
    """The check ends with 1 and one sentence that names the page and how to write it again."""
    copy = tmp_path / "docs"
    for source in (ROOT / "docs").rglob("*"):
        if source.suffix in {".md", ".py", ".toml"}:
            target = copy / source.relative_to(ROOT / "docs")
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(source.read_bytes())
    (copy / "reference" / "metrics.md").write_text("old")

    checked = _check(copy)

    assert checked.returncode == 1
    assert checked.stderr == "docs/reference/metrics.md is stale. Run: uv run python docs/generate.py\n"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(page: Path) -> None:
    """Each relative link is a file, and what follows its # is a heading of it."""
    broken = [link for link in LINK.findall(FENCE.sub("", page.read_text())) if not _leads_somewhere(page, link)]

    assert broken == []


def test_pages_are_reachable_from_the_readme() -> None:
    """Every page is linked, over however many steps, from the README."""
    reached, waiting = set[Path](), [ROOT / "README.md"]
    while waiting:
        page = waiting.pop()
        if page not in reached and page.suffix == ".md":
            reached.add(page)
            links = LINK.findall(page.read_text())
            waiting += [(page.parent / link.partition("#")[0]).resolve() for link in links if "://" not in link]

    assert {page for page in PAGES if "docs" in page.parts} - reached == set()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_command_lines_exist(page: Path) -> None:
    """Each `headwater …` line in a console block names a command, its options and as many arguments as it takes."""
    faults = [f"{line}: {fault}" for line in _command_lines(page) if (fault := _fault_of(line))]

    assert faults == []


def test_a_wrong_command_line_is_seen() -> None:
    """The check above tells a wrong command, option, choice, missing option and missing argument."""
    wrong = ("frobnicate", "runs --colour", "token create x --role king", "token create x", "account check", "sync x")

    assert [line for line in wrong if _fault_of(f"headwater {line}") is None] == []
    assert _fault_of("headwater token create airflow --role ingest") is None


@pytest.mark.parametrize("page", WRITTEN, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_named_settings_and_metrics_exist(page: Path) -> None:
    """Variables, dotted settings, sections of TOML blocks and metrics that a page names are those of the code."""
    assert sorted(_named(page.read_text()) - SETTINGS - VARIABLES - SDK_VARIABLES - _metric_names()) == []


def test_the_architecture_names_every_room() -> None:
    """The table of rooms and the drawing of the floors hold the rooms of the package, and no other."""
    package = ROOT / "src" / "headwater"
    rooms = {path.stem for path in package.iterdir() if path.is_dir() or path.suffix == ".py"}
    rooms -= {"__init__", "__pycache__", "py"}
    page = (ROOT / "docs" / "architecture.md").read_text()
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]

    assert set(re.findall(r"^\| `(\w+)` \|", page, re.MULTILINE)) == rooms
    assert FENCE.findall(page)[0][1].splitlines() == contracts[0]["layers"]


def test_nothing_is_measured_without_its_command() -> None:
    """Each table of figures stands under a section with a command that measures it."""
    sections = (ROOT / "docs" / "measurements.md").read_text().split("\n## ")[1:]

    assert [section.splitlines()[0] for section in sections if "```console" not in section] == []


def _check(docs: Path = ROOT / "docs") -> subprocess.CompletedProcess[str]:
    command = [sys.executable, docs / "generate.py", "--check"]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def _leads_somewhere(page: Path, link: str) -> bool:
    if "://" in link:
        return True
    name, _, anchor = link.partition("#")
    target = page.parent / name if name else page
    if not target.exists():
        return False
    return not anchor or anchor in {_slug(line) for line in target.read_text().splitlines() if line.startswith("#")}


def _slug(heading: str) -> str:
    words = re.sub(r"[^\w\- ]", "", heading.lstrip("# ").lower())
    return words.strip().replace(" ", "-")


def _command_lines(page: Path) -> Iterator[str]:
    """Give the lines of console blocks from the word headwater on, without what is piped or redirected."""
    for language, block in FENCE.findall(page.read_text()):
        for line in block.replace("\\\n", " ").splitlines() if language in {"console", "yaml", "ini"} else ():
            found = re.search(r"(?:^|.*[ /])(headwater (?!-)[^|<>#]*)", line)
            if found and (language != "console" or line.startswith("$ ")) and "-m headwater" not in line:
                yield found[1]


def _fault_of(line: str) -> str | None:
    words = shlex.split(line)
    name = next((" ".join(words[:length]) for length in (3, 2) if " ".join(words[:length]) in COMMANDS), None)
    if name is None:
        return "no such command"
    rest = [word for word in words[len(name.split()) :] if word not in {"[OPTIONS]", "…"}]
    options = {opt: param for param in COMMANDS[name].params for opt in _names(param) if opt.startswith("--")}
    given, arguments = set[str](), 0
    while rest:
        word = rest.pop(0)
        if word == "--":  # what follows is another program's command line
            arguments += bool(rest)
            break
        if not word.startswith("--"):
            arguments += 1
        elif word not in options:
            return f"no option {word}"
        else:
            given.add(word)
            if not options[word].is_flag and not (rest and _takes(options[word], rest.pop(0))):
                return f"{word} takes another value"
    wanted = sum(param.param_type_name == "argument" for param in COMMANDS[name].params)
    if arguments != wanted:
        return f"{arguments} arguments instead of {wanted}"
    missing = [opt for opt, param in options.items() if param.required and opt not in given]
    return f"{missing[0]} is missing" if missing else None


def _names(option: Any) -> tuple[str, ...]:
    return (*option.opts, *getattr(option, "secondary_opts", ()))


def _takes(option: Any, value: str) -> bool:
    kind = option.type_descriptor.annotation
    if value == option.name.upper() or "|" in value:
        return True
    try:
        kind(value)
    except ValueError:
        return value.isupper() and len(value) == 1  # N and P stand for numbers
    return True


def _named(text: str) -> set[str]:
    sections = {name.partition(".")[0] for name in SETTINGS if "." in name}
    named = set(re.findall(r"\bHEADWATER_[A-Z_]*[A-Z]\b", text))
    named |= set(re.findall(rf"`((?:{'|'.join(sections)})\.[a-z_]+)\b", text))
    metrics = re.findall(r"\bheadwater_[a-z_]+\b", text)
    named |= {re.sub(r"_(bucket|sum|count)$", "", name) for name in metrics}
    for language, block in FENCE.findall(text):
        if language == "toml":
            for section, values in tomllib.loads(block).items():
                named |= {f"{section}.{key}" for key in values} if isinstance(values, dict) else {section}
    return named - {"headwater_session"}


def _metric_names() -> set[str]:
    return {name for name, _, _, _ in generate.list_metrics()}
