"""catalog.json: the relations that `dbt docs generate` found in the warehouse."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Raw

from headwater.artifacts._json import NOTHING, Data, Faults, Shape, entries, is_absent, no_garbage_collection, section
from headwater.artifacts._values import as_integer, capped, read_any, read_text
from headwater.artifacts.metadata import open_artifact
from headwater.model.node import Catalog, CatalogColumn, CatalogTable, Relation

_ROW_COUNTS = ("row_count", "num_rows", "rows")


class _Place(msgspec.Struct):
    type: str | None = None
    schema: str | None = None
    name: str | None = None
    database: str | None = None
    owner: str | None = None


class _Column(msgspec.Struct):
    type: str | None = None
    index: int | None = None
    name: str | None = None


class _Table(msgspec.Struct):
    metadata: _Place | None = None
    columns: Raw = NOTHING
    stats: Raw = NOTHING


_table_shape = Shape(_Table)
_column_shape = Shape(_Column)


def read_catalog(data: Data) -> Catalog:
    """Read a catalog.json; what cannot be read of it is in `faults`, and so is what dbt itself could not read.

    Raises ArtifactUnreadable where the file is no JSON object or another artifact.
    """
    faults = Faults()
    with no_garbage_collection():
        metadata, fields = open_artifact(data, "catalog", faults)
        tables = []
        for name in ("nodes", "sources"):
            for unique_id, raw in section(fields.get(name, NOTHING), name, faults).items():
                table = _table(unique_id, raw, faults)
                if table is not None:
                    tables.append(table)
        for error in entries(fields.get("errors", NOTHING), "errors", faults):
            faults.add(f"dbt could not read a part of the catalog: {capped(read_text(error))}")
        return Catalog(metadata=metadata, tables=tuple(tables), faults=faults.listed())


def _table(unique_id: str, raw: Raw, faults: Faults) -> CatalogTable | None:
    said = _table_shape.read(raw, unique_id, faults)
    if said is None:
        return None
    place = said.metadata
    if place is None or not place.schema or not place.name:
        faults.add(f"{unique_id} does not say where in the warehouse it is, and is left out of the catalog.")
        return None
    return CatalogTable(
        unique_id=unique_id,
        relation=Relation(place.database or None, place.schema, place.name),
        kind=place.type or "",
        owner=place.owner,
        columns=_columns(said.columns, unique_id, faults),
        row_count=_row_count(read_any(said.stats)),
    )


def _columns(raw: Raw, unique_id: str, faults: Faults) -> tuple[CatalogColumn, ...]:
    columns = []
    if is_absent(raw):
        return ()
    for position, (name, entry) in enumerate(section(raw, f"columns of {unique_id}", faults).items(), start=1):
        said = _column_shape.read(entry, f"{unique_id}: the column {name}", faults)
        if said is not None:
            place = position if said.index is None else said.index
            columns.append(CatalogColumn(name=said.name or name, data_type=said.type or "", position=place))
    return tuple(sorted(columns, key=lambda column: column.position))


def _row_count(stats: Any) -> int | None:
    """Find the row count among the statistics, which each adapter names in its own way."""
    if not isinstance(stats, dict):
        return None
    for name in _ROW_COUNTS:
        entry = stats.get(name)
        count = as_integer(entry.get("value")) if isinstance(entry, dict) else None
        if count is not None and count >= 0:
            return count
    return None
