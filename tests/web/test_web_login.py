"""Login links, sessions and API tokens, on the real store and on a clock the test moves."""

from datetime import timedelta
from urllib.parse import urlencode

import pytest
from web_people import log_in_as

from headwater.errors import NotKnown, WrongUse
from headwater.observatory import access, sessions
from headwater.observatory.access import Role

OURS = {"Sec-Fetch-Site": "same-origin", "Content-Type": "application/x-www-form-urlencoded"}


def log_in(site, link):
    return site.ask("/login", "POST", headers=OURS, body=urlencode({"link": link}))


def test_a_login_link_works_once(site, observatory):
    """The first who pastes a link is logged in; the second is told that it was used."""
    link = sessions.create_login_link(observatory).reveal()
    first, second = log_in(site, f"{site.url}/login#{link}"), log_in(site, link)
    session = first.headers["set-cookie"].partition(";")[0].partition("=")[2]

    assert (first.status, first.headers["location"]) == (303, "/")
    assert site.ask("/", session=session).status == 200
    assert second.status == 401
    assert "used already" in second.text
    assert "set-cookie" not in second.headers


def test_the_cookie_is_kept_from_scripts_and_other_sites(site, observatory):
    """The cookie is HttpOnly, SameSite=Lax and for the whole site."""
    cookie = log_in(site, sessions.create_login_link(observatory).reveal()).headers["set-cookie"]

    assert {part.strip() for part in cookie.split(";")[1:]} == {"HttpOnly", "SameSite=lax", "Path=/", "Max-Age=604800"}


def test_logging_out_ends_the_session(site, observatory):
    """After the logout the old cookie lets nobody in."""
    session = sessions.redeem_link(observatory, sessions.create_login_link(observatory).reveal()).reveal()
    assert site.ask("/", session=session).status == 200
    reply = site.ask("/logout", "POST", session=session, headers=OURS)

    assert (reply.status, reply.headers["location"]) == (303, "/login")
    assert site.ask("/", session=session).status == 303


@pytest.mark.parametrize(
    "body", [b"", b"link=", b"link=wrong", b"other=1", b"\xff\xfe", b"link=%00", b"link=" + b"a" * 3000]
)
def test_what_is_no_login_link_is_refused(site, body):
    """Anything but a link gets the form again, with a sentence."""
    assert site.ask("/login", "POST", headers=OURS, body=body).status == 401


def test_a_login_form_that_is_too_long_is_refused(site):
    """More than the form can hold is not read."""
    assert site.ask("/login", "POST", headers=OURS, body=b"link=" + b"a" * 10_000).status == 413


def test_a_login_link_expires(timed, clock):
    """After a quarter of an hour a link lets nobody in."""
    link = sessions.create_login_link(timed).reveal()
    clock.now += sessions.LINK_LIFETIME

    assert sessions.redeem_link(timed, link) is None


def test_an_idle_session_ends(timed, clock):
    """A session ends half a day after its last use."""
    session = log_in_as(timed, Role.VIEWER)
    clock.now += timedelta(hours=11)
    assert sessions.find_session(timed, session).role is Role.VIEWER
    clock.now += timedelta(hours=11)
    assert sessions.find_session(timed, session).role is Role.VIEWER
    clock.now += timedelta(hours=12)

    assert sessions.find_session(timed, session) is None


def test_a_session_in_use_ends_after_a_week(timed, clock):
    """Even one that is used every hour ends seven days after the login."""
    session = sessions.redeem_link(timed, sessions.create_login_link(timed).reveal()).reveal()
    hours = 0
    while sessions.find_session(timed, session) is not None:
        clock.now += timedelta(hours=1)
        hours += 1

    assert hours == 7 * 24


def test_a_token_expires(timed, clock):
    """A token with a lifetime lets in until it is over."""
    secret = access.create_token(timed, "ci", Role.INGEST, lifetime=timedelta(days=1))[1].reveal()
    assert access.find_token(timed, secret).role is Role.INGEST
    clock.now += timedelta(days=1)

    assert access.find_token(timed, secret) is None


def test_tokens_are_listed_without_their_secret(timed, clock):
    """The list says who has which role and when it was used, and names the secret nowhere."""
    summary, secret = access.create_token(timed, "grafana", Role.VIEWER)
    access.find_token(timed, secret.reveal())
    (listed,) = access.list_tokens(timed)

    assert secret.reveal().startswith(summary.prefix)
    assert len(summary.prefix) < 12
    assert (listed.name, listed.role, listed.last_used_at, listed.is_revoked) == ("grafana", "viewer", clock.now, False)
    assert secret.reveal() not in repr((listed, summary, secret))


def test_a_name_of_a_token_is_taken_once(timed):
    """A second token of a name is refused until the first is revoked."""
    access.create_token(timed, "ci", Role.INGEST)
    with pytest.raises(WrongUse, match="token ci already"):
        access.create_token(timed, "ci", Role.INGEST)
    access.revoke_token(timed, "ci")

    assert access.create_token(timed, "ci", Role.VIEWER)[0].role is Role.VIEWER
    with pytest.raises(NotKnown):
        access.revoke_token(timed, "other")


def test_no_secret_is_in_the_database(timed, tmp_path):
    """What the database keeps of tokens, links and sessions lets nobody in."""
    link = sessions.create_login_link(timed).reveal()
    session = sessions.redeem_link(timed, link).reveal()
    token = access.create_token(timed, "ci", Role.ADMIN)[1].reveal()
    kept = b"".join(file.read_bytes() for file in (tmp_path / "timed").glob("headwater.db*"))

    assert kept
    for secret in (link, session, token):
        assert secret.encode() not in kept


def test_tokens_can_be_told_from_noise():
    """A token has the letter of its role and check characters; one changed character breaks it."""
    for role in Role:
        token = access.make_token(role)

        assert token.startswith(f"hw_{role[0]}_")
        assert len(token) == 43
        assert access.is_token(token)
        assert not access.is_token(token[:-1] + ("a" if token[-1] != "a" else "b"))
        assert not access.is_token(token[:12] + ("a" if token[12] != "a" else "b") + token[13:])
