"""A process in dbt's own environment that runs dbt and SQL when it is asked to, a line of JSON each way.

dbt is loaded once; every command runs in a fork of this process, so that none leaves anything behind for the next.
"""

from __future__ import annotations

import gc
import json
import os
import sys
import traceback
from pathlib import Path
from typing import Any

import duckdb
from dbt.cli.main import dbtRunner

MESH = Path(__file__).resolve().parents[2] / "demo" / "mesh"
SUCCEEDED, FAILED = 0, 1


def run_command(order: dict[str, Any]) -> int:
    """Run one dbt command in a project's folder; a table may meanwhile be written by somebody else."""
    os.environ.clear()
    os.environ.update(order["environment"], DBT_LOG_LEVEL_FILE="none")
    sys.path[0] = str(MESH)
    os.chdir(order["folder"])
    writing = None
    if order.get("written_by_another"):
        writing = duckdb.connect(order["warehouse"], config={"threads": 1})
        writing.execute("begin")
        writing.execute(order["written_by_another"])
    done = dbtRunner().invoke(order["arguments"])
    if writing is not None:
        writing.rollback()
    if done.exception is not None:
        print(f"{type(done.exception).__name__}: {done.exception}")
    return SUCCEEDED if done.success else FAILED


def run_statements(order: dict[str, Any]) -> int:
    """Run SQL statements on a warehouse file."""
    with duckdb.connect(order["warehouse"]) as connection:
        for statement in order["statements"]:
            connection.execute(statement)
    return SUCCEEDED


def hold(order: dict[str, Any]) -> int:
    """Hold a warehouse file open until the pipe that was given is closed."""
    with duckdb.connect(order["warehouse"]):
        os.write(order["held"], b"1")
        os.read(order["release"], 1)
    return SUCCEEDED


ACTS = {"dbt": run_command, "sql": run_statements, "hold": hold}


def fork(order: dict[str, Any], output: str) -> int:
    """Do an order in a child, with its output in a file; gives the child's process id."""
    child = os.fork()
    if child:
        return child
    code = FAILED
    try:
        target = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
        os.dup2(target, 1)
        os.dup2(target, 2)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        code = ACTS[order["act"]](order)
    except BaseException:  # noqa: BLE001  the child says what happened, and ends
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def do(order: dict[str, Any], output: str) -> int:
    """Do one order and give its exit code; a warehouse to be `locked` meanwhile is held by another process."""
    holder = None
    if order.get("locked"):
        held_read, held_write = os.pipe()
        release_read, release_write = os.pipe()
        asked = {"act": "hold", "warehouse": order["locked"], "held": held_write, "release": release_read}
        holder = fork(asked, output + ".holder")
        os.read(held_read, 1)
    _, status = os.waitpid(fork(order, output), 0)
    if holder is not None:
        os.write(release_write, b"1")
        os.waitpid(holder, 0)
        for pipe in (held_read, held_write, release_read, release_write):
            os.close(pipe)
    return os.waitstatus_to_exitcode(status)


def main() -> None:
    """Do what the lines of standard input ask for, until it is closed.

    What a command makes is gone with its fork, so that no memory need be given back.
    """
    gc.disable()
    output = sys.argv[1]
    for line in sys.stdin:
        code = do(json.loads(line), output)
        text = Path(output).read_text(encoding="utf-8", errors="replace")
        sys.stdout.write(json.dumps({"succeeded": code == SUCCEEDED, "output": text}) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
