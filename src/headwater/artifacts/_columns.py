"""The columns that a node declares."""

from __future__ import annotations

from typing import NamedTuple

import msgspec
from msgspec import Raw

from headwater.artifacts._json import Faults, Shape, section
from headwater.model.node import Column, Constraint


class Columns(NamedTuple):
    """The columns, and of them what belongs to a node's code; constraints only where a contract enforces them."""

    declared: tuple[Column, ...] = ()
    types: tuple[tuple[str, str], ...] = ()
    constraints: tuple[tuple[str, tuple[Constraint, ...]], ...] = ()


class _AnyColumn(msgspec.Struct):
    name: str | None = None
    data_type: str | None = None
    description: str | None = None
    constraints: tuple[Constraint, ...] | None = None


_NO_COLUMNS = Columns()
_any_column_shape = Shape(_AnyColumn)


def read_columns(found: dict[str, Column] | None, *, is_contract: bool) -> Columns:
    """Give a node's columns, and of them what belongs to its code."""
    if not found:
        return _NO_COLUMNS
    declared = tuple(found.values())
    return Columns(
        declared,
        tuple([(column.name, column.data_type) for column in declared if column.data_type]),
        tuple([(column.name, column.constraints) for column in declared if column.constraints]) if is_contract else (),
    )


def salvage_columns(raw: Raw, unique_id: str, faults: Faults) -> dict[str, Column]:
    """Read columns one by one, where one of them is not as dbt writes it today."""
    columns = {}
    for name, entry in section(raw, f"columns of {unique_id}", faults).items():
        column = _any_column_shape.read(entry, f"{unique_id}: the column {name}", faults)
        if column is not None:
            columns[name] = Column(
                name=column.name or name,
                data_type=column.data_type,
                description=column.description or "",
                constraints=column.constraints or (),
            )
    return columns
