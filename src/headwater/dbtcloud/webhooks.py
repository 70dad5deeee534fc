"""Webhooks of dbt Cloud: the subscriptions of an account, and what an announcement says and who signed it."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import msgspec

from headwater.dbtcloud.asking import Asker, Call, Parameters
from headwater.dbtcloud.envelope import UNREADABLE, Faults, Int64, Page, read_one, read_page, read_record
from headwater.errors import AnswerUnreadable
from headwater.model.secret import Secret

EVENT_TYPES = ("job.run.started", "job.run.completed", "job.run.errored")
_PAGE = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscription:
    """A subscription as dbt Cloud keeps it; only the answer to its creation has the `secret`."""

    subscription_id: str
    client_url: str = ""
    is_active: bool = True
    last_status: str = ""
    """The HTTP status of the last delivery, `0` where there was no answer or none yet."""
    deactivate_reason: str = ""
    secret: Secret | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunEvent:
    """That something happened to a run; what it says of the run's state is not read, because we ask for that."""

    event_id: str
    run_id: int


class Subscriptions:
    """The webhook subscriptions of one account (dbt Cloud's API v3).

    Every method may raise a `DbtCloudError`; the token needs a permission that reading runs does not.
    """

    def __init__(self, asker: Asker) -> None:
        self._asker = asker
        self._path = f"/api/v3/accounts/{asker.address.account_id}/webhooks"

    def list_all(self) -> tuple[Subscription, ...]:
        """List the account's subscriptions, other programs' among them."""
        return tuple(found for page in self._each_page() for found in page.records)

    def create(self, name: str, client_url: str) -> Subscription:
        """Subscribe to the runs of every job.

        Raises:
            AnswerUnreadable: the answer lacks the secret, without which nothing can be verified.
        """
        made = self._ask("POST", "subscriptions", _wish(name, client_url))
        if made.secret is None:
            raise AnswerUnreadable("dbt Cloud made a webhook subscription without telling its secret.")
        return made

    def update(self, subscription_id: str, name: str, client_url: str) -> Subscription:
        """Let a subscription call another address, and make it active again; its secret stays."""
        return self._ask("PUT", f"subscription/{subscription_id}", _wish(name, client_url))

    def delete(self, subscription_id: str) -> None:
        """End a subscription."""
        self._asker.ask(Call(endpoint="webhooks", path=f"{self._path}/subscription/{subscription_id}", method="DELETE"))

    def send_test(self, subscription_id: str) -> str:
        """Let dbt Cloud announce an earlier run as a trial; gives the id of the event that is to arrive."""
        path = f"{self._path}/subscription/{subscription_id}/test"
        answer = self._asker.ask(Call(endpoint="webhooks", path=path))
        faults: Faults = []
        return read_one(answer.body, _read_test, faults)

    def _ask(self, method: str, rest: str, content: dict[str, Any]) -> Subscription:
        call = Call(endpoint="webhooks", path=f"{self._path}/{rest}", method=method, body=msgspec.json.encode(content))
        return read_one(self._asker.ask(call).body, _read_subscription, [])

    def _each_page(self) -> Iterator[Page[Subscription]]:
        offset = 0
        while True:
            parameters: Parameters = {"limit": _PAGE, "offset": offset}
            call = Call(endpoint="webhooks", path=f"{self._path}/subscriptions", parameters=parameters)
            page = read_page(self._asker.ask(call).body, _read_subscription, [])
            yield page
            offset += page.received
            if not page.received or offset >= (page.total or 0):
                return


def is_signed(secret: Secret, body: bytes, signature: str) -> bool:
    """Tell whether a body was signed with a secret: the hexadecimal HMAC-SHA256, compared in constant time."""
    expected = hmac.new(secret.reveal().encode(), body, hashlib.sha256).hexdigest()
    return hmac.compare_digest(expected.encode(), signature.strip().lower().encode("utf-8", "replace"))


def read_event(body: bytes) -> RunEvent | None:
    """Read an announcement; None where it tells of no run. An event without an id is known by its bytes."""
    try:
        said = msgspec.json.decode(body, type=_Event, strict=False)
    except UNREADABLE:
        return None
    if said.data.run_id is None or said.data.run_id < 1:
        return None
    return RunEvent(event_id=said.event_id or hashlib.sha256(body).hexdigest(), run_id=said.data.run_id)


class _RunData(msgspec.Struct):
    run_id: Int64 | None = msgspec.field(default=None, name="runId")


class _Event(msgspec.Struct):
    data: _RunData
    event_id: str = msgspec.field(default="", name="eventId")


class _Subscription(msgspec.Struct):
    id: str = ""
    client_url: str = ""
    active: bool = True
    http_status_code: str | int | None = None
    deactivate_reason: str | None = None
    hmac_secret: str | None = None


class _Test(msgspec.Struct):
    event_id: str = ""


def _read_subscription(raw: msgspec.Raw, faults: Faults) -> Subscription | None:
    found = read_record(raw, _Subscription, "webhook subscription", faults)
    if found is None or not _is_id(found.id):
        return None
    return Subscription(
        subscription_id=found.id,
        client_url=found.client_url,
        is_active=found.active,
        last_status=str(found.http_status_code or ""),
        deactivate_reason=found.deactivate_reason or "",
        secret=Secret(found.hmac_secret) if found.hmac_secret else None,
    )


def _read_test(raw: msgspec.Raw, faults: Faults) -> str | None:
    found = read_record(raw, _Test, "webhook test", faults)
    return None if found is None else found.event_id


def _is_id(text: str) -> bool:
    """Tell whether a text may stand in a path."""
    return text.isascii() and text.replace("_", "").replace("-", "").isalnum()


def _wish(name: str, client_url: str) -> dict[str, Any]:
    return {
        "name": name,
        "description": "Announces runs to Headwater.",
        "client_url": client_url,
        "event_types": list(EVENT_TYPES),
        "job_ids": [],
        "active": True,
    }
