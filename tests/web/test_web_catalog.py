"""The catalogue in a real browser: searching as one types, choosing by facets, without scripts, on a phone."""

from dataclasses import replace

import pytest
import web_node_reports
from web_windows import open_logged_in


@pytest.fixture
def asked(serve_door):
    """A site whose catalogue finds nodes called like the text, and what it was asked for."""
    questions = []

    def list_catalog(wanted, limit, offset):
        questions.append(wanted)
        if not wanted.text:
            return web_node_reports.make_catalog(limit, offset)
        node = web_node_reports.make_catalog_node(f"about_{wanted.text}", state="failed")
        return replace(web_node_reports.make_catalog(limit, offset), nodes=(node,), total=1)

    with serve_door(list_catalog=list_catalog) as site:
        yield site, questions


def test_what_is_found_changes_as_one_types(asked, browser, observatory):
    """The rows and the address follow the field, which keeps the focus; a filter that was chosen stays."""
    site, questions = asked
    with open_logged_in(browser, site, observatory, "/catalog?tag=tag_3") as window:
        window.locator("#text").press_sequentially("orders", delay=20)
        window.get_by_role("link", name="about_orders", exact=True).wait_for()

        assert window.url == f"{site.url}/catalog?text=orders&tag=tag_3"
        assert window.locator("h1").inner_text() == "1 node fits this."
        assert window.evaluate("document.activeElement.id") == "text"
        assert [link.inner_text().split() for link in window.locator(".chosen a:not(.plain)").all()] == [
            ["tag", "tag_3", "×"],
            ["text", "orders", "×"],
        ]
    assert (questions[-1].text, questions[-1].tag) == ("orders", "tag_3")
    assert len(questions) < 1 + len("orders")


def test_a_facet_narrows_and_is_taken_away_again(asked, browser, observatory):
    """A value of a facet is a link that adds it to what was asked; once chosen, it takes it away."""
    site, questions = asked
    with open_logged_in(browser, site, observatory, "/catalog?text=x") as window:
        window.locator("#facet-state a", has_text="failed").click()
        window.wait_for_url("**/catalog?text=x&state=failed")
        assert questions[-1].state == "failed"
        window.locator("#facet-state a[aria-current]").click()
        window.wait_for_url("**/catalog?text=x")
        window.locator("#facet-tag > summary").click()
        window.locator("#further-tag > summary").click()
        assert window.locator("#facet-tag li").count() == 12


@pytest.mark.parametrize("width", [360, 1280])
def test_without_scripts_the_form_searches(asked, browser, observatory, width):
    """The same address is reached by sending the form; nothing is wider than the window."""
    site, _ = asked
    options = {"width": width, "java_script_enabled": False}
    with open_logged_in(browser, site, observatory, "/catalog?tag=tag_3", **options) as window:
        window.fill("#text", "orders")
        window.press("#text", "Enter")
        window.wait_for_url("**/catalog?*text=orders*")
        window.get_by_role("link", name="about_orders", exact=True).wait_for()

        assert "tag=tag_3" in window.url
        assert window.locator("td.mark").first.inner_text() == "failed"
        assert window.evaluate("document.documentElement.scrollWidth") <= width
