"""The v3 API of webhook subscriptions, whose envelope is not the one of the others."""

from typing import Any

from headwater.simulator.answers import Answer, bad_request, json_answer, not_found
from headwater.simulator.api_jobs import read_body
from headwater.simulator.chance import hex_of
from headwater.simulator.cloud import Cloud
from headwater.simulator.routing import Asked, Route
from headwater.simulator.times import micros
from headwater.simulator.webhooks import EVENT_TYPES, Event, Subscription


def routes() -> list[Route]:
    """The routes of this module."""
    base = "/api/v3/accounts/{account_id}/webhooks"
    one = f"{base}/subscription/{{subscription_id:}}"
    return [
        Route(f"{base}/subscriptions", {"GET": list_subscriptions, "POST": create_subscription}, "webhooks"),
        Route(one, {"GET": get_subscription, "PUT": update_subscription, "DELETE": delete_subscription}, "webhooks"),
        Route(f"{one}/test", {"GET": test_subscription}, "webhooks"),
        Route(f"{one}/events", {"GET": list_events}, "webhooks"),
        Route(f"{one}/event/{{event_id:}}/receipt", {"GET": list_receipts}, "webhooks"),
    ]


def list_subscriptions(cloud: Cloud, asked: Asked) -> Answer:
    """The subscriptions of an account, without their secrets."""
    found = [item for item in cloud.webhooks.subscriptions.values() if item.account_id == asked.account.id]
    return _page(asked, [_document(item) for item in found])


def create_subscription(cloud: Cloud, asked: Asked) -> Answer:
    """A new subscription; only this answer tells the secret."""
    body = _checked(read_body(asked))
    identifier = cloud.webhooks.new_id()
    made = Subscription(
        id=identifier,
        account_id=asked.account.id,
        account_identifier=asked.account.identifier,
        name=body["name"],
        description=body.get("description") or "",
        event_types=list(body["event_types"]),
        job_ids=[str(job_id) for job_id in body.get("job_ids") or ()],
        client_url=body["client_url"],
        secret=hex_of(40, cloud.settings.seed, "webhook secret", identifier),
        created_at=asked.now,
        active=bool(body.get("active", True)),
    )
    cloud.webhooks.subscriptions[identifier] = made
    return json_answer(201, {"status": {"code": 201}, "data": {**_document(made), "hmac_secret": made.secret}})


def get_subscription(cloud: Cloud, asked: Asked) -> Answer:
    """One subscription."""
    return json_answer(200, {"status": {"code": 200}, "data": _document(_find(cloud, asked))})


def update_subscription(cloud: Cloud, asked: Asked) -> Answer:
    """Change a subscription; making it active again forgets its failures."""
    found, body = _find(cloud, asked), _checked(read_body(asked))
    found.name, found.client_url = body["name"], body["client_url"]
    found.description = body.get("description") or ""
    found.event_types = list(body["event_types"])
    found.job_ids = [str(job_id) for job_id in body.get("job_ids") or ()]
    found.active = bool(body.get("active", True))
    if found.active:
        found.failures_in_a_row, found.deactivate_reason = 0, None
    return json_answer(200, {"status": {"code": 200}, "data": _document(found)})


def delete_subscription(cloud: Cloud, asked: Asked) -> Answer:
    """Delete a subscription."""
    found = _find(cloud, asked)
    del cloud.webhooks.subscriptions[found.id]
    return json_answer(200, {"status": {"code": 200, "is_success": True}, "data": {"id": found.id}})


def test_subscription(cloud: Cloud, asked: Asked) -> Answer:
    """Send an event of the account's last finished run, as a trial."""
    found = _find(cloud, asked)
    done = [plan for plan in cloud.runs_of(asked.account.id, asked.now) if plan.ended_at <= asked.now]
    if not done:
        raise bad_request("There is no run to send.")
    event = cloud.webhooks.event(cloud, found, EVENT_TYPES[1], done[-1], asked.now)
    cloud.deliveries.put(event)
    return json_answer(200, {"status": {"code": 200}, "data": {"event_id": event.id}})


def list_events(cloud: Cloud, asked: Asked) -> Answer:
    """The events of a subscription, newest first."""
    found = _find(cloud, asked)
    events = [event for event in reversed(cloud.webhooks.events) if event.subscription.id == found.id]
    return _page(asked, [_event_document(event) for event in events])


def list_receipts(cloud: Cloud, asked: Asked) -> Answer:
    """The attempts to deliver an event."""
    found = _find(cloud, asked)
    for event in cloud.webhooks.events:
        if event.id == asked.params["event_id"] and event.subscription.id == found.id:
            return json_answer(200, {"status": {"code": 200}, "data": list(event.receipts)})
    raise not_found()


def _find(cloud: Cloud, asked: Asked) -> Subscription:
    found = cloud.webhooks.subscriptions.get(asked.params["subscription_id"])
    if found is None or found.account_id != asked.account.id:
        raise not_found()
    return found


def _checked(body: dict[str, Any]) -> dict[str, Any]:
    for name in ("name", "client_url", "event_types"):
        if not body.get(name):
            raise bad_request(f"{name} is required.")
    unknown = set(body["event_types"]) - set(EVENT_TYPES)
    if unknown:
        raise bad_request(f"Unknown event types: {', '.join(sorted(unknown))}.")
    return body


def _page(asked: Asked, documents: list[dict[str, Any]]) -> Answer:
    """A list of the newer family: `status` has a code only."""
    try:
        limit, offset = int(asked.query.last("limit") or 10), int(asked.query.last("offset") or 0)
    except ValueError:
        raise bad_request("limit and offset are whole numbers.") from None
    part = documents[offset : offset + limit]
    pagination = {"total_count": len(documents), "count": len(part)}
    extra = {"pagination": pagination, "filters": {"offset": offset, "limit": limit}}
    return json_answer(200, {"status": {"code": 200}, "data": part, "extra": extra})


def _document(item: Subscription) -> dict[str, Any]:
    return {
        "id": item.id,
        "account_id": item.account_id,
        "account_identifier": item.account_identifier,
        "name": item.name,
        "description": item.description,
        "event_types": item.event_types,
        "job_ids": item.job_ids,
        "client_url": item.client_url,
        "active": item.active,
        "http_status_code": item.http_status_code,
        "dispatched_at": item.dispatched_at and str(micros(item.dispatched_at)),
        "deactivate_reason": item.deactivate_reason,
        "created_at": str(micros(item.created_at)),
        "updated_at": str(micros(item.created_at)),
    }


def _event_document(event: Event) -> dict[str, Any]:
    return {
        "id": event.id,
        "subscription_id": event.subscription.id,
        "account_id": str(event.subscription.account_id),
        "account_identifier": event.subscription.account_identifier,
        "job_id": str(event.job_id),
        "trigger_event_type": event.event_type,
        "payload": event.payload.decode(),
        "http_status_code": event.http_status_code,
    }
