"""Catalogs: what the warehouse held, one row for each shape a relation has had."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, func, select

from headwater.model.node import Catalog, CatalogColumn, CatalogTable, Relation
from headwater.store.nodes import ensure_node_keys
from headwater.store.rows import CatalogRow
from headwater.store.schema import catalog_tables, nodes
from headwater.store.values import to_json
from headwater.store.writing import Scope, chunks, lock_account, upsert


def save_catalog(tx: Connection, scope: Scope, catalog: Catalog, now: datetime) -> None:
    """Save a catalog: a relation that looks as before only moves the time at which it was last seen."""
    lock_account(tx, scope.account_key)
    seen_at = catalog.metadata.generated_at or now
    types = {table.unique_id: table.unique_id.partition(".")[0] for table in catalog.tables}
    node_keys = ensure_node_keys(tx, scope, types)
    found = {}
    for table in catalog.tables:
        facts = _facts(table)
        found[node_keys[table.unique_id], hashlib.blake2b(to_json(facts).encode(), digest_size=16).digest()] = facts | {
            "row_count": table.row_count
        }
    known = _find_known(tx, scope.account_key, node_keys.values())
    rows = []
    for (node_key, content), facts in found.items():
        first, last, row_count, invocation_id = known.get((node_key, content), (seen_at, None, None, None))
        is_newer = last is None or seen_at >= last
        rows.append(
            {
                "account_key": scope.account_key,
                "node_key": node_key,
                "content": content,
                **facts,
                "row_count": facts["row_count"] if is_newer else row_count,
                "invocation_id": catalog.metadata.invocation_id if is_newer else invocation_id,
                "first_seen_at": min(first, seen_at),
                "last_seen_at": seen_at if is_newer else last,
            }
        )
    upsert(tx, catalog_tables, rows)


def find_last_seen(tx: Connection, scope: Scope) -> datetime | None:
    """Find when a relation of a project and environment was last seen in a catalog; None where none was."""
    place = (nodes.c.account_key, nodes.c.project_id, nodes.c.environment_id)
    here = [column == value for column, value in zip(place, _values(scope), strict=True)]
    same = (catalog_tables.c.account_key == nodes.c.account_key) & (catalog_tables.c.node_key == nodes.c.node_key)
    query = select(func.max(catalog_tables.c.last_seen_at)).select_from(nodes.join(catalog_tables, same))
    found: datetime | None = tx.execute(query.where(*here)).scalar()
    return found


def list_catalog_tables(tx: Connection, scope: Scope) -> list[CatalogRow]:
    """List how each relation of a project and environment looked last."""
    place = (nodes.c.account_key, nodes.c.project_id, nodes.c.environment_id)
    here = [column == value for column, value in zip(place, _values(scope), strict=True)]
    rank = func.row_number().over(
        partition_by=catalog_tables.c.node_key,
        order_by=(catalog_tables.c.last_seen_at.desc(), catalog_tables.c.first_seen_at.desc()),
    )
    joined = catalog_tables.join(
        nodes, (nodes.c.account_key == catalog_tables.c.account_key) & (nodes.c.node_key == catalog_tables.c.node_key)
    )
    ranked = select(catalog_tables, nodes.c.unique_id, rank.label("rank")).select_from(joined).where(*here).subquery()
    rows = tx.execute(select(ranked).where(ranked.c.rank == 1).order_by(ranked.c.unique_id))
    return [_row(row) for row in rows]


def list_catalog_history(tx: Connection, account_key: int, node_key: int) -> list[CatalogRow]:
    """List the shapes a relation has had, the last seen first."""
    return [_row(row) for row in tx.execute(_HISTORY, {"of_account": account_key, "of_node": node_key})]


_HISTORY = (
    select(catalog_tables, nodes.c.unique_id)
    .select_from(
        catalog_tables.join(
            nodes,
            (nodes.c.account_key == catalog_tables.c.account_key) & (nodes.c.node_key == catalog_tables.c.node_key),
        )
    )
    .where(catalog_tables.c.account_key == bindparam("of_account"), catalog_tables.c.node_key == bindparam("of_node"))
    .order_by(catalog_tables.c.last_seen_at.desc(), catalog_tables.c.first_seen_at.desc())
)


def list_catalog_shapes(
    tx: Connection, account_key: int, node_keys: Iterable[int], until: datetime
) -> dict[int, tuple[CatalogRow, ...]]:
    """List by node key the shapes that relations had had up to a moment, the last seen first."""
    found: dict[int, list[CatalogRow]] = {}
    same = (nodes.c.account_key == catalog_tables.c.account_key) & (nodes.c.node_key == catalog_tables.c.node_key)
    query = select(catalog_tables, nodes.c.unique_id).select_from(catalog_tables.join(nodes, same))
    order = (catalog_tables.c.last_seen_at.desc(), catalog_tables.c.first_seen_at.desc())
    for chunk in chunks(node_keys):
        here = (catalog_tables.c.account_key == account_key) & catalog_tables.c.node_key.in_(chunk)
        known = catalog_tables.c.first_seen_at <= until
        for row in tx.execute(query.where(here, known).order_by(*order)):
            found.setdefault(row.node_key, []).append(_row(row))
    return {node_key: tuple(rows) for node_key, rows in found.items()}


def _find_known(tx: Connection, account_key: int, node_keys: Iterable[int]) -> dict[tuple[int, bytes], tuple[Any, ...]]:
    columns = catalog_tables.c
    facts = (columns.first_seen_at, columns.last_seen_at, columns.row_count, columns.invocation_id)
    known: dict[tuple[int, bytes], tuple[Any, ...]] = {}
    for chunk in chunks(node_keys):
        here = (columns.account_key == account_key) & columns.node_key.in_(chunk)
        for node_key, content, *rest in tx.execute(select(columns.node_key, columns.content, *facts).where(here)):
            known[node_key, bytes(content)] = tuple(rest)
    return known


def _facts(table: CatalogTable) -> dict[str, Any]:
    return {
        "database_name": table.relation.database,
        "schema_name": table.relation.schema,
        "identifier": table.relation.identifier,
        "kind": table.kind,
        "owner": table.owner,
        "columns": [[column.name, column.data_type, column.position] for column in table.columns],
    }


def _values(scope: Scope) -> tuple[int, int, int]:
    return (scope.account_key, scope.project_id, scope.environment_id)


def _row(row: Any) -> CatalogRow:
    return CatalogRow(
        node_key=row.node_key,
        table=CatalogTable(
            unique_id=row.unique_id,
            relation=Relation(row.database_name, row.schema_name, row.identifier),
            kind=row.kind,
            owner=row.owner,
            columns=tuple(CatalogColumn(name=name, data_type=kind, position=at) for name, kind, at in row.columns),
            row_count=row.row_count,
        ),
        invocation_id=row.invocation_id,
        first_seen_at=row.first_seen_at,
        last_seen_at=row.last_seen_at,
    )
