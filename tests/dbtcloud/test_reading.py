"""dbt Cloud's JSON, real, odd and hostile, as model values."""

from __future__ import annotations

import json
from contextlib import suppress
from functools import partial
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headwater.dbtcloud import reading
from headwater.dbtcloud.envelope import Faults, is_web_page, read_message, read_one, read_page
from headwater.errors import AnswerUnreadable
from headwater.model.run import RunStatus

SAMPLES = Path(__file__).parents[3] / "shared" / "samples"
CLI, TAP = SAMPLES / "data-mie+dbt-cloud-cli" / "tests" / "data", SAMPLES / "meltanolabs+tap-dbt"
needs_samples = pytest.mark.skipif(not SAMPLES.is_dir(), reason="the samples of other projects are not here")

READERS = {
    "account": reading.read_account,
    "project": reading.read_project,
    "environment": reading.read_environment,
    "job": reading.read_job,
    "run": reading.read_run,
}
MOMENTS = ("created_at", "updated_at", "dequeued_at", "started_at", "finished_at")


def envelope(*records: object, **extra: object) -> bytes:
    return json.dumps({"data": list(records), "extra": extra}).encode()


def one(record: object, read: object, faults: Faults | None = None) -> object:
    return read(msgspec.Raw(json.dumps(record).encode()), [] if faults is None else faults)


@needs_samples
@pytest.mark.parametrize(
    ("name", "noun"),
    [
        ("account_get", "account"), ("project_get", "project"), ("project_create", "project"),
        ("project_update", "project"), ("project_delete", "project"), ("environment_get", "environment"),
        ("environment_create", "environment"), ("environment_delete", "environment"), ("job_get", "job"),
        ("job_create", "job"), ("job_delete", "job"), ("job_run", "run"), ("run_get", "run"), ("run_cancel", "run"),
    ],
)  # fmt: skip
def test_every_sample_of_one_record_is_read_without_a_fault(name: str, noun: str) -> None:
    """The facts are compared with those that the plain json module finds."""
    path = CLI / f"{name}_response.json"
    raw = json.loads(path.read_bytes())["data"]
    faults: Faults = []
    record = read_one(path.read_bytes(), READERS[noun], faults)
    assert faults == []
    assert getattr(record, f"{noun}_id") == raw["id"]
    for field in ("name", "project_id", "environment_id", "dbt_version", "git_sha", "href", "artifacts_saved"):
        if field in raw and hasattr(record, field) and noun in {"job", "run", "environment"}:
            assert getattr(record, field) == raw[field]
    if noun == "run":
        assert record.status_code == raw["status"]
        for field in MOMENTS:
            found = getattr(record, field)
            assert (found and found.isoformat(" ")) == raw[field]
    elif noun != "account":
        assert record.is_deleted is (raw["state"] == 2)


@needs_samples
@pytest.mark.parametrize(
    ("path", "noun"),
    [
        (CLI / "account_list_response.json", "account"),
        (CLI / "environment_list_response.json", "environment"),
        (CLI / "project_list_response.json", "project"),
        (CLI / "job_list_response.json", "job"),
        (CLI / "run_list_response.json", "run"),
        (TAP / "jobs.json", "job"),
        (TAP / "projects.json", "project"),
        (TAP / "runs.json", "project"),
    ],
)
def test_every_sample_of_a_list_is_read_without_a_fault(path: Path, noun: str) -> None:
    """Ids, numbers and totals are those that the plain json module finds; tap-dbt's runs.json holds projects."""
    raw = json.loads(path.read_bytes())
    faults: Faults = []
    page = read_page(path.read_bytes(), READERS[noun], faults)
    assert faults == []
    assert [getattr(record, f"{noun}_id") for record in page.records] == [int(item["id"]) for item in raw["data"]]
    assert page.received == len(raw["data"])
    assert page.total == raw.get("extra", {}).get("pagination", {}).get("total_count")


