"""A tiny archive of invented recordings, in the format of the real one, for tests that need to know it by heart."""

import io
import json
import tarfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

RECORDED_AT = datetime(2026, 11, 20, 10, 33, 30, 120_000, tzinfo=UTC)
INVOCATION = "48dec699-9530-47b2-8504-83efc938960{}"
JOBS = {
    "storefront": {
        "nightly": (("dbt seed", "dbt build"), True, True),
        "hourly": (("dbt run --select tag:hourly",), False, False),
        "freshness": (("dbt source freshness",), False, False),
        "ci": (("dbt build --select state:modified+",), False, False),
        "weekly": (("dbt build --full-refresh",), False, False),
    },
    "finance": {
        "nightly": (("dbt build",), True, False),
        "metrics_hourly": (("dbt run",), False, False),
    },
    "roastery": {
        "nightly": (("dbt build",), False, False),
        "hourly": (("dbt run",), False, False),
        "freshness": (("dbt source freshness",), False, False),
    },
}


def make_archive(path: Path, *, nodes: int = 6) -> Path:
    """Write the archive and return its path."""
    members: dict[str, bytes] = {}
    recordings = []
    for project, jobs in JOBS.items():
        for job, (commands, docs, sources) in jobs.items():
            steps = (
                (["dbt source freshness"] if sources else []) + list(commands) + (["dbt docs generate"] if docs else [])
            )
            common = (members, project, job, steps, nodes)
            for revision in "ab":
                recordings.append(_recording(*common, name=f"healthy-{revision}", revision=revision))
            recordings.append(_recording(*common, name="bad_data", revision="b", failing="build run seed"))
            recordings.append(_recording(*common, name="bad_data-retry", revision="b", retry_of="bad_data"))
            recordings.append(_recording(*common, name="parse_error", revision="typo", parses=False))
            recordings.append(_recording(*common, name="stale_source", revision="b", failing="freshness"))
    index = {
        "format": 1,
        "dbt_version": "1.11.16",
        "adapter": "duckdb",
        "projects": [
            {
                "name": project,
                "git_revisions": {"a": "a" * 40, "b": "b" * 40, "typo": "c" * 40},
                "jobs": [
                    {"name": job, "commands": commands, "generate_docs": docs, "generate_sources": sources}
                    for job, (commands, docs, sources) in jobs.items()
                ],
            }
            for project, jobs in JOBS.items()
        ],
        "recordings": recordings,
    }
    with tarfile.open(path, "w:xz", preset=1) as archive:
        for name, data in {"index.json": json.dumps(index).encode(), **members}.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return path


def _recording(members, project, job, commands, nodes, *, name, revision="a", failing=None, parses=True, retry_of=None):
    """One recording; `failing` names the kinds of commands that go wrong, None none of them."""
    recording_id = f"{project}/{job}/{name}"
    at, steps, succeeded = RECORDED_AT, [], True
    for number, command in enumerate(commands, 1):
        word = command.split()[1]
        kind = {"source": "freshness", "docs": "docs"}.get(word, "command")
        goes_wrong = not parses or (failing is not None and (word in failing.split() or kind in failing.split()))
        end = at + timedelta(seconds=4)
        folder = f"{recording_id}/{number}"
        files = (
            _files(project, word, kind=kind, at=at, end=end, nodes=nodes, goes_wrong=goes_wrong, number=number)
            if parses
            else {}
        )
        members.update({f"{folder}/{file}": data for file, data in files.items()})
        members[f"{folder}/log"] = _log(at, nodes, goes_wrong)
        steps.append(
            {
                "command": command,
                "kind": kind,
                "succeeded": not goes_wrong,
                "started_at": at.isoformat(),
                "finished_at": end.isoformat(),
                "artifacts": {file: f"{folder}/{file}" for file in files},
                "log": f"{folder}/log",
            }
        )
        at = end + timedelta(seconds=1)
        if goes_wrong and kind == "command":
            succeeded = False
            break
    return {
        "id": recording_id,
        "project": project,
        "job": job,
        "scenario": name.split("-")[0],
        "revision": revision,
        "retry_of": f"{project}/{job}/{retry_of}" if retry_of else None,
        "succeeded": succeeded,
        "steps": steps,
    }


