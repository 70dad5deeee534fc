"""An observatory with what dbt parsed in several environments, saved without a dbt Cloud."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from headwater.config import Settings
from headwater.model.account import AccountAddress, Environment, Project
from headwater.model.node import ArtifactMetadata, Column, Manifest, Node, Relation
from headwater.observatory.holder import Observatory, open_observatory
from headwater.store.accounts import find_account, save_account
from headwater.store.inventory import save_environments, save_projects
from headwater.store.manifests import save_manifest
from headwater.store.writing import Scope

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


@contextmanager
def open_places(folder: Path, store_url: str | None = None, slept: list[float] | None = None) -> Iterator[Observatory]:
    """Open an observatory whose sleep only notes how long."""
    settings = Settings(data_folder=folder, database_url=store_url or f"sqlite:///{folder / 'headwater.db'}")
    with open_observatory(
        settings, clock=lambda: NOW, sleep=(slept if slept is not None else []).append
    ) as observatory:
        yield observatory


def make_table(unique_id: str, relation_name: str, columns: tuple[Column, ...] = (), **facts: object) -> Node:
    """Make a node with a relation as dbt writes it."""
    kind, *_, name = unique_id.split(".")
    database, schema, identifier = (part.strip('"') for part in relation_name.split("."))
    version = hashlib.blake2b(f"{unique_id}{relation_name}{columns}".encode(), digest_size=16).digest()
    usual = {"resource_type": kind, "name": name, "version": version, "materialized": "table"}
    usual["relation"] = Relation(database, schema, identifier)
    return Node(**{**usual, **facts}, unique_id=unique_id, relation_name=relation_name, columns=columns)


def save_place(
    observatory: Observatory,
    nodes: tuple[Node, ...],
    *,
    account: str = "acme",
    project: tuple[int, str] = (1, "shop"),
    environment: tuple[int, str] = (2, "Production"),
    adapter: str = "duckdb",
) -> Scope:
    """Save what dbt parsed in an environment; the one called Production is dbt Cloud's production."""
    content = hashlib.blake2b(f"{nodes}".encode(), digest_size=16).digest()
    metadata = ArtifactMetadata(generated_at=NOW, adapter_type=adapter, project_name=project[1])
    with observatory.store.write() as tx:
        known = find_account(tx, account)
        address = AccountAddress(f"https://{account}.us1.dbt.com", 42)
        key = known.account_key if known is not None else save_account(tx, account, address, NOW).account_key
        scope = Scope(key, project[0], environment[0])
        kind = "production" if environment[1] == "Production" else None
        save_projects(tx, key, (Project(project_id=project[0], name=project[1]),))
        place = Environment(
            environment_id=environment[0], project_id=project[0], name=environment[1], deployment_type=kind
        )
        save_environments(tx, key, (place,))
        save_manifest(tx, scope, Manifest(metadata=metadata, content=content, nodes=nodes), None, NOW)
    return scope
