"""The steer stage: baseline, dose search at every layer, controls, report answers, findings."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace

from steerkit.activations import Passage, capture, median_norms
from steerkit.errors import MismatchError, VectorError
from steerkit.pipeline.rounds import Planned, Target, run_round
from steerkit.pipeline.search_layers import LayerResult, search_layers
from steerkit.pipeline.series import SeriesPlan, make_series
from steerkit.pipeline.workspace import Workspace, is_embedded
from steerkit.findings import effect_finding, specificity_finding
from steerkit.records import Model, Series, Trait, Vector
from steerkit.search import make_policy
from steerkit.store.connection import digest
from steerkit.vectors import random_unit

__all__ = ["Baseline", "TargetResult", "Wanted", "default_layers", "steer_target"]

_PUBLISHED_LAYERS = (8, 12, 16, 20, 24)


@dataclass(frozen=True)
class Wanted:
    """What to do with a target: which vectors, which search, which positions."""

    layers: tuple[int, ...]
    method: str
    search: str
    steps: int | None


@dataclass(frozen=True)
class Baseline:
    """A target's unsteered answers: the series of both splits, and what they measured."""

    select: Series
    report: Series
    select_trait: float | None
    norms: dict[int, float]


@dataclass(frozen=True)
class TargetResult:
    """How the searches at one target ended, and the report series they led to, by layer."""

    target: Model
    layers: tuple[LayerResult, ...]
    reported: dict[int, Series]


def default_layers(n_layers: int) -> tuple[int, ...]:
    """The published 8, 12, 16, 20, 24 for about 32 layers, else the same shares of the depth."""
    if 28 <= n_layers <= 36:
        return _PUBLISHED_LAYERS
    return tuple(sorted({round((n_layers - 1) * layer / 31) for layer in _PUBLISHED_LAYERS}))


def steer_target(
    work: Workspace, source: Model, model: Model, trait: Trait, wanted: Wanted
) -> TargetResult:
    """Baseline, search, report answers and findings of one target; continues what is stored.

    Raises VectorError when a vector is missing, MismatchError when the target's depth or width
    is not the source's.
    """
    policy = make_policy(wanted.search, steps=wanted.steps, threshold=work.settings.threshold)
    vectors = _vectors(work, source, trait, wanted)
    judge = work.make_judge(work, trait, model)
    loaded = work.load(model)
    _check_family(source, loaded.record, vectors)
    target = Target(
        loaded, source, trait, judge, _token_limit(work, loaded.record)
    )
    baseline = _measure_baseline(work, target)
    results = search_layers(work, target, vectors, baseline.norms, policy, baseline)
    reported = _report_round(work, target, vectors, results, baseline)
    _write_findings(work, target, reported, baseline)
    return TargetResult(
        loaded.record, results, {layer: s for (name, layer), s in reported.items() if name == "steer"}
    )


def _token_limit(work: Workspace, model: Model) -> int:
    return work.settings.max_new_tokens or (48 if is_embedded(work.store, model) else 128)


def _vectors(
    work: Workspace, source: Model, trait: Trait, wanted: Wanted
) -> dict[int, Vector]:
    known = (
        work.store.vectors.newest(source.id, trait.id, wanted.method, work.settings.pooling)
        if source.id is not None and trait.id is not None
        else {}
    )
    lacking = [layer for layer in wanted.layers if layer not in known]
    if lacking:
        raise VectorError(
            f"there is no {wanted.method} vector at layer {', '.join(map(str, lacking))}",
            subject=f"{source.name}, {trait.name}",
            hint=f"extract first: steerkit extract --model {source.name} --trait {trait.name}",
        )
    return {layer: known[layer] for layer in wanted.layers}


def _check_family(source: Model, target: Model, vectors: dict[int, Vector]) -> None:
    width = len(next(iter(vectors.values())).values)
    for what, own, theirs in (
        ("layers", source.n_layers, target.n_layers),
        ("dimensions", width, target.hidden_size),
    ):
        if own is not None and own != theirs:
            raise MismatchError(
                f"the vectors come from a model with {own} {what}, this one has {theirs}",
                subject=target.name,
                hint="steer models trained from the source: steerkit models list",
            )


def _measure_baseline(work: Workspace, target: Target) -> Baseline:
    """Unsteered answers to every question first: what any effect is measured against."""
    select = make_series(work, target, SeriesPlan("unsteered", "select"))
    report = make_series(work, target, SeriesPlan("unsteered", "report"))
    if "running" in (select.status, report.status):
        planned = [Planned(one, 1, 0.0, 0.0) for one in (select, report)]
        run_round(work, target, planned, f"unsteered answers of {target.model.name}")
        for one in (select, report):
            work.store.steps.finish_series(_known(one.id), "done", None, None)
    steps = work.store.steps.steps(_known(select.id))
    return Baseline(select, report, steps[0].trait, _residual_norms(work, target, select))


