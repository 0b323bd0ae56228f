"""What every judge is: items in, one Judgement or Unscored per item and criterion out. Level 6.

A judge sees a question and a text. Dose, layer and condition are hidden from it. What it cannot
score it returns as Unscored with a reason; it never makes up a number.
"""

from collections.abc import Callable, Sequence
from typing import Protocol

from steerkit.records import Criterion, JudgedItem, Judgement, Unscored

__all__ = ["Judge", "OnItems"]

OnItems = Callable[[int], None]


class Judge(Protocol):
    """A judge of answers (`trait`, `coherence`) and of completions (`vetting`)."""

    @property
    def name(self) -> str:
        """Stored with every judgement: the judge, and a fingerprint of what decides its scores."""

    def score(
        self,
        items: Sequence[JudgedItem],
        criterion: Criterion,
        *,
        on_items: OnItems | None = None,
    ) -> list[Judgement | Unscored]:
        """Score every item from 0 to 100 on one criterion, in the order given.

        `on_items` is told how many items were done. Raises JudgeError when the judge as a whole
        cannot work.
        """
