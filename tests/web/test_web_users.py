"""Users, passwords and what the settings change, on the real store and over the wire."""

import html
import re
from datetime import timedelta
from urllib.parse import quote, urlencode

import pytest
from web_people import log_in_as

from headwater.errors import NotKnown, TooManyTries, WrongUse
from headwater.model.account import AccountAddress
from headwater.model.secret import Secret
from headwater.observatory import access, sessions, users
from headwater.observatory.access import Role
from headwater.observatory.audit import Actor, list_audit
from headwater.store.accounts import save_account

OURS = {"Sec-Fetch-Site": "same-origin", "Content-Type": "application/x-www-form-urlencoded"}
PASSWORD = "correct horse battery"


def send(site, path, session=None, **fields):
    """Send a form."""
    return site.ask(path, "POST", session=session, headers=OURS, body=urlencode(fields, doseq=True))


def session_of(reply):
    """Read the session out of an answer's cookie."""
    return reply.headers["set-cookie"].partition(";")[0].partition("=")[2]


def test_a_password_lets_in_and_only_the_right_one(site, observatory):
    """Name and password give a session; the name may have capitals, the password may not be another."""
    users.add_user(observatory, "Ada@example.com", Role.OPERATOR, Secret(PASSWORD))
    right = send(site, "/login", name="ADA@example.com ", password=PASSWORD)
    wrong = send(site, "/login", name="ada@example.com", password=PASSWORD + "!")
    unknown = send(site, "/login", name="bob", password=PASSWORD)

    assert (right.status, right.headers["location"]) == (303, "/")
    assert "operator" in site.ask("/settings", session=session_of(right)).text
    assert (wrong.status, unknown.status) == (401, 401)
    assert "set-cookie" not in wrong.headers
    assert wrong.text.replace("ada@example.com", "") == unknown.text.replace("bob", "")


def test_the_sixth_try_within_a_minute_is_refused_even_with_the_right_password(timed, clock):
    """Five tries a minute for a name from an address, known or not; another address and the next minute are free."""
    users.add_user(timed, "ada", Role.VIEWER, Secret(PASSWORD))
    for name in ("ada", "nobody"):
        tried = [users.log_in(timed, name, "wrong", address="10.0.0.1") for _ in range(5)]
        assert tried == [None] * 5
        with pytest.raises(TooManyTries):
            users.log_in(timed, name, PASSWORD, address="10.0.0.1")
    assert users.log_in(timed, "ada", PASSWORD, address="10.0.0.2") is not None
    clock.now += timedelta(seconds=59)
    with pytest.raises(TooManyTries):
        users.log_in(timed, "ada", PASSWORD, address="10.0.0.1")
    clock.now += timedelta(seconds=1)

    assert users.log_in(timed, "ada", PASSWORD, address="10.0.0.1") is not None
    assert users.log_in(timed, "ada", "wrong", address="10.0.0.1") is None


def test_one_address_may_not_try_many_names(timed):
    """Thirty tries a minute from an address, for whatever names."""
    for number in range(30):
        users.log_in(timed, f"name-{number}", "wrong", address="10.0.0.1")
    with pytest.raises(TooManyTries):
        users.log_in(timed, "name-30", "wrong", address="10.0.0.1")


def test_too_many_tries_over_the_wire_are_a_429(site, observatory):
    """The login page says to wait."""
    replies = [send(site, "/login", name="ada", password="wrong") for _ in range(6)]

    assert [reply.status for reply in replies] == [401] * 5 + [429]
    assert "Wait a minute" in replies[-1].text


def test_what_is_kept_of_a_password_is_argon2id_with_its_cost(observatory, tmp_path):
    """The hash names algorithm and cost; the password itself is nowhere in the files."""
    users.add_user(observatory, "ada", Role.VIEWER, Secret(PASSWORD))
    kept = b"".join(file.read_bytes() for file in (tmp_path / "data").glob("headwater.db*"))

    assert b"$argon2id$v=19$m=19456,t=2,p=1$" in kept
    assert PASSWORD.encode() not in kept


@pytest.mark.parametrize("password", ["short", "a" * 257, "adaada adaad"])
def test_a_password_that_is_no_good_is_refused(observatory, password):
    """Too short, too long, or little more than the name: nothing is saved, and the message does not repeat it."""
    with pytest.raises(WrongUse) as refused:
        users.add_user(observatory, "adaada", Role.VIEWER, Secret(password))

    assert password not in str(refused.value)
    assert users.list_users(observatory).users == ()


