"""Questions about builds: when a relation was written, what each build read, and how old the data are."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime

from sqlalchemy import Connection

from headwater.analysis.provenance import BuildAt, Provenance
from headwater.analysis.states import DESCRIBED
from headwater.model.build import WRITTEN, AgeBasis, DataAge, DataAsOf, Reading
from headwater.model.lineage import NodeAddress
from headwater.model.node import short_name
from headwater.model.outcome import Outcome
from headwater.observatory.lineage import Estate
from headwater.observatory.missed import BUILT
from headwater.observatory.origins import keys_of
from headwater.observatory.past import Past
from headwater.observatory.provenance_reports import BuildSummary, DataAgeSummary, DataAsOfSummary, ReadingSummary
from headwater.store.build_queries import list_between, list_newest

_MOST_BUILDS = 5
_MOST_AGES = 20


def read_provenance(tx: Connection, estate: Estate, address: NodeAddress, now: datetime) -> Provenance:
    """Read what the past of a node and all it is made from was; what is asked of a time is read when it is asked."""
    lineage = estate.lineage
    above = (*lineage.upstream(address, with_ephemeral=False), address)
    rows = {other: row for other in above if (row := estate.row(other)) is not None}
    sources = frozenset(other for other, row in rows.items() if row.resource_type == "source")
    read_through = frozenset(
        other
        for other, row in rows.items()
        if row.materialized in {"view", "ephemeral"} or row.resource_type in DESCRIBED
    )
    built = Past(
        tx, address.account_key, {other: row.node_key for other, row in rows.items() if row.resource_type in BUILT},
        statuses=WRITTEN,
    )  # fmt: skip
    checked = Past(tx, address.account_key, keys_of(estate, sources), of_sources=True)

    def loaded_at(source: NodeAddress, moment: datetime) -> datetime | None:
        """A check made later tells exactly what was there if nothing came since; else the one before tells at least."""
        later = checked.at(source, now)
        if later is not None and later.max_loaded_at is not None and later.max_loaded_at <= moment:
            return later.max_loaded_at
        before = checked.at(source, moment)
        return before.max_loaded_at if before is not None else None

    return Provenance(
        parents={other: lineage.parents(other, with_ephemeral=False) for other in rows},
        build_at=built.at,
        loaded_at=loaded_at,
        read_through=read_through,
        sources=sources,
    )


def summarise_data_as_of(found: DataAsOf, address: NodeAddress) -> DataAsOfSummary | None:
    """Say how old data are; None where a node holds none, as a test."""
    if address.unique_id.startswith(("test.", "unit_test.")) or not found.ages:
        return None
    oldest = found.oldest
    return DataAsOfSummary(
        sentence=_say(found, oldest),
        at=oldest.at if oldest is not None else None,
        rests_on=oldest.address.unique_id if oldest is not None else None,
        basis=str(oldest.basis) if oldest is not None else None,
        ages=tuple(_age(age) for age in found.ages[:_MOST_AGES]),
    )


def list_builds(
    tx: Connection, estate: Estate, provenance: Provenance, address: NodeAddress, outcomes: Iterable[Outcome]
) -> tuple[BuildSummary, ...]:
    """List the last builds among what happened to a relation, newest first, each with what it read."""
    row = estate.row(address)
    if row is None or row.resource_type not in BUILT or row.is_ephemeral:
        return ()
    builds = [outcome for outcome in outcomes if outcome.status in WRITTEN][:_MOST_BUILDS]
    if not builds:
        return ()
    behind = [reading.address for reading in provenance.readings(address, builds[0].at)]
    asked = keys_of(estate, (other for other in behind if other not in provenance.sources))
    window = replace(provenance, build_at=_read_window(tx, address.account_key, asked, builds[-1].at, builds[0].at))
    return tuple(
        BuildSummary(
            at=build.at,
            run_id=build.run_id,
            job_id=build.job_id,
            rows=build.rows,
            reads=tuple(map(_reading, window.readings(address, build.at))),
        )
        for build in builds
    )


def _read_window(
    tx: Connection, account_key: int, node_keys: Mapping[NodeAddress, int], since: datetime, until: datetime
) -> BuildAt:
    """Read the builds of some nodes in a window, and the last before it, in two queries."""
    before = list_newest(tx, account_key, node_keys.values(), since, statuses=WRITTEN)
    within = list_between(tx, account_key, node_keys.values(), since, until, statuses=WRITTEN)

    def build_at(address: NodeAddress, moment: datetime) -> Outcome | None:
        node_key = node_keys.get(address, 0)
        later = (build for build in within.get(node_key, ()) if build.at <= moment)
        return next(later, before.get(node_key))

    return build_at


def _say(found: DataAsOf, oldest: DataAge | None) -> str:
    if oldest is None or oldest.at is None:
        return "How old its data are is not known: no build and no freshness check of what it is made from is stored."
    named = short_name(oldest.address.unique_id)
    at = f"{oldest.at:%Y-%m-%d %H:%M} UTC"
    if oldest.basis is AgeBasis.LOADED and oldest.read_by is None and len(found.ages) == 1:
        said = f"Data as of {at}: the newest row of {named}."
    elif oldest.basis is AgeBasis.LOADED:
        said = f"Data as of {at}: the newest row of {named} that it was made from."
    elif oldest.read_by is None or oldest.read_by == oldest.address:
        said = f"Data as of {at}: then {named} was built."
    else:
        said = (
            f"Data as of {at}: then {short_name(oldest.read_by.unique_id)} read {named}, whose freshness is not known."
        )
    others = sum(1 for age in found.ages if age.at is not None) - 1
    more = f" It is the oldest of {others + 1:,} beginnings." if others else ""
    unknown = f" Nothing is known of {len(found.unknown):,} others." if found.unknown else ""
    return f"{said}{more}{unknown}"


def _age(age: DataAge) -> DataAgeSummary:
    return DataAgeSummary(
        unique_id=age.address.unique_id,
        basis=str(age.basis),
        at=age.at,
        read_by=age.read_by.unique_id if age.read_by is not None else None,
    )


def _reading(reading: Reading) -> ReadingSummary:
    build = reading.build
    return ReadingSummary(
        unique_id=reading.address.unique_id,
        built_at=build.at if build is not None else None,
        run_id=build.run_id if build is not None else None,
        loaded_at=reading.loaded_at,
    )
