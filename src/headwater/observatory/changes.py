"""What changed between two runs: nodes, their code, configuration, columns and edges, and macros."""

from __future__ import annotations

from sqlalchemy import Connection

from headwater.analysis.changes import Changes, compare, find_users
from headwater.model.run import Run, RunStatus
from headwater.observatory.node_reports import ChangesReport, MacroDifference, NodeDifference
from headwater.store import run_queries
from headwater.store.invocation_queries import list_run_invocations
from headwater.store.lineage import list_differences, read_nodes
from headwater.store.manifests import list_nodes

_LOOKED_AT = 20


def find_changes(tx: Connection, account_key: int, run: Run, against_run_id: int | None = None) -> ChangesReport:
    """Compare the manifest a run left with that of another run, or of the last good run of its job before it.

    A run that left none, and one there is nothing to compare with, is answered with a sentence.

    Raises:
        NotKnown: the other run is not stored.
    """
    after = _find_manifest(tx, account_key, run.run_id)
    if after is None:
        return ChangesReport(against_run_id=None, sentence="This run left no manifest: what changed is not known.")
    if against_run_id is not None:
        page = run_queries.list_runs(
            tx, run_queries.RunFilter(account_keys=(account_key,), run_id=against_run_id), limit=1
        )
        before = _find_manifest(tx, account_key, against_run_id)
        if not page.runs or before is None:
            why = "left no manifest" if page.runs else "is not stored"
            return ChangesReport(
                against_run_id=None, sentence=f"Run {against_run_id} {why}: there is nothing to compare with."
            )
        return _report(tx, account_key, against_run_id, before, after, f"run {against_run_id}")
    good = _find_last_good(tx, account_key, run)
    if good is None:
        return ChangesReport(
            against_run_id=None, sentence="No earlier good run of this job is stored with a manifest to compare with."
        )
    return _report(tx, account_key, *good, after, f"the last good run, {good[0]}")


def _find_last_good(tx: Connection, account_key: int, run: Run) -> tuple[int, int] | None:
    """Find the newest success of the run's job before it that left a manifest of the same place."""
    if run.job_id is None:
        return None
    wanted = run_queries.RunFilter(
        account_keys=(account_key,),
        job_id=run.job_id,
        environment_id=run.environment_id,
        statuses=(RunStatus.SUCCESS,),
        created_until=run.created_at,
    )
    for row in run_queries.list_runs(tx, wanted, limit=_LOOKED_AT).runs:
        manifest_key = _find_manifest(tx, account_key, row.run.run_id)
        if manifest_key is not None and row.run.run_id != run.run_id:
            return row.run.run_id, manifest_key
    return None


def _find_manifest(tx: Connection, account_key: int, run_id: int) -> int | None:
    found = [row.manifest_key for row in list_run_invocations(tx, account_key, run_id) if row.manifest_key is not None]
    return found[-1] if found else None


def _report(tx: Connection, account_key: int, against_run_id: int, before: int, after: int, said: str) -> ChangesReport:
    if before == after:
        return ChangesReport(against_run_id=against_run_id, sentence=f"Nothing changed since {said}.")
    old, new = list_differences(tx, account_key, before, after)
    changes = compare(
        read_nodes(tx, account_key, old.items()).values(), read_nodes(tx, account_key, new.items()).values()
    )
    return ChangesReport(
        against_run_id=against_run_id,
        sentence=f"{_describe(changes)} since {said}.",
        added=changes.added,
        removed=changes.removed,
        changed=tuple(
            NodeDifference(**{name: getattr(one, name) for name in NodeDifference.__dataclass_fields__})
            for one in changes.changed
        ),
        macros=_list_macros(tx, account_key, after, changes),
    )


def _list_macros(tx: Connection, account_key: int, manifest_key: int, changes: Changes) -> tuple[MacroDifference, ...]:
    told = {
        **dict.fromkeys(changes.macros_added, "added"),
        **dict.fromkeys(changes.macros_removed, "removed"),
        **dict.fromkeys(changes.macros_changed, "changed"),
    }
    if not told:
        return ()
    held = list_nodes(tx, account_key, manifest_key)
    users = find_users(held.macros, {node.unique_id: node.macros for node in held.nodes}, told)
    return tuple(MacroDifference(unique_id=name, what=what, used_by=users[name]) for name, what in sorted(told.items()))


def _describe(changes: Changes) -> str:
    counts = (
        (len(changes.added), "added"),
        (len(changes.removed), "removed"),
        (len(changes.changed), "changed"),
    )
    macros = len(changes.macros_added) + len(changes.macros_removed) + len(changes.macros_changed)
    parts = [f"{count:,} node{'' if count == 1 else 's'} {verb}" for count, verb in counts if count]
    parts += [f"{macros:,} macro{'' if macros == 1 else 's'} changed"] if macros else []
    return ", ".join(parts) or "Nothing that is kept changed"
