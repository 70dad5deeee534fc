"""Trying everything Headwater stands on: configuration, database, key, accounts."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from headwater.config import Settings, find_settings_file
from headwater.errors import HeadwaterError, SecretUnavailable
from headwater.observatory.accounts import check_account, list_accounts
from headwater.observatory.holder import Observatory, open_observatory
from headwater.observatory.inbox import describe_inbox
from headwater.observatory.reports import CheckLine, CheckReport


def check_everything(settings: Settings) -> CheckReport:
    """Try configuration, database, key and every account; one fault does not hide the others."""
    lines = tuple(_each_line(settings))
    return CheckReport(lines=lines, is_usable=all(line.ok is not False for line in lines))


def _each_line(settings: Settings) -> Iterator[CheckLine]:
    file = find_settings_file()
    yield CheckLine(
        name="configuration",
        ok=True,
        sentence=f"Read from {file}." if file else "No headwater.toml; defaults are used.",
    )
    try:
        with open_observatory(settings) as observatory:
            yield CheckLine(name="database", ok=True, sentence=f"{observatory.store.where} is open and up to date.")
            yield _key(settings)
            yield _inbox(observatory)
            yield from _each_account(observatory)
    except HeadwaterError as error:
        name = "key" if isinstance(error, SecretUnavailable) else "database"
        yield CheckLine(name=name, ok=False, sentence=error.message, hint=error.hint)


def _key(settings: Settings) -> CheckLine:
    where = "from HEADWATER__SECRET_KEY" if settings.secret_key is not None else f"in {_key_file(settings)}"
    return CheckLine(name="key", ok=True, sentence=f"The key of the stored tokens is {where}.")


def _inbox(observatory: Observatory) -> CheckLine:
    with observatory.store.read() as tx:
        inbox = describe_inbox(tx)
    if not inbox.faults:
        waits = f"{inbox.waiting} wait to be stored." if inbox.waiting else "Everything that was sent here is stored."
        return CheckLine(name="inbox", ok=True, sentence=waits)
    oldest = inbox.faults[0]
    return CheckLine(
        name="inbox",
        ok=False,
        sentence=f"{oldest.what} was accepted and could not be stored: {oldest.error}",
        hint="It is kept and tried again by itself, also by a newer Headwater. See 'headwater account list'.",
    )


def _key_file(settings: Settings) -> Path:
    return settings.data_folder / "secret.key"


def _each_account(observatory: Observatory) -> Iterator[CheckLine]:
    accounts = [row for row in list_accounts(observatory).accounts if row.token_hint is not None]
    if not accounts:
        yield CheckLine(
            name="accounts", ok=None, sentence="No account is connected.", hint="Run 'headwater account add'."
        )
    for row in accounts:
        try:
            report = check_account(observatory, row.account)
        except HeadwaterError as error:
            yield CheckLine(name=row.account, ok=False, sentence=f"{row.account}: {error.message}", hint=error.hint)
            continue
        bad = [line for line in report.lines if line.ok is False]
        if not bad:
            yield CheckLine(name=row.account, ok=True, sentence=f"{row.account} can be followed.")
        for line in bad:
            yield CheckLine(name=row.account, ok=False, sentence=f"{row.account}: {line.sentence}", hint=line.hint)
