"""axe over a page: the one place that says by which rules."""

from __future__ import annotations

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

_RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
_axe = Axe()


def find_violations(window: Page) -> list[str]:
    """Run axe; gives a line for each element that breaks a rule."""
    found = _axe.run(window, options={"runOnly": _RULES}).response["violations"]
    return [f"{one['id']}: {node['target']}: {node['failureSummary']}" for one in found for node in one["nodes"]]
