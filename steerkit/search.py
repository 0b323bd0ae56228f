"""The dose search: from the doses tried so far to the next dose, and to the choice. Level 3, pure.

Knows no model, no judge and no database: a policy is a function of a history, so that a killed
search continues where it stopped and a planted response curve is a test. Doses are relative
(r = c·‖v‖ / residual norm), positive, and searched in x = ln r.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from steerkit.errors import SearchError
from steerkit.statistics import decreasing_fit, unimodal_fit

__all__ = [
    "DONE",
    "Choice",
    "Evaluation",
    "Fit",
    "Policy",
    "Proposal",
    "Staircase",
    "Walk",
    "dose_at_threshold",
    "fit_response",
    "make_policy",
]

DONE = "(done)"
FIRST_DOSE = 1.0
LOWEST_DOSE, HIGHEST_DOSE = 0.02, 20.0
_SAME_DOSE = 1e-9


@dataclass(frozen=True)
class Evaluation:
    """What one dose gave on the `select` questions: means 0-100, None where nothing was scored."""

    dose: float
    trait: float | None
    coherence: float | None
    coherence_se: float | None = None


@dataclass(frozen=True)
class Proposal:
    """The next dose, and the action (a factor on the last dose) that leads to it."""

    dose: float
    action: str


@dataclass(frozen=True)
class Choice:
    """The dose a search settles on.

    `trait` and `coherence` are the policy's estimates there. `step` is the 0-based index of the
    evaluation at that dose, None when the dose lies between two. `feasible` is False when no
    dose reached the threshold: then the dose is the least bad one and is not recommended.
    """

    dose: float
    trait: float
    coherence: float
    step: int | None
    feasible: bool
    status: str


class Policy(Protocol):
    """A search policy: deterministic, and a function of the history alone."""

    @property
    def name(self) -> str:
        """What it is called on the command line."""

    @property
    def threshold(self) -> float:
        """Least coherence of a feasible dose."""

    @property
    def steps(self) -> int:
        """Evaluations it makes, apart from those that look below an edge."""

    def propose(self, history: Sequence[Evaluation]) -> Proposal | None:
        """The next dose, or None when the search is over."""

    def choose(
        self, history: Sequence[Evaluation], unsteered_trait: float | None = None
    ) -> Choice | None:
        """The dose to recommend; None when nothing was scored."""


def make_policy(name: str, *, steps: int | None = None, threshold: float = 70.0) -> Policy:
    """The policy called `name` ("staircase" or "walk") with its number of steps and threshold.

    Raises SearchError for another name, too few steps or a threshold outside (0, 100).
    """
    if not 0 < threshold < 100:
        raise SearchError(
            "the coherence threshold is out of range",
            subject=f"--threshold {threshold:g}",
            hint="use a number between 0 and 100, such as --threshold 70",
        )
    if name == "walk":
        return Walk(threshold=threshold, steps=_at_least(1, 4 if steps is None else steps, name))
    if name == "staircase":
        return Staircase(
            threshold=threshold, steps=_at_least(4, 6 if steps is None else steps, name)
        )
    raise SearchError(
        "there is no such search", subject=f"--search {name}", hint="use staircase or walk"
    )


def _at_least(least: int, steps: int, name: str) -> int:
    if steps < least:
        raise SearchError(
            f"the {name} search needs at least {least} step{'s' * (least > 1)}",
            subject=f"--steps {steps}",
            hint=f"use --steps {least} or more",
        )
    return steps


@dataclass(frozen=True)
class Walk:
    """The published search (METHOD 0.1): ×1.3 while coherent, ×0.9 when not, best step wins."""

    threshold: float = 70.0
    steps: int = 4
    up: float = 1.3
    down: float = 0.9
    name: str = "walk"

    def propose(self, history: Sequence[Evaluation]) -> Proposal | None:
        """Multiply the last dose by `up` if its coherence reached the threshold, else by `down`."""
        if not history:
            return Proposal(FIRST_DOSE, "")
        last = history[-1]
        if len(history) >= self.steps or last.coherence is None:
            return None
        factor = self.down if last.coherence < self.threshold else self.up
        return Proposal(last.dose * factor, f"×{factor:g}")

    def choose(
        self, history: Sequence[Evaluation], unsteered_trait: float | None = None
    ) -> Choice | None:
        """Largest trait among the feasible steps; if none is, the largest coherence."""
        scored = [
            (index, step.dose, step.trait, step.coherence)
            for index, step in enumerate(history)
            if step.trait is not None and step.coherence is not None
        ]
        if not scored:
            return None
        feasible = [step for step in scored if step[3] >= self.threshold]
        index, dose, trait, coherence = (
            max(feasible, key=lambda step: step[2])
            if feasible
            else max(scored, key=lambda step: step[3])
        )
        status = _status(
            feasible=bool(feasible),
            lowest=dose <= min(step[1] for step in scored) + _SAME_DOSE,
            all_coherent=len(feasible) == len(scored),
            lift=None if unsteered_trait is None else trait - unsteered_trait,
        )
        return Choice(dose, trait, coherence, index, bool(feasible), status)


@dataclass(frozen=True)
class Staircase:
    """Staircase on coherence, ladder below the edge, isotonic fits (METHOD 3.2)."""

    threshold: float = 70.0
    steps: int = 6
    first_step: float = 0.8
    ladder: tuple[float, ...] = (-0.45, -0.15, -0.70, -0.30, -0.05, -1.0)
    edge_steps: int = 2
    name: str = "staircase"

    _CLIMB = 4
    _EDGE_DROP = 0.7

    def propose(self, history: Sequence[Evaluation]) -> Proposal | None:
        """Four staircase doses, then the ladder, then up to two more where the choice is an edge."""
        if not history:
            return Proposal(FIRST_DOSE, "")
        if history[-1].coherence is None:
            return None
        taken = len(history)
        if taken < min(self._CLIMB, self.steps):
            x = self._climb(history)
        elif taken < self.steps:
            rung = self.ladder[(taken - self._CLIMB) % len(self.ladder)]
            x = dose_at_threshold(fit_response(history), self.threshold) + rung
        elif taken < self.steps + self.edge_steps and self._at_edge(history):
            x = math.log(min(step.dose for step in history)) - self._EDGE_DROP
            if x < math.log(LOWEST_DOSE):
                return None
        else:
            return None
        dose = math.exp(_clamp(x))
        return Proposal(dose, f"×{dose / history[-1].dose:.3g}")

    def choose(
        self, history: Sequence[Evaluation], unsteered_trait: float | None = None
    ) -> Choice | None:
        """Maximise the unimodal trait fit where the isotonic coherence clears threshold + margin.

        The margin is max(3, half the mean standard error of coherence). With no feasible point
        the choice is the lowest tested dose, marked not feasible; nothing is extrapolated.
        """
        scored = [s for s in history if s.trait is not None and s.coherence is not None]
        if not scored:
            return None
        fit = fit_response(scored)
        grid = np.linspace(fit.x[0], fit.x[-1], 121)
        coherence = np.interp(grid, fit.x, fit.coherence)
        trait = np.interp(grid, fit.x, fit.trait)
        feasible = coherence >= self.threshold + self._margin(scored)
        best = int(np.argmax(np.where(feasible, trait, -np.inf))) if feasible.any() else 0
        dose = math.exp(float(grid[best]))
        status = _status(
            feasible=bool(feasible.any()),
            lowest=best == 0,
            all_coherent=all(s.coherence is None or s.coherence >= self.threshold for s in scored),
            lift=None if unsteered_trait is None else float(trait[best]) - unsteered_trait,
        )
        step = next((i for i, s in enumerate(history) if math.isclose(s.dose, dose)), None)
        return Choice(
            dose, float(trait[best]), float(coherence[best]), step, bool(feasible.any()), status
        )

    def _margin(self, history: Sequence[Evaluation]) -> float:
        errors = [s.coherence_se for s in history if s.coherence_se is not None]
        return max(3.0, 0.5 * float(np.mean(errors))) if errors else 3.0

    def _climb(self, history: Sequence[Evaluation]) -> float:
        x, step = 0.0, self.first_step
        last: bool | None = None
        turned = False
        for evaluation in history[: self._CLIMB]:
            up = evaluation.coherence is not None and evaluation.coherence >= self.threshold
            turned = turned or (last is not None and up != last)
            if turned:
                step = max(step / 2, 0.05)
            x = _clamp(x + (step if up else -step))
            last = up
        return x

    def _at_edge(self, history: Sequence[Evaluation]) -> bool:
        choice = self.choose(history)
        lowest = min(step.dose for step in history)
        return choice is not None and choice.dose <= lowest * (1 + _SAME_DOSE)


@dataclass(frozen=True)
class Fit:
    """Monotone fits at the tested doses: x = ln r sorted, coherence falling, trait unimodal."""

    x: NDArray[np.float64]
    coherence: NDArray[np.float64]
    trait: NDArray[np.float64]


def fit_response(history: Sequence[Evaluation]) -> Fit:
    """Fit coherence (non-increasing) and trait (unimodal) over ln dose; equal doses are averaged.

    Evaluations without both scores are left out. Raises SearchError when none has both.
    """
    points: dict[float, list[tuple[float, float]]] = {}
    for step in history:
        if step.trait is not None and step.coherence is not None:
            points.setdefault(math.log(step.dose), []).append(
                (step.coherence, step.trait)
            )
    if not points:
        raise SearchError(
            "no step of the search was scored", hint="see the reasons: steerkit report"
        )
    x = np.array(sorted(points))
    means = np.array([np.mean(points[value], axis=0) for value in sorted(points)])
    counts = np.array([len(points[value]) for value in sorted(points)], dtype=np.float64)
    return Fit(x, decreasing_fit(means[:, 0], counts), unimodal_fit(means[:, 1], counts))


def dose_at_threshold(fit: Fit, threshold: float) -> float:
    """x70(D): the ln dose at which the fitted coherence falls to `threshold`.

    All at or above it: the highest tested x. None: the lowest minus 0.3. Else interpolated.
    """
    above = np.flatnonzero(fit.coherence >= threshold)
    if not len(above):
        return float(fit.x[0]) - 0.3
    last = int(above[-1])
    if last == len(fit.x) - 1:
        return float(fit.x[-1])
    high, low = fit.coherence[last], fit.coherence[last + 1]
    share = (high - threshold) / (high - low)
    return float(fit.x[last] + share * (fit.x[last + 1] - fit.x[last]))


def _clamp(x: float) -> float:
    return min(max(x, math.log(LOWEST_DOSE)), math.log(HIGHEST_DOSE))


def _status(*, feasible: bool, lowest: bool, all_coherent: bool, lift: float | None) -> str:
    if not feasible:
        return "no feasible dose"
    if lift is not None and lift <= 0:
        return "no benefit"
    if lowest:
        return "edge"
    return "no edge reached" if all_coherent else "ok"
