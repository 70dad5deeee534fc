"""From a written name to its node: each adapter's way of writing, what is near, what is ambiguous, hostile names."""

import json
import lzma
import tarfile
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from headwater.analysis.matching import Found, Override, find_matches
from headwater.analysis.table_nodes import TableNode
from headwater.artifacts import read_manifest
from headwater.errors import ArtifactUnreadable
from headwater.model.node import Manifest, Relation

ROOT = Path(__file__).parents[2]
SAMPLES = ROOT / ".." / "shared" / "samples"
MANIFESTS = sorted(path for path in SAMPLES.rglob("*manifest*.json"))


def node(unique_id: str, relation_name: str | None, adapter: str | None, place: int = 0, **facts) -> TableNode:
    parts = [part.strip('"`') for part in (relation_name or "").split(".")]
    relation = Relation(parts[0] if len(parts) == 3 else None, *parts[-2:]) if relation_name else None
    kind, *_, name = unique_id.split(".")
    known = {"resource_type": kind, "name": name, "adapter": adapter, "relation": relation, "place": place}
    return TableNode(unique_id=unique_id, relation_name=relation_name, **known | facts)


SNOWFLAKE = node("model.s.orders", "PROD.sales.orders", "snowflake")
QUOTED_SNOWFLAKE = node("model.s.lines", '"PROD"."sales"."lines"', "snowflake")
POSTGRES = node("model.p.customers", '"pg"."public"."customers"', "postgres")
MIXED_POSTGRES = node("model.p.Lines", '"pg"."public"."Lines"', "postgres")
REDSHIFT = node("model.r.events", '"dev"."public"."events"', "redshift")
BIGQUERY = node("model.b.orders", "`my-project`.`shop`.`orders`", "bigquery")
SHARDS = node("source.b.ga.sessions", "`my-project`.`ga`.`sessions_*`", "bigquery")
DATABRICKS = node("model.d.orders", "`main`.`gold`.`orders`", "databricks")
HIVE = node("model.h.orders", "`gold`.`orders`", "databricks")
SPARK = node("model.h.orders", "gold.orders", "spark")
DUCKDB = node("model.k.orders", '"shop"."main"."orders"', "duckdb")
SQLSERVER = node("model.q.orders", '"db"."dbo"."orders"', "sqlserver")

