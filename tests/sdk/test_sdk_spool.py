"""Runs on disk while the server is away: kept for their owner only, without the dbt token, and sent by the next one."""

from __future__ import annotations

import zlib
from pathlib import Path

import pytest
from sdk_house import GONE, House

from headwater.collect import decode
from headwater.errors import ServerUnreachable
from headwater.sdk import CollectResult, Outcome, collect_data_from_dbt_cloud
from program import Program


def collect(house: House, run_id: int, **options) -> CollectResult:
    """Call the SDK as a task would."""
    return collect_data_from_dbt_cloud(house.account_id, house.dbt_token, run_id, house.cloud.simulator.url, **options)


@pytest.fixture
def kept(house: House, task: Path, monkeypatch: pytest.MonkeyPatch) -> int:
    """A run that is in the spool because the server was away; gives its id."""
    run_id = house.order_finished()
    monkeypatch.setenv("HEADWATER_URL", GONE)
    assert collect(house, run_id).outcome is Outcome.SPOOLED
    monkeypatch.setenv("HEADWATER_URL", house.url)
    return run_id


@pytest.fixture
def sdk(house: House, task: Path, tmp_path: Path) -> Program:
    """The SDK as a program, in the environment of the task."""
    settings = {"HEADWATER_URL": house.url, "HEADWATER_TOKEN": house.tokens["ingest"], "HEADWATER_SPOOL": str(task)}
    return Program(tmp_path, settings)


def test_the_spool_is_private_and_holds_no_token(house: House, task: Path, kept: int) -> None:
    """A kept run is readable by its owner only, and the dbt token stands neither in it nor in what it unpacks to."""
    (file,) = task.iterdir()
    body = file.read_bytes()
    unpacked = zlib.decompress(body.partition(b"\n")[2])

    assert (task.stat().st_mode & 0o777, file.stat().st_mode & 0o777) == (0o700, 0o600)
    assert decode(body).run.run_id == kept
    for secret in (house.dbt_token, house.tokens["ingest"]):
        assert secret.encode() not in body + unpacked


def test_the_next_call_sends_what_was_kept(house: House, task: Path, kept: int) -> None:
    """Once the server is back, a call for another run brings the kept one too."""
    another = house.order_finished()

    result = collect(house, another)

    assert result.outcome is Outcome.SENT
    assert list(task.iterdir()) == []
    assert [house.stored(run_id).observed_by for run_id in (kept, another)] == [("sdk",), ("sdk",)]


def test_flush_sends_from_a_process_of_its_own(house: House, task: Path, kept: int, sdk: Program) -> None:
    """`python -m headwater.sdk flush` sends what a task left behind, and has nothing to do the second time."""
    first, second = sdk.run("flush", module="headwater.sdk"), sdk.run("flush", module="headwater.sdk")

    assert (first.status, first.json["sent"], first.json["left"]) == (0, 1, 0)
    assert (second.status, second.json["sent"], second.json["left"]) == (0, 0, 0)
    assert house.stored(kept).observed_by == ("sdk",)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"HEADWATER_TOKEN": "hw_v_wrong"}, "did not accept HEADWATER_TOKEN"),
        ({"HEADWATER_TOKEN": ""}, "HEADWATER_TOKEN is not set"),
        ({"HEADWATER_URL": GONE}, "cannot be reached"),
    ],
)
def test_a_flush_that_cannot_send_keeps_everything(
    house: House, task: Path, kept: int, sdk: Program, change: dict[str, str], said: str
) -> None:
    """A wrong token or an absent server is no reason to put a run aside: it stays, and the reason is told."""
    ended = sdk.run("flush", module="headwater.sdk", **change)

    assert (ended.status, ended.json["left"], ended.json["refused"]) == (3, 1, 0)
    assert said in ended.json["error"]
    assert sdk.run("flush", module="headwater.sdk").json["sent"] == 1
    assert house.stored(kept).observed_by == ("sdk",)


