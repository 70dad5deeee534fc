"""Faults that loaders bring: raw data that are late, gone, of another shape, doubled, empty or fewer."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from jobs import BY_KEY, WAREHOUSES, Job
from studio import Studio

from faults import Fault, Maker, Scene

_PERIODS = {"hour": 3600.0, "day": 86400.0, "minute": 60.0}


@dataclass(frozen=True)
class _Raw:
    """A source with the models that read it, a job that builds these, and its table."""

    node: Mapping[str, Any]
    readers: list[Mapping[str, Any]]
    job: Job
    table: str


def source_stale(scene: Scene) -> Fault | None:
    """A loader stops; the next freshness check finds the source too old, and models are built from it afterwards."""
    project = scene.project("storefront", "roastery")
    sources = [
        source
        for source in scene.prefix.manifests[project]["sources"].values()
        if 0 < _error_after(source) <= 12 * 3600
    ]
    source = scene.chance.choice(sources)
    table = f"{source['schema']}.{source['identifier']}"
    job = scene.chance.choice([BY_KEY[f"{project}/nightly"], BY_KEY[f"{project}/freshness"]])
    return Fault(
        kind="source_stale", project=project, first_job=job, said=f"{table} is no longer loaded",
        causes=frozenset({"source_stale"}), subjects=frozenset({source["unique_id"]}),
        wrong_sources=frozenset({source["unique_id"]}), stops=(f"{WAREHOUSES[project]}.{table}", _error_after(source)),
    )  # fmt: skip


def source_missing(scene: Scene) -> Fault | None:
    """A raw table is renamed."""
    raw = _choose(scene)
    if raw is None:
        return None
    project, statement = raw.node["package_name"], f"alter table {raw.table} rename to {raw.node['identifier']}_backup"

    def strike(studio: Studio) -> None:
        studio.sql(project, [statement])
        studio.gone.add(raw.table)

    return replace(_spoilt("source_missing", raw, [], causes={"source_missing"}), strike=strike)


def source_column_dropped(scene: Scene) -> Fault | None:
    """A column of a raw table that models read is renamed."""
    raw = _choose(scene)
    column = _used_column(scene, raw) if raw else None
    if raw is None or column is None:
        return None
    statement = f"alter table {raw.table} rename column {column} to {column}_v2"
    found = _spoilt("source_column_dropped", raw, [statement], causes={"columns_changed"}, detail=column)
    return replace(found, wrong_sources=frozenset())  # who does not read the column gets what was there before


def source_type_changed(scene: Scene) -> Fault | None:
    """A number in a raw table becomes text with its unit."""
    raw = _choose(scene)
    column = _used_column(scene, raw, "INTEGER", "BIGINT", "DECIMAL", "DOUBLE") if raw else None
    if raw is None or column is None or column == "id" or column.endswith("_id"):
        return None
    statement = f"alter table {raw.table} alter column {column} type varchar using ({column}::varchar || ' units')"
    return _spoilt("source_type_changed", raw, [statement], causes={"columns_changed", "data_changed"}, detail=column)


def data_duplicates(scene: Scene) -> Fault | None:
    """A loader writes rows twice, which a test of uniqueness upstream finds; it stops the build."""
    raw = _choose(scene, tested="unique")
    if raw is None:
        return None
    statement = f"insert into {raw.table} select * from {raw.table} limit {scene.chance.randint(1, 20)}"
    return _spoilt(
        "data_duplicates", raw, [statement], causes={"data_changed", "test_failed"}, is_tested=True, scene=scene
    )


def data_nulls(scene: Scene) -> Fault | None:
    """A loader leaves keys empty, which a test upstream finds."""
    raw = _choose(scene, tested="not_null")
    if raw is None or "id" not in [name for name, _ in scene.columns_of(raw.node)]:
        return None
    statement = f"update {raw.table} set id = null where rowid % {scene.chance.randint(7, 40)} = 3"
    return _spoilt("data_nulls", raw, [statement], causes={"data_changed", "test_failed"}, is_tested=True, scene=scene)


def data_rows_gone(scene: Scene) -> Fault | None:
    """Most rows of a raw table are gone, so that others point at nothing."""
    raw = _choose(scene)
    if raw is None:
        return None
    pointing = [
        test
        for node in scene.prefix.manifests[raw.node["package_name"]]["nodes"].values()
        for test in [node]
        if node["resource_type"] == "test"
        and (node.get("test_metadata") or {}).get("name") == "relationships"
        and node["config"]["severity"].lower() == "error"
        and any(f"ref('{reader['name']}')" in str(node["test_metadata"]["kwargs"].get("to")) for reader in raw.readers)
    ]
    if not pointing:
        return None
    found = _spoilt(
        "data_rows_gone", raw, [f"delete from {raw.table} where rowid % 3 <> 0"],
        causes={"data_changed", "test_failed"}, is_tested=True, scene=scene,
    )  # fmt: skip
    tests = frozenset(test["unique_id"] for test in pointing)
    return None if found is None else replace(found, subjects=found.subjects | tests)


def _spoilt(
    kind: str, raw: _Raw, statements: list[str], *, causes: set[str], detail: str = "", is_tested: bool = False,
    scene: Scene | None = None,
) -> Fault:  # fmt: skip
    """A right answer names the source; where a test found the data out, the model it tests or the test do as well."""
    subjects = {raw.node["unique_id"]}
    if is_tested and scene is not None:
        subjects |= {reader["unique_id"] for reader in raw.readers}
        subjects |= {test["unique_id"] for reader in raw.readers for test in scene.tests_on(reader)}
        subjects |= {test["unique_id"] for test in scene.tests_on(raw.node)}
    project = raw.node["package_name"]
    return Fault(
        kind=kind, project=project, first_job=raw.job, said=f"{raw.table} {detail}".strip(), causes=frozenset(causes),
        subjects=frozenset(subjects), wrong_sources=frozenset({raw.node["unique_id"]}),
        strike=lambda studio: studio.sql(project, statements),
    )  # fmt: skip


def _choose(scene: Scene, tested: str | None = None) -> _Raw | None:
    """Choose a source and a job that builds all models that read it; their or its own tests are of a kind."""
    project = scene.project("storefront", "roastery")
    source = scene.chance.choice(list(scene.prefix.manifests[project]["sources"].values()))
    readers = scene.readers(source["unique_id"], project)
    if not readers:
        return None
    if tested is not None:
        tests = [test for reader in (*readers, source) for test in scene.tests_on(reader)]
        if not any((test.get("test_metadata") or {}).get("name") == tested for test in tests):
            return None
    job = scene.job_of(*(reader["unique_id"] for reader in readers))
    if job is None:
        return None
    return _Raw(source, readers, job, f"{source['schema']}.{source['identifier']}")


def _used_column(scene: Scene, raw: _Raw, *types: str) -> str | None:
    names = [name for name, kind in scene.columns_of(raw.node) if not types or kind.startswith(types)]
    used = [
        name for name in names
        if name != "_loaded_at" and any(re.search(rf"\b{name}\b", reader["raw_code"]) for reader in raw.readers)
    ]  # fmt: skip
    return scene.chance.choice(used) if used else None


def _error_after(source: Mapping[str, Any]) -> float:
    rule = (source.get("freshness") or {}).get("error_after") or {}
    return (rule.get("count") or 0) * _PERIODS.get(rule.get("period") or "", 0.0)


KINDS: tuple[Maker, ...] = (
    source_stale, source_missing, source_column_dropped, source_type_changed, data_duplicates, data_nulls,
    data_rows_gone,
)  # fmt: skip
