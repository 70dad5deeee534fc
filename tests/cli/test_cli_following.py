"""`headwater account show|filter|pause|resume|remove`."""

from __future__ import annotations

import pytest

from headwater.config import Settings
from headwater.observatory.holder import get_account, open_observatory
from headwater.observatory.webhooks import subscribe
from headwater.simulator import RunningSimulator
from program import Program


@pytest.fixture
def acme(program: Program, simulator: RunningSimulator) -> Program:
    """The program with the simulator's first account connected as acme."""
    program.settings["HEADWATER__DBT_CLOUD__REQUESTS_PER_MINUTE"] = "60000"
    account = simulator.accounts[0]
    words = ("account", "add", "acme", "--account-id", account.id, "--url", simulator.url, "--token-stdin")
    assert program.run(*words, stdin=f"{account.token}\n").status == 0
    return program


def test_what_is_followed_as_a_document(acme: Program) -> None:
    """`filter` and `show` print the same document, with every thing's id and whether it is followed."""
    chosen = acme.run("account", "filter", "acme", "--project", "finance", "--no-ci", "--json")
    shown = acme.run("account", "show", "acme", "--json")
    listed = acme.run("account", "list", "--json").json["accounts"]
    again = acme.run("account", "filter", "acme", "--project", "finance", "--no-ci")
    unknown = acme.run("account", "filter", "acme", "--job", "Nihgtly build")
    nobody = acme.run("account", "filter", "nobody", "--all")

    projects = {thing["name"]: thing["is_followed"] for thing in shown.json["choices"][0]["things"]}
    assert chosen.json["choices"] == shown.json["choices"]
    assert (shown.json["with_ci"], projects) == (False, {"Finance": True, "Storefront": False})
    assert listed[0]["follows"] == "Follows project Finance, without CI jobs."
    assert "Follows project Finance, without CI jobs." in again.out
    assert (unknown.status, nobody.status) == (2, 2)
    assert "The token sees no job 'Nihgtly build'. Did you mean Nightly build?" in unknown.err
    assert "There is no account 'nobody'" in nobody.err


def test_removing_an_account_ends_its_webhook(acme: Program, simulator: RunningSimulator) -> None:
    """The subscription is gone at dbt Cloud; where the token may not end it, a sentence says so and nothing stops."""
    account = simulator.accounts[0]
    with open_observatory(Settings(data_folder=acme.data)) as observatory:
        ended = subscribe(observatory, "acme", "https://headwater.example.com", sleep=lambda _: None).subscription_id
        removed = acme.run("account", "remove", "acme", "--yes")
        words = ("account", "add", "again", "--account-id", account.id, "--url", simulator.url, "--token-stdin")
        acme.run(*words, stdin=f"{account.token}\n")
        listed = {
            found.subscription_id
            for found in observatory.client(get_account(observatory, "again")).subscriptions().list_all()
        }
        left = subscribe(observatory, "again", "https://headwater.example.com", sleep=lambda _: None).subscription_id
    acme.run("account", "set-token", "again", "--token-stdin", stdin=account.tokens["read_only"])
    noted = acme.run("account", "remove", "again", "--yes")

    assert ended
    assert ended not in listed
    assert (removed.status, removed.out, removed.err) == (0, "acme was removed.\n", "")
    assert (noted.status, noted.out) == (0, "again was removed.\n")
    assert f"Its webhook {left} could not be ended at dbt Cloud" in noted.err
    assert acme.run("account", "list", "--json").json["accounts"] == []
    assert [place for secret in account.tokens.values() for place in acme.spilled(secret)] == []
