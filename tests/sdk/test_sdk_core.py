"""`collect_data_from_dbt_core`: a project's artifacts reach the server, nothing there changes, nothing is raised."""

from __future__ import annotations

import hashlib
import json
import shutil
import zlib
from pathlib import Path

import pytest
from sdk_house import GONE, House

from cloud import wait_until_stored
from headwater import collect_data_from_dbt_core
from headwater.collect import CollectedTarget, decode
from headwater.errors import AccessDenied, ArtifactUnreadable, HeadwaterError, NotKnown, WrongUse
from headwater.sdk import CoreResult, Outcome, flush_spool
from headwater.store.accounts import ensure_local_account
from headwater.store.invocation_queries import find_invocation, list_invocation_executions

FILES = Path(__file__).parent.parent / "artifacts" / "files"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project in which source freshness, a build and docs ran one after the other, each leaving its files."""
    folder = tmp_path / "project"
    (folder / "target").mkdir(parents=True)
    (folder / "logs").mkdir()
    (folder / "logs" / "dbt.log").write_text("as dbt left it\n")
    (folder / "dbt_project.yml").write_text("name: shop\n")
    for name in ("manifest", "run_results", "sources", "catalog"):
        shutil.copy(FILES / f"core_{name}.json", folder / "target" / f"{name}.json")
    return folder


def digests(folder: Path) -> dict[str, tuple[str, int, int]]:
    """Give what every file of a folder is, and when it was written."""
    return {
        str(path): (
            hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "",
            path.stat().st_mtime_ns,
            path.stat().st_mode,
        )
        for path in folder.rglob("*")
    }


def stored(house: House, result: CoreResult) -> dict[str, int]:
    """Give how many executions the server has of each invocation of a result, by command."""
    found = {}
    wait_until_stored(house.observatory)
    with house.observatory.store.write() as tx:
        account_key = ensure_local_account(tx, house.observatory.store.now()).account_key
        for one in result.invocations:
            row = find_invocation(tx, account_key, one.invocation_id)
            if row is not None:
                found[row.invocation.command] = len(list_invocation_executions(tx, account_key, row.invocation_key))
    return found


def as_of_now(project: Path, name: str) -> None:
    """Let this test's results be of an invocation that no other test sent."""
    path = project / "target" / "run_results.json"
    document = json.loads(path.read_bytes())
    document["metadata"]["invocation_id"] = name
    path.write_text(json.dumps(document))


def test_each_invocation_of_the_folder_is_sent_as_its_own(house: House, task: Path, project: Path) -> None:
    """Three invocations arrive as three, with the results of each; sent again they stay three."""
    result = collect_data_from_dbt_core(project)

    commands = [(one.command, one.status) for one in result.invocations]
    assert (result.outcome, result.status, result.error) == (Outcome.SENT, "error", None)
    assert commands == [("dbt build", "error"), ("dbt docs generate", "success"), ("dbt source freshness", "success")]
    (build, _, _) = result.invocations
    assert stored(house, result) == {
        "dbt build": sum(build.executions.values()),
        "dbt docs generate": 0,
        "dbt source freshness": 0,
    }
    assert collect_data_from_dbt_core(str(project)).invocations == result.invocations
    assert len(stored(house, result)) == 3


def test_the_project_is_only_read(house: House, task: Path, project: Path) -> None:
    """Neither dbt.log nor anything else in the project is touched, and nothing is added."""
    before = digests(project)

    assert collect_data_from_dbt_core(project).outcome is Outcome.SENT

    assert digests(project) == before


def test_the_target_folder_is_where_dbt_was_told(
    house: House, task: Path, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`target_path` goes before DBT_TARGET_PATH, and that before the project's own."""
    (project / "target").rename(project / "given")
    monkeypatch.setenv("DBT_TARGET_PATH", "nowhere")

    assert collect_data_from_dbt_core(project, target_path="given").outcome is Outcome.SENT
    assert collect_data_from_dbt_core(project).outcome is Outcome.FAILED
    monkeypatch.setenv("DBT_TARGET_PATH", "given")
    assert collect_data_from_dbt_core(project).outcome is Outcome.SENT


def test_the_airflow_task_travels_with_it(
    house: House, task: Path, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While the server is away the folder is kept with its DAG and try and without any token, then sent."""
    monkeypatch.setenv("HEADWATER_URL", GONE)
    monkeypatch.setenv("AIRFLOW_CTX_DAG_ID", "nightly")
    monkeypatch.setenv("AIRFLOW_CTX_TRY_NUMBER", "2")
    as_of_now(project, "kept-while-away")

    result = collect_data_from_dbt_core(project)

    (file,) = task.iterdir()
    kept = decode(file.read_bytes())
    assert result.outcome is Outcome.SPOOLED
    assert isinstance(kept, CollectedTarget)
    assert kept.airflow is not None
    assert (kept.airflow.dag_id, kept.airflow.try_number) == ("nightly", 2)
    assert house.tokens["ingest"].encode() not in zlib.decompress(file.read_bytes().partition(b"\n")[2])
    assert "dbt build" not in stored(house, result)
    flushed = flush_spool({"HEADWATER_URL": house.url, "HEADWATER_TOKEN": house.tokens["ingest"],
                           "HEADWATER_SPOOL": str(task)})  # fmt: skip
    assert (flushed.sent, flushed.left) == (1, 0)
    assert stored(house, result)["dbt build"] > 0


@pytest.mark.parametrize(
    ("path", "error", "said"),
    [
        ("", WrongUse, "dbt_project_path"),
        (None, WrongUse, "dbt_project_path"),
        (7, WrongUse, "dbt_project_path"),
        ("nowhere", NotKnown, "nowhere is not a folder"),
        ("empty", NotKnown, "target is not a folder"),
        ("bare", NotKnown, "holds no manifest.json"),
        ("broken", ArtifactUnreadable, "None of the artifacts can be read"),
    ],
)
def test_what_cannot_be_collected_is_said_and_raised_only_when_strict(
    task: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: object, error: type[HeadwaterError], said: str
) -> None:
    """Each fault ends in a sentence that names it; only `strict` raises it, with its type."""
    (tmp_path / "empty").mkdir()
    (tmp_path / "bare" / "target").mkdir(parents=True)
    (tmp_path / "broken" / "target").mkdir(parents=True)
    (tmp_path / "broken" / "target" / "manifest.json").write_text("{")
    monkeypatch.chdir(tmp_path)

    result = collect_data_from_dbt_core(path)

    assert result.outcome is Outcome.FAILED
    assert said in (result.error or "")
    assert not task.exists()
    with pytest.raises(error, match=said):
        collect_data_from_dbt_core(path, strict=True)


def test_a_token_of_another_role_keeps_it(
    house: House, task: Path, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only a token of the role ingest may hand in; with another the folder is kept and the reason told."""
    monkeypatch.setenv("HEADWATER_TOKEN", house.tokens["viewer"])

    assert "role ingest" in (collect_data_from_dbt_core(project).error or "")
    assert len(list(task.iterdir())) == 1
    with pytest.raises(AccessDenied):
        collect_data_from_dbt_core(project, strict=True)
