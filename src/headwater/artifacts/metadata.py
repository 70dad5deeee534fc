"""The head of a dbt artifact: what it is, who wrote it and when, in which run."""

from __future__ import annotations

import json
import re

import msgspec
from msgspec import Raw

from headwater.artifacts._json import NOTHING, Data, Faults, Shape, is_absent, open_object
from headwater.artifacts._values import read_integer, read_text, read_time
from headwater.errors import ArtifactUnreadable
from headwater.model.node import ArtifactMetadata

KNOWN_VERSIONS = {
    "manifest": frozenset({*range(1, 13), 20}),
    "run_results": frozenset(range(1, 7)),
    "sources": frozenset(range(1, 4)),
    "catalog": frozenset({1}),
}
"""The schema versions that exist; another one is read as the newest."""

_WRITTEN_BY = {
    "manifest": "any dbt command that parses the project",
    "run_results": "dbt build, run, test, seed or snapshot",
    "sources": "dbt source freshness",
    "catalog": "dbt docs generate",
}
_MAIN_FIELD = {"manifest": "nodes", "run_results": "results", "sources": "results", "catalog": "nodes"}
_SCHEMA = re.compile(r"/([a-z][a-z_-]*)/v(\d{1,4})(?:\.json)?$")
_HEAD = re.compile(rb'\s*\{\s*"metadata"\s*:\s*(?=\{)')
_HEAD_BYTES = 64 * 1024


class _Metadata(msgspec.Struct):
    dbt_schema_version: str | None = None
    dbt_version: str | None = None
    generated_at: Raw = NOTHING
    invocation_id: str | None = None
    project_name: str | None = None
    adapter_type: str | None = None
    env: Raw = NOTHING


class _Env(msgspec.Struct, rename=lambda name: f"DBT_CLOUD_{name.upper()}"):
    account_id: Raw = NOTHING
    project_id: Raw = NOTHING
    environment_id: Raw = NOTHING
    job_id: Raw = NOTHING
    run_id: Raw = NOTHING


_metadata_shape = Shape(_Metadata)
_env_shape = Shape(_Env)


def read_metadata(data: Data) -> ArtifactMetadata:
    """Read only the head of an artifact; where it stands first, as dbt writes it, the rest is not looked at."""
    faults = Faults()
    at = head_span(data)
    if at is not None:
        return metadata_from(Raw(bytes(data[slice(*at)])), faults)
    return metadata_from(open_object(data, "dbt artifact", faults).get("metadata", NOTHING), faults)


def read_kind(data: Data) -> str:
    """Say what an artifact calls itself (manifest, run_results, sources, catalog, …); empty where it does not."""
    return read_metadata(data).schema_name


def head_span(data: Data) -> tuple[int, int] | None:
    """Find where the metadata stand, if they stand first, without reading what follows."""
    start = _HEAD.match(bytes(data[:256]))
    if start is None:
        return None
    text = bytes(data[start.end() : start.end() + _HEAD_BYTES]).decode("latin-1")  # a character for each byte
    try:
        _, length = json.JSONDecoder().raw_decode(text)
    except (ValueError, RecursionError):
        return None
    return start.end(), start.end() + length


def metadata_from(raw: Raw, faults: Faults) -> ArtifactMetadata:
    """Read the head that `open_object` split off."""
    found = None if is_absent(raw) else _metadata_shape.read(raw, "The metadata", faults)
    if found is None:
        return ArtifactMetadata()
    schema = _SCHEMA.search(found.dbt_schema_version or "")
    env = None if is_absent(found.env) else _env_shape.read(found.env, "The metadata's env", faults)
    return ArtifactMetadata(
        schema_name=schema[1].replace("-", "_") if schema else "",
        schema_version=int(schema[2]) if schema else None,
        dbt_version=found.dbt_version,
        generated_at=read_time(read_text(found.generated_at), faults, "The metadata", "generated_at"),
        invocation_id=found.invocation_id,
        project_name=found.project_name,
        adapter_type=found.adapter_type,
        **({} if env is None else _read_ids(env, faults)),
    )


def _read_ids(env: _Env, faults: Faults) -> dict[str, int | None]:
    return {
        name: read_integer(getattr(env, name), f"The metadata: DBT_CLOUD_{name.upper()}", faults)
        for name in _Env.__struct_fields__
    }


def open_artifact(data: Data, kind: str, faults: Faults) -> tuple[ArtifactMetadata, dict[str, Raw]]:
    """Open a file that should be an artifact of this kind, or raise ArtifactUnreadable where it is another."""
    fields = open_object(data, kind, faults)
    metadata = metadata_from(fields.get("metadata", NOTHING), faults)
    check_kind(metadata, kind, has_main_field=_MAIN_FIELD[kind] in fields, faults=faults)
    return metadata, fields


def check_kind(metadata: ArtifactMetadata, kind: str, *, has_main_field: bool, faults: Faults) -> None:
    """Raise ArtifactUnreadable where a file is another artifact; note a schema version nobody knows."""
    if metadata.schema_name == kind:
        if metadata.schema_version not in KNOWN_VERSIONS[kind]:
            faults.add(f"The schema version {kind} v{metadata.schema_version} is not known; it was read as the newest.")
    elif not metadata.schema_name and has_main_field:
        faults.add(f"It has no metadata.dbt_schema_version and was read as the newest {kind}.")
    else:
        found = f"a {metadata.schema_name}" if metadata.schema_name else "not a dbt artifact"
        raise ArtifactUnreadable(
            f"A {kind} was wanted, but the file is {found} by its metadata.dbt_schema_version.",
            hint=f"Give the {kind}.json that {_WRITTEN_BY[kind]} writes.",
        )
