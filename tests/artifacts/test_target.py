"""A target folder: each artifact goes with its own invocation, and a manifest only where it fits."""

from __future__ import annotations

import json
from typing import Any

import pytest
from artifact_files import ours

from headwater.artifacts.target import Target, read_target
from headwater.errors import ArtifactUnreadable

FILES = ("manifest", "run_results", "sources", "catalog")
LINEAGE = "no lineage for it"


def bodies(engine: str = "core", names: tuple[str, ...] = FILES) -> dict[str, bytes]:
    """Give our own artifacts as they lie in a folder."""
    return {f"{name}.json": ours(f"{engine}_{name}") for name in names}


def changed(body: bytes, change: Any) -> bytes:
    """Change a decoded artifact."""
    document = json.loads(body)
    change(document)
    return json.dumps(document).encode()


def by_command(target: Target) -> dict[str, Any]:
    return {one.invocation.command: one for one in target.invocations}


def test_three_invocations_in_a_folder_stay_three() -> None:
    """Build, docs and source freshness wrote here one after the other; nothing of one is taken for another's."""
    target = read_target(bodies())

    found = by_command(target)
    assert [one.invocation.command for one in target.invocations] == [
        "dbt build",
        "dbt docs generate",
        "dbt source freshness",
    ]
    assert found["dbt build"].files == ("run_results.json",)
    assert found["dbt docs generate"].files == ("catalog.json",)
    assert found["dbt source freshness"].files == ("manifest.json", "sources.json")
    assert len({one.invocation.invocation_id for one in target.invocations}) == 3
    assert found["dbt build"].sources is None
    assert found["dbt source freshness"].results is None


def test_another_invocations_manifest_that_fits_gives_lineage() -> None:
    """The manifest of the freshness check knows every node the build ran, as the build ran it."""
    target = read_target(bodies())

    assert [one.has_lineage for one in target.invocations] == [True, True, True]
    assert not any(LINEAGE in warning for warning in target.warnings)


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("unique_id", "model.shop.dropped_since", "does not know model.shop.dropped_since"),
        ("relation_name", '"shop"."elsewhere"."x"', "elsewhere"),
    ],
)
def test_another_invocations_manifest_that_does_not_fit_gives_none(field: str, value: str, said: str) -> None:
    """Results of nodes it does not know, or knows as other relations, get no lineage from it, and that is said."""
    files = bodies()

    def change(document: Any) -> None:
        ran = next(row for row in document["results"] if row["relation_name"] and row["unique_id"].startswith("model"))
        ran[field] = value

    files["run_results.json"] = changed(files["run_results.json"], change)

    target = read_target(files)

    assert by_command(target)["dbt build"].has_lineage is False
    assert by_command(target)["dbt source freshness"].has_lineage is True
    assert [warning for warning in target.warnings if LINEAGE in warning and said in warning]


def test_the_own_manifest_is_never_doubted() -> None:
    """What dbt wrote by one invocation belongs together, whatever it says."""
    files = bodies(names=("manifest", "run_results"))
    own = json.loads(files["manifest.json"])["metadata"]["invocation_id"]

    def change(document: Any) -> None:
        document["metadata"]["invocation_id"] = own
        document["results"][0]["unique_id"] = "model.shop.dropped_since"

    files["run_results.json"] = changed(files["run_results.json"], change)

    (one,) = read_target(files).invocations

    assert (one.invocation.invocation_id, one.has_lineage) == (own, True)


def test_context_stands_for_no_invocation() -> None:
    """A manifest that was there before gives its lineage, and is not taken for something that ran now."""
    files = bodies(names=("manifest", "run_results"))

    (one,) = read_target(files, context=frozenset({"manifest.json"})).invocations

    assert (one.invocation.command, one.has_lineage) == ("dbt build", True)


def test_fusion_is_read_as_core_is() -> None:
    """A failed build of Fusion is one invocation with its manifest, and it failed."""
    (one,) = read_target(bodies("fusion", ("manifest", "run_results"))).invocations

    assert (one.status, one.has_lineage) == ("error", True)
    assert (one.invocation.dbt_version or "").startswith("2.0.0")


@pytest.mark.parametrize(
    ("statuses", "expected"),
    [
        (["success", "pass"], "success"),
        (["success", "warn", "skipped", "no-op", "reused"], "success"),
        ([], "success"),
        (["success", "error"], "error"),
        (["fail"], "error"),
        (["runtime error"], "error"),
        (["partial success"], "error"),
    ],
)
def test_a_status_is_the_right_way_up(statuses: list[str], expected: str) -> None:
    """An invocation failed where one of its nodes did, and only there: warnings and skips are not failures."""

    def change(document: Any) -> None:
        (row, *_) = document["results"]
        document["results"] = [
            row | {"status": status, "unique_id": f"model.a.m{i}"} for i, status in enumerate(statuses)
        ]

    (one,) = read_target({"run_results.json": changed(ours("core_run_results"), change)}).invocations

    assert one.status == expected


@pytest.mark.parametrize(("status", "expected"), [("pass", "success"), ("warn", "success"), ("error", "error")])
def test_a_source_that_is_too_old_fails_its_check(status: str, expected: str) -> None:
    """`warn` is no failure of the check, `error` is."""

    def change(document: Any) -> None:
        for row in document["results"]:
            row["status"] = status

    (one,) = read_target({"sources.json": changed(ours("core_sources"), change)}).invocations

    assert one.status == expected


def test_what_executed_nothing_neither_failed_nor_succeeded() -> None:
    """A manifest alone, of `dbt parse` or of a build that was killed, has no status; it is named by what ran."""
    (alone,) = read_target(bodies(names=("manifest",))).invocations
    (killed,) = read_target(bodies(names=("manifest",)), command="dbt build").invocations

    assert (alone.status, alone.invocation.command) == (None, "dbt")
    assert (killed.status, killed.invocation.command) == (None, "dbt build")


def test_an_artifact_that_is_cut_off_does_not_lose_the_others() -> None:
    """What a killed dbt was writing is said; the rest is read; where nothing is left that is an error."""
    files = bodies(names=("manifest", "run_results"))
    files["run_results.json"] = files["run_results.json"][:-100]

    target = read_target(files)

    assert [one.files for one in target.invocations] == [("manifest.json",)]
    assert any(warning.startswith("run_results.json:") for warning in target.warnings)
    with pytest.raises(ArtifactUnreadable, match=r"run_results\.json"):
        read_target({"run_results.json": files["run_results.json"]})
