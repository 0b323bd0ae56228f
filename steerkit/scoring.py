"""How likely a model finds a text: teacher-forced log-probabilities. Level 5, unsteered.

Knows no judge. The tokens that many texts share at their start are computed once.
"""

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from steerkit.generation import plan_batches
from steerkit.models import LoadedModel
from steerkit.tokens import Ids, pad

__all__ = ["Continuation", "PrefixScorer", "mean_nll"]

_LOGIT_ROWS = 512  # positions whose vocabulary-wide logits are in memory at once


@dataclass(frozen=True)
class Continuation:
    """`target` tokens whose log-probability is wanted, after the tokens of `context`."""

    context: Ids
    target: Ids


class PrefixScorer:
    """Log-probabilities of continuations that all start with the same `prefix` tokens.

    The prefix (which may be empty) is run once; its cache is expanded to each batch.
    """

    def __init__(self, model: LoadedModel, prefix: Ids = ()) -> None:
        self._model = model
        self._length = len(prefix)
        self._cache: Any = self._run_prefix(prefix) if prefix else None

    @torch.no_grad()
    def _run_prefix(self, prefix: Ids) -> Any:
        from transformers import DynamicCache

        cache = DynamicCache(config=self._model.causal.config)
        ids = torch.tensor([prefix], device=self._model.device)
        self._model.body(input_ids=ids, past_key_values=cache, use_cache=True)
        return cache

    def log_probabilities(
        self,
        items: Sequence[Continuation],
        *,
        batch_rows: int = 64,
        on_rows: Callable[[int], None] | None = None,
    ) -> list[torch.Tensor]:
        """For each item the log-probability of every target token, float32, shape (len(target),).

        Every item needs a context of at least one token, from which its first target is predicted.
        """
        lengths = [len(item.context) + len(item.target) for item in items]
        results: dict[int, torch.Tensor] = {}
        for batch in plan_batches(lengths, batch_rows):
            for index, values in zip(batch, self._run([items[i] for i in batch]), strict=True):
                results[index] = values
            if on_rows:
                on_rows(len(batch))
        return [results[index] for index in range(len(items))]

    @torch.no_grad()
    def _run(self, items: Sequence[Continuation]) -> list[torch.Tensor]:
        sequences = [(*item.context, *item.target) for item in items]
        padded = pad(self._model, sequences, "right")
        mask, cache = padded.mask, None
        if self._cache is not None:
            cache = copy.deepcopy(self._cache)
            cache.batch_repeat_interleave(len(items))
            seen = torch.ones((len(items), self._length), dtype=torch.bool, device=mask.device)
            mask = torch.cat([seen, mask], dim=1)
        hidden = self._model.body(
            input_ids=padded.ids,
            attention_mask=mask,
            position_ids=padded.positions + self._length,
            past_key_values=cache,
            use_cache=cache is not None,
        ).last_hidden_state
        places = [
            (row, len(item.context) + offset - 1, token)
            for row, item in enumerate(items)
            for offset, token in enumerate(item.target)
        ]
        flat = self._gather(hidden, places)
        return list(flat.split([len(item.target) for item in items]))

    def _gather(self, hidden: torch.Tensor, places: list[tuple[int, int, int]]) -> torch.Tensor:
        parts = [torch.empty(0)]
        for start in range(0, len(places), _LOGIT_ROWS):
            rows, positions, tokens = zip(*places[start : start + _LOGIT_ROWS], strict=True)
            logits = self._model.logits(hidden[list(rows), list(positions)]).float()
            wanted = torch.tensor(tokens, device=logits.device).unsqueeze(1)
            parts.append((logits.gather(1, wanted)[:, 0] - logits.logsumexp(dim=1)).cpu())
        return torch.cat(parts)


def mean_nll(
    model: LoadedModel, items: Sequence[Continuation], *, batch_rows: int = 64
) -> list[float | None]:
    """Mean negative log-likelihood per target token, in nats; None for an empty target."""
    scorer = PrefixScorer(model)
    scored = [item for item in items if item.target]
    values = iter(scorer.log_probabilities(scored, batch_rows=batch_rows))
    return [-float(next(values).mean()) if item.target else None for item in items]
