"""What the pages ask of the observatory, as callables: tests hand in reports of their own making."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from headwater.observatory import (
    accounts,
    catalog,
    explorer,
    explorer_states,
    following,
    full_nodes,
    impact,
    inbox,
    incidents,
    job_reports,
    jobs,
    matching,
    nodes,
    overview,
    rerunning,
    revision,
    runs,
    search,
    syncing,
    verdicts,
    webhooks,
)
from headwater.observatory.access import Role
from headwater.observatory.holder import get_account
from headwater.observatory.remembered import Remembered
from headwater.web.people import People, open_people

if TYPE_CHECKING:
    from litestar.connection import ASGIConnection

    from headwater.model.secret import Secret
    from headwater.observatory.access import Caller
    from headwater.observatory.audit import Actor
    from headwater.observatory.catalog import CatalogFilter
    from headwater.observatory.explorer import LineageQuestion
    from headwater.observatory.following import AccountReport
    from headwater.observatory.full_nodes import FullNodeReport
    from headwater.observatory.holder import Observatory
    from headwater.observatory.inbox_reports import AcceptReport
    from headwater.observatory.incident_reports import IncidentReport, IncidentsReport
    from headwater.observatory.incidents import IncidentQuestion
    from headwater.observatory.job_reports import JobReport
    from headwater.observatory.jobs import JobsReport
    from headwater.observatory.lineage_reports import LineageReport, LineageStates
    from headwater.observatory.matching import MatchReport
    from headwater.observatory.node_reports import CatalogReport, ImpactReport, NodeReport
    from headwater.observatory.references import NodeQuestion
    from headwater.observatory.reports import (
        AccountsReport,
        CheckReport,
        OverviewReport,
        RunReport,
        RunsReport,
    )
    from headwater.observatory.rerunning import StartedRun
    from headwater.observatory.runs import RunFilter
    from headwater.observatory.search import SearchReport
    from headwater.observatory.verdicts import VerdictReport
    from headwater.observatory.webhooks import Heard

_MOST_LIMITS = 16
"""Limited doors that are kept open, each with what it remembers of its accounts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Door:
    """Every question and act the web asks for; `limited_to` gives a door behind which some accounts alone are."""

    get_overview: Callable[[int], OverviewReport]
    list_runs: Callable[[RunFilter, int, int], RunsReport]
    get_run: Callable[[str, int], RunReport]
    list_jobs: Callable[[int], JobsReport]
    get_job: Callable[[str, int, int], JobReport]
    rerun: Callable[[str, int, Actor], StartedRun]
    retry: Callable[[str, int, Actor], StartedRun]
    start_job: Callable[[str, int, Actor], StartedRun]
    list_accounts: Callable[[], AccountsReport]
    get_account: Callable[[str], AccountReport]
    add_account: Callable[[str, int, str, Secret, Actor], object]
    set_filter: Callable[..., AccountReport]
    set_followed: Callable[..., AccountReport]
    set_history: Callable[..., None]
    set_token: Callable[..., CheckReport]
    sync_now: Callable[[str, Actor], object]
    remove_account: Callable[..., str]
    get_node: Callable[[NodeQuestion, bool], NodeReport]
    get_full_node: Callable[[NodeQuestion, bool], FullNodeReport]
    get_impact: Callable[[NodeQuestion, bool], ImpactReport]
    get_verdict: Callable[[NodeQuestion], VerdictReport]
    list_catalog: Callable[[CatalogFilter, int, int], CatalogReport]
    get_lineage: Callable[[LineageQuestion], LineageReport]
    get_lineage_states: Callable[[LineageQuestion], LineageStates]
    prepare_lineage: Callable[[], None]
    list_incidents: Callable[[IncidentQuestion, int], IncidentsReport]
    get_incident: Callable[[str], IncidentReport]
    acknowledge: Callable[[str, Actor, str], IncidentReport]
    unacknowledge: Callable[[str, Actor, str], IncidentReport]
    annotate: Callable[[str, Actor, str], IncidentReport]
    resolve: Callable[[str, Actor, str], IncidentReport]
    match_table: Callable[[str, str | None, str | None, str | None], MatchReport]
    search: Callable[[str, int], SearchReport]
    get_revision: Callable[[], int]
    accept: Callable[..., AcceptReport]
    hear: Callable[[str, bytes, str], Heard]
    people: People
    limited_to: Callable[[frozenset[int]], Door]


