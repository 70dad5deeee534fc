"""The client against the simulated dbt Cloud, compared with what the simulator knows to be true."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from headwater.dbtcloud.client import Client
from headwater.dbtcloud.connection import TokenKind, check_connection
from headwater.dbtcloud.query import RunQuery
from headwater.dbtcloud.transport import HttpTransport, open_transport
from headwater.errors import AnswerUnreadable, NotVisible, TokenRejected
from headwater.model.account import AccountAddress
from headwater.model.run import RunStatus
from headwater.model.secret import Secret
from headwater.simulator import RunningSimulator, SimulatorSettings, start_in_thread

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
STATUS = {
    1: RunStatus.QUEUED, 2: RunStatus.STARTING, 3: RunStatus.RUNNING,
    10: RunStatus.SUCCESS, 20: RunStatus.ERROR, 30: RunStatus.CANCELLED,
}  # fmt: skip


@pytest.fixture(scope="module")
def simulator() -> Iterator[RunningSimulator]:
    with start_in_thread(SimulatorSettings(seed=3, days=10, now=NOW, clock="manual")) as running:
        yield running


@pytest.fixture(scope="module")
def transport() -> Iterator[HttpTransport]:
    with open_transport(deadline=10.0) as opened:
        yield opened


def client_of(
    simulator: RunningSimulator, transport: HttpTransport, kind: str = "service", token: str | None = None
) -> Client:
    account = simulator.accounts[0]
    return Client(
        AccountAddress(simulator.url, account.id), Secret(token or account.tokens[kind]), transport,
        sleep=lambda _: None, clock=lambda: NOW,
    )  # fmt: skip


@pytest.fixture
def client(simulator: RunningSimulator, transport: HttpTransport) -> Client:
    return client_of(simulator, transport)


@pytest.fixture(scope="module")
def truth(simulator: RunningSimulator) -> list[dict]:
    account = simulator.accounts[0].id
    return simulator.truth(account_id=account, executions="false")["accounts"][0]["runs"]


def test_every_run_is_listed_as_it_is(client: Client, truth: list[dict]) -> None:
    """Ids, jobs, status, times, triggers and retries, of several pages of runs."""
    assert len(truth) > 100
    runs = list(client.each_run(RunQuery()))
    assert client.take_faults() == ()
    assert [run.run_id for run in runs] == sorted(run["id"] for run in truth)
    true_by_id = {run["id"]: run for run in truth}
    for run in runs:
        true = true_by_id[run.run_id]
        assert (run.status, run.job_id, run.project_id) == (STATUS[true["status"]], true["job_id"], true["project_id"])
        assert (run.trigger.category, run.trigger.cause) == (true["trigger_category"], true["trigger_cause"])
        assert run.retrying_run_id == true["retrying_run_id"]
        for name in ("created_at", "started_at", "finished_at"):
            assert getattr(run, name) == (datetime.fromisoformat(true[name]) if true[name] else None)


@pytest.mark.parametrize("order", ["-id", "created_at", "-created_at", "finished_at", "-finished_at"])
def test_every_order_lists_the_same_runs(client: Client, truth: list[dict], order: str) -> None:
    """Whichever way they are paged."""
    assert sorted(run.run_id for run in client.each_run(RunQuery(order=order))) == sorted(run["id"] for run in truth)


def test_windows_and_filters_choose_what_they_say(client: Client, truth: list[dict]) -> None:
    """By creation, by end, by status, by job, by id."""
    start, end = NOW - timedelta(days=3), NOW - timedelta(days=1)
    job_id = truth[0]["job_id"]

    def ids(query: RunQuery) -> list[int]:
        return [run.run_id for run in client.each_run(query)]

    def true(condition) -> list[int]:
        return sorted(run["id"] for run in truth if condition(run))

    def between(run: dict, name: str) -> bool:
        return run[name] is not None and start <= datetime.fromisoformat(run[name]) <= end

    middle = sorted(run["id"] for run in truth)[len(truth) // 2]
    assert ids(RunQuery(created=(start, end))) == true(lambda run: between(run, "created_at")) != []
    assert ids(RunQuery(finished=(start, end))) == true(lambda run: between(run, "finished_at")) != []
    assert ids(RunQuery(status_codes=(20, 30))) == true(lambda run: run["status"] in {20, 30}) != []
    assert ids(RunQuery(job_id=job_id)) == true(lambda run: run["job_id"] == job_id) != []
    assert ids(RunQuery(above_id=middle)) == true(lambda run: run["id"] > middle) != []
    assert [run.run_id for run in client.list_open_runs()] == true(lambda run: run["status"] in {1, 2, 3})
    some = [run["id"] for run in truth[:130]]
    assert [run.run_id for run in client.list_runs_by_id([*some, 1])] == sorted(some)


def test_a_run_has_its_steps_and_each_step_its_own_artifacts(client: Client, truth: list[dict]) -> None:
    """Steps are as they are; what a step left can be read from that step, and nothing else."""
    names = ("run_results.json", "sources.json")
    chosen = [run for status in (10, 20, 30) for run in truth if run["status"] == status][:4]
    chosen += [run for run in truth if len(run["steps"]) > 5][:3]
    read = 0
    for true in chosen:
        run = client.get_run(true["id"])
        assert [(step.index, step.name, step.command, step.status, step.started_at) for step in run.steps] == [
            (
                one["index"],
                one["name"],
                one["command"],
                STATUS[one["status"]],
                datetime.fromisoformat(one["started_at"]),
            )
            for one in true["steps"]
        ]
        for one in true["steps"]:
            there = {name for name in names if client.read_artifact(run.run_id, name, one["index"]) is not None}
            assert there == set(names) & set(one["artifacts"])
            if "run_results.json" in there:
                body = client.read_artifact(run.run_id, "run_results.json", one["index"])
                assert msgspec.json.decode(body)["metadata"]["invocation_id"] == one["invocation_id"]
                read += 1
        if true["steps"]:
            assert set(client.list_artifacts(run.run_id)) == set(true["steps"][-1]["artifacts"])
    assert read >= 5


def test_the_account_and_all_it_holds_are_listed(
    client: Client, simulator: RunningSimulator, truth: list[dict]
) -> None:
    """Every run's job, project and environment is among them."""
    account = simulator.accounts[0]
    assert [(one.account_id, one.name) for one in client.list_accounts()] == [(account.id, account.name)]
    assert client.get_account().name == account.name
    jobs = {job.job_id: job for job in client.list_jobs()}
    assert {run["job_id"] for run in truth} <= set(jobs)
    assert {run["project_id"] for run in truth} <= {project.project_id for project in client.list_projects()}
    environments = {one.environment_id: one for one in client.list_environments()}
    assert {run["environment_id"] for run in truth} <= set(environments)
    assert any(environment.is_production for environment in environments.values())
    assert any(job.cron for job in jobs.values())
    some = next(iter(jobs.values()))
    assert client.get_job(some.job_id) == some
    assert client.take_faults() == ()


