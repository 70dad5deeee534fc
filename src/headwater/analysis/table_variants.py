"""Tables that stand for another one: a partition or a shard of it in BigQuery, and what dbt builds on the way to it."""

from __future__ import annotations

import re
from dataclasses import dataclass

_PARTITION = re.compile(r"(.+)\$(\d{4,10}|__NULL__|__UNPARTITIONED__)", re.DOTALL)
_SHARD = re.compile(r"(.+_)(\d{6}|\d{8}|\*)", re.DOTALL)
_DBT_OWN = re.compile(r"(.+?)__dbt_(tmp|temp|backup|new_data|stg|staging|int|cover)[_\d]*", re.DOTALL | re.IGNORECASE)
_OWN = {
    "tmp": "dbt's temporary table while it builds {}",
    "temp": "dbt's temporary table while it builds {}",
    "backup": "what {} was before dbt replaced it",
    "new_data": "the new rows that dbt merges into {}",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """A table that a name stands for; `weight` is how surely it does, `note` says why. Only BigQuery has shards."""

    table: str
    weight: float = 1.0
    note: str = ""
    is_shard: bool = False


def list_variants(table: str) -> tuple[Variant, ...]:
    """List what a table's name can stand for, itself first."""
    found = [Variant(table=table)]
    partition = _PARTITION.fullmatch(table)
    if partition is not None:
        note = f"${partition[2]} names one partition of it."
        found.append(Variant(table=partition[1], weight=0.98, note=note))
    for known in tuple(found):
        own = _DBT_OWN.fullmatch(known.table)
        if own is not None:
            said = _OWN.get(own[2].lower(), "a table that dbt makes on the way to {}").format(own[1])
            note = f"{known.note} {known.table} is {said}.".strip()
            found.append(Variant(table=own[1], weight=known.weight * 0.85, note=note))
        shard = _SHARD.fullmatch(known.table)
        if shard is not None:
            note = f"{known.note} {known.table} is {_say_shard(shard[2])} of {shard[1].rstrip('_')}.".strip()
            found.append(Variant(table=shard[1].rstrip("_"), weight=0.6, note=note, is_shard=True))
    return tuple(found)


def fits_wildcard(table: str, known: str) -> bool:
    """Tell whether a table is one of those that a wildcard as `events_*` names."""
    return known.endswith("*") and len(known) > 1 and table.startswith(known[:-1]) and table != known


def _say_shard(suffix: str) -> str:
    return "all date shards" if suffix == "*" else f"the date shard {suffix}"
