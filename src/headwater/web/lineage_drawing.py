"""The picture of a view of the lineage: from columns of numbers to shapes, for the page and for a file of its own.

`static/lineage/shapes.js` draws the same shapes in the browser.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from headwater.observatory.sentences import say_span
from headwater.web.lineage_filters import LineageRequest
from headwater.web.node_filters import node_link
from headwater.web.words import look_of_state, say_count

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from headwater.observatory.lineage_reports import LineageReport, LineageStates

_CHARACTER_WIDTH = 7.2
_BOLD_WIDTH = 8
"""Of the widest fonts that a browser may show; the script measures instead."""
STEPS = {"age": (3600, 21_600, 86_400, 259_200), "duration": (1, 10, 60, 600)}
"""Where one shade ends and the next begins, in seconds."""
STEP_WORDS = {
    "age": ("under 1 h", "under 6 h", "under 1 d", "under 3 d", "3 d and more", "did not run"),
    "duration": ("under 1 s", "under 10 s", "under 1 min", "under 10 min", "10 min and more", "did not run"),
}
_BELOW = 5
_BEGINNINGS = frozenset({"source"})
_ENDS = frozenset({"exposure", "metric", "semantic_model", "saved_query"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """The part of a group's bar that one look takes, in pixels."""

    look: str
    x: float
    width: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Box:
    """A node, or a group of them; `figure` is the number at its right, `title` what hovering says."""

    number: int
    x: int
    y: int
    width: int
    height: int
    outline: str
    label: str
    under: str
    figure: str
    title: str
    href: str
    look: str
    state: str
    shade: int | None
    pieces: tuple[Piece, ...]
    hidden_parents: int
    hidden_children: int
    more: str
    is_focus: bool
    is_on_path: bool
    is_reached: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """An edge, as the data of an SVG path."""

    d: str
    kind: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawing:
    """Boxes and lines with the room they take."""

    boxes: tuple[Box, ...]
    lines: tuple[Line, ...]
    width: int
    height: int


def draw_lineage(view: LineageReport, states: LineageStates, asked: LineageRequest) -> Drawing:
    """Draw a view with its states, in the colours that were asked for."""
    boxes = tuple(draw_box(view, states, asked, number) for number in range(len(view.names)))
    steps = frozenset(zip(view.path, view.path[1:], strict=False))
    reached = frozenset(view.reached) | ({view.path[0] if view.path else view.focus} if view.reached else frozenset())
    lines = []
    for source, target in zip(view.sources, view.targets, strict=True):
        kind = "path" if (source, target) in steps else "reach" if {source, target} <= reached else "plain"
        lines.append(Line(d=draw_line(view, source, target), kind=kind))
    lines.sort(key=lambda line: ("plain", "reach", "path").index(line.kind))
    return Drawing(boxes=boxes, lines=tuple(lines), width=view.width, height=view.height)


def draw_box(view: LineageReport, states: LineageStates, asked: LineageRequest, number: int) -> Box:
    """Draw one node or group."""
    unique_id, place = view.unique_ids[number], view.places[view.place_numbers[number]]
    state = states.states[states.state_numbers[number]]
    kind = view.resource_types[view.resource_type_numbers[number]]
    height = view.node_height if unique_id is not None else view.group_height
    ran_at, elapsed = states.ran_at[number], states.elapsed_seconds[number]
    age = None if ran_at is None else max((states.as_of - datetime.fromtimestamp(ran_at, tz=UTC)).total_seconds(), 0)
    measured = {"age": age, "duration": elapsed}.get(asked.colour)
    said = [view.names[number], say_count(view.counts[number], "node") if unique_id is None else kind, state]
    said += [f"ran {_short(age)} ago"] if age is not None else []
    said += [f"took {say_span(elapsed)}"] if elapsed is not None else []
    figure = (
        "" if unique_id is None and asked.colour == "state" else _short(elapsed if asked.colour == "duration" else age)
    )
    *project, name = view.names[number].rsplit(": ", 1) if unique_id is None else [view.names[number]]
    return Box(
        number=number,
        x=view.x[number],
        y=view.y[number],
        width=view.node_width,
        height=height,
        outline=draw_outline(kind if unique_id is not None else "", view.node_width, height),
        label=_fit(name, view.node_width - 44 - _CHARACTER_WIDTH * len(figure), is_group=unique_id is None),
        under=" · ".join([say_count(view.counts[number], "node"), *project]) if unique_id is None else "",
        figure=figure,
        title=", ".join(said),
        href=node_link(unique_id, place.account, place.project_id, place.environment_id)
        if unique_id is not None
        else asked.with_opened(view.names[number]),
        look=look_of_state(state),
        state=state,
        shade=None if asked.colour == "state" else shade_of(asked.colour, measured),
        pieces=tuple(_pieces(states, number, view.node_width - 24)) if unique_id is None else (),
        hidden_parents=view.hidden_parents[number],
        hidden_children=view.hidden_children[number],
        more="" if unique_id is None else asked.link(more="|".join((*asked.lineage.more, unique_id)), view=None),
        is_focus=number == view.focus,
        is_on_path=number in view.path,
        is_reached=number in view.reached,
    )


