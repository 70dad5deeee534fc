"""Nodes: a short key for each unique_id of a project and environment, and the versions a node has had."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import chain
from typing import Any

import msgspec
from sqlalchemy import ARRAY, Connection, Table, Text, bindparam, func, select

from headwater.model.node import Macro, Node
from headwater.store.database import notes
from headwater.store.schema import node_versions, nodes
from headwater.store.values import clean_deep, clean_key, clean_text, to_json
from headwater.store.writing import Scope, chunks, insert_rows, lock_account, next_key

MACRO = "macro"
_ASK_FOR_EACH = 500
_decode_node = msgspec.msgpack.Decoder(Node).decode
_decode_macro = msgspec.msgpack.Decoder(Macro).decode
_encode = msgspec.msgpack.Encoder().encode


def ensure_node_keys(tx: Connection, scope: Scope, resource_types: Mapping[str, str]) -> dict[str, int]:
    """Give the key of each unique_id, new ones counted up; the caller holds the account's lock."""
    known = find_node_keys(tx, scope, resource_types)
    missing = [unique_id for unique_id in resource_types if unique_id not in known]
    if missing:
        columns = ("account_key", "node_key", "project_id", "environment_id", "unique_id", "resource_type")
        new: dict[str, tuple[Any, ...]] = {}
        first = next_key(tx, nodes.c.node_key, scope.account_key)
        for unique_id in missing:
            cleaned = clean_key(unique_id)
            where = (scope.account_key, first + len(new), scope.project_id, scope.environment_id)
            new.setdefault(cleaned, (*where, cleaned, clean_text(resource_types[unique_id])))
        insert_rows(tx, nodes, columns, new.values())
        _memory(tx, scope).update({cleaned: row[1] for cleaned, row in new.items()})
        known |= {unique_id: new[clean_key(unique_id)][1] for unique_id in missing}
    return known


_KEYS = select(nodes.c.unique_id, nodes.c.node_key).where(
    nodes.c.account_key == bindparam("of_account"),
    nodes.c.project_id == bindparam("of_project"),
    nodes.c.environment_id == bindparam("of_environment"),
)
_SOME_KEYS = {
    "sqlite": _KEYS.where(nodes.c.unique_id.in_(bindparam("wanted", expanding=True))),
    # A list of parameters would be compared with every row until the table's statistics have been taken.
    "postgresql": _KEYS.where(
        nodes.c.unique_id == func.unnest(bindparam("wanted", type_=ARRAY(Text))).column_valued("wanted_id")
    ),
}


def find_node_keys(tx: Connection, scope: Scope, unique_ids: Iterable[str]) -> dict[str, int]:
    """Find the keys of unique_ids; what the transaction has looked up once it does not ask for again."""
    cleaned = {unique_id: clean_key(unique_id) for unique_id in unique_ids}
    memory = _memory(tx, scope)
    unknown = [key for key in cleaned.values() if key not in memory]
    place = {"of_account": scope.account_key, "of_project": scope.project_id, "of_environment": scope.environment_id}
    if len(unknown) > _ASK_FOR_EACH:
        memory.update(tuple(row) for row in tx.execute(_KEYS, place))
    elif unknown:
        memory.update(tuple(row) for row in tx.execute(_SOME_KEYS[tx.dialect.name], {**place, "wanted": unknown}))
    return {unique_id: memory[key] for unique_id, key in cleaned.items() if key in memory}


def save_node_versions(tx: Connection, account_key: int, things: Mapping[int, Node | Macro]) -> None:
    """Keep the versions of nodes and macros that are not kept yet; the caller holds the account's lock."""
    pairs = {(key, version_of(thing)): thing for key, thing in things.items()}
    missing = missing_pairs(tx, account_key, node_versions, "version", pairs)
    insert_rows(
        tx,
        node_versions,
        [column.name for column in node_versions.c],
        [(account_key, *pair, *_version_facts(pairs[pair])) for pair in missing],
    )


def save_nodes(tx: Connection, scope: Scope, things: Iterable[Node | Macro]) -> None:
    """Keep nodes and macros that no manifest holds yet: until one does, nothing shows them."""
    lock_account(tx, scope.account_key)
    named = {thing.unique_id: thing for thing in things}
    keys = ensure_node_keys(tx, scope, {name: resource_type_of(thing) for name, thing in named.items()})
    save_node_versions(tx, scope.account_key, {keys[name]: thing for name, thing in named.items()})


def missing_pairs(
    tx: Connection, account_key: int, table: Table, column: str, pairs: Iterable[tuple[int, bytes]]
) -> list[tuple[int, bytes]]:
    """Give those pairs of node key and hash that a table does not hold."""
    missing: list[tuple[int, bytes]] = []
    is_postgres = tx.dialect.name == "postgresql"
    for chunk in chunks(pairs):
        # Bound by the driver itself: SQLAlchemy takes longer to name ten thousand parameters than the question takes.
        parameters: tuple[Any, ...]
        if is_postgres:
            wanted = "SELECT * FROM unnest(%s::bigint[], %s::bytea[])"
            parameters = ([key for key, _ in chunk], [digest for _, digest in chunk], account_key)
        else:
            wanted = "VALUES " + ", ".join(["(?, ?)"] * len(chunk))
            parameters = (*chain.from_iterable(chunk), account_key)
        query = (
            f"WITH wanted(k, h) AS ({wanted}) SELECT k, h FROM wanted WHERE NOT EXISTS (SELECT 1 FROM {table.name} t "
            f"WHERE t.account_key = {'%s' if is_postgres else '?'} AND t.node_key = wanted.k AND t.{column} = wanted.h)"
        )
        missing += [(key, bytes(digest)) for key, digest in tx.exec_driver_sql(query, parameters)]
    return missing


def resource_type_of(thing: Node | Macro) -> str:
    """Give the resource type under which a node or a macro is kept."""
    return MACRO if isinstance(thing, Macro) else thing.resource_type


def version_of(thing: Node | Macro) -> bytes:
    """Give what identifies this version of a node; never empty."""
    return thing.version or b"\x00"


def read_body(resource_type: str, body: bytes) -> Node | Macro:
    """Read a node or a macro from what was kept of it."""
    return _decode_macro(body) if resource_type == MACRO else _decode_node(body)


def _memory(tx: Connection, scope: Scope) -> dict[str, int]:
    memory: dict[str, int] = notes(tx).setdefault(("node_keys", scope), {})
    return memory


def _version_facts(thing: Node | Macro) -> tuple[Any, ...]:
    if isinstance(thing, Macro):
        return (
            thing.version,
            clean_text(thing.unique_id),
            None,
            None,
            None,
            None,
            None,
            None,
            "[]",
            "[]",
            _body(thing),
        )
    relation = thing.relation
    place = (relation.database, relation.schema, relation.identifier) if relation is not None else (None, None, None)
    owner = None if thing.owner is None else thing.owner.name or thing.owner.email
    words = (thing.name, *place, thing.materialized, owner, thing.group)
    return (thing.code_version, *map(clean_text, words), to_json(thing.tags), to_json(thing.parents), _body(thing))


def _body(thing: Node | Macro) -> bytes:
    try:
        return _encode(thing)
    except UnicodeEncodeError:  # a lone surrogate
        return _encode(clean_deep(msgspec.to_builtins(thing, builtin_types=(bytes,))))