@pytest.mark.parametrize("name", ["", " ", "-ada", "a b", "a/b", "ä", "a" * 81, "<b>", "a\x00"])
def test_a_name_that_is_none_is_refused(observatory, name):
    """Names are few characters that mean nothing elsewhere."""
    with pytest.raises(WrongUse, match="user's name"):
        users.add_user(observatory, name, Role.VIEWER)


def test_a_change_of_role_ends_every_session_and_counts_at_once(observatory):
    """Who was logged in logs in anew, with the other role; so it is where somebody is disabled."""
    session = log_in_as(observatory, Role.OPERATOR)
    log_in_as(observatory, Role.ADMIN)
    link = sessions.create_login_link(observatory, "some-operator").reveal()
    users.set_role(observatory, "some-operator", Role.VIEWER)

    assert sessions.find_session(observatory, session) is None
    assert sessions.redeem_link(observatory, link) is None
    again = log_in_as(observatory, Role.OPERATOR)
    assert sessions.find_session(observatory, again).role is Role.VIEWER
    users.disable_user(observatory, "some-operator")
    assert sessions.find_session(observatory, again) is None
    with pytest.raises(WrongUse, match="disabled"):
        sessions.create_login_link(observatory, "some-operator")


def test_a_disabled_user_is_refused_as_a_stranger_is(timed):
    """The right password of somebody who is disabled lets nobody in."""
    users.add_user(timed, "ada", Role.VIEWER, Secret(PASSWORD))
    users.disable_user(timed, "ada")
    assert users.log_in(timed, "ada", PASSWORD) is None
    users.enable_user(timed, "ada")

    assert users.log_in(timed, "ada", PASSWORD) is not None


def test_the_last_admin_stays(observatory):
    """Neither disabled nor made less, until there is another; and ingest is no role of a person."""
    users.add_user(observatory, "ada", Role.ADMIN, Secret(PASSWORD))
    for change in (
        lambda: users.disable_user(observatory, "ada"),
        lambda: users.remove_user(observatory, "ada"),
        lambda: users.set_role(observatory, "ada", Role.VIEWER),
    ):
        with pytest.raises(WrongUse, match="ada is the last admin"):
            change()
    with pytest.raises(WrongUse, match="for API tokens"):
        users.set_role(observatory, "ada", Role.INGEST)
    with pytest.raises(NotKnown):
        users.disable_user(observatory, "bob")
    users.add_user(observatory, "bob", Role.ADMIN)
    users.disable_user(observatory, "ada")

    assert [(user.name, user.is_disabled) for user in users.list_users(observatory).users] == [
        ("ada", True),
        ("bob", False),
    ]


def test_the_first_link_creates_the_admin_and_later_ones_enter_it(observatory):
    """There is one admin however many links are printed, and none is needed once there is a password."""
    links = [sessions.create_login_link(observatory).reveal() for _ in range(2)]
    callers = [sessions.find_session(observatory, sessions.redeem_link(observatory, link).reveal()) for link in links]

    assert [(caller.name, caller.role, caller.has_password) for caller in callers] == [("admin", "admin", False)] * 2
    assert sessions.needs_first_login(observatory)
    users.set_password(observatory, "admin", Secret(PASSWORD))
    assert not sessions.needs_first_login(observatory)


def test_the_login_page_asks_for_a_password_once_somebody_has_one(site, observatory):
    """Before that it asks for the link that the terminal shows."""
    before = site.ask("/login").text
    users.add_user(observatory, "ada", Role.ADMIN, Secret(PASSWORD))
    after = site.ask("/login").text

    assert ('name="password"' in before, 'name="password"' in after) == (False, True)
    assert ('name="link"' in before, 'name="link"' in after) == (True, True)


def test_a_login_ends_the_session_there_was_before(site, observatory):
    """The cookie that was sent with the login lets nobody in afterwards."""
    users.add_user(observatory, "ada", Role.ADMIN, Secret(PASSWORD))
    first = session_of(send(site, "/login", name="ada", password=PASSWORD))
    second = session_of(send(site, "/login", first, name="ada", password=PASSWORD))

    assert site.ask("/settings", session=first).status == 303
    assert site.ask("/settings", session=second).status == 200


