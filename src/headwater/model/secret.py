"""A value that must never be printed: a token or a key on its way from a person to the one place that needs it."""

from __future__ import annotations

import hmac
import unicodedata
from typing import NoReturn

from headwater.errors import WrongUse

_MASK = "•••"
_HINT_LENGTH = 4
_SHORTEST_HINTED = 16


class Secret:
    """Hold a secret text; printing, formatting and logging it show `•••`, only `reveal` gives it away."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        """Take the text without the blanks around it.

        Raises:
            WrongUse: it is empty or holds a control character; the message does not repeat it.
        """
        stripped = value.strip()
        if not stripped:
            raise WrongUse("The secret is empty.", hint="Paste it again.")
        if any(unicodedata.category(character) in {"Cc", "Cs"} for character in stripped):
            raise WrongUse("The secret holds a line break or another control character.", hint="Paste only the token.")
        self._value = stripped

    def reveal(self) -> str:
        """Give the text itself."""
        return self._value

    @property
    def hint(self) -> str:
        """Give the last four characters, by which people tell tokens apart; nothing of a short one."""
        return self._value[-_HINT_LENGTH:] if len(self._value) >= _SHORTEST_HINTED else ""

    def __repr__(self) -> str:
        return _MASK

    __str__ = __repr__

    def __format__(self, format_spec: str) -> str:
        return _MASK

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        return hmac.compare_digest(self._value.encode(), other._value.encode())

    def __hash__(self) -> int:
        return hash(self._value)

    def __reduce__(self) -> NoReturn:
        raise TypeError("A secret is not pickled.")
