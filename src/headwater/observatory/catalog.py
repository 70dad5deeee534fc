"""The catalogue: every node of production, or of the environments asked for, and what fits a filter."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime

from headwater.observatory.environments import choose_places, list_asked_places
from headwater.observatory.evidence import TESTS
from headwater.observatory.holder import Observatory
from headwater.observatory.impact import dotted
from headwater.observatory.lineage import Held, Moment, Shelf, list_rows, name_of
from headwater.observatory.node_reports import CatalogReport, NodePlace, NodeSummary
from headwater.store.lineage_rows import LineageRow


@dataclass(frozen=True, slots=True, kw_only=True)
class CatalogFilter:
    """Which nodes are asked for, None for all; several resource types or materializations with commas between them.

    `text` is a part of a name, a unique_id or a table's name; `owner` a part of an owner's name or address.
    """

    account: str | None = None
    project: str | None = None
    environment: str | None = None
    resource_type: str | None = None
    owner: str | None = None
    tag: str | None = None
    materialized: str | None = None
    text: str | None = None
    at: datetime | None = None


def list_catalog(
    observatory: Observatory, wanted: CatalogFilter | None = None, *, limit: int | None = 50, offset: int = 0
) -> CatalogReport:
    """List the nodes that fit a filter by name, project and account; no limit lists them all.

    With a text, the node of that name comes first, then names that begin with it, then others, tests last.

    Raises:
        NotKnown: the filter names an account, project or environment that is not there.
    """
    wanted = wanted or CatalogFilter()
    with observatory.store.read() as tx:
        shelf = Shelf(tx, Moment(at=wanted.at), observatory.lineage)
        places = list_asked_places(observatory, tx, wanted.account)
        choices = choose_places(places, wanted.project, wanted.environment)
        found = [(choice, held) for choice in choices if (held := shelf.find(choice.place)) is not None]
    everything = list_rows(held for _, held in found)
    fits = _read_filter(wanted)
    listed = [(held, row) for held, row in everything if fits(held, row)]
    text = _plain(wanted.text)
    listed.sort(
        key=lambda one: (rank_node(one[1], text), one[1].name.casefold(), one[1].unique_id, one[0].place.account_name)
    )
    page = listed[offset : None if limit is None else offset + limit]
    return CatalogReport(
        total=len(listed),
        nodes=tuple(summarise_node(held, row) for held, row in page),
        resource_types=_count(row.resource_type for _, row in everything),
        materializations=_count(row.materialized for _, row in everything if row.materialized),
        places=tuple(
            NodePlace(
                account=held.place.account_name,
                project_id=held.place.project_id,
                project_name=held.place.project_name,
                environment_id=held.place.environment_id,
                environment_name=held.place.environment_name,
                is_production=held.place.is_production,
                sentence=choice.sentence,
            )
            for choice, held in found
        ),
        as_of=observatory.store.now(),
    )


def summarise_node(held: Held, row: LineageRow) -> NodeSummary:
    """Give a node as a row of a report."""
    place = held.place
    return NodeSummary(
        unique_id=row.unique_id,
        name=name_of(row),
        resource_type=row.resource_type,
        account=place.account_name,
        project_id=place.project_id,
        project_name=place.project_name,
        environment_id=place.environment_id,
        environment_name=place.environment_name,
        relation=dotted(row.relation) if row.relation is not None else None,
        materialized=row.materialized,
        group=row.group,
        owners=_owners(held, row),
        tags=row.tags,
    )


def _owners(held: Held, row: LineageRow) -> tuple[str, ...]:
    if row.owner:
        return (row.owner,)
    found = [group.owner for group in held.manifest.groups if group.name == row.group] if row.group else []
    return tuple(name for owner in found if (name := owner.name or owner.email))


def _read_filter(wanted: CatalogFilter) -> Callable[[Held, LineageRow], bool]:
    types, kinds = _split(wanted.resource_type), _split(wanted.materialized)
    tag, owner, text = (_plain(word) for word in (wanted.tag, wanted.owner, wanted.text))

    def fits(held: Held, row: LineageRow) -> bool:
        return (
            (not types or row.resource_type in types)
            and (not kinds or (row.materialized or "") in kinds)
            and (not tag or tag in (known.casefold() for known in row.tags))
            and (not owner or _is_owned(held, row, owner))
            and (not text or says(row, text))
        )

    return fits


def _is_owned(held: Held, row: LineageRow, owner: str) -> bool:
    groups = [group.owner for group in held.manifest.groups if group.name == row.group] if row.group else []
    names = [row.owner, *(name for one in groups for name in (one.name, one.email))]
    return any(owner in name.casefold() for name in names if name)


def says(row: LineageRow, text: str) -> bool:
    """Whether a node's name, unique_id or table says a casefolded text."""
    table = dotted(row.relation) if row.relation is not None else ""
    return any(text in said.casefold() for said in (row.name, row.unique_id, table))


def rank_node(row: LineageRow, text: str) -> tuple[bool, bool, bool]:
    """Give where a node stands among those that say a text; without a text all stand alike."""
    name = row.name.casefold()
    return (bool(text) and name != text, not name.startswith(text), bool(text) and row.resource_type in TESTS)


def _plain(word: str | None) -> str:
    return (word or "").strip().casefold()


def _split(words: str | None) -> frozenset[str]:
    return frozenset(word.strip().lower() for word in (words or "").split(",") if word.strip())


def _count(names: Iterable[str]) -> dict[str, int]:
    return dict(sorted(Counter(names).items(), key=lambda item: (-item[1], item[0])))
