"""`headwater node`, `headwater impact`, `headwater catalog`: over a synced history, and over oddities."""

from __future__ import annotations

import json
from pathlib import Path

from program import Program

ORDERS = "model.storefront.fct_orders"
LONG = "x" * 10_000
ODD = ["it's", 'say "hi"', "a.b..c", "café ☕", "-- drop", "{{ x }}", LONG]


def write_target(folder: Path, nodes: dict[str, list[str]], invocation: str = "1", **more: object) -> Path:
    """Write a target folder with models by name and the models they name as parents, and nothing else."""
    target = folder / f"target-{invocation}"
    target.mkdir()
    models = {
        f"model.shop.{name}": {
            "unique_id": f"model.shop.{name}", "resource_type": "model", "name": name, "package_name": "shop",
            "schema": "s", "alias": name, "config": {"materialized": "table"}, "fqn": ["shop", name],
            "depends_on": {"nodes": [f"model.shop.{parent}" for parent in parents]},
        }
        for name, parents in nodes.items()
    }  # fmt: skip
    metadata = {
        "dbt_schema_version": "https://schemas.getdbt.com/dbt/manifest/v12.json", "dbt_version": "1.11.0",
        "project_name": "shop", "invocation_id": f"{invocation}-2222-3333-4444-555555555555",
        "generated_at": f"2026-11-0{invocation}T06:00:00Z",
    }  # fmt: skip
    (target / "manifest.json").write_text(json.dumps({"metadata": metadata, "nodes": models, **more}))
    return target


def test_impact_is_the_promised_document(synced: Program) -> None:
    """The keys that other programs rely on are there; the same by id, by name and by table, across both projects."""
    by_id, by_name, by_table = (
        synced.run("impact", ref, "--json") for ref in (ORDERS, "fct_orders", '"fernhill"."marts"."FCT_ORDERS"')
    )
    document = by_id.json

    assert (by_id.status, by_id.err) == (0, "")
    assert {"unique_id", "downstream", "counts", "exposures", "owners"} <= document.keys()
    assert {**by_name.json, "as_of": 0} == {**document, "as_of": 0} == {**by_table.json, "as_of": 0}
    assert document["unique_id"] == ORDERS
    assert len(set(document["downstream"])) == len(document["downstream"]) == sum(document["counts"].values())
    assert {"model.finance.stg_orders", "model.storefront.fct_revenue"} <= set(document["downstream"])
    assert all(exposure["unique_id"] in document["downstream"] for exposure in document["exposures"])
    assert all(owner["name"] or owner["email"] for owner in document["owners"])
    assert document["place"]["is_production"] is True


def test_a_node_is_printed_and_given_as_json(synced: Program) -> None:
    """People read where it is built, its parents and tests; the document has the same and more."""
    said, document = synced.run("node", "fct_orders"), synced.run("node", "fct_orders", "--json").json

    assert said.status == 0
    for words in ("Production of Storefront answers", "fernhill.marts.fct_orders", "made from model.storefront."):
        assert words in said.out
    assert document["relation"] == "fernhill.marts.fct_orders"
    assert {test["unique_id"] for test in document["tests"]}
    assert document["jobs"]


def test_an_ambiguous_name_lists_what_it_could_mean(synced: Program) -> None:
    """Exit status 2, nothing on standard output, and each candidate with the place it stands in."""
    for command in ("node", "impact"):
        ended = synced.run(command, "dim_customers", "--json")

        assert (ended.status, ended.out) == (2, "")
        assert "model.storefront.dim_customers.v1 in first, Production of Storefront" in ended.err
        assert "model.storefront.dim_customers.v2" in ended.err
        assert synced.run(command, "model.storefront.dim_customers.v1", "--json").status == 0


def test_wrong_use_is_a_sentence_and_not_a_traceback(synced: Program) -> None:
    """Names, times, places and runs that are not there end with 2 and say what to do."""
    for words in (
        ("node", "no_such"), ("impact", "no_such"), ("node", ORDERS, "--at", "noon"), ("node", ORDERS, "--run", "1"),
        ("node", ORDERS, "--environment", "nope"), ("node", ""), ("catalog", "--project", "nope"),
        ("catalog", "--at", "2020-99-99"), ("run", "1"),
    ):  # fmt: skip
        ended = synced.run(*words)

        assert (ended.status, ended.out) == (2, ""), words
        assert ended.err, words
        assert "Traceback" not in ended.err, words


