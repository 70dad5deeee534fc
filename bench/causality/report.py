"""The figures of many histories: a line for each kind of fault, the baselines, and the goals' shares."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from math import sqrt

from measure import Asked, Measured

_Z = 1.645
"""The width of a 90% interval of a normal distribution."""


def wilson(right: int, of: int) -> tuple[float, float]:
    """Give the 90% interval of a share (Wilson's)."""
    if of == 0:
        return 0.0, 1.0
    share = right / of
    middle = share + _Z**2 / (2 * of)
    half = _Z * sqrt(share * (1 - share) / of + _Z**2 / (4 * of**2))
    scale = 1 + _Z**2 / of
    return max(0.0, (middle - half) / scale), min(1.0, (middle + half) / scale)


def print_report(measured: Sequence[Measured]) -> dict[str, float | int | None]:
    """Print a line for each kind and the baselines, and give the shares of the last line."""
    by_kind: defaultdict[str, list[Asked]] = defaultdict(list)
    for one in measured:
        for asked in one.asked:
            by_kind[asked.kind].append(asked)
    print(f"\n{'kind of fault':30} {'n':>4} {'first':>6} {'three':>6}  90% interval   nearest  folded")
    for kind in sorted(by_kind):
        print(_line(kind, by_kind[kind]))
    everything = [asked for one in measured for asked in one.asked]
    print(_line("all", everything))
    real = sum(one.real_commands for one in measured)
    print(f"{real} real dbt commands; a history took {_mean([one.seconds for one in measured]):.1f} s")
    played = len(measured)
    healthy = sum(one.healthy_asked for one in measured)
    return {
        "histories": played,
        "first": _share(sum(one.is_first for one in measured), played),
        "first_three": _share(sum(one.is_among_three for one in measured), played),
        "precision": _share(sum(one.rightly_affected for one in measured), sum(one.said_affected for one in measured)),
        "recall": _share(sum(one.rightly_affected for one in measured), sum(one.truly_affected for one in measured)),
        "one_incident": _share(sum(one.has_one_incident for one in measured), played),
        "false_causes": _share(sum(len(one.false_causes) for one in measured), healthy),
    }


def _line(kind: str, asked: Sequence[Asked]) -> str:
    count = len(asked)
    first = sum(one.place == 1 for one in asked)
    three = sum(one.place is not None and one.place <= 3 for one in asked)
    low, high = wilson(first, count)
    nearest, folded = (sum(getattr(one, name) for one in asked) for name in ("nearest", "folded"))
    return (
        f"{kind:30} {count:4} {_share(first, count):6.3f} {_share(three, count):6.3f}  "
        f"{low:.3f} - {high:.3f}  {_share(nearest, count):7.3f} {_share(folded, count):7.3f}"
    )


def _share(part: int, of: int) -> float:
    return round(part / of, 4) if of else 0.0


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else 0.0
