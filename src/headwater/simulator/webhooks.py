"""Webhook subscriptions and what was delivered to them."""

from dataclasses import dataclass, field


@dataclass(slots=True)
class Webhooks:
    """The subscriptions of one simulator."""

    seed: int
    subscriptions: dict[str, dict[str, object]] = field(default_factory=dict)
