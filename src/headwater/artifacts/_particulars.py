"""What only nodes of some resource types have: a test's target, an exposure's owner, a source's freshness rule, …"""

from __future__ import annotations

from typing import Any

import msgspec

from headwater.artifacts._config import Config, canonical_json, freshness_rule
from headwater.artifacts._declared import Declared, Described
from headwater.artifacts._json import Faults, Shape, is_absent
from headwater.artifacts._names import find_target, guess_model_id
from headwater.model.node import FreshnessRule, Owner, TestTarget

_DEFINITION = (
    "type", "type_params", "filter", "entities", "measures", "dimensions", "defaults", "query_params", "exports",
    "given", "expect", "overrides", "external", "quoting", "loaded_at_query",
)  # fmt: skip
"""What defines a node that has no code: source, exposure, metric, semantic model, saved query, unit test."""


class Particulars(msgspec.Struct, gc=False):
    """What only some nodes have; `definition` stands for the code of those that have none."""

    definition: Any = None
    test: TestTarget | None = None
    parents: tuple[str, ...] = ()
    owner: Owner | None = None
    url: str | None = None
    source_name: str | None = None
    loaded_at_field: str | None = None
    freshness: FreshnessRule | None = None


class _TestArguments(msgspec.Struct, gc=False):
    model: str | None = None
    column_name: str | None = None


_NOTHING_PARTICULAR = Particulars()
_test_arguments_shape = Shape(_TestArguments)


def read_particulars(said: Declared, resource_type: str, parents: tuple[str, ...], config: Config) -> Particulars:
    """Read what a node of this type has; its `parents` are for nodes that dbt writes without any."""
    if resource_type == "test":
        kwargs = None if said.test_metadata is None else bytes(said.test_metadata.kwargs)
        return Particulars(kwargs, _test_target(said, parents))
    if isinstance(said, Described):
        return _described(said, resource_type, parents, config)
    if resource_type == "seed":
        return Particulars(bytes(said.checksum))
    if resource_type == "function":
        return Particulars((bytes(said.arguments), bytes(said.returns)))
    return _NOTHING_PARTICULAR


def owner_from(found: Any) -> Owner | None:
    """Read an owner's name and address; several addresses are joined by commas."""
    if not isinstance(found, dict):
        return None
    name, email = _one_text(found.get("name")), _one_text(found.get("email"))
    return Owner(name=name, email=email) if name or email else None


def _test_target(said: Declared, parents: tuple[str, ...]) -> TestTarget:
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


def _described(said: Described, resource_type: str, parents: tuple[str, ...], config: Config) -> Particulars:
    defined = {name: value for name in _DEFINITION if (value := getattr(said, name)) is not None}
    found = Particulars(
        definition=canonical_json(defined),
        owner=owner_from(said.owner),
        url=said.url,
        source_name=said.source_name,
    )
    if resource_type == "source":
        found.loaded_at_field = said.loaded_at_field or config.loaded_at_field
        found.freshness = freshness_rule(said.freshness) or config.freshness
    elif said.model:
        tested = said.tested_node_unique_id or guess_model_id(said.model, said.package_name or "")
        found.parents = parents or (tested,)
        if resource_type == "unit_test":
            found.test = TestTarget(attached_node=_tested_node(said, found.parents))
    return found


def _tested_node(said: Described, parents: tuple[str, ...]) -> str | None:
    if said.tested_node_unique_id:
        return said.tested_node_unique_id
    named = [parent for parent in parents if said.model in parent.split(".")[2:3]]
    return named[0] if len(named) == 1 else None


def _one_text(found: Any) -> str | None:
    if isinstance(found, list):
        return ", ".join(part for part in found if isinstance(part, str)) or None
    return found if isinstance(found, str) and found else None
