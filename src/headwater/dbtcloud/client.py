"""What can be asked of one dbt Cloud account, in model values."""

from __future__ import annotations

import random as chances
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from copy import copy
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from urllib.parse import quote

import msgspec

from headwater.dbtcloud import reading
from headwater.dbtcloud.asking import Asker, Budget, Call, Parameters, RequestReport, Unmetered
from headwater.dbtcloud.envelope import Faults, Noun, Page, Reader, is_web_page, read_one, read_page
from headwater.dbtcloud.query import RunQuery, write_ids
from headwater.dbtcloud.retry import RetryPolicy
from headwater.dbtcloud.transport import ARTIFACT_LIMIT, Transport
from headwater.dbtcloud.webhooks import Subscriptions
from headwater.errors import AnswerUnreadable, DbtCloudError, NotVisible
from headwater.model.account import AccountAddress, Environment, Job, Project
from headwater.model.run import Run
from headwater.model.secret import Secret

PAGE = 100
"""Records a page may have; multi-tenant dbt Cloud refuses more."""

_KEPT_FAULTS = 100


def _now() -> datetime:
    return datetime.now(UTC)


class Client:
    """One account of dbt Cloud with one token; safe for several threads.

    Every method may raise a `DbtCloudError`. What an answer holds beside the readable is kept as `take_faults`.
    """

    def __init__(
        self,
        address: AccountAddress,
        token: Secret,
        transport: Transport,
        *,
        budget: Budget | None = None,
        policy: RetryPolicy | None = None,
        artifact_limit: int = ARTIFACT_LIMIT,
        sleep: Callable[[float], None] = time.sleep,
        random: Callable[[], float] = chances.random,
        clock: Callable[[], datetime] = _now,
        on_request: Callable[[RequestReport], None] | None = None,
    ) -> None:
        self.address = address
        self._artifact_limit = artifact_limit
        self._faults: deque[str] = deque(maxlen=_KEPT_FAULTS)
        self._asker = Asker(
            address=address,
            token=token,
            transport=transport,
            budget=budget or Unmetered(clock),
            policy=policy or RetryPolicy(),
            sleep=sleep,
            random=random,
            clock=clock,
            on_request=on_request or _ignore,
        )

    @property
    def token(self) -> Secret:
        """Give the token that the account is asked with."""
        return self._asker.token

    def with_policy(self, policy: RetryPolicy) -> Client:
        """Give the same client with another patience."""
        other = copy(self)
        other._asker = replace(self._asker, policy=policy)  # noqa: SLF001  # it is ours
        return other

    def subscriptions(self) -> Subscriptions:
        """Give the account's webhook subscriptions, asked with the same token."""
        return Subscriptions(self._asker)

    def take_faults(self) -> tuple[str, ...]:
        """Give a sentence for everything that could not be read since the last call; the rest was."""
        faults = []
        while self._faults:
            faults.append(self._faults.popleft())
        return tuple(faults)

    def list_accounts(self) -> tuple[reading.Account, ...]:
        """List the accounts that the token can see."""
        return self._list("accounts", "/api/v3/accounts/", {}, reading.read_account)

    def get_account(self) -> reading.Account:
        """Get the account itself."""
        return self._get("account", self._path(2, ""), {}, reading.read_account)

    def get_user(self) -> reading.User:
        """Get the person the token acts for; dbt Cloud has nobody to name for a service token and refuses."""
        return self._get("whoami", "/api/v2/whoami/", {}, reading.read_user)

    def list_projects(self) -> tuple[Project, ...]:
        """List the projects, deleted ones included."""
        return self._list("projects", self._path(3, "projects/"), {"state": "all"}, reading.read_project)

    def list_environments(self) -> tuple[Environment, ...]:
        """List the environments of all projects, deleted ones included."""
        return self._list("environments", self._path(2, "environments/"), {"state": "all"}, reading.read_environment)

    def list_jobs(self) -> tuple[Job, ...]:
        """List the jobs, deleted ones included: old runs name them."""
        return self._list("jobs", self._path(2, "jobs/"), {"state": "all"}, reading.read_job)

    def get_job(self, job_id: int) -> Job:
        """Get a job."""
        return self._get("job", self._path(2, f"jobs/{job_id}/"), {}, reading.read_job)

    def each_run(self, query: RunQuery) -> Iterator[Run]:
        """Give the runs of a query one by one, asking for pages as they are wanted; no run comes twice."""
        pages = self._each_page_by_id if query.order == "id" else self._each_page_by_offset
        seen: set[int] = set()
        for page in pages("runs", self._path(2, "runs/"), query.parameters(), reading.read_run):
            for run in page.records:
                if run.run_id not in seen:
                    seen.add(run.run_id)
                    yield run

    def list_open_runs(self) -> tuple[Run, ...]:
        """List the runs that are queued, starting or running."""
        return tuple(self.each_run(RunQuery(status_codes=reading.OPEN_STATUSES)))

    def list_runs_by_id(self, run_ids: Iterable[int]) -> tuple[Run, ...]:
        """List runs by id, a hundred to a request; those that dbt Cloud does not know are missing."""
        runs: list[Run] = []
        wanted = sorted(set(run_ids))
        for some in (tuple(wanted[start : start + PAGE]) for start in range(0, len(wanted), PAGE)):
            parameters: Parameters = {**RunQuery().parameters(), "pk__in": write_ids(some), "limit": PAGE}
            runs += self._read_page("runs", self._path(2, "runs/"), parameters, reading.read_run).records
        return tuple(runs)

    def get_run(self, run_id: int) -> Run:
        """Get a run with its steps and its trigger."""
        read = partial(reading.read_run, run_id=run_id)
        run = self._get("run", self._path(2, f"runs/{run_id}/"), {"include_related": "run_steps,trigger"}, read)
        return _same_run(run, run_id)

    def list_artifacts(self, run_id: int) -> tuple[str, ...]:
        """List the paths of the artifacts of a run's last step; empty where it has none."""
        path = self._path(2, f"runs/{run_id}/artifacts/")
        try:
            answer = self._asker.ask(Call(endpoint="artifacts", path=path))
        except NotVisible:
            return ()
        with self._noting() as faults:
            return read_page(answer.body, reading.read_artifact_path, faults, may_be_null=True).records

    def read_artifact(self, run_id: int, path: str, step: int | None = None) -> bytes | None:
        """Read an artifact's bytes, None where there is none; without a step dbt Cloud gives the last step's."""
        if not reading.is_artifact_path(path):
            raise NotVisible(f"{path!r} is not the path of an artifact.")
        call = Call(
            endpoint="artifact",
            path=self._path(2, f"runs/{run_id}/artifacts/{quote(path)}"),
            parameters={} if step is None else {"step": step},
            accept="*/*",
            limit=self._artifact_limit,
        )
        try:
            body = self._asker.ask(call).body
        except NotVisible:
            return None
        if is_web_page(body) and not path.endswith(".html"):
            raise AnswerUnreadable(f"dbt Cloud answered with a web page instead of {path}.")
        return body

    def count(self, noun: str) -> int:
        """Count the projects, environments, jobs or runs that the token can see, with one small request."""
        path = self._path(3 if noun == "projects" else 2, f"{noun}/")
        page = self._read_page(noun, path, {"limit": 1}, lambda raw, _: raw)
        return page.total if page.total is not None else page.received

    def can_read_tokens(self) -> bool:
        """Tell whether the token may read the account's service tokens: only an administrator's may."""
        try:
            self._asker.ask(Call(endpoint="tokens", path=self._path(3, "service-tokens/"), parameters={"limit": 1}))
        except DbtCloudError:
            return False
        return True

    def trigger_job(self, job_id: int, cause: str) -> Run:
        """Start a job; repeated only where dbt Cloud cannot have started it."""
        return self._post("trigger", f"jobs/{job_id}/run/", {"cause": cause})

    def cancel_run(self, run_id: int) -> Run:
        """Cancel a run."""
        return _same_run(self._post("cancel", f"runs/{run_id}/cancel/", {}), run_id)

    def retry_run(self, run_id: int) -> Run:
        """Start a new run from the point where this one failed."""
        return self._post("retry", f"runs/{run_id}/retry/", {})

    def _path(self, version: int, rest: str) -> str:
        return f"/api/v{version}/accounts/{self.address.account_id}/{rest}"

    @contextmanager
    def _noting(self) -> Iterator[Faults]:
        faults: Faults = []
        try:
            yield faults
        finally:
            self._faults.extend(faults)

    def _get(self, endpoint: str, path: str, parameters: Parameters, read: Reader[Noun]) -> Noun:
        answer = self._asker.ask(Call(endpoint=endpoint, path=path, parameters=parameters))
        with self._noting() as faults:
            return read_one(answer.body, read, faults)

    def _post(self, endpoint: str, rest: str, content: Mapping[str, str]) -> Run:
        call = Call(endpoint=endpoint, path=self._path(2, rest), method="POST", body=msgspec.json.encode(content))
        answer = self._asker.ask(call)
        with self._noting() as faults:
            return read_one(answer.body, reading.read_run, faults)

    def _list(self, endpoint: str, path: str, parameters: Parameters, read: Reader[Noun]) -> tuple[Noun, ...]:
        found = self._each_page_by_offset(endpoint, path, {**parameters, "order_by": "id"}, read)
        return tuple(dict.fromkeys(record for page in found for record in page.records))

    def _read_page(self, endpoint: str, path: str, parameters: Parameters, read: Reader[Noun]) -> Page[Noun]:
        answer = self._asker.ask(Call(endpoint=endpoint, path=path, parameters=parameters))
        with self._noting() as faults:
            return read_page(answer.body, read, faults)

    def _each_page_by_id(
        self, endpoint: str, path: str, parameters: Parameters, read: Reader[Run]
    ) -> Iterator[Page[Run]]:
        above = int(parameters.get("id__gt", -1))
        while True:
            page = self._read_page(endpoint, path, {**parameters, "id__gt": above, "limit": PAGE}, read)
            if page.records:
                ids = [run.run_id for run in page.records]
                if ids != sorted(ids) or ids[0] <= above:
                    raise AnswerUnreadable("dbt Cloud lists runs in another order than it was asked for.")
                above = ids[-1]
            yield page
            if _is_last(page, page.received):
                return

    def _each_page_by_offset(
        self, endpoint: str, path: str, parameters: Parameters, read: Reader[Noun]
    ) -> Iterator[Page[Noun]]:
        offset = 0
        previous: tuple[Noun, ...] | None = None
        while True:
            page = self._read_page(endpoint, path, {**parameters, "limit": PAGE, "offset": offset}, read)
            if page.records and page.records == previous:
                raise AnswerUnreadable("dbt Cloud gives the same page of a list again and again.")
            previous = page.records
            yield page
            offset += page.received
            if _is_last(page, offset):
                return


def _is_last(page: Page[Noun], reached: int) -> bool:
    if not page.received:
        return True
    return reached >= page.total if page.total is not None else page.received < PAGE


def _same_run(run: Run, run_id: int) -> Run:
    if run.run_id != run_id:
        raise AnswerUnreadable(f"dbt Cloud was asked for run {run_id} and answered with run {run.run_id}.")
    return run


def _ignore(report: RequestReport) -> None:
    """Pass over a report that nobody asked for."""
