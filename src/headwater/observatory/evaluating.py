"""When incidents are evaluated: after what was stored, by the process that stored it."""

from __future__ import annotations

from datetime import timedelta

from headwater.incidents.evaluate import evaluate
from headwater.observatory.findings import VerdictJudge
from headwater.observatory.holder import Observatory
from headwater.store.incidents import get_mark

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
