"""How long a verdict, an impact and evaluating a run for incidents take: 10,000 nodes, 90 days of daily runs.

Run with `uv run python bench/verdicts.py`. The last run failed: a model in error, everything below it skipped. Each
question is asked of an open store as the web application asks it, once before it is timed. Evaluating is that of the
last run: the incident was opened before it is timed, and the account's mark is set back to before that run each time.
"""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Table, select, text

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "bench"), str(ROOT / "tests")]

from headwater.analysis.roots import each_upstream  # noqa: E402
from headwater.config import read_settings  # noqa: E402
from headwater.model.account import Environment, Project  # noqa: E402
from headwater.model.run import RunStatus, Way  # noqa: E402
from headwater.observatory.evaluating import evaluate_account  # noqa: E402
from headwater.observatory.holder import Observatory, open_observatory  # noqa: E402
from headwater.observatory.impact import get_impact  # noqa: E402
from headwater.observatory.incidents import IncidentQuestion, list_incidents  # noqa: E402
from headwater.observatory.references import NodeQuestion  # noqa: E402
from headwater.observatory.verdicts import get_verdict  # noqa: E402
from headwater.store.accounts import save_account  # noqa: E402
from headwater.store.incidents import IncidentMark, get_mark, save_mark  # noqa: E402
from headwater.store.inventory import save_environments, save_projects  # noqa: E402
from headwater.store.schema import executions, invocations, runs  # noqa: E402
from headwater.store.writing import insert_rows  # noqa: E402
from headwater.sync.record import record_run  # noqa: E402
from ingest import ADDRESS, BEGAN, BYTES_PER_NODE, NODES, collected, databases, numbered  # noqa: E402
from read_artifacts import recorded  # noqa: E402
from scale import scale_manifest, scale_run_results  # noqa: E402

DAYS = 90
TIMES = 7


def failing(results: dict[str, Any], root: str, below: set[str]) -> dict[str, Any]:
    """Give the results of a run in which one model failed and all below it was skipped."""
    told = []
    for result in results["results"]:
        if result["unique_id"] == root:
            message = 'Database Error in model\n  column "amount" does not exist'
            result = result | {"status": "error", "message": message}  # noqa: PLW2901
        elif result["unique_id"] in below:
            result = result | {"status": "skipped", "timing": []}  # noqa: PLW2901
        told.append(result)
    return results | {"results": told}


def repeat(observatory: Observatory, account_key: int, days: int) -> None:
    """Have the first run, its invocations and its executions once more for each of some days before it."""
    with observatory.store.write() as tx:
        for table, shifted, numbered_by in (
            (runs, ("created_at", "started_at", "finished_at", "placed_at", "hour"), "run_id"),
            (invocations, ("generated_at",), "invocation_key"),
            (executions, ("happened_at", "started_at", "finished_at", "executing_at"), "invocation_key"),
        ):
            query = select(table).where(table.c.account_key == account_key)
            rows = [dict(row) for row in tx.execute(query).mappings()]
            for day in range(1, days + 1):
                again = [row | moved(row, shifted, numbered_by, day) for row in rows]
                insert_rows(tx, table, [column.name for column in table.c], bound(tx, table, again))


def moved(row: dict[str, Any], shifted: Sequence[str], numbered_by: str, day: int) -> dict[str, Any]:
    """Give what of a row differs some days earlier: its times and its numbers."""
    earlier = {name: row[name] - timedelta(days=day) for name in shifted if row[name] is not None}
    numbers = {numbered_by: row[numbered_by] + 1000 * day}
    if "invocation_id" in row:
        numbers |= {"invocation_id": f"{row['invocation_id']}-{day}", "run_id": row["run_id"] + 1000 * day}
    return earlier | numbers


def bound(tx: Connection, table: Table, rows: Sequence[dict[str, Any]]) -> list[tuple[Any, ...]]:
    """Give the values of rows as the database keeps them."""
    types = {column.name: column.type.dialect_impl(tx.dialect) for column in table.c}
    write = {name: kind.bind_processor(tx.dialect) for name, kind in types.items()}
    return [tuple(to(row[name]) if to else row[name] for name, to in write.items()) for row in rows]


