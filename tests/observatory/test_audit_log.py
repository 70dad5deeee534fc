"""The audit log: what is noted, and that nothing of it can be changed unseen, on both databases."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import delete, update

from headwater.config import Settings
from headwater.model.secret import Secret
from headwater.observatory import access, users
from headwater.observatory.access import Role
from headwater.observatory.audit import Actor, find_audit_break, list_audit
from headwater.observatory.holder import Observatory, open_observatory
from headwater.observatory.sessions import create_login_link, end_sessions, redeem_link
from headwater.store.schema import audit_events, audit_heads


@pytest.fixture
def observatory(store_url: str, tmp_path: Path) -> Iterator[Observatory]:
    """An observatory on an empty store, on each database in turn."""
    with open_observatory(Settings(data_folder=tmp_path / "data", database_url=store_url)) as opened:
        yield opened


def test_who_may_come_in_is_noted_with_who_changed_it(observatory: Observatory) -> None:
    """Links, logins, users, roles and tokens are each an event; a secret is in none of them."""
    by = Actor(name="ada", address="10.0.0.1")
    link = create_login_link(observatory)
    session = redeem_link(observatory, link.reveal(), address="10.0.0.2")
    users.add_user(observatory, "bob", Role.VIEWER, Secret("correct horse battery"), by=by)
    users.set_role(observatory, "bob", Role.OPERATOR, by=by)
    users.disable_user(observatory, "bob", by=by)
    _, token = access.create_token(observatory, "ci", Role.INGEST, by=by)
    access.revoke_token(observatory, "ci", by=by)
    end_sessions(observatory, by=by)
    events = list_audit(observatory).events

    assert [(event.actor, event.address, event.action, event.subject, event.detail) for event in events[::-1]] == [
        ("command line", "", "user added", "admin", "admin"),
        ("command line", "", "login link created", "admin", ""),
        ("admin", "10.0.0.2", "logged in", "admin", "link"),
        ("ada", "10.0.0.1", "user added", "bob", "viewer"),
        ("ada", "10.0.0.1", "role changed", "bob", "viewer to operator"),
        ("ada", "10.0.0.1", "user disabled", "bob", ""),
        ("ada", "10.0.0.1", "token created", "ci", "ingest"),
        ("ada", "10.0.0.1", "token revoked", "ci", ""),
        ("ada", "10.0.0.1", "logged out everywhere", "ada", ""),
    ]
    assert session is not None
    assert [secret for secret in (link, token, session) if secret.reveal() in repr(events)] == []
    assert find_audit_break(observatory) is None


@pytest.mark.parametrize("what", ["changed", "taken away", "cut off", "added"])
def test_what_is_done_to_the_log_itself_is_found(observatory: Observatory, what: str) -> None:
    """An event that was changed, taken out, cut off the end or put in by hand breaks the chain there."""
    for number in range(4):
        users.add_user(observatory, f"user-{number}", Role.VIEWER)
    assert find_audit_break(observatory) is None
    with observatory.store.write() as tx:
        if what == "changed":
            tx.execute(update(audit_events).where(audit_events.c.event_id == 2).values(actor="somebody else"))
        elif what == "taken away":
            tx.execute(delete(audit_events).where(audit_events.c.event_id == 2))
        elif what == "cut off":
            tx.execute(delete(audit_events).where(audit_events.c.event_id == 4))
        else:
            tx.execute(update(audit_heads).values(event_id=1))
            tx.execute(delete(audit_events).where(audit_events.c.event_id > 1))
    broken = find_audit_break(observatory)

    assert broken == {"changed": 2, "taken away": 2, "cut off": 4, "added": 2}[what]


def test_what_fails_is_not_noted(observatory: Observatory) -> None:
    """An event stands in the transaction of what it tells: with the one undone, so is the other."""
    users.add_user(observatory, "ada", Role.ADMIN)
    before = list_audit(observatory).events
    with pytest.raises(Exception, match="last admin"):
        users.disable_user(observatory, "ada")

    assert list_audit(observatory).events == before


def test_many_writers_make_one_chain(observatory: Observatory) -> None:
    """Eight threads note at once; every event has a number of its own and the chain is whole."""

    def write(writer: int) -> None:
        for number in range(5):
            users.add_user(observatory, f"user-{writer}-{number}", Role.VIEWER)

    threads = [threading.Thread(target=write, args=(writer,)) for writer in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    events = list_audit(observatory, limit=100).events

    assert [event.number for event in events] == list(range(40, 0, -1))
    assert find_audit_break(observatory) is None


def test_the_log_is_read_page_by_page(observatory: Observatory) -> None:
    """Each page names where the next begins, the last one does not."""
    for number in range(5):
        users.add_user(observatory, f"user-{number}", Role.VIEWER)
    first = list_audit(observatory, limit=3)
    second = list_audit(observatory, limit=3, before=first.older)

    assert [event.number for event in first.events + second.events] == [5, 4, 3, 2, 1]
    assert (first.older, second.older) == (3, None)
