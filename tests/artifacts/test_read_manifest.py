"""Manifests of every dbt version, their versions and fingerprints."""

from __future__ import annotations

import json
import mmap
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from artifact_files import kind_of, manifest, ours, samples

from headwater.artifacts import (
    fingerprint_manifest,
    read_compiled_code,
    read_kind,
    read_manifest,
    read_metadata,
)
from headwater.errors import ArtifactUnreadable
from headwater.model import node as node_model
from headwater.model.node import FreshnessRule, Manifest, Node, Owner, Relation

SECTIONS = (
    "nodes", "sources", "exposures", "metrics", "semantic_models", "saved_queries", "unit_tests", "functions",
)  # fmt: skip
MANIFESTS = [path for path in samples() if kind_of(json.loads(path.read_bytes())) == "manifest"]


def by_id(read: Manifest) -> dict[str, Node]:
    return {node.unique_id: node for node in read.nodes}


@pytest.mark.parametrize("path", MANIFESTS, ids=lambda path: "/".join(path.parts[-4:]))
def test_every_sample_counts_as_json_alone_counts_it(path: Path) -> None:
    """Every sample counts as json alone counts it."""
    raw = json.loads(path.read_bytes())
    nodes = {
        unique_id: node
        for section in SECTIONS
        for unique_id, node in (raw.get(section) or {}).items()
        if (node.get("config") or {}).get("enabled") is not False
    }
    pairs = {(p, u) for u, node in nodes.items() for p in ((node.get("depends_on") or {}).get("nodes") or [])}
    read = read_manifest(path.read_bytes())
    read_pairs = {(parent, node.unique_id) for node in read.nodes for parent in node.parents}
    assert not read.faults
    assert set(by_id(read)) == set(nodes)
    assert Counter(node.resource_type for node in read.nodes) == Counter(n["resource_type"] for n in nodes.values())
    assert {pair for pair in pairs if pair[0] in nodes} == {pair for pair in read_pairs if pair[0] in nodes}
    assert {pair for pair in pairs if pair[0] not in nodes} == {pair for pair in read_pairs if pair[0] not in nodes}
    assert {macro.unique_id for macro in read.macros} == set(raw.get("macros", {}))
    for node in read.nodes:
        said = nodes[node.unique_id]
        assert node.raw_code == said.get("raw_code", said.get("raw_sql"))
        assert [column.name for column in node.columns] == [c["name"] for c in (said.get("columns") or {}).values()]
        assert node.relation is None or node.relation.schema == said["schema"]


def test_a_core_manifest_says_what_stands_in_it() -> None:
    """A core manifest says what stands in it."""
    read = read_manifest(ours("core_manifest"))
    nodes = by_id(read)
    model = nodes["model.shop.dim_customers"]
    assert model.relation == Relation("shop", "main", "dim_customers")
    assert model.parents == ("model.shop.stg_customers", "model.shop.fct_orders")
    assert (model.materialized, model.tags, model.access) == ("table", ("nightly",), "protected")
    assert model.path == "models/marts/dim_customers.sql"
    assert nodes["snapshot.shop.snap_orders"].relation == Relation("shop", "snaps", "snap_orders")
    assert nodes["seed.shop.raw_orders"].relation == Relation("shop", "main", "raw_orders")
    source = nodes["source.shop.app.raw_orders"]
    assert source.freshness == FreshnessRule(warn_after_seconds=43200.0, error_after_seconds=864e6)
    assert source.loaded_at_field == "cast(ordered_at as timestamp)"
    exposure = nodes["exposure.shop.weekly_kpis"]
    assert exposure.owner == Owner(name="Data Team", email="data@example.com")
    assert exposure.relation is None
    assert nodes["test.shop.assert_positive"].test == node_model.TestTarget(attached_node="model.shop.stg_orders")
    assert nodes["unit_test.shop.dim_customers.test_seq"].test == node_model.TestTarget(
        attached_node="model.shop.dim_customers"
    )


