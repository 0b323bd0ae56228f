"""Reading the residual stream at every block in one pass, pooled as it goes by. Level 5.

Knows no trait. What is read is the output of decoder block L (0-based): the very tensor that
steering at layer L adds to. Everything is cast to float32 before it is reduced: norms of float16
states overflow, and sums of bfloat16 stall.
"""

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray

from steerkit.errors import ExtractionError
from steerkit.generation import plan_batches
from steerkit.models import LoadedModel
from steerkit.tokens import Ids, pad

__all__ = ["Capture", "Passage", "capture", "median_norms"]

Pooling = Literal["response", "all"]
_SINK = 10.0  # tokens with a norm beyond this multiple of the median are attention sinks


@dataclass(frozen=True)
class Passage:
    """A text in two parts: the `prompt` tokens and the `response` tokens that follow."""

    prompt: Ids
    response: Ids


@dataclass(frozen=True, eq=False)
class Capture:
    """Pooled activations and token norms.

    `pooled` (texts, layers, hidden_size) float32: means over the pooled tokens. `norms` (tokens,
    layers) float32: length of the residual stream at each pooled token of all texts.
    """

    pooled: NDArray[np.float32]
    norms: NDArray[np.float32]


def capture(
    model: LoadedModel,
    passages: Sequence[Passage],
    *,
    pooling: Pooling = "response",
    batch_rows: int = 64,
    on_rows: Callable[[int], None] | None = None,
) -> Capture:
    """Mean activation of each passage at every layer, in the order given.

    `pooling` "response" averages over the response tokens, "all" over the prompt's too; the first
    token (BOS, an attention sink) and padding never count. Raises ExtractionError when a passage
    has no token to pool or an activation is not finite.
    """
    for passage in passages:
        if not passage.response:
            raise ExtractionError(
                "a completion has no token to pool over",
                subject=model.record.name,
                hint="raise --vet-tokens, or look for empty completions",
            )
    pooled: dict[int, NDArray[np.float32]] = {}
    norms: dict[int, NDArray[np.float32]] = {}
    lengths = [len(passage.prompt) + len(passage.response) for passage in passages]
    for batch in plan_batches(lengths, batch_rows):
        means, lengths_of = _capture_batch(model, [passages[i] for i in batch], pooling)
        for place, index in enumerate(batch):
            pooled[index], norms[index] = means[place], lengths_of[place]
        if on_rows:
            on_rows(len(batch))
    order = range(len(passages))
    stacked = np.stack([pooled[index] for index in order])
    if not np.isfinite(stacked).all():
        raise ExtractionError(
            "an activation is not finite",
            subject=model.record.name,
            hint="load the model in another dtype: --dtype float32",
        )
    return Capture(stacked, np.concatenate([norms[index] for index in order]))


def median_norms(norms: NDArray[np.float32]) -> NDArray[np.float64]:
    """Residual norm of each layer (METHOD 4.1): the median over tokens, shape (layers,).

    Tokens beyond ten times the median are left out before the median is taken again.
    """
    values = norms.astype(np.float64)
    first = np.median(values, axis=0)
    kept = np.where(values <= _SINK * first, values, np.nan)
    return np.asarray(np.nanmedian(kept, axis=0))


class _Reader:
    """Hooks that pool each block's output the moment it exists, so that no state is kept whole."""

    def __init__(self, pool: torch.Tensor) -> None:
        self.pool = pool  # (rows, length) bool
        self.means: list[torch.Tensor] = []
        self.norms: list[torch.Tensor] = []

    def __call__(self, module: torch.nn.Module, args: Any, output: Any) -> None:
        del module, args
        hidden = (output[0] if isinstance(output, tuple) else output).float()
        weights = self.pool.to(hidden.device).unsqueeze(-1)
        # where, not a product: a padded position may hold anything, also infinity.
        total = torch.where(weights, hidden, 0.0).sum(dim=1)
        self.means.append((total / weights.sum(dim=1)).cpu())
        self.norms.append(torch.linalg.vector_norm(hidden, dim=-1).cpu())


@torch.no_grad()
def _capture_batch(
    model: LoadedModel, passages: Sequence[Passage], pooling: Pooling
) -> tuple[list[NDArray[np.float32]], list[NDArray[np.float32]]]:
    padded = pad(model, [(*p.prompt, *p.response) for p in passages], "left")
    pool = torch.zeros_like(padded.mask)
    for row, passage in enumerate(passages):
        whole = len(passage.prompt) + len(passage.response)
        # Never the sequence's first token: BOS, or whatever stands in its place.
        counted = min(whole - 1, whole if pooling == "all" else len(passage.response))
        pool[row, pool.shape[1] - max(counted, 1) :] = True
    reader = _Reader(pool)
    with ExitStack() as stack:
        for block in model.blocks:
            stack.callback(block.register_forward_hook(reader).remove)
        model.body(
            input_ids=padded.ids,
            attention_mask=padded.mask,
            position_ids=padded.positions,
            use_cache=False,
        )
    means = torch.stack(reader.means, dim=1).numpy()
    norms = torch.stack(reader.norms, dim=-1)
    chosen = pool.cpu()
    return list(means), [norms[row][chosen[row]].numpy() for row in range(len(passages))]
