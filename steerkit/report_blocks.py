"""What a report is made of: sections of texts, tables, code and charts. Level 8.

Knows no database and no file format: the two templates draw the same blocks as HTML and Markdown.
Texts are stored as they are; escaping is the templates' business, in one place.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar

from steerkit.charts import Chart

__all__ = [
    "NONE",
    "Block",
    "Bullets",
    "Cell",
    "Code",
    "Figure",
    "Section",
    "Table",
    "Text",
    "between",
    "cells",
    "clean",
    "coefficient",
    "number",
    "signed",
    "with_error",
]

NONE = "–"  # in a table: not measured
_LONGEST_TEXT = 1200
# Control characters except newline and tab, and those that turn the direction of what follows.
_UNSAFE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")


@dataclass(frozen=True)
class Cell:
    """One cell: its text, whether it stands out, and whether it is running text."""

    text: str
    strong: bool = False
    prose: bool = False

    @property
    def is_number(self) -> bool:
        """Whether the cell holds a number, a percentage or an interval, to be aligned right."""
        return not self.prose and bool(re.match(r"[+\-−]?\d", self.text) or self.text == NONE)


@dataclass(frozen=True)
class Text:
    """A paragraph."""

    kind: ClassVar[str] = "text"
    text: str


@dataclass(frozen=True)
class Bullets:
    """A list of sentences."""

    kind: ClassVar[str] = "bullets"
    items: tuple[str, ...]


@dataclass(frozen=True)
class Code:
    """Preformatted lines."""

    kind: ClassVar[str] = "code"
    text: str


@dataclass(frozen=True)
class Table:
    """A table with the query that gives its numbers."""

    kind: ClassVar[str] = "table"
    header: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    sql: str


@dataclass(frozen=True)
class Figure:
    """A chart. `inline` is False where the page would become too large: then only its file is."""

    kind: ClassVar[str] = "figure"
    chart: Chart
    inline: bool = True


Block = Text | Bullets | Code | Table | Figure


@dataclass(frozen=True)
class Section:
    """A heading (level 2 to 4) and what stands under it. `folded` closes it on the page."""

    title: str
    blocks: tuple[Block, ...] = ()
    level: int = 2
    folded: bool = field(default=False)


def clean(text: str) -> str:
    """The text without control characters and cut to a readable length; the cut is said."""
    safe = _UNSAFE.sub("\N{REPLACEMENT CHARACTER}", text.replace("\r\n", "\n"))
    left = len(safe) - _LONGEST_TEXT
    return f"{safe[:_LONGEST_TEXT]} … ({left} more characters)" if left > 0 else safe


def cells(*texts: str | Cell) -> tuple[Cell, ...]:
    """A row of cells."""
    return tuple(text if isinstance(text, Cell) else Cell(text) for text in texts)


def number(value: float | None, digits: int = 1) -> str:
    """The value with this many decimals."""
    return NONE if value is None else f"{value:.{digits}f}"


def signed(value: float | None, digits: int = 1) -> str:
    """The value with its sign."""
    return NONE if value is None else f"{value:+.{digits}f}"


def coefficient(value: float | None, origin: str = "measured") -> str:
    """At least four significant digits; an imported one as it was printed."""
    if value is None:
        return NONE
    return f"{value:g}" if origin == "imported" else f"{value:#.4g}".rstrip(".")


def with_error(value: float | None, error: float | None, digits: int = 1) -> str:
    """`mean ± standard error`; the mean alone where no error is known."""
    if value is None or error is None:
        return number(value, digits)
    return f"{value:.{digits}f} ± {error:.{digits}f}"


def between(values: Sequence[float | None], digits: int = 1) -> str:
    """An interval `[low, high]`, or nothing."""
    low, high = values
    return "" if low is None or high is None else f"[{low:+.{digits}f}, {high:+.{digits}f}]"
