"""What a simulator is started with, and what it is assumed that dbt Cloud does where nobody documents it."""

from dataclasses import dataclass, field, fields, replace
from datetime import datetime
from pathlib import Path

RECORDINGS = Path(__file__).parent / "recordings.tar.xz"


class WrongSettingError(ValueError):
    """A simulator setting that cannot be; the message names it and what would do."""


@dataclass(frozen=True, slots=True)
class Assumptions:
    """Undocumented behaviour of dbt Cloud, each choice with the opposite in reach of a switch."""

    rate_limit_body: str = "json"
    """`json` (the usual envelope) or `html` (from a proxy): the body of a 429."""
    retry_after: str = "seconds"
    """`seconds`, `date` (an HTTP date) or `absent`: the Retry-After header of a 429."""
    list_honours_step: bool = False
    """Whether the list of artifacts looks at `step` (dbt Cloud's does not: specification, PR 27)."""
    steps_share_target: bool = False
    """Whether a step's artifacts include what earlier steps left in `target/`."""
    cancelled_has_finished_at: bool = False
    """Whether a cancelled run has `finished_at`."""
    cancelled_webhook: str = "none"
    """`none` or `completed`: the webhook that a cancelled run causes."""
    limit_over_100: str = "refuse"
    """`refuse` (400) or `clamp` (to 100): what a list answers to a limit above 100."""
    webhook_id_key: str = "webhookId"
    """`webhookId` (payloads seen) or `webhooksID` (older documentation)."""
    webhook_failures: str = "1000"
    """`1000` or `5` (before 2026): failed deliveries in a row that deactivate a subscription."""
    delete_answer: str = "empty"
    """`empty` (204, the specification) or `envelope` (200 and the object, older clients)."""
    compresses: bool = False
    """Whether an answer is packed with gzip for a client that accepts it."""
    missing_permission: str = "not_found"
    """`not_found` (404) or `forbidden` (403): what a token gets where it lacks the permission."""
    whoami_without_user: str = "unauthorized"
    """`unauthorized` (401) or `not_found` (404): what a service token gets at `whoami`."""

    def changed(self, assignments: list[str]) -> "Assumptions":
        """These assumptions with `name=value` switches applied."""
        known = {item.name: _CHOICES.get(item.name, ("true", "false")) for item in fields(self)}
        changes: dict[str, str | bool] = {}
        for assignment in assignments:
            name, _, value = assignment.partition("=")
            if name not in known:
                raise WrongSettingError(f"no assumption {name!r}; there are {', '.join(known)}")
            if value not in known[name]:
                raise WrongSettingError(f"{name} is one of {', '.join(known[name])}, not {value!r}")
            changes[name] = value if name in _CHOICES else value == "true"
        return replace(self, **changes)  # type: ignore[arg-type]  # names and values were checked above


_CHOICES = {
    "rate_limit_body": ("json", "html"),
    "retry_after": ("seconds", "date", "absent"),
    "webhook_id_key": ("webhookId", "webhooksID"),
    "webhook_failures": ("1000", "5"),
    "cancelled_webhook": ("none", "completed"),
    "limit_over_100": ("refuse", "clamp"),
    "delete_answer": ("empty", "envelope"),
    "missing_permission": ("not_found", "forbidden"),
    "whoami_without_user": ("unauthorized", "not_found"),
}


@dataclass(frozen=True, slots=True)
class SimulatorSettings:
    """Everything a simulator is made from; the same settings make the same world."""

    port: int = 0
    """The port on 127.0.0.1; 0 takes a free one."""
    seed: int = 0
    days: float = 30
    """How much history there is before the start."""
    now: datetime | None = None
    """The simulated time at the start; None takes the real time."""
    clock: str = "real"
    """`real` (runs by itself, times `speed`) or `manual` (moves only over the control API)."""
    speed: float = 1.0
    busy: bool = False
    """Whether a further run begins every 25 real seconds, for somebody who is watching."""
    tls: bool = False
    tls_directory: Path | None = None
    """Where the certificates are written; None takes a temporary folder."""
    recordings: Path = RECORDINGS
    rate_limit: int = 1_000_000
    """Requests a minute for each account before 429; dbt Cloud's is 5,000."""
    rate_limit_cooldown_seconds: int = 300
    webhook_retry_seconds: float = 0.5
    """Real seconds before the first repetition of a delivery; each further one waits twice as long."""
    assumptions: Assumptions = field(default_factory=Assumptions)


@dataclass(frozen=True, slots=True)
class AnnouncedAccount:
    """An account that can be connected, with every kind of token it has."""

    id: int
    name: str
    token: str
    tokens: dict[str, str]


@dataclass(frozen=True, slots=True)
class Announcement:
    """What a simulator says of itself once it accepts connections."""

    url: str
    accounts: tuple[AnnouncedAccount, ...]
    now: str
    ca_path: str | None = None
