"""The connection check: what it says of every way in which a connection may be wrong."""

from __future__ import annotations

from dataclasses import replace

import pytest
from evil_server import EvilServer, answer, drips, says

from headwater.dbtcloud.client import Client
from headwater.dbtcloud.connection import ConnectionReport, Probes, TokenKind, check_connection, judge
from headwater.dbtcloud.deadline import NoAnswer
from headwater.dbtcloud.reading import Account, User
from headwater.dbtcloud.retry import Failure
from headwater.dbtcloud.transport import open_transport
from headwater.errors import AccessDenied, DbtCloudError, NotVisible, RateLimited, ServerFault, TokenRejected
from headwater.model.account import AccountAddress
from headwater.model.secret import Secret

ADDRESS = AccountAddress("https://ab123.us1.dbt.com", 7)
SHOP = Account(account_id=7, name="Jaffle Shop", plan="enterprise")
OTHER = Account(account_id=8, name="Other Shop")
GOOD = Probes(
    accounts=(SHOP,),
    account=SHOP,
    counts={"projects": 2, "environments": 3, "jobs": 1, "runs": 1400},
    user=TokenRejected("no user"),
    can_read_tokens=False,
    token_prefix="dbtc_",
)


def lines(report: ConnectionReport) -> dict[str, tuple[bool | None, str]]:
    return {check.name: (check.ok, check.sentence) for check in report.checks}


def test_a_good_connection_says_what_it_sees() -> None:
    """A good connection says what it sees."""
    report = judge(GOOD, ADDRESS)
    assert report.is_usable
    assert (report.account, report.token_kind) == (SHOP, TokenKind.SERVICE)
    assert lines(report) == {
        "reachable": (True, "ab123.us1.dbt.com answers."),
        "token": (True, "The service token is accepted."),
        "account": (True, "Account 7 is Jaffle Shop, on the plan enterprise."),
        "projects": (True, "The token reads projects: 2 projects."),
        "environments": (True, "The token reads environments: 3 environments."),
        "jobs": (True, "The token reads jobs: 1 job."),
        "runs": (True, "The token reads runs: 1,400 runs."),
    }


def test_a_personal_token_names_its_person_and_is_not_told_off_for_what_the_person_may() -> None:
    """A personal token names its person and is not told off for what the person may."""
    user = User(user_id=3, email="ann@example.com")
    report = judge(replace(GOOD, user=user, token_prefix="", can_read_tokens=True), ADDRESS)
    assert report.token_kind is TokenKind.PERSONAL
    assert lines(report)["token"] == (True, "The personal token of ann@example.com is accepted.")
    assert "privileges" not in lines(report)


def test_a_token_that_may_more_than_needed_is_usable_and_hears_of_it_once() -> None:
    """A token that may more than needed is usable and hears of it once."""
    report = judge(replace(GOOD, can_read_tokens=True), ADDRESS)
    assert report.is_usable
    assert [check.ok for check in report.checks if check.name == "privileges"] == [None]
    assert sum("narrower" in check.hint for check in report.checks) == 1


@pytest.mark.parametrize("noun", ["projects", "environments", "jobs", "runs"])
@pytest.mark.parametrize("error", [AccessDenied("no", status=403), NotVisible("no", status=404)])
def test_each_missing_permission_is_named(noun: str, error: DbtCloudError) -> None:
    """Each missing permission is named."""
    counts = dict(GOOD.counts or {}) | {noun: error}
    report = judge(replace(GOOD, counts=counts), ADDRESS)
    assert not report.is_usable
    assert lines(report)[noun] == (False, f"The token may not read {noun}.")
    assert report.sentence == f"The token may not read {noun}."
    assert [name for name, (ok, _) in lines(report).items() if ok is False] == [noun]


def test_what_could_not_be_found_out_is_not_called_a_missing_permission() -> None:
    """What could not be found out is not called a missing permission."""
    counts = dict(GOOD.counts or {}) | {"jobs": ServerFault("It is in trouble (502).", status=502)}
    report = judge(replace(GOOD, counts=counts), ADDRESS)
    assert not report.is_usable
    assert lines(report)["jobs"][0] is None
    assert report.sentence.startswith("Whether the token may read jobs could not be found out.")


