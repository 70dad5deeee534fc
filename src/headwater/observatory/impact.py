"""What is made from a node: tables, tests, exposures, and who answers for them."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import Connection

from headwater.model.lineage import NodeAddress
from headwater.model.node import Node, Relation
from headwater.observatory.holder import Observatory
from headwater.observatory.lineage import Estate, name_of
from headwater.observatory.node_reports import ExposureSummary, ImpactReport, NodePlace, OwnerSummary
from headwater.observatory.references import FoundNode, NodeQuestion, find_node
from headwater.store.lineage import read_nodes


def get_impact(observatory: Observatory, asked: NodeQuestion, *, with_ephemeral: bool = False) -> ImpactReport:
    """Get all that is made from a node; ephemeral models are passed through and named apart, unless asked for.

    Raises:
        NotKnown: nothing is called so.
        Ambiguous: several nodes are.
    """
    now = observatory.store.now()
    with observatory.store.read() as tx:
        found = find_node(observatory, tx, asked)
        return read_impact(tx, found, now, with_ephemeral=with_ephemeral)


def read_impact(tx: Connection, found: FoundNode, now: datetime, *, with_ephemeral: bool = False) -> ImpactReport:
    """Read all that is made from a node that was found."""
    reached = found.estate.lineage.downstream(found.address)
    exposed = _read_exposures(tx, found.estate, reached)
    exposures = _summarise_exposures(found.estate, exposed)
    owners = _summarise_owners(found.estate, reached, exposed)
    hidden = tuple(address for address in reached if found.estate.lineage.is_ephemeral(address))
    shown = reached if with_ephemeral else tuple(address for address in reached if address not in set(hidden))
    tables = tuple(name for address in shown if (name := _table(found.estate, address)) is not None)
    return ImpactReport(
        unique_id=found.address.unique_id,
        name=name_of(found.row),
        sentence=_describe(found, len(tables), exposures, owners),
        place=place_of(found),
        downstream=tuple(address.unique_id for address in shown),
        counts=count_types(found.estate, shown),
        tables=tables,
        ephemeral=tuple(address.unique_id for address in hidden),
        exposures=exposures,
        owners=owners,
        projects=_list_projects(found.estate, reached),
        manifest_from=found.held.manifest.current_at,
        notes=list_notes(found, reached),
        as_of=now,
    )


def place_of(found: FoundNode) -> NodePlace:
    """Give where a node stands, and how that was chosen."""
    place = found.held.place
    return NodePlace(
        account=place.account_name,
        project_id=place.project_id,
        project_name=place.project_name,
        environment_id=place.environment_id,
        environment_name=place.environment_name,
        is_production=place.is_production,
        sentence=found.sentence,
    )


def count_types(estate: Estate, addresses: Iterable[NodeAddress]) -> dict[str, int]:
    """Count nodes by resource type, the most first."""
    rows = (estate.row(address) for address in addresses)
    counts = Counter(row.resource_type for row in rows if row is not None)
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))


def list_owners(tx: Connection, estate: Estate, addresses: Iterable[NodeAddress]) -> tuple[OwnerSummary, ...]:
    """List who answers for some nodes: owners of exposures, and of the groups that models belong to, by how much."""
    listed = list(addresses)
    return _summarise_owners(estate, listed, _read_exposures(tx, estate, listed))


def _summarise_owners(
    estate: Estate, addresses: Iterable[NodeAddress], exposed: Iterable[tuple[NodeAddress, Node]]
) -> tuple[OwnerSummary, ...]:
    owned: defaultdict[tuple[str | None, str | None], list[str]] = defaultdict(list)
    exposures = {node.unique_id: node.owner for _, node in exposed}
    for address in addresses:
        row = estate.row(address)
        if row is None:
            continue
        groups = {group.name: group.owner for group in estate.of(address).manifest.groups}
        owner = exposures.get(row.unique_id) or groups.get(row.group or "")
        if owner is not None and (owner.name or owner.email):
            owned[owner.name, owner.email].append(row.unique_id)
    ordered = sorted(owned.items(), key=lambda item: (-len(item[1]), item[0][0] or "", item[0][1] or ""))
    return tuple(OwnerSummary(name=name, email=email, owns=tuple(owns)) for (name, email), owns in ordered)


def list_notes(found: FoundNode, reached: Iterable[NodeAddress]) -> tuple[str, ...]:
    """Say what is not known of the lineage around a node: parents that are nowhere, nodes that make themselves."""
    around = {found.address, *reached}
    lineage = found.estate.lineage
    missing = sorted({parent.unique_id for child, parent in lineage.dangling if child in around})
    circles = [circle for circle in lineage.cycles if around.intersection(circle)]
    notes = list(found.notes)
    if missing:
        notes.append(f"Named as parents, but in no manifest that is known: {say_some(missing)}.")
    notes += [f"These are made from one another: {say_some([one.unique_id for one in circle])}." for circle in circles]
    return tuple(notes)


def say_some(names: list[str], most: int = 5) -> str:
    """Name some things, and how many more there are."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def dotted(relation: Relation) -> str:
    """Give a table's name as it is written with dots, without quotes."""
    return ".".join(part for part in (relation.database, relation.schema, relation.identifier) if part)


def list_exposures(tx: Connection, estate: Estate, addresses: Iterable[NodeAddress]) -> tuple[ExposureSummary, ...]:
    """List the exposures among some nodes, with their owners."""
    return _summarise_exposures(estate, _read_exposures(tx, estate, addresses))


def _summarise_exposures(estate: Estate, exposed: Iterable[tuple[NodeAddress, Node]]) -> tuple[ExposureSummary, ...]:
    return tuple(
        ExposureSummary(
            unique_id=node.unique_id,
            name=node.name,
            project_name=estate.of(address).place.project_name,
            owner=node.owner.name if node.owner else None,
            email=node.owner.email if node.owner else None,
            url=node.url,
        )
        for address, node in exposed
    )


def _read_exposures(tx: Connection, estate: Estate, addresses: Iterable[NodeAddress]) -> list[tuple[NodeAddress, Node]]:
    rows = [(address, row) for address in addresses if (row := estate.row(address)) is not None]
    exposed = [(address, row) for address, row in rows if row.resource_type == "exposure"]
    if not exposed:
        return []
    account_key = exposed[0][0].account_key
    bodies = read_nodes(tx, account_key, ((row.node_key, row.version) for _, row in exposed))
    found = ((address, bodies.get(row.node_key)) for address, row in exposed)
    return [(address, node) for address, node in found if isinstance(node, Node)]


def _table(estate: Estate, address: NodeAddress) -> str | None:
    row = estate.row(address)
    return None if row is None or row.relation is None else dotted(row.relation)


def _list_projects(estate: Estate, reached: Iterable[NodeAddress]) -> tuple[str, ...]:
    names = (held.place.project_name or str(held.place.project_id) for held in map(estate.of, reached))
    return tuple(dict.fromkeys(names))


def _describe(
    found: FoundNode, tables: int, exposures: tuple[ExposureSummary, ...], owners: tuple[OwnerSummary, ...]
) -> str:
    name = name_of(found.row)
    if not (tables or exposures):
        return f"{name} feeds no table and no exposure."
    parts = [_count(tables, "table"), _count(len(exposures), "exposure")]
    said = f"{name} feeds {' and '.join(part for part in parts if part)}."
    named = [owner.name or owner.email or "" for owner in owners]
    return f"{said} {say_some(named, 3)} should know." if named else said


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}" if number else ""