def test_fusion_and_core_read_the_same_project_alike() -> None:
    """Fusion and core read the same project alike."""
    core, fusion = (by_id(read_manifest(ours(f"{engine}_manifest"))) for engine in ("core", "fusion"))
    assert set(core) == set(fusion)
    for unique_id, node in core.items():
        assert fusion[unique_id].relation == node.relation
        assert set(fusion[unique_id].parents) == set(node.parents)
        assert fusion[unique_id].test == node.test


def test_an_old_test_names_its_node_in_words() -> None:
    """An old test names its node in words."""

    def attached(kwargs: dict[str, Any], parents: list[str]) -> str | None:
        data = manifest(
            {
                "unique_id": "test.p.t",
                "depends_on": {"nodes": parents},
                "test_metadata": {"name": "t", "kwargs": kwargs},
            },
            schema_version=4,
        )
        (node,) = read_manifest(data).nodes
        assert node.test is not None
        return node.test.attached_node

    both = ["model.p.orders", "model.p.customers"]
    assert attached({"model": "{{ get_where_subquery(ref('customers')) }}"}, both) == "model.p.customers"
    assert attached({"model": "{{ ref('p', 'orders') }}"}, both) == "model.p.orders"
    versions = ["model.p.dim.v1", "model.p.dim.v2"]
    assert attached({"model": "{{ get_where_subquery(ref('dim', v='2')) }}"}, versions) == "model.p.dim.v2"
    sources = ["source.p.shop.orders", "model.p.orders"]
    assert attached({"model": "{{ source('shop', 'orders') }}"}, sources) == "source.p.shop.orders"
    assert attached({}, ["model.p.orders"]) == "model.p.orders"
    assert attached({}, both) is None


def test_older_names_and_later_places_are_read() -> None:
    """Older names and later places are read."""
    data = manifest(
        {
            "unique_id": "model.p.old",
            "raw_sql": "select 1",
            "compiled_sql": "select 1 -- c",
            "schema": "s",
            "name": "old",
        },
        {"unique_id": "model.p.eph", "schema": "s", "name": "eph", "config": {"materialized": "ephemeral"}},
        {"unique_id": "model.p.off", "config": {"enabled": False}},
        {"unique_id": "test.p.t", "schema": "audit", "name": "t", "config": {"severity": "ERROR"}},
        {"unique_id": "model.p.named", "relation_name": "`proj`.`set`.`Table`"},
        sources={
            "source.p.s.t": {
                "resource_type": "source",
                "schema": "s",
                "name": "t",
                "identifier": "t_raw",
                "config": {"freshness": {"warn_after": {"count": 2, "period": "minute"}}, "loaded_at_field": "at"},
            }
        },
        unit_tests={"unit_test.p.old.u": {"resource_type": "unit_test", "package_name": "p", "model": "old"}},
        semantic_models={"semantic_model.p.s": {"resource_type": "semantic_model", "model": "ref('p', 'old')"}},
    )
    read = read_manifest(data)
    nodes = by_id(read)
    assert not read.faults
    assert read_compiled_code(data) == {"model.p.old": "select 1 -- c"}
    assert nodes["model.p.old"].raw_code == "select 1"
    assert nodes["model.p.old"].relation == Relation(None, "s", "old")
    assert nodes["model.p.eph"].relation is nodes["test.p.t"].relation is None
    assert nodes["test.p.t"].severity == "error"
    assert "model.p.off" not in nodes
    assert nodes["model.p.named"].relation == Relation("proj", "set", "Table")
    assert nodes["source.p.s.t"].relation == Relation(None, "s", "t_raw")
    assert nodes["source.p.s.t"].freshness == FreshnessRule(warn_after_seconds=120.0)
    assert nodes["source.p.s.t"].loaded_at_field == "at"
    assert nodes["unit_test.p.old.u"].parents == nodes["semantic_model.p.s"].parents == ("model.p.old",)


