"""From two stacks of activations to a direction, and how good it is. Level 3, pure.

Knows no model and no database. Activations are float32 arrays of shape (rows, hidden_size), pooled
over tokens, one row for each text. Every direction is stored as v = gap·u (METHOD 5.2): u the unit
direction towards the positive class, gap the distance of the class means along u.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from steerkit.errors import ExtractionError
from steerkit.statistics import auc, d_prime

__all__ = [
    "METHODS",
    "ClassData",
    "Direction",
    "Quality",
    "fit_direction",
    "measure_quality",
    "random_unit",
]

METHODS = ("mean_diff", "probe", "gradient")
FOLDS = 5
SPLITS = {"mean_diff": 50, "gradient": 50, "probe": 10}
PROBE_C = 0.1

Array = NDArray[np.float32]
Array64 = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class ClassData:
    """The activations of one layer by class, with the scenario pair each row belongs to.

    `positive` (n+, d) and `negative` (n-, d) float32; `positive_pairs` and `negative_pairs` the
    pair number of each row. `gradients` (m, d) float32 are the log-odds gradients of the complete
    pairs `gradient_pairs` (METHOD 5.1), or None when that method is not asked for.
    """

    positive: Array
    negative: Array
    positive_pairs: NDArray[np.int64]
    negative_pairs: NDArray[np.int64]
    gradients: Array | None = None
    gradient_pairs: NDArray[np.int64] | None = None

    @property
    def pairs(self) -> NDArray[np.int64]:
        """Every pair number that has at least one row, sorted."""
        return np.union1d(self.positive_pairs, self.negative_pairs)

    def restricted_to(self, pairs: NDArray[np.int64]) -> "ClassData":
        """The rows whose pair is in `pairs`."""
        up = np.isin(self.positive_pairs, pairs)
        down = np.isin(self.negative_pairs, pairs)
        grads, grad_pairs = self.gradients, self.gradient_pairs
        if grads is not None and grad_pairs is not None:
            keep = np.isin(grad_pairs, pairs)
            grads, grad_pairs = grads[keep], grad_pairs[keep]
        return ClassData(
            self.positive[up], self.negative[down],
            self.positive_pairs[up], self.negative_pairs[down], grads, grad_pairs,
        )  # fmt: skip

    def with_swapped(self, swapped: NDArray[np.int64]) -> "ClassData":
        """Class labels exchanged inside the pairs `swapped`; a pair's gradient changes sign."""
        up = np.isin(self.positive_pairs, swapped)
        down = np.isin(self.negative_pairs, swapped)
        grads = self.gradients
        if grads is not None and self.gradient_pairs is not None:
            sign = np.where(np.isin(self.gradient_pairs, swapped), -1.0, 1.0)
            grads = (grads * sign[:, None]).astype(np.float32)
        return ClassData(
            np.concatenate([self.positive[~up], self.negative[down]]),
            np.concatenate([self.negative[~down], self.positive[up]]),
            np.concatenate([self.positive_pairs[~up], self.negative_pairs[down]]),
            np.concatenate([self.negative_pairs[~down], self.positive_pairs[up]]),
            grads, self.gradient_pairs,
        )  # fmt: skip


@dataclass(frozen=True, eq=False)
class Direction:
    """A fitted direction: `unit` (d,) float64 of length 1, `gap` > 0 and `sd_within` along it."""

    unit: Array64
    gap: float
    sd_within: float

    @property
    def vector(self) -> Array:
        """v = gap·u, shape (d,), float32: adding it moves a text by one natural class gap."""
        return (self.gap * self.unit).astype(np.float32)


@dataclass(frozen=True)
class Quality:
    """Held-out figures, cross-fitted by pair; None where too few pairs allow none.

    `polarity_flip` is True when the held-out gap is negative: the sign is kept and only flagged,
    since flipping on held-out data would push every held-out AUC above one half.
    """

    auc: float | None
    d_prime: float | None
    auc_shuffled: float | None
    split_half_cosine: float | None
    polarity_flip: bool


def fit_direction(data: ClassData, method: str) -> Direction:
    """Fit one direction and scale it (METHOD 5.1, 5.2), oriented so that the training gap is > 0.

    `mean_diff`: difference of the class means. `probe`: logistic regression on standardised
    activations, weights taken back to activation space. `gradient`: mean of the pairs' log-odds
    gradients. Raises ExtractionError when a class is empty, a number is not finite or the
    direction has no length.
    """
    if not len(data.positive) or not len(data.negative):
        raise ExtractionError(
            "a class has no passed completion, so there is no direction",
            subject=f"{len(data.positive)} positive, {len(data.negative)} negative",
            hint="look at the rejects in v_vetting, or loosen --pass-positive / --pass-negative",
        )
    high = data.positive.mean(axis=0, dtype=np.float64)
    low = data.negative.mean(axis=0, dtype=np.float64)
    delta = high - low
    raw = _RAW[method](data, delta)
    length = float(np.linalg.norm(raw))
    if not np.isfinite(length) or not np.isfinite(delta).all() or length == 0:
        raise ExtractionError(
            "the direction is not finite or has no length",
            subject=method,
            hint="look for NaN in the model (try --dtype float32) and for identical completions",
        )
    unit = raw / length
    gap = float(unit @ delta)
    if gap < 0:
        unit, gap = -unit, -gap
    spread = np.concatenate([data.positive @ unit - high @ unit, data.negative @ unit - low @ unit])
    return Direction(unit, gap, float(np.sqrt((spread**2).sum() / max(len(spread) - 2, 1))))