def test_ones_own_password_is_changed_against_the_old_one(site, observatory):
    """A wrong one, a short one and two that differ change nothing; the right ones end every other session."""
    users.add_user(observatory, "ada", Role.VIEWER, Secret(PASSWORD))
    here, there = (session_of(send(site, "/login", name="ada", password=PASSWORD)) for _ in range(2))
    new = "another good password"
    refused = [
        send(site, "/settings/password", here, password="wrong", new=new, again=new),
        send(site, "/settings/password", here, password=PASSWORD, new="short", again="short"),
        send(site, "/settings/password", here, password=PASSWORD, new=new, again=new + "!"),
    ]
    done = send(site, "/settings/password", here, password=PASSWORD, new=new, again=new)

    assert [reply.status for reply in refused] == [400] * 3
    assert not [reply for reply in refused if new in reply.text]
    assert (done.status, done.headers["location"]) == (303, "/settings?saved=password")
    assert site.ask("/settings", session=session_of(done)).status == 200
    assert [site.ask("/settings", session=session).status for session in (here, there)] == [303, 303]
    assert send(site, "/login", name="ada", password=PASSWORD).status == 401
    assert send(site, "/login", name="ada", password=new).status == 303


def test_somebody_sees_where_he_is_logged_in(timed, clock):
    """Every session that has not ended, with its address and times, the one that asks marked; nobody else's."""
    users.add_user(timed, "ada", Role.VIEWER, Secret(PASSWORD))
    users.add_user(timed, "bob", Role.VIEWER, Secret(PASSWORD))
    users.log_in(timed, "bob", PASSWORD, address="10.0.0.3")
    at = clock.now
    users.log_in(timed, "ada", PASSWORD, address="10.0.0.1")
    clock.now += timedelta(hours=11)
    here = users.log_in(timed, "ada", PASSWORD, address="10.0.0.2")
    both = sessions.list_sessions(timed, "ada", here.reveal())
    clock.now += timedelta(hours=2)

    assert [(one.address, one.began_at, one.is_this) for one in both] == [
        ("10.0.0.2", at + timedelta(hours=11), True),
        ("10.0.0.1", at, False),
    ]
    assert [one.address for one in sessions.list_sessions(timed, "ada")] == ["10.0.0.2"]


def test_logging_out_everywhere(site, observatory):
    """Every session of the one who asks ends, nobody else's."""
    mine, also_mine, other = (log_in_as(observatory, role) for role in (Role.VIEWER, Role.VIEWER, Role.ADMIN))
    before = site.ask("/settings", session=mine).text
    reply = send(site, "/settings/logout", mine)

    assert before.count('<td class="lead">') == 2
    assert before.count('<span class="meta">here</span>') == 1
    assert (reply.status, reply.headers["location"]) == (303, "/login")
    assert [site.ask("/settings", session=session).status for session in (mine, also_mine, other)] == [303, 303, 200]


def test_a_user_is_invited_by_the_form_and_sets_a_password(site, observatory):
    """The link is shown once, lets in once, and leads to where a password is set."""
    admin = log_in_as(observatory, Role.ADMIN)
    shown = send(site, "/settings/users", admin, name="Bob", role="viewer", sees="all")
    link = shown.text.partition('aria-label="Login link">')[2].partition("<")[0]
    entered = send(site, "/login", link=link)
    bob = session_of(entered)
    done = send(site, "/settings/password", bob, new=PASSWORD, again=PASSWORD)

    assert link.startswith(f"{site.url}/login#")
    assert link not in site.ask("/settings/users", session=admin).text
    assert (entered.status, entered.headers["location"]) == (303, "/settings")
    assert done.status == 303
    assert send(site, "/login", link=link).status == 401
    assert send(site, "/login", name="bob", password=PASSWORD).status == 303


