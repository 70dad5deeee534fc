"""From the JSON of one node to a Node, whatever section and dbt version it comes from."""

from __future__ import annotations

from hashlib import blake2b
from typing import Any, Final, NamedTuple

import msgspec
from msgspec import Raw

from headwater.artifacts._config import (
    Config,
    Configs,
    canonical_json,
    freshness_rule,
    read_tags,
)
from headwater.artifacts._json import NOTHING, REFUSED, Faults, Shape, is_absent, section
from headwater.artifacts._names import find_target, guess_model_id, parse_relation
from headwater.artifacts._values import read_any
from headwater.model.node import Column, Node, Owner, Relation, TestTarget

VERSION_BYTES: Final = 16

HAS_RELATION = frozenset({"model", "seed", "snapshot", "source", "function"})
"""The resource types that may have a relation in the warehouse; an ephemeral model has none."""

_DEFINITION = (
    "type", "type_params", "filter", "entities", "measures", "dimensions", "defaults", "query_params", "exports",
    "given", "expect", "overrides", "external", "quoting", "loaded_at_query",
)  # fmt: skip
"""What defines a node that has no code: source, exposure, metric, semantic model, saved query, unit test."""


class TestMetadata(msgspec.Struct, gc=False):
    """How a generic test is put."""

    name: str | None = None
    namespace: str | None = None
    kwargs: Raw = NOTHING


class DependsOn(msgspec.Struct, gc=False):
    """What a node is made from."""

    nodes: tuple[str, ...] | None = None
    macros: tuple[str, ...] | None = None


class Declared(msgspec.Struct, gc=False):
    """An entry of `nodes` or `functions`; fields in the order dbt 1.11 writes them, which msgspec reads fastest."""

    database: str | None = None
    schema: str | None = None
    name: str | None = None
    resource_type: str | None = None
    package_name: str | None = None
    path: str | None = None
    original_file_path: str | None = None
    fqn: tuple[str, ...] | None = None
    alias: str | None = None
    checksum: Raw = NOTHING
    config: Raw = NOTHING
    tags: list[str] | str | None = None
    description: str | None = None
    columns: Raw = NOTHING
    meta: dict[str, Any] | None = None
    group: str | None = None
    relation_name: str | None = None
    raw_code: str | None = None
    raw_sql: str | None = None
    language: str | None = None
    depends_on: DependsOn | None = None
    compiled_code: str | None = None
    compiled_sql: str | None = None
    access: str | None = None
    constraints: list[Any] | None = None
    column_name: str | None = None
    attached_node: str | None = None
    test_metadata: TestMetadata | None = None
    arguments: Raw = NOTHING
    returns: Raw = NOTHING


class Described(Declared, gc=False):
    """An entry of any other section."""

    source_name: str | None = None
    identifier: str | None = None
    loaded_at_field: str | None = None
    freshness: Raw = NOTHING
    owner: Raw = NOTHING
    url: str | None = None
    model: str | None = None
    tested_node_unique_id: str | None = None
    type: Raw = NOTHING
    type_params: Raw = NOTHING
    filter: Raw = NOTHING
    entities: Raw = NOTHING
    measures: Raw = NOTHING
    dimensions: Raw = NOTHING
    defaults: Raw = NOTHING
    query_params: Raw = NOTHING
    exports: Raw = NOTHING
    given: Raw = NOTHING
    expect: Raw = NOTHING
    overrides: Raw = NOTHING
    external: Raw = NOTHING
    quoting: Raw = NOTHING
    loaded_at_query: Raw = NOTHING


class _ColumnConstraints(msgspec.Struct):
    constraints: Raw = NOTHING


class _AnyColumn(msgspec.Struct):
    name: str | None = None
    data_type: str | None = None
    description: str | None = None


class _Columns(NamedTuple):
    declared: tuple[Column, ...] = ()
    types: tuple[tuple[str, str], ...] = ()
    constraints: str = ""


class _TestArguments(msgspec.Struct, gc=False):
    model: str | None = None
    column_name: str | None = None


