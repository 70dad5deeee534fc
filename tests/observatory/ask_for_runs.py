"""A process that asks dbt Cloud for the number of runs again and again, by the clock of the simulator it asks."""

from __future__ import annotations

import json
import sys
import urllib.request
from datetime import datetime
from pathlib import Path

from cloud import make_settings
from headwater.observatory.holder import get_account, open_observatory


def main(folder: Path, store_url: str, simulator: str, requests_per_minute: int) -> None:
    """Ask twice as often as the budget grants in a minute, as fast as it does."""

    def tell(advance_seconds: float) -> datetime:
        body = json.dumps({"advance_seconds": advance_seconds}).encode()
        with urllib.request.urlopen(f"{simulator}/_simulator/clock", body) as answer:
            return datetime.fromisoformat(json.load(answer)["now"])

    settings = make_settings(folder, store_url=store_url, dbt_cloud={"requests_per_minute": requests_per_minute})
    with open_observatory(settings, clock=lambda: tell(0), sleep=tell) as observatory:
        client = observatory.client(get_account(observatory, "first"))
        for _ in range(2 * requests_per_minute):
            client.count("runs")


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:4], int(sys.argv[4]))
