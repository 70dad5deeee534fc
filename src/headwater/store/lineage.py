"""The lineage as it was: which manifest held in a place at a time, and its nodes without reading whole nodes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict
from datetime import datetime
from functools import cache
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Connection, Select, Text, bindparam, false, func, or_, select, tuple_, type_coerce

from headwater.model.node import Macro, Node, Relation
from headwater.store.database import read_once
from headwater.store.lineage_rows import LineageRow, ManifestUse, PlaceRow
from headwater.store.manifests import list_chain, list_node_versions
from headwater.store.nodes import MACRO, read_body
from headwater.store.schema import (
    accounts,
    environments,
    invocations,
    manifest_nodes,
    manifests,
    node_versions,
    nodes,
    projects,
    runs,
)
from headwater.store.values import LONGEST_KEY, Instant, clean_key
from headwater.store.writing import Scope, chunks

_SOME = 400
_decode_names = msgspec.json.Decoder(tuple[str, ...]).decode
_NONE = "[]"


class _Declared(msgspec.Struct, frozen=True, gc=False):
    path: str = ""


_decode_path = msgspec.msgpack.Decoder(_Declared).decode


class _ToldColumn(msgspec.Struct, frozen=True, gc=False):
    name: str = ""
    description: str = ""


class _Told(msgspec.Struct, frozen=True, gc=False):
    description: str = ""
    columns: tuple[_ToldColumn, ...] = ()


_decode_told = msgspec.msgpack.Decoder(_Told).decode


def list_places(tx: Connection, account_keys: tuple[int, ...] | None = None) -> list[PlaceRow]:
    """List every project and environment of which a manifest is stored, by the names of account and project."""

    def read() -> list[PlaceRow]:
        asked = {} if account_keys is None else {"of_accounts": account_keys}
        rows = tx.execute(_places(of_some=account_keys is not None), asked)
        return [PlaceRow(**row._mapping) for row in rows]  # noqa: SLF001 - SQLAlchemy's documented name

    return list(read_once(tx, ("places", account_keys), read))


@cache
def _places(*, of_some: bool) -> Select[Any]:
    """Build the statement once: every question asks it, and building it takes longer than its answer."""
    columns = manifests.c
    place = (columns.account_key, columns.project_id, columns.environment_id)
    where = [columns.account_key.in_(bindparam("of_accounts", expanding=True))] if of_some else []
    known = select(*place, func.max(columns.current_at).label("current_at")).where(*where).group_by(*place).subquery()
    same = known.c.account_key
    joined = (
        known.join(accounts, accounts.c.account_key == same)
        .outerjoin(projects, (projects.c.account_key == same) & (projects.c.project_id == known.c.project_id))
        .outerjoin(
            environments,
            (environments.c.account_key == same) & (environments.c.environment_id == known.c.environment_id),
        )
    )
    query = select(
        known,
        accounts.c.name.label("account_name"),
        projects.c.name.label("project_name"),
        environments.c.name.label("environment_name"),
        environments.c.deployment_type,
    ).select_from(joined)
    return query.order_by(
        accounts.c.name, projects.c.name, known.c.project_id, environments.c.name, known.c.environment_id
    )


def find_manifest_at(tx: Connection, scope: Scope, at: datetime | None = None) -> int | None:
    """Find the manifest that held in a place at a time, or last: that of the newest invocation before it.

    Invocations of pull requests count only where there are no others: they say nothing of what is deployed.
    """
    for proposed in (False, True):
        query = _newest_use(proposed=proposed, is_past=at is not None)
        row = tx.execute(query, _of(scope) if at is None else {**_of(scope), "at": at}).first()
        if row is not None:
            return int(row.manifest_key)
    columns = manifests.c
    where = [*_within(scope), *([] if at is None else [columns.current_at <= at])]
    alone = select(columns.manifest_key).where(*where).order_by(columns.current_at.desc(), columns.manifest_key.desc())
    found: int | None = tx.execute(alone.limit(1)).scalar()
    return found


@cache
def _newest_use(*, proposed: bool, is_past: bool) -> Select[Any]:
    used_at = func.coalesce(invocations.c.generated_at, invocations.c.stored_at)
    query = _uses(used_at).where(is_proposed().is_(proposed))
    if is_past:
        query = query.where(used_at <= bindparam("at"))
    return query.order_by(used_at.desc(), invocations.c.invocation_key.desc()).limit(1)


def list_manifest_uses(tx: Connection, scope: Scope) -> list[ManifestUse]:
    """List when another manifest than before came into force in a place, oldest first; pull requests are left out."""
    rows = tx.execute(_changes_of_manifest(), _of(scope))
    return [ManifestUse(manifest_key=row.manifest_key, run_id=row.run_id, used_at=row.used_at) for row in rows]


@cache
def _changes_of_manifest() -> Select[Any]:
    used_at = func.coalesce(invocations.c.generated_at, invocations.c.stored_at)
    order = (used_at, invocations.c.invocation_key)
    before = func.lag(invocations.c.manifest_key).over(order_by=order)
    told = _uses(used_at).add_columns(before.label("before")).where(is_proposed().is_(False)).subquery()
    changed = or_(told.c.before.is_(None), told.c.before != told.c.manifest_key)
    return select(told).where(changed).order_by(told.c.used_at, told.c.invocation_key)


def list_lineage(tx: Connection, account_key: int, manifest_key: int) -> list[LineageRow]:
    """List the nodes of a manifest, macros left out, from columns alone; nothing where there is no such manifest."""
    depths = list_chain(tx, account_key, manifest_key)
    versions, held = node_versions.c, manifest_nodes.c
    plain = (type_coerce(versions.tags, Text), type_coerce(versions.parents, Text))
    joined = manifest_nodes.join(
        nodes, (nodes.c.account_key == account_key) & (nodes.c.node_key == held.node_key)
    ).outerjoin(
        node_versions,
        (versions.account_key == account_key)
        & (versions.node_key == held.node_key)
        & (versions.version == held.version),
    )
    query = (
        select(
            held.manifest_key, held.node_key, held.version, nodes.c.unique_id, nodes.c.resource_type, versions.name,
            versions.database_name, versions.schema_name, versions.identifier,
            versions.materialized, versions.owner, versions.group_name, *plain,
        )
        .select_from(joined)
        .where((held.account_key == account_key) & held.manifest_key.in_(depths) & (nodes.c.resource_type != MACRO))
    )  # fmt: skip
    # A row of a deeper manifest holds over one of its base: sorting here is quicker than ranking in the database.
    rows = sorted(tx.execute(query).all(), key=lambda row: depths[row[0]])
    newest = {node_key: told for _, node_key, *told in rows}
    return [_lineage_row(key, *newest[key]) for key in sorted(newest) if newest[key][0] is not None]


def read_paths(tx: Connection, account_key: int, wanted: Iterable[tuple[int, bytes]]) -> dict[int, str]:
    """Read where some nodes are declared, by node key; the rest of their bodies is passed over."""
    columns = node_versions.c
    versions = dict(wanted)
    found: dict[int, str] = {}
    query = select(columns.node_key, columns.version, columns.body)
    for chunk in chunks(versions):
        for node_key, version, body in tx.execute(
            query.where((columns.account_key == account_key) & columns.node_key.in_(chunk))
        ):
            if bytes(version) == versions[node_key]:
                found[node_key] = _decode_path(body).path
    return found


def read_words(tx: Connection, account_key: int, wanted: Iterable[tuple[int, bytes]]) -> dict[int, str]:
    """Read what some nodes say of themselves, by node key: description, names and descriptions of columns, a line each.

    The rest of their bodies is passed over.
    """
    found: dict[int, str] = {}
    pair = tuple_(node_versions.c.node_key, node_versions.c.version)
    query = select(node_versions.c.node_key, node_versions.c.body).where(node_versions.c.account_key == account_key)
    for chunk in chunks(wanted, _SOME):
        for node_key, body in tx.execute(query.where(pair.in_(chunk))):
            told = _decode_told(body)
            words = (told.description, *(word for column in told.columns for word in (column.name, column.description)))
            found[node_key] = "\n".join(filter(None, words))
    return found


def read_nodes(tx: Connection, account_key: int, wanted: Iterable[tuple[int, bytes]]) -> dict[int, Node | Macro]:
    """Read some nodes and macros whole, by node key, from pairs of key and version; what is not kept is left out."""
    return {node_key: body for (node_key, _), body in read_versions(tx, account_key, wanted).items()}


def read_versions(
    tx: Connection, account_key: int, wanted: Iterable[tuple[int, bytes]]
) -> dict[tuple[int, bytes], Node | Macro]:
    """Read some versions of nodes and macros whole, by key and version; what is not kept is left out."""
    found: dict[tuple[int, bytes], Node | Macro] = {}
    for chunk in chunks(wanted, _SOME):
        asked = {"of_account": account_key, "of_versions": chunk}
        for node_key, version, resource_type, body in tx.execute(_BODIES, asked):
            found[node_key, bytes(version)] = read_body(resource_type, body)
    return found


_BODIES = (
    select(node_versions.c.node_key, node_versions.c.version, nodes.c.resource_type, node_versions.c.body)
    .select_from(
        node_versions.join(
            nodes,
            (nodes.c.account_key == node_versions.c.account_key) & (nodes.c.node_key == node_versions.c.node_key),
        )
    )
    .where(
        node_versions.c.account_key == bindparam("of_account"),
        tuple_(node_versions.c.node_key, node_versions.c.version).in_(bindparam("of_versions", expanding=True)),
    )
)


def list_version_history(tx: Connection, scope: Scope, node_key: int) -> dict[int, bytes | None]:
    """Give the version that a node has in each manifest of its place, None where it is not in it."""
    chain = [(row.manifest_key, row.base_key) for row in tx.execute(_BASES, _of(scope))]
    found = _own_versions(tx, scope.account_key, node_key)
    history: dict[int, bytes | None] = {}
    for manifest_key, base_key in chain:
        history[manifest_key] = found[manifest_key] if manifest_key in found else history.get(base_key or 0)
    return history


_BASES = (
    select(manifests.c.manifest_key, manifests.c.base_key)
    .where(
        manifests.c.account_key == bindparam("of_account"),
        manifests.c.project_id == bindparam("of_project"),
        manifests.c.environment_id == bindparam("of_environment"),
    )
    .order_by(manifests.c.depth)
)


def list_differences(
    tx: Connection, account_key: int, before: int, after: int
) -> tuple[Mapping[int, bytes], Mapping[int, bytes]]:
    """Give the versions by node key, of both manifests, that the other does not have."""
    one, other = (list_node_versions(tx, account_key, manifest_key) for manifest_key in (before, after))
    return (
        {key: version for key, version in one.items() if other.get(key) != version},
        {key: version for key, version in other.items() if one.get(key) != version},
    )


def _uses(used_at: ColumnElement[Any]) -> Select[Any]:
    columns = invocations.c
    same = (runs.c.account_key == columns.account_key) & (runs.c.run_id == columns.run_id)
    return (
        select(
            columns.invocation_key, columns.manifest_key, columns.run_id, type_coerce(used_at, Instant).label("used_at")
        )
        .select_from(invocations.outerjoin(runs, same))
        .where(
            columns.account_key == bindparam("of_account"),
            columns.project_id == bindparam("of_project"),
            columns.environment_id == bindparam("of_environment"),
            columns.manifest_key.is_not(None),
        )
    )


def _of(scope: Scope) -> dict[str, object]:
    return {"of_account": scope.account_key, "of_project": scope.project_id, "of_environment": scope.environment_id}


def is_proposed() -> ColumnElement[bool]:
    """Whether an invocation is of a pull request: of code that is not merged, in a schema of its own."""
    return func.coalesce(
        runs.c.trigger_pull_request_id.is_not(None) | runs.c.trigger_schema_override.is_not(None), false()
    )


def _own_versions(tx: Connection, account_key: int, node_key: int) -> dict[int, bytes | None]:
    rows = tx.execute(_VERSIONS, {"of_account": account_key, "of_node": node_key})
    return {manifest_key: None if version is None else bytes(version) for manifest_key, version in rows}


_VERSIONS = select(manifest_nodes.c.manifest_key, manifest_nodes.c.version).where(
    manifest_nodes.c.account_key == bindparam("of_account"), manifest_nodes.c.node_key == bindparam("of_node")
)


def _within(scope: Scope) -> tuple[Any, ...]:
    return tuple(manifests.c[name] == value for name, value in asdict(scope).items())


def _lineage_row(
    node_key: int, version: bytes, unique_id: str, resource_type: str, name: str, database: str | None,
    schema: str | None, identifier: str | None, materialized: str | None, owner: str | None, group: str | None,
    tags: str, parents: str,
) -> LineageRow:  # fmt: skip
    return LineageRow(
        node_key,
        bytes(version),
        unique_id,
        resource_type,
        name,
        None if identifier is None else Relation(database, schema or "", identifier),
        materialized,
        owner,
        group,
        () if tags == _NONE else _decode_names(tags),
        () if parents == _NONE else _keys(_decode_names(parents)),
    )


def _keys(unique_ids: tuple[str, ...]) -> tuple[str, ...]:
    """Give unique_ids as the nodes table has them, in which a very long one ends in a hash."""
    if max(map(len, unique_ids)) <= LONGEST_KEY:
        return unique_ids
    return tuple(map(clean_key, unique_ids))
