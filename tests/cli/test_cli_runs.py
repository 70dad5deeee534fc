"""`headwater runs`, `run` and `jobs`: the documents that other programs rely on, and the tables with the same facts."""

from __future__ import annotations

import subprocess
from datetime import datetime

import pytest

from headwater.cli.app import run
from headwater.simulator import RunningSimulator
from program import Program

RUN_KEYS = {
    "account", "run_id", "job_id", "job_name", "status", "created_at", "started_at", "finished_at",
    "elapsed_seconds", "queued_seconds", "trigger", "observed_by", "nodes",
}  # fmt: skip
EXECUTION_KEYS = {"unique_id", "status", "started_at", "finished_at", "elapsed_seconds", "message"}


def test_runs_are_those_of_dbt_cloud(synced: Program, simulator: RunningSimulator) -> None:
    """`runs --limit 0 --json` has every run of the history with the promised keys, newest first, and logs nothing."""
    ended = synced.run("runs", "--limit", 0, "--json")

    runs = ended.json["runs"]
    known = {run["id"] for account in simulator.truth()["accounts"] for run in account["runs"]}
    assert (ended.status, ended.err) == (0, "")
    assert ended.json["total"] == len(runs) > 40
    assert {run["run_id"] for run in runs} <= known
    assert all(set(run) >= RUN_KEYS for run in runs)
    created = [datetime.fromisoformat(run["created_at"]) for run in runs]
    assert created == sorted(created, reverse=True)
    assert {run["account"] for run in runs} == {"first", "second"}
    assert all(run["observed_by"] == ["poll"] for run in runs)


def test_filters_narrow_the_list(synced: Program) -> None:
    """Account, status, job and time each leave only what fits, and the total says how many that is."""
    everything = synced.run("runs", "--limit", 0, "--json").json["runs"]
    some = everything[len(everything) // 2]
    wanted = {
        ("--account", "first"): lambda row: row["account"] == "first",
        ("--status", "error,cancelled"): lambda row: row["status"] in {"error", "cancelled"},
        ("--job", str(some["job_id"])): lambda row: row["job_id"] == some["job_id"],
        ("--since", some["created_at"]): lambda row: row["created_at"] >= some["created_at"],
        ("--text", str(some["run_id"])): lambda row: row["run_id"] == some["run_id"],
    }

    for words, fits in wanted.items():
        found = synced.run("runs", *words, "--limit", 0, "--json").json
        assert [run["run_id"] for run in found["runs"]] == [run["run_id"] for run in everything if fits(run)], words
        assert found["total"] == len(found["runs"]) > 0
    assert synced.run("runs", "--job", "9" * 30, "--json").json["total"] == 0


def test_a_run_is_shown_whole(synced: Program, simulator: RunningSimulator) -> None:
    """`run ID --json` has steps, executions and the critical path, as many as dbt Cloud tells of."""
    runs = synced.run("runs", "--status", "error", "--limit", 1, "--json").json["runs"]
    run_id = runs[0]["run_id"]
    truth = next(run for account in simulator.truth()["accounts"] for run in account["runs"] if run["id"] == run_id)

    document, text = synced.run("run", run_id, "--json").json, synced.run("run", run_id)

    assert set(document) >= RUN_KEYS | {"steps", "executions", "critical_path"}
    assert [step["index"] for step in document["steps"]] == [step["index"] for step in truth["steps"]]
    assert all(set(execution) >= EXECUTION_KEYS for execution in document["executions"])
    assert set(document["critical_path"]) <= {execution["unique_id"] for execution in document["executions"]}
    assert {name: document[name] for name in RUN_KEYS} == {name: runs[0][name] for name in RUN_KEYS}
    assert document["sentence"] in text.out
    assert (text.status, text.err) == (0, "")


def test_jobs_and_tables_show_the_same_facts(synced: Program) -> None:
    """`jobs --json` names every job, and the tables of jobs and runs name the same ones."""
    jobs, table = synced.run("jobs", "--json").json["jobs"], synced.run("jobs")
    runs, listed = synced.run("runs", "--limit", 5, "--json").json["runs"], synced.run("runs", "--limit", 5)

    assert {job["account"] for job in jobs} == {"first", "second"}
    assert all(job["job_name"] in table.out for job in jobs)
    assert len(runs) == 5
    assert all(str(run["run_id"]) in listed.out for run in runs)


def test_a_run_id_of_two_accounts_is_ambiguous(program: Program, simulator: RunningSimulator) -> None:
    """The same account under two addresses has the same ids: without --account the program lists both and exits 2."""
    account = simulator.accounts[1]
    for name, host in (("by-number", "127.0.0.1"), ("by-name", "localhost")):
        url = simulator.url.replace("127.0.0.1", host)
        words = ("account", "add", name, "--account-id", account.id, "--url", url, "--token-stdin")
        assert program.run(*words, stdin=account.token).status == 0
    assert program.run("sync", "--days", 0, HEADWATER__DBT_CLOUD__BACKFILL_DAYS="0").status == 0
    run = program.run("runs", "--account", "by-name", "--json").json["runs"][0]

    ambiguous = program.run("run", run["run_id"], "--json")
    chosen = program.run("run", run["run_id"], "--account", "by-name", "--json")

    assert (ambiguous.status, ambiguous.out) == (2, "")
    assert {"  by-number", "  by-name"} <= set(ambiguous.err.splitlines())
    assert (chosen.status, chosen.json["account"]) == (0, "by-name")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("runs", "--status", "broken"), "Runs have no status 'broken'"),
        (("runs", "--account", "nobody"), "There is no account 'nobody'"),
        (("runs", "--project", "nothing"), "There is no project 'nothing'"),
        (("runs", "--since", "yesterday"), "'yesterday' is not a time"),
        (("runs", "--limit", "-1"), "'--limit'"),
        (("run", "12"), "There is no run 12."),
        (("run", "9" * 30), "9" * 30),
        (("run", "abc"), "Invalid value for 'run_id'"),
        (("sync", "--account", "nobody"), "There is no account 'nobody'"),
        (("sync", "--days", "1000"), "'--days'"),
        (("ingest", "no-such-folder"), "no-such-folder is not a folder"),
        (("ingest", "."), "holds no manifest.json"),
        (("frobnicate",), "No such command 'frobnicate'"),
        (("runs", "--frobnicate"), "No such option"),
    ],
)
def test_questions_put_wrongly_are_answered_with_a_sentence(
    synced: Program,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    words: tuple[str, ...],
    said: str,
) -> None:
    """Exit status 2, one sentence or two on standard error, nothing on standard output; here without a process."""
    monkeypatch.setenv("HEADWATER__DATA_FOLDER", str(synced.data))
    monkeypatch.chdir(synced.folder)

    status = run(list(words))

    told = capfd.readouterr()
    assert (status, told.out) == (2, "")
    assert said in told.err
    assert len(told.err.splitlines()) <= 2


def test_a_reader_that_has_enough_is_no_fault(synced: Program) -> None:
    """`headwater runs --json | head -1` ends without a word of complaint."""
    command = [*synced.command("runs", "--limit", 0, "--json")]
    process = subprocess.Popen(
        command, env=synced.environment(), cwd=synced.folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdout is not None
    process.stdout.close()
    _, errors = process.communicate()

    assert (process.returncode, errors) == (0, b"")