@pytest.mark.parametrize(
    ("kind", "failing", "token_kind"),
    [
        ("service", [], TokenKind.SERVICE),
        ("read_only", [], TokenKind.SERVICE),
        ("personal", [], TokenKind.PERSONAL),
        ("one_project", [], TokenKind.SERVICE),
        ("no_environments", ["environments"], TokenKind.SERVICE),
        ("no_runs", ["runs"], TokenKind.SERVICE),
        ("metadata_only", ["projects", "environments", "jobs", "runs"], TokenKind.SERVICE),
        ("ip_blocked", ["token"], TokenKind.SERVICE),
    ],
)
def test_the_connection_check_finds_what_each_kind_of_token_lacks(
    simulator: RunningSimulator, transport: HttpTransport, kind: str, failing: list[str], token_kind: TokenKind
) -> None:
    """In plain sentences, and without asking more than eight times."""
    asked: list[object] = []
    client = client_of(simulator, transport, kind)
    counting = Client(client.address, client.token, transport, on_request=asked.append)
    report = check_connection(counting)
    assert [check.name for check in report.checks if check.ok is False] == failing
    assert report.is_usable is (failing == [])
    assert report.token_kind is token_kind
    assert len(asked) <= 8
    assert all(check.sentence.endswith(".") for check in report.checks)
    assert all(check.hint for check in report.checks if check.ok is False)