def test_a_token_that_is_granted_no_project_is_not_usable_but_an_account_without_runs_is() -> None:
    """A token that is granted no project is not usable but an account without runs is."""
    nothing = dict.fromkeys(GOOD.counts or {}, 0)
    report = judge(replace(GOOD, counts=nothing), ADDRESS)
    assert not report.is_usable
    assert report.sentence == "The token can see no project."
    report = judge(replace(GOOD, counts=nothing | {"projects": 1}), ADDRESS)
    assert report.is_usable
    assert lines(report)["runs"] == (True, "The token reads runs; there are none yet, or it is granted none.")


def test_another_account_is_named_where_the_id_is_wrong() -> None:
    """Another account is named where the id is wrong."""
    hidden = replace(GOOD, accounts=(OTHER,), account=NotVisible("no", status=404))
    report = judge(hidden, ADDRESS)
    assert not report.is_usable
    found = next(check for check in report.checks if check.name == "account")
    assert (found.ok, found.sentence, found.hint) == (
        False, "The token cannot see account 7.", "It can see 8 (Other Shop).",
    )  # fmt: skip


def test_a_locked_account_is_not_usable() -> None:
    """A locked account is not usable."""
    report = judge(replace(GOOD, account=replace(SHOP, is_locked=True)), ADDRESS)
    assert report.sentence == "Account 7, Jaffle Shop, is locked by dbt Cloud."
    assert not report.is_usable


@pytest.mark.parametrize(
    ("error", "name", "ok"),
    [
        (TokenRejected("dbt.com does not accept the token (401)."), "token", False),
        (RateLimited("too often"), "token", None),
        (NoAnswer("The name is not known here.", Failure.NAME), "reachable", False),
        (NoAnswer("The certificate is not trusted.", Failure.TLS), "reachable", False),
        (ServerFault("in trouble (502)."), "reachable", False),
    ],
)
def test_where_the_first_question_fails_nothing_else_is_claimed(
    error: DbtCloudError, name: str, ok: bool | None
) -> None:
    """Where the first question fails nothing else is claimed."""
    report = judge(Probes(accounts=error), ADDRESS)
    assert not report.is_usable
    assert lines(report)[name][0] is ok
    assert not {"projects", "environments", "jobs", "runs"} & set(lines(report))


def test_an_allow_list_is_told_from_a_missing_permission() -> None:
    """An allow list is told from a missing permission."""
    denied = AccessDenied("It lets nobody in from this address (403).", status=403)
    report = judge(Probes(accounts=denied, account=denied), ADDRESS)
    assert lines(report)["reachable"][0] is True
    assert report.sentence == "It lets nobody in from this address (403)."
    assert not report.is_usable


@pytest.mark.parametrize(
    ("behaviour", "name", "words"),
    [
        (says(answer(b"<html>Log in</html>")), "reachable", "web page instead of JSON"),
        (says(answer(b"<html>Not here</html>", status="404 No")), "reachable", "does not look like dbt Cloud"),
        (says(answer(b'{"status": {"user_message": "Invalid token."}}', status="401 No")), "token", "401"),
        (
            says(answer(b"", "Location: https://eu1.dbt.com/", status="302 Found")),
            "reachable",
            "to https://eu1.dbt.com",
        ),
        (drips(answer(b"{}")), "reachable", "within 0.5 s"),
    ],
)
def test_a_server_that_is_not_the_right_one_gives_a_report_and_no_exception(behaviour, name: str, words: str) -> None:
    """A server that is not the right one gives a report and no exception."""
    with EvilServer(behaviour) as server, open_transport(deadline=0.5) as transport:
        client = Client(AccountAddress(server.origin, 7), Secret("canary-7f3a9"), transport, sleep=lambda _: None)
        report = check_connection(client)
    assert not report.is_usable
    assert lines(report)[name][0] is False
    assert words in report.sentence
    assert "canary" not in repr(report)


@pytest.mark.parametrize("host", ["nobody.invalid", "127.0.0.1:1"])
def test_a_host_that_is_not_there_gives_a_report_at_once(host: str) -> None:
    """A wrong name is not waited for; a refused connection only as long as a person would."""
    waits: list[float] = []
    with open_transport() as transport:
        client = Client(AccountAddress(f"https://{host}", 7), Secret("x"), transport, sleep=waits.append)
        report = check_connection(client)
    assert [check.name for check in report.checks] == ["reachable"]
    assert report.checks[0].hint
    assert bool(waits) is (host != "nobody.invalid")
