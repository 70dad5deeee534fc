"""`headwater dbt` around a program of the test's own: nothing of what it does is changed, and its files are stored."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from pathlib import Path

import pytest
from dbt_house import DbtHouse

from headwater.sdk.target import find_target
from program import DEADLINE, wait_for

FILES = Path(__file__).parent.parent / "artifacts" / "files"
FUSION = "01a1f8b4-95a2-7521-92ab-3dffe641c04f"
WRITES = f"mkdir -p target; for name in manifest run_results; do cp {FILES}/fusion_$name.json target/$name.json; done\n"


def script(house: DbtHouse, text: str) -> None:
    """Let dbt be a shell script that runs in the project."""
    path = house.folder / "programs" / "dbt"
    path.write_text(f"#!/bin/sh\ncd {house.project}\n{text}")
    path.chmod(0o755)


def test_streams_and_status_are_dbts_own(engine: DbtHouse) -> None:
    """Input, output, errors, arguments and exit status pass as they are; what was written is stored beside it."""
    script(engine, WRITES + 'cat; echo "out $*"; echo err >&2; exit 7\n')

    said = engine.program.run("dbt", "--", "build", "--select", "a b", stdin="typed\n")

    assert (said.status, said.out, said.err) == (7, "typed\nout build --select a b\n", "err\n")
    stored = engine.stored(FUSION)
    assert stored is not None
    assert set(stored.values()) == {"error"}


def test_nothing_of_an_earlier_invocation_is_taken(engine: DbtHouse) -> None:
    """What lay in the folder before is not this invocation's; where it wrote nothing, that is said."""
    script(engine, WRITES)
    subprocess.run(["sh", engine.folder / "programs" / "dbt"], check=True)
    script(engine, "exit 2\n")

    said = engine.program.run("dbt", "--", "build")

    assert (said.status, said.out) == (2, "")
    assert "ended with 2 and wrote no artifact" in said.err
    assert engine.stored(FUSION) is None


def test_commands_that_write_nothing_are_passed_in_silence(engine: DbtHouse) -> None:
    """`dbt deps` or `--version` leave no artifact, and there is nothing to say of it."""
    script(engine, "echo 1.11\n")

    said = [engine.program.run("dbt", "--", *words) for words in (("--version",), ("deps",))]

    assert [(each.status, each.out, each.err) for each in said] == [(0, "1.11\n", "")] * 2


@pytest.mark.parametrize(
    ("words", "environ", "folder"),
    [
        ((), {}, "project/target"),
        (("--target-path", "out"), {}, "project/out"),
        (("--target-path=out",), {"DBT_TARGET_PATH": "no"}, "project/out"),
        (("--target-path", "no", "--target-path", "out"), {}, "project/out"),
        (("--target-path", "/abs"), {}, "/abs"),
        ((), {"DBT_TARGET_PATH": "out"}, "project/out"),
        ((), {"DBT_TARGET_PATH": "no", "DBT_ENGINE_TARGET_PATH": "out"}, "project/out"),
        (("--project-dir", "../other"), {}, "other/target"),
        (("--project-dir", "../other", "--target-path", "out"), {"DBT_PROJECT_DIR": "no"}, "other/out"),
        ((), {"DBT_PROJECT_DIR": "../other"}, "other/target"),
        (("--project-dir", "../made"), {}, "made/by hand"),
    ],
)
def test_the_folder_is_found_as_dbt_finds_it(
    tmp_path: Path, words: tuple[str, ...], environ: dict[str, str], folder: str
) -> None:
    """Options go before variables and those before the project's file; a relative target path is in the project."""
    for name in ("project/models", "other", "made"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "project" / "dbt_project.yml").write_text("name: four\nmodels: {target-path: no}\n")
    (tmp_path / "made" / "dbt_project.yml").write_text('name: four\ntarget-path: "by hand" # here\n')
    cwd = tmp_path / "project"

    found = find_target(("build", *words), environ, cwd)

    assert found.resolve() == tmp_path / folder


