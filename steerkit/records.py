"""What crosses module borders: frozen dataclasses, one for each table.

Level 1: knows no database, no model and no file. `id` is None until the store has given one.
Scores run from 0 to 100; None always means "not measured", never zero. Doses are in units of the
target's residual norm, coefficients in units of the vector (one natural class gap).
"""

from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "Answer",
    "Completion",
    "Condition",
    "Criterion",
    "Finding",
    "FloatArray",
    "Judgement",
    "JudgedItem",
    "Model",
    "Polarity",
    "Position",
    "Prompt",
    "PromptForm",
    "Question",
    "Run",
    "Scenario",
    "SearchStep",
    "Series",
    "Split",
    "Trait",
    "TraitExample",
    "Unscored",
    "Vector",
    "Vetting",
]

FloatArray = NDArray[np.floating[Any]]
Polarity = Literal["positive", "negative"]
Split = Literal["select", "report"]
PromptForm = Literal["chat", "raw"]
Position = Literal["response", "all"]
Criterion = Literal["trait", "coherence", "vetting"]
Condition = Literal["steer", "unsteered", "random", "shuffled", "negated", "prompt", "native"]


@dataclass(frozen=True)
class Model:
    """A registered model: where its weights lie and what it descends from.

    `repo` is a hub name, a local folder or `embedded:` for the shipped model; `adapter` a PEFT
    adapter on top of it. `n_layers` and `hidden_size` are None until the model was first seen.
    """

    name: str
    label: str
    repo: str
    revision: str | None = None
    adapter: str | None = None
    parent: str | None = None
    alignment: str = "other"
    n_layers: int | None = None
    hidden_size: int | None = None
    prompt_form: PromptForm | None = None
    dtype: str | None = None
    id: int | None = None


@dataclass(frozen=True)
class TraitExample:
    """A labelled answer that judges learn from; labels 0-100, None where there is no label."""

    question: str
    answer: str
    trait: float | None = None
    coherence: float | None = None


@dataclass(frozen=True)
class Question:
    """A question that targets are asked; `split` says which numbers may use its answers."""

    text: str
    split: Split
    id: int | None = None


@dataclass(frozen=True)
class Scenario:
    """An unfinished text. Line `pair` of both polarities belongs together."""

    polarity: Polarity
    pair: int
    text: str
    id: int | None = None


@dataclass(frozen=True)
class Trait:
    """What is steered: a definition, scenarios, questions and labelled examples.

    `positive_word` and `negative_word` name the two ends ("optimistic", "pessimistic"), `noun` what
    has them ("outlook"). `sha256` is over all of the trait's files.
    """

    name: str
    definition: str
    positive_word: str
    negative_word: str
    system_prompt: str
    sha256: str
    noun: str = "tone"
    scenarios: tuple[Scenario, ...] = ()
    questions: tuple[Question, ...] = ()
    examples: tuple[TraitExample, ...] = ()
    id: int | None = None


@dataclass(frozen=True)
class Prompt:
    """A versioned prompt file; `text` has `$name` variables."""

    name: str
    version: int
    sha256: str
    text: str
    id: int | None = None


@dataclass(frozen=True)
class Run:
    """One command that was run: what was asked for, with which versions."""

    label: str
    command: str
    argv: tuple[str, ...] = ()
    config: dict[str, Any] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)
    git_commit: str | None = None
    seed: int = 0
    status: str = "running"
    id: int | None = None


@dataclass(frozen=True)
class Completion:
    """A model's continuation of a scenario. `finish_reason` is `stop` or `length`."""

    scenario_id: int
    model_id: int
    text: str
    n_tokens: int
    finish_reason: str
    prompt_form: PromptForm
    run_id: int | None = None
    id: int | None = None


@dataclass(frozen=True)
class Judgement:
    """One judge's score, 0-100, of one answer on one criterion, with the judge's raw reply."""

    criterion: Criterion
    judge: str
    score: float
    reply: str
    prompt_id: int | None = None
    repeat: int = 0
    id: int | None = None


