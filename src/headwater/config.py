"""One Settings object from `headwater.toml`, `HEADWATER__…` variables and options; all faults are told at once."""

from __future__ import annotations

import difflib
import json
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import platformdirs
from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
    TomlConfigSettingsSource,
)

from headwater.errors import ConfigurationInvalid

FILE_NAME = "headwater.toml"
ENV_PREFIX = "HEADWATER__"


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class WebSettings(_Section):
    """Where the web application listens."""

    host: str = Field(
        default="127.0.0.1",
        description="Address the web application listens on; any but loopback needs TLS or a named proxy.",
    )
    port: int = Field(default=8787, ge=0, le=65535, description="Port of the web application; 0 takes a free one.")
    external_url: str | None = Field(
        default=None, description="The address that people open, as https://headwater.example.com."
    )
    tls_certificate: Path | None = Field(default=None, description="Certificate with its chain, as a PEM file.")
    tls_key: Path | None = Field(default=None, description="Key of the certificate, as a PEM file.")
    trusted_proxies: tuple[str, ...] = Field(
        default=(), description="Addresses or networks of the proxy that speaks TLS; nobody else is answered then."
    )


class MonitorSettings(_Section):
    """How the monitor follows the accounts; the four names are those of Databand's `[dbt_monitor]`."""

    prometheus_port: int = Field(
        default=8000, ge=0, le=65535, description="Port of /metrics and /healthz; 0 takes a free one."
    )
    interval: float = Field(default=5.0, gt=0, description="Seconds between two passes over an account.")
    number_of_iterations: int | None = Field(default=None, ge=1, description="End after this many passes.")
    stop_after: float | None = Field(default=None, gt=0, description="End after this many seconds.")


class DbtCloudSettings(_Section):
    """How dbt Cloud is asked."""

    requests_per_minute: int = Field(
        default=500, ge=10, description="Requests a minute for each account, shared by every process on the store."
    )
    backfill_days: int = Field(default=30, ge=0, le=365, description="Days of history a new account begins with.")
    parallel_requests: int = Field(
        default=4, ge=1, le=16, description="Runs collected at the same time for one account."
    )
    request_timeout: float = Field(
        default=60.0, gt=0, description="Seconds one request may take in all, body included."
    )
    artifact_size_limit: int = Field(
        default=536_870_912, ge=1_048_576, description="Bytes an artifact may have unpacked."
    )
    proxy: str | None = Field(default=None, description="HTTP proxy for dbt Cloud, as http://host:port.")
    ca_file: Path | None = Field(
        default=None, description="Certificates to trust instead of the system's, as a PEM file."
    )


class OidcSettings(_Section):
    """An OpenID provider that people sign in at."""

    issuer: str | None = Field(default=None, description="The provider's issuer, as https://id.example.com.")
    client_id: str | None = Field(default=None, description="What Headwater is called at the provider.")
    client_secret: SecretStr | None = Field(default=None, description="The client's secret.")
    groups_claim: str = Field(default="groups", description="The claim of the id token that names a person's groups.")
    viewer_groups: tuple[str, ...] = Field(default=(), description="Groups whose people are viewers.")
    operator_groups: tuple[str, ...] = Field(default=(), description="Groups whose people are operators.")
    admin_groups: tuple[str, ...] = Field(default=(), description="Groups whose people are admins.")


class RetentionSettings(_Section):
    """How long things are kept."""

    runs_days: int = Field(default=365, ge=1, description="Days a finished run and what belongs to it are kept.")


class Settings(BaseSettings):
    """Everything that can be set; `headwater check` prints where each value came from."""

    model_config = SettingsConfigDict(
        env_prefix=ENV_PREFIX, env_nested_delimiter="__", extra="forbid", frozen=True, env_ignore_empty=True
    )

    database_url: SecretStr | None = Field(
        default=None, description="postgresql://… or sqlite:///path; unset is SQLite in the data folder."
    )
    data_folder: Path = Field(
        default_factory=lambda: Path(platformdirs.user_data_dir("headwater", appauthor=False)),
        description="Folder of the SQLite database and the key file.",
    )
    secret_key: SecretStr | None = Field(
        default=None,
        description="Base64 of the 32 bytes that seal stored tokens; unset is a key file in the data folder.",
    )
    web: WebSettings = Field(default_factory=WebSettings, description="")
    dbt_monitor: MonitorSettings = Field(default_factory=MonitorSettings, description="")
    dbt_cloud: DbtCloudSettings = Field(default_factory=DbtCloudSettings, description="")
    oidc: OidcSettings = Field(default_factory=OidcSettings, description="")
    retention: RetentionSettings = Field(default_factory=RetentionSettings, description="")

    @property
    def store_url(self) -> str:
        """Give the database's URL, the default SQLite file included; it may hold a password."""
        if self.database_url is not None:
            return self.database_url.get_secret_value()
        return f"sqlite:///{self.data_folder / 'headwater.db'}"

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Order the sources: options before variables before the file."""
        file = find_settings_file()
        sources = (init_settings, env_settings)
        return (*sources, TomlConfigSettingsSource(settings_cls, file)) if file is not None else sources


def find_settings_file() -> Path | None:
    """Find `headwater.toml` in the working directory, then in the user's configuration folder."""
    folders = (Path.cwd(), Path(platformdirs.user_config_dir("headwater", appauthor=False)))
    return next((folder / FILE_NAME for folder in folders if (folder / FILE_NAME).is_file()), None)


