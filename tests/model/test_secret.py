"""A secret shows itself nowhere but where it is asked to."""

from __future__ import annotations

import pickle

import pytest

from headwater.errors import WrongUse
from headwater.model.secret import Secret

VALUE = "dbtc_0123456789abcdef"


def test_nothing_prints_a_secret() -> None:
    """repr, str, format, a container and a traceback's arguments show the mask; pickling is refused."""
    secret = Secret(f"  {VALUE}\n")
    assert secret.reveal() == VALUE
    for shown in (repr(secret), str(secret), f"{secret}", f"{secret!r:>40}", f"{secret:>40}", repr([secret])):
        assert VALUE not in shown
        assert "•••" in shown
    with pytest.raises(TypeError):
        pickle.dumps(secret)


def test_a_secret_is_equal_by_value_and_hinted_by_its_end() -> None:
    """Two of the same text are equal; the last four characters tell long ones apart, of a short one nothing is told."""
    assert Secret(VALUE) == Secret(VALUE) != Secret(VALUE + "x")
    assert len({Secret(VALUE), Secret(VALUE)}) == 1
    assert Secret(VALUE) != VALUE
    assert Secret(VALUE).hint == "cdef"
    assert Secret("short").hint == ""


@pytest.mark.parametrize("wrong", ["", "  \n", "to\nken-canary", "canary\x00", "canary\x7f", "canary\ud800x"])
def test_what_cannot_be_a_secret_is_refused_without_repeating_it(wrong: str) -> None:
    """Empty text and control characters are wrong use, and the message does not echo them."""
    with pytest.raises(WrongUse) as refused:
        Secret(wrong)
    assert "canary" not in str(refused.value)
