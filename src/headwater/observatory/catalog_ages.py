"""How old the data of the nodes on a page of the catalogue are, remembered until something new is stored."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import Connection

from headwater.analysis.data_ages import Age, AgeGraph, Held, find_ages
from headwater.analysis.states import DESCRIBED
from headwater.model.build import WRITTEN
from headwater.model.lineage import NodeAddress
from headwater.observatory.lineage import TESTS, Estate, Numbered
from headwater.observatory.missed import BUILT
from headwater.store.build_queries import list_built_before, list_loaded_before

Asked = Sequence[tuple[int, datetime]]
_Told = Mapping[tuple[int, datetime], datetime]


@dataclass(frozen=True, slots=True)
class AgeBook:
    """What is known of the ages of the nodes of one graph, as of one time."""

    nodes: Numbered
    places: Mapping[NodeAddress, int]
    stands_for: Mapping[NodeAddress, NodeAddress]
    graph: AgeGraph
    account_key: int
    until: datetime
    _known: dict[Held, Age] = field(default_factory=dict)
    _built: dict[int, datetime | None] = field(default_factory=dict)
    _loaded: dict[int, datetime | None] = field(default_factory=dict)

    def list_ages(self, tx: Connection, addresses: Sequence[NodeAddress]) -> list[datetime | None]:
        """List when the data of some nodes are from; None for a test, and where that is not known."""
        places = [self.places.get(self.stands_for.get(address, address)) for address in addresses]
        holding = [place for place in places if place is not None and not self._is_test(place)]
        self._read_newest(tx, holding)
        ages = find_ages(
            holding,
            self.until,
            self.graph,
            self._known,
            built_at=lambda asked: self._list_built(tx, asked),
            loaded_at=lambda asked: self._list_loaded(tx, asked),
        )
        found = dict(zip(holding, ages, strict=True))
        return [None if place is None else found.get(place) for place in places]

    def _is_test(self, place: int) -> bool:
        row = self.nodes.rows[place]
        return row is not None and row.resource_type in TESTS

    def _read_newest(self, tx: Connection, asked: Iterable[int]) -> None:
        """Read what happened last to some nodes and all they are made from, as far as it is not known."""
        fresh: dict[int, None] = {}
        waiting = list(asked)
        while waiting:
            place = waiting.pop()
            if place not in fresh and place not in self._built and place not in self._loaded:
                fresh[place] = None
                waiting += self.graph.parents[place]
        sources = [(place, self.until) for place in fresh if place in self.graph.sources]
        others = [(place, self.until) for place in fresh if place not in self.graph.sources]
        loaded, built = self._read_loaded(tx, sources), self._read_built(tx, others)
        self._loaded.update({place: loaded.get((place, until)) for place, until in sources})
        self._built.update({place: built.get((place, until)) for place, until in others})

    def _read_built(self, tx: Connection, asked: Asked) -> _Told:
        return self._ask(asked, lambda keys: list_built_before(tx, self.account_key, keys, statuses=WRITTEN))

    def _read_loaded(self, tx: Connection, asked: Asked) -> _Told:
        return self._ask(asked, lambda keys: list_loaded_before(tx, self.account_key, keys))

    def _key(self, place: int) -> int | None:
        """Give the key of what is built or checked; the rest has no past."""
        row = self.nodes.rows[place]
        return row.node_key if row is not None and row.resource_type in {*BUILT, "source"} else None

    def _list_built(self, tx: Connection, asked: Asked) -> list[datetime | None]:
        """List when some nodes were built last up to some times; most were not since their last build."""
        last = [self._built.get(place) for place, _ in asked]
        older = [pair for pair, at in zip(asked, last, strict=True) if at is not None and at > pair[1]]
        before = self._read_built(tx, older)
        return [at if at is None or at <= pair[1] else before.get(pair) for pair, at in zip(asked, last, strict=True)]

    def _list_loaded(self, tx: Connection, asked: Asked) -> list[datetime | None]:
        """A check made later tells exactly what was there if nothing came since; else the one before tells at least."""
        last = [self._loaded.get(place) for place, _ in asked]
        tells = [at is not None and at <= pair[1] for pair, at in zip(asked, last, strict=True)]
        before = self._read_loaded(tx, [pair for pair, is_told in zip(asked, tells, strict=True) if not is_told])
        return [at if is_told else before.get(pair) for pair, at, is_told in zip(asked, last, tells, strict=True)]

    def _ask(self, asked: Asked, read: Callable[[Asked], _Told]) -> _Told:
        """Ask the store by key, and give its answers by place."""
        if not asked:
            return {}
        keys = {pair: (key, pair[1]) for pair in asked if (key := self._key(pair[0])) is not None}
        told = read(list(keys.values()))
        return {pair: told[key] for pair, key in keys.items() if key in told}


def open_book(estate: Estate, nodes: Numbered, account_key: int, until: datetime) -> AgeBook:
    """Open a book in which nothing stands yet."""
    kinds = [(place, row) for place, row in enumerate(nodes.rows) if row is not None]
    graph = AgeGraph(
        parents=nodes.parents,
        read_through=frozenset(
            place for place, row in kinds if row.materialized in {"view", "ephemeral"} or row.resource_type in DESCRIBED
        ),
        sources=frozenset(place for place, row in kinds if row.resource_type == "source"),
        seeds=frozenset(place for place, row in kinds if row.unique_id.startswith("seed.")),
    )
    places = {address: place for place, address in enumerate(estate.lineage.nodes)}
    return AgeBook(nodes, places, estate.stands_for, graph, account_key, until)
