"""From the fields of one node's JSON to a Node."""

from __future__ import annotations

from typing import Final

from msgspec import Raw

from headwater.artifacts._columns import read_columns, salvage_columns
from headwater.artifacts._config import Config, Configs, canonical_json, read_tags
from headwater.artifacts._declared import Declared, DependsOn, Described
from headwater.artifacts._json import Faults, Shape
from headwater.artifacts._names import parse_relation
from headwater.artifacts._particulars import read_particulars
from headwater.artifacts._versions import set_versions
from headwater.model.node import Node, Relation

HAS_RELATION: Final = frozenset({"model", "seed", "snapshot", "source", "function"})
"""The resource types that may have a relation in the warehouse; an ephemeral model has none."""

_NO_DEPENDENCIES = DependsOn()
_SALVAGE: Final = {"columns": salvage_columns}
_declared_shape = Shape(Declared, _SALVAGE)
_described_shape = Shape(Described, _SALVAGE)


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
        columns = read_columns(said.columns, is_contract=config.is_contract)
        particular = read_particulars(said, resource_type, parents, config)
        node = Node(
            unique_id=unique_id,
            resource_type=resource_type,
            name=said.name or unique_id.rsplit(".", 1)[-1],
            package_name=said.package_name or "",
            relation=_relation(said, resource_type, config),
            relation_name=said.relation_name,
            materialized=config.materialized,
            path=said.original_file_path or said.path or "",
            fqn=said.fqn or (),
            tags=read_tags(said.tags) if said.tags else config.tags,
            description=said.description or "",
            group=said.group or config.group,
            access=said.access or config.access,
            language=said.language,
            raw_code=said.raw_code if said.raw_code is not None else said.raw_sql,
            config_json=config.json,
            meta_json=canonical_json(said.meta) if said.meta else config.meta_json,
            severity=config.severity,
            columns=columns.declared,
            parents=parents or particular.parents,
            macros=_each_once(depends_on.macros),
            test=particular.test,
            owner=particular.owner,
            url=particular.url,
            source_name=particular.source_name,
            loaded_at_field=particular.loaded_at_field,
            freshness=particular.freshness,
        )
        set_versions(node, said, columns, particular.definition)
        return node


def _each_once(names: tuple[str, ...] | None) -> tuple[str, ...]:
    if not names:
        return ()
    return names if len(names) == len(set(names)) else tuple(dict.fromkeys(names))


def _relation(said: Declared, resource_type: str, config: Config) -> Relation | None:
    if resource_type not in HAS_RELATION or config.materialized == "ephemeral":
        return None
    identifier = (said.identifier if isinstance(said, Described) else said.alias) or said.name
    if said.schema and identifier:
        return Relation(said.database or None, said.schema, identifier)
    return parse_relation(said.relation_name) if said.relation_name else None
