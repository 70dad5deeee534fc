"""What tests of several rooms use: a store on each of the two databases."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from headwater.store.database import Store, open_store
from postgres import TEMPLATE, PostgresMissing, PostgresServer, running_postgres

_LONG = ("tests/airflow/", "tests/ways/", "tests/dbt/", "tests/sync/", "tests/causality/", "tests/howto/")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the files that take minutes, so that no processor waits for one of them at the end."""
    items.sort(key=lambda item: not item.nodeid.startswith(_LONG))


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """A PostgreSQL with a migrated template database."""
    try:
        with running_postgres() as server:
            server.execute(f"CREATE DATABASE {TEMPLATE}")
            open_store(server.url(TEMPLATE)).close()
            yield server
    except PostgresMissing as missing:
        if os.environ.get("CI"):
            raise
        pytest.skip(str(missing))


@pytest.fixture(params=["sqlite", "postgresql"])
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The address of an empty database, of each kind in turn."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'headwater.db'}"
    else:
        with request.getfixturevalue("postgres_server").database() as url:
            yield url


@pytest.fixture
def store(store_url: str) -> Iterator[Store]:
    """An open, empty store, on each database in turn."""
    with open_store(store_url) as opened:
        yield opened