_NO_COLUMNS = _Columns()
_NO_DEPENDENCIES = DependsOn()
_declared_shape = Shape(Declared)
_described_shape = Shape(Described)
_any_column_shape = Shape(_AnyColumn)
_test_arguments_shape = Shape(_TestArguments)
_decode_columns = msgspec.json.Decoder(dict[str, Column]).decode
_decode_constraints = msgspec.json.Decoder(dict[str, _ColumnConstraints]).decode
_encode = msgspec.msgpack.Encoder().encode
_make_node = msgspec.convert  # fills a frozen dataclass more than twice as fast as its own __init__


class NodeReader:
    """Reads the nodes of one manifest."""

    def __init__(self, faults: Faults) -> None:
        self._faults = faults
        self._configs = Configs(faults)

    def decode(self, unique_id: str, raw: Raw, *, is_coded: bool) -> Declared | None:
        """Take the fields of a node out of its JSON; None (and a fault) where it is no JSON object."""
        if is_coded:
            return _declared_shape.read(raw, unique_id, self._faults)
        return _described_shape.read(raw, unique_id, self._faults)

    def node(self, unique_id: str, said: Declared) -> Node | None:
        """Give the node that these fields declare; None where it is disabled."""
        config = self._configs.read(said.config, unique_id)
        if not config.is_enabled:
            return None
        resource_type = said.resource_type or unique_id.split(".", 1)[0]
        depends_on = said.depends_on or _NO_DEPENDENCIES
        parents = _each_once(depends_on.nodes)
        relation = _relation(said, resource_type, config)
        raw_code = said.raw_code if said.raw_code is not None else said.raw_sql
        columns = self._columns(said.columns, unique_id, config)
        fields: dict[str, Any] = {
            "unique_id": unique_id,
            "resource_type": resource_type,
            "name": said.name or unique_id.rsplit(".", 1)[-1],
            "package_name": said.package_name or "",
            "relation": relation,
            "relation_name": said.relation_name,
            "materialized": config.materialized,
            "path": said.original_file_path or said.path or "",
            "fqn": said.fqn or (),
            "tags": read_tags(said.tags) if said.tags else config.tags,
            "description": said.description or "",
            "group": said.group or config.group,
            "access": said.access or config.access,
            "language": said.language,
            "raw_code": raw_code,
            "config_json": config.json,
            "meta_json": canonical_json(said.meta) if said.meta else config.meta_json,
            "severity": config.severity,
            "columns": columns.declared,
            "parents": parents,
            "macros": _each_once(depends_on.macros),
        }
        definition: Any = None
        if resource_type == "test":
            fields["test"] = self._test_target(said, parents)
            if said.test_metadata is not None:
                definition = bytes(said.test_metadata.kwargs)
        elif resource_type == "seed":
            definition = bytes(said.checksum)
        elif isinstance(said, Described):
            definition = _describe(fields, said, config)
        elif resource_type == "function":
            definition = (bytes(said.arguments), bytes(said.returns))
        _set_versions(fields, said, columns, definition)
        return _make_node(fields, Node)

    def _test_target(self, said: Declared, parents: tuple[str, ...]) -> TestTarget:
        """Give what a test vouches for: the node it names, or the only one it reads."""
        name, attached, column = None, said.attached_node, said.column_name
        metadata = said.test_metadata
        if metadata is not None:
            name = f"{metadata.namespace}.{metadata.name}" if metadata.namespace else metadata.name
            if not (attached and column) and not is_absent(metadata.kwargs):
                arguments = _test_arguments_shape.read(metadata.kwargs, "kwargs", Faults()) or _TestArguments()
                attached = attached or find_target(arguments.model, parents)
                column = column or arguments.column_name
        return TestTarget(
            test_name=name,
            attached_node=attached or (parents[0] if len(parents) == 1 else None),
            column_name=column,
        )

    def _columns(self, raw: Raw, unique_id: str, config: Config) -> _Columns:
        """Read the declared columns; their constraints matter only where a contract enforces them."""
        if len(memoryview(raw)) <= 2 or is_absent(raw):
            return _NO_COLUMNS
        try:
            declared = tuple(_decode_columns(raw).values())
            constraints = _decode_constraints(raw) if config.is_contract else {}
        except REFUSED:
            declared, constraints = self._odd_columns(raw, unique_id), {}
        return _Columns(
            declared,
            tuple([(column.name, column.data_type) for column in declared if column.data_type]),
            canonical_json({name: read_any(column.constraints) for name, column in constraints.items()})
            if constraints
            else "",
        )

    def _odd_columns(self, raw: Raw, unique_id: str) -> tuple[Column, ...]:
        """Read columns one by one, where one of them is not as dbt writes it today."""
        columns = []
        for name, entry in section(raw, f"columns of {unique_id}", self._faults).items():
            column = _any_column_shape.read(entry, f"{unique_id}: the column {name}", self._faults)
            if column is not None:
                columns.append(
                    Column(name=column.name or name, data_type=column.data_type, description=column.description or "")
                )
        return tuple(columns)