@needs_samples
def test_the_samples_show_what_is_special_about_them() -> None:
    """Switched-off schedules, artifacts, old forms of status and time, steps without status."""
    jobs = read_page((TAP / "jobs.json").read_bytes(), reading.read_job, []).records
    assert [(job.name, job.commands, job.cron, job.generates_docs) for job in jobs] == [
        ("Yay dbt Job!", ("dbt build",), None, True),
        ("My second dbt Job", ("dbt run",), None, False),
    ]
    account = read_one((TAP / "account.json").read_bytes(), reading.read_account, [])
    assert (account.account_id, account.name, account.plan, account.is_locked) == (1001, "Corp", "enterprise", False)
    body = (CLI / "run_list_artifacts_response.json").read_bytes()
    assert list(read_page(body, reading.read_artifact_path, []).records) == json.loads(body)["data"]
    old = read_page((CLI / "run_list_response.json").read_bytes(), reading.read_run, []).records[0]
    assert (old.status, old.job_id, old.trigger.cause) == (RunStatus.SUCCESS, 49663, "scheduled")
    assert old.created_at.timestamp() == 1642377765
    cancelled = read_one((CLI / "run_cancel_response.json").read_bytes(), reading.read_run, [])
    assert cancelled.status is RunStatus.CANCELLED
    airflow = (SAMPLES / "apache+airflow" / "test_data" / "job_run.json").read_bytes()
    run = read_one(airflow, partial(reading.read_run, run_id=5), [])
    assert [(step.index, step.command) for step in run.steps] == [
        (1, None), (2, None), (3, "dbt deps"), (4, "dbt build"),
    ]  # fmt: skip
    assert (run.run_id, run.job_id, {step.status for step in run.steps}) == (5, 408411, {RunStatus.UNKNOWN})


@needs_samples
@pytest.mark.parametrize("name", ["audit_log_get", "connection_get", "connection_list", "run_get_artifact"])
def test_samples_of_what_is_not_read_here_end_in_a_record_or_an_error(name: str) -> None:
    """An answer of another kind is never taken for a run with steps."""
    body = (CLI / f"{name}_response.json").read_bytes()
    for read in (partial(read_one, body, reading.read_run, []), partial(read_page, body, reading.read_run, [])):
        with suppress(AnswerUnreadable):
            read()


@pytest.mark.parametrize(
    ("name", "dbt_command", "command"),
    [
        ("Clone git repository", None, None),
        ("Create profile from connection Snowflake (override schema to 'dbt_cloud_pr_1')", None, None),
        ("Invoke dbt with `dbt build`", None, "dbt build"),
        ("Invoke dbt with `dbt run --vars '{\"a\": `b`}'`", None, "dbt run --vars '{\"a\": `b`}'"),
        ("Invoke dbt with `dbt run\n  --select x`", None, "dbt run\n  --select x"),
        ("Invoke dbt with `dbt build`", " dbt build --full-refresh ", "dbt build --full-refresh"),
        ("Invoke dbt with `dbt build`", "  ", "dbt build"),
        ("Invoke dbt with ``", None, None),
        (None, None, None),
    ],
)
def test_the_command_of_a_step_comes_from_its_field_or_its_name(
    name: str | None, dbt_command: str | None, command: str | None
) -> None:
    """The field wins."""
    assert reading.read_command(name, dbt_command) == command


@pytest.mark.parametrize(
    ("status", "humanized", "code", "expected"),
    [
        (1, None, 1, RunStatus.QUEUED), (2, None, 2, RunStatus.STARTING), (3, None, 3, RunStatus.RUNNING),
        (10, None, 10, RunStatus.SUCCESS), (20, None, 20, RunStatus.ERROR), (30, None, 30, RunStatus.CANCELLED),
        ("10", None, 10, RunStatus.SUCCESS), ("Succeeded", None, 10, RunStatus.SUCCESS),
        (40, "Paused", 40, RunStatus.UNKNOWN), (0, None, 0, RunStatus.UNKNOWN), (-1, "Success", -1, RunStatus.UNKNOWN),
        (None, "Cancelled", 30, RunStatus.CANCELLED), (None, None, None, RunStatus.UNKNOWN),
        ("Paused", "Success", None, RunStatus.UNKNOWN), ({"a": 1}, "Error", 20, RunStatus.ERROR),
    ],
)  # fmt: skip
def test_a_status_is_read_from_its_number_and_an_unknown_number_is_kept(
    status: object, humanized: str | None, code: int | None, expected: RunStatus
) -> None:
    """A number that nobody knows is never guessed at."""
    run = one({"id": 7, "status": status, "status_humanized": humanized}, reading.read_run)
    assert (run.status, run.status_code) == (expected, code)


