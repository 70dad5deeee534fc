"""The shipped recordings, read once for all tests."""

from pathlib import Path

import pytest
from recorded import Recordings

ARCHIVE = Path(__file__).parents[2] / "src" / "headwater" / "simulator" / "recordings.tar.xz"


@pytest.fixture(scope="session")
def recordings() -> Recordings:
    """The shipped recordings."""
    return Recordings(ARCHIVE)
