"""Webhook subscriptions, the events that runs cause, and what became of each delivery."""

import base64
import hashlib
import hmac
import json
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from headwater.simulator.chance import digest, hex_of, stream
from headwater.simulator.plans import CANCELLED, ERROR, RUNNING, SUCCESS, RunPlan
from headwater.simulator.times import zulu

if TYPE_CHECKING:
    from headwater.simulator.cloud import Cloud
    from headwater.simulator.deliveries import Deliveries

STARTED, COMPLETED, ERRORED = "job.run.started", "job.run.completed", "job.run.errored"
EVENT_TYPES = (STARTED, COMPLETED, ERRORED)
MISCHIEF = ("drop", "repeat", "reorder", "forge")
_INGESTED_AFTER = timedelta(seconds=4)
_KEPT_EVENTS = 2_000


@dataclass(slots=True)
class Subscription:
    """Somebody who wants to hear of an account's runs."""

    id: str
    account_id: int
    account_identifier: str
    name: str
    description: str
    event_types: list[str]
    job_ids: list[str]
    client_url: str
    secret: str
    created_at: datetime
    active: bool = True
    http_status_code: str = "0"
    dispatched_at: datetime | None = None
    deactivate_reason: str | None = None
    failures_in_a_row: int = 0

    def wants(self, event_type: str, job_id: int) -> bool:
        """Whether an event of a job is to be sent here."""
        return self.active and event_type in self.event_types and (not self.job_ids or str(job_id) in self.job_ids)


@dataclass(slots=True)
class Event:
    """One message for one subscription; its bytes and signature never change."""

    id: str
    subscription: Subscription
    event_type: str
    job_id: int
    run_id: int
    payload: bytes
    signature: str
    http_status_code: str = "0"
    receipts: list[dict[str, Any]] = field(default_factory=list)


@dataclass(slots=True)
class Webhooks:
    """The subscriptions of one simulator, and which events are due."""

    seed: int
    subscriptions: dict[str, Subscription] = field(default_factory=dict)
    events: deque[Event] = field(default_factory=lambda: deque(maxlen=_KEPT_EVENTS))
    rates: dict[str, float] = field(default_factory=dict)
    """How often a delivery is dropped, repeated, sent after the next one, or preceded by a forgery."""
    told_until: datetime | None = None
    _made: int = 0
    _held: Event | None = None

    def tell(self, cloud: "Cloud", deliveries: "Deliveries") -> None:
        """Hand over to delivery what has become due since the last time."""
        now = cloud.now()
        since, self.told_until = self.told_until or now, now
        wanting = [item for item in self.subscriptions.values() if item.active]
        if not wanting or since == now:
            return
        for account_id in {item.account_id for item in wanting}:
            for moment, event_type, plan in sorted(_due(cloud, account_id, since, now), key=lambda due: due[0]):
                for subscription in wanting:
                    if subscription.account_id == account_id and subscription.wants(event_type, plan.job.id):
                        self._send(self.event(cloud, subscription, event_type, plan, moment), deliveries)

    def event(
        self, cloud: "Cloud", subscription: Subscription, event_type: str, plan: RunPlan, moment: datetime
    ) -> Event:
        """An event of a run for a subscription, signed (dbt Cloud webhooks: HMAC-SHA256 of the raw body)."""
        self._made += 1
        identifier = f"wev_{base64.b32encode(digest(self.seed, 'event', self._made))[:27].decode()}"
        id_key = cloud.assumptions.webhook_id_key
        document = {
            "accountId": plan.job.account_id,
            id_key: subscription.id,
            "eventId": identifier,
            "timestamp": zulu(moment, 9),
            "eventType": event_type,
            "webhookName": subscription.name,
            "data": _run_data(cloud, event_type, plan),
        }
        payload = json.dumps(document).encode()
        signature = hmac.new(subscription.secret.encode(), payload, hashlib.sha256).hexdigest()
        made = Event(identifier, subscription, event_type, plan.job.id, plan.id, payload, signature)
        self.events.append(made)
        return made

    def _send(self, event: Event, deliveries: "Deliveries") -> None:
        """Hand an event over, unless mischief says otherwise."""
        chance = stream(self.seed, "mischief", event.id)
        does = {kind: chance.random() < self.rates.get(kind, 0.0) for kind in MISCHIEF}
        if does["forge"]:
            deliveries.put(forged(event))
        if does["drop"]:
            return
        held, self._held = self._held, None
        if does["reorder"] and held is None:
            self._held = event
            return
        for each in (event, event) if does["repeat"] else (event,):
            deliveries.put(each)
        if held:
            deliveries.put(held)

    def new_id(self) -> str:
        """An id for a subscription."""
        return f"wsu_{hex_of(27, self.seed, 'subscription', len(self.subscriptions))}"


def forged(event: Event) -> Event:
    """The same event signed with a wrong secret and saying that the run succeeded."""
    payload = event.payload.replace(b'"Errored"', b'"Success"').replace(event.id.encode(), b"wev_forged")
    signature = hmac.new(b"not the secret", payload, hashlib.sha256).hexdigest()
    return Event("wev_forged", event.subscription, event.event_type, event.job_id, event.run_id, payload, signature)


def _due(cloud: "Cloud", account_id: int, since: datetime, now: datetime) -> Iterator[tuple[datetime, str, RunPlan]]:
    """The events of an account's runs in `(since, now]`."""
    for plan in cloud.runs_of(account_id, now):
        if plan.ended_at + _INGESTED_AFTER <= since:
            continue
        for moment, event_type in _events_of(cloud, plan):
            if since < moment <= now:
                yield moment, event_type, plan


def _events_of(cloud: "Cloud", plan: RunPlan) -> Iterator[tuple[datetime, str]]:
    if plan.started_at:
        yield plan.started_at, STARTED
    if plan.outcome == ERROR:
        yield plan.ended_at, ERRORED
    if plan.outcome != CANCELLED or cloud.assumptions.cancelled_webhook == "completed":
        # "Completed" waits until the artifacts were ingested.
        yield plan.ended_at + _INGESTED_AFTER, COMPLETED


def _run_data(cloud: "Cloud", event_type: str, plan: RunPlan) -> dict[str, Any]:
    """What a payload says of the run (dbt Cloud webhooks)."""
    project = cloud.world.projects[plan.job.project_id]
    environment = next((e.name for e in project.environments if e.id == plan.job.environment_id), "")
    words = {SUCCESS: "Success", ERROR: "Errored", CANCELLED: "Cancelled"}
    is_over = event_type != STARTED
    data: dict[str, Any] = {
        "jobId": str(plan.job.id),
        "jobName": cloud.jobs[plan.job.id].name,
        "runId": str(plan.id),
        "environmentId": str(plan.job.environment_id),
        "environmentName": environment,
        "dbtVersion": plan.dbt_version,
        "projectName": project.name,
        "projectId": str(project.id),
        "runStatus": words[plan.outcome] if is_over else "Running",
        "runStatusCode": plan.outcome if is_over else RUNNING,
        "runStatusMessage": (plan.status_message if is_over else None) or "None",
        "runReason": plan.trigger.cause,
        "runStartedAt": zulu(plan.started_at),
    }
    if is_over:
        data["runErroredAt" if event_type == ERRORED else "runFinishedAt"] = zulu(plan.ended_at)
    return data
