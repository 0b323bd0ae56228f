"""Which decoder blocks a user means. Level 1: text in, a tuple of 0-based layers out."""

import re

from steerkit.errors import UsageError

__all__ = ["parse_layers"]

_RANGE = re.compile(r"^(\d+)-(\d+)(?::(\d+))?$")
_PERCENT = re.compile(r"^(\d{1,3})%-(\d{1,3})%$")


def parse_layers(text: str, n_layers: int) -> tuple[int, ...]:
    """Read a layer list for a model of `n_layers` decoder blocks, sorted and without repeats.

    Forms, which may be joined with commas: `all`, `8`, `8-24` (both ends included), `8-24:4`
    (every fourth) and `30%-60%` (of the depth, rounded to the nearest layer).

    Raises UsageError when the text has another form or names a layer the model does not have.
    """
    layers: set[int] = set()
    for part in (piece.strip() for piece in text.split(",")):
        layers.update(_parse_part(part, text, n_layers))
    for layer in sorted(layers):
        if layer >= n_layers:
            raise UsageError(
                f"layer {layer} does not exist: the model has layers 0 to {n_layers - 1}",
                subject=f"--layers {text}",
                hint=f"use layers from 0 to {n_layers - 1}, or percentages such as 30%-60%",
            )
    return tuple(sorted(layers))


def _parse_part(part: str, text: str, n_layers: int) -> range:
    if part == "all":
        return range(n_layers)
    if re.fullmatch(r"\d+", part):
        return range(int(part), int(part) + 1)
    if match := _RANGE.match(part):
        first, last, step = int(match[1]), int(match[2]), int(match[3] or 1)
        if first <= last and step >= 1:
            # An end far beyond the model is an error, not a range to expand.
            return range(first, min(last, n_layers) + 1, step)
    if match := _PERCENT.match(part):
        low, high = int(match[1]), int(match[2])
        if low <= high <= 100:
            top = n_layers - 1
            return range(round(low / 100 * top), round(high / 100 * top) + 1)
    raise UsageError(
        "the layers cannot be read",
        subject=f"--layers {text}",
        hint="write all, 8,12,16 or 8-24 or 8-24:4 or 30%-60%",
    )