def test_users_are_changed_by_the_forms(site, observatory):
    """Role, disable, enable and a fresh link; what cannot be is said on the page and changes nothing."""
    admin = log_in_as(observatory, Role.ADMIN)
    users.add_user(observatory, "bob", Role.VIEWER)
    done = [
        send(site, "/settings/users/bob/role", admin, role="operator"),
        send(site, "/settings/users/bob/disable", admin),
        send(site, "/settings/users/bob/enable", admin),
    ]
    link = send(site, "/settings/users/bob/link", admin)
    all_of_it = {"role": "viewer", "sees": "all"}
    refused = [
        (send(site, "/settings/users/some-admin/disable", admin), 400, "the last admin"),
        (send(site, "/settings/users/bob/role", admin, role="ingest"), 400, "for API tokens"),
        (send(site, "/settings/users/bob/role", admin, role="king"), 400, "Choose a role"),
        (send(site, "/settings/users/nobody/disable", admin), 404, "There is no user nobody"),
        (send(site, "/settings/users/bob/crown", admin), 404, "nothing to"),
        (send(site, "/settings/users", admin, name="bob", **all_of_it), 400, "There is a user bob already"),
        (send(site, "/settings/users", admin, name="<i>", **all_of_it), 400, "user&#39;s name"),
    ]

    assert [reply.status for reply in done] == [303] * 3
    assert "/login#" in link.text
    for reply, status, sentence in refused:
        assert (reply.status, sentence in reply.text) == (status, True)
    bob = next(user for user in users.list_users(observatory).users if user.name == "bob")
    assert (bob.role, bob.is_disabled) == ("operator", False)


def test_a_removed_user_is_gone_at_once_and_its_name_lets_nobody_in(timed):
    """Sessions and links end, the password lets in no more, and whoever gets the name next is none of it."""
    users.add_user(timed, "ada", Role.ADMIN, Secret(PASSWORD))
    users.add_user(timed, "bob", Role.ADMIN, Secret(PASSWORD))
    session = users.log_in(timed, "bob", PASSWORD).reveal()
    link = sessions.create_login_link(timed, "bob").reveal()
    access.create_token(timed, "grafana", Role.VIEWER, by=Actor(name="bob"))
    access.create_token(timed, "old", Role.VIEWER, by=Actor(name="bob"))
    access.revoke_token(timed, "old")
    removed = users.remove_user(timed, "BOB", by=Actor(name="ada", address="10.0.0.1"))
    after = sessions.find_session(timed, session)
    users.add_user(timed, "bob", Role.VIEWER)

    assert (removed.name, removed.tokens, after) == ("bob", ("grafana",), None)
    assert sessions.find_session(timed, session) is None
    assert sessions.redeem_link(timed, link) is None
    assert users.log_in(timed, "bob", PASSWORD) is None
    assert [token.is_revoked for token in access.list_tokens(timed)] == [False, True]
    noted = [(event.actor, event.detail) for event in list_audit(timed).events if event.action == "user removed"]
    assert noted == [("ada", "admin")]
    with pytest.raises(NotKnown):
        users.remove_user(timed, "carl")


def test_a_user_is_removed_by_the_form(site, observatory):
    """The page says what stays; the last admin stays too, and whom nobody knows is not there."""
    admin = log_in_as(observatory, Role.ADMIN)
    bob = log_in_as(observatory, Role.VIEWER)
    access.create_token(observatory, "grafana", Role.VIEWER, by=Actor(name="some-viewer"))
    page = site.ask("/settings/users", session=admin).text
    done = send(site, "/settings/users/some-viewer/remove", admin)

    assert "created stay, for programs use them: grafana." in page
    assert (done.status, done.headers["location"]) == (303, "/settings/users?saved=remove")
    assert "The audit log keeps the name." in site.ask(done.headers["location"], session=admin).text
    assert site.ask("/settings", session=bob).status == 303
    assert "some-viewer" in site.ask("/settings/audit", session=admin).text
    assert send(site, "/settings/users/some-viewer/remove", admin).status == 404
    assert send(site, "/settings/users/some-admin/remove", admin).status == 400
    assert [user.name for user in users.list_users(observatory).users] == ["some-admin"]


