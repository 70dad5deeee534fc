"""A warehouse's tables as it shows them itself."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from headwater.model.node import CatalogColumn, Relation


@dataclass(frozen=True, slots=True, kw_only=True)
class WarehouseTable:
    """A table or view with its columns in order.

    `row_count` is the warehouse's own figure, often an estimate, `altered_at` when it last changed; None where it
    gives none.
    """

    relation: Relation
    kind: str
    columns: tuple[CatalogColumn, ...] = ()
    row_count: int | None = None
    altered_at: datetime | None = None
