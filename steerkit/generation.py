"""Batched decoding with a vector per row. Level 5: knows no judge and no database.

Rows of different questions, layers, coefficients and conditions mix in one batch. The composition
of batches depends on the rows given and nothing else; in float32 a row's text does not depend on
its neighbours, in bfloat16 it can (the hardware's matrix products do), so an interrupted batch is
to be run again whole.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from steerkit.errors import GenerationError
from steerkit.models import LoadedModel
from steerkit.steering import Steer, SteeringWindow, steering
from steerkit.tokens import Ids, decode, pad

__all__ = ["Generated", "Row", "generate", "plan_batches"]

_COMPACT_BELOW = 0.75  # copying the cache of the living rows pays once a quarter has ended


@dataclass(frozen=True, eq=False)
class Row:
    """One answer to make: a prompt, what to add to it, and the text that ends it ("" for none)."""

    prompt: Ids
    steer: Steer | None = None
    stop: str = ""


@dataclass(frozen=True)
class Generated:
    """An answer: its text, its tokens without the end token, and why it ended (stop or length)."""

    text: str
    ids: Ids
    finish_reason: str

    @property
    def n_tokens(self) -> int:
        """Number of generated tokens, the end token not counted."""
        return len(self.ids)


def plan_batches(lengths: Sequence[int], batch_rows: int) -> list[list[int]]:
    """Indices of rows in batches of similar length: a pure function of the whole plan."""
    order = sorted(range(len(lengths)), key=lambda index: (lengths[index], index))
    return [order[start : start + batch_rows] for start in range(0, len(order), batch_rows)]


def generate(
    model: LoadedModel,
    rows: Sequence[Row],
    *,
    max_new_tokens: int,
    batch_rows: int = 64,
    on_rows: Callable[[int], None] | None = None,
) -> list[Generated]:
    """Answer every row greedily, in the order given. `on_rows` is told of rows that have ended.

    Raises GenerationError when logits are not finite, VectorError when a vector does not fit.
    """
    results: dict[int, Generated] = {}
    for batch in plan_batches([len(row.prompt) for row in rows], batch_rows):
        for index, generated in _decode_batch(model, [rows[i] for i in batch], max_new_tokens):
            results[batch[index]] = generated
            if on_rows:
                on_rows(1)
    return [results[index] for index in range(len(rows))]


class _Batch:
    """The living rows of a decoding loop: their cache, attention mask and tokens so far."""

    def __init__(self, model: LoadedModel, rows: Sequence[Row]) -> None:
        from transformers import DynamicCache

        self.model = model
        self.rows = list(range(len(rows)))
        self.stops = [row.stop for row in rows]
        self.tokens: list[list[int]] = [[] for _ in rows]
        padded = pad(model, [row.prompt for row in rows], "left")
        self.ids, self.mask, self.positions = padded.ids, padded.mask, padded.positions
        self.cache: Any = DynamicCache(config=model.causal.config)

    @torch.no_grad()
    def next_tokens(self, window: SteeringWindow) -> list[int]:
        """One forward pass over what is new; the most likely next token of each living row."""
        first = self.ids.shape[1] == self.mask.shape[1]
        window.mask = window.prompt_mask(self.mask) if first else torch.ones_like(self.ids).bool()
        hidden = self.model.body(
            input_ids=self.ids,
            attention_mask=self.mask,
            position_ids=self.positions,
            past_key_values=self.cache,
            use_cache=True,
        ).last_hidden_state[:, -1]
        best = self.model.logits(hidden).max(dim=-1)
        if not torch.isfinite(best.values).all():
            raise GenerationError(
                "the model gave logits that are not finite",
                subject=self.model.record.name,
                hint="use a smaller dose, or --dtype float32 or bfloat16 instead of float16",
            )
        self.ids = best.indices.unsqueeze(1)
        self.positions = self.positions[:, -1:] + 1
        self.mask = torch.cat([self.mask, torch.ones_like(self.mask[:, :1])], dim=1)
        return [int(token) for token in best.indices]

    def keep(self, places: list[int], window: SteeringWindow) -> None:
        """Drop every row but those at `places`."""
        index = torch.tensor(places, device=self.ids.device)
        self.rows = [self.rows[place] for place in places]
        self.ids, self.mask = self.ids[index], self.mask[index]
        self.positions = self.positions[index]
        self.cache.batch_select_indices(index)
        window.keep(places)


def _decode_batch(
    model: LoadedModel, rows: Sequence[Row], max_new_tokens: int
) -> Iterator[tuple[int, Generated]]:
    batch = _Batch(model, rows)
    alive = set(batch.rows)
    with steering(model, [row.steer for row in rows]) as window:
        for step in range(max_new_tokens):
            for place, token in enumerate(batch.next_tokens(window)):
                row = batch.rows[place]
                if row not in alive:
                    continue
                done = _advance(model, batch, row, token)
                if done is None and step + 1 == max_new_tokens:
                    done = Generated(
                        decode(model, batch.tokens[row]), tuple(batch.tokens[row]), "length"
                    )
                if done is not None:
                    alive.discard(row)
                    yield row, done
            if not alive:
                return
            if len(alive) <= _COMPACT_BELOW * len(batch.rows):
                living = [place for place, row in enumerate(batch.rows) if row in alive]
                batch.keep(living, window)


def _advance(model: LoadedModel, batch: _Batch, row: int, token: int) -> Generated | None:
    """Append a token; the finished answer when it ends at an end token or its stop text."""
    tokens = batch.tokens[row]
    if token in model.stop_ids:
        return Generated(decode(model, tokens), tuple(tokens), "stop")
    tokens.append(token)
    stop = batch.stops[row]
    if stop:
        text = decode(model, tokens)
        if stop in text:
            return Generated(text[: text.index(stop)], tuple(tokens), "stop")
    return None