def test_accounts_are_set_by_the_forms(site, observatory):
    """A user is limited when it is added or later, a token when it is created; naming none is refused, not all."""
    with observatory.store.write() as tx:
        for number, name in enumerate(("acme", "Höfe & Söhne")):
            save_account(tx, name, AccountAddress("https://cloud.example", number), observatory.store.now())
    admin = log_in_as(observatory, Role.ADMIN)
    both = {"sees": "named", "account": ["acme", "Höfe & Söhne"]}
    one = {"sees": "named", "account": ["acme"]}
    added = send(site, "/settings/users", admin, name="bob", role="viewer", **both)
    first = seen_by(observatory, "bob")
    changed = send(site, "/settings/users/bob/accounts", admin, **one)
    second, page = seen_by(observatory, "bob"), site.ask("/settings/users", session=admin).text
    none = send(site, "/settings/users/bob/accounts", admin, sees="named")
    unclear = send(site, "/settings/users/bob/accounts", admin)
    unknown = send(site, "/settings/users/bob/accounts", admin, sees="named", account="nobody")
    of_admin = send(site, "/settings/users/some-admin/accounts", admin, **one)
    third = seen_by(observatory, "bob")
    lifted = send(site, "/settings/users/bob/accounts", admin, sees="all")
    token = send(site, "/settings/tokens", admin, name="grafana", role="viewer", **one)
    tokens = site.ask("/settings/tokens", session=admin).text
    too_much = send(site, "/settings/tokens", admin, name="boss", role="admin", **one)

    assert (added.status, changed.status, lifted.status, token.status) == (200, 303, 303, 200)
    assert (first, second, third) == (("acme", "Höfe & Söhne"), ("acme",), ("acme",))
    assert "sees acme only" in page
    assert [reply.status for reply in (none, unclear, unknown, of_admin, too_much)] == [400, 400, 404, 400, 400]
    assert seen_by(observatory, "bob") is None
    assert [one.accounts for one in access.list_tokens(observatory)] == [("acme",)]
    assert "for acme only" in tokens
    noted = [event.detail for event in list_audit(observatory).events if event.action == "accounts changed"]
    assert noted == ["every account", "acme", "acme, Höfe & Söhne"]


@pytest.mark.parametrize("path", ["/settings/users", "/settings/tokens"])
def test_a_refused_form_keeps_what_it_limited(site, observatory, path):
    """Sent once more with what was wrong put right, it lets nobody see more than was chosen; no choice is refused."""
    with observatory.store.write() as tx:
        save_account(tx, "acme", AccountAddress("https://cloud.example", 7), observatory.store.now())
    admin = log_in_as(observatory, Role.ADMIN)
    refused = send(site, path, admin, name="a/b", role="operator", sees="named", account="acme")
    unsaid = send(site, path, admin, name="ci", role="operator", account_id="7")

    assert (refused.status, unsaid.status) == (400, 400)
    assert 'value="named" checked' in refused.text
    assert 'value="acme" checked' in refused.text
    assert "<option selected>operator" in refused.text
    assert 'value="a/b"' in refused.text


def test_a_refused_token_keeps_the_account_it_is_for(site, observatory):
    """The id of an account that is not connected stays in its field, and is still what counts."""
    admin = log_in_as(observatory, Role.ADMIN)
    form = {"name": "ci", "role": "viewer", "days": "365", "sees": "unconnected", "account_id": "12345"}
    refused = send(site, "/settings/tokens", admin, **form)

    assert refused.status == 400
    assert 'value="unconnected" checked' in refused.text
    assert 'value="12345"' in refused.text
    assert '<option value="365" selected>' in refused.text


def seen_by(observatory, name):
    """The accounts that a user sees alone."""
    return next(user.accounts for user in users.list_users(observatory).users if user.name == name)


