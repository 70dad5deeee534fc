"""What happens in a history: each act draws what it does from the seed, and gives back the doing of it.

A way that fails for what goes wrong around it tells nothing, and that is noted; any other error ends the history.
"""

from __future__ import annotations

import io
import json
import os
import re
import shutil
from collections.abc import Callable, Iterable, Mapping
from contextlib import redirect_stdout
from datetime import datetime
from pathlib import Path
from random import Random
from typing import Any

from ways_scene import GONE, SPOOLS, Delivery, Place, Scene, Telling, list_spooled

from cloud import NAMES, connect, open_watching
from headwater.errors import ArtifactUnreadable, DbtCloudError, NotKnown, WrongUse
from headwater.observatory.collecting import ingest
from headwater.observatory.syncing import list_followed, make_pass, sync_accounts
from headwater.observatory.webhooks import answer, subscribe
from headwater.sdk import Outcome, collect_data_from_dbt_cloud, collect_data_from_dbt_core, flush_spool
from headwater.sdk.__main__ import main as run_sdk_command
from truth import OVER

Doing = Callable[[], None]
Act = Callable[[Scene, Random], Doing | None]

TARGET_FILES = ("manifest.json", "run_results.json", "sources.json", "catalog.json")
_SECONDS = 1.0
_ANNOUNCED = re.compile(r"Run (\d+) was announced: ")


class Killed(BaseException):
    """Ends whatever is under way, as the end of the process would."""


def connect_account(scene: Scene, chance: Random) -> Doing | None:
    """Connect an account that is not; what others told of it before is its own."""
    left = [name for name in NAMES if name not in scene.connected()]
    if not left:
        return None
    name, place = chance.choice(left), chance.choice(scene.places)

    def do() -> None:
        try:
            connect(scene.cloud, place.observatory, name)
        except (WrongUse, DbtCloudError):
            return  # the check of its token met a fault

    return do


def subscribe_account(scene: Scene, chance: Random) -> Doing | None:
    """Let dbt Cloud announce an account's runs, at one of the servers."""
    left = [name for name in scene.connected() if name not in scene.subscribed]
    if not left:
        return None
    name, place = chance.choice(left), chance.choice(scene.places)

    def do() -> None:
        try:
            subscribe(place.observatory, name, place.url, sleep=lambda _seconds: scene.pause())
        except (WrongUse, DbtCloudError):
            return
        scene.subscribed.add(name)

    return do


def poll(scene: Scene, chance: Random) -> Doing | None:
    """Make a pass of the monitor, or sync as a person does."""
    names, place = scene.connected(), chance.choice(scene.places)
    if not names:
        return None
    name, whole = chance.choice(names), chance.random() < 0.2

    def do() -> None:
        if whole:
            sync_accounts(place.observatory, account=name)
        else:
            make_pass_if_possible(place, name)

    return do


def make_pass_if_possible(place: Place, name: str) -> None:
    """Make a pass; where dbt Cloud is in trouble, or another process makes one, the next one goes on."""
    try:
        make_pass(place.observatory, name)
    except DbtCloudError:
        return
    except WrongUse as error:
        _check_other(error)


def _check_other(error: WrongUse) -> None:
    """Pass over that another process holds the account; any other wrong use would be the history's own."""
    if "Another process" not in str(error):
        raise error


def answer_webhooks(scene: Scene, chance: Random) -> Doing | None:
    """Read what was announced, however late."""
    names = scene.connected()
    if not names:
        return None
    name, place = chance.choice(names), chance.choice(scene.places)
    return lambda: read_announced(scene, place, name)


def read_announced(scene: Scene, place: Place, name: str) -> None:
    """Read announced runs; one that could not be read then may stay without the way's name."""
    try:
        faults = answer(place.observatory, name).faults
    except DbtCloudError:
        return
    except WrongUse as error:
        _check_other(error)
        return
    for fault in faults:
        if found := _ANNOUNCED.match(fault):
            scene.notes.uncertain.add(Delivery((scene.account_id(name), int(found[1])), "webhook"))


def call_sdk(scene: Scene, chance: Random) -> Doing | None:
    """Call the SDK for a run as an Airflow task or a script does, the run in any state, the server up or not."""
    chosen = _choose_run(scene, chance)
    if chosen is None:
        return None
    name, run_id = chosen
    truth = scene.truth(name)
    airflow, task = _choose_task(run_id, truth, chance)
    url = GONE if chance.random() < 0.3 else chance.choice(scene.places).url
    spool, by_command = chance.choice(SPOOLS), chance.random() < 0.2
    delivery = Delivery((scene.account_id(name), run_id), "sdk", json.dumps(airflow, sort_keys=True))

    def do() -> None:
        arguments = (scene.account_id(name), scene.token(name), run_id, scene.cloud.simulator.url)
        with scene.as_task(url, spool, airflow) as folder:
            before = list_spooled(folder)
            if by_command:
                outcome = _run_command(*arguments)
            else:
                outcome = collect_data_from_dbt_cloud(*arguments, timeout=_SECONDS).outcome
            _note(scene, Telling(delivery, task), outcome, folder, before)

    return do


