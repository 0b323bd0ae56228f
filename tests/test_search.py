"""Laws of the dose search: golden tables of METHOD 3.2, the published walk, planted curves."""

import csv
import math
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from steerkit.errors import SearchError
from steerkit.search import (
    Choice,
    Evaluation,
    Policy,
    Staircase,
    Walk,
    dose_at_threshold,
    fit_response,
    make_policy,
)

DATA = Path(__file__).parent / "data"
Curve = Callable[[float], Evaluation]


def drive(policy: Policy, curve: Curve, limit: int = 12) -> list[Evaluation]:
    """Run a policy against a response curve until it stops by itself."""
    history: list[Evaluation] = []
    while proposal := policy.propose(history):
        assert len(history) < limit, "the search does not end"
        history.append(curve(proposal.dose))
    return history


def chosen(policy: Policy, history: list[Evaluation], unsteered: float | None = None) -> Choice:
    """The policy's choice, which these tests expect to exist."""
    choice = policy.choose(history, unsteered)
    assert choice is not None
    return choice


def curve(trait: Callable[[float], float], edge: float = math.e**0.4) -> Curve:
    """A response with logistic coherence that halves at dose `edge`, and the given trait."""

    def evaluate(dose: float) -> Evaluation:
        coherence = 90 / (1 + math.exp(min(8 * math.log(dose / edge), 700)))
        return Evaluation(dose, trait(dose), coherence)

    return evaluate


def test_the_planted_curve_gives_the_published_doses() -> None:
    policy = make_policy("staircase")
    history = drive(policy, curve(lambda dose: 50 + 20 * math.log(dose)))
    assert [step.dose for step in history] == pytest.approx(
        [1, 2.2255, 1.4918, 1.2214, 0.8047, 1.0862], abs=5e-5
    )
    assert [step.coherence for step in history[:4]] == pytest.approx(
        [86.48, 3.52, 45.0, 74.88], abs=5e-3
    )
    edge = math.exp(dose_at_threshold(fit_response(history[:4]), 70))
    assert edge == pytest.approx(1.2620, abs=5e-5)
    choice = chosen(policy, history)
    assert choice.dose == pytest.approx(1.2294, abs=5e-5)
    assert (choice.feasible, choice.status, choice.step) == (True, "ok", None)


TABLES = {  # doses, coherence, trait, then the fits, the edge and the choice
    "DPO L24": ([1, 1.3, 1.521, 1.69], [84.4, 78.4, 36.6, 6.3], [55, 68.2, 49.9, 1.1],
                [84.4, 78.4, 36.6, 6.3], [55, 68.2, 49.9, 1.1], 1.3417, 1.3),
    "SFT L20": ([1, 1.3, 1.521, 1.69], [74.1, 82.4, 74.2, 55], [59.9, 76.8, 71, 66.9],
                [78.25, 78.25, 74.2, 55], [59.9, 76.8, 71, 66.9], 1.5565, 1.3),
    "DPO L16": ([1, 1.053, 1.17, 1.3], [77.9, 64.1, 40, 51.7], [73.6, 43.1, 34.1, 50.8],
                [77.9, 64.1, 45.85, 45.85], [73.6, 43.1, 42.45, 42.45], 1.03, 1.0),
}  # fmt: skip


@pytest.mark.parametrize("name", TABLES)
def test_published_rows_give_the_fits_of_the_method(name: str) -> None:
    doses, coherence, trait, chat, that, edge, expected = TABLES[name]
    history = [Evaluation(*row) for row in zip(doses, trait, coherence, strict=True)]
    fit = fit_response(history)
    assert fit.coherence == pytest.approx(chat)
    assert fit.trait == pytest.approx(that)
    assert math.exp(dose_at_threshold(fit, 70)) == pytest.approx(edge, abs=5e-5)
    assert chosen(Staircase(), history).dose == pytest.approx(expected, abs=5e-5)


def published() -> dict[tuple[str, int], list[dict[str, str]]]:
    series: dict[tuple[str, int], list[dict[str, str]]] = {}
    with (DATA / "published_steps.csv").open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            series.setdefault((row["variant"], int(row["layer"])), []).append(row)
    return series


def replayed(rows: list[dict[str, str]]) -> list[Evaluation]:
    """The rows at the doses that their own printed actions lead to."""
    dose, history = 1.0, []
    for row in rows:
        history.append(Evaluation(dose, float(row["trait"]), float(row["coherence"])))
        if row["action"] != "(done)":
            dose *= float(row["action"].removeprefix("×"))
    return history


def test_walk_replays_every_published_action_but_one() -> None:
    differing = []
    for (variant, layer), rows in published().items():
        history = replayed(rows)
        for taken, row in enumerate(rows, 1):
            proposal = Walk().propose(history[:taken])
            if (proposal.action if proposal else "(done)") != row["action"]:
                differing.append((variant, layer, taken))
    assert differing == [("SFT", 24, 3)]
    assert sum(len(rows) for rows in published().values()) == 40