def milliseconds(act: Callable[[], object]) -> float:
    """Give the median time of an act that was done once before."""
    act()
    taken = []
    for _ in range(TIMES):
        began = time.perf_counter()
        act()
        taken.append((time.perf_counter() - began) * 1000)
    return round(statistics.median(taken), 1)


def evaluate_again(observatory: Observatory, account_key: int, mark: IncidentMark) -> None:
    """Evaluate what was stored since a mark."""
    with observatory.store.write() as tx:
        save_mark(tx, account_key, mark)
    evaluate_account(observatory, account_key)


def main() -> None:
    """Print a line for each question and database, then one JSON line."""
    manifest, results = recorded()
    large = scale_manifest(manifest, NODES, BYTES_PER_NODE)
    rows = scale_run_results(results, manifest, NODES)
    told = large["nodes"] | large["exposures"]
    parents = {name: tuple(node.get("depends_on", {}).get("nodes", ())) for name, node in told.items()}
    models = [name for name in large["nodes"] if name.startswith("model.")]
    upstream = {name: set(each_upstream(name, parents)) for name in (*models, *large["exposures"])}
    below = {name: {other for other in upstream if name in upstream[other]} for name in models[:120]}
    root = max(below, key=lambda name: len(below[name]))
    skipped = max(below[root] & set(models), key=lambda name: len(upstream[name]))
    healthy = max((name for name in models if root not in upstream[name]), key=lambda name: len(upstream[name]))
    body = json.dumps(large).encode()
    first = collected(1, body, numbered(rows, 1))
    last = collected(2, body, numbered(failing(rows, root, below[root]), 2))
    last = replace(last, run=replace(last.run, status=RunStatus.ERROR))
    figures: dict[str, dict[str, float]] = {}
    with databases() as urls, tempfile.TemporaryDirectory() as folder:
        for database, url in urls.items():
            with open_observatory(
                read_settings(data_folder=Path(folder), database_url=url),
                clock=lambda: BEGAN + timedelta(days=2, hours=2),
            ) as observatory:
                with observatory.store.write() as tx:
                    account_key = save_account(tx, "bench", ADDRESS, BEGAN).account_key
                    save_projects(tx, account_key, [Project(project_id=1, name="bench")])
                    production = Environment(
                        environment_id=1, project_id=1, name="Production", deployment_type="production"
                    )
                    save_environments(tx, account_key, [production])
                record_run(observatory.store, account_key, first, Way.POLL, BEGAN)
                repeat(observatory, account_key, DAYS)
                evaluate_account(observatory, account_key)
                with observatory.store.read() as tx:
                    mark = get_mark(tx, account_key)
                record_run(observatory.store, account_key, last, Way.POLL, BEGAN)
                observatory.store.update_statistics()
                if not observatory.store.is_sqlite:  # as its autovacuum does a minute after so many new rows
                    with observatory.store.write() as tx:
                        tx.execute(text("ANALYZE"))
                for name, ref in (("failed", root), ("skipped", skipped), ("healthy", healthy)):
                    asked = NodeQuestion(ref=ref)
                    verdict = get_verdict(observatory, asked)
                    assert verdict.state == name, verdict.reason
                    figures[f"{database} {name}"] = {
                        "why": milliseconds(lambda asked=asked: get_verdict(observatory, asked)),  # type: ignore[misc]
                        "impact": milliseconds(lambda asked=asked: get_impact(observatory, asked)),  # type: ignore[misc]
                        "upstream": len(upstream[ref]),
                        "downstream": len(verdict.consequences.downstream),
                    }
                    print(f"{database:12} {name:8} {figures[f'{database} {name}']}", flush=True)
                figures[f"{database} evaluating"] = {
                    "run": milliseconds(partial(evaluate_again, observatory, account_key, mark)),
                    "incidents": list_incidents(observatory, IncidentQuestion()).total,
                }
                print(f"{database:12} {figures[f'{database} evaluating']}", flush=True)
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