def door_of(connection: ASGIConnection[Any, Any, Any, Any]) -> Door:
    """Give the door of the application a request came to, with what is there for whom the guard let in."""
    door, caller = whole_door_of(connection), cast("Caller | None", connection.scope.get("user"))
    if caller is None or caller.account_keys is None or caller.role is Role.INGEST:
        return door  # who hands in reads nothing, and is asked at the door whose it is
    return door.limited_to(caller.account_keys)


def whole_door_of(connection: ASGIConnection[Any, Any, Any, Any]) -> Door:
    """Give the door behind which everything is: for finding out who asks, and for nothing else."""
    return cast("Door", connection.app.state.door)


def open_door(observatory: Observatory) -> Door:
    """Open the door to an observatory."""
    limited: Remembered[Door] = Remembered(_MOST_LIMITS)
    return Door(
        get_overview=lambda days: overview.get_overview(observatory, days=days),
        list_runs=lambda asked, limit, offset: runs.list_runs(observatory, asked, limit=limit, offset=offset),
        get_run=partial(runs.get_run, observatory),
        list_jobs=lambda days: jobs.list_jobs(observatory, days=days),
        get_job=lambda account, job_id, days: job_reports.get_job(observatory, account, job_id, days=days),
        rerun=partial(rerunning.rerun, observatory),
        retry=partial(rerunning.retry, observatory),
        start_job=partial(rerunning.start_job, observatory),
        list_accounts=partial(accounts.list_accounts, observatory),
        get_account=partial(following.get_account_report, observatory),
        add_account=lambda name, account_id, url, token, by: accounts.add_account(
            observatory, name, account_id=account_id, url=url, token=token, allow_private=False, by=by
        ),
        set_filter=partial(following.set_filter, observatory),
        set_followed=partial(following.set_followed, observatory),
        set_history=partial(syncing.widen, observatory),
        set_token=partial(accounts.set_token, observatory),
        sync_now=partial(syncing.sync_now, observatory),
        remove_account=partial(accounts.remove_account, observatory),
        get_node=lambda asked, shown: nodes.get_node(observatory, asked, with_ephemeral=shown),
        get_full_node=lambda asked, shown: full_nodes.get_full_node(observatory, asked, with_ephemeral=shown),
        get_impact=lambda asked, shown: impact.get_impact(observatory, asked, with_ephemeral=shown),
        get_verdict=partial(verdicts.get_verdict, observatory),
        list_catalog=lambda asked, limit, offset: catalog.list_catalog(observatory, asked, limit=limit, offset=offset),
        get_lineage=partial(explorer.get_lineage, observatory),
        get_lineage_states=partial(explorer_states.get_lineage_states, observatory),
        prepare_lineage=partial(explorer_states.prepare_lineage, observatory),
        list_incidents=lambda asked, limit: incidents.list_incidents(observatory, asked, limit=limit),
        get_incident=partial(incidents.get_incident, observatory),
        acknowledge=partial(incidents.acknowledge, observatory),
        unacknowledge=partial(incidents.unacknowledge, observatory),
        annotate=partial(incidents.annotate, observatory),
        resolve=partial(incidents.resolve, observatory),
        match_table=lambda table, account, project, environment: matching.match_table(
            observatory, table, account=account, project=project, environment=environment
        ),
        search=lambda text, limit: search.search(observatory, text, limit=limit),
        get_revision=partial(revision.get_revision, observatory),
        accept=partial(inbox.accept, observatory),
        hear=partial(webhooks.hear, observatory),
        people=open_people(observatory),
        limited_to=lambda keys: limited.get(keys, lambda: _open_limited(observatory, keys)),
    )


def _open_limited(observatory: Observatory, account_keys: frozenset[int]) -> Door:
    """Open a door behind which nothing is but these accounts.

    What starts a run or a pass goes on as for everybody, once its account was found there.
    """
    within, whole = observatory.limited_to(account_keys), open_door(observatory)

    def found(act: Callable[..., Any]) -> Callable[..., Any]:
        def do(account: str, *given: Any) -> Any:
            return act(get_account(within, account).name, *given)

        return do

    return replace(
        open_door(within),
        rerun=found(whole.rerun),
        retry=found(whole.retry),
        start_job=found(whole.start_job),
        sync_now=found(whole.sync_now),
    )
