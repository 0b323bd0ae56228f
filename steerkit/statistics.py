"""Numbers from numbers: means with errors, ranks, monotone fits. Level 2, pure.

Knows no model, no vector and no search. None means "cannot be said from these data".
"""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats
from sklearn.isotonic import isotonic_regression
from sklearn.metrics import roc_auc_score

__all__ = [
    "MeanError",
    "auc",
    "bootstrap_interval",
    "d_prime",
    "decreasing_fit",
    "mean_error",
    "paired_interval",
    "spearman",
    "unimodal_fit",
]

MeanError = tuple[float | None, float | None, int]
_LEAST_FOR_INTERVAL = 5


def mean_error(values: Sequence[float | None]) -> MeanError:
    """Mean, its standard error (sd with ddof 1 over sqrt n) and n of the values that are not None.

    With no value: (None, None, 0); with one the error is None.
    """
    known = [value for value in values if value is not None]
    if not known:
        return None, None, 0
    mean = math.fsum(known) / len(known)
    if len(known) == 1:
        return mean, None, 1
    return mean, float(np.std(known, ddof=1) / math.sqrt(len(known))), len(known)


def paired_interval(
    differences: Sequence[float], confidence: float = 0.95
) -> tuple[float, float] | None:
    """Student-t interval of a mean of paired differences; None below five (METHOD 2.2)."""
    if len(differences) < _LEAST_FOR_INTERVAL:
        return None
    values = np.asarray(differences, dtype=np.float64)
    error = values.std(ddof=1) / math.sqrt(len(values))
    half = float(stats.t.ppf(0.5 + confidence / 2, len(values) - 1) * error)
    return float(values.mean()) - half, float(values.mean()) + half


def auc(positive: ArrayLike, negative: ArrayLike) -> float | None:
    """P(positive > negative) + P(equal)/2, the Mann-Whitney AUC; None if a class is empty."""
    high, low = np.asarray(positive, np.float64), np.asarray(negative, np.float64)
    if not len(high) or not len(low):
        return None
    labels = np.concatenate([np.ones(len(high)), np.zeros(len(low))])
    return float(roc_auc_score(labels, np.concatenate([high, low])))


def d_prime(positive: ArrayLike, negative: ArrayLike) -> float | None:
    """Difference of the means over the root mean variance (ddof 1); None if it has no spread."""
    high, low = np.asarray(positive, np.float64), np.asarray(negative, np.float64)
    if len(high) < 2 or len(low) < 2:
        return None
    spread = math.sqrt((high.var(ddof=1) + low.var(ddof=1)) / 2)
    return float((high.mean() - low.mean()) / spread) if spread > 0 else None


def spearman(first: ArrayLike, second: ArrayLike) -> float | None:
    """Rank correlation; None below three pairs or when one side is constant."""
    a, b = np.asarray(first, np.float64), np.asarray(second, np.float64)
    if len(a) < 3 or np.ptp(a) == 0 or np.ptp(b) == 0:
        return None
    return float(stats.spearmanr(a, b).statistic)


def bootstrap_interval(
    statistic: str, first: ArrayLike, second: ArrayLike, *, seed: int = 0, resamples: int = 2000
) -> tuple[float, float] | None:
    """Percentile interval (95 %) of `auc` or `spearman` over resampled items.

    For `auc`, `second` are the labels (true above zero); resamples with one class are drawn again
    by being left out. None when fewer than ten items or no usable resample.
    """
    a, b = np.asarray(first, np.float64), np.asarray(second, np.float64)
    if len(a) < 10:
        return None
    generator = np.random.default_rng(seed)
    values = []
    for _ in range(resamples):
        pick = generator.integers(0, len(a), len(a))
        x, y = a[pick], b[pick]
        value = auc(x[y > 0], x[y <= 0]) if statistic == "auc" else spearman(x, y)
        if value is not None:
            values.append(value)
    if not values:
        return None
    low, high = np.percentile(values, [2.5, 97.5])
    return float(low), float(high)


def decreasing_fit(values: ArrayLike, weights: ArrayLike | None = None) -> NDArray[np.float64]:
    """Least-squares non-increasing fit (pool adjacent violators)."""
    y = np.asarray(values, dtype=np.float64)
    w = None if weights is None else np.asarray(weights, dtype=np.float64)
    return np.asarray(isotonic_regression(y, sample_weight=w, increasing=False), np.float64)


def unimodal_fit(values: ArrayLike, weights: ArrayLike | None = None) -> NDArray[np.float64]:
    """Rising-then-falling least squares (METHOD 3.2 C): the mode with the least squared error.

    For each mode m: non-decreasing on [0..m], then non-increasing on the rest, which may not rise
    above the fitted mode.
    """
    y = np.asarray(values, dtype=np.float64)
    w = np.ones_like(y) if weights is None else np.asarray(weights, dtype=np.float64)
    best, least = y, math.inf
    for mode in range(len(y)):
        rise = isotonic_regression(y[: mode + 1], sample_weight=w[: mode + 1])
        fall = isotonic_regression(
            y[mode + 1 :], sample_weight=w[mode + 1 :], increasing=False, y_max=rise[-1]
        ) if mode + 1 < len(y) else np.empty(0)
        fit = np.concatenate([rise, fall])
        error = float((w * (y - fit) ** 2).sum())
        if error < least - 1e-12:
            best, least = fit, error
    return best
