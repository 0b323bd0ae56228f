"""How well a judge agrees with labelled answers it has not learned from. Level 6.

For the trait's own examples the local judge is cross-validated: shots and calibration are refitted
without the fold that is scored, and so is the coherence fit on its own labelled answers.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass

import numpy as np

from steerkit.judges.coherence import fit_coherence
from steerkit.judges.local import LocalJudge, coherence_examples, features_of
from steerkit.judges.protocol import Judge
from steerkit.models import LoadedModel
from steerkit.records import JudgedItem, Judgement, Trait, TraitExample
from steerkit.statistics import auc, bootstrap_interval, spearman

__all__ = ["Agreement", "Scored", "cross_validate", "measure_agreement", "score_examples"]

TRAIT_CUT, COHERENCE_CUT = 50.0, 70.0
FOLDS = 4

Scored = tuple[float | None, float | None]  # label, score


@dataclass(frozen=True)
class Agreement:
    """AUC (labels above the cut against the rest) and rank correlation, with 95 % intervals.

    `n` counts labelled answers, `n_unscored` those the judge gave no score on some criterion; None
    means that the labels do not allow the figure.
    """

    auc_trait: float | None
    auc_trait_ci: tuple[float, float] | None
    spearman_trait: float | None
    spearman_trait_ci: tuple[float, float] | None
    auc_coherence: float | None
    auc_coherence_ci: tuple[float, float] | None
    spearman_coherence: float | None
    spearman_coherence_ci: tuple[float, float] | None
    n: int
    n_trait: int
    n_coherence: int
    n_unscored: int

    def as_dict(self) -> dict[str, object]:
        """The figures by name, for JSON."""
        return asdict(self)


def measure_agreement(trait: Sequence[Scored], coherence: Sequence[Scored], n: int) -> Agreement:
    """Figures from (label, score) pairs of both criteria; pairs without a label do not count."""
    figures: list[object] = []
    unscored = 0
    for pairs, cut in ((trait, TRAIT_CUT), (coherence, COHERENCE_CUT)):
        labelled = [(label, score) for label, score in pairs if label is not None]
        unscored += sum(score is None for _, score in labelled)
        known = [(label, score) for label, score in labelled if score is not None]
        labels = np.array([label for label, _ in known])
        scores = np.array([score for _, score in known])
        above = labels > cut
        figures += [
            auc(scores[above], scores[~above]),
            bootstrap_interval("auc", scores, above.astype(float)),
            spearman(labels, scores),
            bootstrap_interval("spearman", labels, scores),
        ]
    counts = [sum(label is not None for label, _ in pairs) for pairs in (trait, coherence)]
    return Agreement(*figures, n, *counts, unscored)  # type: ignore[arg-type]


def score_examples(
    judge: Judge,
    examples: Sequence[TraitExample],
    on_items: Callable[[int], None] | None = None,
) -> Agreement:
    """Score another labelled set with a judge as it is used."""
    items = [JudgedItem(e.question, e.answer) for e in examples]
    traits = [_score(v) for v in judge.score(items, "trait", on_items=on_items)]
    coherences = [_score(v) for v in judge.score(items, "coherence", on_items=on_items)]
    return measure_agreement(
        [(e.trait, score) for e, score in zip(examples, traits, strict=True)],
        [(e.coherence, score) for e, score in zip(examples, coherences, strict=True)],
        len(examples),
    )


def cross_validate(
    model: LoadedModel,
    trait: Trait,
    *,
    seed: int = 0,
    on_items: Callable[[int], None] | None = None,
) -> Agreement:
    """Agreement of the local judge with examples it was not shown, by folds."""
    examples = [e for e in trait.examples if e.trait is not None]
    order = np.random.default_rng(seed).permutation(len(examples))
    traits: list[Scored] = []
    for fold in range(FOLDS):
        held = set(order[fold::FOLDS].tolist())
        known = [e for i, e in enumerate(examples) if i not in held]
        unseen = [e for i, e in enumerate(examples) if i in held]
        judge = LocalJudge(model, trait, examples=known, seed=seed)
        items = [JudgedItem(e.question, e.answer) for e in unseen]
        verdicts = judge.score(items, "trait", on_items=on_items)
        traits += [(e.trait, _score(v)) for e, v in zip(unseen, verdicts, strict=True)]
    coherences = _cross_validate_coherence(model, seed, on_items)
    return measure_agreement(traits, coherences, len(traits) + len(coherences))


def _cross_validate_coherence(
    model: LoadedModel, seed: int, on_items: Callable[[int], None] | None
) -> list[Scored]:
    examples = [e for e in coherence_examples() if e.coherence is not None]
    rows = features_of(model, examples)
    if on_items:
        on_items(len(rows))
    order = np.random.default_rng(seed).permutation(len(examples))
    pairs: list[Scored] = []
    for fold in range(FOLDS):
        held = set(order[fold::FOLDS].tolist())
        keep = [i for i in range(len(examples)) if i not in held]
        fit = fit_coherence([rows[i] for i in keep], [examples[i].coherence or 0.0 for i in keep])
        unseen = sorted(held)
        scores = fit.scores([rows[i] for i in unseen])
        pairs += [(examples[i].coherence, s) for i, s in zip(unseen, scores, strict=True)]
    return pairs


def _score(verdict: object) -> float | None:
    return verdict.score if isinstance(verdict, Judgement) else None