@dataclass(frozen=True)
class Unscored:
    """A judgement that failed. It is NULL with a reason, and enters no mean."""

    criterion: Criterion
    judge: str
    reason: str
    reply: str = ""
    prompt_id: int | None = None
    repeat: int = 0
    id: int | None = None


@dataclass(frozen=True)
class JudgedItem:
    """What a judge sees: a question (empty for a completion) and a text. Dose and condition hidden."""

    question: str
    answer: str


@dataclass(frozen=True)
class Vetting:
    """Whether a completion shows the polarity that its scenario intends."""

    completion_id: int
    judgement_id: int
    threshold: float
    passed: bool
    reason: str
    run_id: int | None = None
    id: int | None = None


@dataclass(frozen=True, eq=False)
class Vector:
    """One direction at the output of decoder block `layer`, scaled to one natural class gap.

    `values` has shape (hidden_size,), float32, and is gap·u with u the unit direction towards the
    positive class. `norm` is its length, in units of the residual stream; `gap` the distance of the
    class means along u; `sd_within` the pooled standard deviation of u·x inside the classes;
    `residual_norm` the source's median residual norm at that layer. `auc`, `d_prime`,
    `auc_shuffled` and `split_half_cosine` come from data the direction was not fitted on.
    """

    model_id: int
    trait_id: int
    method: str
    layer: int
    pooling: str
    prompt_form: PromptForm
    values: NDArray[np.float32]
    gap: float | None
    sd_within: float | None
    n_positive: int
    n_negative: int
    n_pairs: int
    auc: float | None = None
    d_prime: float | None = None
    auc_shuffled: float | None = None
    split_half_cosine: float | None = None
    residual_norm: float | None = None
    polarity_flip: bool = False
    inputs_sha256: str = ""
    label: str = ""
    derived_from_id: int | None = None
    seed: int | None = None
    run_id: int | None = None
    id: int | None = None

    @property
    def norm(self) -> float:
        """Length of the vector, computed in float64."""
        return float(np.linalg.norm(self.values.astype(np.float64)))


@dataclass(frozen=True)
class Series:
    """The steps of one (target, vector, condition) on one split, in order.

    `base_coefficient` is residual_norm / norm of the vector, so that it is the coefficient of
    dose 1. `vector_id` is None for unsteered, prompt and imported series.
    """

    label: str
    trait_id: int
    source_id: int
    target_id: int
    condition: Condition
    split: Split
    judge: str
    key: str
    settings: dict[str, Any]
    position: Position = "response"
    vector_id: int | None = None
    layer: int | None = None
    base_coefficient: float | None = None
    residual_norm: float | None = None
    status: str = "running"
    recommended_coefficient: float | None = None
    recommended_dose: float | None = None
    run_id: int | None = None
    id: int | None = None


@dataclass(frozen=True)
class SearchStep:
    """One evaluation: a dose, and the means over its judged answers.

    `trait` and `coherence` are None while nothing was scored; `n_trait` and `n_coherence` count
    the scored answers behind each mean.
    """

    series_id: int
    step: int
    coefficient: float
    dose: float
    trait: float | None = None
    trait_se: float | None = None
    coherence: float | None = None
    coherence_se: float | None = None
    n_answers: int = 0
    n_trait: int = 0
    n_coherence: int = 0
    action: str | None = None
    recommended: bool = False
    source: str = "measured"
    id: int | None = None


@dataclass(frozen=True)
class Answer:
    """A target's answer to a question at one step. `measures` are judge-free (nll, distinct_2, ...)."""

    step_id: int
    question_id: int
    text: str
    n_tokens: int
    finish_reason: str
    sample: int = 0
    seed: int = 0
    measures: dict[str, float | None] = field(default_factory=dict)
    id: int | None = None


@dataclass(frozen=True)
class Finding:
    """A statement with a verdict, an estimate and an interval."""

    kind: str
    subject: str
    verdict: str
    statement: str
    estimate: float | None = None
    ci_low: float | None = None
    ci_high: float | None = None
    unit: str = ""
    evidence: dict[str, Any] = field(default_factory=dict)
    run_id: int | None = None
    id: int | None = None
