"""The v3 API of webhook subscriptions."""

from headwater.simulator.routing import Route


def routes() -> list[Route]:
    """The routes of this module."""
    return []
