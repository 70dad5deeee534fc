"""What explains a failure, by what its message says, what changed, and who else was at work."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headwater.analysis.causes.explaining import explain, explain_anomaly
from headwater.analysis.causes.failure import ColumnChange, Difference, Failure, VariableChange
from headwater.model.outcome import Outcome
from headwater.model.verdict import Cause

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
ORDERS, PAYMENTS, STAGED = "model.shop.fct_orders", "model.shop.int_payments", "model.shop.stg_orders"
RAW, RAW_PAYMENTS = "source.shop.raw.orders", "source.shop.raw.payments"
TEST, UNIT_TEST = "test.shop.not_null_fct_orders_id", "unit_test.shop.fct_orders.sums"
SEED, PASTED, FOREIGN = "seed.shop.rates", "model.shop.eph_orders", "model.finance.ledger"
PARENTS = {
    TEST: (ORDERS,),
    UNIT_TEST: (ORDERS,),
    ORDERS: (STAGED, PAYMENTS, SEED, PASTED, FOREIGN),
    PASTED: (STAGED,),
    STAGED: (RAW,),
    PAYMENTS: (RAW_PAYMENTS,),
}
MISSING_AMOUNT = 'Binder Error: Referenced column "amount" not found in FROM clause!'
MISSING_TABLE = "Catalog Error: Table with name stg_orders does not exist!"
LOCK = "could not serialize access due to concurrent update"
BREACH = (
    "This model has an enforced contract that failed.\n"
    "| column_name | definition_type | contract_type | mismatch_reason    |\n"
    "| ----------- | --------------- | ------------- | ------------------ |\n"
    "| amount      | VARCHAR         | INTEGER       | data type mismatch |\n"
)
CODE, CONFIGURED, ADDED = frozenset({"code"}), frozenset({"configuration"}), frozenset({"added"})
AMOUNT = frozenset({"amount"})
TEXT = ColumnChange(name="amount", before="INTEGER", after="VARCHAR")


def outcome(unique_id: str, status: str = "error", message: str | None = None, **more: Any) -> Outcome:
    """Make something that happened now in run 8."""
    facts = {"invocation_key": 8, "run_id": 8, "at": NOW, "elapsed": timedelta(seconds=30), **more}
    return Outcome(unique_id=unique_id, status=status, message=message, **facts)


def failure(message: str | None = None, unique_id: str = ORDERS, status: str = "error", **more: Any) -> Failure:
    """Make a failure of run 8 that was good in run 7; nothing changed where nothing is said."""
    good = outcome(unique_id, "success", at=NOW - timedelta(days=1), run_id=7, invocation_key=7)
    facts = {"parents": PARENTS, "good": good, "difference": Difference(project="shop"), **more}
    return Failure(outcome=outcome(unique_id, status, message), **facts)


def changed(aspects: dict[str, frozenset[str]] | None = None, **more: Any) -> Difference:
    """Make what changed since the good run."""
    return Difference(aspects=aspects or {}, project="shop", **more)


@dataclass(frozen=True)
class Case:
    """What is known of a failure, and the kind, node and subject of what should be said first."""

    said: str
    kind: str
    subject: str | None
    message: str | None = None
    unique_id: str = ORDERS
    status: str = "error"
    known: dict[str, Any] = field(default_factory=dict)
    about: str | None = None


OTHER = outcome(ORDERS, "success", at=NOW - timedelta(seconds=20), run_id=9, invocation_key=9)
STALE_NOW = (outcome(RAW, "error"), outcome(RAW, "pass", at=NOW - timedelta(days=1), run_id=7))
CASES = (
    Case("own code", "code_changed", ORDERS, known={"difference": changed({ORDERS: CODE})}),
    Case("own code before upstream code", "code_changed", ORDERS,
         known={"difference": changed({ORDERS: CODE, STAGED: CODE})}),
    Case("a new node", "code_changed", ORDERS, known={"good": None, "difference": changed({ORDERS: ADDED})}),
    Case("own configuration", "configuration_changed", ORDERS,
         known={"difference": changed({ORDERS: CONFIGURED}, settings={ORDERS: ("unique_key",)})}),
    Case("upstream lost the column, though own code changed too", "upstream_code_changed", STAGED, MISSING_AMOUNT,
         known={"difference": changed({ORDERS: CODE, STAGED: CODE}, lost={STAGED: AMOUNT})}),
    Case("own code asks for a column that is new", "code_changed", ORDERS, MISSING_AMOUNT,
         known={"difference": changed({ORDERS: CODE, STAGED: CODE}, gained={ORDERS: AMOUNT})}),
    Case("the farther change that lost the column, not the nearer that did not", "upstream_code_changed", STAGED,
         MISSING_AMOUNT, known={"difference": changed({PAYMENTS: CODE, STAGED: CODE}, lost={STAGED: AMOUNT})}),
    Case("a source lost the column; what changed upstream has nothing to do with it", "columns_changed", RAW,
         MISSING_AMOUNT, known={"difference": changed({PAYMENTS: CODE}), "columns": {RAW: AMOUNT}}),
    Case("a source is gone", "source_missing", RAW, "Catalog Error: Table with name orders does not exist!", STAGED),
    Case("a table of a model is gone", "relation_missing", STAGED, MISSING_TABLE,
         known={"tables": {STAGED: "stg_orders"}}),
    Case("a table has another name now", "configuration_changed", STAGED, MISSING_TABLE,
         known={"difference": changed({STAGED: CONFIGURED}, settings={STAGED: ("alias",)})}),
    Case("a macro", "macro_changed", "macro.shop.cents",
         known={"difference": changed(macros={ORDERS: frozenset({"macro.shop.cents"})})}),
    Case("forty macros of a package are one", "package_changed", None, about="dbt_utils",
         known={"difference": changed(macros={ORDERS: frozenset(f"macro.dbt_utils.m{n}" for n in range(40))})}),
    Case("a macro that is gone", "macro_changed", "macro.shop.cents", "Compilation Error\n  'cents' is undefined",
         known={"difference": changed(macros_removed=frozenset({"macro.shop.cents", "macro.shop.other"}))}),
    Case("a variable that the node uses", "variable_changed", None, about="since",
         known={"variables": (VariableChange(name="since", before="2026", after="soon", used_by=(ORDERS,)),)}),
    Case("a variable that shows in what was compiled", "variable_changed", None, about="region",
         known={"rendered": {STAGED: frozenset({"region"})}}),
    Case("a variable that is required", "variable_changed", None, about="since",
         message="Compilation Error\n  Required var 'since' not found in config:\n  Vars supplied to x = {}"),
    Case("an environment variable that is required", "variable_changed", None, about="DBT_X",
         message="Parsing Error\n  Env var required but not provided: 'DBT_X'"),
    Case("own contract", "contract_breach", ORDERS, BREACH, known={"difference": changed({ORDERS: CODE})}),
    Case("a contract broken from upstream", "upstream_code_changed", STAGED, BREACH,
         known={"difference": changed({STAGED: CODE}, gained={STAGED: AMOUNT})}),
    Case("a contract broken by a source", "columns_changed", RAW, BREACH, known={"columns": {RAW: AMOUNT}}),
    Case("another project's code", "upstream_code_changed", FOREIGN, "Conversion Error: Could not convert string",
         known={"difference": changed({FOREIGN: CODE})}),
    Case("a seed upstream", "seed_changed", SEED, "Conversion Error: Could not convert string 'x'",
         known={"difference": changed({SEED: CODE})}),
    Case("a syntax error is not of upstream", "node_failed", ORDERS, "Parser Error: syntax error at or near form",
         known={"difference": changed({STAGED: CODE})}),
    Case("a syntax error of a model that is pasted in", "upstream_code_changed", PASTED,
         "Parser Error: syntax error at or near form",
         known={"difference": changed({PASTED: CODE}), "ephemeral": frozenset({PASTED})}),
    Case("two runs at one table", "concurrent_runs", ORDERS, LOCK, known={"overlapping": (OTHER,)}, about="run 9"),
    Case("a lock of nobody we know", "warehouse_trouble", None, LOCK, about="lock"),
    Case("another run at the table is not to blame for a column", "columns_changed", RAW, MISSING_AMOUNT,
         known={"overlapping": (OTHER,), "columns": {RAW: AMOUNT}}),
    Case("credentials, whatever changed", "warehouse_trouble", None, "password authentication failed for user",
         known={"difference": changed({ORDERS: CODE})}, about="credentials"),
    Case("a timeout of a query that was rewritten", "code_changed", ORDERS, "statement timeout",
         known={"difference": changed({ORDERS: CODE})}),
    Case("a timeout of a query that was not", "warehouse_trouble", None, "statement timeout", about="timeout",
         known={"difference": changed({STAGED: CODE})}),
    Case("a test's own rule", "code_changed", TEST, unique_id=TEST, status="fail",
         known={"difference": changed({TEST: CODE, ORDERS: CODE})}),
    Case("the tested model's code", "upstream_code_changed", ORDERS, unique_id=TEST, status="fail",
         known={"difference": changed({ORDERS: CODE, STAGED: CODE})}),
    Case("the data of the source that has the column", "data_changed", RAW_PAYMENTS, unique_id=TEST, status="fail",
         known={"columns": {RAW_PAYMENTS: AMOUNT}, "column": "amount"}),
    Case("the source of the values that a query cannot work with", "data_changed", RAW_PAYMENTS,
         "Conversion Error: Could not convert string 'x'", known={"traced": {RAW_PAYMENTS: AMOUNT, RAW: AMOUNT}}),
    Case("the source of what a test refuses, where no name is the same", "data_changed", RAW_PAYMENTS, unique_id=TEST,
         status="fail", known={"traced": {RAW_PAYMENTS: AMOUNT}, "column": "paid"}),
    Case("a source whose column has another type by its catalogs", "columns_changed", RAW,
         "Conversion Error: Could not convert string 'x' from source column amount",
         known={"retyped": {RAW: (TEXT,)}, "difference": changed({STAGED: CODE})}),
    Case("a changed column that the failure is not about", "upstream_code_changed", STAGED,
         "Conversion Error: Could not convert string 'x' from source column paid",
         known={"retyped": {RAW: (TEXT,)}, "difference": changed({STAGED: CODE})}),
    Case("a table that shrank", "data_changed", STAGED, unique_id=TEST, status="fail",
         known={"numbers": {STAGED: "Its last build wrote 3 rows; 1,000 are usual."}}),
    Case("a unit test fails by code alone", "test_failed", UNIT_TEST, unique_id=UNIT_TEST, status="fail"),
    Case("a test further up", "test_failed", "test.shop.up", unique_id=TEST, status="fail",
         known={"parents": {**PARENTS, "test.shop.up": (STAGED,)}, "tests": {"test.shop.up": (outcome("t", "fail"),)}}),
    Case("nothing is known", "node_failed", ORDERS, known={"difference": None}),
)  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.said)
def test_the_likeliest_cause_is_named_first(case: Case) -> None:
    """Each case is one that a person who knows dbt would call so."""
    first = explain(failure(case.message, case.unique_id, case.status, **case.known))[0]

    assert (first.kind, first.unique_id, first.about) == (case.kind, case.subject, case.about)
    assert first.evidence
    assert first.failed == case.unique_id


def test_one_fault_of_the_warehouse_on_many_nodes_is_sure() -> None:
    """The company of others that met the same is told with its number."""
    many = {f"model.shop.m{n}": outcome(f"model.shop.m{n}", message=LOCK) for n in range(30)}

    alone, together = (explain(failure(LOCK, in_run=in_run))[0] for in_run in ({}, many))

    assert together.confidence > alone.confidence
    assert "30 nodes" in together.evidence[0]


def test_one_unknown_message_on_many_nodes_is_of_the_warehouse() -> None:
    """What nobody has seen before, said of three nodes at once, lies in what they share."""
    many = {f"model.shop.m{n}": outcome(f"model.shop.m{n}", message="Flux Error: 88 MPH") for n in range(3)}

    assert explain(failure("Flux Error: 88 MPH", in_run=many))[0].kind == "warehouse_trouble"


def test_a_test_that_fails_now_and_then_tells_little() -> None:
    """A flaky test is said to be one, before the data are blamed."""
    statuses = ["fail", "pass", "fail", "pass", "pass", "fail", "pass"]
    history = [
        outcome(TEST, status, at=NOW - timedelta(hours=place), run_id=50 - place)
        for place, status in enumerate(statuses)
    ]

    first = explain(failure(None, TEST, "fail", history=history))[0]

    assert (first.kind, first.unique_id) == ("test_failed", TEST)
    assert "now and then" in first.evidence[1]


def test_a_source_that_was_fresh_when_all_was_well_is_rather_to_blame() -> None:
    """One that was stale long before the test failed is less likely the reason."""
    old = (outcome(RAW, "error"), outcome(RAW, "error", at=NOW - timedelta(days=3), run_id=5))
    good_long_ago = (*old, outcome(RAW, "pass", at=NOW - timedelta(days=9), run_id=1))

    fresh, stale = (
        next(cause for cause in explain(failure(None, TEST, "fail", freshness={RAW: told})) if cause.unique_id == RAW
             and cause.kind == "source_stale")
        for told in (STALE_NOW, good_long_ago)
    )  # fmt: skip

    assert fresh.confidence > stale.confidence


def test_a_build_unlike_the_one_before_is_explained_by_what_changed_alone() -> None:
    """Nothing is blamed for an odd number of rows where nothing changed."""
    assert explain_anomaly(failure("SELECT 3", status="success")) == ()
    assert (
        explain_anomaly(failure("SELECT 3", status="success", difference=changed({STAGED: CODE})))[0].unique_id
        == STAGED
    )


aspects = st.dictionaries(
    st.sampled_from([ORDERS, STAGED, PAYMENTS, RAW, SEED, PASTED, FOREIGN, "model.shop.elsewhere"]),
    st.sets(st.sampled_from(["code", "configuration", "columns", "edges", "added", "removed"])).map(frozenset),
)


@given(aspects, st.text(), st.sampled_from(["error", "fail", "runtime error", "odd"]), st.sampled_from([ORDERS, TEST]))
def test_every_failure_is_explained_by_something(
    found: dict[str, frozenset[str]], message: str, status: str, unique_id: str
) -> None:
    """Whatever changed and whatever the message: ranked, each cause once, between 0 and 1, and never without words."""
    causes = explain(failure(message, unique_id, status, difference=changed(found)))

    assert causes
    assert list(causes) == sorted(causes, key=lambda cause: -cause.confidence)
    assert len({_identity(cause) for cause in causes}) == len(causes)
    assert all(0 < cause.confidence < 1 and cause.evidence for cause in causes)


@given(aspects)
def test_what_does_not_lie_upstream_is_never_blamed(found: dict[str, frozenset[str]]) -> None:
    """A change anywhere else explains nothing, however many there are."""
    elsewhere = {f"model.other.{number}": told for number, told in enumerate(found.values())}
    alone = explain(failure("odd", difference=changed({})))

    assert explain(failure("odd", difference=changed(elsewhere))) == alone


def test_circles_and_parents_that_are_nowhere_do_no_harm() -> None:
    """A node made from itself and from what no manifest has is explained all the same."""
    odd = replace(failure(MISSING_AMOUNT), parents={ORDERS: (ORDERS, "model.shop.gone"), "model.shop.gone": (ORDERS,)})

    assert explain(odd)[0].kind == "columns_changed"


def _identity(cause: Cause) -> tuple[object, ...]:
    return cause.kind, cause.unique_id, cause.run_id, cause.about


def test_several_sources_that_values_may_come_from_are_all_named() -> None:
    """Three at most, the likeliest first."""
    traced = {f"source.shop.raw.t{n}": AMOUNT for n in range(5)}
    told = explain(failure("Conversion Error: Could not convert string 'x'", traced=traced))

    assert [cause.unique_id for cause in told if cause.kind == "data_changed"] == list(traced)[:3]
