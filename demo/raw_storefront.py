"""The raw tables of the coffee business, as its loaders leave them in the warehouse."""

from __future__ import annotations

from datetime import datetime, timedelta

from raw_business import Row
from raw_channels import Channels

Table = tuple[str, str, dict[str, str], list[Row]]

# Each column list is "name type" pairs; the last timestamp named in LOADED_WITH tells when a row came into being.
COLUMNS = {
    "shop.customers": (
        "id integer, first_name varchar, last_name varchar, email varchar, country_code varchar, "
        "marketing_opt_in boolean, created_at timestamp, updated_at timestamp"
    ),
    "shop.products": (
        "id integer, sku varchar, name varchar, category varchar, roast_level varchar, origin_code varchar, "
        "price_cents integer, is_active boolean, updated_at timestamp"
    ),
    "shop.orders": (
        "id integer, customer_id integer, order_channel varchar, status varchar, promo_code varchar, "
        "shipping_cents integer, discount_cents integer, ordered_at timestamp, updated_at timestamp"
    ),
    "shop.order_items": (
        "id integer, order_id integer, product_id integer, quantity integer, unit_price_cents integer, "
        "created_at timestamp"
    ),
    "shop.subscriptions": (
        "id integer, customer_id integer, product_id integer, plan varchar, status varchar, bags_per_delivery "
        "integer, price_cents integer, started_at timestamp, cancelled_at timestamp, updated_at timestamp"
    ),
    "shop.subscription_events": "id integer, subscription_id integer, event_type varchar, occurred_at timestamp",
    "payments.payments": (
        "id integer, order_id integer, method varchar, status varchar, amount_cents integer, fee_cents "
        "integer, created_at timestamp"
    ),
    "payments.refunds": "id integer, payment_id integer, amount_cents integer, reason varchar, created_at timestamp",
    "payments.payouts": (
        "id integer, period_start date, period_end date, gross_cents integer, fee_cents integer, net_cents "
        "integer, arrived_at timestamp"
    ),
    "logistics.shipments": (
        "id integer, order_id integer, carrier varchar, service varchar, weight_g integer, shipped_at "
        "timestamp, delivered_at timestamp, promised_at timestamp"
    ),
    "logistics.shipment_events": (
        "id integer, shipment_id integer, status varchar, location varchar, occurred_at timestamp"
    ),
    "logistics.inventory_levels": (
        "product_id integer, site_code varchar, on_hand integer, reserved integer, counted_at timestamp"
    ),
    "marketing.campaigns": (
        "id integer, name varchar, channel varchar, started_on date, ended_on date, budget_cents integer, "
        "created_at timestamp"
    ),
    "marketing.ad_spend": (
        "campaign_id integer, spend_date date, impressions integer, clicks integer, spend_cents integer, "
        "reported_at timestamp"
    ),
    "marketing.web_sessions": (
        "id integer, visitor_id varchar, customer_id integer, campaign_id integer, landing_page varchar, "
        "device varchar, started_at timestamp, ended_at timestamp, page_views integer, order_id integer"
    ),
    "marketing.email_events": (
        "id integer, customer_id integer, campaign_id integer, event_type varchar, occurred_at timestamp"
    ),
    "cafe_pos.cafes": (
        "id integer, name varchar, city varchar, country_code varchar, opened_on date, seats integer, "
        "created_at timestamp"
    ),
    "cafe_pos.tickets": (
        "id integer, cafe_id integer, opened_at timestamp, closed_at timestamp, payment_method varchar, "
        "tip_cents integer"
    ),
    "cafe_pos.ticket_lines": (
        "id integer, ticket_id integer, item_name varchar, item_type varchar, quantity integer, "
        "unit_price_cents integer, created_at timestamp"
    ),
    "wholesale.accounts": (
        "id integer, name varchar, account_type varchar, country_code varchar, payment_terms_days integer, "
        "credit_limit_cents integer, account_manager varchar, is_active boolean, updated_at timestamp"
    ),
    "wholesale.invoices": (
        "id integer, account_id integer, invoice_number varchar, status varchar, issued_on date, due_on date, "
        "paid_on date, created_at timestamp"
    ),
    "wholesale.invoice_lines": (
        "id integer, invoice_id integer, product_id integer, kilograms integer, unit_price_cents integer, "
        "created_at timestamp"
    ),
    "support.tickets": (
        "id integer, customer_id integer, order_id integer, topic varchar, priority varchar, status varchar, "
        "csat_score integer, opened_at timestamp, resolved_at timestamp"
    ),
}
LOADED_WITH = (
    "created_at",
    "ordered_at",
    "occurred_at",
    "counted_at",
    "reported_at",
    "opened_at",
    "started_at",
    "shipped_at",
    "arrived_at",
    "updated_at",
)
LAGS = {"shop": 9, "payments": 14, "logistics": 31, "marketing": 55, "cafe_pos": 18, "wholesale": 150, "support": 42}


