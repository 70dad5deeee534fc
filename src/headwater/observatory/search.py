"""Finding a thing by a part of its name: a node, a job, a run, an incident. For those who type, so it is quick."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from itertools import islice

from headwater.observatory.catalog import rank_node, says, summarise_node
from headwater.observatory.environments import choose_places, list_asked_places
from headwater.observatory.holder import Observatory
from headwater.observatory.incident_reports import IncidentSummary
from headwater.observatory.incidents import IncidentQuestion, list_incidents
from headwater.observatory.lineage import Moment, Shelf, list_rows
from headwater.observatory.node_reports import NodeSummary
from headwater.observatory.reports import RunSummary
from headwater.observatory.runs import RunFilter, list_runs
from headwater.store.job_queries import find_jobs
from headwater.store.lineage_rows import LineageRow
from headwater.store.rows import NamedJob

_MOST_INCIDENTS = 200
_LONGEST_NUMBER = 18
_FIRST = ("model", "source", "snapshot", "seed", "exposure")
"""What people mostly mean, of several things of one name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchReport:
    """What a text could mean, of each kind the best first; without a text only the incidents that go on."""

    nodes: tuple[NodeSummary, ...]
    jobs: tuple[NamedJob, ...]
    runs: tuple[RunSummary, ...]
    incidents: tuple[IncidentSummary, ...]
    as_of: datetime


def search(observatory: Observatory, text: str, *, limit: int = 8) -> SearchReport:
    """Find nodes of production, jobs, runs by their number, and incidents that go on; at most `limit` of each."""
    words = text.strip().casefold()
    going_on = list_incidents(observatory, IncidentQuestion(), limit=_MOST_INCIDENTS).incidents
    incidents = (one for one in going_on if words in one.sentence.casefold() or words == one.id)
    number = int(words) if words.isascii() and words.isdigit() and len(words) <= _LONGEST_NUMBER else None
    jobs: tuple[NamedJob, ...] = ()
    if words:
        with observatory.store.read() as tx:
            jobs = tuple(find_jobs(tx, words, number, limit))
    runs = () if number is None else list_runs(observatory, RunFilter(text=words), limit=limit).runs
    return SearchReport(
        nodes=_find_nodes(observatory, words, limit) if words else (),
        jobs=jobs,
        runs=tuple(run for run in runs if run.run_id == number),
        incidents=tuple(islice(incidents, limit)),
        as_of=observatory.store.now(),
    )


def _find_nodes(observatory: Observatory, words: str, limit: int) -> tuple[NodeSummary, ...]:
    with observatory.store.read() as tx:
        shelf = Shelf(tx, Moment(), observatory.lineage)
        places = choose_places(list_asked_places(observatory, tx, None), None, None)
        found = [held for choice in places if (held := shelf.find(choice.place)) is not None]
    fits = [(held, row) for held, row in list_rows(found) if says(row, words)]
    fits.sort(key=lambda one: (*rank_node(one[1], words), _place_of(one[1]), one[1].name.casefold(), one[1].unique_id))
    return tuple(summarise_node(held, row) for held, row in fits[:limit])


def _place_of(row: LineageRow) -> int:
    return _FIRST.index(row.resource_type) if row.resource_type in _FIRST else len(_FIRST)
