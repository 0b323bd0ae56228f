"""The local judge's coherence score: features of a text, fitted to answers labelled by reading.

NLL under the unsteered model alone does not rank coherence: loops are very likely, human prose is
not. What separates them is word order: shuffling the words of a text that means something costs
about two nats a token or more, whoever wrote it; shuffling a loop or a salad costs next to nothing.
Every feature saturates well inside the range that fluent text covers, so that a fit to a small
model's own answers does not punish prose that no small model would write. Level 6.
"""

import json
import random
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares

from steerkit.judges.text_measures import text_measures
from steerkit.models import LoadedModel
from steerkit.records import JudgedItem
from steerkit.scoring import Continuation, mean_nll
from steerkit.tokens import question_ids, raw_ids

__all__ = ["FEATURES", "CoherenceFit", "Features", "feature_rows", "fit_coherence"]

Floats = NDArray[np.float64]

FEATURES = (
    "order",  # what shuffling the words costs, nats per token, saturated
    "topic",  # how much likelier the text makes its question, nats per token, saturated
    "repeat",  # share of the text inside repeated runs
    "squeeze",  # how far it compresses beyond what prose does
    "symbols",  # symbols instead of letters
    "pieces",  # words the tokenizer has to break up, as it does non-words
    "unlikely",  # NLL beyond what prose reaches
    "too_likely",  # NLL below what an answer reaches
)
_SIGNS = np.array([1.0, 1.0, -1.0, -1.0, -1.0, -1.0, -1.0, -1.0])
_RIDGE = 1.0


@dataclass(frozen=True)
class Features:
    """The features of one text, in the order of FEATURES; `raw` are the figures behind them."""

    values: tuple[float, ...]
    raw: dict[str, float]

    def as_reply(self) -> str:
        """The raw figures as JSON, kept with the judgement."""
        return json.dumps({name: round(value, 4) for name, value in self.raw.items()})


def feature_rows(
    model: LoadedModel,
    items: Sequence[JudgedItem],
    on_items: Callable[[int], None] | None = None,
) -> list[Features]:
    """Features of every text; the texts must have a visible character.

    Four teacher-forced passes: the text after its question, alone, with its words shuffled, and
    the question after the text. `on_items` hears of each text once.
    """

    def nll(pairs: list[tuple[tuple[int, ...], str]]) -> list[float]:
        targets = [raw_ids(model, text, bos=False) for _, text in pairs]
        rows = [Continuation(c, t) for (c, _), t in zip(pairs, targets, strict=True)]
        return [0.0 if value is None else value for value in mean_nll(model, rows)]

    start = raw_ids(model, "\n") if model.tokenizer.bos_token_id is None else raw_ids(model, "")
    texts = [item.answer.strip() for item in items]
    asked = sorted({item.question for item in items})
    bare = dict(
        zip(asked, nll([(raw_ids(model, "Answer:"), f"\nQuestion: {q}") for q in asked]), strict=True)
    )
    after_question = nll(
        [(question_ids(model, item.question), t) for item, t in zip(items, texts, strict=True)]
    )
    alone = nll([(start, text) for text in texts])
    mixed = nll([(start, _shuffled(text)) for text in texts])
    question = nll(
        [
            (raw_ids(model, f"Answer: {text}"), f"\nQuestion: {item.question}")
            for item, text in zip(items, texts, strict=True)
        ]
    )
    rows = [
        _features(
            model, text,
            {"nll": after_question[i], "order": mixed[i] - alone[i],
             "topic": bare[item.question] - question[i]},
        )
        for i, (item, text) in enumerate(zip(items, texts, strict=True))
    ]  # fmt: skip
    if on_items:
        on_items(len(items))
    return rows


def _shuffled(text: str) -> str:
    """The words of a text in an order fixed by the text itself."""
    words = text.split()
    random.Random(text).shuffle(words)
    return " ".join(words)


def _features(model: LoadedModel, text: str, raw: dict[str, float]) -> Features:
    measures = text_measures(text)
    words = re.findall(r"\S+", text)
    pieces = len(raw_ids(model, text, bos=False)) / max(len(words), 1)
    raw = raw | {name: value or 0.0 for name, value in measures.items()} | {"pieces": pieces}
    # A short text compresses badly whatever it says, so its ratio says little.
    squeeze = float(np.clip(0.5 - raw["zlib_ratio"], 0, 0.4)) / 0.4
    return Features(
        (
            float(np.clip(raw["order"], 0, 2.2)) / 2.2,
            float(np.clip(raw["topic"], -0.4, 0.1) + 0.4) / 0.5,
            float(np.clip(raw["longest_repeat"] - 0.15, 0, 0.85)) / 0.85,
            squeeze,
            float(np.clip(raw["symbol_share"] - 0.06, 0, 0.3)) / 0.3,
            float(np.clip(pieces - 1.7, 0, 3)) / 3,
            float(np.clip(raw["nll"] - 6, 0, 3)) / 3,
            float(np.clip(0.6 - raw["nll"], 0, 0.5)) / 0.5,
        ),
        raw,
    )


@dataclass(frozen=True, eq=False)
class CoherenceFit:
    """100·logistic(weights·features + shift); every weight has the sign its feature must have."""

    weights: Floats
    shift: float

    def scores(self, rows: Sequence[Features]) -> list[float]:
        """Scores from 0 to 100."""
        values = np.array([row.values for row in rows], dtype=np.float64)
        return [float(s) for s in 100 / (1 + np.exp(-(values @ self.weights + self.shift)))]


def fit_coherence(rows: Sequence[Features], labels: Sequence[float]) -> CoherenceFit:
    """Ridge-penalised least squares of the labels, each weight bounded to its sign."""
    values = np.array([row.values for row in rows], dtype=np.float64)
    wanted = np.asarray(labels, dtype=np.float64) / 100

    def residuals(parameters: Floats) -> Floats:
        signed = parameters[:-1] * _SIGNS
        scores = 1 / (1 + np.exp(-(values @ signed + parameters[-1])))
        # The penalty is worth one answer that is off by a tenth for each weight of ten.
        return np.concatenate([scores - wanted, np.sqrt(_RIDGE) * parameters[:-1] / 100])

    count = len(FEATURES)
    fitted = least_squares(
        residuals, x0=np.r_[np.full(count, 1.0), 0.0],
        bounds=(np.r_[np.zeros(count), -20.0], np.r_[np.full(count, 30.0), 20.0]),
    )  # fmt: skip
    return CoherenceFit(fitted.x[:-1] * _SIGNS, float(fitted.x[-1]))