def _mean_difference(data: ClassData, delta: Array64) -> Array64:
    del data
    return delta


def _probe(data: ClassData, delta: Array64) -> Array64:
    """Logistic regression on z = (x - mean)/sd; returns w_z/sd, the weights on x.

    The weights of an L2-penalised fit lie in the span of the rows, so it is solved exactly in
    at most n rotated coordinates instead of d.
    """
    stack = np.concatenate([data.positive, data.negative]).astype(np.float64)
    labels = np.concatenate([np.ones(len(data.positive)), np.zeros(len(data.negative))])
    sd = stack.std(axis=0)
    sd[sd == 0] = 1.0
    rows = (stack - stack.mean(axis=0)) / sd
    _, singular, basis = np.linalg.svd(rows, full_matrices=False)
    keep = singular > singular[0] * 1e-9 if len(singular) and singular[0] > 0 else singular > 0
    if not keep.any():
        return delta
    basis = basis[keep]
    model = LogisticRegression(C=PROBE_C, max_iter=5000).fit(rows @ basis.T, labels)
    return np.asarray(model.coef_[0] @ basis / sd, dtype=np.float64)


def _gradient(data: ClassData, delta: Array64) -> Array64:
    if data.gradients is None or not len(data.gradients):
        raise ExtractionError(
            "the gradient method needs complete pairs, and no pair passed vetting on both sides",
            subject=f"{len(delta)}-dimensional activations",
            hint="use --methods mean_diff,probe, or add scenarios",
        )
    return data.gradients.mean(axis=0, dtype=np.float64)


_RAW: dict[str, Callable[[ClassData, Array64], Array64]] = {
    "mean_diff": _mean_difference,
    "probe": _probe,
    "gradient": _gradient,
}


def measure_quality(data: ClassData, method: str, *, seed: int = 0) -> Quality:
    """Held-out AUC and d', shuffled-label AUC and split-half cosine, all by pair.

    Scores of a held-out fold are taken relative to the midpoint of its training classes and in
    units of their spread, so that folds can be pooled. The shuffled figure repeats the same
    procedure after exchanging the labels in half of the pairs.
    """
    generator = np.random.default_rng(seed)
    pairs = data.pairs
    if len(pairs) < 2 * FOLDS:
        return Quality(None, None, None, None, False)
    order = generator.permutation(pairs)
    high, low = _held_out_scores(data, method, order)
    swapped = generator.permutation(pairs)[: len(pairs) // 2]
    fake_high, fake_low = _held_out_scores(data.with_swapped(swapped), method, order)
    flip = bool(len(high) and len(low) and high.mean() < low.mean())
    return Quality(
        auc(high, low), d_prime(high, low), auc(fake_high, fake_low),
        _split_half_cosine(data, method, generator), flip,
    )  # fmt: skip


def _held_out_scores(
    data: ClassData, method: str, order: NDArray[np.int64]
) -> tuple[Array64, Array64]:
    high, low = [], []
    for fold in range(FOLDS):
        held = data.restricted_to(order[fold::FOLDS])
        train = data.restricted_to(np.setdiff1d(order, order[fold::FOLDS]))
        if not _can_fit(train, method):
            continue
        fitted = fit_direction(train, method)
        middle = (train.positive.mean(axis=0) + train.negative.mean(axis=0)) @ fitted.unit / 2
        scale = fitted.sd_within or 1.0
        high.append((held.positive @ fitted.unit - middle) / scale)
        low.append((held.negative @ fitted.unit - middle) / scale)
    empty = np.empty(0)
    return np.concatenate([*high, empty]), np.concatenate([*low, empty])


def _split_half_cosine(
    data: ClassData, method: str, generator: np.random.Generator
) -> float | None:
    pairs = data.pairs
    cosines = []
    for _ in range(SPLITS[method]):
        shuffled = generator.permutation(pairs)
        half = len(shuffled) // 2
        halves = [data.restricted_to(part) for part in (shuffled[:half], shuffled[half:])]
        if all(_can_fit(part, method) for part in halves):
            first, second = (fit_direction(part, method).unit for part in halves)
            cosines.append(float(first @ second))
    return float(np.mean(cosines)) if cosines else None


def _can_fit(data: ClassData, method: str) -> bool:
    enough = len(data.positive) > 0 and len(data.negative) > 0
    if method == "gradient":
        return enough and data.gradients is not None and len(data.gradients) > 0
    return enough


def random_unit(dim: int, seed: int) -> Array64:
    """An isotropic random direction of length 1, shape (dim,), fixed by `seed`."""
    values = np.random.default_rng(seed).standard_normal(dim)
    return np.asarray(values / np.linalg.norm(values), dtype=np.float64)
