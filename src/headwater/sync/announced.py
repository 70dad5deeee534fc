"""The runs that webhooks announced, read beside the passes."""

from __future__ import annotations

from headwater.model.run import Way
from headwater.store.filters import get_following
from headwater.store.webhooks import Announcement, close_events, list_announcements
from headwater.sync.account import AccountSync, PassReport, collect_run, save_listed, write_collected
from headwater.sync.record import prepare_run

_EVENTS_AT_ONCE = 1_000


def answer_announced(sync: AccountSync, *, limit: int) -> PassReport:
    """Read up to `limit` runs that a webhook announced; nothing but their ids is taken from it.

    Each is asked for once: one that cannot be read now is left to the passes, which find every run. An event that
    comes while its run is read stays in the inbox, and lets it be read again.

    Raises:
        DbtCloudError: the account as a whole cannot be asked; the announcements wait.
        StoreError: the database cannot.
    """
    with sync.store.read() as tx:
        announced = list_announcements(tx, sync.account_key, _EVENTS_AT_ONCE)
    run_ids = list(dict.fromkeys(event.run_id for event in announced))[:limit]
    wanted = _list_wanted(sync, run_ids)
    _close_announced(sync, announced, set(run_ids) - set(wanted))
    report = PassReport()
    for collected in sync.fan_out(lambda run_id: collect_run(sync, run_id), wanted):
        if collected.run is None:
            report += PassReport(faults=(f"Run {collected.run_id} was announced: {collected.error}",))
        else:
            report += write_collected(sync, [prepare_run(sync.store, sync.account_key, collected.run)], Way.WEBHOOK)
        _close_announced(sync, announced, {collected.run_id})
    return report


def _list_wanted(sync: AccountSync, run_ids: list[int]) -> list[int]:
    """Give those of the announced runs that the filter admits; where there is one, a list of them tells it."""
    with sync.store.read() as tx:
        following = get_following(tx, sync.account_key)
    if following.filter.is_open or not run_ids:
        return run_ids
    listed = sync.client.list_runs_by_id(run_ids)
    unwanted = [run for run in listed if not following.wants(run)]
    save_listed(sync, unwanted)
    wanted = {run.run_id for run in listed} - {run.run_id for run in unwanted}
    return [run_id for run_id in run_ids if run_id in wanted]


def _close_announced(sync: AccountSync, announced: list[Announcement], run_ids: set[int]) -> None:
    now = sync.store.now()
    with sync.store.write() as tx:
        events = (event.event_id for event in announced if event.run_id in run_ids)
        close_events(tx, sync.account_key, events, now)