def test_a_wrong_field_costs_that_field_alone() -> None:
    """Each is noted by name; the record and its steps survive."""
    faults: Faults = []
    run = one(
        {
            "id": "70437497968255", "status": 20, "project_id": [1], "environment_id": 2**64, "git_sha": {"a": 1},
            "created_at": "yesterday", "started_at": True, "artifacts_saved": "perhaps", "job_definition_id": "12",
            "trigger": [1], "dbt_version": "1.11.0", "status_message": None, "new_field": {"deep": [1, {"er": None}]},
            "run_steps": [
                {"index": 1, "name": "Clone git repository", "status": 10, "logs": 5},
                "not a step",
                {"index": 4, "name": "Invoke dbt with `dbt build`", "status": 99, "run_step_command": "x"},
                {"index": None, "name": "Invoke dbt with `dbt test`", "status": 3},
            ],
        },
        reading.read_run, faults,
    )  # fmt: skip
    assert (run.run_id, run.status, run.job_id, run.dbt_version) == (70437497968255, RunStatus.ERROR, 12, "1.11.0")
    assert (run.project_id, run.environment_id, run.git_sha, run.created_at, run.started_at) == (None,) * 5
    assert (run.trigger, run.artifacts_saved) == (None, False)
    assert [(step.index, step.status, step.command) for step in run.steps] == [
        (1, RunStatus.SUCCESS, None),
        (4, RunStatus.UNKNOWN, "dbt build"),
        (5, RunStatus.RUNNING, "dbt test"),
    ]
    for word in (
        "project_id",
        "environment_id",
        "git_sha",
        "created_at",
        "artifacts_saved",
        "trigger",
        "step 2",
        "logs",
    ):
        assert any(word in fault for fault in faults), word


def test_a_record_without_an_id_is_left_out_and_the_rest_survive() -> None:
    """A page of which nothing can be read is an error, for it would look like the end of the list."""
    for noun, read in READERS.items():
        faults: Faults = []
        page = read_page(envelope({"id": 1}, {"name": "x"}, {"id": 2**63}, None, 5, {"id": "2"}), read, faults)
        assert [getattr(record, f"{noun}_id") for record in page.records] == [1, 2]
        assert page.received == 6
        assert len(faults) >= 4
        with pytest.raises(AnswerUnreadable):
            read_page(envelope({"name": "x"}), read, [])


def test_a_job_and_its_neighbours_are_read() -> None:
    """A schedule that is on gives its cron; a deleted thing says so; names are never empty."""
    job = one(
        {"id": 4, "name": None, "state": 2, "triggers": {"schedule": True}, "schedule": {"cron": "0 6 * * *"},
         "execute_steps": ["dbt build"], "run_generate_sources": True, "job_type": "scheduled"},
        reading.read_job,
    )  # fmt: skip
    assert (job.name, job.cron, job.is_deleted, job.generates_sources) == ("job 4", "0 6 * * *", True, True)
    environment = one({"id": 5, "deployment_type": "production", "type": "deployment"}, reading.read_environment)
    assert (environment.is_production, environment.kind, environment.name) == (True, "deployment", "environment 5")
    trigger = one(
        {"id": 1, "trigger": {"cause_category": "ci", "gitlab_merge_request_id": 8}}, reading.read_run
    ).trigger
    assert (trigger.category, trigger.pull_request_id) == ("ci", 8)
    user = one({"user": {"id": 3, "email": "a@b.example", "first_name": "A", "last_name": None}}, reading.read_user)
    assert (user.user_id, user.email, user.name) == (3, "a@b.example", "A")
    assert one({"user": None}, reading.read_user) is None


@pytest.mark.parametrize(
    "path",
    ["../manifest.json", "/etc/passwd", "a//b", "compiled/../../x", "", ".", "a\\b", "a\nb", "run/./x"],
)
def test_a_path_that_leads_out_of_the_run_is_left_out(path: str) -> None:
    """The token would be sent along to wherever it leads."""
    faults: Faults = []
    assert read_page(envelope("manifest.json", path), reading.read_artifact_path, faults).records == ("manifest.json",)
    assert faults


