"""Which jobs there are and which executions of them are recorded."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Job:
    """A job as dbt Cloud would have it: its commands, and the two boxes beside them."""

    name: str
    commands: tuple[str, ...]
    generate_docs: bool = False
    generate_sources: bool = False
    target: str = "prod"


@dataclass(frozen=True)
class Project:
    """A dbt project, its warehouse file, its jobs, and the project whose models it builds on."""

    name: str
    warehouse: str
    jobs: tuple[Job, ...]
    upstream: str | None = None


@dataclass(frozen=True)
class Take:
    """One execution to record: a job in a scenario at a code revision."""

    job: str
    scenario: str
    revision: str
    data_fault: str | None = None
    upstream_revision: str | None = None
    warehouse_is_locked: bool = False
    retries: str | None = None

    @property
    def name(self) -> str:
        """The recording's id without its project."""
        variant = f"-{self.revision}" if self.scenario == "healthy" else ""
        return f"{self.job}/{self.scenario}{variant}"


PROJECTS = (
    Project(
        "storefront",
        "fernhill",
        (
            Job("nightly", ("dbt seed", "dbt build"), generate_docs=True, generate_sources=True),
            Job("hourly", ("dbt run --select tag:hourly", "dbt test --select tag:hourly")),
            Job("freshness", ("dbt source freshness",)),
            Job("ci", ("dbt build --select state:modified+",), target="ci"),
            Job("weekly", ("dbt snapshot", "dbt run --full-refresh --select config.materialized:incremental")),
        ),
    ),
    Project(
        "finance",
        "fernhill",
        (
            Job("nightly", ("dbt build",)),
            Job("metrics_hourly", ("dbt run --select tag:hourly", "dbt test --select tag:hourly")),
        ),
        upstream="storefront",
    ),
    Project(
        "roastery",
        "roastery",
        (
            Job("nightly", ("dbt build",), generate_docs=True),
            Job("hourly", ("dbt run --select tag:hourly", "dbt test --select tag:hourly")),
            Job("freshness", ("dbt source freshness",)),
        ),
    ),
)

# A retry follows the take that it retries, in the same warehouse and target folder.
TAKES: dict[str, tuple[Take, ...]] = {
    "storefront": (
        Take("nightly", "healthy", "a"),
        Take("nightly", "healthy", "b"),
        Take("nightly", "healthy", "c"),
        Take("hourly", "healthy", "a"),
        Take("hourly", "healthy", "b"),
        Take("hourly", "healthy", "c"),
        Take("freshness", "healthy", "a"),
        Take("freshness", "healthy", "c"),
        Take("ci", "healthy", "b"),
        Take("ci", "healthy", "c"),
        Take("weekly", "healthy", "a"),
        Take("weekly", "healthy", "c"),
        Take("nightly", "bad_data", "a", data_fault="bad_data"),
        Take("nightly", "bad_data_retry", "a", retries="nightly/bad_data"),
        Take("hourly", "bad_data", "b", data_fault="bad_data"),
        Take("nightly", "broken_sql", "broken_sql"),
        Take("nightly", "partial_fix_retry", "c", retries="nightly/broken_sql"),
        Take("nightly", "dropped_column", "c", data_fault="dropped_column"),
        Take("hourly", "dropped_column", "c", data_fault="dropped_column"),
        Take("freshness", "stale_source", "b", data_fault="stale_source"),
        Take("nightly", "stale_source", "b", data_fault="stale_source"),
        Take("freshness", "missing_source", "c", data_fault="missing_source"),
        Take("nightly", "missing_source", "c", data_fault="missing_source"),
        Take("nightly", "contract_breach", "contract_breach"),
        Take("ci", "contract_breach", "contract_breach"),
        Take("nightly", "test_warn", "b", data_fault="test_warn"),
        Take("hourly", "test_warn", "c", data_fault="test_warn"),
        Take("ci", "unit_test_failure", "unit_test_failure"),
        Take("nightly", "macro_change_breaks_tests", "macro_change"),
        Take("hourly", "macro_change_breaks_tests", "macro_change"),
        Take("hourly", "parse_error", "parse_error"),
        Take("ci", "parse_error", "parse_error"),
        Take("nightly", "parse_error", "parse_error"),
        Take("weekly", "dropped_column", "b", data_fault="dropped_column"),
    ),
    "finance": (
        Take("nightly", "healthy", "a"),
        Take("nightly", "healthy", "b"),
        Take("metrics_hourly", "healthy", "a"),
        Take("metrics_hourly", "healthy", "b"),
        Take("nightly", "upstream_column_removed", "b", upstream_revision="column_removed"),
        Take("nightly", "upstream_bad_data", "b", data_fault="bad_data", upstream_revision="c"),
        Take("nightly", "test_warn", "b", data_fault="budget_gap", upstream_revision="c"),
        Take("nightly", "wrong_sign", "wrong_sign"),
        Take("nightly", "wrong_sign_retry", "b", retries="nightly/wrong_sign"),
        Take("nightly", "compilation_error", "unknown_model"),
        Take("metrics_hourly", "compilation_error", "unknown_model"),
    ),
    "roastery": (
        Take("nightly", "healthy", "a"),
        Take("nightly", "healthy", "b"),
        Take("hourly", "healthy", "a"),
        Take("hourly", "healthy", "b"),
        Take("freshness", "healthy", "a"),
        Take("nightly", "sensor_fault", "b", data_fault="sensor_fault"),
        Take("hourly", "sensor_fault", "b", data_fault="sensor_fault"),
        Take("freshness", "stale_source", "b", data_fault="sensor_gap"),
        Take("nightly", "test_warn", "b", data_fault="odd_alarms"),
        Take("nightly", "warehouse_trouble", "low_memory"),
        Take("nightly", "warehouse_trouble_retry", "b", retries="nightly/warehouse_trouble"),
        Take("hourly", "warehouse_locked", "b", warehouse_is_locked=True),
        Take("nightly", "parse_error", "bad_yaml"),
    ),
}
