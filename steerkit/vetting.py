"""Whether a completion shows the polarity its scenario intends. Level 6, pure."""

from steerkit.errors import SettingsError
from steerkit.records import Polarity

__all__ = ["check_thresholds", "verdict"]


def verdict(polarity: Polarity, score: float | None, threshold: float) -> tuple[bool, str]:
    """Passed or not, and why, for a vetting score from 0 to 100 (None: unscored, never passes).

    A positive passes at or above its threshold, a negative at or below its own.
    """
    if score is None:
        return False, "unscored"
    passed = score >= threshold if polarity == "positive" else score <= threshold
    sign = {("positive", True): ">=", ("positive", False): "<",
            ("negative", True): "<=", ("negative", False): ">"}[polarity, passed]  # fmt: skip
    return passed, f"score {score:.1f} {sign} {threshold:g}"


def check_thresholds(positive: float, negative: float) -> None:
    """Raise SettingsError when a text could pass as both polarities at once."""
    if negative >= positive:
        raise SettingsError(
            "a text could pass as positive and as negative",
            subject=f"--pass-positive {positive:g} --pass-negative {negative:g}",
            hint="the positive threshold must lie above the negative one, such as 60 and 40",
        )