def read_settings(**options: Any) -> Settings:
    """Read the settings; options that are None count as not given.

    Raises:
        ConfigurationInvalid: with a sentence for each fault, where it stands and what to do.
    """
    file, unknown = find_settings_file(), _unknown_variables()
    try:
        settings = Settings(**_given(options))
    except ValidationError as error:
        told = (_sentence(fault, file) for fault in error.errors() if _variable(fault["loc"]) not in unknown)
        raise ConfigurationInvalid((*told, *unknown.values())) from None
    except SettingsError:  # a variable names a whole section and is among the unknown ones, or holds a list
        raise ConfigurationInvalid(tuple(unknown.values()) or _faulty_lists()) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigurationInvalid((f"{file} is not valid TOML: {error}.", *unknown.values())) from None
    except OSError as error:
        raise ConfigurationInvalid((f"{file} cannot be read: {error.strerror}.", *unknown.values())) from None
    if unknown:
        raise ConfigurationInvalid(tuple(unknown.values()))
    return settings


def list_settings() -> tuple[tuple[str, str, str], ...]:
    """List every setting as (dotted name, default, what it does), in the order of the sections."""
    listed: list[tuple[str, str, str]] = []
    for name, field in Settings.model_fields.items():
        section = field.default_factory and field.annotation
        if isinstance(section, type) and issubclass(section, _Section):
            listed += [
                (f"{name}.{key}", _default(inner.default), inner.description or "")
                for key, inner in section.model_fields.items()
            ]
        else:
            listed.append((name, _default(field.default), field.description or ""))
    return tuple(listed)


def _default(value: object) -> str:
    return "" if value in (None, ()) or "Undefined" in repr(value) else str(value)


def _given(options: dict[str, Any]) -> dict[str, Any]:
    given = {name: _given(value) if isinstance(value, dict) else value for name, value in options.items()}
    return {name: value for name, value in given.items() if value is not None and value != {}}


def _sentence(fault: Any, file: Path | None) -> str:
    name = ".".join(str(part) for part in fault["loc"])
    where = f"{name} (in {file or FILE_NAME}, or {_variable(fault['loc'])})"
    if fault["type"] == "extra_forbidden":
        return f"{name} is not a setting{_nearest(name)}."
    return f"{where}: {fault['msg'][0].lower()}{fault['msg'][1:]}."


def _nearest(name: str) -> str:
    near = difflib.get_close_matches(name, [setting for setting, _, _ in list_settings()], n=1)
    return f" (did you mean {near[0]}?)" if near else ""


def _variable(parts: Iterable[str | int]) -> str:
    return ENV_PREFIX + "__".join(str(part) for part in parts).upper()


def _faulty_lists() -> tuple[str, ...]:
    given = EnvSettingsSource(Settings).env_vars
    lists = (_variable((section, key)) for section, model in (("web", WebSettings), ("oidc", OidcSettings))
             for key, field in model.model_fields.items() if field.default == ())  # fmt: skip
    return tuple(
        f'{name} is a list, written as JSON: ["one", "two"].'
        for name in lists
        if any(known.upper() == name and not _is_json(text or "") for known, text in given.items())
    )


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


def _unknown_variables() -> dict[str, str]:
    known = {_variable(name.split(".")) for name, _, _ in list_settings()}
    variables = EnvSettingsSource(Settings).env_vars
    given = {name.upper() for name in variables if name.upper().startswith(ENV_PREFIX)}
    return {
        name: f"The variable {name} is not a setting"
        f"{_nearest(name.removeprefix(ENV_PREFIX).lower().replace('__', '.'))}."
        for name in sorted(given - known)
    }
