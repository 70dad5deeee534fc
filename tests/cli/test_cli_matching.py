"""`match`, `warehouse` and `account alias` as people run them, and the two how-to pages tried by their own text."""

from __future__ import annotations

import re
import shlex
import shutil
from pathlib import Path

import duckdb
import pytest

from duckdb_files import held
from program import Program, Said

ROOT = Path(__file__).parents[2]
FILES = ROOT / "tests" / "artifacts" / "files"


@pytest.fixture
def project(program: Program) -> Program:
    """The program in a folder where dbt has just run: its target folder, and the DuckDB file it built."""
    target = program.folder / "target"
    target.mkdir()
    for name in ("manifest", "run_results", "catalog", "sources"):
        shutil.copy(FILES / f"core_{name}.json", target / f"{name}.json")
    with duckdb.connect(str(program.folder / "shop.duckdb")) as connection:
        for statement in (
            "CREATE TABLE raw_customers AS SELECT 1 AS id, 'x' AS name",
            "CREATE TABLE raw_orders AS SELECT 1 AS id, 1 AS customer_id",
            "CREATE VIEW stg_customers AS SELECT id AS customer_id, name FROM raw_customers",
            "CREATE VIEW stg_orders AS SELECT id AS order_id, customer_id FROM raw_orders",
            "CREATE TABLE fct_orders AS SELECT * FROM stg_orders",
            "CREATE TABLE orders_2019 AS SELECT * FROM stg_orders",
        ):
            connection.execute(statement)
    return program


def steps(page: str) -> list[tuple[str, list[str]]]:
    """Give the headwater commands of a page, each with the lines it is said to print."""
    text = (ROOT / "docs" / "howto" / f"{page}.md").read_text()
    found: list[tuple[str, list[str]]] = []
    for block in re.findall(r"^```console\n(.*?)^```", text, re.MULTILINE | re.DOTALL):
        for line in block.splitlines():
            if line.startswith("$ "):
                found.append((line[2:], []))
            else:
                found[-1][1].append(line)
    return [(command, lines) for command, lines in found if command.startswith("headwater ") and "<" not in command]


@pytest.mark.parametrize(("page", "least"), [("match-a-table", 7), ("read-a-warehouse", 7)])
def test_a_page_says_what_its_commands_print(project: Program, page: str, least: int) -> None:
    """Each command of the page, in order and from nothing, ends well and prints what stands below it."""
    tried = steps(page)

    for command, lines in tried:
        said = project.run(*shlex.split(command)[1:])
        printed = [line.rstrip() for line in said.out.splitlines()]
        assert (said.status, said.err) == (0, ""), command
        for wanted, line in zip(lines, printed, strict=False):
            if wanted == "…":
                break
            assert line.startswith(wanted.removesuffix("…").rstrip()), command
        assert len(printed) >= len(lines)
        assert "…" in lines or lines[-1].endswith("…") or len(printed) == len(lines), command
    assert len(tried) >= least


HOSTILE = [
    '"',
    "a.b.c.d.e",
    "💥.`🐟`.'",
    "\x1b[2J\x07",
    "x" * 10_000,
    "",
    "--",
    "'; DROP TABLE nodes; --",
    b"\xff\xfe.x",
]


