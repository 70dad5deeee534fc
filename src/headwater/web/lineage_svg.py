"""The colours of a picture that stands alone: those of the style sheet, for a light and a dark page."""

from __future__ import annotations

from dataclasses import dataclass

_SHADES = (0.0, 0.1, 0.22, 0.36, 0.5)
_TINT = 0.1


@dataclass(frozen=True, slots=True)
class Palette:
    """Colours by name, as `app.css` has them."""

    paper: str
    raised: str
    edge: str
    ink: str
    ink_3: str
    accent: str
    success: str
    warn: str
    error: str
    running: str
    quiet: str

    def of_look(self, look: str) -> str:
        """Give the colour of a look."""
        return {
            "success": self.success, "warn": self.warn, "late": self.warn, "error": self.error,
            "running": self.running, "queued": self.running,
        }.get(look, self.quiet)  # fmt: skip

    def fill(self, look: str, shade: int | None) -> str:
        """Give what a node is filled with: a tint of what is bad, or a shade."""
        if shade is not None:
            return self.paper if shade > 4 else _mix(self.accent, self.raised, _SHADES[shade])
        if look in {"error", "warn", "late"}:
            return _mix(self.of_look(look), self.raised, _TINT)
        return self.paper if look in {"skipped", "unknown"} else self.raised

    def stroke(self, look: str, shade: int | None) -> str:
        """Give the outline of a node."""
        return self.of_look(look) if shade is None and look in {"error", "warn", "late"} else self.edge


LIGHT = Palette(
    paper="#fbfbf9", raised="#ffffff", edge="#b9bab4", ink="#16191d", ink_3="#6b727c", accent="#0b5fa5",
    success="#1f8f7e", warn="#b87700", error="#a11d12", running="#2b6fd6", quiet="#85858d",
)  # fmt: skip
DARK = Palette(
    paper="#111417", raised="#181c20", edge="#4a525a", ink="#eceef0", ink_3="#8b939c", accent="#6db3f2",
    success="#3cc4ae", warn="#ffd166", error="#ff6a55", running="#5b9bff", quiet="#8b8f99",
)  # fmt: skip


def _mix(colour: str, other: str, share: float) -> str:
    """Mix two colours, as `color-mix(in srgb, …)` does."""
    pairs = zip(_parts(colour), _parts(other), strict=True)
    return "#" + "".join(f"{round(one * share + two * (1 - share)):02x}" for one, two in pairs)


def _parts(colour: str) -> tuple[int, ...]:
    return tuple(int(colour[place : place + 2], 16) for place in (1, 3, 5))
