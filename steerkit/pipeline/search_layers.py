"""The dose search at several layers at once: every round is one batch over all of them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

from steerkit.errors import SearchError
from steerkit.pipeline.rounds import Planned, Target, run_round
from steerkit.pipeline.series import SeriesPlan, make_series
from steerkit.pipeline.workspace import Workspace
from steerkit.records import SearchStep, Series, Vector
from steerkit.search import DONE, Choice, Evaluation, Policy, Proposal

__all__ = ["LayerResult", "search_layers"]


class _Baseline(Protocol):
    @property
    def select(self) -> Series: ...
    @property
    def select_trait(self) -> float | None: ...


@dataclass(frozen=True)
class LayerResult:
    """How the search at a layer ended. `choice` is None when nothing was scored."""

    layer: int
    series: Series
    status: str
    choice: Choice | None
    coefficient: float
    search_settings: dict[str, Any]


def search_layers(
    work: Workspace,
    target: Target,
    vectors: dict[int, Vector],
    norms: dict[int, float],
    policy: Policy,
    baseline: _Baseline,
) -> tuple[LayerResult, ...]:
    """Search every layer's dose on `select` questions, all layers advancing together.

    The policy is a function of the stored steps, so a killed search proposes the same next dose.
    """
    settings = _policy_settings(policy)
    series = {
        layer: make_series(
            work, target,
            SeriesPlan("steer", "select", layer, vector, norms[layer], None, settings,
                       baseline.select),
        )
        for layer, vector in vectors.items()
    }  # fmt: skip
    number = 0
    while True:
        proposals = {
            layer: proposal
            for layer, one in series.items()
            if (proposal := policy.propose(_evaluations(_complete_steps(work, one))))
        }
        if not proposals:
            break
        number += 1
        planned = [
            _plan(series[layer], vectors[layer], proposals[layer], _complete_steps(work, series[layer]))
            for layer in proposals
        ]
        doing = f"searching {target.model.name}, {len(planned)} layers, round {number}"
        run_round(work, target, planned, doing)
    return tuple(
        _finish(work, series[layer], layer, policy, baseline, settings) for layer in vectors
    )


def _policy_settings(policy: Policy) -> dict[str, Any]:
    return {"search": policy.name, "steps": policy.steps}


def _plan(
    series: Series, vector: Vector, proposal: Proposal, steps: Sequence[SearchStep]
) -> Planned:
    if series.base_coefficient is None:
        raise SearchError("the series has no base coefficient", subject=series.label)
    return Planned(
        series, len(steps) + 1, proposal.dose * series.base_coefficient, proposal.dose, vector.values
    )


def _complete_steps(work: Workspace, series: Series) -> list[SearchStep]:
    assert series.id is not None
    return [step for step in work.store.steps.steps(series.id) if step.n_answers]


def _evaluations(steps: Sequence[SearchStep]) -> list[Evaluation]:
    return [Evaluation(s.dose, s.trait, s.coherence, s.coherence_se) for s in steps]


def _finish(
    work: Workspace,
    series: Series,
    layer: int,
    policy: Policy,
    baseline: _Baseline,
    settings: dict[str, Any],
) -> LayerResult:
    """Store the actions, the choice and the status of a search; the choice comes before its test."""
    assert series.id is not None
    steps = _complete_steps(work, series)
    history = _evaluations(steps)
    choice = policy.choose(history, baseline.select_trait)
    status = choice.status if choice else "unscored"
    base = series.base_coefficient or 0.0
    feasible = choice is not None and choice.feasible
    coefficient = choice.dose * base if choice else 0.0
    if series.status == "running":
        with work.store.connection.write():
            for index, step in enumerate(steps):
                following = policy.propose(history[: index + 1])
                starred = feasible and choice is not None and choice.step == index
                work.store.steps.update_step(
                    replace(
                        step, action=following.action if following else DONE, recommended=starred
                    )
                )
            work.store.steps.finish_series(
                series.id, status,
                coefficient if feasible else None,
                choice.dose if choice and feasible else None,
            )  # fmt: skip
    return LayerResult(layer, series, status, choice, coefficient, settings)
