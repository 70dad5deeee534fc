"""What is followed of an account: its filter, how far back, and whether at all."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from datetime import datetime

from headwater.errors import NotKnown, WrongUse
from headwater.model.filter import AccountFilter, Choice, Kind
from headwater.observatory.accounts import get_account_summary
from headwater.observatory.audit import COMMAND_LINE, Actor, note
from headwater.observatory.filtering import FilterWish, Inventory, check_filter, read_inventory, resolve
from headwater.observatory.holder import Observatory, get_account
from headwater.observatory.reports import AccountSummary
from headwater.observatory.syncing import syncing_apart
from headwater.store import filters as stored
from headwater.store.accounts import set_paused
from headwater.store.rows import Account
from headwater.store.sync_passes import list_passes
from headwater.store.sync_progress import delete_progress
from headwater.store.sync_states import get_sync_state, save_sync_state
from headwater.store.writing import lock_account
from headwater.sync.account import read_structure

_PASSES_SHOWN = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class FilterThing:
    """A project, environment or job that a filter may name; `place` is the name of its project."""

    id: int
    name: str
    place: str | None
    is_named: bool
    is_followed: bool
    is_deleted: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class FilterChoice:
    """What a filter says of one kind; where `is_exclusion` the things that it names are left out."""

    kind: str
    is_exclusion: bool
    things: tuple[FilterThing, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncPassSummary:
    """A line of the sync log: a pass, or several after one another that brought nothing and went alike."""

    began_at: datetime
    ended_at: datetime
    passes: int
    requests: int
    rate_limited: int
    runs_new: int
    runs_updated: int
    artifacts_stored: int
    error: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountReport:
    """An account, and which of its runs are followed since when; `notes` say what else is to be known.

    `passes` is its sync log, newest first.
    """

    account: AccountSummary
    with_ci: bool
    choices: tuple[FilterChoice, ...]
    history_from: datetime | None
    as_of: datetime
    notes: tuple[str, ...] = ()
    passes: tuple[SyncPassSummary, ...] = ()


def get_account_report(observatory: Observatory, name: str, *, notes: tuple[str, ...] = ()) -> AccountReport:
    """Get an account with what is followed of it; raises NotKnown where there is no such account."""
    account, now = get_account(observatory, name), observatory.store.now()
    with observatory.store.read() as tx:
        chosen = stored.get_filter(tx, account.account_key)
        inventory = read_inventory(tx, account.account_key)
        state = get_sync_state(tx, account.account_key)
        passes = list_passes(tx, account.account_key, limit=_PASSES_SHOWN)
    return AccountReport(
        account=get_account_summary(observatory, name),
        with_ci=chosen.with_ci,
        choices=tuple(_describe(kind, chosen, inventory) for kind in Kind),
        history_from=state.backfill_from,
        as_of=now,
        notes=notes,
        passes=tuple(SyncPassSummary(**asdict(done)) for done in passes),
    )


def change_filter(observatory: Observatory, name: str, wish: FilterWish) -> AccountReport:
    """Change an account's filter as it was worded; names are looked up in what the token sees now.

    Raises:
        NotKnown, Ambiguous, WrongUse: see `resolve`; nothing was changed.
        DbtCloudError: dbt Cloud cannot be asked for the names.
    """
    account = _get_followed(observatory, name)
    if any(part.named for part in wish.kinds):
        read_names(observatory, name)
    with observatory.store.read() as tx:
        before = stored.get_filter(tx, account.account_key)
        inventory = read_inventory(tx, account.account_key)
    return _save(observatory, account, resolve(wish, before, inventory), COMMAND_LINE)


def set_filter(
    observatory: Observatory, name: str, chosen: AccountFilter, *, by: Actor = COMMAND_LINE
) -> AccountReport:
    """Set an account's filter by ids, of which each must be known already.

    Raises:
        NotKnown: an id is of nothing that is stored of the account.
        WrongUse: what is chosen belongs to something that is not.
    """
    account = _get_followed(observatory, name)
    with observatory.store.read() as tx:
        before = stored.get_filter(tx, account.account_key)
        inventory = read_inventory(tx, account.account_key)
    for kind in Kind:
        known = {thing.id for thing in inventory.each_thing(kind)} | before.choice(kind).ids
        for unknown in sorted(chosen.choice(kind).ids - known):
            raise NotKnown(f"{name} has no {kind} {unknown}.", hint="Open the page again; it was changed meanwhile.")
    check_filter(chosen, inventory)
    return _save(observatory, account, chosen, by)


def set_followed(observatory: Observatory, name: str, *, is_paused: bool, by: Actor = COMMAND_LINE) -> AccountReport:
    """Pause an account, so that dbt Cloud is not asked for it, or let it go on where it stopped.

    Raises:
        NotKnown: there is no such account.
        WrongUse: it has no token, so that nobody follows it.
    """
    account = _get_followed(observatory, name)
    now = observatory.store.now()
    with observatory.store.write() as tx:
        set_paused(tx, account.account_key, is_paused)
        note(observatory, tx, by, "account paused" if is_paused else "account resumed", name, now=now)
    return get_account_report(observatory, name)


def read_names(observatory: Observatory, name: str) -> None:
    """Read projects, environments and jobs of an account from dbt Cloud.

    Raises:
        DbtCloudError: it cannot be asked.
    """
    with syncing_apart(observatory, name, "names") as sync:
        read_structure(sync)


def _get_followed(observatory: Observatory, name: str) -> Account:
    account = get_account(observatory, name)
    if not account.has_token:
        raise WrongUse(
            f"{name} has no token, so nobody follows it.", hint=f"Run 'headwater account set-token {name}' first."
        )
    return account


def _save(observatory: Observatory, account: Account, chosen: AccountFilter, by: Actor) -> AccountReport:
    """Save a filter; where it admits what the one before did not, the history is listed once more."""
    now = observatory.store.now()
    with observatory.store.write() as tx:
        lock_account(tx, account.account_key)
        before = stored.get_filter(tx, account.account_key)
        is_wider = not before.includes(chosen)
        stored.save_filter(tx, account.account_key, chosen)
        if is_wider:
            state = get_sync_state(tx, account.account_key)
            save_sync_state(tx, account.account_key, replace(state, backfilled_to=None))
            delete_progress(tx, account.account_key)
        note(observatory, tx, by, "filter changed", account.name, now=now)
    notes: tuple[str, ...] = ()
    if is_wider:
        notes = ("The history of what is followed now is copied by the next passes.",)
    elif before != chosen:
        notes = ("What was stored before stays.",)
    return get_account_report(observatory, account.name, notes=notes)


def _describe(kind: Kind, chosen: AccountFilter, inventory: Inventory) -> FilterChoice:
    choice = chosen.choice(kind)
    things = tuple(
        FilterThing(
            id=thing.id,
            name=thing.name,
            place=inventory.project_name(thing.project_id),
            is_named=thing.id in choice.ids,
            is_followed=inventory.is_followed(chosen, thing),
            is_deleted=thing.is_deleted,
        )
        for thing in inventory.each_thing(kind)
    )
    return FilterChoice(kind=kind, is_exclusion=choice.is_exclusion, things=(*things, *_unknown(choice, things)))


def _unknown(choice: Choice, things: tuple[FilterThing, ...]) -> tuple[FilterThing, ...]:
    """Give what a filter names and the token does not show."""
    return tuple(
        FilterThing(
            id=number,
            name=str(number),
            place=None,
            is_named=True,
            is_followed=not choice.is_exclusion,
            is_deleted=False,
        )
        for number in sorted(choice.ids - {thing.id for thing in things})
    )
