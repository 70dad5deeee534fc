"""When incidents are evaluated: after what was stored, by the process that stored it.

A pass or a command does so at its end. What is announced or sent by the SDK must be stored soon, many runs at once, and
so wakes a thread that evaluates behind it: what was stored while it evaluated is evaluated together.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from datetime import timedelta
from functools import partial

import structlog

from headwater.errors import StoreError
from headwater.incidents.evaluate import evaluate
from headwater.observatory.background import repeating
from headwater.observatory.findings import VerdictJudge
from headwater.observatory.holder import Observatory
from headwater.store.accounts import list_accounts
from headwater.store.incidents import get_mark

_log = structlog.get_logger("headwater.incidents")

_PATIENCE = timedelta(minutes=1)
"""While more waits to be copied, an account is evaluated no sooner after the last time."""


def evaluate_account(observatory: Observatory, account_key: int, *, has_more: bool = False) -> None:
    """Evaluate an account for incidents at this moment; where nothing changed that costs three small questions.

    While a backlog is copied (`has_more`) it is put off: what is stored then is not yet what is the case, and a history
    that is being copied is evaluated once at its end.
    """
    if has_more:
        with observatory.store.read() as tx:
            evaluated_at = get_mark(tx, account_key).evaluated_at
        if evaluated_at is None or observatory.store.now() - evaluated_at < _PATIENCE:
            return
    evaluate(observatory.store, account_key, VerdictJudge(observatory.lineage))


def evaluate_stored(observatory: Observatory) -> None:
    """Evaluate every account in which anything was stored since; one that breaks us is logged and stops no other.

    Raises:
        StoreError: the database cannot be asked.
    """
    with observatory.store.read() as tx:
        accounts = list_accounts(tx)
    for account in accounts:
        try:
            evaluate_account(observatory, account.account_key)
        except StoreError:
            raise
        except Exception:  # noqa: BLE001  what breaks one account must not end the thread
            _log.exception("incidents could not be evaluated", account=account.name)


def evaluating_stored(observatory: Observatory) -> AbstractContextManager[None]:
    """Evaluate in a thread what this process stores, as long as the context lasts."""
    return repeating("incidents", partial(evaluate_stored, observatory), observatory.stored, looks=False)
