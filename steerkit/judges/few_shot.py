"""The local judge's trait score: which of two words continues labelled examples. Level 6.

A member shows the model eight labelled answers, four of each side, then the answer to be judged,
and reads log p(" optimistic") − log p(" pessimistic"). Single members are noisy; the score is the
mean over a few with other shots and another wording, each standardised on the examples it did not
show, and calibrated to the examples' labels. Half of what the question alone suggests is taken off,
so that a grim topic does not pass for a grim answer.
"""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares

from steerkit.errors import JudgeError
from steerkit.models import LoadedModel
from steerkit.prompts import fill
from steerkit.records import JudgedItem, Prompt, Trait, TraitExample
from steerkit.scoring import Continuation, PrefixScorer
from steerkit.tokens import raw_ids

__all__ = ["FewShotReader"]

SHOTS = 8
_QUESTION_SHARE = 0.5
_SIDES = (40.0, 60.0)  # examples between them are too close to neutral to be shown for a side
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class _Member:
    """One few-shot prompt: its shots, and how it is standardised."""

    prompt: Prompt
    shots: tuple[int, ...]
    scorer: PrefixScorer
    mean: float = 0.0
    spread: float = 1.0


class FewShotReader:
    """Scores items from 0 to 100 by few-shot continuation, calibrated on a trait's examples.

    Raises JudgeError when the labelled examples are too few or one-sided to show and to calibrate.
    """

    def __init__(
        self,
        model: LoadedModel,
        trait: Trait,
        prompts: Sequence[Prompt],
        examples: Sequence[TraitExample],
        *,
        seed: int = 0,
        on_items: Callable[[int], None] | None = None,
    ) -> None:
        self._model = model
        self._trait = trait
        self._questions: dict[tuple[int, str], float] = {}
        labelled = [example for example in examples if example.trait is not None]
        self._check(labelled)
        dice = random.Random(seed)
        self._members = [self._member(prompt, labelled, dice) for prompt in prompts]
        items = [JudgedItem(example.question, example.answer) for example in labelled]
        labels = np.array([example.trait for example in labelled], dtype=np.float64)
        self._calibrate(items, labels, on_items)

    def scores(
        self, items: Sequence[JudgedItem], on_items: Callable[[int], None] | None = None
    ) -> list[tuple[float, float]]:
        """(score 0-100, mean standardised log-odds) of each item."""
        raw = np.stack([self._read(index, items, on_items) for index in range(len(self._members))])
        mean = raw.mean(axis=0)
        return [(float(score), float(odds)) for score, odds in zip(self._scale(mean), mean, strict=True)]

    def _check(self, labelled: Sequence[TraitExample]) -> None:
        low, high = _SIDES
        sides = [
            sum(e.trait is not None and e.trait <= low for e in labelled),
            sum(e.trait is not None and e.trait >= high for e in labelled),
        ]
        if min(sides) < SHOTS // 2 + 2:
            raise JudgeError(
                f"the trait has {sides[0]} labelled examples at or below {low:g} and {sides[1]} at "
                f"or above {high:g}; the local judge needs {SHOTS // 2 + 2} of each",
                subject=self._trait.name,
                hint="add examples to the trait's examples.jsonl, or use another judge: --judge",
            )

    def _member(
        self, prompt: Prompt, labelled: Sequence[TraitExample], dice: random.Random
    ) -> _Member:
        low, high = _SIDES
        places = range(len(labelled))
        shots = [
            *dice.sample([i for i in places if (labelled[i].trait or 0) >= high], SHOTS // 2),
            *dice.sample([i for i in places if (labelled[i].trait or 0) <= low], SHOTS // 2),
        ]
        dice.shuffle(shots)
        text = "".join(
            fill(
                prompt,
                **self._values(
                    prompt, JudgedItem(labelled[i].question, labelled[i].answer),
                    self._word((labelled[i].trait or 0) > 50),
                ),
            )
            for i in shots
        )  # fmt: skip
        prefix = raw_ids(self._model, text)
        return _Member(prompt, tuple(shots), PrefixScorer(self._model, prefix))

    def _word(self, positive: bool) -> str:
        return self._trait.positive_word if positive else self._trait.negative_word

    def _values(self, prompt: Prompt, item: JudgedItem, word: str) -> dict[str, str]:
        """The variables of a prompt; judged text is one line, so it cannot start a new example."""
        known = {
            "question": " ".join(item.question.split()),
            "answer": " ".join(item.answer.split()),
            "noun": self._trait.noun,
            "word": word,
        }
        return {name: value for name, value in known.items() if f"${name}" in prompt.text}

    def _calibrate(
        self, items: Sequence[JudgedItem], labels: Floats, on_items: Callable[[int], None] | None
    ) -> None:
        """Standardise each member on the examples it does not show, then fit the common scale."""
        raw = np.full((len(self._members), len(items)), np.nan)
        for index, member in enumerate(self._members):
            unseen = [i for i in range(len(items)) if i not in member.shots]
            odds = self._read(index, [items[i] for i in unseen], on_items)
            mean, spread = float(odds.mean()), float(odds.std()) or 1.0
            self._members[index] = _Member(
                member.prompt, member.shots, member.scorer, mean, spread
            )
            raw[index, unseen] = (odds - mean) / spread
        known = ~np.isnan(raw).all(axis=0)
        self._fit = _fit_scale(np.nanmean(raw[:, known], axis=0), labels[known])

    def _scale(self, odds: Floats) -> Floats:
        slope, shift = self._fit
        return np.asarray(100 / (1 + np.exp(-(slope * odds + shift))), dtype=np.float64)

    def _read(
        self, index: int, items: Sequence[JudgedItem], on_items: Callable[[int], None] | None
    ) -> Floats:
        """Standardised log-odds of one member."""
        member = self._members[index]
        odds = self._log_odds(member, items, on_items)
        if "$question" in member.prompt.text:
            new = {item.question for item in items} - {
                question for i, question in self._questions if i == index
            }
            alone = [JudgedItem(question, "") for question in sorted(new)]
            for item, value in zip(alone, self._log_odds(member, alone, None), strict=True):
                self._questions[index, item.question] = float(value)
            odds = odds - _QUESTION_SHARE * np.array(
                [self._questions[index, item.question] for item in items]
            )
        return np.asarray((odds - member.mean) / member.spread, dtype=np.float64)

    def _log_odds(
        self,
        member: _Member,
        items: Sequence[JudgedItem],
        on_items: Callable[[int], None] | None,
    ) -> Floats:
        if not items:
            return np.zeros(0)
        words = [tuple(raw_ids(self._model, f" {self._word(side)}", bos=False)) for side in (True, False)]
        contexts = []
        for item in items:
            filled = fill(member.prompt, **self._values(member.prompt, item, "\0"))
            text = filled[: filled.index("\0")].rstrip(" ")
            contexts.append(raw_ids(self._model, text, bos=False))
        if len(words[0]) == len(words[1]) == 1:
            both = member.scorer.next_log_odds(contexts, words[0][0], words[1][0], on_rows=on_items)
            return np.asarray(both, dtype=np.float64)
        pairs = [Continuation(context, word) for context in contexts for word in words]
        values = [float(v.sum()) for v in member.scorer.log_probabilities(pairs, on_rows=on_items)]
        return np.array(values[0::2]) - np.array(values[1::2])


def _fit_scale(odds: Floats, labels: Floats) -> tuple[float, float]:
    """Slope (at least 0.1, so that the order is kept) and shift of 100·logistic(slope·x + shift)."""

    def residuals(parameters: Floats) -> Floats:
        return np.asarray(100 / (1 + np.exp(-(parameters[0] * odds + parameters[1]))) - labels)

    fitted = least_squares(residuals, x0=[1.0, 0.0], bounds=([0.1, -5.0], [10.0, 5.0]))
    return float(fitted.x[0]), float(fitted.x[1])
