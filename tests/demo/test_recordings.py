"""The shipped recordings are complete, clean and small."""

import re
from collections import Counter
from typing import Any

from recorded import Recordings

SCHEMAS = {
    "manifest.json": "manifest/v12",
    "run_results.json": "run-results/v6",
    "sources.json": "sources/v3",
    "catalog.json": "catalog/v1",
}
SCARCE = (
    "seed",
    "source",
    "metric",
    "semantic_model",
    "saved_query",
    "unit_test",
    "operation",
    "analysis",
    "function",
)
MACHINE_PATH = re.compile(r"/(?:work|tmp|root|home|Users|private|var/folders)/")
JOBS = {
    "storefront": {"nightly", "hourly", "freshness", "ci", "weekly"},
    "finance": {"nightly", "metrics_hourly"},
    "roastery": {"nightly", "hourly", "freshness"},
}


def count_models(manifest: dict[str, Any], project: str) -> Counter[str]:
    """How many nodes of each resource type the project itself has."""
    kinds = ("nodes", "sources", "exposures", "metrics", "semantic_models", "saved_queries", "unit_tests", "functions")
    nodes = [node for kind in kinds for node in manifest[kind].values()]
    return Counter(node["resource_type"] for node in nodes if node["package_name"] == project)


def test_archive_is_small_and_starts_with_its_index(recordings: Recordings) -> None:
    """The archive ships in the package, so it stays below 1.5 MB, and a reader finds the index first."""
    assert recordings.path.stat().st_size <= 1_500_000
    assert recordings.entries[0].name == "index.json"


def test_archive_says_nothing_of_who_packed_it(recordings: Recordings) -> None:
    """No member carries a user, a group or a time."""
    owners = {(entry.mtime, entry.uid, entry.gid, entry.uname, entry.gname) for entry in recordings.entries}
    assert owners == {(0, 0, 0, "", "")}


def test_every_job_has_a_healthy_recording(recordings: Recordings) -> None:
    """Each job of each project has a healthy recording that succeeded."""
    projects = {project["name"]: {job["name"] for job in project["jobs"]} for project in recordings.index["projects"]}
    assert projects == JOBS
    healthy = [one for one in recordings.by_id.values() if one["scenario"] == "healthy" and one["succeeded"]]
    expected = {(project, job) for project, jobs in JOBS.items() for job in jobs}
    assert {(one["project"], one["job"]) for one in healthy} == expected


def test_there_are_many_faults(recordings: Recordings) -> None:
    """At least fifteen different recordings of jobs that failed."""
    assert sum(not recording["succeeded"] for recording in recordings.by_id.values()) >= 15


def test_index_and_files_agree(recordings: Recordings) -> None:
    """Each file belongs to exactly one step, and each step's files are there."""
    named = [name for step in recordings.each_step() for name in [step["log"], *step["artifacts"].values()]]
    assert Counter(named) == Counter(name for name in recordings.files if name != "index.json")


def test_revisions_are_commit_ids_and_differ(recordings: Recordings) -> None:
    """Every recording names a revision of its project, and no two revisions have the same id."""
    for project in recordings.index["projects"]:
        ids = project["git_revisions"]
        assert all(re.fullmatch("[0-9a-f]{40}", commit) for commit in ids.values())
        assert len(set(ids.values())) == len(ids)
        assert {one["revision"] for one in recordings.by_id.values() if one["project"] == project["name"]} <= set(ids)


def test_artifacts_are_of_dbt_1_11_with_placeholders(recordings: Recordings) -> None:
    """Every artifact is JSON of the right kind, from dbt 1.11, and carries the run id that the simulator replaces."""
    for step in recordings.each_step():
        for name in step["artifacts"]:
            metadata = recordings.read_artifact(step, name)["metadata"]
            assert metadata["dbt_schema_version"] == f"https://schemas.getdbt.com/dbt/{SCHEMAS[name]}.json"
            assert metadata["dbt_version"].startswith("1.11.")
            assert metadata["env"]["DBT_CLOUD_RUN_ID"] == "__RUN_ID__"
            assert len(metadata["env"]) == 8