def draw_outline(resource_type: str, width: int, height: int) -> str:
    """Draw the outline of a node: round at the left where data comes in, round at the right where it is used."""
    left = height / 2 if resource_type in _BEGINNINGS else 4
    right = height / 2 if resource_type in _ENDS else 4
    return (
        f"M{left:g} 0H{width - right:g}A{right:g} {right:g} 0 0 1 {width} {right:g}V{height - right:g}"
        f"A{right:g} {right:g} 0 0 1 {width - right:g} {height}H{left:g}A{left:g} {left:g} 0 0 1 0 {height - left:g}"
        f"V{left:g}A{left:g} {left:g} 0 0 1 {left:g} 0Z"
    )


def draw_line(view: LineageReport, source: int, target: int) -> str:
    """Draw an edge as a curve from the right of a node to the left of another, through the bends between."""
    x, y = view.x[source] + view.node_width, _middle(view, source)
    end_x, end_y = view.x[target], _middle(view, target)
    if end_x <= view.x[source]:
        return _draw_back(view, source, target)
    between = max((end_x - view.x[source]) // view.pitch - 1, 0)
    swing = (view.pitch - view.node_width) / 2
    parts = [f"M{x} {y:g}"]
    for step, bend in enumerate(view.bends.get(source, ())[:between], 1):
        left = view.x[source] + step * view.pitch
        parts.append(f"C{x + swing:g} {y:g} {left - swing:g} {bend} {left} {bend}H{left + view.node_width}")
        x, y = left + view.node_width, bend
    parts.append(f"C{x + swing:g} {y:g} {end_x - swing:g} {end_y:g} {end_x} {end_y:g}")
    return "".join(parts)


def _draw_back(view: LineageReport, source: int, target: int) -> str:
    """Draw an edge that leads back, as folders that need each other have: around and below both."""
    x, y, end_x, end_y = view.x[source] + view.node_width, _middle(view, source), view.x[target], _middle(view, target)
    swing, below = (view.pitch - view.node_width) / 2, max(2 * y - view.y[source], 2 * end_y - view.y[target]) + _BELOW
    there = f"M{x} {y:g}C{x + swing:g} {y:g} {x + swing:g} {below:g} {x} {below:g}H{end_x}"
    return f"{there}C{end_x - swing:g} {below:g} {end_x - swing:g} {end_y:g} {end_x} {end_y:g}"


def shade_of(colour: str, seconds: float | None) -> int:
    """Give the shade of an age or a duration, 0 to 4; 5 where there is none."""
    if seconds is None:
        return 5
    return sum(seconds >= step for step in STEPS[colour])


def _middle(view: LineageReport, number: int) -> float:
    height = view.node_height if view.unique_ids[number] is not None else view.group_height
    return view.y[number] + height / 2


def _pieces(states: LineageStates, number: int, width: int) -> Iterator[Piece]:
    counts = states.state_counts[number]
    x, whole = 0.0, max(sum(counts.values()), 1)
    for state, count in counts.items():
        share = count / whole * width
        yield Piece(look=look_of_state(state), x=round(x, 1), width=round(share, 1))
        x += share


def _fit(label: str, room: float, *, is_group: bool) -> str:
    """Cut a label to the room there is: a node's at its end, a bold folder's before a part where two are left."""
    most = int(room / (_BOLD_WIDTH if is_group else _CHARACTER_WIDTH))
    if len(label) <= most:
        return label
    if not is_group:
        return f"{label[: most - 1]}…"
    kept = label[1 - most :]
    return f"…{kept[kept.index('/') :] if kept.count('/') > 1 else kept}"


def _short(seconds: float | None) -> str:
    """Say a span in its largest unit alone: 41 s, 3 h, 2 d."""
    if seconds is None:
        return ""
    for size, unit in ((86_400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds // size:.0f} {unit}"
    return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"


def list_neighbour_counts(view: LineageReport) -> tuple[Sequence[int], Sequence[int]]:
    """Count for each thing of a view what it is directly made from, and what is made from it, drawn or not."""
    parents, children = list(view.hidden_parents), list(view.hidden_children)
    for source, target in zip(view.sources, view.targets, strict=True):
        parents[target] += 1
        children[source] += 1
    return parents, children


def count_states(states: LineageStates) -> dict[str, int]:
    """Count the nodes of a view by state, the worst first, those in groups one by one."""
    counts = dict.fromkeys(states.states, 0)
    for number, state in enumerate(states.state_numbers):
        for name, count in states.state_counts.get(number, {states.states[state]: 1}).items():
            counts[name] += count
    return {state: count for state, count in counts.items() if count}