VOLATILE: dict[str, Any] = {
    "created_at": 1795170999.25, "compiled": True, "compiled_code": "select 2", "build_path": "target/x",
    "compiled_path": "y", "extra_ctes": [{"id": "z"}], "extra_ctes_injected": True, "patch_path": "a://b",
    "relation_name": '"d"."s"."m"', "docs": {"show": False},
}  # fmt: skip
MODEL: dict[str, Any] = {
    "unique_id": "model.p.m", "name": "m", "alias": "m", "schema": "s", "raw_code": "select 1",
    "created_at": 1795170810.5,
    "depends_on": {"nodes": ["model.p.a", "model.p.b"], "macros": []}, "config": {"materialized": "table"},
    "columns": {"id": {"name": "id", "description": "key", "data_type": "int"}}, "description": "d",
}  # fmt: skip


@pytest.mark.parametrize("field", VOLATILE)
def test_what_dbt_writes_differently_each_time_is_in_no_version(field: str) -> None:
    """What dbt writes differently each time is in no version."""
    one, other = (read_manifest(manifest(node)) for node in (MODEL, MODEL | {field: VOLATILE[field]}))
    assert one.nodes[0].version == other.nodes[0].version
    assert one.content == other.content


def test_macros_and_new_defaults_are_in_no_version() -> None:
    """Macros and new defaults are in no version."""
    other = MODEL | {
        "depends_on": {"nodes": ["model.p.b", "model.p.a"], "macros": ["macro.p.x"]},
        "config": {"static_analysis": None, "tags": [], "materialized": "table"},
    }
    one, two = read_manifest(manifest(MODEL)), read_manifest(manifest(other))
    assert one.nodes[0].version == two.nodes[0].version
    assert two.nodes[0].macros == ("macro.p.x",)


@pytest.mark.parametrize(
    ("field", "value", "is_code"),
    [
        ("raw_code", "select 2", True),
        ("config", {"materialized": "view"}, True),
        ("depends_on", {"nodes": ["model.p.a"]}, True),
        ("schema", "t", True),
        ("language", "python", True),
        ("constraints", [{"type": "not_null"}], True),
        ("columns", {"id": {"name": "id", "description": "key", "data_type": "text"}}, True),
        ("columns", {"id": {"name": "id", "description": "the key", "data_type": "int"}}, False),
        ("description", "e", False),
        ("group", "finance", False),
        ("meta", {"owner": "a"}, False),
    ],
)
def test_a_change_of_code_changes_both_versions(field: str, value: Any, is_code: bool) -> None:
    """A change of code changes both versions."""
    written = manifest(MODEL), manifest(MODEL | {field: value})
    one, other = (read_manifest(data).nodes[0] for data in written)
    assert one.version != other.version
    assert (one.code_version != other.code_version) is is_code
    assert fingerprint_manifest(written[0]) != fingerprint_manifest(written[1])


@pytest.mark.parametrize("is_enforced", [True, False])
def test_a_constraint_of_a_column_is_code_where_a_contract_enforces_it(is_enforced: bool) -> None:
    """Without a contract dbt does nothing with it; with the same in the schema file it builds another table."""
    config = {"contract": {"enforced": is_enforced}}
    column = {"name": "id", "data_type": "int", "description": ""}
    promised = [{"type": "not_null", "to_columns": []}]
    one, other = (
        read_manifest(manifest(MODEL | {"config": config, "columns": {"id": column | {"constraints": found}}})).nodes[0]
        for found in ([], promised)
    )
    assert [constraint.type for constraint in other.columns[0].constraints] == ["not_null"]
    assert one.version != other.version
    assert (one.code_version != other.code_version) is is_enforced


PINNED = {
    "model.shop.dim_customers": "cea169c9", "model.shop.stg_orders": "53017258", "seed.shop.raw_orders": "6db8e4a4",
    "snapshot.shop.snap_orders": "7b45de54", "source.shop.app.raw_orders": "2166e0e3",
    "test.shop.not_null_dim_customers_total_amount.e6e178a82d": "cb03da64", "exposure.shop.weekly_kpis": "63362788",
    "unit_test.shop.dim_customers.test_seq": "3979fda0",
}  # fmt: skip