def draw_rows(as_of: datetime, seed: int) -> dict[str, list[Row]]:
    """Every raw table's rows by its name, drawn in one fixed order."""
    business = Channels(as_of, seed)
    rows: dict[str, list[Row]] = {"shop.customers": business.customers(), "shop.products": business.products()}
    rows["shop.orders"] = business.orders(rows["shop.customers"])
    rows["shop.order_items"] = business.order_items(rows["shop.orders"], rows["shop.products"])
    rows["shop.subscriptions"], rows["shop.subscription_events"] = business.subscriptions(rows["shop.customers"])
    rows["payments.payments"], rows["payments.refunds"] = business.payments(
        rows["shop.orders"], rows["shop.order_items"]
    )
    rows["payments.payouts"] = business.payouts()
    rows["logistics.shipments"], rows["logistics.shipment_events"] = business.shipments(rows["shop.orders"])
    rows["logistics.inventory_levels"] = business.inventory(rows["shop.products"])
    rows["marketing.campaigns"] = business.campaigns()
    rows["marketing.ad_spend"] = business.ad_spend(rows["marketing.campaigns"])
    rows["marketing.web_sessions"] = business.sessions(rows["shop.orders"], rows["marketing.campaigns"])
    rows["marketing.email_events"] = business.email_events(rows["shop.customers"], rows["marketing.campaigns"])
    rows["cafe_pos.cafes"] = business.cafes()
    rows["cafe_pos.tickets"], rows["cafe_pos.ticket_lines"] = business.tickets()
    rows["wholesale.accounts"] = business.accounts()
    rows["wholesale.invoices"], rows["wholesale.invoice_lines"] = business.invoices(rows["wholesale.accounts"])
    rows["support.tickets"] = business.support_tickets(rows["shop.orders"])
    return rows


def with_loaded_at(columns: dict[str, str], rows: list[Row], as_of: datetime, lag: timedelta) -> list[Row]:
    """Adds `_loaded_at`: ten minutes after the row came into being, for the last row `lag` before `as_of`."""
    at = list(columns).index(next(name for name in LOADED_WITH if name in columns))
    newest = as_of.replace(tzinfo=None, microsecond=0) - lag
    stamped: list[Row] = [(*row, min(row[at] + timedelta(minutes=10), newest)) for row in rows]
    stamped[-1] = (*rows[-1], newest)
    return stamped


def build_tables(as_of: datetime, seed: int) -> list[Table]:
    """Every raw table: schema, name, columns with their types, rows."""
    tables: list[Table] = []
    for key, rows in draw_rows(as_of, seed).items():
        schema, name = key.split(".")
        columns = dict(column.split() for column in COLUMNS[key].split(", "))
        stamped = with_loaded_at(columns, rows, as_of, timedelta(minutes=LAGS[schema]))
        tables.append((f"raw_{schema}", name, {**columns, "_loaded_at": "timestamp"}, stamped))
    return tables
