"""The raw rows of the web shop: customers, orders, subscriptions, payments and parcels."""

from __future__ import annotations

from datetime import datetime, timedelta
from random import Random
from typing import Any

Row = tuple[Any, ...]

DAYS = 120
FIRST_NAMES = [
    "Ada",
    "Bram",
    "Carla",
    "Dmitri",
    "Elif",
    "Femke",
    "Gus",
    "Hana",
    "Ines",
    "Jonas",
    "Kofi",
    "Lena",
    "Mira",
    "Noor",
]
LAST_NAMES = [
    "Abara",
    "Becker",
    "Costa",
    "Dahl",
    "Eriksen",
    "Fontaine",
    "Garcia",
    "Haas",
    "Ito",
    "Jansen",
    "Khan",
    "Lopez",
]
COUNTRIES = ["NL", "NL", "NL", "DE", "DE", "BE", "FR", "GB"]
ORIGINS = ["ET", "CO", "BR", "KE", "GT", "ID"]
ORIGIN_NAMES = {"ET": "Yirgacheffe", "CO": "Huila", "BR": "Cerrado", "KE": "Nyeri", "GT": "Antigua", "ID": "Gayo"}


class Business:
    """Draws the rows of every raw table in one fixed order from one seeded source of chance."""

    def __init__(self, as_of: datetime, seed: int) -> None:
        self.random = Random(seed)
        self.as_of = as_of.replace(tzinfo=None, microsecond=0)
        self.start = self.as_of - timedelta(days=DAYS)

    def moment(self, since: datetime | None = None) -> datetime:
        """A moment between `since` (default: the first day) and now, in whole seconds."""
        since = since or self.start
        return since + timedelta(seconds=int(self.random.random() * (self.as_of - since).total_seconds()))

    def moments(self, count: int) -> list[datetime]:
        """That many moments in order, the last one a few minutes ago."""
        drawn = sorted(self.moment() for _ in range(count - 1))
        return [*drawn, self.as_of - timedelta(minutes=12)]

    def later(self, moment: datetime, low: float, high: float) -> datetime:
        """A moment `low` to `high` hours later."""
        return moment + timedelta(seconds=int(3600 * self.random.uniform(low, high)))

    def customers(self) -> list[Row]:
        """People with an account in the web shop."""
        rows: list[Row] = []
        for key, created in enumerate(self.moments(420), start=1):
            first, last = self.random.choice(FIRST_NAMES), self.random.choice(LAST_NAMES)
            email = f"{first}.{last}.{key}@example.com".lower()
            country = self.random.choice(COUNTRIES)
            rows.append((key, first, last, email, country, self.random.random() < 0.6, created, created))
        return rows

    def products(self) -> list[Row]:
        """Beans from six origins in four roasts, some equipment, some merchandise."""
        rows: list[Row] = []
        for origin in ORIGINS:
            for roast, price in (("light", 1450), ("medium", 1350), ("dark", 1250), ("espresso", 1395)):
                sku = f"BEAN-{origin}-{roast[:3].upper()}"
                rows.append((sku, f"{ORIGIN_NAMES[origin]} {roast}", "beans", roast, origin, price + 25 * len(rows)))
        for sku, name, price in (
            ("EQ-V60", "Pour-over dripper", 2490),
            ("EQ-GRND", "Hand grinder", 8900),
            ("EQ-SCALE", "Brew scale", 4500),
        ):
            rows.append((sku, name, "equipment", None, None, price))
        for sku, name, price in (
            ("MR-MUG", "Enamel mug", 1600),
            ("MR-TOTE", "Tote bag", 1200),
            ("MR-CARD", "Gift card", 2500),
        ):
            rows.append((sku, name, "merchandise", None, None, price))
        return [(key, *row, key % 13 != 0, self.start) for key, row in enumerate(rows, start=1)]

    def orders(self, customers: list[Row]) -> list[Row]:
        """Web and app orders, each placed after its customer signed up."""
        rows: list[Row] = []
        placed = sorted(self.moment(self.random.choice(customers)[6]) for _ in range(1399))
        for key, ordered in enumerate([*placed, self.as_of - timedelta(minutes=12)], start=1):
            known = [row for row in customers[:: max(1, key % 7)] if row[6] <= ordered] or customers[:1]
            age = self.as_of - ordered
            status = (
                "placed"
                if age < timedelta(hours=6)
                else "paid"
                if age < timedelta(days=1)
                else "shipped"
                if age < timedelta(days=4)
                else "delivered"
            )
            if self.random.random() < 0.05:
                status = self.random.choice(["cancelled", "returned"]) if age > timedelta(days=4) else status
            promo = self.random.choice(["WELCOME10", "FRIENDS", "ROAST5"]) if self.random.random() < 0.2 else None
            shipping = self.random.choice([0, 395, 595])
            rows.append(
                (
                    key,
                    self.random.choice(known)[0],
                    self.random.choice(["web", "web", "app"]),
                    status,
                    promo,
                    shipping,
                    150 if promo else 0,
                    ordered,
                    min(self.later(ordered, 1, 72), self.as_of),
                )
            )
        return rows

    def order_items(self, orders: list[Row], products: list[Row]) -> list[Row]:
        """One to four lines for each order."""
        rows: list[Row] = []
        for order in orders:
            for product in self.random.sample(products, self.random.choice([1, 2, 2, 3, 4])):
                rows.append(
                    (len(rows) + 1, order[0], product[0], self.random.choice([1, 1, 1, 2, 3]), product[6], order[7])
                )
        return rows

    def subscriptions(self, customers: list[Row]) -> tuple[list[Row], list[Row]]:
        """Bean subscriptions and the events in their lives."""
        rows: list[Row] = []
        events: list[Row] = []
        for key, customer in enumerate(self.random.sample(customers, 140), start=1):
            started = self.later(customer[6], 0.1, 24 * 9)
            started = min(started, self.as_of - timedelta(hours=1))
            plan = self.random.choice(["weekly", "fortnightly", "monthly"])
            ended = self.moment(started) if self.random.random() < 0.25 else None
            status = "cancelled" if ended else self.random.choice(["active"] * 8 + ["paused"])
            bags = self.random.choice([1, 1, 2, 4])
            updated = ended or started
            rows.append(
                (key, customer[0], self.random.randint(1, 24), plan, status, bags, 1190 * bags, started, ended, updated)
            )
            events.append((key, "created", started))
            renewal = started + timedelta(days={"weekly": 7, "fortnightly": 14, "monthly": 30}[plan])
            while renewal < (ended or self.as_of):
                events.append((key, "renewed", renewal))
                renewal += timedelta(days={"weekly": 7, "fortnightly": 14, "monthly": 30}[plan])
            if status != "active":
                events.append((key, status, ended or self.moment(started)))
        events.sort(key=lambda event: event[2])
        return rows, [(key, *event) for key, event in enumerate(events, start=1)]

    def payments(self, orders: list[Row], items: list[Row]) -> tuple[list[Row], list[Row]]:
        """A payment for each order that is not cancelled, now and then after a failed try; refunds for returns."""
        rows: list[Row] = []
        refunds: list[Row] = []
        totals: dict[object, int] = {}
        for item in items:
            totals[item[1]] = totals.get(item[1], 0) + item[3] * item[4]
        for order in orders:
            if order[3] == "cancelled":
                continue
            amount = totals[order[0]] + order[5] - order[6]
            method = self.random.choice(["card", "card", "paypal", "apple_pay", "gift_card"])
            if self.random.random() < 0.04:
                rows.append((len(rows) + 1, order[0], method, "failed", amount, 0, order[7]))
            rows.append((len(rows) + 1, order[0], method, "succeeded", amount, 25 + amount * 14 // 1000, order[7]))
            if order[3] == "returned":
                reason = self.random.choice(["damaged", "late", "changed_mind"])
                refunds.append(
                    (len(refunds) + 1, len(rows), amount, reason, min(self.later(order[7], 80, 200), self.as_of))
                )
        return rows, sorted(refunds, key=lambda refund: refund[4])

    def payouts(self) -> list[Row]:
        """What the payment provider paid out each week."""
        rows: list[Row] = []
        for week in range(DAYS // 7):
            first = (self.start + timedelta(days=7 * week)).date()
            gross = self.random.randint(180_000, 320_000)
            arrived = self.start + timedelta(days=7 * week + 9)
            rows.append(
                (
                    week + 1,
                    first,
                    first + timedelta(days=6),
                    gross,
                    gross * 15 // 1000,
                    gross - gross * 15 // 1000,
                    min(arrived, self.as_of),
                )
            )
        return rows

    def shipments(self, orders: list[Row]) -> tuple[list[Row], list[Row]]:
        """A parcel for each shipped order and its scans."""
        rows: list[Row] = []
        events: list[Row] = []
        for order in orders:
            if order[3] not in ("shipped", "delivered", "returned"):
                continue
            shipped = min(self.later(order[7], 8, 40), self.as_of - timedelta(minutes=50))
            delivered = (
                min(self.later(shipped, 18, 90), self.as_of - timedelta(minutes=40)) if order[3] != "shipped" else None
            )
            key = len(rows) + 1
            carrier = self.random.choice(["PostNL", "DHL", "DPD"])
            rows.append(
                (
                    key,
                    order[0],
                    carrier,
                    self.random.choice(["standard", "express"]),
                    self.random.randint(250, 4200),
                    shipped,
                    delivered,
                    order[7] + timedelta(days=4),
                )
            )
            events.append((key, "picked_up", "Rotterdam", shipped))
            events.append((key, "in_transit", "Utrecht", shipped + timedelta(hours=6)))
            if delivered:
                events.append((key, "delivered", "door", delivered))
        events = sorted((event for event in events if event[3] <= self.as_of), key=lambda event: event[3])
        return rows, [(key, *event) for key, event in enumerate(events, start=1)]

    def inventory(self, products: list[Row]) -> list[Row]:
        """A daily count of each product at both sites over the last two weeks."""
        return [
            (
                product[0],
                site,
                self.random.randint(20, 400),
                self.random.randint(0, 20),
                self.as_of - timedelta(days=day, minutes=30),
            )
            for day in range(13, -1, -1)
            for product in products
            for site in ("RTM", "BER")
        ]
