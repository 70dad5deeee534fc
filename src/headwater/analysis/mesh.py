"""Several projects as one graph: a node that a manifest only imports is the node of the project that owns it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from headwater.model.lineage import LineageNode, NodeAddress


@dataclass(frozen=True, slots=True, kw_only=True)
class ProjectLineage:
    """What one manifest holds: `project_name` is dbt's name of the project, which stands in its nodes' unique_ids.

    `role` is the environment's deployment type, or its name where it has none. `imported` are the nodes that other
    projects' public models left here, without code or parents of their own.
    """

    account_key: int
    project_id: int
    environment_id: int
    project_name: str | None
    role: str
    is_production: bool
    parents_by_id: Mapping[str, tuple[str, ...]]
    ephemeral: frozenset[str] = frozenset()
    imported: frozenset[str] = frozenset()

    def address(self, unique_id: str) -> NodeAddress:
        """Give the address of one of its nodes."""
        return NodeAddress(self.account_key, self.project_id, self.environment_id, unique_id)

    @property
    def owned(self) -> frozenset[str]:
        """The nodes that are its own."""
        return frozenset(self.parents_by_id) - self.imported


def package_of(unique_id: str) -> str:
    """Give the dbt project in a unique_id: `model.shop.orders` → `shop`."""
    return unique_id.partition(".")[2].partition(".")[0]


def join_projects(projects: Iterable[ProjectLineage]) -> tuple[list[LineageNode], dict[NodeAddress, NodeAddress]]:
    """Give the nodes of all projects, and for each imported one the address it stands for.

    An imported node, or a parent that is missing, is looked for in the projects of the same account that dbt calls so:
    in an environment of the same role, else in production. What no project owns stays as it is.
    """
    listed = list(projects)
    owners: defaultdict[tuple[int, str | None], list[tuple[ProjectLineage, frozenset[str]]]] = defaultdict(list)
    for project in listed:
        owners[project.account_key, project.project_name].append((project, project.owned))
    nodes: list[LineageNode] = []
    stands_for: dict[NodeAddress, NodeAddress] = {}
    for project in listed:
        links = _links(project, owners)
        stands_for |= {project.address(unique_id): address for unique_id, address in links.items()}
        addresses = {unique_id: links.get(unique_id) or project.address(unique_id) for unique_id in _named(project)}
        nodes += [
            LineageNode(
                addresses[unique_id],
                tuple([addresses[parent] for parent in parents]),
                unique_id in project.ephemeral,
            )
            for unique_id, parents in project.parents_by_id.items()
            if unique_id not in links
        ]
    return nodes, stands_for


def _named(project: ProjectLineage) -> dict[str, None]:
    named = dict.fromkeys(project.parents_by_id)
    for parents in project.parents_by_id.values():
        named |= dict.fromkeys(parents)
    return named


def _links(
    project: ProjectLineage,
    owners: Mapping[tuple[int, str | None], list[tuple[ProjectLineage, frozenset[str]]]],
) -> dict[str, NodeAddress]:
    missing = {
        parent for parents in project.parents_by_id.values() for parent in parents
    } - project.parents_by_id.keys()
    links = {}
    for unique_id in {*project.imported, *missing}:
        found = [
            owner
            for owner, owned in owners.get((project.account_key, package_of(unique_id)), ())
            if unique_id in owned and owner is not project and (owner.role == project.role or owner.is_production)
        ]
        if found:
            owner = min(found, key=lambda one: (one.role != project.role, one.project_id, one.environment_id))
            links[unique_id] = owner.address(unique_id)
    return links
