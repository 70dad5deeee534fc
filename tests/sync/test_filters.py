"""dbt Cloud as it is used: filters, pauses, renames, deletions, several hosts, long history, long jobs, mesh."""

from __future__ import annotations

import json
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, select

from cloud import Cloud, make_settings, open_watching, running_cloud, watching
from headwater.collect import encode
from headwater.errors import Ambiguous, CheckFailed, NotKnown, WrongUse
from headwater.model.filter import Kind
from headwater.model.secret import Secret
from headwater.observatory.accounts import add_account, get_account_summary, list_accounts, set_token
from headwater.observatory.collecting import receive
from headwater.observatory.filtering import FilterWish, KindWish
from headwater.observatory.following import AccountReport, change_filter, get_account_report, set_followed
from headwater.observatory.holder import Observatory, get_account, open_observatory
from headwater.observatory.jobs import list_jobs
from headwater.observatory.reports import RunSummary
from headwater.observatory.runs import RunFilter, get_run, list_runs
from headwater.observatory.syncing import make_pass, sync_accounts, syncing_apart, widen
from headwater.observatory.webhooks import answer, get_webhook
from headwater.store.filters import get_filter
from headwater.store.schema import nodes
from headwater.store.sync_states import get_sync_state
from headwater.store.webhooks import add_event
from headwater.sync.account import collect_run

FINISHED = {10, 20, 30}


def choose(observatory: Observatory, *parts: KindWish, ci: bool | None = None, reset: bool = False) -> AccountReport:
    """Change the first account's filter."""
    return change_filter(observatory, "first", FilterWish(kinds=parts, with_ci=ci, is_reset=reset))


def only(kind: Kind, *names: str) -> KindWish:
    """Wish for these alone."""
    return KindWish(kind=kind, named=names)


def without(kind: Kind, *names: str) -> KindWish:
    """Wish for all but these."""
    return KindWish(kind=kind, named=names, is_exclusion=True)


def list_stored(observatory: Observatory, account: str = "first") -> dict[int, RunSummary]:
    """List every stored run of an account by id."""
    return {run.run_id: run for run in list_runs(observatory, RunFilter(account=account), limit=None).runs}


