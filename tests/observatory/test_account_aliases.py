"""An account under several addresses: what the SDK sends joins it, and its token goes to its own address only."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from dbt_places import NOW, make_table, open_places, save_place

from cloud import running_cloud, watching
from headwater.collect import CollectedRun, encode
from headwater.dbtcloud.origin import is_same_region
from headwater.errors import NotKnown, WrongUse
from headwater.model.account import AccountAddress
from headwater.model.run import Run, RunStatus
from headwater.model.secret import Secret
from headwater.observatory.accounts import add_account, list_accounts
from headwater.observatory.aliases import add_alias, find_sibling, get_aliases, remove_alias, take_over
from headwater.observatory.collecting import receive
from headwater.observatory.holder import Observatory
from headwater.observatory.syncing import make_pass
from headwater.observatory.warehouses import add_warehouse, refresh_warehouse
from headwater.store.accounts import find_account

ORDERS = make_table("model.shop.orders", '"shop"."main"."orders"')


@pytest.fixture
def observatory(tmp_path: Path, store_url: str) -> Iterator[Observatory]:
    """An observatory with the account 42 at its access URL."""
    with open_places(tmp_path, store_url) as opened:
        save_place(opened, (ORDERS,))
        yield opened


def send(observatory: Observatory, origin: str, account_id: int = 42, run_id: int = 1) -> str:
    """Hand in a run as the SDK does, and give the name of the account it was stored under."""
    run = Run(run_id=run_id, status=RunStatus.SUCCESS, created_at=NOW, updated_at=NOW, finished_at=NOW)
    collected = CollectedRun(address=AccountAddress(origin, account_id), run=run, artifacts=(), collected_at=NOW)
    return receive(observatory, encode(collected), NOW).account


@pytest.mark.parametrize(
    ("one", "other", "is_same"),
    [
        ("https://cloud.getdbt.com", "https://ab123.us1.dbt.com", True),
        ("https://emea.dbt.com", "https://ab123.eu1.dbt.com", True),
        ("https://au.dbt.com", "https://ab123.au1.dbt.com", True),
        ("https://cloud.getdbt.com", "https://ab123.eu1.dbt.com", False),
        ("https://cloud.getdbt.com", "https://ab123.us2.dbt.com", False),
        ("https://ab123.us1.dbt.com", "https://cd456.us1.dbt.com", False),
        ("https://cloud.getdbt.com", "https://ab123.us1.dbt.com.evil.example", False),
        ("https://cloud.getdbt.com", "http://ab123.us1.dbt.com", False),
        ("https://cloud.getdbt.com", "https://ab123.us1.dbt.com:8443", False),
        ("https://cloud.getdbt.com", "https://a.b.us1.dbt.com", False),
        ("https://cloud.getdbt.com", "local:", False),
    ],
)
def test_only_the_two_addresses_of_one_region_are_the_same(one: str, other: str, is_same: bool) -> None:
    """An access URL and the older address of its own region are alike, whichever comes first; nothing else is."""
    assert is_same_region(one, other) is is_same
    assert is_same_region(other, one) is is_same


def test_the_default_address_of_the_sdk_joins_the_account(observatory: Observatory) -> None:
    """A run sent under cloud.getdbt.com is of the account with this id in us1; the address is listed from then on."""
    assert send(observatory, "https://cloud.getdbt.com") == "acme"
    assert send(observatory, "https://cloud.getdbt.com", run_id=2) == "acme"
    assert get_aliases(observatory, "acme").aliases == ("https://cloud.getdbt.com",)
    assert [(row.account, row.runs) for row in list_accounts(observatory).accounts] == [("acme", 2)]


@pytest.mark.parametrize(
    ("origin", "account_id"),
    [("https://cloud.getdbt.com", 43), ("https://emea.dbt.com", 42), ("https://x.example", 42)],
)
def test_another_id_or_region_is_another_account(observatory: Observatory, origin: str, account_id: int) -> None:
    """What only looks alike is kept apart."""
    assert send(observatory, origin, account_id) == f"account-{account_id}"


def test_two_accounts_that_fit_alike_are_not_chosen_between(observatory: Observatory) -> None:
    """Where two access URLs of a region have the id, the older address joins neither."""
    save_place(observatory, (ORDERS,), account="other")

    assert send(observatory, "https://cloud.getdbt.com") == "account-42"


def test_an_alias_that_was_given_joins_and_can_be_taken_away(observatory: Observatory) -> None:
    """`account alias` makes an own domain the account's; taken away, what comes later is another account's."""
    given = add_alias(observatory, "acme", "dbt.acme.example/settings")
    joined = send(observatory, "https://dbt.acme.example")
    taken = remove_alias(observatory, "acme", "https://dbt.acme.example")

    assert given.aliases == ("https://dbt.acme.example",)
    assert joined == "acme"
    assert taken.aliases == ()
    assert send(observatory, "https://dbt.acme.example") == "account-42"
    with pytest.raises(NotKnown, match="no other address of acme"):
        remove_alias(observatory, "acme", "dbt.acme.example")


def test_an_address_belongs_to_one_account(observatory: Observatory) -> None:
    """Its own address, that of an account with runs of its own, and no address at all are refused."""
    assert send(observatory, "https://dbt.acme.example") == "account-42"

    for url, said in (
        ("dbt.acme.example", "is 'account-42' already"),
        ("acme.us1.dbt.com", "is the address of acme itself"),
        ("ftp://x", "begins with ftp"),
        ("💥", "outside ASCII"),
    ):
        with pytest.raises(WrongUse, match=said):
            add_alias(observatory, "acme", url)


def test_connecting_takes_over_what_the_sdk_told_before(observatory: Observatory, tmp_path: Path) -> None:
    """The account of the SDK moves to the address that is connected, with its runs and what is sealed for it."""
    send(observatory, "https://cloud.getdbt.com", account_id=77)
    shop = tmp_path / "shop.duckdb"
    _make_shop(shop)
    add_warehouse(observatory, "duck", account="account-77", url=str(shop), allow_private=True)
    address = AccountAddress("https://zz9.us1.dbt.com", 77)

    with observatory.store.write() as tx:
        sibling = find_sibling(tx, address)
        take_over(tx, observatory.key, sibling, "seven", address, NOW)

    with observatory.store.read() as tx:
        moved = find_account(tx, "seven")
    assert moved.address == address
    assert get_aliases(observatory, "seven").aliases == ("https://cloud.getdbt.com",)
    assert send(observatory, "https://cloud.getdbt.com", account_id=77, run_id=9) == "seven"
    assert refresh_warehouse(observatory, "duck").tables == 1


def test_account_add_takes_over_an_account_that_was_given_its_address(tmp_path: Path) -> None:
    """`account add` under an alias of an account without a token connects that account, runs included."""
    with running_cloud() as cloud, watching(cloud, tmp_path, accounts=0) as here:
        (first, _) = cloud.simulator.accounts
        sent_to = send(here, "https://dbt.acme.example", account_id=first.id)
        add_alias(here, sent_to, cloud.simulator.url)

        summary, _ = add_account(
            here, "first", account_id=first.id, url=cloud.simulator.url, token=Secret(first.token), allow_private=True
        )

        assert (summary.runs, summary.aliases) == (1, ("https://dbt.acme.example",))
        assert [row.account for row in list_accounts(here).accounts] == ["first"]
        assert make_pass(here, "first").runs_new > 1


def test_no_request_ever_goes_to_an_alias(tmp_path: Path) -> None:
    """An account with an alias is synced from its own address; the host of the alias hears nothing."""
    with (
        running_cloud(seed=1) as cloud,
        running_cloud(seed=2) as stranger,
        watching(cloud, tmp_path, accounts=1) as here,
    ):
        add_alias(here, "first", stranger.simulator.url)
        heard = stranger.requests()

        make_pass(here, "first")

        assert stranger.requests() == heard
        assert list_accounts(here).accounts[0].runs > 0
        assert list_accounts(here).accounts[0].aliases == (stranger.simulator.url,)


def _make_shop(path: Path) -> None:
    import duckdb

    with duckdb.connect(str(path)) as connection:
        connection.execute("CREATE TABLE orders (id INTEGER)")