WRITTEN = [
    (SNOWFLAKE, "PROD.SALES.ORDERS", 1.0),
    (SNOWFLAKE, "prod.sales.orders", 1.0),
    (SNOWFLAKE, '"PROD"."SALES"."ORDERS"', 1.0),
    (SNOWFLAKE, '"PROD"."SALES"."orders"', 0.9),
    (SNOWFLAKE, "PROD..ORDERS", 0.9),
    (SNOWFLAKE, "sales.orders", 0.9),
    (SNOWFLAKE, "ORDERS", 0.7),
    (SNOWFLAKE, "snowflake://xy123.eu-west-1.aws/PROD/SALES/ORDERS", 0.95),
    (SNOWFLAKE, "PROD.SALES.ORDERS__dbt_tmp", 0.85),
    (QUOTED_SNOWFLAKE, '"PROD"."sales"."lines"', 1.0),
    (QUOTED_SNOWFLAKE, "PROD.sales.lines", 0.9),
    (POSTGRES, "pg.public.customers", 1.0),
    (POSTGRES, "PG.Public.CUSTOMERS", 1.0),
    (POSTGRES, ' "pg" . "public" . "customers" ; ', 1.0),
    (POSTGRES, "'pg.public.customers'", 1.0),
    (POSTGRES, '"pg.public.customers"', 0.95),
    (POSTGRES, '"Customers"', 0.63),
    (POSTGRES, "postgres://db.example:5432/pg.public.customers", 0.95),
    (POSTGRES, "postgresql://db.example/pg/public/customers", 0.95),
    (POSTGRES, "pg.public.customers__dbt_tmp142233445566", 0.85),
    (POSTGRES, "pg.public.customers__dbt_backup", 0.85),
    (MIXED_POSTGRES, 'pg.public."Lines"', 1.0),
    (MIXED_POSTGRES, "pg.public.Lines", 0.9),
    (REDSHIFT, '"dev"."public"."EVENTS"', 1.0),
    (REDSHIFT, "redshift://cluster.example/dev/public/events", 0.95),
    (BIGQUERY, "`my-project.shop.orders`", 1.0),
    (BIGQUERY, "`my-project`.`shop`.`orders`", 1.0),
    (BIGQUERY, "`my-project.shop`.orders", 0.95),
    (BIGQUERY, "my-project.shop.orders", 1.0),
    (BIGQUERY, "my-project:shop.orders", 1.0),
    (BIGQUERY, "[my-project:shop.orders]", 1.0),
    (BIGQUERY, "shop.orders", 0.9),
    (BIGQUERY, "my-project.shop.Orders", 0.9),
    (BIGQUERY, "my-project.shop.orders$20260101", 0.98),
    (BIGQUERY, "my-project.shop.orders_20260101", 0.6),
    (BIGQUERY, "bigquery://eu/my-project/shop/orders", 0.95),
    (SHARDS, "my-project.ga.sessions_*", 1.0),
    (SHARDS, "my-project.ga.sessions_20260101", 0.95),
    (DATABRICKS, "main.gold.orders", 1.0),
    (DATABRICKS, "MAIN.`Gold`.orders", 1.0),
    (DATABRICKS, "databricks://adb-1.example/main/gold/orders", 0.95),
    (HIVE, "hive_metastore.gold.orders", 1.0),
    (HIVE, "`hive_metastore`.`gold`.`orders`", 1.0),
    (HIVE, "other.gold.orders", 0.85),
    (SPARK, "gold.orders", 1.0),
    (SPARK, "spark_catalog.gold.orders", 1.0),
    (DUCKDB, "shop.main.ORDERS", 1.0),
    (DUCKDB, "orders", 0.7),
    (SQLSERVER, "[db].[dbo].[orders]", 1.0),
    (SQLSERVER, "server.db.dbo.orders", 0.95),
]


@pytest.mark.parametrize(("wanted", "written", "confidence"), WRITTEN, ids=lambda value: str(value)[:50])
def test_every_way_of_writing_leads_to_the_node(wanted: TableNode, written: str, confidence: float) -> None:
    """Quotes, case, missing parts, addresses, partitions and dbt's own tables each have their confidence and reason."""
    found = find_matches(written, [wanted])

    assert [match.node for match in found.matches] == [wanted]
    assert found.matches[0].confidence == pytest.approx(confidence, abs=0.01)
    assert found.matches[0].reason.endswith(".")


@pytest.mark.parametrize(
    ("written", "known"),
    [
        ("pg.other.customers", POSTGRES),
        ("other.public.customers", POSTGRES),
        ("custommers", POSTGRES),
        ("pg.public.orders_20260101", node("model.p.orders", '"pg"."public"."orders"', "postgres")),
        ("snowflake://xy/pg/public/customers", POSTGRES),
        ("dim_customers", node("model.p.dim_customers", '"pg"."public"."dim_customers_v2"', "postgres")),
        ("stg_orders", node("model.p.stg_orders", None, "postgres", materialized="ephemeral")),
    ],
)
def test_what_is_only_alike_is_near_and_no_match(written: str, known: TableNode) -> None:
    """Another schema or database, another warehouse, a misspelling, a model's name for its table: near at most."""
    found = find_matches(written, [known])

    assert found.matches == ()
    assert [near.node for near in found.near] in ([known], [])
    assert found.near or "orders_2026" in written
    assert "No node builds or declares this table." in found.unknown


