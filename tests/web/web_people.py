"""People who are logged in, for the tests."""

from __future__ import annotations

from headwater.errors import NotKnown
from headwater.observatory.access import Role
from headwater.observatory.holder import Observatory
from headwater.observatory.sessions import create_login_link, redeem_link
from headwater.observatory.users import add_user


def log_in_as(observatory: Observatory, role: Role) -> str:
    """Give the session of somebody with a role, who has just logged in; a user named for the role."""
    name = f"some-{role}"
    try:
        return log_in_named(observatory, name)
    except NotKnown:
        add_user(observatory, name, role)
    return log_in_named(observatory, name)


def log_in_named(observatory: Observatory, name: str) -> str:
    """Give the session of a user who has just logged in."""
    session = redeem_link(observatory, create_login_link(observatory, name).reveal())
    assert session is not None
    return session.reveal()
