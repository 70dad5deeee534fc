"""The first page, and what tells pages that something changed."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from datetime import datetime, timedelta

from headwater.analysis.pace import find_pace
from headwater.model.run import RunStatus
from headwater.observatory.accounts import list_accounts
from headwater.observatory.holder import Observatory
from headwater.observatory.incidents import IncidentQuestion, list_incidents
from headwater.observatory.outlook import list_paces, list_source_ages, list_upcoming, read_spans
from headwater.observatory.reports import OpenRun, OverviewReport, RunBar, RunSummary, StoreSummary
from headwater.observatory.revision import get_revision
from headwater.observatory.runs import summarise_all
from headwater.observatory.sentences import describe_overview
from headwater.store.job_queries import list_placed_jobs
from headwater.store.manifests import count_nodes
from headwater.store.rows import RunCount
from headwater.store.run_counts import count_runs, count_stored
from headwater.store.run_queries import RunFilter, list_runs

_SHOWN = 8
_INCIDENTS_SHOWN = 5
_OPEN = tuple(status for status in RunStatus if not status.is_finished and status is not RunStatus.UNKNOWN)


def get_overview(observatory: Observatory, *, days: int = 7) -> OverviewReport:
    """Get the first page: runs of the last days over time by status, accounts, what runs now, what failed last."""
    accounts = list_accounts(observatory).accounts
    incidents = list_incidents(observatory, IncidentQuestion(), limit=_INCIDENTS_SHOWN)
    now = observatory.store.now()
    step = _bucket(days)
    since = _floor(now - timedelta(days=days), step) + (step if days > 1 else timedelta())
    with observatory.store.read() as tx:
        counts = count_runs(tx, since, now + timedelta(hours=1), step=step)
        in_progress = list_runs(tx, RunFilter(statuses=_OPEN, created_from=now - timedelta(days=3)), limit=_SHOWN)
        failures = list_runs(tx, RunFilter(statuses=(RunStatus.ERROR,), created_from=since), limit=_SHOWN)
        listed = summarise_all(tx, in_progress.runs), summarise_all(tx, failures.runs)
        jobs, spans = list_placed_jobs(tx), read_spans(tx, now)
        upcoming = list_upcoming(tx, jobs, spans, now)
        sources = list_source_ages(tx, now)
    paces = list_paces(jobs, spans)
    totals: Counter[str] = Counter()
    for count in counts:
        totals[str(count.status)] += count.runs
    return OverviewReport(
        sentence=describe_overview(
            accounts,
            sum(row.failures_24h for row in accounts),
            sum(row.runs_24h for row in accounts),
            incidents.open + incidents.acknowledged,
        ),
        days=days,
        bucket_seconds=int(step.total_seconds()),
        bars=_bars(counts, since, now, step),
        runs_by_status=dict(totals),
        accounts=accounts,
        incidents=incidents,
        in_progress=tuple(
            _open_run(run, spans.get((row.account_key, row.run.job_id)))
            for run, row in zip(listed[0], in_progress.runs, strict=True)
        ),
        open_runs=in_progress.total,
        failures=listed[1],
        paces=paces[:_SHOWN],
        jobs_slowing=sum(pace.is_slowing for pace in paces),
        upcoming=upcoming[:_SHOWN],
        jobs_overdue=sum(run.is_overdue for run in upcoming),
        sources=sources[:_SHOWN],
        sources_by_status=dict(Counter(source.status for source in sources)),
        revision=get_revision(observatory),
        as_of=now,
    )


def summarise_store(observatory: Observatory, *, elapsed: timedelta) -> StoreSummary:
    """Say what the store holds, as the demo prints it."""
    accounts = list_accounts(observatory).accounts
    with observatory.store.read() as tx:
        stored = count_stored(tx)
        nodes = count_nodes(tx)
        counts = count_runs(tx, datetime.fromtimestamp(0, tz=observatory.store.now().tzinfo), observatory.store.now())
    runs: Counter[str] = Counter()
    for count in counts:
        runs[str(count.status)] += count.runs
    return StoreSummary(
        accounts=stored.accounts,
        runs=dict(sorted(runs.items())),
        nodes=nodes,
        executions=stored.executions,
        requests=sum(row.requests for row in accounts),
        seconds=round(elapsed.total_seconds(), 1),
    )


def _open_run(run: RunSummary, spans: Sequence[timedelta] | None) -> OpenRun:
    pace = find_pace(spans or ())
    return OpenRun(
        **{name: getattr(run, name) for name in RunSummary.__dataclass_fields__},
        usual_seconds=pace.recent.total_seconds() if pace is not None else None,
    )


def _bucket(days: int) -> timedelta:
    if days <= 2:
        return timedelta(hours=1)
    return timedelta(hours=4) if days <= 7 else timedelta(days=1)


def _floor(moment: datetime, step: timedelta) -> datetime:
    midnight = moment.replace(hour=0, minute=0, second=0, microsecond=0)
    return midnight + (moment - midnight) // step * step


def _bars(counts: list[RunCount], since: datetime, now: datetime, step: timedelta) -> tuple[RunBar, ...]:
    by_start: defaultdict[datetime, dict[str, int]] = defaultdict(dict)
    for count in counts:
        by_start[count.start][str(count.status)] = count.runs
    starts = (since + step * index for index in range((now - since) // step + 1))
    return tuple(RunBar(starts_at=start, runs=by_start.get(start, {})) for start in starts)
