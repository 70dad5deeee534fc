"""Artifacts of a dbt Cloud run in somebody's folder: they are that run, whatever else sees it, before or after."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from cloud import Cloud, connect, open_watching, running_cloud
from headwater.collect import CollectedRun, encode
from headwater.errors import WrongUse
from headwater.model.account import AccountAddress
from headwater.model.run import Run, RunStatus
from headwater.model.secret import Secret
from headwater.observatory.accounts import get_account_summary, list_accounts, set_token
from headwater.observatory.collecting import ingest, receive
from headwater.observatory.holder import Observatory
from headwater.observatory.reports import IngestReport
from headwater.observatory.runs import get_run, list_runs
from headwater.observatory.syncing import sync_accounts
from headwater.store.schema import invocations
from truth import assert_equal_to_truth

FILES = ("manifest.json", "run_results.json", "sources.json", "catalog.json")


@pytest.fixture(scope="module")
def cloud() -> Iterator[Cloud]:
    """A cloud that the tests only read."""
    with running_cloud(days=0.3) as running:
        yield running


@pytest.fixture
def observatory(cloud: Cloud, tmp_path: Path, store_url: str) -> Iterator[Observatory]:
    """A Headwater on each database in turn, with no account."""
    with open_watching(cloud, tmp_path, store_url=store_url, days=1) as opened:
        yield opened


@pytest.fixture
def target(cloud: Cloud, tmp_path: Path) -> Path:
    """A folder with what the last step of a run left, and the run's id beside it."""
    account = cloud.simulator.accounts[0]
    run_id, step = find_step(cloud)
    folder = tmp_path / "target"
    folder.mkdir()
    for path in set(step["artifacts"]) & set(FILES):
        url = f"{cloud.simulator.url}/api/v2/accounts/{account.id}/runs/{run_id}/artifacts/{path}?step={step['index']}"
        request = urllib.request.Request(url, headers={"Authorization": f"Token {account.token}"})
        with urllib.request.urlopen(request) as answer:
            (folder / path).write_bytes(answer.read())
    return folder


def find_step(cloud: Cloud) -> tuple[int, dict[str, Any]]:
    """Find a step that built something."""
    steps = [
        (run["id"], step)
        for run in cloud.truth(cloud.simulator.accounts[0].id).values()
        for step in run["steps"]
        if "run_results.json" in step["artifacts"] and "docs" not in step["command"]
    ]
    return steps[-1]


def rewrite(folder: Path, **ids: str | None) -> None:
    """Change what the artifacts of a folder say of where they were written; None takes it out."""
    for path in folder.iterdir():
        document = json.loads(path.read_bytes())
        environment = {**document["metadata"]["env"], **{f"DBT_CLOUD_{name}": value for name, value in ids.items()}}
        document["metadata"]["env"] = {name: value for name, value in environment.items() if value is not None}
        path.write_text(json.dumps(document))


def list_invocations(observatory: Observatory, report: IngestReport) -> list[dict[str, Any]]:
    """List what is stored of the invocations of a report, without what depends on the order of arrival."""
    ids = [one.invocation_id for one in report.invocations]
    with observatory.store.read() as tx:
        rows = tx.execute(select(invocations).where(invocations.c.invocation_id.in_(ids))).mappings().all()
    names = ("run_id", "step_index", "command", "dbt_version", "generated_at", "elapsed", "status_counts")
    return [{name: row[name] for name in names} for row in rows]


@pytest.mark.parametrize("is_first", [True, False])
def test_an_upload_of_a_run_is_the_run(cloud: Cloud, observatory: Observatory, target: Path, is_first: bool) -> None:
    """Before or after the monitor reads the run, once or twice, it is one run with one invocation, as in truth."""
    run_id, step = find_step(cloud)
    connect(cloud, observatory, "first")
    if not is_first:
        sync_accounts(observatory)
    report = ingest(observatory, target)
    sync_accounts(observatory)
    again = ingest(observatory, target)

    assert [(one.account, one.run_id, one.is_new) for one in report.invocations] == [("first", run_id, is_first)]
    assert [one.is_new for one in again.invocations] == [False]
    assert get_run(observatory, "first", run_id).observed_by == ("ingest", "poll")
    (stored,) = list_invocations(observatory, report)
    assert (stored["run_id"], stored["step_index"], stored["command"]) == (run_id, step["index"], step["command"])
    assert [account.account for account in list_accounts(observatory).accounts] == ["first"]
    assert assert_equal_to_truth(cloud, observatory) > 5


