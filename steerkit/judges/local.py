"""The local judge: the embedded model, few-shot for the trait, features for coherence. Level 6.

No network, no key, no sampling: the same text gets the same score. It is a 135M model; how far it
agrees with labelled answers is measured (steerkit judge check) and printed beside every result.
"""

import hashlib
import json
from collections.abc import Callable, Sequence
from functools import cached_property

from steerkit import paths
from steerkit.judges.coherence import CoherenceFit, Features, feature_rows, fit_coherence
from steerkit.judges.few_shot import FewShotReader
from steerkit.models import LoadedModel
from steerkit.prompts import load_prompt
from steerkit.records import Criterion, JudgedItem, Judgement, Prompt, Trait, TraitExample, Unscored
from steerkit.traits import read_examples

__all__ = ["TRAIT_PROMPTS", "LocalJudge", "coherence_examples"]

TRAIT_PROMPTS = ("judge/local_trait_question.v1",) * 3 + ("judge/local_trait_text.v1",)
VETTING_PROMPTS = ("vetting/local.v1",) * 3
_VERSION = 1
_CHUNK = 32  # texts judged between two signs of progress


def coherence_examples() -> tuple[TraitExample, ...]:
    """The shipped answers of the embedded model with coherence labels given by reading."""
    return read_examples(paths.prompts_dir() / "judge" / "coherence_examples.jsonl")


class LocalJudge:
    """Scores with one loaded model, which is never steered while it judges.

    `examples` are the trait's labelled examples (all of them by default; agreement checks leave
    some out). Readers are made when a criterion is first asked for.
    """

    def __init__(
        self,
        model: LoadedModel,
        trait: Trait,
        *,
        examples: Sequence[TraitExample] | None = None,
        coherence: CoherenceFit | None = None,
        seed: int = 0,
    ) -> None:
        self._model = model
        self._trait = trait
        self._examples = tuple(trait.examples if examples is None else examples)
        self._coherence = coherence
        self._seed = seed

    @cached_property
    def name(self) -> str:
        """`local:<model>@<hash>`: of the examples, prompts, weights and dtype that decide scores."""
        content = [
            _VERSION, self._model.record.repo, self._model.record.adapter, str(self._model.dtype),
            self._seed, self._trait.positive_word, self._trait.negative_word, self._trait.noun,
            [load_prompt(name).sha256 for name in (*TRAIT_PROMPTS, *VETTING_PROMPTS)],
            [[e.question, e.answer, e.trait] for e in self._examples],
            [[e.question, e.answer, e.coherence] for e in coherence_examples()],
        ]  # fmt: skip
        digest = hashlib.sha256(json.dumps(content).encode()).hexdigest()
        return f"local:{self._model.record.name}@{digest[:10]}"

    @cached_property
    def trait_reader(self) -> FewShotReader:
        """The calibrated reader of answers."""
        prompts = [load_prompt(name) for name in TRAIT_PROMPTS]
        return FewShotReader(self._model, self._trait, prompts, self._examples, seed=self._seed)

    @cached_property
    def vetting_reader(self) -> FewShotReader:
        """The calibrated reader of completions, with a prompt and shots of its own."""
        prompts = [load_prompt(name) for name in VETTING_PROMPTS]
        return FewShotReader(
            self._model, self._trait, prompts, self._examples, seed=self._seed + 1
        )

    @cached_property
    def coherence_fit(self) -> CoherenceFit:
        """The fit to the shipped, labelled answers of the embedded model."""
        if self._coherence is not None:
            return self._coherence
        examples = [e for e in coherence_examples() if e.coherence is not None]
        items = [JudgedItem(e.question, e.answer) for e in examples]
        return fit_coherence(
            feature_rows(self._model, items), [e.coherence or 0.0 for e in examples]
        )

    def score(
        self,
        items: Sequence[JudgedItem],
        criterion: Criterion,
        *,
        on_items: Callable[[int], None] | None = None,
    ) -> list[Judgement | Unscored]:
        """Score every item; see the protocol. An empty text is incoherent and has no trait."""
        visible = [place for place, item in enumerate(items) if item.answer.strip()]
        verdicts: dict[int, Judgement | Unscored] = {}
        for start in range(0, len(visible), _CHUNK):
            part = visible[start : start + _CHUNK]
            scored = self._score_part([items[place] for place in part], criterion)
            verdicts |= dict(zip(part, scored, strict=True))
            if on_items:
                on_items(len(part))
        return [verdicts.get(place) or self._empty(criterion) for place in range(len(items))]

    def _score_part(
        self, items: Sequence[JudgedItem], criterion: Criterion
    ) -> list[Judgement | Unscored]:
        if criterion == "coherence":
            rows = feature_rows(self._model, items)
            return [
                Judgement(criterion, self.name, score, row.as_reply())
                for score, row in zip(self.coherence_fit.scores(rows), rows, strict=True)
            ]
        reader = self.trait_reader if criterion == "trait" else self.vetting_reader
        return [
            Judgement(criterion, self.name, score, json.dumps({"log_odds": round(odds, 4)}))
            for score, odds in reader.scores(items)
        ]

    def _empty(self, criterion: Criterion) -> Judgement | Unscored:
        if criterion == "coherence":
            return Judgement(criterion, self.name, 0.0, json.dumps({"empty": True}))
        return Unscored(criterion, self.name, "empty answer")

    def prompts(self) -> tuple[Prompt, ...]:
        """The prompt files this judge uses, for the store."""
        return tuple(load_prompt(name) for name in dict.fromkeys((*TRAIT_PROMPTS, *VETTING_PROMPTS)))


def features_of(model: LoadedModel, examples: Sequence[TraitExample]) -> list[Features]:
    """Coherence features of labelled examples, for cross-validation."""
    return feature_rows(model, [JudgedItem(e.question, e.answer) for e in examples])
