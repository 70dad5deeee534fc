"""A node of dbt as the warehouse would know it: by its relation."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from headwater.analysis.table_names import Part, is_quoted_by_default, real_name, split_relation
from headwater.model.node import Relation


@dataclass(frozen=True, slots=True, kw_only=True)
class TableNode:
    """A node with its relation. `place` says where it belongs (a number of the caller's own), `account` whose warehouse
    it is, `adapter` which rules of quoting hold; `relation_name` is the relation as dbt wrote it, quotes included.
    """

    unique_id: str
    resource_type: str
    name: str
    place: int = 0
    account: str = ""
    adapter: str | None = None
    relation: Relation | None = None
    relation_name: str | None = None
    materialized: str | None = None

    @property
    def builds(self) -> bool:
        """Whether dbt builds the relation, rather than only reading it."""
        return self.resource_type != "source"


def each_known_name(node: TableNode) -> Iterator[tuple[Part, ...]]:
    """Give a relation's names: as dbt wrote it, and its database, schema and identifier where they say another."""
    written = split_relation(node.relation_name) if node.relation_name else ()
    if written:
        yield written
    relation = node.relation
    if relation is not None:
        texts = [text for text in (relation.database, relation.schema, relation.identifier) if text]
        if texts != [part.text for part in written]:
            is_quoted = is_quoted_by_default(node.adapter)
            yield tuple(Part(text, is_quoted) for text in texts)


def real_names(node: TableNode) -> tuple[str, ...]:
    """Give a relation's name as the warehouse keeps it, part by part; empty where a node has none."""
    return tuple(real_name(part, node.adapter) for part in next(each_known_name(node), ()))


def say_relation(node: TableNode) -> str:
    """Give a relation for reading: as dbt wrote it, else its parts with dots."""
    return node.relation_name or ".".join(part.text for part in next(each_known_name(node), ()))