def test_versions_are_what_they_were() -> None:
    """With other hashes every node of a store that is there would look as if its code had changed."""
    nodes = by_id(read_manifest(ours("core_manifest")))
    assert {name: nodes[name].code_version.hex()[:8] for name in PINNED} == PINNED


def test_a_seed_changes_with_its_file() -> None:
    """A seed changes with its file."""
    seeds = [{"unique_id": "seed.p.s", "checksum": {"name": "sha256", "checksum": digest}} for digest in ("a", "b")]
    one, other = (read_manifest(manifest(seed)).nodes[0] for seed in seeds)
    assert one.code_version != other.code_version


def again(data: bytes, **changes: Any) -> bytes:
    """Write a manifest as dbt does at its next parse: other times and invocation, the nodes in another order."""
    raw = json.loads(data)
    raw["metadata"] |= {"generated_at": "2026-11-21T00:00:00Z", "invocation_id": "next"}
    for node in raw["nodes"].values():
        node["created_at"] = 1795999999.125
        node.update(changes)
    raw["nodes"] = dict(reversed(raw["nodes"].items()))
    return json.dumps(raw).encode()


def test_the_next_parse_has_the_same_fingerprint_and_content() -> None:
    """The next parse has the same fingerprint and content."""
    data = ours("core_manifest")
    assert fingerprint_manifest(data) == fingerprint_manifest(again(data))
    assert read_manifest(data).content == read_manifest(again(data)).content
    assert fingerprint_manifest(data) != fingerprint_manifest(again(data, raw_code="select 3"))
    changed = data.replace(b"select * from", b"select 1 from")
    assert fingerprint_manifest(data) != fingerprint_manifest(changed)


def test_a_column_named_created_at_is_no_time_of_parsing() -> None:
    """A column named created at is no time of parsing."""

    def with_column(kind: str) -> bytes:
        column = {"created_at": {"name": "created_at", "data_type": kind}}
        return manifest({"unique_id": "model.p.m", "columns": column, "created_at": 1.5})

    assert fingerprint_manifest(with_column("date")) != fingerprint_manifest(with_column("text"))


@pytest.mark.parametrize(("one", "other"), [({"name": "x"}, {"schema": "x"}), ({"tags": []}, {"tags": [], "meta": {}})])
def test_the_same_text_in_another_field_is_another_manifest(one: dict[str, Any], other: dict[str, Any]) -> None:
    """The same text in another field, or one more field that says nothing, is another manifest."""
    node = {"unique_id": "model.p.m"}
    assert fingerprint_manifest(manifest(node | one)) != fingerprint_manifest(manifest(node | other))


ODD_GROUPS = (
    {"g.a": "t", "g.b": {"name": "u", "owner": "v"}},
    {"g.a": {"name": "t", "owner": "u"}, "g.b": "v"},
)


def test_what_cannot_be_read_is_not_taken_for_a_field_of_another() -> None:
    """Neither where it stands as a whole, nor at the border of two entries that are hashed apart, nor in macros."""

    def with_sources(last_of_one: dict[str, Any], first_of_next: dict[str, Any]) -> bytes:
        sources: dict[str, Any] = {f"source.p.s.t{number:04}": {} for number in range(257)}
        return manifest(sources=sources | {"source.p.s.t0255": last_of_one, "source.p.s.t0256": first_of_next})

    def with_macros(*macros: object) -> bytes:
        return manifest({"unique_id": "model.p.m", "depends_on": {"nodes": ["model.p.a"], "macros": macros}})

    one, other = (manifest(groups=groups) for groups in ODD_GROUPS)
    split, joined = with_sources({"loaded_at_query": 1}, {"database": 2}), with_sources({"loaded_at_query": 12}, {})
    readable, odd = with_macros("macro.a"), with_macros("macro.a", 5)
    for first, second in ((one, other), (split, joined), (readable, odd)):
        assert fingerprint_manifest(first) != fingerprint_manifest(second)
    assert fingerprint_manifest(readable) == fingerprint_manifest(with_macros("macro.b", "macro.c"))


