"""A seeded history: all ways in at once, shuffled and repeated; then all settles and is compared with the truth."""

from __future__ import annotations

from collections.abc import Iterator, MutableMapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any, NoReturn

import structlog
from sqlalchemy import func, select
from ways_acts import ACTS, Doing, connect_account, flush_one, focus, read_announced, subscribe_account
from ways_scene import MISCHIEF, SPOOLS, Delivery, Scene, open_scene

from cloud import NAMES, wait_until_stored
from headwater.observatory.syncing import sync_accounts
from headwater.simulator.recordings import Archive
from headwater.store.schema import run_artifacts
from killed import sync_and_die
from truth import Comparison, compare

FAULTS = (
    "error_500", "bad_gateway", "unavailable", "reset_before", "reset_after", "truncated_body", "rate_limited",
    "empty_list", "corrupt_artifact", "stale_list",
)  # fmt: skip
_SETTLING = 10
_DRAINING = 3_000


@dataclass(frozen=True)
class Played:
    """How a history ended: what was compared, and which acts it was made of."""

    compared: Comparison
    acts: tuple[str, ...]


def play(seed: int, folder: Path, store_url: str, archive: Archive) -> Played:
    """Play the history of a seed on an empty database, with recordings that histories share."""
    with noting_faults() as faults, open_scene(seed, folder, store_url, archive) as scene:
        acts = live(scene, Random(f"history {seed}"), is_killed=seed % 8 == 0)
        settle(scene)
        found = compare_scene(scene)
    found.wrong.extend(faults)
    return Played(found, acts)


@contextmanager
def noting_faults() -> Iterator[list[str]]:
    """Note what is logged, which is only what nobody foresaw."""
    noted: list[str] = []

    def note(_logger: object, _method: str, entry: MutableMapping[str, Any]) -> NoReturn:
        noted.append(f"it was logged: {dict(entry)}")
        raise structlog.DropEvent

    structlog.configure(processors=[structlog.processors.format_exc_info, note])
    try:
        yield noted
    finally:
        structlog.reset_defaults()


def live(scene: Scene, chance: Random, *, is_killed: bool) -> tuple[str, ...]:
    """Let some hours pass in which everything happens, partly at the same time; names what did."""
    played: list[str] = []
    for _ in NAMES:
        if chance.random() < 0.5:
            for kind in (connect_account, subscribe_account):
                if (doing := kind(scene, chance)) is not None:
                    doing()
    with ThreadPoolExecutor(4) as pool:
        for turn in range(chance.randint(4, 7)):
            _trouble(scene, chance)
            focus(scene, chance)
            scene.cloud.advance(chance.choice((20, 120, 600, 1_800)))
            if turn == 2 and is_killed and scene.connected():
                sync_and_die(scene.folder, scene.store_url, scene.cloud.now.isoformat(), chance.uniform(0.02, 0.4))
                played.append("sync_and_die")
            kinds = chance.choices(list(ACTS), weights=list(ACTS.values()), k=chance.randint(5, 10))
            drawn = [(kind.__name__, kind(scene, chance)) for kind in kinds]
            doings = [(name, doing) for name, doing in drawn if doing is not None]
            played += [name for name, _ in doings]
            _do(pool, [doing for _, doing in doings], chance)
    return tuple(played)


def _trouble(scene: Scene, chance: Random) -> None:
    """Change what goes wrong with dbt Cloud and its webhooks."""
    is_rough = chance.random() < 0.5
    scene.cloud.simulator.control(
        "POST",
        "faults",
        {
            "rates": {kind: chance.choice((0.0, 0.01, 0.03)) if is_rough else 0.0 for kind in FAULTS},
            "webhooks": {kind: chance.choice((0.0, 0.3)) for kind in MISCHIEF},
            "artifact_delay_seconds": chance.choice((0, 0, 60)),
            "log_delay_seconds": chance.choice((0, 0, 60)),
            "list_lag_seconds": chance.choice((0, 0, 0, 90)),
        },
    )


def _do(pool: ThreadPoolExecutor, doings: Sequence[Doing], chance: Random) -> None:
    """Do some of it one after the other, some at the same time."""
    left = list(doings)
    while left:
        size = chance.choice((1, 2, 3, 4))
        together, left = left[:size], left[size:]
        for done in [pool.submit(doing) for doing in together]:
            done.result()


def settle(scene: Scene) -> None:
    """Let nothing go wrong any more, deliver what is under way, and follow until nothing is left to do."""
    scene.cloud.simulator.control("POST", "faults", {"clear": True})
    chance = Random(0)
    while doing := connect_account(scene, chance):
        doing()
    while doing := subscribe_account(scene, chance):
        doing()
    scene.cloud.advance(60)
    for spool in SPOOLS:
        flush_one(scene, scene.places[0], spool)
    assert not scene.kept
    for _ in range(_SETTLING):
        scene.cloud.advance(700)
        _catch_up(scene)
        if _count_due(scene) == 0:
            break
        scene.cloud.advance(3_600)
    _catch_up(scene)


def _catch_up(scene: Scene) -> None:
    """Read all that was announced, then sync; what this finds of announcements that came meanwhile is read too."""
    place = scene.places[0]
    wait_until_stored(place.observatory)
    _wait_for_webhooks(scene)
    for name in scene.connected():
        for _ in range(3):
            read_announced(scene, place, name)
    report = sync_accounts(place.observatory)
    assert report.accounts_failed == 0, report.faults


def _wait_for_webhooks(scene: Scene) -> None:
    """Wait until everything that is due is delivered, and note of which runs dbt Cloud got an answer."""
    for _ in range(_DRAINING):
        told = scene.cloud.simulator.control("GET", "webhooks")
        if told["waiting"] == 0:
            break
        scene.pause()
    assert told["waiting"] == 0
    for event in told["events"]:
        if any(200 <= status < 300 for status in event["answers"]):
            run = Delivery((event["account_id"], event["run_id"]), "webhook")
            if run not in scene.notes.uncertain:
                scene.notes.arrived(run)


def _count_due(scene: Scene) -> int:
    query = select(func.count()).where(run_artifacts.c.state.in_(("pending", "failed")))
    with scene.places[0].observatory.store.read() as tx:
        return int(tx.execute(query).scalar_one())


def compare_scene(scene: Scene) -> Comparison:
    """Compare the store with dbt Cloud's truth and with what each way told."""
    told = {account.id: scene.notes.told(account.id) for account in scene.cloud.simulator.accounts}
    found = compare(scene.cloud, scene.places[0].observatory, told)
    if (due := _count_due(scene)) != 0:
        found.lost.append(f"{due} artifacts are still to be asked for")
    return found
