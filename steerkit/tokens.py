"""From texts to token ids: prompt forms, BOS, padding. Level 4.

Knows no vector and no judge. Scenarios are continued as raw text (BOS + text) by every model, chat
models too; questions go through the chat template of a chat model, or `questions/raw` otherwise.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from steerkit.errors import ModelError
from steerkit.models import LoadedModel
from steerkit.prompts import fill, load_prompt, stop_text
from steerkit.records import PromptForm

__all__ = [
    "Padded",
    "decode",
    "form_hash",
    "pad",
    "question_ids",
    "question_stop",
    "raw_ids",
    "scenario_ids",
]

RAW_QUESTION = "questions/raw.v1"
Ids = tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Padded:
    """A batch: `ids`, `mask` (True at real tokens) and `positions`, all (rows, length)."""

    ids: torch.Tensor
    mask: torch.Tensor
    positions: torch.Tensor


def raw_ids(model: LoadedModel, text: str, *, bos: bool = True) -> Ids:
    """Token ids of plain text, after one BOS where the tokenizer has one."""
    ids = tuple(model.tokenizer(text, add_special_tokens=False).input_ids)
    start = model.tokenizer.bos_token_id
    return _checked(model, (start, *ids) if bos and start is not None else ids)


def chat_ids(model: LoadedModel, user: str, system: str | None = None) -> Ids:
    """Token ids of one user turn in the model's chat template, up to where its answer starts.

    Raises ModelError when the tokenizer has no chat template or the template doubles the BOS.
    """
    if not model.tokenizer.chat_template:
        raise ModelError(
            "the tokenizer has no chat template",
            subject=model.record.name,
            hint=f"register it as a raw model: steerkit models add {model.record.name} "
            f"{model.record.repo} --prompt-form raw",
        )
    turns = [{"role": "user", "content": user}]
    if system is not None:
        turns.insert(0, {"role": "system", "content": system})
    encoded = model.tokenizer.apply_chat_template(turns, add_generation_prompt=True)
    return _checked(model, tuple(encoded["input_ids"]))


def scenario_ids(model: LoadedModel, text: str, form: PromptForm = "raw") -> Ids:
    """Token ids of a scenario: raw text, or a user turn when `form` is "chat"."""
    return raw_ids(model, text) if form == "raw" else chat_ids(model, text)


def question_ids(model: LoadedModel, text: str) -> Ids:
    """Token ids of a question in the model's own prompt form."""
    if model.prompt_form == "chat":
        return chat_ids(model, text)
    return raw_ids(model, fill(load_prompt(RAW_QUESTION), question=text).rstrip("\n"))


def question_stop(model: LoadedModel) -> str:
    """The text that ends a raw model's answer; empty for a chat model, which ends its own."""
    return "" if model.prompt_form == "chat" else stop_text(load_prompt(RAW_QUESTION))


def form_hash(model: LoadedModel, form: PromptForm) -> str:
    """Hash of what a prompt form means for this model: its template."""
    text = model.tokenizer.chat_template if form == "chat" else load_prompt(RAW_QUESTION).text
    return hashlib.sha256(str(text).encode()).hexdigest()[:16]


def decode(model: LoadedModel, ids: Sequence[int]) -> str:
    """Text of token ids, without special tokens."""
    return str(model.tokenizer.decode(list(ids), skip_special_tokens=True))


def pad(model: LoadedModel, rows: Sequence[Sequence[int]], side: str) -> Padded:
    """Stack rows of different length. `side` "left" ends all rows together, "right" starts them so.

    Positions count real tokens only, so padding does not move a text.
    """
    length = max(len(row) for row in rows)
    ids = torch.full((len(rows), length), model.pad_id, dtype=torch.long)
    mask = torch.zeros((len(rows), length), dtype=torch.bool)
    for index, row in enumerate(rows):
        place = slice(length - len(row), length) if side == "left" else slice(0, len(row))
        ids[index, place] = torch.tensor(row, dtype=torch.long)
        mask[index, place] = True
    positions = (mask.long().cumsum(dim=1) - 1).clamp(min=0)
    return Padded(ids.to(model.device), mask.to(model.device), positions.to(model.device))


def _checked(model: LoadedModel, ids: Ids) -> Ids:
    start = model.tokenizer.bos_token_id
    if start is not None and ids[:2] == (start, start):
        raise ModelError(
            "the prompt starts with two BOS tokens: template and tokenizer both add one",
            subject=model.record.name,
            hint="remove bos_token from the chat template, or set add_bos_token to false",
        )
    if not ids:
        raise ModelError("the prompt has no token", subject=model.record.name, hint="ask something")
    return ids