def _each_once(names: tuple[str, ...] | None) -> tuple[str, ...]:
    if names is None or len(names) < 2:
        return names or ()
    return tuple(dict.fromkeys(names))


def _relation(said: Declared, resource_type: str, config: Config) -> Relation | None:
    if resource_type not in HAS_RELATION or config.materialized == "ephemeral":
        return None
    identifier = (said.identifier if isinstance(said, Described) else said.alias) or said.name
    if said.schema and identifier:
        return Relation(said.database or None, said.schema, identifier)
    return parse_relation(said.relation_name) if said.relation_name else None


def _describe(fields: dict[str, Any], said: Described, config: Config) -> str:
    """Add what only nodes without code have, and give what defines such a node."""
    fields["source_name"], fields["url"], fields["owner"] = said.source_name, said.url, owner_from(read_any(said.owner))
    if fields["resource_type"] == "source":
        fields["loaded_at_field"] = said.loaded_at_field or config.loaded_at_field
        fields["freshness"] = freshness_rule(read_any(said.freshness)) or config.freshness
    elif said.model:
        tested = said.tested_node_unique_id or guess_model_id(said.model, fields["package_name"])
        fields["parents"] = fields["parents"] or (tested,)
        if fields["resource_type"] == "unit_test":
            fields["test"] = TestTarget(attached_node=_tested_node(said, fields["parents"]))
    defined = {name: read_any(getattr(said, name)) for name in _DEFINITION}
    return canonical_json({name: value for name, value in defined.items() if value is not None})


def _set_versions(fields: dict[str, Any], said: Declared, columns: _Columns, definition: Any) -> None:
    """Hash a node's code and configuration, and then everything that is kept of it.

    Neither hash holds `relation_name` and `macros`: dbt fills them only in what it compiled.
    """
    get = fields.get
    parents, tags = fields["parents"], fields["tags"]
    code = _encode((
        fields["resource_type"], fields["raw_code"], said.language, fields["config_json"],
        sorted(parents) if len(parents) > 1 else parents, fields["relation"], columns.types, columns.constraints,
        canonical_json(said.constraints) if said.constraints else None, definition, get("loaded_at_field"),
        said.column_name,
    ))  # fmt: skip
    fields["code_version"] = code_version = blake2b(code, digest_size=VERSION_BYTES).digest()
    rest = _encode((
        fields["unique_id"], fields["name"], fields["package_name"], fields["path"], said.fqn,
        sorted(tags) if len(tags) > 1 else tags, said.description, fields["group"], fields["access"],
        fields["meta_json"], columns.declared, get("test"), get("owner"), get("url"), get("source_name"),
        get("freshness"),
    ))  # fmt: skip
    fields["version"] = blake2b(code_version + rest, digest_size=VERSION_BYTES).digest()


def _tested_node(said: Described, parents: tuple[str, ...]) -> str | None:
    if said.tested_node_unique_id:
        return said.tested_node_unique_id
    named = [parent for parent in parents if said.model in parent.split(".")[2:3]]
    return named[0] if len(named) == 1 else None


def owner_from(found: Any) -> Owner | None:
    """Read an owner's name and address; several addresses are joined by commas."""
    if not isinstance(found, dict):
        return None
    name, email = _one_text(found.get("name")), _one_text(found.get("email"))
    return Owner(name=name, email=email) if name or email else None


def _one_text(found: Any) -> str | None:
    if isinstance(found, list):
        return ", ".join(part for part in found if isinstance(part, str)) or None
    return found if isinstance(found, str) and found else None