def test_what_the_server_can_never_take_is_put_aside(house: House, task: Path, kept: int) -> None:
    """A file that is no collected run does not stand in the way of those behind it, and is not deleted either."""
    junk = task / "00000000000000000000000000000000.collected"
    junk.write_bytes(b"headwater-collected-1\nno run")
    another = house.order_finished()

    collect(house, another)

    assert [path.name for path in task.iterdir()] == [junk.with_suffix(".refused").name]
    assert house.stored(kept).observed_by == ("sdk",)


def test_the_same_run_is_kept_once(house: House, task: Path, sdk: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two tries of a task while the server is away send one run once it is back."""
    monkeypatch.setenv("HEADWATER_URL", GONE)
    run_id = house.order_finished()

    outcomes = [collect(house, run_id).outcome for _ in range(2)]

    assert outcomes == [Outcome.SPOOLED, Outcome.SPOOLED]
    assert sdk.run("flush", module="headwater.sdk").status == 0
    assert list(task.iterdir()) == []
    assert house.stored(run_id).observed_by == ("sdk",)


def test_a_spool_that_cannot_be_written_is_said_and_never_raised(
    house: House, task: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """With the server away and no place to keep the run, the result says both; `strict` raises it."""
    (tmp_path / "file").touch()
    monkeypatch.setenv("HEADWATER_SPOOL", str(tmp_path / "file" / "spool"))
    monkeypatch.setenv("HEADWATER_URL", GONE)
    run_id = house.order_finished()

    result = collect(house, run_id)

    assert result.outcome is Outcome.FAILED
    assert "cannot be reached" in (result.error or "")
    assert "could not be kept" in (result.error or "")
    with pytest.raises(ServerUnreachable, match="could not be kept"):
        collect(house, run_id, strict=True)


@pytest.mark.parametrize(
    "url",
    [
        "headwater", "http://", "ftp://127.0.0.1", "http://[::1", "http://127.0.0.1:port", "http://a b/", "\x01",
        "http://user:canary@127.0.0.1:1?key=canary", "//", "http://127.0.0.1:1/\n", "http://ü.example.invalid",
    ],
)  # fmt: skip
def test_an_address_that_is_none_keeps_the_run(
    house: House, task: Path, monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    """Whatever stands in HEADWATER_URL, the run is kept, and a password in the address is not repeated."""
    monkeypatch.setenv("HEADWATER_URL", url)
    run_id = min(house.cloud.truth(house.account_id))

    result = collect(house, run_id)

    assert result.outcome is Outcome.SPOOLED
    assert "HEADWATER_URL" in (result.error or "")
    assert "canary" not in (result.error or "")


LIGHT = """
import sys
from importlib.abc import MetaPathFinder

HEAVY = {names!r}

class Absent(MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in HEAVY:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

sys.meta_path.insert(0, Absent())
from headwater.sdk.__main__ import main
status = main()
assert not HEAVY & {{name.partition(".")[0] for name in sys.modules}}
sys.exit(status)
"""


def test_the_light_base_is_enough(house: House, sdk: Program, tmp_path: Path) -> None:
    """In an Airflow image without the server extra, a run is collected and sent all the same."""
    heavy = {
        "sqlalchemy", "alembic", "litestar", "jinja2", "uvicorn", "typer", "rich", "structlog", "pydantic",
        "pydantic_settings", "cryptography", "platformdirs", "prometheus_client", "psycopg",
    }  # fmt: skip
    (tmp_path / "light.py").write_text(LIGHT.format(names=heavy))
    run_id = house.order_finished()
    words = ("collect", "--account-id", house.account_id, "--run-id", run_id, "--url", house.cloud.simulator.url)

    ended = sdk.run(*words, module="light", stdin=f"{house.dbt_token}\n")

    assert ended.err == ""
    assert (ended.status, ended.json["outcome"], ended.json["run_id"]) == (0, "sent", run_id)
    assert house.stored(run_id).executions
    assert sdk.spilled(house.dbt_token) == []
