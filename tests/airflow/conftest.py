"""What the tests with a real Airflow share; see `airflow_house`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from airflow_house import GONE, VERSIONS, AirflowHouse, Ran, airflow_house, build_wheel

from cloud import wait_until_stored
from headwater.observatory.syncing import make_pass


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Headwater's wheel, as it would be published."""
    return build_wheel(tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="session", params=VERSIONS)
def house(
    request: pytest.FixtureRequest, wheel: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[AirflowHouse]:
    """Each Airflow in turn, beside a dbt Cloud and a Headwater of its own."""
    with airflow_house(request.param, wheel, tmp_path_factory.mktemp("house")) as opened:
        yield opened


@pytest.fixture(scope="session")
def ran(house: AirflowHouse) -> Ran:
    """Every DAG has run once; in those with two tries dbt failed first. Then the monitor made a pass."""
    house.let_every_other_fail(3)
    retried = ("listened", "deferred", "unseen=none")
    ended = house.run(*retried, "worded=none", f"away={GONE}", "mapped", "watched", "called", "isolated")
    wait_until_stored(house.observatory)
    make_pass(house.observatory, "first")
    return ended
