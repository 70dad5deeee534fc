"""The code revisions of the demo projects: each is some edits on top of another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Edit:
    """A text that replaces another in one file; with an empty `old` the file is new."""

    path: str
    old: str
    new: str


@dataclass(frozen=True)
class Revision:
    """A version of a project's code: the edits on top of another revision."""

    parent: str | None
    edits: tuple[Edit, ...] = ()


ORDERS = "models/marts/core/fct_orders.sql"
CORE = "models/marts/core/_core__models.yml"
PRICED = "models/intermediate/sales/int_order_items_priced.sql"

REVISIONS: Mapping[str, Mapping[str, Revision]] = {
    "storefront": {
        "a": Revision(None),
        "b": Revision(
            "a",
            (
                Edit(
                    "macros/dates.sql",
                    "round(date_diff('minute', {{ earlier }}, {{ later }}) / 60.0, 1)",
                    "round(date_diff('second', {{ earlier }}, {{ later }}) / 3600.0, 1)",
                ),
                Edit(
                    "models/marts/core/dim_customers_v2.sql",
                    "    coalesce(support.ticket_count, 0) as ticket_count\n",
                    "    coalesce(support.ticket_count, 0) as ticket_count,\n"
                    "    coalesce(support.open_ticket_count, 0) as open_ticket_count\n",
                ),
                Edit(
                    "models/marts/marketing/campaign_pacing.sql",
                    "",
                    "select\n    campaigns.campaign_id,\n    campaigns.campaign_name,\n    campaigns.budget_amount,\n"
                    "    sum(daily.spend_amount) as spent_amount,\n"
                    "    {{ safe_ratio('sum(daily.spend_amount)', 'campaigns.budget_amount') }} as spent_ratio\n"
                    "from {{ ref('dim_campaigns') }} as campaigns\n"
                    "left join {{ ref('campaign_performance_daily') }} as daily\n"
                    "    on campaigns.campaign_id = daily.campaign_id\n"
                    "group by campaigns.campaign_id, campaigns.campaign_name, campaigns.budget_amount\n",
                ),
            ),
        ),
        "c": Revision(
            "b",
            (
                Edit(
                    "models/marts/core/revenue_daily.sql",
                    "    count(*) as sale_count,\n",
                    "    count(*) as sale_count,\n    round(avg(gross_amount), 2) as average_sale_amount,\n",
                ),
                Edit(
                    CORE,
                    "      - name: revenue_date\n        data_tests: [not_null]\n",
                    "      - name: revenue_date\n        data_tests: [not_null]\n"
                    "      - name: channel\n        data_tests: [not_null]\n",
                ),
            ),
        ),
        "broken_sql": Revision(
            "b",
            (
                Edit(
                    "models/intermediate/marketing/int_sessions_attributed.sql",
                    "coalesce(campaigns.channel, 'direct')",
                    "coalesce(campaigns.channel_name, 'direct')",
                ),
            ),
        ),
        "contract_breach": Revision(
            "c", (Edit(ORDERS, "    totals.line_count,\n", "    totals.line_count::varchar as line_count,\n"),)
        ),
        "unit_test_failure": Revision(
            "b",
            (
                Edit(
                    PRICED,
                    "round(items.line_amount * costs.cost_share, 2)::decimal(16, 2) as cost_of_goods",
                    "round(items.unit_price * costs.cost_share, 2)::decimal(16, 2) as cost_of_goods",
                ),
            ),
        ),
        "macro_change": Revision(
            "c",
            (
                Edit(
                    "macros/money.sql",
                    "round({{ column_name }} / 100.0, {{ scale }})",
                    "round({{ column_name }} / 100.0)",
                ),
            ),
        ),
        "parse_error": Revision(
            "c",
            (
                Edit(
                    "models/marts/core/fct_revenue.sql",
                    "from {{ ref('fct_cafe_tickets') }}",
                    "from {{ ref('fct_cafe_tickets' }}",
                ),
            ),
        ),
        "column_removed": Revision(
            "c",
            (
                Edit("models/marts/core/fct_payments.sql", "    fee_amount,\n", ""),
                Edit(
                    CORE,
                    "      - name: fee_amount\n        description: What the payment provider kept, in euros.\n"
                    "        data_tests: [not_negative]\n",
                    "",
                ),
            ),
        ),
    },
    "finance": {
        "a": Revision(None),
        "b": Revision(
            "a",
            (
                Edit(
                    "models/marts/payment_fees_monthly.sql",
                    "    count(*) as payment_count,\n",
                    "    count(*) as payment_count,\n    sum(amount)::decimal(16, 2) as paid_amount,\n",
                ),
            ),
        ),
        "unknown_model": Revision(
            "b",
            (
                Edit(
                    "models/staging/stg_sales.sql",
                    "ref('storefront', 'fct_revenue')",
                    "ref('storefront', 'fct_sessions')",
                ),
            ),
        ),
        "wrong_sign": Revision(
            "b",
            (
                Edit(
                    "models/marts/journal_entries.sql",
                    "'4900', 'debit', 'refund_amount'",
                    "'4900', 'debit', '-refund_amount'",
                ),
            ),
        ),
    },
    "roastery": {
        "a": Revision(None),
        "b": Revision(
            "a",
            (
                Edit(
                    "models/marts/fct_batches.sql",
                    "    cuppings.score as cupping_score\n",
                    "    cuppings.score as cupping_score,\n    cuppings.defects\n",
                ),
            ),
        ),
        "bad_yaml": Revision(
            "b",
            (
                Edit(
                    "models/marts/_marts__models.yml",
                    "  - name: green_stock\n    description: What",
                    "  - name: green_stock\n   description: What",
                ),
            ),
        ),
        "low_memory": Revision(
            "b",
            (
                Edit(
                    "profiles.yml",
                    "      schema: analytics\n      threads: 4\n",
                    "      schema: analytics\n      threads: 4\n"
                    "      settings:\n        memory_limit: 3MB\n        temp_directory: ''\n",
                ),
            ),
        ),
    },
}


def edits_of(project: str, revision: str) -> list[Edit]:
    """Every edit from the code as it stands in the repository to the revision, oldest first."""
    found = REVISIONS[project][revision]
    older = edits_of(project, found.parent) if found.parent else []
    return [*older, *found.edits]


def apply_edits(folder: Path, edits: Sequence[Edit]) -> None:
    """Edits the files of a project's copy; a text that is not there exactly once is an error."""
    for edit in edits:
        path = folder / edit.path
        text = path.read_text(encoding="utf-8") if edit.old else ""
        if edit.old and text.count(edit.old) != 1:
            raise ValueError(f"{edit.path}: {edit.old!r} is there {text.count(edit.old)} times, not once")
        path.write_text(text.replace(edit.old, edit.new) if edit.old else edit.new, encoding="utf-8")
