"""The raw tables of the roastery: machines, batches, sensor readings, green coffee, cupping scores, maintenance."""

from __future__ import annotations

from datetime import datetime, timedelta
from random import Random

from raw_business import Row
from raw_storefront import Table, with_loaded_at

DAYS = 45
COLUMNS = {
    "iot.machines": (
        "id integer, name varchar, model varchar, drum_kg integer, site varchar, commissioned_at timestamp, "
        "created_at timestamp"
    ),
    "iot.batches": (
        "id integer, machine_id integer, lot_id integer, profile varchar, charge_kg double, yield_kg double, "
        "started_at timestamp, ended_at timestamp"
    ),
    "iot.readings": "id integer, batch_id integer, sensor varchar, celsius double, occurred_at timestamp",
    "iot.alarms": "id integer, machine_id integer, code varchar, severity varchar, occurred_at timestamp",
    "erp.green_lots": (
        "id integer, origin_code varchar, supplier varchar, bags integer, price_per_kg_cents integer, "
        "moisture_pct double, arrived_at timestamp"
    ),
    "erp.maintenance_orders": (
        "id integer, machine_id integer, kind varchar, status varchar, opened_at timestamp, closed_at timestamp"
    ),
    "lab.cuppings": (
        "id integer, batch_id integer, cupper varchar, score double, defects integer, occurred_at timestamp"
    ),
}
LAGS = {"iot": 4, "erp": 90, "lab": 200}


class Roastery:
    """Draws the roastery's rows in one fixed order from one seeded source of chance."""

    def __init__(self, as_of: datetime, seed: int) -> None:
        self.random = Random(seed)
        self.as_of = as_of.replace(tzinfo=None, microsecond=0)
        self.start = self.as_of - timedelta(days=DAYS)

    def machines(self) -> list[Row]:
        """Four drum roasters on two sites."""
        names = [
            ("Vesta", "Probat P25", 25, "RTM"),
            ("Hestia", "Probat P25", 25, "RTM"),
            ("Brigid", "Loring S35", 35, "RTM"),
            ("Agni", "Giesen W15", 15, "BER"),
        ]
        return [
            (key, *row, self.start - timedelta(days=300 * key), self.start) for key, row in enumerate(names, start=1)
        ]

    def green_lots(self) -> list[Row]:
        """Green coffee as it arrived."""
        origins = ["ET", "CO", "BR", "KE", "GT", "ID"]
        return [
            (
                key,
                self.random.choice(origins),
                f"Supplier {key % 5 + 1}",
                self.random.randint(10, 60),
                self.random.randint(520, 980),
                round(self.random.uniform(9.8, 11.9), 1),
                self.start + timedelta(days=key),
            )
            for key in range(1, 37)
        ]

    def batches(self) -> list[Row]:
        """Twelve-minute roasts, the last one just done."""
        minutes = sorted(self.random.randrange(DAYS * 24 * 60 - 60) for _ in range(359))
        starts = [self.start + timedelta(minutes=minute) for minute in minutes]
        rows: list[Row] = []
        for key, started in enumerate([*starts, self.as_of - timedelta(minutes=30)], start=1):
            charge = round(self.random.uniform(10, 22), 1)
            profile = self.random.choice(["light", "medium", "dark", "espresso"])
            rows.append(
                (
                    key,
                    self.random.randint(1, 4),
                    self.random.randint(1, 36),
                    profile,
                    charge,
                    round(charge * self.random.uniform(0.82, 0.88), 2),
                    started,
                    started + timedelta(minutes=12),
                )
            )
        return rows

    def readings(self, batches: list[Row]) -> list[Row]:
        """Bean and drum temperature every two minutes of each roast."""
        rows: list[Row] = []
        for batch in batches:
            for minute in range(0, 14, 2):
                bean = 95 + 9.5 * minute + self.random.uniform(-2, 2)
                for sensor, celsius in (("bean", bean), ("drum", 215 + self.random.uniform(-4, 4))):
                    rows.append(
                        (len(rows) + 1, batch[0], sensor, round(celsius, 1), batch[6] + timedelta(minutes=minute))
                    )
        return rows

    def alarms(self, batches: list[Row]) -> list[Row]:
        """Alarms that a machine raised while it roasted."""
        chosen = sorted(self.random.sample(batches, 24), key=lambda row: row[6])
        codes = [("E12", "warning"), ("E31", "critical"), ("W02", "info")]
        return [
            (key, row[1], *self.random.choice(codes), row[6] + timedelta(minutes=5))
            for key, row in enumerate(chosen, start=1)
        ]

    def maintenance(self) -> list[Row]:
        """Maintenance orders, the newest still open."""
        rows: list[Row] = []
        for key in range(1, 19):
            opened = self.start + timedelta(days=2.4 * key)
            closed = opened + timedelta(hours=self.random.randint(2, 40))
            done = closed < self.as_of
            rows.append(
                (
                    key,
                    self.random.randint(1, 4),
                    self.random.choice(["cleaning", "repair", "calibration"]),
                    "closed" if done else "open",
                    opened,
                    closed if done else None,
                )
            )
        return rows

    def cuppings(self, batches: list[Row]) -> list[Row]:
        """Scores of the roasts that were tasted."""
        tasted = [row for row in batches if row[0] % 3 == 0]
        return [
            (
                key,
                row[0],
                self.random.choice(["Yara", "Teun", "Oskar"]),
                round(self.random.uniform(82, 89), 2),
                self.random.choice([0, 0, 0, 1]),
                row[7] + timedelta(hours=3),
            )
            for key, row in enumerate(tasted, start=1)
        ]


def build_tables(as_of: datetime, seed: int) -> list[Table]:
    """Every raw table: schema, name, columns with their types, rows."""
    roastery = Roastery(as_of, seed)
    batches = roastery.batches()
    drawn = {
        "iot.machines": roastery.machines(),
        "iot.batches": batches,
        "iot.readings": roastery.readings(batches),
        "iot.alarms": roastery.alarms(batches),
        "erp.green_lots": roastery.green_lots(),
        "erp.maintenance_orders": roastery.maintenance(),
        "lab.cuppings": roastery.cuppings(batches),
    }
    tables: list[Table] = []
    for key, rows in drawn.items():
        schema, name = key.split(".")
        columns = dict(column.split() for column in COLUMNS[key].split(", "))
        stamped = with_loaded_at(columns, rows, as_of, timedelta(minutes=LAGS[schema]))
        tables.append((f"raw_{schema}", name, {**columns, "_loaded_at": "timestamp"}, stamped))
    return tables