def test_walk_recommends_every_published_step() -> None:
    choices = {key: chosen(Walk(), replayed(rows)) for key, rows in published().items()}
    assert [(choice.step or 0) + 1 for choice in choices.values()] == [2, 1, 1, 2, 1, 4, 4, 1, 3, 2]
    with (DATA / "published_summary.csv").open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            choice = choices[row["variant"], int(row["layer"])]
            assert choice.step == int(row["rule_step"]) - 1
            assert choice.trait == float(row["rec_trait_written"])
            assert choice.dose == pytest.approx(float(row["rule_rel_coef"]))


@given(st.lists(st.floats(0, 100), min_size=1, max_size=12))
def test_walk_never_leaves_its_multipliers(coherence: list[float]) -> None:
    values, walk = iter(coherence), Walk(steps=len(coherence))
    history = drive(walk, lambda dose: Evaluation(dose, 50.0, next(values)))
    assert len(history) == len(coherence)
    for before, after in pairwise(history):
        assert before.coherence is not None
        assert after.dose == before.dose * (1.3 if before.coherence >= 70 else 0.9)


score = st.integers(0, 100)
evaluations = st.lists(
    st.builds(Evaluation, st.sampled_from([0.05, 0.3, 0.7, 1.0, 1.3, 2.2, 9.0]), score, score),
    min_size=1,
    max_size=8,
)


@given(evaluations)
def test_fitted_coherence_falls_and_fitted_trait_has_one_peak(history: list[Evaluation]) -> None:
    fit = fit_response(history)
    assert (np.diff(fit.x) > 0).all()
    assert (np.diff(fit.coherence) <= 1e-9).all()
    turns = np.sign(np.diff(fit.trait).round(9))
    assert not (np.diff(turns[turns != 0]) > 0).any()


@given(evaluations, st.floats(1, 99))
def test_choice_lies_inside_the_tested_range(history: list[Evaluation], threshold: float) -> None:
    doses = [step.dose for step in history]
    for policy in (Staircase(threshold=threshold), Walk(threshold=threshold)):
        choice = chosen(policy, history)
        assert min(doses) * (1 - 1e-9) <= choice.dose <= max(doses) * (1 + 1e-9)
        assert choice.feasible == (choice.status != "no feasible dose")
        if choice.step is not None:
            assert history[choice.step].dose == pytest.approx(choice.dose)


@given(st.data(), evaluations)
def test_order_of_the_evaluations_does_not_change_the_choice(
    data: st.DataObject, history: list[Evaluation]
) -> None:
    shuffled = data.draw(st.permutations(history))
    first, second = chosen(Staircase(), history), chosen(Staircase(), shuffled)
    assert replace(first, step=None) == replace(second, step=None)


@given(st.lists(st.tuples(st.sampled_from([0.1, 0.5, 1.0, 2.0, 4.0]), score), min_size=1))
def test_all_coherent_chooses_the_peak_of_the_trait_fit(rows: list[tuple[float, int]]) -> None:
    history = [Evaluation(dose, trait, 100.0) for dose, trait in rows]
    fit = fit_response(history)
    choice = chosen(Staircase(), history)
    peaks = fit.x[fit.trait > fit.trait.max() - 1e-9]
    grid_step = (fit.x[-1] - fit.x[0]) / 120
    assert peaks[0] - grid_step <= math.log(choice.dose) <= peaks[-1] + grid_step + 1e-9
    lowest = math.isclose(choice.dose, math.exp(fit.x[0]))
    assert choice.status == ("edge" if lowest else "no edge reached")
    assert chosen(Staircase(), history, 101.0).status == "no benefit"


@settings(max_examples=20)
@given(st.floats(1e-3, 1e3), st.sampled_from(["staircase", "walk"]))
def test_scaling_the_vector_changes_nothing(scale: float, name: str) -> None:
    planted, residual = curve(lambda dose: 50 + 20 * math.log(dose)), 30.0

    def chosen_dose(norm: float) -> float:
        def evaluate(dose: float) -> Evaluation:
            coefficient = dose * residual / norm
            return replace(planted(coefficient * norm / residual), dose=dose)

        return chosen(make_policy(name), drive(make_policy(name), evaluate)).dose

    assert chosen_dose(5.0 * scale) == pytest.approx(chosen_dose(5.0), rel=1e-9)