def test_one_odd_node_does_not_make_every_parse_another() -> None:
    """A file that is read slowly is recognised all the same; what cannot be read counts with all its bytes."""
    raw = json.loads(ours("core_manifest"))
    odd, other = (json.dumps(raw | {"exposures": {"exposure.p.odd": value}}).encode() for value in (5, 6))
    assert fingerprint_manifest(odd) == fingerprint_manifest(again(odd))
    assert fingerprint_manifest(odd) != fingerprint_manifest(other)


def test_a_fact_named_created_at_is_no_time_of_parsing() -> None:
    """A fact named created at is no time of parsing, though it is a time."""

    def with_meta(founded: float, parsed: float) -> bytes:
        return manifest({"unique_id": "model.p.m", "meta": {"created_at": founded}, "created_at": parsed})

    first, parsed_again, other = with_meta(1.6e9, 1.7e9), with_meta(1.6e9, 1.71e9), with_meta(1.61e9, 1.7e9)
    assert fingerprint_manifest(first) == fingerprint_manifest(parsed_again)
    assert fingerprint_manifest(first) != fingerprint_manifest(other)
    assert read_manifest(other).nodes[0].meta_json == '{"created_at":1610000000.0}'


def compiled(code: str | None, *, between: dict[str, Any] | None = None, after: str = "x") -> bytes:
    """Write a model as dbt writes one that it compiled, perhaps with a field of a dbt to come."""
    left = {"compiled_path": code and "target/m.sql", "compiled": bool(code), "compiled_code": code}
    injected = {"extra_ctes_injected": True, "extra_ctes": [{"id": "model.p.e", "sql": code}] if code else []}
    return manifest({"unique_id": "model.p.m", **left, **(between or {}), **injected, "access": after})


@pytest.mark.parametrize("code", [None, "select 2", 'select "a", "b"', 'ends with ",', "\\", '"', 'x", "extra_ctes'])
def test_compiled_code_is_passed_over_whatever_stands_in_it(code: str | None) -> None:
    """Compiled code is passed over whatever stands in it, a field that nobody reads as well, and nothing else is."""
    usual = fingerprint_manifest(compiled("select 1"))
    later = [fingerprint_manifest(compiled(code, between={"invented": invented})) for invented in (1, 2)]
    assert fingerprint_manifest(compiled(code)) == usual
    assert fingerprint_manifest(compiled(code, after="y")) != usual
    assert later == [usual, usual]


@pytest.mark.parametrize("path", MANIFESTS, ids=lambda path: "/".join(path.parts[-4:]))
def test_compiled_code_is_read_as_json_alone_reads_it(path: Path) -> None:
    """Compiled code is read as json alone reads it."""
    raw = json.loads(path.read_bytes())
    nodes = {**raw["nodes"], **raw.get("functions", {})}
    codes = {unique_id: node.get("compiled_code") or node.get("compiled_sql") for unique_id, node in nodes.items()}
    assert read_compiled_code(path.read_bytes()) == {unique_id: code for unique_id, code in codes.items() if code}


def test_code_that_is_no_text_costs_only_its_node() -> None:
    """Compiled code that is no text costs only that of its node."""
    data = manifest({"unique_id": "model.p.a", "compiled_code": 5}, {"unique_id": "model.p.b", "compiled_code": "b"})
    assert read_compiled_code(data) == {"model.p.b": "b"}


def test_a_file_that_is_read_slowly_says_the_same() -> None:
    """One node of another form makes each be decoded on its own, to the same nodes."""
    for path in MANIFESTS:
        raw = json.loads(path.read_bytes())
        usual = read_manifest(json.dumps(raw).encode())
        raw["exposures"] = {**(raw.get("exposures") or {}), "exposure.p.odd": 5}
        slow = read_manifest(json.dumps(raw).encode())
        assert len(slow.faults) == len(usual.faults) + 1
        assert slow.nodes == usual.nodes


