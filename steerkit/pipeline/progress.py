"""How a stage says how far it is. The command line draws it; tests and scripts need not listen."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol

__all__ = ["Progress", "Silent"]

Advance = Callable[[int], None]


class Progress(Protocol):
    """Where a stage reports to."""

    def note(self, text: str) -> None:
        """Say one line that should stay readable."""

    @contextmanager
    def task(self, description: str, total: int, unit: str = "") -> Iterator[Advance]:
        """A piece of work of `total` units; the yielded function is told of units done."""


class Silent:
    """Hears everything and says nothing."""

    def note(self, text: str) -> None:
        """Drop the line."""

    @contextmanager
    def task(self, description: str, total: int, unit: str = "") -> Iterator[Advance]:
        """Count nothing."""
        yield lambda done: None
