"""The control API under `/_simulator/`: the truth, the clock, faults, requests and runs to order."""

from dataclasses import fields, replace
from datetime import timedelta
from typing import Any

import msgspec

from headwater.simulator.answers import Answer, json_answer
from headwater.simulator.cloud import Cloud
from headwater.simulator.faults import KINDS, Fault
from headwater.simulator.plans import ERROR, SUCCESS, Trigger
from headwater.simulator.query import Query
from headwater.simulator.repertoire import recorded_seconds
from headwater.simulator.routing import Asked
from headwater.simulator.times import iso
from headwater.simulator.truth import Truth
from headwater.simulator.webhooks import MISCHIEF

_LOOPBACK = frozenset({"127.0.0.1", "::1"})
_AMENDED = {SUCCESS: ERROR, ERROR: SUCCESS}
_FAULT_FIELDS = frozenset(field.name for field in fields(Fault))


class Control:
    """Answers tests and demonstrations, not clients of dbt Cloud; only from this machine."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud
        self._truth = Truth(cloud)

    def answer(self, scope: dict[str, Any], body: bytes) -> Answer:
        """Answer one control request."""
        client = scope.get("client") or ("",)
        if client[0] not in _LOOPBACK:
            return json_answer(403, {"error": "the control API answers this machine only"})
        name = scope["path"].removeprefix("/_simulator/").strip("/")
        try:
            document = msgspec.json.decode(body) if body else {}
            return self._route(scope["method"], name, Query.read(scope["query_string"]), document)
        except (KeyError, TypeError, ValueError) as error:
            return json_answer(400, {"error": f"{type(error).__name__}: {error}"})

    def behind(self, asked: Asked, fault: Fault | None) -> Asked:
        """A request for the list of runs as a lagging replica, or one that has nothing, sees it."""
        lag = self._cloud.faults.list_lag
        if fault and fault.kind == "stale_list":
            lag = timedelta(seconds=fault.seconds)
        if fault and fault.kind == "empty_list":
            lag = timedelta(days=36_500)
        return replace(asked, now=asked.now - lag) if lag else asked

    def _route(self, method: str, name: str, query: Query, body: Any) -> Answer:
        cloud = self._cloud
        if name == "truth" and method == "GET":
            return json_answer(200, self._truth.document(query))
        if name == "clock":
            if method == "POST":
                cloud.clock.advance(timedelta(seconds=body["advance_seconds"]))
            return json_answer(200, {"now": iso(cloud.now()), "started_at": iso(cloud.started_at)})
        if name == "faults":
            if method == "POST":
                self._set_faults(body)
            return json_answer(200, self._faults())
        if name == "requests":
            if method == "DELETE":
                cloud.ledger.reset()
            return json_answer(200, cloud.ledger.summary(int(query.last("last") or 200)))
        if name == "recordings" and method == "GET":
            return json_answer(200, {"recordings": sorted(cloud.repertoire.by_id)})
        if name == "runs" and method == "POST":
            return json_answer(201, self._plan_run(body))
        if name == "names" and method == "POST":
            cloud.rename(body["id"], body["name"])
            return json_answer(200, {"id": body["id"], "name": body["name"]})
        if name == "amendments" and method == "POST":
            return json_answer(200, self._amend_run(body))
        if name == "webhooks" and method == "GET":
            return json_answer(200, self._webhooks())
        return json_answer(404, {"error": f"no {method} {name}"})

    def _set_faults(self, body: dict[str, Any]) -> None:
        faults = self._cloud.faults
        if body.get("clear"):
            faults.clear()
            self._cloud.webhooks.rates.clear()
        for kind in (*body.get("rates", {}), *(item["kind"] for item in body.get("next", ()))):
            if kind not in KINDS:
                raise ValueError(f"no fault {kind!r}; there are {', '.join(KINDS)}")
        faults.rates.update(body.get("rates", {}))
        for item in body.get("next", ()):
            faults.scripted.append(Fault(**{k: v for k, v in item.items() if k in _FAULT_FIELDS}))
        faults.revoked_tokens |= set(body.get("revoke_tokens", ()))
        faults.hidden_accounts |= set(body.get("hide_accounts", ()))
        faults.unknown_statuses |= {int(key): value for key, value in body.get("unknown_statuses", {}).items()}
        unknown = set(body.get("webhooks", ())) - set(MISCHIEF)
        if unknown:
            raise ValueError(f"no webhook mischief {sorted(unknown)}; there are {', '.join(MISCHIEF)}")
        self._cloud.webhooks.rates |= body.get("webhooks", {})
        for job_id, recordings in body.get("next_recordings", {}).items():
            faults.next_recordings[int(job_id)] = [self._cloud.repertoire.by_id[name].id for name in recordings]
        if "artifact_delay_seconds" in body:
            faults.artifact_delay = timedelta(seconds=body["artifact_delay_seconds"])
        if "log_delay_seconds" in body:
            faults.log_delay = timedelta(seconds=body["log_delay_seconds"])
        if "list_lag_seconds" in body:
            faults.list_lag = timedelta(seconds=body["list_lag_seconds"])

    def _faults(self) -> dict[str, Any]:
        faults = self._cloud.faults
        return {
            "rates": faults.rates,
            "next": [{"kind": fault.kind, "count": fault.count, "path": fault.path} for fault in faults.scripted],
            "revoked_tokens": len(faults.revoked_tokens),
            "webhooks": self._cloud.webhooks.rates,
            "hidden_accounts": sorted(faults.hidden_accounts),
            "unknown_statuses": {str(key): value for key, value in faults.unknown_statuses.items()},
            "next_recordings": {str(job_id): names for job_id, names in faults.next_recordings.items() if names},
            "artifact_delay_seconds": faults.artifact_delay.total_seconds(),
            "log_delay_seconds": faults.log_delay.total_seconds(),
            "list_lag_seconds": faults.list_lag.total_seconds(),
        }

    def _amend_run(self, body: dict[str, Any]) -> dict[str, Any]:
        """Change the outcome of a run that is over, now: from success to error or back."""
        now = self._cloud.now()
        plan = self._cloud.find_run(body["account_id"], body["run_id"], now)
        if plan is None or plan.status_at(now) not in _AMENDED:
            raise ValueError("only a run that succeeded or failed can be amended")
        amended = replace(plan, outcome=_AMENDED[plan.outcome], amended_at=now)
        self._cloud.replace_run(amended)
        return {"id": amended.id, "status": amended.outcome}

    def _webhooks(self) -> dict[str, Any]:
        """The events due by now, oldest first, each with how its deliveries were answered; how many are not out."""
        self._cloud.webhooks.tell(self._cloud, self._cloud.deliveries)
        events = [
            {
                "id": event.id,
                "account_id": event.subscription.account_id,
                "run_id": event.run_id,
                "event_type": event.event_type,
                "answers": [int(receipt["http_status_code"]) for receipt in list(event.receipts)],
            }
            for event in list(self._cloud.webhooks.events)
        ]
        return {"waiting": self._cloud.deliveries.waiting, "events": events}

    def _plan_run(self, body: dict[str, Any]) -> dict[str, Any]:
        """A run now, of a chosen recording, as long as is asked for."""
        cloud = self._cloud
        job = cloud.jobs[body["job_id"]]
        recording = cloud.repertoire.by_id[body["recording_id"]] if "recording_id" in body else None
        trigger = Trigger(body.get("cause", "Ordered over the control API"), body.get("category", "api"))
        now = cloud.now()
        order = cloud.order_for(job, trigger, recording)
        if "queue_seconds" in body:
            order = replace(order, queued_for=float(body["queue_seconds"]), blocked_by=None)
        if "duration_seconds" in body and order.recording:
            order = replace(order, stretch=float(body["duration_seconds"]) / recorded_seconds(order.recording))
        plan = cloud.start_run(job, trigger, order=order)
        if "failed_batches" in body:
            plan = plan.with_failed_batches(frozenset(body["failed_batches"]))
            cloud.replace_run(plan)
        if "cancel_after_seconds" in body:
            plan = plan.cancelled_at(now + timedelta(seconds=body["cancel_after_seconds"]), "control API")
            cloud.replace_run(plan)
        return {"id": plan.id, "ends_at": iso(plan.ended_at), "recording_id": plan.recording and plan.recording.id}
