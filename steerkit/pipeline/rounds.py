"""One round: many (series, dose) pairs answered in shared batches, judged and averaged.

The composition of batches is fixed by the whole round before what is stored is subtracted, so a
killed round continues with the same batches and loses at most the one in flight.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from steerkit.generation import Generated, Row, generate, plan_batches
from steerkit.judges import Judge
from steerkit.judges.text_measures import text_measures
from steerkit.models import LoadedModel
from steerkit.pipeline.judging import judge_texts
from steerkit.pipeline.workspace import Workspace
from steerkit.records import JudgedItem, Model, Question, SearchStep, Series, Split, Trait
from steerkit.scoring import Continuation, mean_nll
from steerkit.statistics import mean_error
from steerkit.steering import Steer
from steerkit.tokens import question_ids, question_stop

__all__ = ["Planned", "Target", "run_round"]


@dataclass(frozen=True, eq=False)
class Target:
    """The model being steered, and everything its answers have in common."""

    loaded: LoadedModel
    source: Model
    trait: Trait
    judge: Judge
    max_new_tokens: int
    prompts: dict[int, tuple[int, ...]] = field(default_factory=dict)

    @property
    def model(self) -> Model:
        """The target's registry row."""
        return self.loaded.record

    def questions(self, split: Split) -> list[Question]:
        """The trait's questions of one split."""
        return [question for question in self.trait.questions if question.split == split]

    def prompt(self, question: Question) -> tuple[int, ...]:
        """Token ids of a question, made once."""
        assert question.id is not None
        if question.id not in self.prompts:
            self.prompts[question.id] = question_ids(self.loaded, question.text)
        return self.prompts[question.id]


@dataclass(frozen=True, eq=False)
class Planned:
    """One step to evaluate: `vector` (hidden_size,) is added `coefficient` times; None: nothing."""

    series: Series
    step: int
    coefficient: float
    dose: float
    vector: NDArray[np.float32] | None = None


@dataclass(frozen=True, eq=False)
class _Slot:
    """One answer to make: a step of the round and a question."""

    step: SearchStep
    planned: Planned
    question: Question


def run_round(
    work: Workspace, target: Target, planned: Sequence[Planned], doing: str
) -> list[SearchStep]:
    """Answer, judge and average every planned step; the steps with their means, in order."""
    steps = work.store.steps.add_steps(
        [
            SearchStep(_id(p.series.id), p.step, p.coefficient, p.dose)
            for p in planned
        ],
        {},
    )  # fmt: skip
    slots = [
        _Slot(step, plan, question)
        for step, plan in zip(steps, planned, strict=True)
        for question in target.questions(plan.series.split)
    ]
    _answer(work, target, slots, doing)
    answers = work.store.texts.answers([_id(step.id) for step in steps])
    items = [(row["id"], JudgedItem(row["question"], row["text"])) for row in answers]
    scores = judge_texts(
        work.store, target.judge, work.progress, "answer_id", items, ["trait", "coherence"]
    )
    done = [_averaged(step, answers, scores) for step in steps]
    with work.store.connection.write():
        for step in done:
            work.store.steps.update_step(step)
    return done


def _averaged(
    step: SearchStep, answers: list[dict[str, Any]], scores: dict[Any, dict[int, float | None]]
) -> SearchStep:
    own = [row["id"] for row in answers if row["step_id"] == step.id]
    trait, trait_se, n_trait = mean_error([scores["trait"][i] for i in own])
    coherence, coherence_se, n_coherence = mean_error([scores["coherence"][i] for i in own])
    return replace(
        step, trait=trait, trait_se=trait_se, coherence=coherence, coherence_se=coherence_se,
        n_answers=len(own), n_trait=n_trait, n_coherence=n_coherence,
    )  # fmt: skip


def _answer(work: Workspace, target: Target, slots: list[_Slot], doing: str) -> None:
    stored = {
        (row["step_id"], row["question_id"])
        for row in work.store.texts.answers(sorted({_id(slot.step.id) for slot in slots}))
    }
    lengths = [len(target.prompt(slot.question)) for slot in slots]
    batches = plan_batches(lengths, work.settings.batch_rows)
    missing = [
        batch
        for batch in batches
        if not all((slots[i].step.id, slots[i].question.id) in stored for i in batch)
    ]
    if not missing:
        return
    total = sum(len(batch) for batch in missing)
    with work.progress.task(doing, total, "answers") as advance:
        for batch in missing:
            here = [slots[i] for i in batch]
            made = generate(
                target.loaded, [_row(target, slot) for slot in here],
                max_new_tokens=target.max_new_tokens, batch_rows=len(here), on_rows=advance,
            )  # fmt: skip
            work.store.texts.add_answers(_answer_rows(work, target, here, made))


def _row(target: Target, slot: _Slot) -> Row:
    plan = slot.planned
    steer = None
    if plan.vector is not None and plan.coefficient != 0 and plan.series.layer is not None:
        delta = plan.coefficient * plan.vector.astype(np.float64)
        steer = Steer(plan.series.layer, delta.astype(np.float32), plan.series.position)
    return Row(target.prompt(slot.question), steer, question_stop(target.loaded))


def _answer_rows(
    work: Workspace, target: Target, slots: Sequence[_Slot], made: Sequence[Generated]
) -> list[dict[str, Any]]:
    prompts = [target.prompt(slot.question) for slot in slots]
    nlls = mean_nll(
        target.loaded, [Continuation(p, a.ids) for p, a in zip(prompts, made, strict=True)]
    )
    return [
        {
            "step_id": slot.step.id,
            "question_id": slot.question.id,
            "sample": 0,
            "seed": work.settings.seed,
            "text": answer.text,
            "n_tokens": answer.n_tokens,
            "finish_reason": answer.finish_reason,
            "measures_json": json.dumps({"nll": nll, **text_measures(answer.text)}),
            "token_ids_json": json.dumps([prompt, answer.ids]),
        }
        for slot, prompt, answer, nll in zip(slots, prompts, made, nlls, strict=True)
    ]


def _id(value: int | None) -> int:
    assert value is not None, "a record that is referred to was stored before"
    return value
