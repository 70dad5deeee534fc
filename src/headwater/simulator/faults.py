"""What goes wrong on the wire and behind it: by rates and seed, or scripted for the next requests."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from email.utils import format_datetime

from headwater.simulator.answers import HTML, Answer, html_page, json_answer
from headwater.simulator.chance import stream
from headwater.simulator.settings import Assumptions

KINDS = (
    "rate_limited",
    "error_500",
    "bad_gateway",
    "unavailable",
    "reset_before",
    "reset_after",
    "truncated_body",
    "slow_body",
    "corrupt_artifact",
    "stale_list",
    "empty_list",
)
_WITHOUT_HANDLING = frozenset({"rate_limited", "error_500", "bad_gateway", "unavailable", "reset_before"})


@dataclass(slots=True)
class Fault:
    """One kind of trouble, and what it befalls."""

    kind: str
    count: int = 1
    path: str = ""
    """A part of the path; empty: any."""
    account_id: int | None = None
    seconds: float = 60.0
    """Retry-After, the age of a stale list, or the length of a slow body."""

    def befalls(self, path: str, account_id: int | None) -> bool:
        """Whether a request is one that this fault is meant for."""
        return self.count > 0 and self.path in path and self.account_id in (None, account_id)

    @property
    def is_before_handling(self) -> bool:
        """Whether the request never reaches its handler."""
        return self.kind in _WITHOUT_HANDLING


@dataclass(slots=True)
class Faults:
    """The faults of one simulator; nothing goes wrong until it is told to."""

    seed: int
    rates: dict[str, float] = field(default_factory=dict)
    scripted: list[Fault] = field(default_factory=list)
    revoked_tokens: set[str] = field(default_factory=set)
    hidden_accounts: set[int] = field(default_factory=set)
    unknown_statuses: dict[int, int] = field(default_factory=dict)
    next_recordings: dict[int, list[str]] = field(default_factory=dict)
    """What the next runs of a job show that are asked for over the API, by the job's id; then it is healthy again."""
    artifact_delay: timedelta = timedelta(0)
    list_lag: timedelta = timedelta(0)
    log_delay: timedelta = timedelta(0)
    asked: int = 0

    def pick(self, path: str, account_id: int | None) -> Fault | None:
        """The fault that befalls this request: a scripted one first, else by the rates."""
        self.asked += 1
        for fault in self.scripted:
            if fault.befalls(path, account_id):
                fault.count -= 1
                self.scripted = [left for left in self.scripted if left.count > 0]
                return fault
        if not self.rates:
            return None
        luck = stream(self.seed, "fault", self.asked).random()
        for kind, rate in sorted(self.rates.items()):
            if luck < rate:
                return Fault(kind, seconds=2.0)
            luck -= rate
        return None

    def clear(self) -> None:
        """Let nothing go wrong from now on."""
        self.rates, self.scripted, self.unknown_statuses = {}, [], {}
        self.revoked_tokens, self.hidden_accounts, self.next_recordings = set(), set(), {}
        self.artifact_delay = self.list_lag = self.log_delay = timedelta(0)


def fault_answer(kind: str, seconds: float, assumptions: Assumptions, now: datetime) -> Answer:
    """The answer of a fault that needs no handler."""
    if kind == "rate_limited":
        return too_many_requests(seconds, assumptions, now)
    if kind == "bad_gateway":
        return html_page(502, "502 Bad Gateway")
    if kind == "unavailable":
        return html_page(503, "503 Service Temporarily Unavailable")
    status = {"code": 500, "is_success": False, "user_message": "An internal error occurred.", "developer_message": ""}
    return json_answer(500, {"status": status, "data": None})


def too_many_requests(seconds: float, assumptions: Assumptions, now: datetime) -> Answer:
    """429, in the body and with the header that are assumed (dbt Cloud documents neither)."""
    headers: tuple[tuple[str, str], ...] = ()
    if assumptions.retry_after == "seconds":
        headers = (("retry-after", str(max(0, round(seconds)))),)
    elif assumptions.retry_after == "date":
        headers = (("retry-after", format_datetime(now + timedelta(seconds=seconds), usegmt=True)),)
    if assumptions.rate_limit_body == "html":
        page = html_page(429, "429 Too Many Requests")
        return Answer(429, page.body, HTML, headers)
    status = {"code": 429, "is_success": False, "user_message": "Too many requests.", "developer_message": ""}
    return json_answer(429, {"status": status, "data": None}, headers)


def corrupted(body: bytes) -> bytes:
    """An artifact with a merge conflict in it, as somebody's commit once left one."""
    middle = len(body) // 2
    return body[:middle] + b"\n<<<<<<< HEAD\n=======\n>>>>>>> main\n" + body[middle:]