def test_a_wrong_token_and_a_wrong_account_are_told_apart(
    simulator: RunningSimulator, transport: HttpTransport
) -> None:
    """A token of nobody, and a good one with the id of another account."""
    wrong = client_of(simulator, transport, token="dbtc_nobody")
    with pytest.raises(TokenRejected, match="Invalid token"):
        wrong.list_jobs()
    report = check_connection(wrong)
    assert [check.name for check in report.checks if check.ok is False] == ["token"]
    good = client_of(simulator, transport)
    other = Client(AccountAddress(simulator.url, 1), good.token, transport)
    with pytest.raises(NotVisible):
        other.list_jobs()
    report = check_connection(other)
    assert [check.name for check in report.checks if check.ok is False] == ["account"]
    assert simulator.accounts[0].name in next(check.hint for check in report.checks if check.name == "account")


@pytest.fixture
def troubled(simulator: RunningSimulator) -> Iterator[RunningSimulator]:
    yield simulator
    simulator.control("POST", "faults", {"clear": True})


@pytest.mark.parametrize(
    "kind", ["error_500", "bad_gateway", "unavailable", "reset_before", "reset_after", "truncated_body"]
)
def test_passing_faults_cost_no_run(troubled: RunningSimulator, client: Client, truth: list[dict], kind: str) -> None:
    """Each of the first three tries of a listing goes wrong."""
    troubled.control("POST", "faults", {"next": [{"kind": kind, "count": 3, "path": "/runs/"}]})
    assert len(list(client.each_run(RunQuery()))) == len(truth)


def test_a_slow_body_ends_at_the_deadline(troubled: RunningSimulator) -> None:
    """And not when the server is done; the next try has the answer."""
    troubled.control("POST", "faults", {"next": [{"kind": "slow_body", "count": 1, "path": "/jobs/", "seconds": 20.0}]})
    failures: list[str | None] = []
    with open_transport(deadline=1.0) as hasty:
        one = client_of(troubled, hasty)
        watching = Client(
            one.address,
            one.token,
            hasty,
            sleep=lambda _: None,
            on_request=lambda report: failures.append(report.failure),
        )
        assert watching.list_jobs()
    assert failures == ["timeout", None]


def test_a_corrupt_artifact_is_handed_on_and_a_number_nobody_knows_is_kept(
    troubled: RunningSimulator, client: Client, truth: list[dict]
) -> None:
    """What is in an artifact is not read here; an unknown status is UNKNOWN with its number."""
    run_id = next(run["id"] for run in truth if run["status"] == 10)
    troubled.control("POST", "faults", {"unknown_statuses": {str(run_id): 42}})
    run = client.get_run(run_id)
    assert (run.status, run.status_code, run.is_finished) == (RunStatus.UNKNOWN, 42, False)
    troubled.control("POST", "faults", {"clear": True, "next": [{"kind": "corrupt_artifact", "count": 9}]})
    bodies = [client.read_artifact(run_id, "run_results.json", step.index) for step in run.steps]
    assert any(body and b"<<<<<<<" in body for body in bodies)


def test_the_root_page_is_not_taken_for_an_answer(simulator: RunningSimulator, transport: HttpTransport) -> None:
    """The answer to / is 200 and a page."""
    client = client_of(simulator, transport)
    with pytest.raises(AnswerUnreadable, match="web page"):
        client._get("root", "/", {}, lambda raw, _: raw)