def _run_command(account_id: int, token: str, run_id: int, url: str) -> Outcome:
    """Run `python -m headwater.sdk collect` in this process."""
    os.environ["DBT_CLOUD_API_TOKEN"] = token
    said = io.StringIO()
    with redirect_stdout(said):
        run_sdk_command(f"collect --account-id {account_id} --run-id {run_id} --url {url} --timeout {_SECONDS}".split())
    return Outcome(json.loads(said.getvalue())["outcome"])


def _note(scene: Scene, told: Telling, outcome: Outcome, folder: Path, before: Iterable[Path]) -> None:
    """Note what arrived: the call's own observation, and whatever was kept and has gone since."""
    if outcome is Outcome.SENT:
        scene.notes.arrived(told.delivery, told.task)
    if outcome is Outcome.SPOOLED:
        new = list_spooled(folder) - set(before)
        assert new
        for path in new:
            scene.kept[path] = [told]
    _note_flushed(scene, folder)


def _note_flushed(scene: Scene, folder: Path) -> None:
    left = list_spooled(folder)
    assert not list(folder.glob("*.refused"))
    for path in [path for path in scene.kept if path.parent == folder and path not in left]:
        for told in scene.kept.pop(path):
            scene.notes.arrived(told.delivery, told.task)


def flush(scene: Scene, chance: Random) -> Doing | None:
    """Send what was kept while the server was away: by now it may be stale."""
    spool, place = chance.choice(SPOOLS), chance.choice(scene.places)
    return lambda: flush_one(scene, place, spool)


def flush_one(scene: Scene, place: Place, spool: str) -> None:
    """Send what a spool keeps."""
    with scene.as_task(place.url, spool, {}) as folder:
        flush_spool(os.environ)
        _note_flushed(scene, folder)


def copy_spool(scene: Scene, chance: Random) -> Doing | None:
    """Copy what one machine keeps to another, so that it is delivered twice, and late."""
    source, target = (scene.folder / "spools" / spool for spool in chance.sample(SPOOLS, 2))

    def do() -> None:
        with scene.at_environment:
            target.mkdir(parents=True, exist_ok=True)
            for path in list_spooled(source):
                shutil.copy(path, target / path.name)
                scene.kept[target / path.name] = list(scene.kept[path])

    return do


def upload(scene: Scene, chance: Random) -> Doing | None:
    """Download what steps of runs left, as CI or somebody with a laptop does, and ingest the folder."""
    wanted = _choose_run(scene, chance)
    if wanted is None:
        return None
    name, run_id = wanted
    steps = _list_steps(scene, name, run_id)
    if chance.random() < 0.2:
        steps += _list_steps(scene, name, chance.choice(list(scene.truth(name))))
    if not steps:
        return None
    chosen = chance.sample(steps, min(len(steps), 2 if chance.random() < 0.4 else 1))
    place, by_sdk, spool = chance.choice(scene.places), chance.random() < 0.5, chance.choice(SPOOLS)
    url = GONE if chance.random() < 0.3 else place.url
    times = chance.choice((1, 1, 2))
    folder = scene.folder / f"target{chance.getrandbits(40)}"

    def do() -> None:
        folder.mkdir()
        for run_id, index, paths in chosen:
            for path in paths:
                body = scene.ask(name, f"runs/{run_id}/artifacts/{path}?step={index}")
                if body is not None:
                    (folder / path).write_bytes(body)
        told = _read_ids(scene.account_id(name), folder)
        for _ in range(times):
            if by_sdk:
                _send_folder(scene, folder, told, url=url, spool=spool)
            else:
                _ingest_folder(scene, place, folder, told)

    return do


def _list_steps(scene: Scene, name: str, run_id: int) -> list[tuple[int, int, list[str]]]:
    """List the steps of a run that left artifacts, as run, index and paths."""
    steps = [
        (run_id, step["index"], [path for path in step["artifacts"] if path in TARGET_FILES])
        for step in scene.truth(name)[run_id]["steps"]
    ]
    return [step for step in steps if step[2]]


def _send_folder(scene: Scene, folder: Path, told: list[Telling], *, url: str, spool: str) -> None:
    with scene.as_task(url, spool, {}) as kept:
        before = list_spooled(kept)
        outcome = collect_data_from_dbt_core(folder, target_path=folder).outcome
        if outcome is Outcome.SENT:
            for each in told:
                scene.notes.arrived(each.delivery)
        if outcome is Outcome.SPOOLED:
            for path in list_spooled(kept) - before:
                scene.kept[path] = told
        _note_flushed(scene, kept)


def _ingest_folder(scene: Scene, place: Place, folder: Path, told: list[Telling]) -> None:
    try:
        ingest(place.observatory, folder)
    except (NotKnown, ArtifactUnreadable):
        assert not told
    for each in told:
        scene.notes.arrived(each.delivery)


def _read_ids(account_id: int, folder: Path) -> list[Telling]:
    """Read which runs wrote the files of a folder, as far as they can be read."""
    found = set()
    for path in folder.iterdir():
        try:
            environment = json.loads(path.read_bytes())["metadata"]["env"]
        except ValueError:
            continue  # a fault of dbt Cloud's made it unreadable
        found.add(int(environment["DBT_CLOUD_RUN_ID"]))
    return [Telling(Delivery((account_id, run_id), "ingest")) for run_id in sorted(found)]