def test_no_artifacts_may_be_null() -> None:
    """That is how dbt Cloud says that there are none; of no other list it would be believed."""
    body = b'{"data": null}'
    assert read_page(body, reading.read_artifact_path, [], may_be_null=True).records == ()
    with pytest.raises(AnswerUnreadable):
        read_page(body, reading.read_run, [])


DEEP = b"[" * 100_000 + b"]" * 100_000


@pytest.mark.parametrize(
    "body",
    [
        b"", b" ", b"null", b"5", b"[]", b"{", b'{"data": [1, 2', b'{"data": nope}', b'{"data": {"id": NaN}}',
        b'{"data": "x"}', b'{"data": 5}', b"<!doctype html><title>Log in</title>", b"\n <html>", b"\xff\xfe{}",
        b'{"data": ' + DEEP + b"}", b'{"x": ' + DEEP + b', "data": []}', b'{"data": [{"id": 1, "x": ' + DEEP + b"}]}",
        b'{"data": [{"id": Infinity}]}', b'{"data": {"id": 1e400}}', b'{"data": {"id": ' + b"9" * 5000 + b"}}",
    ],
)  # fmt: skip
def test_a_body_that_is_not_dbt_clouds_json_is_an_error_of_its_own(body: bytes) -> None:
    """Cut off, HTML, NaN, huge numbers, a nesting of a hundred thousand."""
    with pytest.raises(AnswerUnreadable) as raised:
        read_page(body, reading.read_run, [])
    assert raised.value.message.endswith(".")
    with pytest.raises(AnswerUnreadable):
        read_one(body, reading.read_run, [])


def test_half_a_character_costs_neither_the_page_nor_the_field() -> None:
    """A log cut in the middle of an emoji; a pair and an escaped backslash before a u are left as they are."""
    faults: Faults = []
    body = (
        rb'{"data": [{"id": 1, "status_message": "cut \ud83d"},' rb'{"id": 2, "git_branch": "\ud83d\ude00 \\ud83d"}]}'
    )
    first, second = read_page(body, reading.read_run, faults).records
    assert (first.status_message, second.git_branch) == ("cut \ufffd", "\U0001f600 \\ud83d")
    assert len(faults) == 1


def test_text_with_nul_is_text() -> None:
    """What a database makes of it is the store's business."""
    assert one({"id": 1, "git_branch": "a\0b"}, reading.read_run).git_branch == "a\0b"


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
fields = st.sampled_from([*msgspec.structs.fields(reading._RunRecord), *msgspec.structs.fields(reading._JobRecord)])


@given(st.dictionaries(fields.map(lambda field: field.name), json_values, max_size=12))
def test_any_value_in_any_field_loses_no_record_with_an_id(values: dict[str, object]) -> None:
    """Whatever dbt Cloud puts where, a record with an id is read."""
    record = values | {"id": 7}
    assert one(record, reading.read_run).run_id == 7
    assert one(record, reading.read_job).job_id == 7
    assert one(record, reading.read_environment).environment_id == 7


@given(st.binary(max_size=200) | json_values.map(lambda value: json.dumps(value).encode()))
def test_any_bytes_give_records_or_the_one_error(body: bytes) -> None:
    """No other exception leaves the reading."""
    for read in (*READERS.values(), reading.read_artifact_path, reading.read_user):
        for call in (read_page, read_one):
            with suppress(AnswerUnreadable):
                call(body, read, [])
    assert isinstance(read_message(body), str)
    assert isinstance(is_web_page(body), bool)


def test_what_dbt_cloud_says_itself_is_one_short_printable_line() -> None:
    """It ends in logs and on pages."""
    assert read_message(b'{"status": {"user_message": "Invalid token."}}') == "Invalid token."
    assert read_message(b'{"detail": "Method \\"GET\\" not allowed."}') == 'Method "GET" not allowed.'
    long = read_message(json.dumps({"status": {"user_message": "a\n\x1b[31m\u202eb" * 500}}).encode())
    assert len(long) <= 200
    assert long.isprintable()
    assert read_message(b"<html>") == read_message(b'{"status": 5}') == read_message(b"[]") == ""
