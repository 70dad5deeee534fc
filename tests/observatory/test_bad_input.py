"""Whatever is wrong outside ends in a clear sentence with what to do; nothing stored is lost, other accounts go on."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from cloud import Cloud, open_watching, running_cloud, watching
from headwater.errors import WrongUse
from headwater.model.secret import Secret
from headwater.observatory.accounts import add_account, get_account_summary, list_accounts
from headwater.observatory.runs import RunFilter, get_run, list_runs
from headwater.observatory.syncing import sync_accounts


@pytest.fixture(scope="module")
def cloud() -> Iterator[Cloud]:
    """A cloud for the tests that only read it."""
    with running_cloud(days=1) as running:
        yield running


@pytest.fixture
def closed() -> int:
    """A port on which nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


@pytest.mark.parametrize(
    ("url", "account_id", "token", "said", "hint"),
    [
        ("{url}", 0, "dbtc_wrong", "does not accept the token (401)", "A token works only in the region"),
        ("{url}", 1, "{token}", "cannot see account", "It can see"),
        ("http://127.0.0.1:{closed}", 0, "{token}", "127.0.0.1", "Nothing was saved."),
        ("https://no-such-host.invalid", 0, "{token}", "no-such-host.invalid", "Nothing was saved."),
        ("https://127.0.0.1:{port}", 0, "{token}", "No TLS connection to 127.0.0.1", "Does it speak https?"),
        ("http://dbt.example", 0, "{token}", "without encryption", "https://dbt.example"),
        ("ftp://127.0.0.1", 0, "{token}", "only https://", "access URL"),
        ("https://user:canary@dbt.example", 0, "{token}", "a user name or a password", "before the @"),
        ("{url}", 0, "line\nbreak", "control character", "Paste only the token."),
    ],
)
def test_an_account_that_cannot_be_asked_is_not_connected(
    cloud: Cloud, tmp_path: Path, closed: int, url: str, account_id: int, token: str, said: str, hint: str
) -> None:
    """Each wrong address, account or token is named with what to do next, and nothing is saved."""
    first = cloud.simulator.accounts[0]
    port = cloud.simulator.url.rpartition(":")[2]
    with open_watching(cloud, tmp_path) as observatory:
        with pytest.raises(WrongUse) as refused:
            add_account(
                observatory,
                "acme",
                account_id=first.id + account_id,
                url=url.format(url=cloud.simulator.url, port=port, closed=closed),
                token=Secret(token.format(token=first.token)),
                allow_private=True,
            )

        assert said in str(refused.value)
        assert hint in str(refused.value)
        assert first.token not in str(refused.value)
        assert "canary" not in str(refused.value)
        assert list_accounts(observatory).accounts == ()


@pytest.mark.parametrize(
    ("trouble", "status", "said"),
    [
        ({"revoke": True}, "rejected", "does not accept the token (401)"),
        ({"hide": True}, "failing", "the token may not see it"),
        ({"kind": "bad_gateway"}, "failing", "is in trouble (502). It answered with a web page."),
        ({"kind": "error_500"}, "failing", "is in trouble (500)"),
        ({"kind": "reset_before"}, "failing", "broke the connection off"),
        ({"kind": "truncated_body"}, "failing", "127.0.0.1"),
    ],
)
def test_an_account_in_trouble_loses_nothing_and_stops_no_other(
    tmp_path: Path, trouble: dict[str, object], status: str, said: str
) -> None:
    """The first account fails with a sentence, keeps what it had, and recovers; the second is synced meanwhile."""
    with running_cloud(days=1) as cloud, watching(cloud, tmp_path, days=1) as observatory:
        first = cloud.simulator.accounts[0]
        sync_accounts(observatory, account="first")
        before = list_runs(observatory, limit=None)
        told: dict[str, object] = {"revoke_tokens": [first.token]} if "revoke" in trouble else {}
        told |= {"hide_accounts": [first.id]} if "hide" in trouble else {}
        told |= {"next": [trouble | {"account_id": first.id, "count": 100_000}]} if "kind" in trouble else {}
        cloud.simulator.control("POST", "faults", told)

        report = sync_accounts(observatory)

        assert report.accounts_failed == 1
        assert report.faults[0].startswith("first: ")
        assert said in report.faults[0]
        summary = get_account_summary(observatory, "first")
        assert (summary.status, said in summary.sentence) == (status, True)
        assert list_runs(observatory, RunFilter(account="first"), limit=None).runs == before.runs
        assert get_account_summary(observatory, "second").status == "connected"
        assert list_runs(observatory, RunFilter(account="second"), limit=1).total > 0

        cloud.simulator.control("POST", "faults", {"clear": True})
        assert sync_accounts(observatory).faults == ()
        assert get_account_summary(observatory, "first").status == "connected"


def test_an_artifact_with_a_merge_conflict_is_named_and_read_once_it_is_whole(tmp_path: Path) -> None:
    """A corrupt artifact is a fault of its run alone: the run stands with its steps, and is completed later."""
    with running_cloud(days=1) as cloud, watching(cloud, tmp_path, accounts=1, days=1) as observatory:
        cloud.fault("corrupt_artifact", count=1, path="run_results.json")

        report = sync_accounts(observatory)

        (fault,) = report.faults
        run_id = int(fault.removeprefix("Run ").partition(",")[0])
        broken = get_run(observatory, "first", run_id)
        bad = [artifact for artifact in broken.artifacts if artifact.state == "failed"]
        assert report.accounts_failed == 0
        assert "run_results.json" in fault
        assert [artifact.path for artifact in bad] == ["run_results.json"]
        assert bad[0].reason
        assert broken.steps

        cloud.advance(60)
        assert sync_accounts(observatory).faults == ()
        whole = get_run(observatory, "first", run_id)
        assert {artifact.state for artifact in whole.artifacts} <= {"stored", "absent"}
        assert len(whole.executions) > len(broken.executions)


def test_a_status_that_nobody_knows_is_shown_as_unknown(tmp_path: Path) -> None:
    """A run with a status number of tomorrow is stored and said, and becomes what it is once that is known."""
    with running_cloud(days=1) as cloud, watching(cloud, tmp_path, accounts=1, days=1) as observatory:
        run_id = max(cloud.truth(cloud.simulator.accounts[0].id))
        cloud.simulator.control("POST", "faults", {"unknown_statuses": {str(run_id): 77}})

        report = sync_accounts(observatory)

        unknown = get_run(observatory, "first", run_id)
        assert report.accounts_failed == 0
        assert unknown.status == "unknown"
        assert "77" in unknown.sentence
        cloud.simulator.control("POST", "faults", {"clear": True})
        cloud.advance(3_600)
        sync_accounts(observatory)
        assert get_run(observatory, "first", run_id).status in {"success", "error", "cancelled"}
