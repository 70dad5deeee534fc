"""The accounts, and the form that connects another: its token is tried before anything is saved."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs, quote

from litestar import Request, Response, get, post
from litestar.concurrency import sync_to_thread
from litestar.params import RawBody
from litestar.response import Redirect

from headwater.errors import DbtCloudError, WrongUse
from headwater.model.secret import Secret
from headwater.observatory.access import Role
from headwater.web.door import door_of
from headwater.web.forms import actor_of
from headwater.web.render import page

_FORM_SIZE_LIMIT = 16 * 1024
_FIELDS = ("name", "account_id", "url")
_SAID = {
    "removed": "The account was removed, with all that was stored of it.",
    "webhook": "The account was removed. Its webhook could not be ended at dbt Cloud: delete it in the settings there.",
}


# The two of one path go to a thread by themselves: Litestar 2.25 wraps handlers twice whose path is registered twice.
@get("/accounts", role=Role.VIEWER, include_in_schema=False)
async def accounts_page(request: Request[Any, Any, Any]) -> Response[str]:
    """Show every account with what its connection says."""
    return await sync_to_thread(_show, request, {}, {})


@post(
    "/accounts",
    role=Role.ADMIN,
    proof=True,
    include_in_schema=False,
    status_code=303,
    request_max_body_size=_FORM_SIZE_LIMIT,
)
async def connect_account(request: Request[Any, Any, Any], body: RawBody) -> Response[Any]:
    """Connect an account; one that cannot be used is not saved. Private addresses are for the command line."""
    return await sync_to_thread(_connect, request, body)


def _connect(request: Request[Any, Any, Any], body: bytes) -> Response[Any]:
    fields = {name: values[0].strip() for name, values in parse_qs(body.decode("utf-8", "replace")).items()}
    number = fields.get("account_id", "")
    if not (number.isascii() and number.isdigit() and 0 < int(number[:20]) < 2**63):
        return _show(request, fields, {"account_id": "The account's id is the number in dbt Cloud's addresses."})
    name = fields.get("name", "")
    try:
        token = Secret(fields.get("token", ""))
        door_of(request).add_account(name, int(number), fields.get("url", ""), token, actor_of(request))
    except (WrongUse, DbtCloudError) as error:
        return _show(request, fields, {"all": str(error)})
    return Redirect(f"/accounts/{quote(name, safe='')}?saved=added", status_code=303)


def _show(request: Request[Any, Any, Any], fields: Mapping[str, str], faults: Mapping[str, str]) -> Response[str]:
    """Show the page, with what stood in the form where something was wrong; a token is not among it."""
    door = door_of(request)
    live = {} if faults else {"revision": door.get_revision()}
    return page(
        request,
        "accounts.html",
        status_code=400 if faults else 200,
        report=door.list_accounts(),
        fields={name: fields.get(name, "") for name in _FIELDS},
        faults=faults,
        may_change=request.scope["user"].role.includes(Role.ADMIN),
        said=_SAID.get(request.query_params.get("done", ""), ""),
        **live,
    )
