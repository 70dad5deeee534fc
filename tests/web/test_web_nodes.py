"""The pages and documents of nodes and of the catalogue."""

from urllib.parse import parse_qs, urlsplit

import pytest
import web_node_reports
import web_reports

from headwater.errors import Ambiguous, WrongUse
from headwater.observatory.catalog import CatalogFilter
from headwater.observatory.node_reports import CatalogReport, ImpactReport, NodeReport
from headwater.observatory.references import NodeQuestion
from headwater.web.node_filters import node_link, read_catalog_question, read_node_question

NAMES = ["it's", 'say "hi"', "a.b..c", "café ☕", "a/b?c=d&e#f", "x" * 400, "..%2f"]


@pytest.mark.parametrize("path", ["nodes", "impact"])
def test_a_node_has_documents_beside_its_page_and_under_the_api(site, tokens, path):
    """The document beside the page is that of the API, with every field of its report."""
    beside, under = (
        site.ask(f"{prefix}?ref=fct_orders&account=acme", token=tokens["viewer"])
        for prefix in (f"/{path}.json", f"/api/v1/{path}")
    )

    assert beside.status == 200
    assert beside.json == under.json
    assert set(beside.json) == set({"nodes": NodeReport, "impact": ImpactReport}[path].__dataclass_fields__)


def test_the_openapi_document_describes_the_questions(site, tokens):
    """Parameters of nodes, impact and catalogue stand in the description."""
    paths = site.ask("/api/v1/openapi", token=tokens["viewer"]).json["paths"]
    named = {
        path: {parameter["name"] for parameter in paths[path]["get"]["parameters"]}
        for path in ("/api/v1/nodes", "/api/v1/impact", "/api/v1/catalog")
    }

    assert named["/api/v1/nodes"] == named["/api/v1/impact"]
    assert named["/api/v1/nodes"] == {"ref", "account", "project", "environment", "run", "at", "ephemeral"}
    assert named["/api/v1/catalog"] == {*CatalogFilter.__dataclass_fields__, "limit", "offset"}


@pytest.mark.parametrize("name", NAMES)
def test_any_name_comes_through_the_address_of_its_page(serve_door, tokens, name):
    """Quotes, dots, slashes, emoji: what the link says is what the observatory is asked for."""
    asked = []

    def get_full_node(question, with_ephemeral):
        asked.append((question, with_ephemeral))
        return web_node_reports.make_full_node(node=web_node_reports.make_node(name))

    link = node_link(name, "acme & co", 3, 4)
    with serve_door(get_full_node=get_full_node) as site:
        reply = site.ask(f"{link}&ephemeral=yes", token=tokens["viewer"])

    assert reply.status == 200
    assert asked == [(NodeQuestion(ref=name, account="acme & co", project="3", environment="4"), True)]
    assert parse_qs(urlsplit(link).query)["ref"] == [name]


def test_what_a_form_left_empty_does_not_filter():
    """Empty fields are not asked; what is not a time, a number or a yes is refused."""
    asked = read_catalog_question({"text": " orders ", "tag": "", "at": "2026-11-20T06:00", "limit": "10"})

    assert (asked.catalog.text, asked.catalog.tag, asked.limit) == ("orders", None, 10)
    assert asked.link(offset=10) == "/catalog?text=orders&at=2026-11-20T06%3A00&limit=10&offset=10"
    for query in ({"at": "noon"}, {"run": "-1"}, {"run": "x"}, {"ephemeral": "maybe"}):
        with pytest.raises(WrongUse):
            read_node_question(query)


def test_a_name_that_means_several_nodes_lists_them(serve_door, tokens):
    """The answer is 400, and says what could be meant."""

    def get_node(_asked, _shown):
        candidates = ("model.a.orders", "model.b.orders")
        raise Ambiguous("'orders' could be 2 nodes.", candidates=candidates, hint="Narrow it.")

    with serve_door(get_node=get_node) as site:
        reply = site.ask("/api/v1/nodes?ref=orders", token=tokens["viewer"])

    assert reply.status == 400
    assert reply.json["error"]["hint"] == "Narrow it. It could be: model.a.orders; model.b.orders."


def test_the_pages_say_what_the_reports_say(site, tokens):
    """Parents and children are links, tests have their last result, unknown parents say so, exposures have owners."""
    page = site.ask("/nodes?ref=fct_orders&account=acme", token=tokens["viewer"]).text
    catalog = site.ask("/catalog", token=tokens["viewer"]).text
    run = site.ask("/runs/acme/300412980", token=tokens["viewer"]).text

    for words in ("in no manifest that is known", "never ran", "Anouk", "code, columns", "BIGINT", "With ephemeral"):
        assert words in page
    link = node_link("model.storefront.stg_orders", "acme", 3, 4).replace("&", "&amp;")
    assert f'href="{link}"' in page
    assert "120 nodes" in catalog
    assert 'href="/catalog?offset=50"' in catalog
    assert "columns added: tax" in run
    assert "2 nodes use it" in run