def test_a_mapped_file_and_a_view_are_read_alike(tmp_path: Path) -> None:
    """A mapped file and a view are read alike."""
    path = tmp_path / "manifest.json"
    path.write_bytes(ours("core_manifest"))
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
        assert read_manifest(mapped) == read_manifest(memoryview(path.read_bytes())) == read_manifest(path.read_bytes())
        assert fingerprint_manifest(mapped) == fingerprint_manifest(path.read_bytes())


def test_one_bad_node_costs_only_what_is_bad() -> None:
    """One bad node costs only what is bad."""
    raw = json.loads(ours("core_manifest"))
    whole = by_id(read_manifest(ours("core_manifest")))
    raw["nodes"]["model.shop.fct_orders"] = "not a node"
    raw["nodes"]["model.shop.dim_customers"]["description"] = 5
    read = read_manifest(json.dumps(raw).encode())
    nodes = by_id(read)
    assert set(whole) - set(nodes) == {"model.shop.fct_orders"}
    assert len(read.faults) == 2
    assert nodes["model.shop.dim_customers"].description == ""
    assert nodes["model.shop.dim_customers"].raw_code == whole["model.shop.dim_customers"].raw_code
    for unique_id in set(nodes) - {"model.shop.dim_customers"}:
        assert nodes[unique_id] == whole[unique_id]


def test_odd_columns_and_sections_are_noted() -> None:
    """Odd columns and sections are noted."""
    column = {"a": {"name": "a", "description": None, "constraints": [{"type": "unique"}]}, "b": 3}
    read = read_manifest(manifest({"unique_id": "model.p.m", "columns": column}, metrics=[], exposures=None))
    assert [(column.name, len(column.constraints)) for column in read.nodes[0].columns] == [("a", 1)]
    assert len(read.faults) == 2


def test_the_future_is_read_and_noted() -> None:
    """The future is read and noted."""
    read = read_manifest(manifest({"unique_id": "hologram.p.h"}, schema_version=99, holograms={}))
    assert read.nodes[0].resource_type == "hologram"
    assert any("v99" in fault for fault in read.faults)


def test_the_head_tells_the_run() -> None:
    """The head tells the run."""
    raw = json.loads(ours("core_manifest"))
    raw["metadata"]["env"] = {"DBT_CLOUD_RUN_ID": "5555"}
    metadata = read_metadata(json.dumps(raw).encode())
    assert (metadata.run_id, metadata.schema_version, metadata.adapter_type) == (5555, 12, "duckdb")
    assert read_kind(ours("core_catalog")) == "catalog"
    last = dict(reversed(raw.items()))
    assert read_metadata(json.dumps(last).encode()) == metadata


BROKEN = {
    "empty": (b"", "empty"),
    "blank": (b" \n", "white space"),
    "page": (b"<!DOCTYPE html><title>Sign in</title>", "HTML"),
    "gzip": (b"\x1f\x8b\x08", "gzip"),
    "list": (b"[1]", "list"),
    "words": (b"oops", "byte 0"),
    "cut off": (ours("core_manifest")[:20000], "byte 20000"),
    "conflict": (b'{\n<<<<<<< HEAD\n"a": 1\n', "byte 2"),
    "NaN": (b'{"metadata": {}, "nodes": {"a": {"meta": {"x": NaN}}}}', "byte 47"),
    "nested": (b'{"nodes": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", "nesting"),
    "not the kind": (ours("core_catalog"), "catalog"),
    "none of it": (b"{}", "not a dbt artifact"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_what_cannot_be_read_says_what_where_and_what_to_do(name: str) -> None:
    """What cannot be read says what where and what to do."""
    data, word = BROKEN[name]
    with pytest.raises(ArtifactUnreadable) as caught:
        read_manifest(data)
    assert word in caught.value.message
    assert caught.value.hint


def test_half_a_surrogate_pair_is_replaced() -> None:
    """Half a surrogate pair is replaced."""
    read = read_manifest(manifest({"unique_id": "model.p.m", "raw_code": "select '\ud83d'"}))
    assert read.nodes[0].raw_code == "select '?'"
    assert read.faults
