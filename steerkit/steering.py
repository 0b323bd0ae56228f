"""Adding a vector per row to the residual stream, and taking every trace of it away. Level 5.

Knows no tokenizer and no decoding. A hook sits at the output of each decoder block that some row
steers; it adds the row's delta at the chosen positions in float32, then casts back. It is the first
hook of its block (`prepend`), so that whatever reads the block's output reads the steered one.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch

from steerkit.errors import VectorError
from steerkit.models import LoadedModel
from steerkit.records import FloatArray, Position

__all__ = ["Steer", "SteeringWindow", "steering"]


@dataclass(frozen=True, eq=False)
class Steer:
    """What is added to one row: `delta` = c·v, shape (hidden_size,), at block `layer`'s output.

    `position` "response" steers the last prompt token and every generated one; "all" steers the
    whole prompt too, except its first token (BOS, an attention sink).
    """

    layer: int
    delta: FloatArray
    position: Position = "response"


class SteeringWindow:
    """Which positions of the running forward pass are steered, for each row of the batch.

    The decoding loop sets `mask` (rows, length) before every forward pass and calls `keep` when
    rows leave the batch.
    """

    def __init__(self, model: LoadedModel, steers: Sequence[Steer | None]) -> None:
        self.mask: torch.Tensor | None = None
        self._steers = list(steers)
        self._model = model
        self._groups: dict[int, tuple[torch.Tensor, torch.Tensor]] = {}
        self._regroup()

    @property
    def layers(self) -> tuple[int, ...]:
        """The layers that any row steers."""
        return tuple(self._groups)

    def prompt_mask(self, mask: torch.Tensor) -> torch.Tensor:
        """Steered positions of left-padded prompts with token mask (rows, length)."""
        steered = torch.zeros_like(mask)
        for row, steer in enumerate(self._steers):
            if steer is None:
                continue
            if steer.position == "all":
                real = torch.nonzero(mask[row])[:, 0]
                steered[row, real[1:]] = True
            steered[row, -1] = True
        return steered

    def keep(self, rows: Sequence[int]) -> None:
        """Keep these rows of the batch, in this order."""
        self._steers = [self._steers[row] for row in rows]
        self._regroup()

    def add(self, layer: int, hidden: torch.Tensor) -> torch.Tensor:
        """`hidden` (rows, length, hidden_size) with this layer's deltas added where `mask` says."""
        if layer not in self._groups or self.mask is None:
            return hidden
        rows, deltas = self._groups[layer]
        rows, deltas = rows.to(hidden.device), deltas.to(hidden.device)
        where = self.mask.to(hidden.device)[rows].unsqueeze(-1)
        shifted = hidden[rows].float() + where * deltas.unsqueeze(1)
        steered = hidden.clone()
        # Unsteered positions keep their own bits: a round trip by float32 would too, but NaN * 0.
        steered[rows] = torch.where(where, shifted.to(hidden.dtype), hidden[rows])
        return steered

    def _regroup(self) -> None:
        self._groups = {}
        layers = sorted({steer.layer for steer in self._steers if steer is not None})
        for layer in layers:
            found = [
                (row, steer.delta)
                for row, steer in enumerate(self._steers)
                if steer is not None and steer.layer == layer
            ]
            deltas = torch.stack([torch.from_numpy(delta.astype("float32")) for _, delta in found])
            rows = torch.tensor([row for row, _ in found])
            self._groups[layer] = (rows.to(self._model.device), deltas.to(self._model.device))


@contextmanager
def steering(model: LoadedModel, steers: Sequence[Steer | None]) -> Iterator[SteeringWindow]:
    """Steer a batch's rows inside the block; afterwards the model is bit for bit as before.

    One `Steer` (or None: unsteered) for each row. Raises VectorError when a vector has another
    width than the model or a layer it does not have.
    """
    for steer in steers:
        if steer is not None:
            _check(model, steer)
    window = SteeringWindow(model, steers)
    handles = []
    try:
        for layer in window.layers:
            hook = _hook(window, layer)
            handles.append(model.blocks[layer].register_forward_hook(hook, prepend=True))
        yield window
    finally:
        for handle in handles:
            handle.remove()


def _hook(window: SteeringWindow, layer: int) -> Any:
    def add(module: torch.nn.Module, args: Any, output: Any) -> Any:
        del module, args
        if isinstance(output, tuple):
            return (window.add(layer, output[0]), *output[1:])
        return window.add(layer, output)

    return add


def _check(model: LoadedModel, steer: Steer) -> None:
    name = model.record.name
    if steer.delta.shape != (model.hidden_size,):
        raise VectorError(
            f"the vector has {steer.delta.shape[-1]} dimensions, the model {model.hidden_size}",
            subject=name,
            hint="steer models of the source's own family: steerkit models list",
        )
    if not 0 <= steer.layer < model.n_layers:
        raise VectorError(
            f"the vector is of layer {steer.layer}, the model has layers 0 to {model.n_layers - 1}",
            subject=name,
            hint="steer models of the source's own family: steerkit models list",
        )
