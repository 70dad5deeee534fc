"""Which environments answer a question about tables, and the tables that dbt knows there."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from headwater.analysis.comparing import DeclaredNode
from headwater.analysis.table_nodes import TableNode, say_relation
from headwater.errors import NotKnown
from headwater.model.account import Environment, Project
from headwater.observatory.holder import Observatory, get_account
from headwater.store.accounts import list_accounts
from headwater.store.inventory import list_environments, list_projects
from headwater.store.manifests import list_latest_manifests, list_relations
from headwater.store.rows import ManifestRow
from headwater.store.writing import Scope


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A project and environment of an account, with what dbt parsed there last."""

    scope: Scope
    account: str
    project: str | None
    environment: str | None
    is_production: bool
    is_development: bool
    manifest: ManifestRow


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaceNodes:
    """The nodes of some places that may have tables; a node's `place` is the index of its place."""

    declared: tuple[DeclaredNode, ...]

    @property
    def nodes(self) -> tuple[TableNode, ...]:
        """Give the nodes without their columns."""
        return tuple(one.node for one in self.declared)


def choose_places(
    observatory: Observatory, *, account: str | None = None, project: str | None = None, environment: str | None = None
) -> tuple[list[Place], list[Place]]:
    """Choose the places that answer, and give those that do not: of each project production answers, else a
    deployment environment before a development one, else what was parsed last; or all that are called as asked.

    Raises:
        NotKnown: there is no such account, project or environment.
    """
    keys = (get_account(observatory, account).account_key,) if account else None
    with observatory.store.read() as tx:
        names = {
            known.account_key: known.name for known in list_accounts(tx) if keys is None or known.account_key in keys
        }
        projects = {(key, found.project_id): found for key in names for found in list_projects(tx, key)}
        environments = {(key, found.environment_id): found for key in names for found in list_environments(tx, key)}
        latest = list_latest_manifests(tx, tuple(names))
    _check_known("project", project, {found.project_id: found.name for found in projects.values()})
    _check_known("environment", environment, {found.environment_id: found.name for found in environments.values()})
    places = [_place(manifest, names, projects, environments) for manifest in latest]
    places = [place for place in places if _is_called(project, place.scope.project_id, place.project)]
    if environment:
        wanted = [_is_called(environment, place.scope.environment_id, place.environment) for place in places]
        return (
            [place for place, is_wanted in zip(places, wanted, strict=True) if is_wanted],
            [place for place, is_wanted in zip(places, wanted, strict=True) if not is_wanted],
        )
    by_project: defaultdict[tuple[int, int], list[Place]] = defaultdict(list)
    for place in places:
        by_project[place.scope.account_key, place.scope.project_id].append(place)
    chosen = [max(alike, key=_rank) for alike in by_project.values()]
    return chosen, [place for place in places if place not in chosen]


def read_place_nodes(tx: Connection, places: Sequence[Place]) -> PlaceNodes:
    """Read the nodes of some places with what they declare of their columns.

    A project that refers to another one's models has them in its manifest too: such a mention is left out where the
    project it belongs to is among the places and puts it into the same relation.
    """
    declared = [
        DeclaredNode(
            node=TableNode(
                unique_id=row.unique_id,
                resource_type=row.resource_type,
                name=row.name,
                place=index,
                account=place.account,
                adapter=place.manifest.adapter_type,
                relation=row.relation,
                relation_name=row.relation_name,
                materialized=row.materialized,
            ),
            columns=row.columns,
        )
        for index, place in enumerate(places)
        for row in list_relations(tx, place.scope.account_key, place.manifest.manifest_key)
    ]
    owned = {_identity(one.node) for one in declared if _is_own(one.node, places)}
    return PlaceNodes(
        declared=tuple(one for one in declared if _is_own(one.node, places) or _identity(one.node) not in owned)
    )


def _is_own(node: TableNode, places: Sequence[Place]) -> bool:
    package = node.unique_id.split(".")[1:2]
    return package == [places[node.place].manifest.project_name]


def _identity(node: TableNode) -> tuple[str, str, str]:
    return node.account, node.unique_id, say_relation(node)


def say_places(places: Iterable[Place], *, is_asked: bool) -> str:
    """Say which environments answered, and whether as production where none was asked for."""
    names = [_say_place(place, is_asked=is_asked) for place in places]
    shown = ", ".join(names[:3])
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return f"Answered from {shown}{more}." if names else "No project has been parsed yet."


def _say_place(place: Place, *, is_asked: bool) -> str:
    where = f"{place.project or 'an unnamed project'} in {place.environment or 'an unnamed environment'}"
    if place.is_production:
        return f"{where} (production)"
    return where if is_asked else f"{where} (it has no production environment)"


def _place(
    manifest: ManifestRow,
    names: dict[int, str],
    projects: dict[tuple[int, int], Project],
    environments: dict[tuple[int, int], Environment],
) -> Place:
    project = projects.get((manifest.account_key, manifest.project_id))
    environment = environments.get((manifest.account_key, manifest.environment_id))
    return Place(
        scope=Scope(manifest.account_key, manifest.project_id, manifest.environment_id),
        account=names[manifest.account_key],
        project=project.name if project is not None else manifest.project_name,
        environment=environment.name if environment is not None else None,
        is_production=environment is not None and environment.is_production,
        is_development=environment is not None and environment.kind == "development",
        manifest=manifest,
    )


def _rank(place: Place) -> tuple[object, ...]:
    return place.is_production, not place.is_development, place.manifest.current_at, place.scope.environment_id


def _is_called(wanted: str | None, number: int, name: str | None) -> bool:
    return not wanted or wanted == str(number) or (name or "").casefold() == wanted.casefold()


def _check_known(noun: str, wanted: str | None, known: dict[int, str]) -> None:
    if wanted and not any(_is_called(wanted, number, name) for number, name in known.items()):
        names = ", ".join(sorted(set(known.values()))[:12])
        raise NotKnown(
            f"There is no {noun} {wanted[:80]!r}.", hint=f"There are: {names}." if names else "None is known."
        )
