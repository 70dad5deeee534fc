"""Settings from `headwater.toml`, variables and options; every fault is told at once, where it stands."""

from __future__ import annotations

from pathlib import Path

import pytest

from headwater.config import FILE_NAME, Settings, list_settings, read_settings
from headwater.errors import ConfigurationInvalid


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory without a file, and a user's configuration folder without one."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    return tmp_path


def faults_of(**options: object) -> tuple[str, ...]:
    """Read settings that are wrong; gives the sentences."""
    with pytest.raises(ConfigurationInvalid) as invalid:
        read_settings(**options)
    return invalid.value.faults


def test_options_go_before_variables_and_variables_before_the_file(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each of the three sources gives what those before it leave out; an option that is None leaves it out."""
    (place / FILE_NAME).write_text("[dbt_monitor]\ninterval = 30\nprometheus_port = 1\nstop_after = 9\n")
    monkeypatch.setenv("HEADWATER__DBT_MONITOR__INTERVAL", "20")
    monkeypatch.setenv("HEADWATER__DBT_MONITOR__PROMETHEUS_PORT", "2")

    monitor = read_settings(dbt_monitor={"interval": 10.0, "prometheus_port": None}).dbt_monitor

    assert (monitor.interval, monitor.prometheus_port, monitor.stop_after) == (10.0, 2, 9.0)


def test_the_users_file_is_read_where_the_directory_has_none(place: Path) -> None:
    """`headwater.toml` of the configuration folder counts until the working directory has one."""
    folder = place / "config" / "headwater"
    folder.mkdir(parents=True)
    (folder / FILE_NAME).write_text("[web]\nport = 1\n")
    users = read_settings().web.port
    (place / FILE_NAME).write_text("[web]\nport = 2\n")

    assert (users, read_settings().web.port) == (1, 2)


def test_all_faults_are_told_at_once(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Faults of the file and of variables come together, each once, with where it stands and what was meant."""
    (place / FILE_NAME).write_text("[dbt_monitor]\nintervall = 5\nprometheus_port = 70000\n[web]\nport = 'x'\n")
    monkeypatch.setenv("HEADWATER__DBT_CLOUD__BACKFILL_DAYS", "many")
    monkeypatch.setenv("HEADWATER__DBT_MONITOR__STOP_AFTR", "5")

    faults = faults_of()

    assert len(faults) == 5
    told = "\n".join(faults)
    assert "dbt_monitor.intervall is not a setting (did you mean dbt_monitor.interval?)." in told
    assert "HEADWATER__DBT_MONITOR__STOP_AFTR is not a setting (did you mean dbt_monitor.stop_after?)." in told
    assert f"dbt_monitor.prometheus_port (in {place / FILE_NAME}, or HEADWATER__DBT_MONITOR__PROMETHEUS_PORT)" in told
    assert "HEADWATER__DBT_CLOUD__BACKFILL_DAYS): input should be a valid integer" in told
    assert "web.port" in told


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"[web\nport = 1", "is not valid TOML"),
        (b"\xff\xfe[web]", "is not valid TOML"),
        (b"web = 3", "web (in "),
        (b"port = 3", "port is not a setting"),
        (b"[dbt_monitor]\ninterval = nan", "input should be a finite number"),
        (b"[dbt_monitor]\nstop_after = inf", "input should be a finite number"),
        (b"[dbt_monitor]\nnumber_of_iterations = 0", "greater than or equal to 1"),
    ],
)
def test_a_file_that_is_wrong_is_named(place: Path, content: bytes, said: str) -> None:
    """A file that is no TOML, or holds what cannot be, ends in one sentence."""
    (place / FILE_NAME).write_bytes(content)

    (fault,) = faults_of()

    assert said in fault


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("HEADWATER__WEB", "garbage", "The variable HEADWATER__WEB is not a setting"),
        ("HEADWATER__WEB", '{"port": 1}', "The variable HEADWATER__WEB is not a setting"),
        ("HEADWATER__WEB__PORT__X", "1", "web.port"),
        ("HEADWATER__NOTHING", "1", "HEADWATER__NOTHING is not a setting"),
        ("HEADWATER__WEB__TRUSTED_PROXIES", "10.0.0.1", "HEADWATER__WEB__TRUSTED_PROXIES is a list"),
    ],
)
def test_a_variable_that_is_wrong_is_named(monkeypatch: pytest.MonkeyPatch, name: str, value: str, said: str) -> None:
    """The same for variables."""
    monkeypatch.setenv(name, value)

    assert said in faults_of()[0]


def test_secrets_are_not_printed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The database's password and the key stand neither in the settings' text nor in a fault."""
    monkeypatch.setenv("HEADWATER__DATABASE_URL", "postgresql://me:canary@db/headwater")
    monkeypatch.setenv("HEADWATER__SECRET_KEY", "canary-key")

    settings = read_settings()

    assert "canary" in settings.store_url
    assert "canary" not in f"{settings!r}{settings}{settings.model_dump()}"
    assert "canary" not in " ".join(faults_of(web={"port": -1}))


def test_every_setting_says_what_it_does() -> None:
    """Each listed setting has a description, and a variable of its name is taken."""
    listed = list_settings()

    assert {name.partition(".")[0] for name, _, _ in listed} == set(Settings.model_fields)
    assert [name for name, _, said in listed if not said] == []