def test_a_run_that_only_an_upload_saw_is_unknown(cloud: Cloud, observatory: Observatory, target: Path) -> None:
    """Where the account is not connected its id is enough; what nobody told of the run is not guessed."""
    run_id, _ = find_step(cloud)
    report = ingest(observatory, target)
    stored = get_run(observatory, report.invocations[0].account, run_id)

    assert (stored.status, stored.observed_by, stored.finished_at) == ("unknown", ("ingest",), None)
    assert stored.executions
    account = get_account_summary(observatory, stored.account)
    assert (account.account_id, account.origin) == (cloud.simulator.accounts[0].id, "unknown:")
    assert "artifacts of its runs only" in account.sentence
    with pytest.raises(WrongUse, match="has not been said") as refused:
        set_token(observatory, stored.account, Secret("dbtc_0"))
    assert "account add" in refused.value.hint


def test_an_account_takes_over_what_was_known_of_its_id(cloud: Cloud, observatory: Observatory, target: Path) -> None:
    """Connected after the upload, the account has the run, and there is no other account."""
    run_id, _ = find_step(cloud)
    ingest(observatory, target)
    connect(cloud, observatory, "first")
    sync_accounts(observatory)

    assert [account.account for account in list_accounts(observatory).accounts] == ["first"]
    assert get_run(observatory, "first", run_id).observed_by == ("ingest", "poll")
    assert assert_equal_to_truth(cloud, observatory) > 5


def test_the_sdk_says_where_an_account_is(cloud: Cloud, observatory: Observatory, target: Path) -> None:
    """A run that the SDK sends of an account known by its id settles the address, and is the uploaded run."""
    run_id, _ = find_step(cloud)
    name = ingest(observatory, target).invocations[0].account
    address = AccountAddress("https://ab123.us1.dbt.com", cloud.simulator.accounts[0].id)
    run = Run(run_id=run_id, status=RunStatus.SUCCESS, finished_at=cloud.now)
    sent = CollectedRun(address=address, run=run, artifacts=(), collected_at=cloud.now)
    received = receive(observatory, encode(sent), cloud.now)

    (account,) = list_accounts(observatory).accounts
    assert (received.account, account.account, account.origin) == (name, name, address.origin)
    (stored,) = list_runs(observatory).runs
    assert (stored.run_id, stored.status, stored.observed_by) == (run_id, "success", ("ingest", "sdk"))


def test_what_names_a_run_without_an_account_is_kept_without_it(observatory: Observatory, target: Path) -> None:
    """The invocation is stored as a local one, and a warning says why."""
    rewrite(target, ACCOUNT_ID=None)
    report = ingest(observatory, target)

    assert [(one.account, one.run_id) for one in report.invocations] == [("local", None)]
    assert any("names no account" in warning for warning in report.warnings)
    assert list_runs(observatory).total == 0


def test_of_two_accounts_with_one_id_the_one_that_has_the_run_is_meant(
    cloud: Cloud, observatory: Observatory, target: Path
) -> None:
    """Regions count their accounts apart: which is meant, the run tells; unless neither has it."""
    run_id, _ = find_step(cloud)
    account_id = cloud.simulator.accounts[0].id
    for number, origin in enumerate(("https://ab123.us1.dbt.com", "https://cd456.eu1.dbt.com")):
        run = Run(run_id=run_id + 1_000 * number, status=RunStatus.SUCCESS)
        sent = CollectedRun(address=AccountAddress(origin, account_id), run=run, artifacts=(), collected_at=cloud.now)
        receive(observatory, encode(sent), cloud.now)
    found = ingest(observatory, target)
    rewrite(target, RUN_ID="5")
    lost = ingest(observatory, target)

    assert [(one.account, one.run_id) for one in found.invocations] == [(f"account-{account_id}", run_id)]
    assert [(one.account, one.run_id) for one in lost.invocations] == [("local", None)]
    assert any(f"several accounts {account_id}" in warning for warning in lost.warnings)
