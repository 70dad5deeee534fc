"""A node's configuration: what we read of it, and one form for what dbt writes in several.

The same configuration stands in many nodes to the letter, so each distinct one is read once for a manifest.
"""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Raw

from headwater.artifacts._json import Faults
from headwater.artifacts._values import read_any
from headwater.model.node import FreshnessRule

_PERIOD_SECONDS = {"minute": 60.0, "hour": 3600.0, "day": 86400.0}


class Config(msgspec.Struct, frozen=True, gc=False):
    """What is read of a `config` object; `json` leaves out `docs`, which changes nothing that a node does."""

    is_enabled: bool = True
    json: str = "{}"
    materialized: str | None = None
    severity: str | None = None
    tags: tuple[str, ...] = ()
    meta_json: str = "{}"
    group: str | None = None
    access: str | None = None
    loaded_at_field: str | None = None
    freshness: FreshnessRule | None = None
    is_contract: bool = False


_DEFAULT = Config()


class Configs:
    """The configurations of one manifest, each distinct one read once."""

    def __init__(self, faults: Faults) -> None:
        self._faults = faults
        self._read: dict[bytes, Config] = {b"": _DEFAULT, b"null": _DEFAULT, b"{}": _DEFAULT}

    def read(self, raw: Raw, unique_id: str) -> Config:
        """Give what a node's `config` says."""
        key = bytes(raw)
        known = self._read.get(key)
        if known is None:
            known = self._read[key] = _read_config(raw, unique_id, self._faults)
        return known


def _read_config(raw: Raw, unique_id: str, faults: Faults) -> Config:
    found = read_any(raw)
    if not isinstance(found, dict):
        faults.add(f"{unique_id}: its config could not be read and is left out.")
        return _DEFAULT
    found.pop("docs", None)
    said = without_empty(found)
    return Config(
        is_enabled=found.get("enabled") is not False,
        json=canonical_json(said),
        materialized=_text(said, "materialized"),
        severity=(_text(said, "severity") or "").lower() or None,
        tags=read_tags(said.get("tags")),
        meta_json=canonical_json(said["meta"]) if isinstance(said.get("meta"), dict) else "{}",
        group=_text(said, "group"),
        access=_text(said, "access"),
        loaded_at_field=_text(said, "loaded_at_field"),
        freshness=freshness_rule(said.get("freshness")),
        is_contract=isinstance(said.get("contract"), dict) and said["contract"].get("enforced") is True,
    )


def canonical_json(value: Any) -> str:
    """Write JSON in the one form that the order of keys does not change."""
    return msgspec.json.encode(value, order="sorted").decode()


def without_empty(found: dict[str, Any]) -> dict[str, Any]:
    """Leave out what says nothing, so that a newer dbt's new default does not look like a change."""
    return {key: value for key, value in found.items() if value or value is False or value == 0}


def read_tags(found: Any) -> tuple[str, ...]:
    """Read tags, which may be one text, each once and in the order they were written."""
    if isinstance(found, str):
        return (found,)
    return tuple(dict.fromkeys([tag for tag in found if isinstance(tag, str)])) if isinstance(found, list) else ()


def freshness_rule(found: Any) -> FreshnessRule | None:
    """Read a source's freshness rule; None where it names no age."""
    if not isinstance(found, dict):
        return None
    warn, error = span_seconds(found.get("warn_after")), span_seconds(found.get("error_after"))
    if warn is None and error is None:
        return None
    return FreshnessRule(warn_after_seconds=warn, error_after_seconds=error)


def span_seconds(found: Any) -> float | None:
    """Read dbt's `{count, period}` as seconds."""
    if not isinstance(found, dict):
        return None
    count, period = found.get("count"), _PERIOD_SECONDS.get(str(found.get("period")).rstrip("s"))
    if period is None or isinstance(count, bool) or not isinstance(count, int | float):
        return None
    return count * period if 0 <= count * period <= 1e11 else None


def _text(found: dict[str, Any], key: str) -> str | None:
    value = found.get(key)
    return value if isinstance(value, str) else None
