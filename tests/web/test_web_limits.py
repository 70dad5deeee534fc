"""To what a user or an API token is limited: an account by its addresses, and never an admin."""

from __future__ import annotations

import pytest
from web_people import log_in_named

from cloud import NOON, connect, running_cloud, watching
from headwater.collect import CollectedRun, encode
from headwater.errors import NotAllowed, WrongUse
from headwater.model.account import AccountAddress
from headwater.model.run import Run, RunStatus
from headwater.observatory import access, users
from headwater.observatory.access import Role
from headwater.observatory.accounts import remove_account
from headwater.observatory.holder import Observatory
from headwater.observatory.inbox import accept
from headwater.observatory.sessions import find_session
from headwater.store.accounts import find_account, save_account
from headwater.store.aliases import move_account, save_alias


def test_an_account_that_takes_the_place_of_a_removed_one_is_not_seen(tmp_path):
    """The key of an account that was removed may be another one's later: the limit is to the account itself."""
    with running_cloud(days=1) as cloud, watching(cloud, tmp_path, accounts=2) as observatory:
        users.add_user(observatory, "erin", Role.VIEWER, accounts=["second"])
        before = find_caller_of(observatory, "erin").account_keys
        remove_account(observatory, "second")
        gone = find_caller_of(observatory, "erin").account_keys
        with observatory.store.write() as tx:
            other = save_account(tx, "other", AccountAddress("https://other.example", 5), cloud.now)
        still = find_caller_of(observatory, "erin").account_keys
        named = next(user.accounts for user in users.list_users(observatory).users if user.name == "erin")
        connect(cloud, observatory, "second")
        again = find_caller_of(observatory, "erin").account_keys

    assert before == {other.account_key}
    assert (gone, still) == (frozenset(), frozenset())
    assert named is not None
    assert named[0].startswith(f"account {cloud.simulator.accounts[1].id} at ")
    assert len(again or ()) == 1
    assert not again & {other.account_key}


def test_a_limit_follows_an_account_to_its_new_address(tmp_path):
    """An account that only the SDK told of is connected by another address: whoever is limited to it still is."""
    with running_cloud(days=1) as cloud, watching(cloud, tmp_path, accounts=1) as observatory:
        users.add_user(observatory, "fred", Role.VIEWER, accounts=["first"])
        with observatory.store.write() as tx:
            account = find_account(tx, "first")
            assert account is not None
            move_account(tx, account, "moved", AccountAddress("https://moved.example", 6), cloud.now)
            save_alias(tx, account, account.address.origin, cloud.now)
        caller = find_caller_of(observatory, "fred")

    assert caller.account_keys == {account.account_key}


def test_an_admin_is_not_limited(tmp_path):
    """What is administered is one whole: no limit for an admin or its token; one that was set sleeps, and wakes up."""
    with running_cloud(days=1) as cloud, watching(cloud, tmp_path, accounts=1) as observatory:
        users.add_user(observatory, "root", Role.ADMIN)
        users.add_user(observatory, "gina", Role.VIEWER, accounts=["first"])
        refused = (
            lambda: users.set_accounts(observatory, "root", ["first"]),
            lambda: users.add_user(observatory, "more", Role.ADMIN, accounts=["first"]),
            lambda: access.create_token(observatory, "t", Role.ADMIN, accounts=["first"]),
            lambda: access.create_token(observatory, "t", Role.VIEWER, account_id=7),
            lambda: access.create_token(observatory, "t", Role.INGEST, accounts=["first"], account_id=7),
            lambda: access.create_token(observatory, "t", Role.VIEWER, accounts=[]),
            lambda: access.create_token(observatory, "t", Role.VIEWER, accounts=["first", "nobody"]),
            lambda: users.set_accounts(observatory, "gina", ["nobody"]),
        )
        for act in refused:
            with pytest.raises(WrongUse):
                act()
        users.set_role(observatory, "gina", Role.ADMIN)
        as_admin = find_caller_of(observatory, "gina")
        users.set_role(observatory, "gina", Role.VIEWER)
        as_viewer = find_caller_of(observatory, "gina")

        assert (as_admin.account_keys, as_admin.accounts) == (None, None)
        assert as_viewer.account_keys == {1}
        assert [user.name for user in users.list_users(observatory).users] == ["gina", "root"]
        assert access.list_tokens(observatory) == ()


def test_a_token_that_hands_in_is_limited_by_name_too(tmp_path):
    """Runs of the account it names, by any address of it, are taken; another account's and target folders are not."""
    with running_cloud(days=1) as cloud, watching(cloud, tmp_path, accounts=2) as observatory:
        _, secret = access.create_token(observatory, "airflow", Role.INGEST, accounts=["first"])
        caller = access.find_token(observatory, secret.reveal())
        with observatory.store.write() as tx:
            first, second = (find_account(tx, name) for name in ("first", "second"))
            save_alias(tx, first, "https://alias.example", cloud.now)
        own, alias = first.address, AccountAddress("https://alias.example", first.address.account_id)
        taken = [accept(observatory, pack(address), only=caller.accounts).is_new for address in (own, alias)]
        elsewhere = AccountAddress("https://elsewhere.example", first.address.account_id)
        for address in (second.address, elsewhere):
            with pytest.raises(NotAllowed, match="runs of first only"):
                accept(observatory, pack(address), only=caller.accounts)

    assert taken == [True, True]


def pack(address: AccountAddress) -> bytes:
    """Pack a run as the SDK hands it in."""
    run = Run(run_id=7, status=RunStatus.SUCCESS, project_id=1, environment_id=2, job_id=3)
    return encode(CollectedRun(address=address, run=run, artifacts=(), collected_at=NOON))


def find_caller_of(observatory: Observatory, name: str) -> access.Caller:
    """Log a user in and find who that is."""
    caller = find_session(observatory, log_in_named(observatory, name))
    assert caller is not None
    return caller