@pytest.mark.parametrize("name", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_names_get_an_answer(project: Program, name: str | bytes) -> None:
    """Status 0, one JSON document or one sentence, and nothing that moves a terminal's cursor."""
    text = name.decode(errors="surrogateescape") if isinstance(name, bytes) else name

    document = project.run("match", "--json", "--", text)
    sentence = project.run("match", "--", text)

    assert (document.status, document.err, sentence.status, sentence.err) == (0, "", 0, "")
    assert (document.json["matches"], document.json["near"]) == ([], [])
    assert document.json["unknown"]
    assert sentence.out.strip().isprintable()


def test_the_document_has_the_names_that_others_rely_on(project: Program) -> None:
    """`table`, `matches` with unique_id, reason and confidence, and `near`."""
    project.run("ingest", "target")
    document = project.run("match", '"shop"."main"."stg_orders"', "--json").json

    assert document["table"] == '"shop"."main"."stg_orders"'
    assert [(row["unique_id"], row["confidence"]) for row in document["matches"]] == [("model.shop.stg_orders", 1.0)]
    assert document["matches"][0]["reason"]
    assert document["near"] == []


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (("match", "x", "--to", "model.x", "--forget"), 2, "do not go together"),
        (("match", "x", "--to", "model.x"), 2, "knows no table-like node model.x"),
        (("match", "x", "--forget"), 2, "Nothing was said of x"),
        (("match", "x", "--account", "nobody"), 2, "There is no account 'nobody'"),
        (("warehouse", "add", "w", "--account", "local"), 2, "either --url or --url-stdin"),
        (("warehouse", "add", "w", "--account", "local", "--url", "mysql://u:s3cret@h/d"), 2, "mysql cannot be read"),
        (("warehouse", "add", "w", "--account", "no", "--url", "shop.duckdb"), 2, "There is no account 'no'"),
        (("warehouse", "add", "w", "--account", "local", "--url", "none.duckdb"), 2, "There is no DuckDB file"),
        (("warehouse", "read", "none"), 2, "There is no warehouse 'none'"),
        (("warehouse", "catalog"), 2, "No catalog is stored"),
        (("account", "alias", "nobody", "x.example.com"), 2, "There is no account 'nobody'"),
    ],
)
def test_wrong_use_ends_in_a_sentence(project: Program, words: tuple[str, ...], status: int, said: str) -> None:
    """A wrong command ends with its status and one sentence that repeats no secret."""
    ended = project.run(*words)

    assert (ended.status, ended.out) == (status, "")
    assert said in ended.err
    assert "Traceback" not in ended.err
    assert "s3cret" not in ended.err


def test_a_busy_warehouse_ends_with_three(project: Program) -> None:
    """A file that another process holds all the time is told to be busy; what was read before is compared still."""
    project.run("ingest", "target")
    project.run("warehouse", "add", "duck", "--account", "local", "--url", "shop.duckdb")
    with held(project.folder / "shop.duckdb"):
        busy = project.run("warehouse", "read", "duck")
        kept = project.run("warehouse", "compare", "duck", "--json")

    assert busy.status == 3
    assert "is busy: another process writes to it. It was tried 6 times." in busy.err
    assert (kept.status, kept.json["tables"]) == (0, 6)


def test_a_password_is_piped_in_and_never_shown(project: Program) -> None:
    """An address from standard input is taken; no output and no file holds its password, also where it is refused."""
    secret = "pw-8842-never"
    refused = project.run(
        "warehouse", "add", "w", "--account", "local", "--url-stdin", stdin=f"postgresql://u:{secret}@127.0.0.1:1/d\n"
    )

    assert (refused.status, refused.out) == (3, "")
    assert "refuses us or is away" in refused.err
    assert project.spilled(secret) == []


def test_an_alias_is_given_listed_and_taken_away(synced: Program) -> None:
    """`account alias` prints the account's addresses, and `account list --json` has them."""
    given = synced.run("account", "alias", "first", "dbt.acme.example")
    listed = [row["aliases"] for row in synced.run("account", "list", "--json").json["accounts"]]
    taken: Said = synced.run("account", "alias", "first", "dbt.acme.example", "--remove")

    assert given.out.endswith(", also known as https://dbt.acme.example.\n")
    assert listed == [["https://dbt.acme.example"], []]
    assert taken.out.startswith("first is http://127.0.0.1:")
    assert "also known" not in taken.out


def test_a_recorded_project_answers_from_production(synced: Program) -> None:
    """Tables of the simulated accounts match as Snowflake or a person would write them, from production."""
    document = synced.run("match", "FCT_ORDERS", "--json").json

    assert {row["unique_id"] for row in document["matches"]} == {"model.storefront.fct_orders"}
    assert all(place["is_production"] for place in document["environments"])
