"""Laws of the numbers: means, intervals, ranks and monotone fits against slow oracles."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from steerkit.statistics import (
    auc,
    bootstrap_interval,
    d_prime,
    decreasing_fit,
    mean_error,
    paired_interval,
    spearman,
    unimodal_fit,
)

short = st.lists(st.integers(0, 20), min_size=1, max_size=7)


def test_missing_values_enter_no_mean() -> None:
    assert mean_error([None, 4.0, None, 8.0]) == mean_error([4.0, 8.0])
    assert mean_error([4.0, 8.0]) == (6.0, pytest.approx(2.0), 2)


def test_nothing_known_has_no_mean_and_one_value_no_error() -> None:
    assert mean_error([]) == (None, None, 0)
    assert mean_error([None, None]) == (None, None, 0)
    assert mean_error([None, 5.0]) == (5.0, None, 1)


@given(st.lists(st.floats(0, 100), min_size=2, max_size=30))
def test_mean_and_error_agree_with_scipy(values: list[float]) -> None:
    mean, error, count = mean_error(values)
    assert count == len(values)
    assert mean == pytest.approx(np.mean(values))
    assert error == pytest.approx(stats.sem(values))


@pytest.mark.parametrize("confidence", [0.8, 0.95, 0.99])
def test_interval_is_students_t(confidence: float) -> None:
    values = np.random.default_rng(1).normal(3, 10, 12)
    expected = stats.ttest_1samp(values, 0).confidence_interval(confidence)
    assert paired_interval(values.tolist(), confidence) == pytest.approx(tuple(expected))


def test_interval_of_fewer_than_five_is_refused() -> None:
    assert paired_interval([1.0, 2.0, 3.0, 4.0]) is None
    assert paired_interval([]) is None
    assert paired_interval([2.0] * 5) == (2.0, 2.0)


@given(short, short)
def test_auc_counts_pairs_and_half_of_the_ties(high: list[int], low: list[int]) -> None:
    wins = sum((a > b) + 0.5 * (a == b) for a, b in itertools.product(high, low))
    assert auc(high, low) == pytest.approx(wins / (len(high) * len(low)))


def test_auc_of_an_empty_class_is_none_and_of_equals_one_half() -> None:
    assert auc([], [1.0]) is None
    assert auc([1.0], []) is None
    assert auc([3.0, 3.0], [3.0]) == 0.5


def test_d_prime_is_the_gap_in_pooled_deviations() -> None:
    high, low = [4.0, 6.0, 8.0], [1.0, 2.0, 3.0]
    assert d_prime(high, low) == pytest.approx(4.0 / math.sqrt((4.0 + 1.0) / 2))
    assert d_prime(low, high) == pytest.approx(-4.0 / math.sqrt(2.5))


def test_d_prime_without_spread_cannot_be_said() -> None:
    assert d_prime([1.0, 1.0], [0.0, 0.0]) is None
    assert d_prime([1.0], [0.0, 2.0]) is None
    assert d_prime([1.0, 2.0], []) is None


def test_spearman_sees_order_only() -> None:
    assert spearman([1, 2, 3, 4], [1, 10, 100, 1000]) == pytest.approx(1.0)
    assert spearman([1, 2, 3, 4], [4, 3, 2, 1]) == pytest.approx(-1.0)
    # The layer profiles of the published table (METHOD 1.6).
    assert spearman([2, 1, 5, 3, 4], [5, 1, 2, 3, 4]) == pytest.approx(0.10)


def test_spearman_of_a_constant_or_of_two_pairs_is_none() -> None:
    assert spearman([1, 1, 1], [1, 2, 3]) is None
    assert spearman([1, 2, 3], [7, 7, 7]) is None
    assert spearman([1, 2], [1, 2]) is None


def test_bootstrap_interval_holds_the_estimate_and_is_a_function_of_the_seed() -> None:
    noise = np.random.default_rng(0)
    labels = np.arange(60) % 2
    scores = labels + noise.normal(0, 1, 60)
    estimate = auc(scores[labels > 0], scores[labels <= 0])
    first = bootstrap_interval("auc", scores, labels, seed=3, resamples=200)
    assert first is not None
    assert estimate is not None
    assert 0 < first[0] < estimate < first[1] < 1
    assert first == bootstrap_interval("auc", scores, labels, seed=3, resamples=200)
    ranks = bootstrap_interval("spearman", scores, -scores, resamples=50)
    assert ranks == (pytest.approx(-1.0), pytest.approx(-1.0))


def test_bootstrap_interval_of_few_items_or_one_class_is_none() -> None:
    few = np.arange(9.0)
    assert bootstrap_interval("auc", few, few > 4, resamples=20) is None
    assert bootstrap_interval("auc", np.arange(12.0), np.ones(12), resamples=20) is None


def test_bootstrap_intervals_cover_a_known_auc() -> None:
    true = float(stats.norm.cdf(1 / math.sqrt(2)))
    covered = 0
    for seed in range(30):
        labels = np.arange(80) % 2
        scores = labels + np.random.default_rng(seed).normal(0, 1, 80)
        interval = bootstrap_interval("auc", scores, labels, seed=seed, resamples=60)
        covered += interval is not None and interval[0] <= true <= interval[1]
    assert covered >= 24


def block_fits(values: list[int], weights: list[float]) -> list[np.ndarray]:
    """Every fit that is constant on blocks of neighbours, each block at its weighted mean."""
    y, w = np.array(values, float), np.array(weights, float)
    fits = []
    for cuts in itertools.product([False, True], repeat=len(y) - 1):
        edges = [0, *(i + 1 for i, cut in enumerate(cuts) if cut), len(y)]
        blocks = [
            np.full(b - a, np.average(y[a:b], weights=w[a:b])) for a, b in itertools.pairwise(edges)
        ]
        fits.append(np.concatenate(blocks))
    return fits


def error_of(fit: np.ndarray, values: list[int], weights: list[float]) -> float:
    return float((np.array(weights) * (np.array(values) - fit) ** 2).sum())


def is_unimodal(fit: np.ndarray) -> bool:
    steps = np.diff(fit)
    turns = np.sign(np.where(np.abs(steps) < 1e-9, 0, steps))
    return bool((np.diff(turns[turns != 0]) <= 0).all())


@given(short, st.data())
def test_unimodal_fit_is_the_best_of_all_unimodal_fits(
    values: list[int], data: st.DataObject
) -> None:
    weights = data.draw(
        st.lists(st.sampled_from([1.0, 2.0, 3.0]), min_size=len(values), max_size=len(values))
    )
    fit = unimodal_fit(values, weights)
    best = min(
        error_of(other, values, weights)
        for other in block_fits(values, weights)
        if is_unimodal(other)
    )
    assert is_unimodal(fit)
    assert error_of(fit, values, weights) == pytest.approx(best, abs=1e-9)


@given(short)
def test_decreasing_fit_is_the_best_of_all_falling_fits(values: list[int]) -> None:
    weights = [1.0] * len(values)
    fit = decreasing_fit(values)
    falling = [f for f in block_fits(values, weights) if (np.diff(f) <= 1e-9).all()]
    best = min(falling, key=lambda f: error_of(f, values, weights))
    assert fit == pytest.approx(best)
    assert fit.sum() == pytest.approx(sum(values))


def test_fits_keep_what_has_the_wanted_shape_already() -> None:
    assert decreasing_fit([9, 5, 5, 1]).tolist() == [9, 5, 5, 1]
    assert unimodal_fit([1, 4, 9, 3, 0]).tolist() == [1, 4, 9, 3, 0]
    assert unimodal_fit([7]).tolist() == [7]


def test_weight_counts_like_repeats() -> None:
    assert decreasing_fit([1, 4], [3, 1]).tolist() == [1.75, 1.75]
    assert unimodal_fit([5, 0, 4, 0], [1, 3, 1, 1])[1:3] == pytest.approx([1.0, 1.0])