def test_a_name_that_fits_several_is_said_to_be_ambiguous() -> None:
    """Two models of one name in two schemas share the confidence; with the schema there is one again."""
    twin = node("model.s.orders_eu", "PROD.eu.orders", "snowflake")

    found = find_matches("orders", [SNOWFLAKE, twin, POSTGRES])

    assert found.is_ambiguous
    assert [(match.node, match.confidence) for match in found.matches] == [(SNOWFLAKE, 0.35), (twin, 0.35)]
    assert all("2 nodes fit alike." in match.reason for match in found.matches)
    assert [match.node for match in find_matches("eu.orders", [SNOWFLAKE, twin]).matches] == [twin]


def test_what_builds_a_table_goes_before_what_declares_it() -> None:
    """A source that another project declares on a model's table yields to the model, and says so."""
    source = node("source.other.sales.orders", "PROD.SALES.ORDERS", "snowflake", place=1)

    found = find_matches("prod.sales.orders", [source, SNOWFLAKE])

    assert [(match.node, match.confidence) for match in found.matches] == [(SNOWFLAKE, 1.0), (source, 0.9)]
    assert not found.is_ambiguous
    assert found.matches[1].reason.endswith("It is declared here as a source; model.s.orders builds it.")


def test_what_a_person_said_goes_before_everything() -> None:
    """An override holds for every way of writing the same parts; one whose node is gone is told, and then matched."""
    override = Override(table="raw.sales.orders_v2", unique_id=SNOWFLAKE.unique_id, place=0)

    other = node("model.p.orders_v2", '"raw"."sales"."orders_v2"', "postgres", place=1)
    said = find_matches('"RAW"."SALES"."ORDERS_V2"', [SNOWFLAKE, other], [override])
    gone = find_matches(
        "pg.public.customers", [POSTGRES], [Override(table="pg.public.customers", unique_id="model.p.old", place=0)]
    )

    assert [(match.node, match.confidence, match.is_override) for match in said.matches] == [(SNOWFLAKE, 1.0, True)]
    assert [match.node for match in gone.matches] == [POSTGRES]
    assert gone.unknown == ("You said that it is model.p.old, which dbt does not know any more.",)


def test_dbt_tables_that_stand_under_their_own_name_are_themselves() -> None:
    """A model that is really called like a temporary table fits better than what it would be temporary of."""
    odd = node("model.p.odd", '"pg"."public"."customers__dbt_tmp"', "postgres")

    found = find_matches("pg.public.customers__dbt_tmp", [POSTGRES, odd])

    assert [(match.node, match.confidence) for match in found.matches] == [(odd, 1.0), (POSTGRES, 0.85)]


HOSTILE = [
    "",
    " ",
    ".",
    "...",
    '"',
    '""',
    "``",
    "[]",
    "[.[.[",
    "a.b.c.",
    "💥.`🐟`.'",
    "\x00.\ud800",
    "a" * 10_000,
    "://",
]
PIECES = st.sampled_from(
    [*"\"`[].:$*_/'; \x00\ud83d\n", "__dbt_tmp", "://", "orders", "pg", "public", "🐟", "_20260101"]
)


@settings(deadline=None)
@given(st.one_of(st.text(max_size=200), st.lists(PIECES, max_size=30).map("".join)))
@example('"' * 3_000)
@example("[." * 1_500)
@example("`." * 5_000)
def test_no_name_raises(text: str) -> None:
    """Whatever is written gets an answer: a match, or what is not known of it."""
    found = find_matches(
        text, [SNOWFLAKE, POSTGRES, BIGQUERY, SHARDS, HIVE], [Override(table=text, unique_id="model.gone", place=0)]
    )

    assert isinstance(found, Found)
    assert found.matches or found.unknown


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_names_say_what_is_not_known(text: str) -> None:
    """Names that mean no table match nothing, and a sentence says why."""
    found = find_matches(text, [SNOWFLAKE, POSTGRES])

    assert found.matches == ()
    assert found.unknown
    assert all(len(sentence) < 200 for sentence in found.unknown)