def _residual_norms(work: Workspace, target: Target, unsteered: Series) -> dict[int, float]:
    """The target's own residual norm by layer, from its unsteered answers (METHOD 4.1)."""
    series_id = _known(unsteered.id)
    norms = work.store.steps.residual_norms(series_id)
    if not norms:
        steps = [_known(step.id) for step in work.store.steps.steps(series_id)]
        tokens = [json.loads(row["token_ids_json"]) for row in work.store.texts.answers(steps)]
        passages = [Passage(tuple(p), tuple(a)) for p, a in tokens if a]
        captured = capture(target.loaded, passages, batch_rows=work.settings.batch_rows)
        norms = dict(enumerate(median_norms(captured.norms).tolist()))
        work.store.steps.add_residual_norms(series_id, norms)
    return norms


def _report_round(
    work: Workspace,
    target: Target,
    vectors: dict[int, Vector],
    results: Sequence[LayerResult],
    baseline: Baseline,
) -> dict[tuple[str, int], Series]:
    """Answer the report questions at every recommended dose, and one random direction at the best."""
    plans: dict[tuple[str, int], tuple[SeriesPlan, Vector, float]] = {}
    feasible = [result for result in results if result.choice and result.choice.feasible]
    for result in feasible:
        plan = SeriesPlan(
            "steer", "report", result.layer, vectors[result.layer],
            baseline.norms[result.layer], result.coefficient, result.search_settings, baseline.report,
        )  # fmt: skip
        plans["steer", result.layer] = (plan, vectors[result.layer], result.coefficient)
    if feasible:
        best = max(feasible, key=lambda result: result.choice.trait if result.choice else 0.0)
        control = _random_vector(work, vectors[best.layer])
        plan = SeriesPlan(
            "random", "report", best.layer, control, baseline.norms[best.layer],
            best.coefficient, best.search_settings, baseline.report,
        )  # fmt: skip
        plans["random", best.layer] = (plan, control, best.coefficient)
    series = {name: make_series(work, target, plan) for name, (plan, _, _) in plans.items()}
    if any(one.status == "running" for one in series.values()):
        planned = [
            Planned(
                series[name], 1, coefficient,
                coefficient * vector.norm / baseline.norms[name[1]], vector.values,
            )
            for name, (_, vector, coefficient) in plans.items()
        ]  # fmt: skip
        steps = run_round(work, target, planned, f"report answers of {target.model.name}")
        ended = {result.layer: result.status for result in results}
        with work.store.connection.write():
            for (condition, layer), step in zip(plans, steps, strict=True):
                steered = condition == "steer"
                work.store.steps.update_step(replace(step, recommended=steered))
                work.store.steps.finish_series(
                    step.series_id, ended[layer] if steered else "done", step.coefficient, step.dose
                )
    return series


def _random_vector(work: Workspace, vector: Vector) -> Vector:
    """A random direction of the vector's own length, so that equal coefficients are equal doses."""
    seed = int(digest("random", work.settings.seed, vector.label)[:8], 16)
    unit = random_unit(len(vector.values), seed)
    control = replace(
        vector, id=None, method="random", values=(vector.norm * unit).astype("float32"),
        gap=None, sd_within=None, n_positive=0, n_negative=0, n_pairs=0, auc=None, d_prime=None,
        auc_shuffled=None, split_half_cosine=None, polarity_flip=False,
        inputs_sha256=digest("random", vector.inputs_sha256, vector.layer, vector.method, seed),
        label=f"{vector.label} · random {seed}", derived_from_id=vector.id, seed=seed,
        run_id=work.run.id,
    )  # fmt: skip
    return work.store.vectors.add(control)


def _write_findings(
    work: Workspace,
    target: Target,
    reported: dict[tuple[str, int], Series],
    baseline: Baseline,
) -> None:
    """Write what the report answers show; the same series replaces its own findings."""
    plain = work.store.steps.question_scores(_known(baseline.report.id))
    for (condition, layer), series in reported.items():
        if condition != "steer":
            continue
        steered = work.store.steps.question_scores(_known(series.id))
        work.store.findings.add(
            replace(
                effect_finding(_known(series.id), target.model.name, layer, steered, plain),
                run_id=work.run.id,
            )
        )
        if ("random", layer) in reported:
            other = work.store.steps.question_scores(_known(reported["random", layer].id))
            work.store.findings.add(
                replace(
                    specificity_finding(_known(series.id), target.model.name, layer, steered, other),
                    run_id=work.run.id,
                )
            )


def _known(value: int | None) -> int:
    assert value is not None, "a record that is referred to was stored before"
    return value
