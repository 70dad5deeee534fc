"""Finding a thing by a part of its name: a node, a job, a run, an incident. For those who type, so it is quick."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from itertools import islice

from headwater.observatory.catalog import find_nodes
from headwater.observatory.holder import Observatory
from headwater.observatory.incident_reports import IncidentSummary
from headwater.observatory.incidents import IncidentQuestion, list_incidents
from headwater.observatory.node_reports import CatalogNode
from headwater.observatory.reports import RunSummary
from headwater.observatory.runs import RunFilter, list_runs
from headwater.store.job_queries import find_jobs
from headwater.store.rows import PlacedJob

_MOST_INCIDENTS = 200
_LONGEST_NUMBER = 18


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchReport:
    """What a text could mean, of each kind the best first; without a text only the incidents that go on."""

    nodes: tuple[CatalogNode, ...]
    jobs: tuple[PlacedJob, ...]
    runs: tuple[RunSummary, ...]
    incidents: tuple[IncidentSummary, ...]
    as_of: datetime


def search(observatory: Observatory, text: str, *, limit: int = 8) -> SearchReport:
    """Find nodes of production, jobs, runs by their number, and incidents that go on; at most `limit` of each."""
    words = text.strip().casefold()
    going_on = list_incidents(observatory, IncidentQuestion(), limit=_MOST_INCIDENTS).incidents
    incidents = (one for one in going_on if words in one.sentence.casefold() or words == one.id)
    number = int(words) if words.isascii() and words.isdigit() and len(words) <= _LONGEST_NUMBER else None
    jobs: tuple[PlacedJob, ...] = ()
    if words:
        with observatory.store.read() as tx:
            jobs = tuple(find_jobs(tx, words, number, limit))
    runs = () if number is None else list_runs(observatory, RunFilter(text=words), limit=limit).runs
    return SearchReport(
        nodes=find_nodes(observatory, words, limit=limit) if words else (),
        jobs=jobs,
        runs=tuple(run for run in runs if run.run_id == number),
        incidents=tuple(islice(incidents, limit)),
        as_of=observatory.store.now(),
    )