def test_a_token_is_created_by_the_form_and_shown_once(site, observatory):
    """It lets in as what it was made for, has an end and an owner, and its revocation works at once."""
    admin = log_in_as(observatory, Role.ADMIN)
    shown = send(site, "/settings/tokens", admin, name="airflow prod", role="ingest", sees="all", days="30")
    secret = shown.text.partition('aria-label="API token">')[2].partition("<")[0]
    listed = site.ask("/settings/tokens", session=admin).text
    (token,) = access.list_tokens(observatory)

    assert access.is_token(secret)
    assert secret not in listed
    assert "by some-admin" in listed
    assert (token.role, token.created_by, (token.expires_at - token.created_at).days) == ("ingest", "some-admin", 30)
    assert access.find_token(observatory, secret).role is Role.INGEST
    assert send(site, "/settings/tokens", admin, name="x", role="viewer", sees="all", days="7").status == 400
    assert send(site, "/settings/tokens", admin, name="airflow prod", role="viewer", sees="all").status == 400
    assert (
        send(site, "/settings/tokens", admin, name="y", role="viewer", sees="unconnected", account_id="7").status == 400
    )
    assert (
        send(site, "/settings/tokens", admin, name="y", role="ingest", sees="unconnected", account_id="seven").status
        == 400
    )
    assert (
        send(
            site, "/settings/tokens", admin, name="one", role="ingest", sees="unconnected", account_id=" 12345 "
        ).status
        == 200
    )
    assert send(site, "/settings/tokens", admin, name="two", role="ingest", sees="all", account_id="7").status == 200
    assert [one.accounts for one in access.list_tokens(observatory)] == [None, ("account 12345",), None]
    assert "account 12345 only" in site.ask("/settings/tokens", session=admin).text
    assert send(site, "/settings/tokens/airflow%20prod/revoke", admin).status == 303
    assert access.find_token(observatory, secret) is None
    assert send(site, "/settings/tokens/airflow%20prod/revoke", admin).status == 404


def test_who_proves_to_be_somebody_goes_on_for_ten_minutes(timed_door, clock):
    """An old login may look but not change; the password, or a link where there is none, makes it fresh again."""
    with timed_door() as (site, timed):
        users.add_user(timed, "ada", Role.ADMIN, Secret(PASSWORD))
        old = session_of(send(site, "/login", name="ada", password=PASSWORD))
        clock.now += timedelta(minutes=11)
        page = site.ask("/settings/users", session=old)
        refused = send(site, "/settings/users", old, name="bob", role="viewer", sees="all")
        wrong = send(site, "/confirm", old, password="wrong", then="/settings/users")
        proved = send(site, "/confirm", old, password=PASSWORD, then="/settings/users")
        fresh = session_of(proved)
        added = send(site, "/settings/users", fresh, name="bob", role="viewer", sees="all")
        elsewhere = send(site, "/confirm", fresh, password=PASSWORD, then="//evil.example")

        assert 'action="/settings/users"' not in page.text
        assert "/confirm?then=/settings/users" in page.text
        assert refused.headers["location"] == "/confirm?then=/settings/users"
        assert (wrong.status, proved.status, proved.headers["location"]) == (401, 303, "/settings/users")
        assert site.ask("/settings", session=old).status == 303
        assert added.status == 200
        assert elsewhere.headers["location"] == "/settings"


def test_a_token_is_not_asked_for_before_the_proof_which_leads_back(timed_door, clock):
    """The page of an account, whatever it is called, asks for the proof instead of a token; so does what is sent."""
    page_of = "/accounts/" + quote("Highland Röster & Söhne 100%", safe="")
    with timed_door() as (site, timed):
        users.add_user(timed, "ada", Role.ADMIN, Secret(PASSWORD))
        old = session_of(send(site, "/login", name="ada", password=PASSWORD))
        fresh_page = site.ask(page_of, session=old).text
        clock.now += timedelta(minutes=11)
        page = site.ask(page_of, session=old).text
        sent = send(site, f"{page_of}/token", old, token="dbtc_secret")
        asked = re.search(r"/confirm[?]then=([^\"]+)", page)[0]
        then = re.search(r'name="then" value="([^"]*)"', site.ask(asked, session=old).text)[1]
        proved = send(site, "/confirm", old, password=PASSWORD, then=html.unescape(then))

        assert 'name="token"' in fresh_page
        assert 'name="token"' not in page
        assert (sent.status, sent.headers["location"]) == (303, asked)
        assert (proved.status, proved.headers["location"]) == (303, page_of)


def test_what_is_done_to_users_is_noted(observatory):
    """The audit log has who did it and to whom, and not what somebody typed in place of a name."""
    users.add_user(observatory, "ada", Role.ADMIN, Secret(PASSWORD))
    users.log_in(observatory, PASSWORD, "ada", address="10.0.0.1")
    users.log_in(observatory, "ada", PASSWORD, address="10.0.0.1")
    events = list_audit(observatory).events

    assert [(event.actor, event.action, event.subject) for event in events] == [
        ("ada", "logged in", "ada"),
        ("nobody", "login refused", "a name nobody has"),
        ("command line", "user added", "ada"),
    ]
    assert events[0].address == "10.0.0.1"
