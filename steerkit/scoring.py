"""How likely a model finds a text: teacher-forced log-probabilities. Level 5, unsteered.

Knows no judge. Many short texts are packed into one row, each of which sees itself and a shared
prefix only; so the prefix's cache is computed once and never copied to a batch, and nothing is
padded.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from steerkit.models import LoadedModel
from steerkit.tokens import Ids

__all__ = ["Continuation", "PrefixScorer", "mean_nll"]

_PACK_TOKENS = 1024  # tokens of a packed row: attention grows with the square, matrices do not
_LOGIT_ROWS = 512  # positions whose vocabulary-wide logits are in memory at once


@dataclass(frozen=True)
class Continuation:
    """`target` tokens whose log-probability is wanted, after the tokens of `context`.

    The context has at least one token: the first target is predicted from it.
    """

    context: Ids
    target: Ids


class PrefixScorer:
    """Log-probabilities of continuations that all start with the same `prefix` tokens."""

    def __init__(self, model: LoadedModel, prefix: Ids = ()) -> None:
        self._model = model
        self._length = len(prefix)
        self._cache: Any = self._run_prefix(prefix) if prefix else None

    @torch.no_grad()
    def _run_prefix(self, prefix: Ids) -> Any:
        from transformers import DynamicCache

        # Without the config every layer keeps all positions, so the cache can be cropped again.
        cache = DynamicCache()
        ids = torch.tensor([prefix], device=self._model.device)
        self._model.body(input_ids=ids, past_key_values=cache, use_cache=True)
        return cache

    def log_probabilities(
        self, items: Sequence[Continuation], *, on_rows: Callable[[int], None] | None = None
    ) -> list[torch.Tensor]:
        """For each item the log-probability of every target token, float32, shape (len(target),).

        In the order given; what is packed together is a pure function of the items.
        """
        results: list[torch.Tensor] = []
        for pack in _packs(items):
            results += self._run(pack)
            if on_rows:
                on_rows(len(pack))
        return results

    @torch.no_grad()
    def next_log_odds(
        self,
        contexts: Sequence[Ids],
        first: int,
        second: int,
        *,
        on_rows: Callable[[int], None] | None = None,
    ) -> list[float]:
        """log p(first) − log p(second) as the token after each context.

        The normaliser cancels, so only two rows of the head are multiplied, in float32.
        """
        head = self._model.causal.get_output_embeddings().weight
        direction = head[first].float() - head[second].float()
        results: list[float] = []
        for pack in _packs([Continuation(context, ()) for context in contexts]):
            hidden = self._hidden(pack)
            ends = torch.tensor([len(item.context) for item in pack]).cumsum(dim=0) - 1
            results += (hidden[ends.to(hidden.device)].float() @ direction).tolist()
            if on_rows:
                on_rows(len(pack))
        return results

    def _run(self, items: Sequence[Continuation]) -> list[torch.Tensor]:
        hidden = self._hidden(items)
        places, wanted, start = [], [], 0
        for item in items:
            first = start + len(item.context) - 1
            places += range(first, first + len(item.target))
            wanted += item.target
            start += len(item.context) + len(item.target)
        flat = self._gather(hidden, places, wanted)
        return list(flat.split([len(item.target) for item in items]))

    @torch.no_grad()
    def _hidden(self, items: Sequence[Continuation]) -> torch.Tensor:
        """Final hidden states of the packed items, shape (tokens, hidden_size)."""
        lengths = [len(item.context) + len(item.target) for item in items]
        ids = [token for item in items for token in (*item.context, *item.target)]
        positions = [self._length + place for length in lengths for place in range(length)]
        place = self._model.device
        hidden = self._model.body(
            input_ids=torch.tensor([ids], device=place),
            attention_mask=self._mask(lengths),
            position_ids=torch.tensor([positions], device=place),
            past_key_values=self._cache,
            use_cache=self._cache is not None,
        ).last_hidden_state[0]
        assert isinstance(hidden, torch.Tensor)
        if self._cache is not None:
            self._cache.crop(-len(ids))
        return hidden

    def _mask(self, lengths: Sequence[int]) -> torch.Tensor:
        """Additive mask (1, 1, tokens, prefix + tokens): the prefix, and what precedes in the item."""
        owner = torch.repeat_interleave(torch.arange(len(lengths)), torch.tensor(lengths))
        own = (owner[:, None] == owner[None, :]).tril()
        seen = torch.cat([torch.ones((len(owner), self._length), dtype=torch.bool), own], dim=1)
        mask = torch.zeros(seen.shape, dtype=self._model.dtype)
        mask.masked_fill_(~seen, torch.finfo(self._model.dtype).min)
        return mask[None, None].to(self._model.device)

    @torch.no_grad()
    def _gather(self, hidden: torch.Tensor, places: list[int], wanted: list[int]) -> torch.Tensor:
        parts = [torch.empty(0)]
        for start in range(0, len(places), _LOGIT_ROWS):
            rows = slice(start, start + _LOGIT_ROWS)
            logits = self._model.logits(hidden[places[rows]]).float()
            chosen = torch.tensor(wanted[rows], device=logits.device).unsqueeze(1)
            parts.append((logits.gather(1, chosen)[:, 0] - logits.logsumexp(dim=1)).cpu())
        return torch.cat(parts)


def _packs(items: Sequence[Continuation]) -> list[list[Continuation]]:
    packs: list[list[Continuation]] = []
    room = 0
    for item in items:
        length = len(item.context) + len(item.target)
        if not packs or length > room:
            packs.append([])
            room = _PACK_TOKENS
        packs[-1].append(item)
        room -= length
    return packs


def mean_nll(model: LoadedModel, items: Sequence[Continuation]) -> list[float | None]:
    """Mean negative log-likelihood per target token, in nats; None for an empty target."""
    scored = [item for item in items if item.target]
    values = iter(PrefixScorer(model).log_probabilities(scored))
    return [-float(next(values).mean()) if item.target else None for item in items]
