"""`headwater why`: the promised document, the same facts for people, and oddities."""

from __future__ import annotations

import pytest

from program import Program


def test_why_is_the_promised_document(synced: Program) -> None:
    """The keys that other programs rely on are there, and people read the same verdict."""
    ended, said = synced.run("why", "fct_orders", "--json"), synced.run("why", "fct_orders")
    document = ended.json

    assert (ended.status, ended.err, said.status) == (0, "", 0)
    assert {"unique_id", "state", "since", "causes", "consequences"} <= document.keys()
    assert document["unique_id"] == "model.storefront.fct_orders"
    assert {"downstream", "counts", "exposures", "owners"} <= document["consequences"].keys()
    has_causes, state = bool(document["causes"]), document["state"]
    assert has_causes == (state not in {"healthy", "unknown"}) or state in {"warned", "anomalous"}
    for cause in document["causes"]:
        assert cause["unique_id"] or cause["run_id"]
        assert cause["evidence"]
    assert said.out.startswith(document["sentence"])
    assert document["reason"] in said.out


@pytest.mark.parametrize("ref", ["dim_customers", "nowhere", "a.b..c", "café ☕", "-- drop", "x" * 10_000])
def test_what_is_no_node_is_one_sentence(synced: Program, ref: str) -> None:
    """Exit status 2, nothing on standard output, no traceback."""
    ended = synced.run("why", "--json", "--", ref)

    assert (ended.status, ended.out) == (2, "")
    assert ended.err
    assert "Traceback" not in ended.err