def order(scene: Scene, chance: Random) -> Doing | None:
    """Let a run begin; some are cancelled on the way."""
    name = chance.choice(NAMES)
    jobs = sorted({run["job_id"] for run in scene.truth(name).values()})
    if not jobs:
        return None
    body = {"job_id": chance.choice(jobs), "queue_seconds": 1, "duration_seconds": chance.choice((20, 200, 2_000))}
    if chance.random() < 0.25:
        body["cancel_after_seconds"] = chance.choice((0.5, 10, 100))

    def do() -> None:
        scene.cloud.simulator.control("POST", "runs", body)

    return do


def retry(scene: Scene, chance: Random) -> Doing | None:
    """Let dbt Cloud run a failed run again; it refuses all but the last of a job."""
    name = chance.choice(NAMES)
    failed = [run["id"] for run in scene.truth(name).values() if run["status"] == 20]

    def do() -> None:
        for run_id in failed[-4:]:
            scene.ask(name, f"runs/{run_id}/retry/", {})

    return do


def cancel(scene: Scene, chance: Random) -> Doing | None:
    """Cancel a run that is not over."""
    name = chance.choice(NAMES)
    under_way = [run["id"] for run in scene.truth(name).values() if run["status"] not in OVER]
    if not under_way:
        return None
    run_id = chance.choice(under_way)

    def do() -> None:
        scene.ask(name, f"runs/{run_id}/cancel/", {})

    return do


def amend(scene: Scene, chance: Random) -> Doing | None:
    """Let dbt Cloud change how a run ended."""
    name = chance.choice(NAMES)
    over = [run["id"] for run in scene.truth(name).values() if run["status"] in {10, 20}]
    if not over:
        return None
    run_id = chance.choice(over[-6:])

    def do() -> None:
        body = {"account_id": scene.account_id(name), "run_id": run_id}
        scene.cloud.simulator.control("POST", "amendments", body)
        scene.notes.amended.add((scene.account_id(name), run_id))

    return do


def die(scene: Scene, chance: Random) -> Doing | None:
    """Let a process end in the middle of what it does, at a moment by the seed."""
    what, left = chance.choice((make_pass, answer)), chance.randint(2, 40)
    names = scene.connected()
    if not names:
        return None
    name = chance.choice(names)

    def do() -> None:
        is_begun = False

        def clock() -> datetime:
            nonlocal left
            left -= is_begun
            if left == 0:
                raise Killed
            return scene.cloud.clock()

        with open_watching(scene.cloud, scene.folder, store_url=scene.store_url, days=1, clock=clock) as observatory:
            if name not in list_followed(observatory):
                return
            is_begun = True
            try:
                found: Any = what(observatory, name)
            except (Killed, DbtCloudError, WrongUse):
                return
            if what is answer:
                for fault in found.faults:
                    if said := _ANNOUNCED.match(fault):
                        run = (scene.account_id(name), int(said[1]))
                        scene.notes.uncertain.add(Delivery(run, "webhook"))

    return do


def _choose_run(scene: Scene, chance: Random) -> tuple[str, int] | None:
    """Choose a run: half the time the one that the others tell of too, else a new one or one under way."""
    if scene.focus is not None and chance.random() < 0.5:
        return scene.focus
    name = chance.choice(NAMES)
    truth = scene.truth(name)
    under_way = [run_id for run_id, run in truth.items() if run["status"] not in OVER]
    some = under_way if under_way and chance.random() < 0.3 else list(truth)[-8:]
    return (name, chance.choice(some)) if some else None


def focus(scene: Scene, chance: Random) -> None:
    """Choose the run that several ways tell of for a while."""
    name = chance.choice(NAMES)
    runs = list(scene.truth(name))[-5:]
    scene.focus = (name, chance.choice(runs)) if runs else None


def _choose_task(
    run_id: int, truth: Mapping[int, Mapping[str, Any]], chance: Random
) -> tuple[dict[str, str], str | None]:
    """Choose where in Airflow a call is made: nowhere, in a task of the run's own, or in the tries of its job's."""
    luck = chance.random()
    if luck < 0.4:
        return {}, None
    job_id = truth[run_id]["job_id"]
    dag_run = f"run-{run_id}" if luck < 0.85 else f"job-{job_id}"
    task = {"DAG_ID": "warehouse", "TASK_ID": "run_dbt", "DAG_RUN_ID": dag_run}
    return {**task, "TRY_NUMBER": str(chance.choice((1, 1, 2)))}, dag_run


ACTS: Mapping[Act, int] = {
    poll: 6,
    answer_webhooks: 6,
    call_sdk: 8,
    upload: 5,
    flush: 2,
    copy_spool: 1,
    order: 4,
    retry: 2,
    cancel: 1,
    amend: 2,
    die: 2,
    connect_account: 3,
    subscribe_account: 3,
}
"""Every act, and how often it comes."""
