"""The raw rows of everything around the web shop: marketing, cafés, wholesale and support."""

from __future__ import annotations

from datetime import timedelta

from raw_business import Business, Row

CHANNELS = ["search", "social", "affiliate", "email"]
MENU = [
    ("Espresso", "drink", 280),
    ("Flat white", "drink", 390),
    ("Batch brew", "drink", 340),
    ("Oat latte", "drink", 440),
    ("Cinnamon bun", "food", 360),
    ("Cheese toastie", "food", 690),
    ("House blend 250 g", "beans", 1150),
]


class Channels(Business):
    """Draws the rows of the channels around the shop."""

    def campaigns(self) -> list[Row]:
        """Twelve campaigns over four channels."""
        rows: list[Row] = []
        for key in range(1, 13):
            channel = CHANNELS[key % 4]
            first = (self.start + timedelta(days=9 * (key - 1))).date()
            rows.append(
                (
                    key,
                    f"{channel} {first:%b} {key}",
                    channel,
                    first,
                    first + timedelta(days=40),
                    50_000 * (1 + key % 3),
                    self.start,
                )
            )
        return rows

    def ad_spend(self, campaigns: list[Row]) -> list[Row]:
        """Impressions, clicks and cost of each campaign on each of its days."""
        rows: list[Row] = []
        for day in range(DAYS_OF_SPEND + 1):
            date = (self.as_of - timedelta(days=DAYS_OF_SPEND - day)).date()
            reported = self.as_of - timedelta(days=DAYS_OF_SPEND - day, minutes=20)
            for campaign in campaigns:
                if campaign[2] != "email" and campaign[3] <= date <= campaign[4]:
                    impressions = self.random.randint(800, 6000)
                    clicks = impressions * self.random.randint(8, 35) // 1000
                    rows.append(
                        (campaign[0], date, impressions, clicks, clicks * self.random.randint(18, 55), reported)
                    )
        return rows

    def sessions(self, orders: list[Row], campaigns: list[Row]) -> list[Row]:
        """Visits: one that ends in each order, and as many that end in nothing."""
        rows: list[Row] = []
        for order in orders:
            started = order[7] - timedelta(minutes=self.random.randint(3, 25))
            rows.append(
                (
                    order[1],
                    self.random.choice(campaigns)[0] if self.random.random() < 0.5 else None,
                    order[0],
                    started,
                    order[7],
                )
            )
        for started in self.moments(1600):
            campaign = self.random.choice(campaigns)[0] if self.random.random() < 0.6 else None
            rows.append((None, campaign, None, started, started + timedelta(minutes=self.random.randint(0, 9))))
        rows.sort(key=lambda row: row[3])
        return [
            (
                key,
                f"v{self.random.randint(1, 2200)}",
                customer,
                campaign,
                self.random.choice(["/", "/beans", "/subscribe", "/blog/v60"]),
                self.random.choice(["mobile", "mobile", "desktop", "tablet"]),
                started,
                ended,
                self.random.randint(1, 14),
                order,
            )
            for key, (customer, campaign, order, started, ended) in enumerate(rows, start=1)
        ]

    def email_events(self, customers: list[Row], campaigns: list[Row]) -> list[Row]:
        """What became of the e-mails sent to the customers who agreed to them."""
        rows: list[Row] = []
        for campaign in (row for row in campaigns if row[2] == "email"):
            for customer in (row for row in customers if row[5]):
                sent = max(self.moment(customer[6]), customer[6])
                rows.append((customer[0], campaign[0], "sent", sent))
                for event, chance in (("opened", 0.4), ("clicked", 0.12), ("unsubscribed", 0.01)):
                    if self.random.random() < chance:
                        rows.append((customer[0], campaign[0], event, min(self.later(sent, 0.1, 30), self.as_of)))
        rows.sort(key=lambda row: row[3])
        return [(key, *row) for key, row in enumerate(rows, start=1)]

    def cafes(self) -> list[Row]:
        """The five cafés."""
        names = [
            ("Noordereiland", "Rotterdam", "NL"),
            ("Katendrecht", "Rotterdam", "NL"),
            ("Lombok", "Utrecht", "NL"),
            ("Neukölln", "Berlin", "DE"),
            ("Sint-Gillis", "Brussels", "BE"),
        ]
        return [
            (key, *row, (self.start - timedelta(days=200 * key)).date(), 18 + 4 * key, self.start)
            for key, row in enumerate(names, start=1)
        ]

    def tickets(self) -> tuple[list[Row], list[Row]]:
        """Till tickets and their lines."""
        rows: list[Row] = []
        lines: list[Row] = []
        for key, opened in enumerate(self.moments(1500), start=1):
            tip = self.random.choice([0, 0, 50, 100])
            rows.append(
                (
                    key,
                    self.random.randint(1, 5),
                    opened,
                    opened + timedelta(minutes=4),
                    self.random.choice(["card", "card", "cash"]),
                    tip,
                )
            )
            for name, kind, price in self.random.sample(MENU, self.random.choice([1, 1, 2, 3])):
                lines.append((len(lines) + 1, key, name, kind, self.random.choice([1, 1, 2]), price, opened))
        return rows, lines

    def accounts(self) -> list[Row]:
        """Wholesale buyers."""
        rows: list[Row] = []
        for key in range(1, 31):
            kind = self.random.choice(["restaurant", "office", "grocer", "hotel"])
            owner = self.random.choice(["Sanne", "Milan", "Roos"])
            rows.append(
                (
                    key,
                    f"{kind.title()} {key:02d}",
                    kind,
                    self.random.choice(COUNTRY_CODES),
                    self.random.choice([14, 30]),
                    500_000 + 50_000 * (key % 5),
                    owner,
                    key % 11 != 0,
                    self.start,
                )
            )
        return rows

    def invoices(self, accounts: list[Row]) -> tuple[list[Row], list[Row]]:
        """Wholesale invoices, about two a month for each buyer, and their lines."""
        rows: list[Row] = []
        lines: list[Row] = []
        for key, issued in enumerate(self.moments(240), start=1):
            account = self.random.choice(accounts)
            due = issued + timedelta(days=account[4])
            paid = self.later(issued, 100, 700)
            status = "paid" if paid < self.as_of else "overdue" if due < self.as_of else "sent"
            rows.append(
                (
                    key,
                    account[0],
                    f"W-{key:05d}",
                    status,
                    issued.date(),
                    due.date(),
                    paid.date() if status == "paid" else None,
                    issued,
                )
            )
            for product in self.random.sample(range(1, 25), self.random.randint(1, 3)):
                lines.append(
                    (
                        len(lines) + 1,
                        key,
                        product,
                        self.random.choice([5, 10, 20, 40]),
                        self.random.randint(1600, 2300),
                        issued,
                    )
                )
        return rows, lines

    def support_tickets(self, orders: list[Row]) -> list[Row]:
        """Questions and complaints about orders."""
        rows: list[Row] = []
        for key, order in enumerate(sorted(self.random.sample(orders[:-30], 170), key=lambda row: row[7]), start=1):
            opened = min(self.later(order[7], 1, 90), self.as_of - timedelta(minutes=25))
            solved = self.later(opened, 0.5, 60)
            open_still = solved > self.as_of
            rows.append(
                (
                    key,
                    order[1],
                    order[0],
                    self.random.choice(["delivery", "grind", "billing", "subscription", "other"]),
                    self.random.choice(["low", "normal", "normal", "high"]),
                    "open" if open_still else "solved",
                    None if open_still else self.random.randint(1, 5),
                    opened,
                    None if open_still else solved,
                )
            )
        return rows


DAYS_OF_SPEND = 119
COUNTRY_CODES = ["NL", "DE", "BE"]