def ask(cloud: Cloud, method: str, path: str, body: dict[str, Any] | None = None, account: int = 0) -> Any:
    """Ask the simulated dbt Cloud itself, as somebody in its interface does."""
    known = cloud.simulator.accounts[account]
    request = urllib.request.Request(
        f"{cloud.simulator.url}/api/v2/accounts/{known.id}/{path}",
        method=method,
        data=None if body is None else json.dumps(body).encode(),
        headers={"Authorization": f"Token {known.token}", "Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        text = answer.read()
    return json.loads(text)["data"] if text else None


def list_truth(cloud: Cloud, wanted: Callable[[dict[str, Any]], bool] = lambda _: True) -> dict[int, dict[str, Any]]:
    """List what is true of the first account's runs that are wanted."""
    found = cloud.truth(cloud.simulator.accounts[0].id)
    return {run_id: run for run_id, run in found.items() if wanted(run)}


def count_routes(cloud: Cloud) -> Counter[str]:
    """Count the requests by route since the counts were forgotten."""
    counts: Counter[str] = Counter()
    for row in cloud.simulator.control("GET", "requests")["counts"]:
        counts[row["route"]] += row["count"]
    return counts


def list_asked_runs(cloud: Cloud) -> set[int]:
    """List the runs whose detail or artifacts were asked for since the counts were forgotten."""
    lines = cloud.simulator.control("GET", "requests?last=100000")["lines"]
    parts = (line.partition("/runs/")[2].partition("/")[0] for line in lines)
    return {int(part) for part in parts if part.isdecimal()}


def list_scoped_nodes(tx: Connection, account_key: int) -> set[tuple[int, str]]:
    """List every node of an account with the project under which it stands."""
    query = select(nodes.c.project_id, nodes.c.unique_id).where(nodes.c.account_key == account_key)
    return {(row.project_id, row.unique_id) for row in tx.execute(query)}


def ids_of(cloud: Cloud, noun: str, name: str, project: int | None = None) -> int:
    """Give the id of the one thing of a name."""
    found = [
        thing["id"]
        for thing in ask(cloud, "GET", f"{noun}/?state=all")
        if thing["name"] == name and project in (None, thing.get("project_id"))
    ]
    return int(found[0])


@pytest.fixture(scope="module")
def cloud() -> Iterator[Cloud]:
    """A cloud for the tests that only read it."""
    with running_cloud(days=2) as running:
        yield running


def test_what_a_filter_leaves_out_costs_no_request(cloud: Cloud, tmp_path: Path, store_url: str) -> None:
    """Only the wanted runs are stored, each complete, and of no other the detail or an artifact is asked for."""
    project = ids_of(cloud, "projects", "Finance")
    with watching(cloud, tmp_path, store_url=store_url, accounts=1) as observatory:
        report = choose(observatory, only(Kind.PROJECT, "finance"), ci=False)
        cloud.simulator.control("DELETE", "requests")
        sync_accounts(observatory)

        wanted = list_truth(cloud, lambda run: run["project_id"] == project and run["trigger_category"] != "ci")
        others = set(list_truth(cloud)) - set(wanted)
        assert report.account.follows == "Follows project Finance, without CI jobs."
        assert len(others) > len(wanted) > 2
        assert set(list_stored(observatory)) == set(wanted)
        assert list_asked_runs(cloud) & others == set()
        assert {run_id for run_id, run in wanted.items() if run["status"] in FINISHED} <= list_asked_runs(cloud)


def test_an_excluded_job_and_a_chosen_environment(cloud: Cloud, tmp_path: Path) -> None:
    """What dbt Cloud's list cannot leave out is left out here, by id, in every kind of listing."""
    job = ids_of(cloud, "jobs", "Hourly models")
    storefront = ids_of(cloud, "projects", "Storefront")
    with watching(cloud, tmp_path, accounts=1) as observatory:
        choose(observatory, only(Kind.PROJECT, "Storefront"), only(Kind.ENVIRONMENT, "Production"))
        report = choose(observatory, without(Kind.JOB, str(job)))
        cloud.simulator.control("DELETE", "requests")
        sync_accounts(observatory)

        wanted = list_truth(
            cloud,
            lambda run: run["project_id"] == storefront and run["job_id"] != job and run["trigger_category"] != "ci",
        )
        followed = {thing.name for choice in report.choices for thing in choice.things if thing.is_followed}
        assert set(list_stored(observatory)) == set(wanted)
        assert list_asked_runs(cloud) <= set(wanted)
        assert report.account.follows == (
            "Follows project Storefront, environment Production, without job Hourly models."
        )
        assert "Nightly build" in followed
        assert "Hourly models" not in followed


def test_a_wider_filter_brings_what_was_left_out_and_a_narrower_one_keeps_what_is_stored(tmp_path: Path) -> None:
    """Widened, the history fills up; narrowed, stored runs stay complete and new unwanted ones are passed over."""
    with running_cloud(days=1) as cloud, watching(cloud, tmp_path, accounts=1, days=1) as observatory:
        choose(observatory, only(Kind.PROJECT, "Finance"))
        sync_accounts(observatory)
        few = set(list_stored(observatory))
        complete = {run_id for run_id in few if get_run(observatory, "first", run_id).is_complete}
        widened = choose(observatory, reset=True)
        cloud.simulator.control("DELETE", "requests")
        sync_accounts(observatory)
        everything = set(list_stored(observatory))
        asked_again = list_asked_runs(cloud) & complete
        narrowed = choose(observatory, only(Kind.PROJECT, "Finance"))
        cloud.advance(6 * 3600)
        sync_accounts(observatory)

        finance = ids_of(cloud, "projects", "Finance")
        truth = list_truth(cloud)
        later = {run_id for run_id, run in truth.items() if run["project_id"] == finance} - everything
        assert everything == {run_id for run_id in truth if run_id <= max(everything)}
        assert len(few) < len(everything)
        assert (len(complete) > 2, asked_again) == (True, set())
        assert (widened.notes, narrowed.notes) == (
            ("The history of what is followed now is copied by the next passes.",),
            ("What was stored before stays.",),
        )
        assert set(list_stored(observatory)) == everything | later
        assert later


def test_what_was_to_be_collected_waits_while_it_is_left_out(cloud: Cloud, tmp_path: Path, store_url: str) -> None:
    """Narrowed amid a backfill, the rest of unwanted runs is left out and says so; widened, it is collected."""
    with watching(cloud, tmp_path, store_url=store_url, accounts=1) as observatory:
        make_pass(observatory, "first")
        choose(observatory, only(Kind.PROJECT, "Finance"))
        cloud.simulator.control("DELETE", "requests")
        sync_accounts(observatory)
        finance = ids_of(cloud, "projects", "Finance")
        truth = list_truth(cloud)
        stored = list_stored(observatory)
        others = [run_id for run_id in stored if truth[run_id]["project_id"] != finance]
        left_out = [
            run_id
            for run_id in others
            if "The account's filter leaves" in get_run(observatory, "first", run_id).completeness
        ]
        asked = list_asked_runs(cloud)
        choose(observatory, reset=True)
        sync_accounts(observatory)

        assert left_out
        assert asked & set(others) == set()
        assert get_account_summary(observatory, "first").backfill is None
        assert all(get_run(observatory, "first", run_id).is_complete for run_id in left_out)


@pytest.mark.parametrize("moment", range(3, 27, 4))
def test_a_filter_that_is_widened_amid_a_pass_misses_nothing(cloud: Cloud, tmp_path: Path, moment: int) -> None:
    """At whichever look at the clock somebody widens the filter, the history is whole in the end."""
    looks = 0

    def look() -> datetime:
        nonlocal looks
        looks += 1
        if looks == moment:
            choose(observatory, reset=True)
        return cloud.now

    account = cloud.simulator.accounts[1]
    with open_observatory(make_settings(tmp_path, days=2), clock=look) as observatory:
        looks = 1_000
        token = Secret(account.token)
        add_account(
            observatory, "first", account_id=account.id, url=cloud.simulator.url, token=token, allow_private=True
        )
        choose(observatory, only(Kind.JOB, "Source freshness"))
        looks = 0
        make_pass(observatory, "first")
        choose(observatory, reset=True)
        sync_accounts(observatory)

        assert set(list_stored(observatory)) == set(cloud.truth(account.id))


def test_a_run_under_way_is_read_to_its_end_and_no_further(tmp_path: Path) -> None:
    """A stored run that a filter leaves out does not run for ever; its artifacts are not asked for."""
    with running_cloud(days=1) as cloud, watching(cloud, tmp_path, accounts=1, days=1) as observatory:
        storefront = ids_of(cloud, "projects", "Storefront")
        job = ids_of(cloud, "jobs", "Nightly build", storefront)
        run_id = cloud.simulator.control("POST", "runs", {"job_id": job, "queue_seconds": 1})["id"]
        cloud.advance(60)
        sync_accounts(observatory)
        before = list_stored(observatory)[run_id].status
        choose(observatory, only(Kind.PROJECT, "Finance"))
        cloud.simulator.control("DELETE", "requests")
        cloud.advance(3 * 3600)
        sync_accounts(observatory)

        assert before == "running"
        assert list_stored(observatory)[run_id].status in {"success", "error"}
        assert run_id not in list_asked_runs(cloud)
        assert "filter" in get_run(observatory, "first", run_id).completeness


def test_a_job_that_runs_seldom_costs_no_growing_listing(tmp_path: Path) -> None:
    """The next listing begins where the last one ended, however long ago the newest wanted run was."""
    with running_cloud(days=15) as cloud, watching(cloud, tmp_path, accounts=1, days=15) as observatory:
        choose(observatory, without(Kind.JOB, "Hourly models", "Metrics hourly", "Source freshness"), ci=False)
        sync_accounts(observatory)
        counts = []
        for _ in range(3):
            cloud.advance(120)
            cloud.simulator.control("DELETE", "requests")
            make_pass(observatory, "first")
            counts.append(sum(count_routes(cloud).values()))
        newest = sorted(list_stored(observatory))[-20]

        assert len([run_id for run_id in list_truth(cloud) if run_id >= newest]) > 120
        assert max(counts) <= 3


def test_names_that_mean_nothing_or_too_much_change_nothing(cloud: Cloud, tmp_path: Path) -> None:
    """A wrong name is told with what comes near, one that several have with their ids, a contradiction as such."""
    with watching(cloud, tmp_path, accounts=1) as observatory:
        with pytest.raises(NotKnown, match=r"sees no project 'Finanse'. Did you mean Finance\?"):
            choose(observatory, only(Kind.PROJECT, "Finanse"))
        with pytest.raises(NotKnown, match=r"Its projects: Finance, Storefront\."):
            choose(observatory, only(Kind.PROJECT, "9"))
        with pytest.raises(Ambiguous, match="2 environments are called 'production'") as many:
            choose(observatory, only(Kind.ENVIRONMENT, "production"))
        with pytest.raises(WrongUse, match="both chosen and left out"):
            choose(observatory, only(Kind.JOB, "CI checks"), without(Kind.JOB, "CI checks"))
        with pytest.raises(WrongUse, match="The job CI checks is chosen, but"):
            choose(observatory, only(Kind.JOB, "CI checks"), ci=False)

        assert [candidate.partition(" ")[2] for candidate in many.value.candidates] == [
            "Production of Storefront",
            "Production of Finance",
        ]
        assert get_account_report(observatory, "first").account.follows == "Follows every run."


def test_renamed_and_deleted_jobs_keep_their_history(tmp_path: Path) -> None:
    """A renamed job is one job with its new name, a deleted one says so; project and environment follow suit."""
    with running_cloud(days=1) as cloud, watching(cloud, tmp_path, accounts=1, days=1) as observatory:
        project = ids_of(cloud, "projects", "Finance")
        hourly = ids_of(cloud, "jobs", "Metrics hourly")
        freshness = ids_of(cloud, "jobs", "Source freshness")
        environment = ids_of(cloud, "environments", "Production", project)
        choose(observatory, only(Kind.JOB, "Metrics hourly", "Source freshness"))
        sync_accounts(observatory)
        before = {
            job: len(list_runs(observatory, RunFilter(account="first", job=str(job)), limit=None).runs)
            for job in (hourly, freshness)
        }
        ask(cloud, "POST", f"jobs/{hourly}/", {"name": "Metrics each hour"})
        ask(cloud, "DELETE", f"jobs/{freshness}/")
        cloud.simulator.control("POST", "names", {"id": project, "name": "Money"})
        cloud.simulator.control("POST", "names", {"id": environment, "name": "Prod"})
        cloud.advance(2 * 3600)
        sync_accounts(observatory)

        report = get_account_report(observatory, "first")
        runs = list_runs(observatory, RunFilter(account="first", job=str(hourly)), limit=None).runs
        gone = list_runs(observatory, RunFilter(account="first", job=str(freshness)), limit=None).runs
        jobs = {job.job_id: job for job in list_jobs(observatory, days=1).jobs}
        assert report.account.follows == "Follows jobs Metrics each hour and Source freshness."
        assert [
            thing.id for choice in report.choices for thing in choice.things if thing.is_deleted and thing.is_named
        ] == [freshness]
        assert {(run.job_name, run.project_name, run.environment_name) for run in runs} == {
            ("Metrics each hour", "Money", "Prod")
        }
        assert len(runs) > before[hourly] > 0
        assert len(gone) >= before[freshness] > 0
        assert {(run.job_name, run.is_job_deleted) for run in gone} == {("Source freshness", True)}
        assert not any(run.is_job_deleted for run in runs)
        assert (jobs[hourly].is_deleted, jobs[freshness].is_deleted) == (False, True)


def test_a_paused_account_is_asked_nothing_and_catches_up(tmp_path: Path) -> None:
    """While it is paused no request is sent; resumed after days, no run is missing and none runs for ever."""
    with running_cloud(days=1) as cloud, watching(cloud, tmp_path, accounts=1, days=1) as observatory:
        job = ids_of(cloud, "jobs", "Weekly full refresh")
        long = cloud.simulator.control("POST", "runs", {"job_id": job, "queue_seconds": 1, "duration_seconds": 80_000})
        cloud.advance(70_000)
        sync_accounts(observatory)
        was_open = list_stored(observatory)[long["id"]].status == "running"
        is_buried = sum(run_id > long["id"] for run_id in list_stored(observatory)) > 20
        paused = set_followed(observatory, "first", is_paused=True)
        cloud.simulator.control("DELETE", "requests")
        cloud.advance(4 * 86_400)
        report = sync_accounts(observatory)
        with pytest.raises(WrongUse, match="first is paused"):
            sync_accounts(observatory, account="first")
        asked = cloud.requests()
        resumed = set_followed(observatory, "first", is_paused=False)
        sync_accounts(observatory)

        truth = list_truth(cloud)
        stored = list_stored(observatory)
        assert (paused.account.status, resumed.account.is_paused) == ("paused", False)
        assert (report.accounts, asked) == (0, 0)
        assert set(stored) == set(truth)
        assert (was_open, is_buried, stored[long["id"]].status) == (True, True, "success")


def test_a_replaced_token_is_used_and_a_wrong_one_replaces_nothing(cloud: Cloud, tmp_path: Path) -> None:
    """The account goes on with the new token after the old one ends; a wrong one leaves the old in place."""
    tokens = cloud.simulator.accounts[0].tokens
    with watching(cloud, tmp_path, accounts=1) as observatory:
        choose(observatory, only(Kind.PROJECT, "Finance"))
        with pytest.raises(CheckFailed, match="does not accept the token"):
            set_token(observatory, "first", Secret("dbtc_" + "0" * 40))
        make_pass(observatory, "first")
        kept = get_account_summary(observatory, "first").token_hint
        set_token(observatory, "first", Secret(tokens["read_only"]))
        cloud.simulator.control("POST", "faults", {"revoke_tokens": [tokens["service"]]})
        try:
            report = sync_accounts(observatory)
        finally:
            cloud.simulator.control("POST", "faults", {"clear": True})

        assert kept == tokens["service"][-4:]
        assert report.faults == ()
        assert get_account_summary(observatory, "first").token_hint == tokens["read_only"][-4:]
        assert get_account_report(observatory, "first").account.follows == "Follows project Finance."


def test_the_same_account_id_on_two_hosts_is_two_accounts(tmp_path: Path) -> None:
    """Runs, filters and tokens of accounts that share an id on two hosts stay apart, and each host sees its own."""
    with running_cloud(days=1) as one, running_cloud(days=1) as other:
        ids = {cloud.simulator.accounts[0].id for cloud in (one, other)}
        with open_watching(one, tmp_path, days=1) as observatory:
            for name, cloud in (("first", one), ("there", other)):
                account = cloud.simulator.accounts[0]
                token = Secret(account.tokens["service" if cloud is one else "read_only"])
                add_account(
                    observatory, name, account_id=account.id, url=cloud.simulator.url, token=token, allow_private=True
                )
            choose(observatory, only(Kind.PROJECT, "Finance"))
            for cloud in (one, other):
                cloud.simulator.control("DELETE", "requests")
            sync_accounts(observatory)
            here, there = list_stored(observatory), list_stored(observatory, "there")
            asked = list_asked_runs(one), list_asked_runs(other)

            assert len(ids) == 1
            assert len(there) > len(here) > 0
            assert set(here) < set(there)
            assert asked[0] <= set(here)
            assert asked[1] <= set(there)
            assert asked[1] - set(here)
            assert len({row.origin for row in list_accounts(observatory).accounts}) == 2


def test_a_year_of_history_comes_in_windows_and_goes_on_after_a_break(tmp_path: Path) -> None:
    """A year is listed window by window, a request or two each; a pass that breaks off loses none of them."""
    with running_cloud(days=365) as cloud, watching(cloud, tmp_path, accounts=1, days=1) as observatory:
        weekly = ids_of(cloud, "jobs", "Weekly full refresh")
        choose(observatory, only(Kind.JOB, "Weekly full refresh"))
        sync_accounts(observatory)
        widen(observatory, "first", 365)
        cloud.simulator.control("DELETE", "requests")
        for _ in range(20):
            make_pass(observatory, "first")
        cloud.simulator.control("POST", "faults", {"revoke_tokens": [cloud.simulator.accounts[0].token]})
        broken = sync_accounts(observatory)
        with observatory.store.read() as tx:
            reached = get_sync_state(tx, get_account(observatory, "first").account_key).backfilled_to
        cloud.simulator.control("POST", "faults", {"clear": True})
        report = sync_accounts(observatory)

        truth = list_truth(cloud, lambda run: run["job_id"] == weekly)
        oldest = min(run.created_at for run in list_stored(observatory).values() if run.created_at is not None)
        listings = count_routes(cloud)["/api/v2/accounts/{account_id}/runs/"]
        assert broken.faults
        assert reached is not None
        assert reached < cloud.now - timedelta(days=90)
        assert report.faults == ()
        assert set(list_stored(observatory)) == set(truth)
        assert len(truth) > 45
        assert oldest < cloud.now - timedelta(days=350)
        assert 73 <= listings <= 2 * 73 + 60


def test_a_job_of_twenty_steps_is_read_step_by_step(tmp_path: Path) -> None:
    """Every step is stored with its command, and the artifacts of each step with what it executed."""
    commands = [f"dbt {verb} --select tag:hourly" for verb in ("run", "test")] * 8 + ["dbt build"]
    with running_cloud(days=1) as cloud, watching(cloud, tmp_path, accounts=1, days=0) as observatory:
        job = ids_of(cloud, "jobs", "Hourly models")
        made = ask(cloud, "POST", f"jobs/{job}/run/", {"cause": "twenty steps", "steps_override": commands})
        cloud.advance(6 * 3600)
        choose(observatory, only(Kind.JOB, str(job)))
        sync_accounts(observatory, days=1)
        run = get_run(observatory, "first", made["id"])

        truth = list_truth(cloud)[made["id"]]
        executed = {step["index"]: len(step.get("executions", ())) for step in truth["steps"]}
        stored = Counter(row.step_index for row in run.executions)
        assert [step.index for step in run.steps] == list(range(1, 21))
        assert [step.command for step in run.steps][3:] == commands
        assert dict(stored) == {index: count for index, count in executed.items() if count}
        assert len(stored) == 17
        assert run.is_complete


def test_a_partial_success_of_a_microbatch_model_is_its_own_status(tmp_path: Path) -> None:
    """A model of which a batch failed is neither a success nor an error, and it is what the run's sentence names."""
    with running_cloud(days=1) as cloud, watching(cloud, tmp_path, accounts=1, days=0) as observatory:
        job = ids_of(cloud, "jobs", "Metrics hourly")
        choose(observatory, only(Kind.JOB, str(job)))
        recording = "finance/metrics_hourly/healthy-a"
        probe = cloud.simulator.control("POST", "runs", {"job_id": job, "recording_id": recording})
        cloud.advance(3600)
        steps = cloud.truth(cloud.simulator.accounts[0].id)[probe["id"]]["steps"]
        step = next(step for step in reversed(steps) if step["kind"] == "command")
        model = step["executions"][0]["unique_id"]
        ordered = {"job_id": job, "recording_id": recording, "failed_batches": [model]}
        made = cloud.simulator.control("POST", "runs", ordered)
        cloud.advance(3600)
        sync_accounts(observatory, days=1)
        run = get_run(observatory, "first", made["id"])

        (partial,) = [row for row in run.executions if row.status == "partial success"]
        assert (run.status, partial.unique_id, partial.is_failed) == ("error", model, True)
        assert partial.message == "PARTIAL SUCCESS (1/2)"
        assert partial.name in run.sentence
        assert list_stored(observatory)[made["id"]].nodes["partial success"] == 1


def test_projects_of_a_mesh_keep_their_nodes_apart(cloud: Cloud, tmp_path: Path) -> None:
    """Finance names storefront's models; both projects' nodes stand under their own project and environment."""
    with watching(cloud, tmp_path, accounts=1) as observatory:
        choose(observatory, without(Kind.JOB, "Source freshness"), ci=False)
        sync_accounts(observatory)
        projects = {run.run_id: run.project_name for run in list_stored(observatory).values()}
        executed: dict[str, set[str]] = {}
        for run_id, project in projects.items():
            for row in get_run(observatory, "first", run_id).executions:
                executed.setdefault(project or "", set()).add(row.unique_id.split(".")[1])
        with observatory.store.read() as tx:
            rows = list_scoped_nodes(tx, get_account(observatory, "first").account_key)

        finance, storefront = (ids_of(cloud, "projects", name) for name in ("Finance", "Storefront"))
        shared = {unique_id for project, unique_id in rows if project == finance} & {
            unique_id for project, unique_id in rows if project == storefront
        }
        assert executed == {"Finance": {"finance"}, "Storefront": {"storefront"}}
        assert any(unique_id.startswith("model.storefront.") for unique_id in shared)


def test_an_announced_run_that_is_not_wanted_costs_one_list(cloud: Cloud, tmp_path: Path) -> None:
    """Of what webhooks announce only wanted runs are read; one list for all of them tells which those are."""
    finance = ids_of(cloud, "projects", "Finance")
    truth = list_truth(cloud, lambda run: run["status"] in FINISHED)
    wanted = next(run_id for run_id, run in truth.items() if run["project_id"] == finance)
    unwanted = next(run_id for run_id, run in truth.items() if run["project_id"] != finance)
    with watching(cloud, tmp_path, accounts=1) as observatory:
        choose(observatory, only(Kind.PROJECT, "Finance"))
        with observatory.store.write() as tx:
            for run_id in (wanted, unwanted):
                add_event(tx, get_account(observatory, "first").account_key, f"wev_{run_id}", run_id, cloud.now)
        cloud.simulator.control("DELETE", "requests")
        answer(observatory, "first")

        assert count_routes(cloud)["/api/v2/accounts/{account_id}/runs/"] == 1
        assert list_asked_runs(cloud) == {wanted}
        assert set(list_stored(observatory)) == {wanted}
        assert get_webhook(observatory, "first").waiting == 0


def test_what_somebody_hands_in_is_kept_whatever_the_filter_says(cloud: Cloud, tmp_path: Path) -> None:
    """The SDK's call is a person's wish: its run is stored whole, and stays as the account is synced."""
    storefront = ids_of(cloud, "projects", "Storefront")
    run_id = next(iter(list_truth(cloud, lambda run: run["project_id"] == storefront and run["status"] == 10)))
    with watching(cloud, tmp_path, accounts=1) as observatory:
        choose(observatory, only(Kind.PROJECT, "Finance"))
        with syncing_apart(observatory, "first", "test") as sync:
            collected = collect_run(sync, run_id).run
        assert collected is not None
        receive(observatory, encode(collected), cloud.now)
        sync_accounts(observatory)

        run = get_run(observatory, "first", run_id)
        assert (run.observed_by, run.is_complete) == (("sdk",), True)
        assert {stored.project_name for stored in list_stored(observatory).values()} == {"Finance", "Storefront"}


def test_a_filter_of_before_is_open(cloud: Cloud, tmp_path: Path) -> None:
    """An account that never had a filter follows everything."""
    with watching(cloud, tmp_path, accounts=1) as observatory, observatory.store.read() as tx:
        assert get_filter(tx, get_account(observatory, "first").account_key).is_open
