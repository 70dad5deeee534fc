"""`headwater account …` and `headwater token …`: connecting by a token that nobody ever sees again."""

from __future__ import annotations

import pytest

from headwater.simulator import RunningSimulator
from program import Program, Said


def add(program: Program, simulator: RunningSimulator, name: str, kind: str = "service", *more: str) -> Said:
    """Connect the simulator's first account."""
    account = simulator.accounts[0]
    words = ("account", "add", name, "--account-id", account.id, "--url", simulator.url, "--token-stdin", *more)
    return program.run(*words, stdin=f"{account.tokens[kind]}\n")


def test_an_account_lives_through_the_command_line(program: Program, simulator: RunningSimulator) -> None:
    """Add, list, check, replace the token, remove: each says what it did, and no token ever stands open."""
    tokens = simulator.accounts[0].tokens

    added = add(program, simulator, "acme")
    listed = program.run("account", "list", "--json")
    checked = program.run("account", "check", "acme", "--json")
    replaced = program.run("account", "set-token", "acme", "--token-stdin", stdin=tokens["read_only"])
    asked = program.run("account", "remove", "acme")
    removed = program.run("account", "remove", "acme", "--yes")
    empty = program.run("account", "list", "--json")

    assert (added.status, added.err) == (0, "")
    assert "acme is connected" in added.out
    (account,) = listed.json["accounts"]
    assert (account["account"], account["status"], account["token_hint"]) == ("acme", "new", tokens["service"][-4:])
    assert (checked.status, checked.json["is_usable"]) == (0, True)
    assert {line["name"] for line in checked.json["lines"]} >= {"reachable", "token", "account", "runs", "jobs"}
    assert (replaced.status, removed.status, empty.json["accounts"]) == (0, 0, [])
    assert (asked.status, asked.out) == (2, "")
    assert "--yes" in asked.err
    assert [place for secret in tokens.values() for place in program.spilled(secret)] == []


def test_a_token_that_lacks_a_permission_connects_nothing(program: Program, simulator: RunningSimulator) -> None:
    """The check names the permission that is missing, and nothing is saved."""
    refused = add(program, simulator, "acme", "no_runs")

    assert (refused.status, refused.out) == (2, "")
    assert "may not read runs" in refused.err
    assert program.run("account", "list", "--json").json["accounts"] == []


def test_checking_an_account_whose_token_was_narrowed_is_bad_news(
    program: Program, simulator: RunningSimulator
) -> None:
    """`account check` exits 1 once dbt Cloud takes the token no more, and so does `check`, with every line."""
    token = simulator.accounts[0].tokens["read_only"]
    add(program, simulator, "acme", "read_only")
    simulator.control("POST", "faults", {"revoke_tokens": [token]})
    try:
        checked, everything = program.run("account", "check", "acme"), program.run("check", "--json")
        kept = program.run("account", "set-token", "acme", "--token-stdin", stdin=token)
    finally:
        simulator.control("POST", "faults", {"clear": True})

    assert (checked.status, everything.status, kept.status) == (1, 1, 2)
    assert "does not accept the token" in checked.out
    lines = {line["name"]: line["ok"] for line in everything.json["lines"]}
    assert lines == {"configuration": True, "database": True, "key": True, "inbox": True, "acme": False}
    assert "The token was not replaced." in kept.err
    assert program.run("account", "check", "acme").status == 0


@pytest.mark.parametrize(
    ("words", "stdin", "said"),
    [
        (("account", "add", "acme", "--account-id", "1", "--url", "{url}", "--token-stdin"), "", "secret is empty"),
        (("account", "add", "acme", "--account-id", "1", "--url", "{url}"), "", "--token-stdin"),
        (
            ("account", "add", "acme", "--account-id", "x", "--url", "{url}", "--token-stdin"),
            "t",
            "'--account-id'",
        ),
        (("account", "add", "a/b", "--account-id", "1", "--url", "{url}", "--token-stdin"), "t", "without a slash"),
        (("account", "add", "acme", "--account-id", "1", "--url", "", "--token-stdin"), "t", "address is empty"),
        (("account", "check", "nobody"), "", "There is no account 'nobody'"),
        (("account", "remove", "nobody", "--yes"), "", "There is no account 'nobody'"),
    ],
)
def test_wrong_use_is_one_sentence(
    program: Program, simulator: RunningSimulator, words: tuple[str, ...], stdin: str, said: str
) -> None:
    """What was put wrongly exits 2 and says what to do, on standard error and without a traceback."""
    ended = program.run(*(word.format(url=simulator.url) for word in words), stdin=stdin)

    assert (ended.status, ended.out) == (2, "")
    assert said in ended.err
    assert len(ended.err.splitlines()) == 1


def test_tokens_of_this_installation(program: Program) -> None:
    """A token is printed once; the list, the data folder and a second creation never show it; revoking is final."""
    created = program.run("token", "create", "airflow", "--role", "ingest")
    secret = created.out.strip()
    said = program.said.pop(0)
    again = program.run("token", "create", "airflow", "--role", "ingest")
    listed = program.run("token", "list", "--json")
    revoked = program.run("token", "revoke", "airflow")
    twice = program.run("token", "revoke", "airflow")

    assert (created.status, created.err, said) == (0, "", f"{secret}\n")
    assert secret.startswith("hw_i_")
    assert (again.status, again.out) == (2, "")
    (token,) = listed.json["tokens"]
    assert (token["name"], token["role"], token["is_revoked"]) == ("airflow", "ingest", False)
    assert (revoked.status, twice.status) == (0, 2)
    assert program.spilled(secret) == []
