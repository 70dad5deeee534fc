"""A machine that is not as it should be: each command says so in a sentence, exits 3 or 2, and loses nothing."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from headwater.simulator import RunningSimulator
from program import Program, Said


@pytest.fixture
def filled(synced: Program, tmp_path: Path) -> Program:
    """A copy of the synced program that a test may break."""
    shutil.copytree(synced.data, tmp_path / "data")
    return Program(tmp_path, dict(synced.settings))


def assert_explained(ended: Said, status: int, *said: str) -> None:
    """Whether a command ended with this status and a sentence on standard error only."""
    assert (ended.status, ended.out) == (status, "")
    assert all(text in ended.err for text in said), ended.err
    assert len(ended.err.strip().splitlines()) == 1


def total(program: Program) -> int:
    """Count the runs the program shows."""
    return int(program.run("runs", "--limit", 1, "--json").json["total"])


def test_a_locked_database_is_said_and_serves_again(filled: Program) -> None:
    """While another process holds the database nothing is stored or lost, and then everything goes on."""
    before = total(filled)
    with closing(sqlite3.connect(filled.data / "headwater.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        ended = filled.run("token", "create", "x", "--role", "viewer")
        other.execute("ROLLBACK")

    assert_explained(ended, 3, "is locked by another process", "Try again")
    assert total(filled) == before > 0


def test_a_database_of_tomorrow_is_left_alone(filled: Program) -> None:
    """A schema of a newer Headwater is not touched, and the way out is named."""
    with closing(sqlite3.connect(filled.data / "headwater.db")) as database:
        database.execute("UPDATE alembic_version SET version_num = '9999'")
        database.commit()

    assert_explained(filled.run("runs"), 3, "has schema 9999", "Run the Headwater that wrote it, or a newer one.")
    checked = filled.run("check", "--json")
    assert (checked.status, [line["ok"] for line in checked.json["lines"]]) == (1, [True, False])


@pytest.mark.parametrize("content", [b"no database", b"SQLite format 3\0" + b"\xff" * 4_000])
def test_a_file_that_is_no_database_is_said(program: Program, content: bytes) -> None:
    """Something else where the database should be is not overwritten."""
    program.data.mkdir()
    (program.data / "headwater.db").write_bytes(content)

    assert_explained(program.run("runs"), 3, "cannot be used")
    assert (program.data / "headwater.db").read_bytes() == content


def test_a_key_that_others_may_read_is_refused(filled: Program) -> None:
    """The sentence is the command that mends it; after it everything is as before."""
    key = filled.data / "secret.key"
    key.chmod(0o644)

    assert_explained(filled.run("account", "list"), 3, "is open to others", f"chmod 600 {key}")
    checked = filled.run("check", "--json").json["lines"]
    assert {line["name"]: line["ok"] for line in checked}["key"] is False
    key.chmod(0o600)
    assert filled.run("account", "check", "first").status == 0


def test_another_key_names_the_way_out(filled: Program) -> None:
    """Tokens that were sealed with another key fail their account alone, with what to do."""
    (filled.data / "secret.key").write_bytes(os.urandom(32))

    ended = filled.run("sync")

    assert ended.status == 3
    assert ended.err.count("does not open with this key") == 2
    assert "set-token" in ended.err
    assert total(filled) > 0


def test_a_data_folder_that_cannot_be_is_said(program: Program) -> None:
    """A file in the way of the data folder is named."""
    program.data.touch()

    assert_explained(program.run("runs"), 3, str(program.data), "Set data_folder or database_url.")


@pytest.mark.parametrize(
    ("content", "said"),
    [("[web\n", "is not valid TOML"), ("[web]\nprot = 1\n", "web.prot is not a setting (did you mean web.port?).")],
)
def test_a_configuration_with_a_fault_is_said(program: Program, content: str, said: str) -> None:
    """A syntax error and an unknown setting are wrong use."""
    (program.folder / "headwater.toml").write_text(content)

    assert_explained(program.run("runs"), 2, said)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of one megabyte."""
    folder = tmp_path / "small"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1200k", "tmpfs", str(folder)]
    if os.geteuid() != 0 or shutil.which("mount") is None or subprocess.run(mount, check=False).returncode != 0:
        pytest.skip("Only root may mount the small disk that this needs.")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_full_disk_is_said_and_what_was_stored_stays(
    program: Program, simulator: RunningSimulator, small_disk: Path
) -> None:
    """A sync that fills the disk ends with a sentence, and the runs that were stored before are all readable."""
    settings = {"HEADWATER__DATA_FOLDER": str(small_disk)}
    account = simulator.accounts[0]
    words = ("account", "add", "acme", "--account-id", account.id, "--url", simulator.url, "--token-stdin")
    assert program.run(*words, stdin=account.token, **settings).status == 0

    ended = program.run("sync", "--json", **settings)

    assert ended.status == 3
    assert "has no space left" in ended.err + ended.out
    assert "Traceback" not in ended.err
    with closing(sqlite3.connect(f"file:{small_disk / 'headwater.db'}?mode=ro", uri=True)) as database:
        assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
