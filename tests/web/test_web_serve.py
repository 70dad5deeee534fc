"""Listening: on this machine only, on a port that is free."""

import pytest

from headwater.errors import WrongUse
from headwater.web.serve import listen


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "example.com", "", "127.0.0.1.example.com", "0"])
def test_other_hosts_than_loopback_are_refused(host):
    """An address that others could reach is refused with what to do instead."""
    with pytest.raises(WrongUse, match=r"does not listen on .* its own machine"):
        listen(host, 0)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "127.0.0.2"])
def test_loopback_takes_a_free_port(host):
    """Port 0 takes any that is free."""
    with listen(host, 0) as listener:
        assert listener.getsockname()[1] > 0


def test_a_port_in_use_is_said():
    """A second server on a port is told so, and how to take another."""
    with listen("127.0.0.1", 0) as listener:
        port = listener.getsockname()[1]
        with pytest.raises(WrongUse, match=f"^Port {port} is in use. .*--port"):
            listen("127.0.0.1", port)
