"""What a person says a warehouse table is, in place of what its name says."""

from __future__ import annotations

from headwater.analysis.matching import is_same_name
from headwater.analysis.table_names import read_table_name
from headwater.errors import Ambiguous, NotKnown, WrongUse
from headwater.observatory.audit import COMMAND_LINE, note
from headwater.observatory.holder import Observatory
from headwater.observatory.matching import MatchReport, match_table, say_name
from headwater.observatory.table_places import choose_places, read_place_nodes
from headwater.store import overrides as stored

_LONGEST = 400


def set_override(
    observatory: Observatory,
    table: str,
    unique_id: str,
    *,
    account: str | None = None,
    project: str | None = None,
    environment: str | None = None,
) -> MatchReport:
    """Say that a table is a node, for every way of writing the same parts; it replaces what was said before.

    Raises:
        NotKnown: no such node is known there, or no such account, project or environment.
        Ambiguous: several places know a node of this unique_id.
        WrongUse: the name names no table, or is too long to be kept.
    """
    if not read_table_name(table) or len(table) > _LONGEST:
        raise WrongUse(f"{say_name(table)} is no table's name that can be kept.", hint="Write database.schema.table.")
    chosen, _ = choose_places(observatory, account=account, project=project, environment=environment)
    with observatory.store.read() as tx:
        nodes = read_place_nodes(tx, chosen).nodes
    found = [chosen[node.place] for node in nodes if node.unique_id == unique_id]
    if not found:
        raise NotKnown(f"dbt knows no table-like node {say_name(unique_id)} there.", hint="Name it by its unique_id.")
    if len(found) > 1:
        raise Ambiguous(
            f"Several environments know {unique_id}.",
            candidates=tuple(f"{place.account}: {place.project} in {place.environment}" for place in found),
            hint="Say which with --account, --project or --environment.",
        )
    now = observatory.store.now()
    with observatory.store.write() as tx:
        stored.save_override(tx, found[0].scope, table.strip(), unique_id, now)
        note(observatory, tx, COMMAND_LINE, "match set", table.strip(), now=now, detail=unique_id)
    return match_table(observatory, table, account=account, project=project, environment=environment)


def forget_override(
    observatory: Observatory,
    table: str,
    *,
    account: str | None = None,
    project: str | None = None,
    environment: str | None = None,
) -> MatchReport:
    """Forget what was said of a table, however its name is written.

    Raises:
        NotKnown: nothing was said of it there, or no such account, project or environment is known.
    """
    chosen, _ = choose_places(observatory, account=account, project=project, environment=environment)
    with observatory.store.read() as tx:
        said = stored.list_overrides(tx, {place.scope.account_key for place in chosen})
    here = [
        override
        for override in said
        for place in chosen
        if override.scope == place.scope and is_same_name(override.table, table, place.manifest.adapter_type)
    ]
    if not here:
        raise NotKnown(f"Nothing was said of {say_name(table)} there.")
    now = observatory.store.now()
    with observatory.store.write() as tx:
        for override in here:
            stored.delete_override(tx, override.scope, override.table)
        note(observatory, tx, COMMAND_LINE, "match forgotten", table.strip(), now=now)
    return match_table(observatory, table, account=account, project=project, environment=environment)
