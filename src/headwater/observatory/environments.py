"""Which environment answers: the one that is named, else production, else where dbt parsed last."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from headwater.errors import NotKnown
from headwater.observatory.holder import read_account
from headwater.store.lineage import list_places
from headwater.store.lineage_rows import PlaceRow


@dataclass(frozen=True, slots=True)
class Choice:
    """A place that answers, and in one sentence why it does."""

    place: PlaceRow
    sentence: str


def choose_places(places: Sequence[PlaceRow], project: str | None, environment: str | None) -> list[Choice]:
    """Choose where to look: the environments that are named, else production of each project, else the last parsed.

    Raises:
        NotKnown: no project or environment is called so.
    """
    kept = _narrow("project", project, places, lambda place: (place.project_id, place.project_name))
    if environment:
        kept = _narrow("environment", environment, kept, lambda place: (place.environment_id, place.environment_name))
        return [Choice(place, f"{say_place(place)} answers, as asked.") for place in kept]
    by_project: defaultdict[tuple[int, int], list[PlaceRow]] = defaultdict(list)
    for place in kept:
        by_project[place.account_key, place.project_id].append(place)
    return [_choose(listed) for listed in by_project.values()]


def list_asked_places(tx: Connection, account: str | None) -> list[PlaceRow]:
    """List the places of an account, or of all.

    Raises:
        NotKnown: there is no such account.
    """
    return list_places(tx, (read_account(tx, account).account_key,) if account else None)


def _choose(places: Sequence[PlaceRow]) -> Choice:
    production = [place for place in places if place.is_production]
    if production:
        chosen = max(production, key=lambda place: place.current_at)
        return Choice(chosen, f"{say_place(chosen)} answers: it is production, and no environment was named.")
    chosen = max(places, key=lambda place: place.current_at)
    because = "it is where dbt parsed last, and no lineage of a production environment is known"
    return Choice(chosen, f"{say_place(chosen)} answers: {because}.")


def say_place(place: PlaceRow) -> str:
    """Name a place: Production of Shop."""
    environment = place.environment_name or f"environment {place.environment_id}"
    return f"{environment} of {place.project_name or f'project {place.project_id}'}"


def say_short(text: str) -> str:
    """Quote what somebody wrote, the beginning of it where it is long."""
    return repr(text if len(text) <= 120 else f"{text[:117]}…")


def _narrow(
    noun: str,
    wanted: str | None,
    places: Sequence[PlaceRow],
    identify: Callable[[PlaceRow], tuple[int, str | None]],
) -> list[PlaceRow]:
    if not wanted:
        return list(places)
    named = [(place, *identify(place)) for place in places]
    by_id = [place for place, number, _ in named if str(number) == wanted]
    found = by_id or [place for place, _, name in named if (name or "").casefold() == wanted.casefold()]
    if not found:
        names = ", ".join(sorted({name or str(number) for _, number, name in named})[:12])
        hint = f"There are: {names}." if names else "No lineage is stored yet."
        article = "an" if noun[0] in "aeiou" else "a"
        raise NotKnown(f"No lineage is known of {article} {noun} {say_short(wanted)}.", hint=hint)
    return found