def _files(project, word, *, kind, at, end, nodes, goes_wrong, number) -> dict[str, bytes]:
    metadata = {
        "dbt_schema_version": "https://schemas.getdbt.com/dbt/manifest/v12.json",
        "dbt_version": "1.11.16",
        "generated_at": _z(end),
        "invocation_id": INVOCATION.format(number),
        "invocation_started_at": at.isoformat(),
        "env": {f"DBT_CLOUD_{name}": f"__{name}__" for name in (
            "ACCOUNT_ID", "PROJECT_ID", "JOB_ID", "ENVIRONMENT_ID", "RUN_ID",
            "RUN_REASON", "RUN_REASON_CATEGORY", "RUN_TRIGGER_CATEGORY",
        )},
    }  # fmt: skip
    names = [f"model.{project}.m{i}" for i in range(nodes)]
    manifest = {
        "metadata": {**metadata, "adapter_type": "duckdb", "run_started_at": at.isoformat()},
        "nodes": {
            name: {
                "unique_id": name,
                "resource_type": "model",
                "created_at": at.timestamp() + 0.01 * i,
                "raw_code": "select '\"created_at\": 1234567890.5' as trap, timestamp '2024-01-01 00:00:00'",
                "depends_on": {"nodes": names[max(0, i - 1) : i]},
            }
            for i, name in enumerate(names)
        },
        "sources": {
            f"source.{project}.app.raw": {"unique_id": f"source.{project}.app.raw", "created_at": at.timestamp()}
        },
    }
    files = {"manifest.json": manifest}
    if kind == "freshness":
        files["sources.json"] = {
            "metadata": metadata,
            "results": [_fresh(project, at, goes_wrong)],
            "elapsed_time": 0.5,
        }
    else:
        results = [_result(name, at, i, goes_wrong and i == nodes - 2) for i, name in enumerate(names)]
        files["run_results.json"] = {
            "metadata": metadata,
            "results": results,
            "elapsed_time": 3.5,
            "args": {"which": word},
        }
    if kind == "docs":
        files["catalog.json"] = {"metadata": metadata, "nodes": {}, "sources": {}, "errors": None}
    return {name: json.dumps(document).encode() for name, document in files.items()}


def _result(name, at, number, goes_wrong):
    begin = at + timedelta(seconds=0.5 + 0.3 * number)
    return {
        "status": "error" if goes_wrong else "success",
        "timing": [
            {"name": "compile", "started_at": _z(begin), "completed_at": _z(begin + timedelta(seconds=0.05))},
            {"name": "execute", "started_at": _z(begin), "completed_at": _z(begin + timedelta(seconds=0.25))},
        ],
        "execution_time": 0.25,
        "message": "Conversion Error" if goes_wrong else "OK",
        "unique_id": name,
    }


def _fresh(project, at, is_stale):
    snapshotted = at + timedelta(seconds=1)
    age = 90_000.0 if is_stale else 1_800.0
    return {
        "unique_id": f"source.{project}.app.raw",
        "max_loaded_at": (snapshotted - timedelta(seconds=age)).isoformat(),
        "snapshotted_at": snapshotted.isoformat(),
        "max_loaded_at_time_ago_in_s": age,
        "status": "error" if is_stale else "pass",
        "execution_time": 0.1,
    }


def _log(at, nodes, goes_wrong) -> bytes:
    lines = [f"{at:%H:%M:%S}  Running with dbt=1.11.16"]
    for number in range(nodes):
        clock = at + timedelta(seconds=0.5 + 0.3 * number)
        lines.append(f"{clock:%H:%M:%S}  {number + 1} of {nodes} START sql table model m{number}")
    lines.append(f"{at + timedelta(seconds=3.5):%H:%M:%S}  {'ERROR=1' if goes_wrong else 'Done.'}")
    return "\n".join(lines).encode()


def _z(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
