"""An account's page, and its forms: what is followed, how far back, with which token, and whether at all."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, quote

from litestar import MediaType, Request, Response, get, post
from litestar.datastructures import Cookie
from litestar.params import FromPath, RawBody
from litestar.response import Redirect

from headwater.errors import DbtCloudError, NotKnown, WrongUse
from headwater.model.filter import AccountFilter, Choice, Kind
from headwater.model.secret import Secret
from headwater.observatory.access import Role
from headwater.observatory.following import AccountReport
from headwater.web.door import door_of
from headwater.web.forms import actor_of
from headwater.web.render import page
from headwater.web.undo import Undo, recall, remember

_FORM_SIZE_LIMIT = 1024 * 1024
_LONGEST_HISTORY = 365
_SAID = {
    "added": "The account is connected. Choose what is followed before the first pass. Remove takes it all back.",
    "filter": "The filter is saved. What is newly followed is copied by the next passes; what was stored stays.",
    "pause": "The account is paused. dbt Cloud is not asked for it; what is stored stays.",
    "resume": "The account is followed again, from where it stopped.",
    "token": "The token was tried and replaced. The one before is not kept here; end it in dbt Cloud.",
    "sync": "A pass was made; the sync log says what it brought.",
    "history": "The next passes copy the history that is missing. A pause holds them up; what is copied stays.",
}
_UNDO = {"pause": "resume", "resume": "pause"}

Fields = Mapping[str, list[str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class KindForm:
    """The fields of one kind: the mode is `all`, `only` or `without`."""

    mode: str
    ids: frozenset[int]


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountForms:
    """What stands in the forms, and a sentence beside each field that cannot be as it is."""

    kinds: Mapping[str, KindForm]
    with_ci: bool
    days: str = ""
    faults: Mapping[str, str] = field(default_factory=dict)


@get("/accounts/{account:str}", role=Role.VIEWER, sync_to_thread=True, include_in_schema=False)
def account_page(request: Request[Any, Any, Any], account: FromPath[str]) -> Response[Any]:
    """Show an account and what is followed of it; with forms for who may change it; `.json` for its document."""
    revision = door_of(request).get_revision()
    report = door_of(request).get_account(account.removesuffix(".json"))
    if account.endswith(".json"):
        return Response(report, media_type=MediaType.JSON)
    saved = request.query_params.get("saved", "")
    undo = _find_undo(request, account, saved)
    return _show(request, report, _fill(report), revision=revision, said=_SAID.get(saved, ""), undo=undo)


def _find_undo(request: Request[Any, Any, Any], account: str, saved: str) -> Undo | None:
    place = f"/accounts/{quote(account, safe='')}/"
    if saved == "filter":
        return recall(request, f"{place}filter")
    return Undo(action=place + _UNDO[saved]) if saved in _UNDO else None


@post(
    "/accounts/{account:str}/filter",
    role=Role.ADMIN,
    sync_to_thread=True,
    include_in_schema=False,
    status_code=303,
    request_max_body_size=_FORM_SIZE_LIMIT,
)
def change_filter(request: Request[Any, Any, Any], account: FromPath[str], body: RawBody) -> Response[Any]:
    """Set which runs are followed."""
    fields = _read(body)
    forms = AccountForms(kinds={kind: _read_kind(kind, fields) for kind in Kind}, with_ci="with_ci" in fields)
    faults = {
        kind: f"Choose at least one {kind}, or All."
        for kind, form in forms.kinds.items()
        if form.mode != "all" and not form.ids
    }
    chosen = AccountFilter(with_ci=forms.with_ci)
    for kind in Kind:
        form = forms.kinds[kind]
        if form.mode != "all":
            chosen = chosen.with_choice(kind, Choice(ids=form.ids, is_exclusion=form.mode == "without"))
    if faults:
        return _refuse(request, account, faults, forms)
    door, by = door_of(request), actor_of(request)
    before = Undo(
        action=f"/accounts/{quote(account, safe='')}/filter", fields=_list_fields(_fill(door.get_account(account)))
    )
    return _act(
        request, account, "filter", lambda: door.set_filter(account, chosen, by=by), forms, remember(request, before)
    )


@post(
    "/accounts/{account:str}/history",
    role=Role.ADMIN,
    sync_to_thread=True,
    include_in_schema=False,
    status_code=303,
    request_max_body_size=_FORM_SIZE_LIMIT,
)
def change_history(request: Request[Any, Any, Any], account: FromPath[str], body: RawBody) -> Response[Any]:
    """Let the history reach back some days."""
    text = _first(_read(body), "days")
    if not (text.isascii() and text.isdigit() and len(text) < 4 and int(text) <= _LONGEST_HISTORY):
        fault = f"Days are a whole number from 0 to {_LONGEST_HISTORY}."
        return _refuse(request, account, {"history": fault}, days=text[:20])
    door, by = door_of(request), actor_of(request)
    return _act(request, account, "history", lambda: door.set_history(account, int(text), by=by))


@post(
    "/accounts/{account:str}/token",
    role=Role.ADMIN,
    proof=True,
    sync_to_thread=True,
    include_in_schema=False,
    status_code=303,
    request_max_body_size=_FORM_SIZE_LIMIT,
)
def change_token(request: Request[Any, Any, Any], account: FromPath[str], body: RawBody) -> Response[Any]:
    """Replace the token; one that does not work replaces nothing, and none is ever shown."""
    text = _first(_read(body), "token")
    return _act(
        request, account, "token", lambda: door_of(request).set_token(account, Secret(text), by=actor_of(request))
    )


@post(
    "/accounts/{account:str}/sync",
    role=Role.OPERATOR,
    sync_to_thread=True,
    include_in_schema=False,
    status_code=303,
    request_max_body_size=_FORM_SIZE_LIMIT,
)
def sync_account(request: Request[Any, Any, Any], account: FromPath[str]) -> Response[Any]:
    """Make one pass over the account now."""
    return _act(request, account, "sync", lambda: door_of(request).sync_now(account, actor_of(request)))


@post(
    "/accounts/{account:str}/remove",
    role=Role.ADMIN,
    proof=True,
    sync_to_thread=True,
    include_in_schema=False,
    status_code=303,
    request_max_body_size=_FORM_SIZE_LIMIT,
)
def remove_account(request: Request[Any, Any, Any], account: FromPath[str], body: RawBody) -> Response[Any]:
    """Remove the account with all that is stored of it, where its name was written once more."""
    door = door_of(request)
    if _first(_read(body), "name") != door.get_account(account).account.account:
        fault = "Write the name of the account as it stands at the top of this page."
        return _refuse(request, account, {"remove": fault})
    left = door.remove_account(account, by=actor_of(request))
    return Redirect("/accounts?done=" + ("webhook" if left else "removed"), status_code=303)


@post(
    "/accounts/{account:str}/{act:str}",
    role=Role.ADMIN,
    sync_to_thread=True,
    include_in_schema=False,
    status_code=303,
    request_max_body_size=_FORM_SIZE_LIMIT,
)
def pause_or_resume(request: Request[Any, Any, Any], account: FromPath[str], act: FromPath[str]) -> Response[Any]:
    """Pause the account, or let it go on."""
    if act not in {"pause", "resume"}:
        raise NotKnown(f"There is nothing to {act!r} about an account.", hint="Open its page.")
    door, by = door_of(request), actor_of(request)
    return _act(request, account, act, lambda: door.set_followed(account, is_paused=act == "pause", by=by))


def _act(
    request: Request[Any, Any, Any],
    account: str,
    name: str,
    do: Callable[[], object],
    forms: AccountForms | None = None,
    undo: Cookie | None = None,
) -> Response[Any]:
    """Do what a form asks for and go back to the page, or show the form again with what is wrong beside it."""
    try:
        do()
    except (WrongUse, DbtCloudError) as error:
        return _refuse(request, account, {name: str(error)}, forms)
    cookies = [] if undo is None else [undo]
    return Redirect(f"/accounts/{quote(account, safe='')}?saved={name}", status_code=303, cookies=cookies)


def _refuse(
    request: Request[Any, Any, Any],
    account: str,
    faults: Mapping[str, str],
    forms: AccountForms | None = None,
    *,
    days: str = "",
) -> Response[Any]:
    report = door_of(request).get_account(account)
    filled = forms or _fill(report)
    again = AccountForms(kinds=filled.kinds, with_ci=filled.with_ci, days=days, faults=faults)
    return _show(request, report, again, status_code=400)


def _show(
    request: Request[Any, Any, Any],
    report: AccountReport,
    forms: AccountForms,
    *,
    revision: int | None = None,
    said: str = "",
    undo: Undo | None = None,
    status_code: int = 200,
) -> Response[str]:
    may_change = request.scope["user"].role.includes(Role.ADMIN) and bool(report.account.account_id)
    live = {"revision": revision} if revision is not None else {}
    return page(
        request,
        "account.html",
        status_code=status_code,
        report=report,
        account=report.account,
        forms=forms,
        may_change=may_change,
        may_sync=request.scope["user"].role.includes(Role.OPERATOR) and bool(report.account.token_hint),
        said=said,
        **live,
        undo=undo if may_change else None,
    )


def _fill(report: AccountReport) -> AccountForms:
    kinds = {}
    for choice in report.choices:
        ids = frozenset(thing.id for thing in choice.things if thing.is_named)
        kinds[choice.kind] = KindForm(mode=("without" if choice.is_exclusion else "only") if ids else "all", ids=ids)
    return AccountForms(kinds=kinds, with_ci=report.with_ci)


def _list_fields(forms: AccountForms) -> tuple[tuple[str, str], ...]:
    """List what the form of the filter would send, filled in so."""
    modes = [(f"{kind}_mode", form.mode) for kind, form in forms.kinds.items()]
    ids = [(str(kind), str(number)) for kind, form in forms.kinds.items() for number in sorted(form.ids)]
    return (*modes, *ids, *((("with_ci", "yes"),) if forms.with_ci else ()))


def _read(body: bytes) -> Fields:
    return parse_qs(body.decode("utf-8", "replace"), keep_blank_values=True)


def _first(fields: Fields, name: str) -> str:
    return fields.get(name, [""])[0].strip()


def _read_kind(kind: Kind, fields: Fields) -> KindForm:
    mode = _first(fields, f"{kind}_mode")
    ids = (text for text in fields.get(kind, ()) if text.removeprefix("-").isdecimal() and len(text) < 19)
    return KindForm(mode=mode if mode in {"only", "without"} else "all", ids=frozenset(int(text) for text in ids))