@settings(deadline=None)
@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40).filter(lambda text: text.strip()))
def test_a_quoted_name_of_any_text_is_itself(text: str) -> None:
    """Quotes, dots and emoji within quotes belong to the name, with the quotes doubled as SQL has it."""
    relation_name = '"pg"."public"."{}"'.format(text.replace('"', '""'))
    known = TableNode(
        unique_id="model.p.x", resource_type="model", name="x", adapter="postgres", relation_name=relation_name,
        relation=Relation("pg", "public", text),
    )  # fmt: skip

    found = find_matches(relation_name, [known, POSTGRES])

    assert (found.matches[0].node, found.matches[0].confidence) == (known, 1.0)


@pytest.mark.parametrize("text", sorted({text for _, text, _ in WRITTEN}))
def test_nothing_of_another_warehouse_matches_a_full_name(text: str) -> None:
    """A name with its database never matches a node in another database."""
    known = [
        node("model.z.orders", '"zz"."zz"."orders"', "postgres"),
        node("model.z.c", '"zz"."q"."customers"', "duckdb"),
    ]
    full = text.count(".") + text.count(":") + text.count("/") >= 2 and ".." not in text

    assert not (full and find_matches(text, known).matches)


def recorded() -> list[tuple[str, bytes]]:
    """Give a manifest of each project of the package's recordings."""
    recordings = ROOT / "src" / "headwater" / "simulator" / "recordings.tar.xz"
    found: dict[str, bytes] = {}
    with lzma.open(recordings) as packed, tarfile.open(fileobj=packed, mode="r|") as archive:
        for entry in archive:
            project = entry.name.partition("/")[0]
            if entry.name.endswith("manifest.json") and project not in found:
                found[project] = archive.extractfile(entry).read()
    return sorted(found.items())


def test_a_relation_as_dbt_wrote_it_finds_its_own_node_first() -> None:
    """In the manifests of the package each relation_name leads to its own node, surely."""
    asked = [_ask_for_each(body, project) for project, body in recorded()]

    assert len(asked) == 3
    assert min(asked) > 10


@pytest.mark.parametrize("path", MANIFESTS or [None], ids=lambda path: str(path).partition("samples/")[2] or "none")
def test_a_relation_of_another_project_finds_its_own_node_first(path: Path | None) -> None:
    """The same in the manifests of other people's projects, on every adapter and of every dbt since 0.21."""
    if path is None:
        pytest.skip("The sample folders are not at ../shared/samples.")

    assert _ask_for_each(path.read_bytes(), path.name) >= 0


def _ask_for_each(body: bytes, name: str) -> int:
    """Ask for each relation_name of a manifest, and count them."""
    manifest = _read(body)
    nodes = [_table_node(one, manifest.metadata.adapter_type) for one in manifest.nodes] if manifest else []
    asked = [known for known in nodes if known.relation_name and known.relation is not None]
    for known in asked:
        found = find_matches(known.relation_name, nodes)
        best = [match.node for match in found.matches if match.confidence == found.matches[0].confidence]
        # A source on what the same project builds yields to its builder.
        mine = best if known.builds or not best[0].builds else [match.node for match in found.matches]
        assert known in mine, (name, known.relation_name)
        assert found.is_ambiguous or found.matches[0].confidence == 1.0, (name, known.relation_name)
    return len(asked)


def _read(body: bytes) -> Manifest | None:
    try:
        return read_manifest(body) if b"relation_name" in body and json.loads(body) else None
    except ArtifactUnreadable:
        return None


def _table_node(one, adapter: str | None) -> TableNode:
    return TableNode(
        unique_id=one.unique_id, resource_type=one.resource_type, name=one.name, adapter=adapter,
        relation=one.relation, relation_name=one.relation_name, materialized=one.materialized,
    )  # fmt: skip
