"""What an actor was doing when it was lost: kept outside it, so that nothing is done for nothing.

Ray does a lost actor's whole batch again. With the journal, what was done of it is not, and a
photo that kills every actor it meets is given up instead of being tried without end.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

TRIES = 3
"""How often an item may be begun."""


class Journal:
    """Which items were begun how often, and what came of those that are done."""

    def __init__(self) -> None:
        self._begun: Counter[int] = Counter()
        self._done: dict[int, bytes] = {}

    def begin(self, number: int) -> tuple[int, bytes | None]:
        """How often an item was begun, this time included, and its outcome if it is done."""
        self._begun[number] += 1
        return self._begun[number], self._done.get(number)

    def done(self, number: int, outcome: bytes) -> None:
        """An item's outcome, packed."""
        self._done[number] = outcome

    def forget(self, numbers: Iterable[int]) -> None:
        """Items whose outcomes have arrived."""
        for number in numbers:
            self._begun.pop(number, None)
            self._done.pop(number, None)
