"""The lineage of a run: its own manifest, one of several, or none at all; on both databases."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from headwater.errors import NotKnown
from headwater.model.account import AccountAddress
from headwater.model.invocation import Invocation
from headwater.model.node import ArtifactMetadata, Macro, Manifest, Node
from headwater.model.run import Run, RunStatus, Way
from headwater.observatory.changes import find_changes
from headwater.observatory.references import read_run_moment
from headwater.store.accounts import save_account
from headwater.store.database import Store
from headwater.store.invocations import save_invocation
from headwater.store.manifests import save_manifest
from headwater.store.runs import save_run
from headwater.store.writing import Scope

NIGHT = datetime(2026, 11, 20, 3, 0, tzinfo=UTC)
DAYS = Macro(unique_id="macro.shop.days", package_name="shop", version=b"d1")


def make_node(name: str, code: str = "select 1", *, parents=(), macros=()) -> Node:
    return Node(
        unique_id=f"model.shop.{name}",
        resource_type="model",
        name=name,
        version=f"{name}{code}{parents}".encode(),
        code_version=code.encode(),
        raw_code=code,
        parents=parents,
        macros=macros,
    )


@pytest.fixture
def scope(store: Store) -> Scope:
    with store.write() as tx:
        return Scope(save_account(tx, "acme", AccountAddress("https://cloud.example", 1), NIGHT).account_key, 5, 6)


def save(store: Store, scope: Scope, run_id: int, *manifests, status=RunStatus.SUCCESS, job_id: int = 3) -> list[int]:
    """Save a run of so many hours after the first, whose steps left these nodes and macros."""
    at = NIGHT + timedelta(hours=run_id)
    keys = []
    with store.write() as tx:
        run = Run(
            run_id=run_id, status=status, project_id=5, environment_id=6, job_id=job_id, created_at=at, updated_at=at,
            started_at=at, finished_at=at + timedelta(minutes=9),
        )  # fmt: skip
        save_run(tx, scope.account_key, run, Way.POLL, at)
        for step, things in enumerate(manifests, 1):
            nodes = tuple(thing for thing in things if isinstance(thing, Node))
            macros = tuple(thing for thing in things if isinstance(thing, Macro))
            content = b"".join(thing.version for thing in things)
            metadata = ArtifactMetadata(generated_at=at, project_name="shop")
            manifest = Manifest(metadata=metadata, content=content, nodes=nodes, macros=macros)
            keys.append(save_manifest(tx, scope, manifest, None, at))
            invocation = Invocation(invocation_id=f"{run_id}-{step}", command="build", step_index=step, generated_at=at)
            save_invocation(tx, scope, invocation, manifest_key=keys[-1], run_id=run_id, now=at)
    return keys


def changes_of(store: Store, scope: Scope, run_id: int, against: int | None = None, job_id: int | None = 3):
    at = NIGHT + timedelta(hours=run_id)
    run = Run(run_id=run_id, status=RunStatus.SUCCESS, environment_id=6, job_id=job_id, created_at=at)
    with store.read() as tx:
        return find_changes(tx, scope.account_key, run, against)


def test_a_run_with_several_manifests_answers_with_the_last_and_says_so(store: Store, scope: Scope) -> None:
    """Two steps with different manifests: the last step's holds, with a note; twice the same needs none."""
    first, last = save(store, scope, 1, [make_node("a")], [make_node("a"), make_node("b")])
    (same, again) = save(store, scope, 2, [make_node("c")], [make_node("c")])
    with store.read() as tx:
        place, moment = read_run_moment(tx, scope.account_key, 1)
        _, quiet = read_run_moment(tx, scope.account_key, 2)

    assert (place, dict(moment.pinned)) == (scope, {scope: last})
    assert first != last
    assert moment.notes == ("The steps of run 1 had several manifests; this is that of step 2.",)
    assert same == again
    assert quiet.notes == ()


def test_a_run_without_a_manifest_answers_with_what_held_then(store: Store, scope: Scope) -> None:
    """A run that left none has its time instead, and the answer says so; a run that is not stored is an error."""
    save(store, scope, 1, [make_node("a")])
    save(store, scope, 2, status=RunStatus.CANCELLED)
    with store.read() as tx:
        place, moment = read_run_moment(tx, scope.account_key, 2)
        with pytest.raises(NotKnown, match="Run 3 is not stored"):
            read_run_moment(tx, scope.account_key, 3)

    assert (place, moment.at, dict(moment.pinned)) == (scope, NIGHT + timedelta(hours=2, minutes=9), {})
    assert moment.notes[0].startswith("Run 2 left no manifest; this is the lineage that held at 2026-11-20 05:09")


def test_changes_are_since_the_last_good_run_of_the_job(store: Store, scope: Scope) -> None:
    """A failed run, one without a manifest and another job's run are passed over; macros name who uses them."""
    user = make_node("b", macros=("macro.shop.days",))
    save(store, scope, 1, [make_node("a"), user, DAYS])
    save(store, scope, 2, [make_node("x")], status=RunStatus.ERROR)
    save(store, scope, 3)
    save(store, scope, 4, [make_node("y")], job_id=9)
    after = [make_node("a", "select 2"), replace_parents(user, ("model.shop.a",)), make_node("c")]
    save(store, scope, 5, [*after, Macro(unique_id="macro.shop.days", package_name="shop", version=b"d2")])
    report = changes_of(store, scope, 5)

    assert report.against_run_id == 1
    said = "1 node added, 2 nodes changed, 1 macro changed since the last good run, 1."
    assert report.sentence == said
    assert report.added == ("model.shop.c",)
    assert [(one.unique_id, one.aspects) for one in report.changed] == [
        ("model.shop.a", ("code",)),
        ("model.shop.b", ("edges",)),
    ]
    assert report.changed[1].parents_added == ("model.shop.a",)
    assert [(one.unique_id, one.what, one.used_by) for one in report.macros] == [
        ("macro.shop.days", "changed", ("model.shop.b",))
    ]


def test_what_cannot_be_compared_is_said(store: Store, scope: Scope) -> None:
    """No manifest, no earlier run, nothing changed, a run named that has none: each is a sentence of its own."""
    save(store, scope, 1, [make_node("a")])
    save(store, scope, 2)
    save(store, scope, 3, [make_node("a")])

    assert changes_of(store, scope, 1).sentence.startswith("No earlier good run of this job")
    assert changes_of(store, scope, 1, job_id=None).against_run_id is None
    assert changes_of(store, scope, 2).sentence == "This run left no manifest: what changed is not known."
    assert changes_of(store, scope, 3).sentence == "Nothing changed since the last good run, 1."
    assert changes_of(store, scope, 3, 2).sentence == "Run 2 left no manifest: there is nothing to compare with."
    assert changes_of(store, scope, 3, 8).sentence == "Run 8 is not stored: there is nothing to compare with."


def replace_parents(node: Node, parents: tuple[str, ...]) -> Node:
    changed = make_node(node.name, parents=parents, macros=node.macros)
    assert changed.version != node.version
    return changed
