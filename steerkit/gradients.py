"""The gradient method: how the residual stream would have to move to prefer one text. Level 5.

METHOD 5.1, the row marked ours. For a prompt x and two completions y+ and y- of it,

    g(x) = d/dh_L [ log p(y+|x)/|y+| - log p(y-|x)/|y-| ]

at every layer L, summed over the positions that `response` steers: the last prompt token to the
last but one. Parameters stay frozen; one backward pass serves all layers.
"""

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from steerkit.generation import plan_batches
from steerkit.models import LoadedModel
from steerkit.tokens import Ids, pad

__all__ = ["Contrast", "log_odds_gradients"]


@dataclass(frozen=True)
class Contrast:
    """A prompt and two completions of it; the gradient points from `negative` to `positive`."""

    prompt: Ids
    positive: Ids
    negative: Ids


def log_odds_gradients(
    model: LoadedModel,
    contrasts: Sequence[Contrast],
    *,
    batch_rows: int = 16,
    on_rows: Callable[[int], None] | None = None,
) -> NDArray[np.float32]:
    """g(x) of every contrast at every layer, shape (contrasts, layers, hidden_size), float32.

    The unit is nats per token for one unit of the residual stream at each steered position.
    """
    result = np.zeros((len(contrasts), model.n_layers, model.hidden_size), dtype=np.float32)
    for sign in (1.0, -1.0):
        sides = [item.positive if sign > 0 else item.negative for item in contrasts]
        lengths = [len(c.prompt) + len(y) for c, y in zip(contrasts, sides, strict=True)]
        for batch in plan_batches(lengths, batch_rows):
            rows = [(contrasts[i].prompt, sides[i]) for i in batch]
            result[batch] += sign * _batch_gradients(model, rows)
            if on_rows:
                on_rows(len(batch))
    return result


def _batch_gradients(
    model: LoadedModel, rows: Sequence[tuple[Ids, Ids]]
) -> NDArray[np.float32]:
    padded = pad(model, [(*prompt, *target) for prompt, target in rows], "left")
    states: list[torch.Tensor] = []

    def require(module: torch.nn.Module, args: Any, output: torch.Tensor) -> torch.Tensor:
        del module, args
        return output.detach().requires_grad_(True)

    def remember(module: torch.nn.Module, args: Any, output: Any) -> None:
        del module, args
        hidden = output[0] if isinstance(output, tuple) else output
        hidden.retain_grad()
        states.append(hidden)

    with torch.enable_grad(), ExitStack() as stack:
        embeddings = model.causal.get_input_embeddings()
        stack.callback(embeddings.register_forward_hook(require).remove)
        for block in model.blocks:
            stack.callback(block.register_forward_hook(remember).remove)
        hidden = model.body(
            input_ids=padded.ids,
            attention_mask=padded.mask,
            position_ids=padded.positions,
            use_cache=False,
        ).last_hidden_state
        # The rows share no position, so the gradient of their sum is each row's own.
        total = torch.stack(
            [_mean_log_p(model, hidden[i], target) for i, (_, target) in enumerate(rows)]
        ).sum()
        total.backward()
    sums = []
    for state in states:
        assert state.grad is not None
        gradient = state.grad.float()
        steered = [gradient[i, -len(t) - 1 : -1].sum(dim=0) for i, (_, t) in enumerate(rows)]
        sums.append(torch.stack(steered).cpu())
    return np.asarray(torch.stack(sums, dim=1).numpy(), dtype=np.float32)


def _mean_log_p(model: LoadedModel, hidden: torch.Tensor, target: Ids) -> torch.Tensor:
    """Mean log-probability of the last tokens of one left-padded row; hidden (length, width)."""
    logits = model.logits(hidden[-len(target) - 1 : -1]).float()
    wanted = torch.tensor(target, device=logits.device).unsqueeze(1)
    return (logits.gather(1, wanted)[:, 0] - logits.logsumexp(dim=1)).mean()
