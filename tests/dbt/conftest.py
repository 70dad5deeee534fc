"""What the tests around dbt share; see `dbt_house`."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from dbt_house import DbtHouse, install_dbt, make_house


@pytest.fixture(scope="session", autouse=True)
def _signals_as_on_a_terminal() -> Iterator[None]:
    """Take back that `nohup` and `&` have what they start ignore signals; programs inherit it and cannot undo it."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGHUP)}
    for number, handler in before.items():
        if handler is signal.SIG_IGN:
            signal.signal(number, signal.default_int_handler if number is signal.SIGINT else signal.SIG_DFL)
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture(scope="session")
def dbt_programs() -> Path:
    """The folder with the dbt that the demo projects were recorded with."""
    return install_dbt()


@pytest.fixture
def real(tmp_path: Path, dbt_programs: Path) -> DbtHouse:
    """A project of four models with a real dbt on PATH."""
    return make_house(tmp_path, dbt_programs)


@pytest.fixture
def engine(tmp_path: Path) -> DbtHouse:
    """The same with a program named dbt that does what a test writes into it."""
    programs = tmp_path / "programs"
    programs.mkdir()
    return make_house(tmp_path, programs)