def test_the_catalogue_prints_what_fits(synced: Program) -> None:
    """A filter's rows are counted; with --json all of them come with --limit 0."""
    said = synced.run("catalog", "--type", "exposure", "--project", "Finance")
    listed = synced.run("catalog", "--type", "model", "--limit", "0", "--json").json

    assert said.out.splitlines()[-1] == "3 of 3 nodes."
    assert "monthly_close" in said.out
    assert listed["total"] == len(listed["nodes"])
    assert {node["resource_type"] for node in listed["nodes"]} == {"model"}


def test_a_run_says_what_changed(synced: Program) -> None:
    """`run ID --json` has `changes`; with --against they are since the run that is named."""
    runs = synced.run("runs", "--account", "first", "--job", "Hourly models", "--status", "success", "--json").json[
        "runs"
    ]
    newest, oldest = str(runs[0]["run_id"]), runs[-1]["run_id"]
    changes = synced.run("run", newest, "--against", oldest, "--json").json["changes"]

    assert changes["against_run_id"] == oldest
    assert set(changes) == {"against_run_id", "sentence", "added", "removed", "changed", "macros"}
    assert synced.run("run", newest, "--json").json["changes"]["sentence"]
    assert "since run" in synced.run("run", newest, "--against", oldest).out


def test_bad_graphs_and_odd_names_are_answered(program: Program) -> None:
    """A circle, a parent that is nowhere, quotes, dots, emoji, ten kilobytes: each is an answer that says so."""
    nodes = {name: ["root", "nowhere"] for name in ODD} | {"root": ["one"], "one": ["two"], "two": ["one"]}
    assert program.run("ingest", write_target(program.folder, nodes)).status == 0
    for name in ODD:
        ended = program.run("node", "--json", "--", name)

        assert (ended.status, ended.err) == (0, ""), name[:50]
        assert ended.json["name"] == name
        assert program.run("node", "--json", "--", f"model.shop.{name}").json["unique_id"] == ended.json["unique_id"]
        assert [(one["name"], one["is_known"]) for one in ended.json["parents"]] == [("root", True), ("nowhere", False)]
        assert ended.json["notes"] == ["Named as parents, but in no manifest that is known: model.shop.nowhere."]
    impact = program.run("impact", "one", "--json").json
    assert len(impact["downstream"]) == len(ODD) + 2
    assert "These are made from one another: model.shop.one, model.shop.two." in impact["notes"]
    assert "no lineage of a production environment is known" in impact["place"]["sentence"]


def test_manifests_out_of_order_hold_at_their_own_time(program: Program) -> None:
    """The newer target folder first, then the older: now is the newer one, each time has its own."""
    for number, nodes in (("5", {"a": [], "b": ["a"], "c": ["b"]}), ("1", {"a": [], "b": ["a"], "gone": ["b"]})):
        assert program.run("ingest", write_target(program.folder, nodes, number)).status == 0

    downstream = {
        at: program.run("impact", "a", "--json", *(["--at", at] if at else [])).json["downstream"]
        for at in ("", "2026-11-02", "2026-11-06T00:00")
    }
    assert downstream[""] == downstream["2026-11-06T00:00"] == ["model.shop.b", "model.shop.c"]
    assert downstream["2026-11-02"] == ["model.shop.b", "model.shop.gone"]
    lost, early = program.run("node", "gone"), program.run("node", "a", "--at", "2026-10-01")
    assert (lost.status, early.status) == (2, 2)
    assert "No manifest is known of that time" in early.err
    changes = program.run("node", "b", "--json").json["version_changes"]
    assert changes == []


def test_with_nothing_stored_there_is_an_answer(program: Program) -> None:
    """Before anything was synced the catalogue is empty and a node is not known, with a hint."""
    catalog, node = program.run("catalog"), program.run("node", "orders")

    assert (catalog.status, catalog.out.splitlines()[-1]) == (0, "0 of 0 nodes.")
    assert node.status == 2
    assert "it comes with a run's manifest" in node.err
