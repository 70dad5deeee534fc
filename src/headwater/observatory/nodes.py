"""One node, whole: what it is, where it is built, what is around it, how it did lately, and when its code changed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import Connection

from headwater.analysis.provenance import Provenance
from headwater.model.invocation import FAILED
from headwater.model.lineage import NodeAddress
from headwater.model.node import CatalogTable, Node, local_name
from headwater.observatory.catalog import summarise_node
from headwater.observatory.holder import Observatory
from headwater.observatory.impact import count_types, dotted, list_notes, list_owners, place_of
from headwater.observatory.lineage import Estate, name_of
from headwater.observatory.node_code import find_compiled, list_version_changes
from headwater.observatory.node_reports import (
    Neighbour,
    NodeColumn,
    NodeExecution,
    NodeJob,
    NodeReport,
    NodeSummary,
    NodeTable,
    NodeTest,
)
from headwater.observatory.node_tests import TESTS, list_tests
from headwater.observatory.provenance import list_builds, read_provenance, summarise_data_as_of
from headwater.observatory.references import FoundNode, NodeQuestion, find_node
from headwater.observatory.runs import seconds
from headwater.observatory.sentences import say_span
from headwater.store.catalog import list_catalog_history
from headwater.store.lineage import read_nodes
from headwater.store.node_queries import NodeResult, list_node_results
from headwater.store.outcome_queries import list_outcomes
from headwater.store.rows import CatalogRow

_LAST = 20
_COUNTED = 200


def get_node(observatory: Observatory, asked: NodeQuestion, *, with_ephemeral: bool = False) -> NodeReport:
    """Get one node with its surroundings; ephemeral models between tables are passed through, unless asked for.

    Raises:
        NotKnown: nothing is called so.
        Ambiguous: several nodes are.
    """
    now = observatory.store.now()
    with observatory.store.read() as tx:
        found = find_node(observatory, tx, asked)
        provenance = read_provenance(tx, found.estate, found.address, found.moment.at or now)
        return read_node(tx, found, provenance, now, with_ephemeral=with_ephemeral)


def read_node(
    tx: Connection, found: FoundNode, provenance: Provenance, now: datetime, *, with_ephemeral: bool = False
) -> NodeReport:
    """Read what a node that was found is, with its surroundings; its provenance is of the moment that was asked of."""
    held, row, lineage = found.held, found.row, found.estate.lineage
    moment = found.moment.at or now
    node = read_nodes(tx, held.place.account_key, [(row.node_key, row.version)])[row.node_key]
    assert isinstance(node, Node)  # noqa: S101  macros are no nodes of a lineage
    results = _list_results(tx, found)
    outcomes = list_outcomes(tx, held.place.account_key, row.node_key, moment)
    upstream, downstream = lineage.upstream(found.address), lineage.downstream(found.address)
    children = lineage.children(found.address, with_ephemeral=with_ephemeral)
    tests = list_tests(tx, found, lineage.children(found.address), moment)
    contacts = list_owners(tx, found.estate, (found.address,))
    catalog = list_catalog_history(tx, held.place.account_key, row.node_key)
    summary = summarise_node(held, row)
    own = {name: getattr(summary, name) for name in NodeSummary.__dataclass_fields__}
    return NodeReport(
        **{**own, "owners": tuple(owner.name or owner.email or "" for owner in contacts)},
        sentence=_describe(summary, results, tests),
        place=place_of(found),
        other_environments=found.other_environments,
        description=node.description,
        package_name=node.package_name,
        path=node.path,
        access=node.access,
        language=node.language,
        manifest_from=held.manifest.current_at,
        contacts=contacts,
        parents=_list_parents(found, with_ephemeral=with_ephemeral),
        children=tuple(
            _neighbour(found.estate, address) for address in children if not _is_test(found.estate, address)
        ),
        ephemeral=_list_ephemeral(found),
        upstream=len(upstream),
        downstream=count_types(found.estate, downstream),
        columns=_list_columns(node, catalog[0].table if catalog else None),
        tests=tests,
        jobs=_count_jobs(results),
        executions=tuple(map(_execution, results[:_LAST])),
        builds=list_builds(tx, found.estate, provenance, found.address, outcomes),
        data_as_of=summarise_data_as_of(provenance.data_as_of(found.address, moment), found.address),
        version_changes=list_version_changes(tx, found),
        raw_code=node.raw_code,
        compiled_code=find_compiled(tx, found, outcomes),
        warehouse=_describe_table(catalog[0]) if catalog else None,
        notes=list_notes(found, ()),
        as_of=now,
    )


def _list_results(tx: Connection, found: FoundNode) -> list[NodeResult]:
    place, row = found.held.place, found.row
    return list_node_results(
        tx,
        place.account_key,
        row.node_key,
        is_source=row.resource_type == "source",
        until=found.moment.at,
        with_proposed=not place.is_production,
        limit=_COUNTED,
    )


def _list_parents(found: FoundNode, *, with_ephemeral: bool) -> tuple[Neighbour, ...]:
    lineage = found.estate.lineage
    missing = tuple(parent for child, parent in lineage.dangling if child == found.address)
    known = lineage.parents(found.address, with_ephemeral=with_ephemeral)
    return tuple(_neighbour(found.estate, address) for address in (*known, *missing))


def _list_ephemeral(found: FoundNode) -> tuple[str, ...]:
    lineage = found.estate.lineage
    around = (*lineage.parents(found.address), *lineage.children(found.address))
    return tuple(address.unique_id for address in around if lineage.is_ephemeral(address))


def _is_test(estate: Estate, address: NodeAddress) -> bool:
    row = estate.row(address)
    return row is not None and row.resource_type in TESTS


def _neighbour(estate: Estate, address: NodeAddress) -> Neighbour:
    row, held = estate.row(address), estate.of(address)
    return Neighbour(
        unique_id=address.unique_id,
        name=name_of(row) if row else local_name(address.unique_id),
        resource_type=row.resource_type if row else address.unique_id.partition(".")[0],
        project_id=address.project_id,
        project_name=held.place.project_name,
        environment_id=address.environment_id,
        relation=dotted(row.relation) if row and row.relation else None,
        materialized=row.materialized if row else None,
        is_known=row is not None,
    )


def _list_columns(node: Node, table: CatalogTable | None) -> tuple[NodeColumn, ...]:
    """List the columns as the warehouse has them, then those that are only declared; names are told apart by case."""
    declared = {column.name: column for column in node.columns}
    by_folded = {column.name.casefold(): column for column in node.columns}
    listed = []
    for column in sorted(table.columns, key=lambda one: one.position) if table is not None else ():
        said = declared.pop(column.name, None) or by_folded.get(column.name.casefold())
        if said is not None:
            declared.pop(said.name, None)
        listed.append(
            NodeColumn(
                name=column.name,
                declared_type=said.data_type if said else None,
                warehouse_type=column.data_type,
                description=said.description if said else "",
            )
        )
    listed += [
        NodeColumn(name=name, declared_type=column.data_type, warehouse_type=None, description=column.description)
        for name, column in declared.items()
    ]
    return tuple(listed)


def _describe_table(found: CatalogRow) -> NodeTable:
    relation, table = found.table.relation, found.table
    return NodeTable(
        relation=dotted(relation),
        kind=table.kind,
        owner=table.owner,
        row_count=table.row_count,
        columns=len(table.columns),
        first_seen_at=found.first_seen_at,
        last_seen_at=found.last_seen_at,
    )


def _count_jobs(results: Iterable[NodeResult]) -> tuple[NodeJob, ...]:
    listed = [result for result in results if result.job_id is not None and result.run_id is not None]
    counts = Counter(result.job_id for result in listed)
    last: dict[int, NodeResult] = {}
    for result in listed:
        last.setdefault(result.job_id or 0, result)
    return tuple(
        NodeJob(
            job_id=job_id,
            job_name=result.job_name,
            executions=counts[job_id],
            last_run_id=result.run_id or 0,
            last_at=result.happened_at,
        )
        for job_id, result in last.items()
    )


def _execution(result: NodeResult) -> NodeExecution:
    return NodeExecution(
        status=result.status,
        happened_at=result.happened_at,
        elapsed_seconds=seconds(result.elapsed),
        rows_affected=result.rows_affected,
        failures=result.failures,
        message=result.message,
        run_id=result.run_id,
        step_index=result.step_index,
        job_id=result.job_id,
        job_name=result.job_name,
        is_failed=result.status in FAILED,
    )


def _describe(summary: NodeSummary, results: list[NodeResult], tests: tuple[NodeTest, ...]) -> str:
    name = summary.name
    kind = "source" if summary.resource_type == "source" else summary.resource_type.replace("_", " ")
    parts = [f"{name} is {'an' if kind[0] in 'aeiou' else 'a'} {kind} of {summary.project_name or 'its project'}."]
    if results:
        last = results[0]
        took = f" in {say_span(last.elapsed.total_seconds())}" if last.elapsed is not None else ""
        by = f" by {last.job_name}" if last.job_name else ""
        verb = "checked" if summary.resource_type == "source" else "run"
        parts.append(f"It was last {verb} at {last.happened_at:%Y-%m-%d %H:%M} UTC{by}{took}: {last.status}.")
    elif summary.resource_type in {"model", "seed", "snapshot", "source", *TESTS}:
        parts.append("No execution of it is stored.")
    if tests:
        counts = Counter(test.status or "never ran" for test in tests)
        told = sorted(counts.items(), key=lambda item: (item[0] not in FAILED, -item[1], item[0]))
        noun = "test" if len(tests) == 1 else "tests"
        parts.append(f"Its {len(tests)} {noun}: {', '.join(f'{count} {status}' for status, count in told)}.")
    return " ".join(parts)