PLANTED = {  # trait, dose where coherence halves, unsteered trait, status, range of the true best
    "monotone": (lambda r: 50 + 20 * math.log(r), 1.5, 0.0, "ok", (1.1, 1.4)),
    "peaked": (lambda r: 80 - 60 * math.log(r / 0.7) ** 2, 1.5, 0.0, "ok", (0.55, 0.95)),
    "flat": (lambda r: 50.0, 1.5, 50.0, "no benefit", (0.19, 1.4)),
    "falling": (lambda r: 60 - 10 * math.log(r), 1.5, 0.0, "edge", (0.1, 0.3)),
    "collapsing": (lambda r: 80 + 5 * math.log(r), 0.3, 0.0, "ok", (0.18, 0.26)),
    "robust": (lambda r: 50 + 9 * math.log(r), 100.0, 0.0, "no edge reached", (11.0, 11.1)),
    "incoherent": (lambda r: 50.0, 0.001, 0.0, "no feasible dose", (0.02, 0.03)),
}


@pytest.mark.parametrize("name", PLANTED)
def test_staircase_finds_the_planted_dose_within_eight_steps(name: str) -> None:
    trait, edge, unsteered, status, (low, high) = PLANTED[name]
    policy = make_policy("staircase")
    history = drive(policy, curve(trait, edge))
    choice = chosen(policy, history, unsteered)
    assert 6 <= len(history) <= 8
    assert all(0.02 <= step.dose <= 20 for step in history)
    assert choice.status == status
    assert low <= choice.dose <= high


@pytest.mark.parametrize("name", PLANTED)
def test_walk_takes_four_steps_whatever_the_curve(name: str) -> None:
    trait, edge, unsteered, _, _ = PLANTED[name]
    history = drive(make_policy("walk"), curve(trait, edge))
    choice = chosen(Walk(), history, unsteered)
    assert len(history) == 4
    assert choice.step is not None
    assert choice.feasible == (name not in ("collapsing", "incoherent"))
    assert choice.feasible or choice.coherence == max(step.coherence or 0 for step in history)


def test_noisy_scores_rarely_lead_to_an_incoherent_choice() -> None:
    planted, good = curve(lambda r: 60 + 15 * math.log(r)), 0
    for seed in range(40):
        noise = np.random.default_rng(seed)

        def noisy(dose: float, noise: np.random.Generator = noise) -> Evaluation:
            true, (t, c) = planted(dose), noise.normal(0, (5, 6))
            return Evaluation(dose, (true.trait or 0) + t, (true.coherence or 0) + c, 3.0)

        choice = chosen(Staircase(), drive(Staircase(), noisy))
        good += choice.feasible and choice.dose < 1.2756 * 1.05
    assert good >= 36


def test_edge_takes_at_most_two_more_steps_each_seven_tenths_lower() -> None:
    history = drive(Staircase(), curve(lambda r: 60 - 10 * math.log(r), 100.0))
    lowest = min(step.dose for step in history[:6])
    more = [lowest * math.exp(-0.7), lowest * math.exp(-1.4)]
    assert [step.dose for step in history[6:]] == pytest.approx(more)


def test_margin_is_three_points_or_half_the_mean_standard_error() -> None:
    rows = [Evaluation(1.0, 50.0, 80.0, 20.0), Evaluation(2.0, 60.0, 79.0, 20.0)]
    # Mean standard error 20 asks for 80, which only the lower dose reaches; without errors 73 does.
    assert chosen(Staircase(), rows).dose == pytest.approx(1.0)
    plain = [Evaluation(1.0, 50.0, 80.0), Evaluation(2.0, 60.0, 73.0)]
    assert chosen(Staircase(), plain).dose == pytest.approx(2.0)
    assert chosen(Staircase(), [Evaluation(2.0, 60.0, 72.9)]).status == "no feasible dose"


@pytest.mark.parametrize("policy", [Walk(), Staircase()], ids=["walk", "staircase"])
def test_unscored_coherence_ends_the_search_and_enters_no_mean(policy: Policy) -> None:
    scored = [Evaluation(1.0, 60.0, 80.0)]
    rows = [(1.0, 10.0, None), (1.3, None, 99.0), (9.0, 1.0, None)]
    unscored = [Evaluation(*row) for row in rows]
    assert policy.propose([*scored, unscored[0]]) is None
    assert policy.choose([*scored, *unscored]) == policy.choose(scored)
    assert policy.choose(unscored) is None
    assert fit_response([*unscored, *scored]).trait == pytest.approx([60.0])
    with pytest.raises(SearchError, match="no step of the search was scored"):
        fit_response(unscored)


@pytest.mark.parametrize(
    ("name", "steps", "threshold"),
    [
        ("staircase", 3, 70), ("walk", 0, 70), ("climb", 6, 70), ("walk", 4, 0),
        ("walk", 4, 100), ("staircase", 6, -1), ("staircase", 6, math.nan),
    ],
)  # fmt: skip
def test_impossible_searches_are_refused_with_a_hint(
    name: str, steps: int, threshold: float
) -> None:
    with pytest.raises(SearchError) as caught:
        make_policy(name, steps=steps, threshold=threshold)
    assert caught.value.hint
    assert caught.value.subject.startswith("--")