def test_a_project_is_found_from_a_folder_inside_it(tmp_path: Path) -> None:
    """Below a project, dbt goes up to its dbt_project.yml."""
    (tmp_path / "models" / "deep").mkdir(parents=True)
    (tmp_path / "dbt_project.yml").touch()

    assert find_target((), {}, tmp_path / "models" / "deep") == tmp_path / "target"


def test_a_program_that_is_not_there_is_said(engine: DbtHouse) -> None:
    """Without dbt there is no status of dbt's to give: that is wrong use."""
    said = engine.program.run("dbt", "--executable", "no-such-dbt", "--", "build")

    assert (said.status, said.out) == (2, "")
    assert "no-such-dbt" in said.err


@pytest.mark.parametrize("fault", ["database", "artifact", "server"])
def test_an_ingest_fault_changes_no_status(engine: DbtHouse, fault: str) -> None:
    """A store that cannot be opened, an artifact that cannot be read, a server that is away: a sentence, no more."""
    script(engine, WRITES if fault != "artifact" else "mkdir target; echo no >target/manifest.json\n")
    environ = {
        "database": {"HEADWATER__DATABASE_URL": "sqlite:////proc/no/such.db"},
        "artifact": {},
        "server": {"HEADWATER_URL": "http://127.0.0.1:1", "HEADWATER_TOKEN": "hw_i_x"},
    }[fault]

    said = engine.program.run("dbt", "--", "build", **environ)

    assert (said.status, said.out) == (0, "")
    assert said.err.startswith("headwater: ")
    assert len(said.err.splitlines()) == 1
    assert ("kept until" in said.err) == (fault == "server")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_is_passed_on_once(engine: DbtHouse, number: signal.Signals) -> None:
    """The program hears the signal that `headwater dbt` got, once, and its own answer to it is the exit status."""
    script(engine, f"trap 'echo heard >>heard' {number.name[3:]}\n{WRITES}touch ready\n"
                   "until [ -e heard ]; do sleep 0.05; done; sleep 0.2; exit 5\n")  # fmt: skip
    with engine.program.running("dbt", "--", "build") as process:
        wait_for((engine.project / "ready").exists, "the program")
        process.send_signal(number)
        assert process.wait(DEADLINE) == 5

    assert (engine.project / "heard").read_text() == "heard\n"
    assert engine.stored(FUSION) is not None


def test_what_a_terminal_signals_is_not_passed_on_again(engine: DbtHouse) -> None:
    """Ctrl-C on a terminal reaches the program through the terminal, and only so."""
    script(engine, "trap 'echo heard >>heard' INT\ntouch ready\n"
                   "until [ -e heard ]; do sleep 0.05; done; sleep 0.3; exit 5\n")  # fmt: skip
    process, terminal = os.forkpty()
    if process == 0:
        os.chdir(engine.folder)
        command = engine.program.command("dbt", "--", "build")
        os.execve(command[0], command, engine.program.environment())
    try:
        wait_for((engine.project / "ready").exists, "the program")
        os.write(terminal, b"\x03")
        ended = wait_for(lambda: status if (status := os.waitpid(process, os.WNOHANG))[0] else None, "the end")
    finally:
        os.close(terminal)

    assert os.waitstatus_to_exitcode(ended[1]) == 5
    assert (engine.project / "heard").read_text() == "heard\n"


def test_two_runs_in_a_row_are_each_their_own(engine: DbtHouse) -> None:
    """A second invocation in the same folder is another one, and the first stays as it was."""
    again = json.loads((FILES / "fusion_run_results.json").read_bytes())
    again["metadata"]["invocation_id"] = "second"
    again["results"] = again["results"][:1]
    (engine.folder / "again.json").write_text(json.dumps(again))
    script(engine, WRITES)
    engine.program.run("dbt", "--", "build")
    before = engine.stored(FUSION)
    script(engine, f"cp {engine.folder}/again.json target/run_results.json\n")

    engine.program.run("dbt", "--", "run")

    second = engine.stored("second")
    assert second is not None
    assert len(second) == 1
    assert engine.lineage("second")
    assert before is not None
    assert len(before) > 1
    assert engine.stored(FUSION) == before