def test_artifacts_of_a_step_are_of_one_invocation(recordings: Recordings) -> None:
    """A step's artifacts were all written by its own command, and no two steps share one."""
    seen: set[str] = set()
    for step in recordings.each_step():
        ids = {recordings.read_artifact(step, name)["metadata"]["invocation_id"] for name in step["artifacts"]}
        assert len(ids) <= 1
        assert not ids & seen
        seen |= ids


def test_nothing_names_the_recording_machine(recordings: Recordings) -> None:
    """No artifact and no log holds a path of the machine that recorded it."""
    assert [name for name, content in recordings.files.items() if MACHINE_PATH.search(content.decode())] == []


def test_logs_are_plain_text(recordings: Recordings) -> None:
    """Every log is what dbt printed, without colour codes and at most some two hundred lines."""
    for step in recordings.each_step():
        log = recordings.read_log(step)
        assert "Running with dbt=1.11" in log
        assert "\x1b" not in log
        assert len(log.splitlines()) <= 201


def test_storefront_has_every_resource_type(recordings: Recordings) -> None:
    """The storefront shows all that Headwater has to read."""
    manifest = recordings.read_artifact(recordings["storefront/nightly/healthy-a"]["steps"][2], "manifest.json")
    counts = count_models(manifest, "storefront")
    assert counts["model"] >= 60
    assert counts["test"] >= 140
    assert counts["snapshot"] >= 2
    assert counts["exposure"] >= 4
    assert min(counts[kind] for kind in SCARCE) >= 1
    models = [node for node in manifest["nodes"].values() if node["resource_type"] == "model"]
    assert {model["config"]["materialized"] for model in models} == {"view", "table", "incremental", "ephemeral"}
    assert {model["access"] for model in models} == {"public", "protected", "private"}
    assert any(model["config"]["contract"]["enforced"] for model in models)
    assert any(model["version"] for model in models)
    assert manifest["groups"]


def test_finance_hangs_on_the_storefront(recordings: Recordings) -> None:
    """Finance's manifest has the storefront's public models as parents, under the storefront's ids."""
    manifest = recordings.read_artifact(recordings["finance/nightly/healthy-a"]["steps"][0], "manifest.json")
    parents = manifest["parent_map"]["model.finance.stg_orders"]
    assert parents == ["model.storefront.fct_orders"]
    assert parents[0] in manifest["nodes"]
    assert 12 <= count_models(manifest, "finance")["model"] <= 16


def test_healthy_recordings_have_no_bad_status(recordings: Recordings) -> None:
    """In a healthy recording everything succeeded or passed."""
    for recording in (one for one in recordings.by_id.values() if one["scenario"] == "healthy"):
        for step in recording["steps"]:
            assert step["succeeded"]
            for name in {"run_results.json", "sources.json"} & set(step["artifacts"]):
                assert set(recordings.count_statuses(step, name)) <= {"success", "pass", "no-op"}


def test_a_job_stops_after_a_failed_command(recordings: Recordings) -> None:
    """Only the last command of a recording may have failed, and then no documentation follows."""
    for recording in recordings.by_id.values():
        assert all(step["succeeded"] for step in recording["steps"][:-1] if step["kind"] == "command")
        assert recording["succeeded"] == all(
            step["succeeded"] for step in recording["steps"] if step["kind"] == "command"
        )


def test_code_versions_change(recordings: Recordings) -> None:
    """From revision to revision some models have other code, and most have the same."""
    checksums = {}
    for revision in "abc":
        step = recordings[f"storefront/nightly/healthy-{revision}"]["steps"][2]
        nodes = recordings.read_artifact(step, "manifest.json")["nodes"].values()
        models = [node for node in nodes if node["resource_type"] == "model"]
        checksums[revision] = {model["unique_id"]: model["checksum"]["checksum"] for model in models}
    for older, newer in ("ab", "bc"):
        changed = [key for key, checksum in checksums[newer].items() if checksums[older].get(key) != checksum]
        assert 1 <= len(changed) <= 10
