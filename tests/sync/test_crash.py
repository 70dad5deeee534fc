"""A process that is killed at any point of a sync loses nothing and doubles nothing."""

from __future__ import annotations

from pathlib import Path
from random import Random

from cloud import NOON, open_watching, running_cloud, watching
from headwater.observatory.syncing import sync_accounts
from killed import sync_and_die
from truth import assert_equal_to_truth


def test_a_killed_sync_goes_on_where_it_was(tmp_path: Path, store_url: str) -> None:
    """Killed again and again at random moments, the next process goes on, and in the end the store is the truth."""
    random = Random(7)
    with running_cloud(days=1, seed=7) as cloud:
        with watching(cloud, tmp_path, store_url=store_url):
            pass
        killed = 0
        for minutes in range(6):
            now = (NOON.replace(minute=minutes * 5)).isoformat()  # past the lease of the one that died
            killed += sync_and_die(tmp_path, store_url, now, random.uniform(0.05, 1.0))
        cloud.advance(3_600)
        with open_watching(cloud, tmp_path, store_url=store_url) as observatory:
            report = sync_accounts(observatory)
            compared = assert_equal_to_truth(cloud, observatory)

        assert report.faults == ()
        assert killed > 0
        assert compared > 20