def test_the_page_says_what_suffers_what_to_run_and_how_old_the_data_are(site, tokens):
    """The affected with what they suffer, the command that is the way back, what data rest on, what a build read."""
    page = site.ask("/nodes?ref=fct_orders&account=acme", token=tokens["viewer"]).text

    for words in (
        "Affected now: 1 table (1 failed), 1 exposure.", "reads bad data", "bad by itself",
        "1 test could not vouch since",
        "<code>dbt build --select fct_orders+</code>", "nightly, about 41 s", "Data as of 2026-11-20 07:00 UTC",
        "What that rests on", "shop.products", "stg_orders",
    ):  # fmt: skip
        assert words in page


def test_hostile_text_is_only_text(serve_door, tokens):
    """Markup in any field of a node is shown as text."""
    bad = web_reports.HOSTILE
    node = web_node_reports.make_node(
        bad, sentence=bad, description=bad, unique_id=bad, path=bad, notes=(bad,), tags=(bad,), relation=bad,
        parents=(web_node_reports.make_neighbour(bad),), tests=(web_node_reports.make_test(bad, bad),),
        executions=(web_node_reports.make_execution(bad, message=bad, job_name=bad),),
    )  # fmt: skip
    listed = CatalogReport(
        total=1,
        nodes=(web_node_reports.make_catalog_node(bad, owners=(bad,), relation=bad, account=bad, state=bad),),
        facets={"tag": {bad: 1}, "state": {bad: 1}},
        resource_types={bad: 1},
        materializations={bad: 1},
        places=(),
        as_of=web_reports.NOW,
    )
    impact = web_node_reports.make_impact(bad, exposures=(), sentence=bad)
    full = web_node_reports.make_full_node(node=node, impact=impact)
    with serve_door(get_full_node=lambda *_: full, list_catalog=lambda *_: listed) as site:
        pages = [
            site.ask(path, token=tokens["viewer"])
            for path in ("/nodes?ref=x", "/catalog", "/catalog?text=%3Cscript%3E&owner=%22%3E%3Cscript%3E")
        ]

    assert [page.status for page in pages] == [200, 200, 200]
    assert all("<script>alert" not in page.text and "<img" not in page.text for page in pages)
    assert all('"><script>' not in page.text for page in pages)


def test_without_lineage_the_catalogue_says_what_brings_it(serve_door, tokens):
    """With an account and no manifest it says so; without any account it says what to run."""
    empty = web_node_reports.make_catalog(nodes=(), total=0, places=(), resource_types={}, materializations={})
    with serve_door(list_catalog=lambda *_: empty) as site:
        assert "No lineage is stored yet" in site.ask("/catalog", token=tokens["viewer"]).text
        assert "No node fits" in site.ask("/catalog?tag=x", token=tokens["viewer"]).text
    nobody = web_reports.AccountsReport(accounts=(), as_of=web_reports.NOW)
    with serve_door(list_catalog=lambda *_: empty, list_accounts=lambda: nobody) as site:
        assert "headwater account add" in site.ask("/catalog", token=tokens["viewer"]).text


def test_the_way_to_the_cause_and_what_repaired_it_are_on_the_page(site, tokens):
    """Each step links to its node and its run, in the order from the node to the cause."""
    page = site.ask("/nodes?ref=fct_orders&account=acme", token=tokens["viewer"]).text
    way = page[page.index("The way to the cause") :].split("</nav>")[0]

    assert [way.index(name) for name in ("fct_orders", "stg_products", "shop.products")] == sorted(
        way.index(name) for name in ("fct_orders", "stg_products", "shop.products")
    )
    assert node_link("model.storefront.stg_products", "acme").replace("&", "&amp;") in way
    assert "/runs/acme/8" in way
    assert "repaired by the retry, run 6" in page


def test_a_run_says_why_it_went_wrong(site, tokens):
    """One line for each cause, what failed by it and what it skipped, with links; markup in evidence is text."""
    run = web_reports.make_run_report()
    page = site.ask(f"/runs/acme/{run.run_id}", token=tokens["viewer"]).text
    section = page[page.index('id="causes"') :].split("</section>")[0]

    assert [section.count(cause.sentence) for cause in run.causes] == [1, 1]
    assert node_link("source.storefront.shop.orders", "acme").replace("&", "&amp;") in section
    assert "Skipped: 3 nodes" in section
    assert "&lt;b&gt;between" in section


def test_the_code_and_what_changed_of_it_are_on_the_page(site, tokens):
    """Code as written and as run, the lines that came and went, and markup in them only as text."""
    page = site.ask("/nodes?ref=fct_orders&account=acme", token=tokens["viewer"]).text

    assert "ref(&#39;stg_orders&#39;)" in page
    assert "select * from db.stg.stg_orders" in page
    assert '<span class="went">-  old</span>' in page
    assert '<span class="came">+  &lt;script&gt;alert(1)&lt;/script&gt;</span>' in page
    assert "1 line came, 1 went" in page


def test_a_flaky_test_is_called_so(site, tokens):
    """The history of each test is a strip; one that fails and passes in turn is flaky, others are not."""
    page = site.ask("/nodes?ref=fct_orders&account=acme", token=tokens["viewer"]).text
    tests = page[page.index('id="tests"') :].split("</section>")[0]

    assert tests.count("flaky") == 1
    assert "5 turns between passing and failing" in tests
    assert "1,204 rows, 1 column" in page
