"""Statements that can be false: an estimate, an interval and a verdict. Level 3, pure.

Knows no model and no database. Scores come as {question id: score 0-100}, None where unscored;
only questions scored on both sides enter a difference.
"""

from collections.abc import Mapping

from steerkit.records import Finding
from steerkit.statistics import mean_error, paired_interval

__all__ = ["effect_finding", "specificity_finding"]

Scores = Mapping[int, float | None]


def effect_finding(
    series_id: int, target: str, layer: int, steered: Scores, unsteered: Scores
) -> Finding:
    """Does the recommended dose raise the trait over the unsteered answers to the same questions?"""
    return _paired(
        "effect", series_id, steered, unsteered,
        f"Steering {target} at layer {layer} changes the trait score by {{estimate}} points over "
        "its unsteered answers",
    )  # fmt: skip


def specificity_finding(
    series_id: int, target: str, layer: int, steered: Scores, control: Scores
) -> Finding:
    """Does the vector do more than one random direction of equal dose at the same layer?"""
    return _paired(
        "specificity", series_id, steered, control,
        f"At layer {layer} of {target} the vector raises the trait score by {{estimate}} points "
        "more than one random direction of equal dose",
    )  # fmt: skip


def _paired(
    kind: str, series_id: int, first: Scores, second: Scores, statement: str
) -> Finding:
    pairs = [(first[q], second.get(q)) for q in first]
    differences = [a - b for a, b in pairs if a is not None and b is not None]
    mean, error, n = mean_error(differences)
    interval = paired_interval(differences)
    low, high = interval if interval else (None, None)
    verdict = "undetermined"
    if low is not None and high is not None:
        verdict = "supported" if low > 0 else "contradicted" if high < 0 else "undetermined"
    shown = "an unknown number of" if mean is None else f"{mean:+.1f}"
    bounds = "" if low is None else f" (95 % interval {low:+.1f} to {high:+.1f})"
    return Finding(
        kind=kind,
        subject=f"series {series_id}",
        verdict=verdict,
        statement=f"{statement.format(estimate=shown)}{bounds}, over {n} questions.",
        estimate=mean,
        ci_low=low,
        ci_high=high,
        unit="points of 100",
        evidence={
            "n_questions": n,
            "standard_error": error,
            "share_lowered": sum(d < 0 for d in differences) / n if n else None,
        },
    )
