"""Manifests: an unchanged one costs a row or none, a changed one the nodes that changed.

A manifest is a chain of differences: its own rows in `manifest_nodes`, laid over those of its base, and so on down to
one that is whole. Which base was at hand decides only how many rows are written, never what is read back, so that
manifests may arrive in any order.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import CTE, Connection, FromClause, Subquery, bindparam, func, select, update

from headwater.errors import NotKnown
from headwater.model.node import Group, Macro, Manifest, Node, NodeRelation, Owner
from headwater.store.nodes import MACRO, ensure_node_keys, read_body, resource_type_of, save_node_versions, version_of
from headwater.store.rows import ManifestRow, Nodes
from headwater.store.schema import environments, manifest_fingerprints, manifest_nodes, manifests, node_versions, nodes
from headwater.store.values import clean_key
from headwater.store.writing import Scope, insert_rows, lock_account, next_key, upsert

_DEEPEST = 16

_WITH_RELATION = ("model", "seed", "snapshot", "source", "function", "test")
_decode_relation = msgspec.msgpack.Decoder(NodeRelation).decode


def save_manifest(tx: Connection, scope: Scope, manifest: Manifest, fingerprint: bytes | None, now: datetime) -> int:
    """Save a manifest and give its key; one with the same content is found and not saved again."""
    lock_account(tx, scope.account_key)
    query = select(manifests.c.manifest_key).where(*_within(scope), manifests.c.content == manifest.content)
    manifest_key: int | None = tx.execute(query).scalar()
    current_at = manifest.metadata.generated_at or now
    if manifest_key is None:
        manifest_key = _insert_manifest(tx, scope, manifest, current_at, now)
    else:
        mark_current(tx, scope.account_key, manifest_key, current_at)
    if fingerprint is not None:
        link_fingerprint(tx, scope, fingerprint, manifest_key)
    return manifest_key


_FINGERPRINTED = select(manifest_fingerprints.c.manifest_key).where(
    manifest_fingerprints.c.account_key == bindparam("of_account"),
    manifest_fingerprints.c.project_id == bindparam("of_project"),
    manifest_fingerprints.c.environment_id == bindparam("of_environment"),
    manifest_fingerprints.c.fingerprint == bindparam("found"),
)


def find_manifest_by_fingerprint(tx: Connection, scope: Scope, fingerprint: bytes) -> int | None:
    """Find the manifest that the same bytes gave before, so that they need not be read."""
    place = {"of_account": scope.account_key, "of_project": scope.project_id, "of_environment": scope.environment_id}
    found: int | None = tx.execute(_FINGERPRINTED, {**place, "found": fingerprint}).scalar()
    return found


def link_fingerprint(tx: Connection, scope: Scope, fingerprint: bytes, manifest_key: int) -> None:
    """Remember that these bytes are this manifest."""
    key = {"account_key": scope.account_key, "project_id": scope.project_id, "environment_id": scope.environment_id}
    upsert(tx, manifest_fingerprints, [{**key, "fingerprint": fingerprint, "manifest_key": manifest_key}])


_MARK_CURRENT = (
    update(manifests)
    .where(manifests.c.account_key == bindparam("of_account"), manifests.c.manifest_key == bindparam("of_manifest"))
    .where(manifests.c.current_at < bindparam("at", type_=manifests.c.current_at.type))
    .values(current_at=bindparam("at", type_=manifests.c.current_at.type))
)


def mark_current(tx: Connection, account_key: int, manifest_key: int, at: datetime) -> None:
    """Note that dbt parsed exactly this manifest at a time, if that is later than what is known."""
    tx.execute(_MARK_CURRENT, {"of_account": account_key, "of_manifest": manifest_key, "at": at})


def get_manifest(tx: Connection, account_key: int, manifest_key: int) -> ManifestRow:
    """Give a manifest without its nodes.

    Raises:
        NotKnown: there is none.
    """
    row = tx.execute(_OF_KEY, {"of_account": account_key, "of_manifest": manifest_key}).first()
    if row is None:
        raise NotKnown("There is no such manifest.")
    return _manifest(row)


_OF_KEY = select(manifests).where(
    manifests.c.account_key == bindparam("of_account"), manifests.c.manifest_key == bindparam("of_manifest")
)


def find_latest_manifest(tx: Connection, scope: Scope) -> ManifestRow | None:
    """Find what dbt parsed last in a project and environment."""
    order = (manifests.c.current_at.desc(), manifests.c.manifest_key.desc())
    row = tx.execute(select(manifests).where(*_within(scope)).order_by(*order).limit(1)).first()
    return None if row is None else _manifest(row)


def list_latest_manifests(tx: Connection, account_keys: tuple[int, ...] | None = None) -> list[ManifestRow]:
    """List what dbt parsed last in each project and environment."""
    columns = manifests.c
    place = (columns.account_key, columns.project_id, columns.environment_id)
    rank = func.row_number().over(partition_by=place, order_by=(columns.current_at.desc(), columns.manifest_key.desc()))
    ranked = select(columns.account_key, columns.manifest_key, rank.label("rank"))
    if account_keys is not None:
        ranked = ranked.where(columns.account_key.in_(account_keys))
    newest = ranked.subquery()
    same = (columns.account_key == newest.c.account_key) & (columns.manifest_key == newest.c.manifest_key)
    query = select(manifests).select_from(manifests.join(newest, same)).where(newest.c.rank == 1).order_by(*place)
    return [_manifest(row) for row in tx.execute(query)]


def count_nodes(tx: Connection, account_keys: tuple[int, ...] | None = None) -> dict[str, int]:
    """Count the nodes of each resource type: of each project in production, or where it was parsed last."""
    where = environments.c.deployment_type == "production"
    query = select(environments.c.account_key, environments.c.environment_id).where(where)
    production = {tuple(row) for row in tx.execute(query)}
    chosen: dict[tuple[int, int], tuple[bool, datetime, ManifestRow]] = {}
    for manifest in list_latest_manifests(tx, account_keys):
        project = (manifest.account_key, manifest.project_id)
        rank = ((manifest.account_key, manifest.environment_id) in production, manifest.current_at)
        if project not in chosen or rank > chosen[project][:2]:
            chosen[project] = (*rank, manifest)
    total: Counter[str] = Counter()
    for _, _, manifest in chosen.values():
        total.update(manifest.node_counts)
    return dict(total)


def list_nodes(tx: Connection, account_key: int, manifest_key: int) -> Nodes:
    """List what a manifest holds.

    Raises:
        NotKnown: there is no such manifest.
    """
    groups = get_manifest(tx, account_key, manifest_key).groups
    held = _resolved(account_key, manifest_key)
    columns = (held.c.node_key, nodes.c.resource_type, node_versions.c.body)
    found: list[Node] = []
    macros: list[Macro] = []
    keys: dict[str, int] = {}
    query = (
        select(*columns)
        .select_from(_with_versions(held, account_key))
        .where(held.c.rank == 1)
        .order_by(held.c.node_key)
    )
    for node_key, resource_type, body in tx.execute(query):
        thing = read_body(resource_type, body)
        keys[thing.unique_id] = node_key
        if isinstance(thing, Macro):
            macros.append(thing)
        else:
            found.append(thing)
    return Nodes(nodes=tuple(found), macros=tuple(macros), groups=groups, keys_by_unique_id=keys)


def list_relations(tx: Connection, account_key: int, manifest_key: int) -> list[NodeRelation]:
    """List what a manifest holds that may be a table, without reading whole nodes.

    Ephemeral models are among them, and tests that keep their failures in a table.
    """
    held = _resolved(account_key, manifest_key)
    query = select(node_versions.c.body).select_from(_with_versions(held, account_key))
    rows = tx.execute(query.where((held.c.rank == 1) & nodes.c.resource_type.in_(_WITH_RELATION)))
    found = (_decode_relation(body) for body in rows.scalars())
    return [one for one in found if one.resource_type != "test" or one.relation_name is not None]


def list_macros(
    tx: Connection, account_key: int, manifest_key: int, wanted: Iterable[str]
) -> tuple[list[Macro], dict[str, tuple[str, ...]]]:
    """List the macros of a manifest, and by unique_id those that some of its nodes use."""
    names = {clean_key(unique_id) for unique_id in wanted}
    held = _resolved(account_key, manifest_key)
    query = select(nodes.c.unique_id, nodes.c.resource_type, node_versions.c.body).where(held.c.rank == 1)
    query = query.where((nodes.c.resource_type == MACRO) | nodes.c.unique_id.in_(names))
    macros: list[Macro] = []
    used: dict[str, tuple[str, ...]] = {}
    for unique_id, resource_type, body in tx.execute(query.select_from(_with_versions(held, account_key))):
        thing = read_body(resource_type, body)
        if isinstance(thing, Macro):
            macros.append(thing)
        else:
            used[unique_id] = thing.macros
    return macros, used


def list_chain(tx: Connection, account_key: int, manifest_key: int) -> dict[int, int]:
    """Give the depths of a manifest and its bases by key; what stands in a deeper one holds over its base."""
    chain = _chain(account_key, manifest_key)
    return {row.manifest_key: row.depth for row in tx.execute(select(chain.c.manifest_key, chain.c.depth))}


def list_node_versions(tx: Connection, account_key: int, manifest_key: int) -> dict[int, bytes]:
    """Give the version that each node key has in a manifest."""
    held = _resolved(account_key, manifest_key)
    query = select(held.c.node_key, held.c.version).where((held.c.rank == 1) & held.c.version.is_not(None))
    return {node_key: bytes(version) for node_key, version in tx.execute(query)}


def _with_versions(held: Subquery, account_key: int) -> FromClause:
    return held.join(nodes, (nodes.c.account_key == account_key) & (nodes.c.node_key == held.c.node_key)).join(
        node_versions,
        (node_versions.c.account_key == account_key)
        & (node_versions.c.node_key == held.c.node_key)
        & (node_versions.c.version == held.c.version),
    )


def _insert_manifest(tx: Connection, scope: Scope, manifest: Manifest, current_at: datetime, now: datetime) -> int:
    everything: tuple[Node | Macro, ...] = (*manifest.macros, *manifest.nodes)
    keys = ensure_node_keys(tx, scope, {thing.unique_id: resource_type_of(thing) for thing in everything})
    things = {keys[thing.unique_id]: thing for thing in everything}
    versions = {key: version_of(thing) for key, thing in things.items()}
    base_key, depth, rows = _differences(tx, scope, versions)
    manifest_key = next_key(tx, manifests.c.manifest_key, scope.account_key)
    facts = {
        **asdict(scope),
        "manifest_key": manifest_key,
        "content": manifest.content,
        "dbt_version": manifest.metadata.dbt_version,
        "adapter_type": manifest.metadata.adapter_type,
        "project_name": manifest.metadata.project_name,
        "node_counts": Counter(node.resource_type for node in manifest.nodes),
        "groups": [[group.name, group.owner.name, group.owner.email] for group in manifest.groups],
        "base_key": base_key,
        "depth": depth,
        "first_seen_at": now,
        "current_at": current_at,
    }
    upsert(tx, manifests, [facts])
    changed = [(scope.account_key, manifest_key, key, version) for key, version in rows.items()]
    insert_rows(tx, manifest_nodes, ("account_key", "manifest_key", "node_key", "version"), changed)
    save_node_versions(tx, scope.account_key, {key: things[key] for key, version in rows.items() if version})
    return manifest_key


def _differences(
    tx: Connection, scope: Scope, versions: dict[int, bytes]
) -> tuple[int | None, int, dict[int, bytes | None]]:
    """Give the base, the depth over it and the rows to write; the base is what was saved last of this place."""
    query = select(manifests.c.manifest_key, manifests.c.depth).where(*_within(scope))
    base = tx.execute(query.order_by(manifests.c.manifest_key.desc()).limit(1)).first()
    if base is not None and base.depth < _DEEPEST:
        known = list_node_versions(tx, scope.account_key, base.manifest_key)
        rows: dict[int, bytes | None] = {key: version for key, version in versions.items() if known.get(key) != version}
        rows |= dict.fromkeys(known.keys() - versions.keys())
        if len(rows) <= len(versions) // 2:
            return base.manifest_key, base.depth + 1, rows
    return None, 0, dict(versions)


def _resolved(account_key: int, manifest_key: int) -> Subquery:
    """Rank, for each node, the rows of a manifest's chain; the one of rank 1 holds, and may say: gone."""
    chain = _chain(account_key, manifest_key)
    rank = func.row_number().over(partition_by=manifest_nodes.c.node_key, order_by=chain.c.depth.desc())
    joined = manifest_nodes.join(chain, manifest_nodes.c.manifest_key == chain.c.manifest_key)
    return (
        select(manifest_nodes.c.node_key, manifest_nodes.c.version, rank.label("rank"))
        .select_from(joined)
        .where(manifest_nodes.c.account_key == account_key)
        .subquery()
    )


def _chain(account_key: int, manifest_key: int) -> CTE:
    """Give a manifest and its bases, with their depths."""
    columns = (manifests.c.manifest_key, manifests.c.base_key, manifests.c.depth)
    mine = manifests.c.account_key == account_key
    chain = select(*columns).where(mine, manifests.c.manifest_key == manifest_key).cte("chain", recursive=True)
    return chain.union_all(
        select(*columns).select_from(manifests.join(chain, manifests.c.manifest_key == chain.c.base_key)).where(mine)
    )


def _within(scope: Scope) -> tuple[Any, ...]:
    return tuple(manifests.c[name] == value for name, value in asdict(scope).items())


def _manifest(row: Any) -> ManifestRow:
    facts = dict(row._mapping)  # noqa: SLF001 - SQLAlchemy's documented name
    for name in ("base_key", "depth"):
        del facts[name]
    groups = tuple(Group(name=name, owner=Owner(name=owner, email=email)) for name, owner, email in facts.pop("groups"))
    return ManifestRow(**{**facts, "content": bytes(facts["content"]), "groups": groups})
