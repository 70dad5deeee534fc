"""Asking once and again: every try claims its budget, is reported, and follows the retry policy."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from importlib.metadata import version
from typing import Protocol
from urllib.parse import urlencode

from headwater.dbtcloud.deadline import NoAnswer
from headwater.dbtcloud.refusal import explain_refusal
from headwater.dbtcloud.retry import Attempt, RetryPolicy, earliest_return, next_wait, read_retry_after
from headwater.dbtcloud.transport import JSON_LIMIT, Answer, Request, Transport
from headwater.errors import DbtCloudError, RateLimited
from headwater.model.account import AccountAddress
from headwater.model.secret import Secret

Parameters = Mapping[str, str | int]

_USER_AGENT = f"headwater/{version('headwater')}"


class Budget(Protocol):
    """Says when an account may be asked; shared by everybody who asks it."""

    def claim(self) -> None:
        """Claim one request, waiting until there is one to claim."""
        ...

    def block_until(self, moment: datetime) -> None:
        """Let nobody claim a request before a moment: dbt Cloud asked to be left alone."""
        ...


class Unmetered:
    """The budget of somebody who asks a handful of times (the SDK, a check): no limit but dbt Cloud's own word."""

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self._clock = clock
        self._closed_until: datetime | None = None

    def claim(self) -> None:
        """Claim one request.

        Raises:
            RateLimited: dbt Cloud asked to be left alone, and that time is not over.
        """
        if self._closed_until is not None:
            left = (self._closed_until - self._clock()).total_seconds()
            if left > 0:
                raise RateLimited(f"dbt Cloud asked to be left alone for {left:.0f} s more.", retry_after=left)

    def block_until(self, moment: datetime) -> None:
        """Refuse claims before a moment."""
        self._closed_until = max(moment, self._closed_until or moment)


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestReport:
    """How one try of a request ended; `endpoint` is a word of a small fixed set, fit for a label of a metric."""

    endpoint: str
    method: str
    attempt: int
    elapsed: timedelta
    status: int | None = None
    failure: str | None = None
    size: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One request to be made."""

    endpoint: str
    path: str
    parameters: Parameters = field(default_factory=dict)
    method: str = "GET"
    accept: str = "application/json"
    body: bytes | None = None
    limit: int = JSON_LIMIT


@dataclass(frozen=True, slots=True, kw_only=True)
class Asker:
    """Asks one account with one token. All that touches the world comes in from outside."""

    address: AccountAddress
    token: Secret
    transport: Transport
    budget: Budget
    policy: RetryPolicy
    sleep: Callable[[float], None]
    random: Callable[[], float]
    clock: Callable[[], datetime]
    on_request: Callable[[RequestReport], None]

    def ask(self, call: Call) -> Answer:
        """Ask until there is an answer of success, or no patience left.

        Raises:
            DbtCloudError: what the last try meant.
        """
        began = self.clock()
        number = 0
        while True:
            number += 1
            self.budget.claim()
            answer, error = self._try(call, number)
            if answer is not None and 200 <= answer.status < 300:
                return answer
            attempt = Attempt(
                number=number,
                elapsed=max((self.clock() - began).total_seconds(), 0.0),
                status=answer.status if answer is not None else None,
                failure=error.failure if error is not None else None,
                retry_after=read_retry_after(answer.headers, self.clock()) if answer is not None else None,
                has_effect=call.method != "GET",
            )
            closed = earliest_return(attempt)
            if closed is not None:
                self.budget.block_until(self.clock() + timedelta(seconds=closed))
            wait = next_wait(attempt, self.policy, self.random())
            if wait is None:
                raise self._give_up(call, answer, error, closed)
            self.sleep(wait)

    def _try(self, call: Call, number: int) -> tuple[Answer | None, NoAnswer | None]:
        began = self.clock()
        report = RequestReport(endpoint=call.endpoint, method=call.method, attempt=number, elapsed=timedelta(0))
        try:
            answer = self.transport.send(self._request(call))
        except NoAnswer as error:
            self.on_request(replace(report, elapsed=self.clock() - began, failure=error.failure.value))
            return None, error.with_traceback(None)
        except DbtCloudError:
            self.on_request(replace(report, elapsed=self.clock() - began, failure="unreadable"))
            raise
        self.on_request(replace(report, elapsed=self.clock() - began, status=answer.status, size=len(answer.body)))
        return answer, None

    def _request(self, call: Call) -> Request:
        query = f"?{urlencode(call.parameters)}" if call.parameters else ""
        return Request(
            url=f"{self.address.origin}{call.path}{query}",
            method=call.method,
            token=self.token,
            accept=call.accept,
            user_agent=_USER_AGENT,
            body=call.body,
            limit=call.limit,
        )

    def _give_up(
        self, call: Call, answer: Answer | None, error: NoAnswer | None, closed: float | None
    ) -> DbtCloudError:
        if answer is None:
            return error or DbtCloudError("dbt Cloud gave no answer.")
        refusal = explain_refusal(answer, self.address, call.path)
        if isinstance(refusal, RateLimited):
            refusal.retry_after = closed
        return refusal
