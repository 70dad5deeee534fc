"""Verdicts on what real dbt did when real faults were made: is the cause that is named the one that was made?"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from cloud import Cloud, running_cloud, watching
from headwater.observatory.holder import Observatory
from headwater.observatory.jobs import list_jobs
from headwater.observatory.references import NodeQuestion
from headwater.observatory.syncing import sync_accounts
from headwater.observatory.verdicts import VerdictReport, get_verdict

SOURCE = "source.storefront"
MODEL = "model.storefront"


@dataclass(frozen=True)
class Fault:
    """A recorded fault, the healthy recording before it, a node it reaches, and what should be said of that."""

    good: str
    bad: str
    node: str
    state: str
    kind: str
    subject: str | None


FAULTS = (
    Fault("nightly/healthy-b", "nightly/broken_sql", "int_sessions_attributed", "failed", "code_changed",
          f"{MODEL}.int_sessions_attributed"),
    Fault("nightly/healthy-b", "nightly/broken_sql", "campaign_performance_daily", "skipped", "code_changed",
          f"{MODEL}.int_sessions_attributed"),
    Fault("nightly/healthy-c", "nightly/dropped_column", "fct_orders", "skipped", "columns_changed",
          f"{SOURCE}.shop.products"),
    Fault("hourly/healthy-c", "hourly/dropped_column", "int_order_items_priced", "failed", "columns_changed",
          f"{SOURCE}.shop.products"),
    Fault("nightly/healthy-c", "nightly/contract_breach", "fct_orders", "failed", "contract_breach",
          f"{MODEL}.fct_orders"),
    Fault("nightly/healthy-c", "nightly/missing_source", "stg_support__tickets", "failed", "source_missing",
          f"{SOURCE}.support.tickets"),
    Fault("nightly/healthy-c", "nightly/macro_change_breaks_tests", "fct_revenue", "skipped", "macro_changed",
          "macro.storefront.cents_to_euros"),
    Fault("nightly/healthy-a", "nightly/bad_data", "fct_payments", "skipped", "data_changed",
          f"{SOURCE}.payments.payments"),
    Fault("freshness/healthy-c", "freshness/stale_source", f"{SOURCE}.payments.payments", "stale", "source_stale",
          f"{SOURCE}.payments.payments"),
    Fault("nightly/healthy-c", "nightly/parse_error", "campaign_performance_daily", "late",
          "run_failed_before_dbt", None),
)  # fmt: skip


@pytest.fixture(scope="module")
def cloud() -> Iterator[Cloud]:
    with running_cloud(days=1) as running:
        yield running


@pytest.fixture(scope="module")
def observatory(cloud: Cloud, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Observatory]:
    with watching(cloud, tmp_path_factory.mktemp("verdicts"), accounts=1) as opened:
        sync_accounts(opened)
        yield opened


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: f"{fault.bad}:{fault.node}")
def test_the_fault_that_was_made_is_the_cause_that_is_named(
    cloud: Cloud, observatory: Observatory, fault: Fault
) -> None:
    """A healthy run, then one in which real dbt met a real fault: the first cause is that fault."""
    play(cloud, observatory, fault.good)
    bad_run = play(cloud, observatory, fault.bad)

    verdict = ask(observatory, fault.node)

    assert verdict.state == fault.state, verdict
    assert verdict.since is not None
    assert verdict.causes, verdict
    assert (verdict.causes[0].kind, verdict.causes[0].unique_id) == (fault.kind, fault.subject), verdict.causes
    assert verdict.causes[0].run_id == bad_run
    assert all(cause.evidence for cause in verdict.causes)


def test_what_went_well_again_is_healthy(cloud: Cloud, observatory: Observatory) -> None:
    """After a good run nothing of the fault before it is said any more."""
    play(cloud, observatory, "nightly/broken_sql")
    play(cloud, observatory, "nightly/healthy-c")

    verdict = ask(observatory, "int_sessions_attributed")

    assert (verdict.state, verdict.causes) == ("healthy", ())


def test_a_verdict_of_the_past_is_read_from_the_past(cloud: Cloud, observatory: Observatory) -> None:
    """What happened later is not in it."""
    play(cloud, observatory, "nightly/broken_sql")
    then = cloud.now
    play(cloud, observatory, "nightly/healthy-c")

    verdict = get_verdict(observatory, NodeQuestion(ref="int_sessions_attributed", account="first", at=then))

    assert verdict.state == "failed"


def test_a_pull_request_says_nothing_of_production(cloud: Cloud, observatory: Observatory) -> None:
    """A CI run in which the contract breaks leaves the model healthy."""
    play(cloud, observatory, "nightly/healthy-c")
    play(cloud, observatory, "ci/contract_breach")

    assert ask(observatory, "fct_orders").state == "healthy"


def test_an_exposure_is_as_good_as_what_it_shows(cloud: Cloud, observatory: Observatory) -> None:
    """An exposure below a failed model is stale, for the model's cause."""
    play(cloud, observatory, "nightly/healthy-c")
    play(cloud, observatory, "nightly/contract_breach")
    orders = ask(observatory, "fct_orders")

    assert orders.consequences.exposures
    shown = ask(observatory, orders.consequences.exposures[0].unique_id)

    assert shown.state == "stale"
    assert shown.causes[0].unique_id == f"{MODEL}.fct_orders"


def ask(observatory: Observatory, ref: str) -> VerdictReport:
    """Ask for the verdict of now."""
    return get_verdict(observatory, NodeQuestion(ref=ref, account="first"))


def play(cloud: Cloud, observatory: Observatory, recording: str) -> int:
    """Let the storefront's job of a recording run now and be collected; give the run's id."""
    name = recording.partition("/")[0]
    (job,) = {
        job.job_id
        for job in list_jobs(observatory, account="first").jobs
        if job.project_name == "Storefront" and not job.is_deleted and _job_name(name) == job.job_name
    }
    order = {"job_id": job, "recording_id": f"storefront/{recording}", "duration_seconds": 30, "queue_seconds": 1}
    run_id = int(cloud.simulator.control("POST", "runs", order)["id"])
    cloud.advance(120)
    sync_accounts(observatory)
    return run_id


def _job_name(name: str) -> str:
    return {
        "nightly": "Nightly build", "hourly": "Hourly models", "freshness": "Source freshness", "ci": "CI checks",
    }[name]  # fmt: skip
