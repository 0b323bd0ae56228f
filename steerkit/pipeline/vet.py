"""The vet stage: the source continues every scenario, a judge says which completions count."""

import json
from dataclasses import dataclass
from typing import Any

from steerkit.generation import Row, generate, plan_batches
from steerkit.models import LoadedModel
from steerkit.pipeline.judging import judge_texts
from steerkit.pipeline.workspace import Workspace, is_embedded
from steerkit.records import JudgedItem, Model, PromptForm, Trait, Vetting
from steerkit.store.connection import digest
from steerkit.tokens import form_hash, scenario_ids
from steerkit.vetting import check_thresholds, verdict

__all__ = ["Vetted", "VettedText", "identity", "vet"]


@dataclass(frozen=True)
class VettedText:
    """A completion with its verdict; `prompt_ids` and `ids` are its tokens."""

    polarity: str
    pair: int
    text: str
    passed: bool
    score: float | None
    prompt_ids: tuple[int, ...]
    ids: tuple[int, ...]


@dataclass(frozen=True)
class Vetted:
    """Every completion of a trait by one model, and how many were made now rather than found."""

    texts: tuple[VettedText, ...]
    judge: str
    generated: int

    def passed(self) -> tuple[VettedText, ...]:
        """The completions that show what their scenario intends, and have a token to pool."""
        return tuple(text for text in self.texts if text.passed and text.ids)


def identity(model: LoadedModel) -> list[Any]:
    """What makes this model's texts its own: weights, dtype and the library that runs it."""
    record = model.record
    return [record.repo, record.revision, record.adapter, str(model.dtype)]


def vet(work: Workspace, model: Model, trait: Trait, form: PromptForm = "raw") -> Vetted:
    """Continue, judge and store every scenario of the trait; what is stored is not made again."""
    check_thresholds(work.settings.pass_positive, work.settings.pass_negative)
    loaded = work.load(model)
    settings = _settings_hash(work, loaded, form)
    generated = _complete(work, loaded, trait, form, settings)
    assert loaded.record.id is not None
    assert trait.id is not None
    wanted = {scenario.id for scenario in trait.scenarios}
    rows = [
        row
        for row in work.store.texts.completions(loaded.record.id, trait.id, settings)
        if row["scenario_id"] in wanted  # scenarios that were edited away stay in the database
    ]
    judge = work.make_judge(work, trait, model)
    items = [(row["id"], JudgedItem("", row["text"])) for row in rows]
    scores = judge_texts(work.store, judge, work.progress, "completion_id", items, ["vetting"])
    texts = _verdicts(work, rows, scores["vetting"], judge.name)
    return Vetted(texts, judge.name, generated)


def _settings_hash(work: Workspace, loaded: LoadedModel, form: PromptForm) -> str:
    template = form_hash(loaded, form) if form == "chat" else "raw"
    return digest("completion v1", identity(loaded), _token_limit(work, loaded.record), template)


def _token_limit(work: Workspace, model: Model) -> int:
    return work.settings.vet_tokens or (48 if is_embedded(work.store, model) else 64)


def _complete(
    work: Workspace, loaded: LoadedModel, trait: Trait, form: PromptForm, settings: str
) -> int:
    """Generate whole batches of the plan that are not stored; number of completions made."""
    assert loaded.record.id is not None
    assert trait.id is not None
    stored = {
        row["scenario_id"]
        for row in work.store.texts.completions(loaded.record.id, trait.id, settings)
    }
    scenarios = trait.scenarios
    prompts = [scenario_ids(loaded, scenario.text, form) for scenario in scenarios]
    batches = plan_batches([len(prompt) for prompt in prompts], work.settings.batch_rows)
    missing = [b for b in batches if not all(scenarios[i].id in stored for i in b)]
    if not missing:
        return 0
    total = sum(len(batch) for batch in missing)
    limit = _token_limit(work, loaded.record)
    with work.progress.task(f"completing scenarios with {loaded.record.name}", total) as advance:
        for batch in missing:
            made = generate(
                loaded, [Row(prompts[i]) for i in batch], max_new_tokens=limit,
                batch_rows=len(batch), on_rows=advance,
            )  # fmt: skip
            work.store.texts.add_completions(
                [
                    {
                        "scenario_id": scenarios[i].id,
                        "model_id": loaded.record.id,
                        "run_id": work.run.id,
                        "prompt_form": form,
                        "settings_sha256": settings,
                        "text": answer.text,
                        "n_tokens": answer.n_tokens,
                        "finish_reason": answer.finish_reason,
                        "token_ids_json": json.dumps([prompts[i], answer.ids]),
                    }
                    for i, answer in zip(batch, made, strict=True)
                ]
            )
    return total


def _verdicts(
    work: Workspace, rows: list[dict[str, Any]], scores: dict[int, float | None], judge: str
) -> tuple[VettedText, ...]:
    limits = {"positive": work.settings.pass_positive, "negative": work.settings.pass_negative}
    ids = [row["id"] for row in rows]
    judged = work.store.texts.judged("completion_id", ids, "vetting", judge)
    known = work.store.texts.vettings(ids, judge)
    texts, new = [], []
    for row in rows:
        score, limit = scores[row["id"]], limits[row["polarity"]]
        passed, reason = verdict(row["polarity"], score, limit)
        stored = known.get((row["id"], limit))
        if stored is None or bool(stored["passed"]) != passed:
            new.append(
                Vetting(row["id"], judged[row["id"]]["id"], limit, passed, reason, work.run.id)
            )
        prompt, ids_ = json.loads(row["token_ids_json"])
        texts.append(
            VettedText(
                row["polarity"], row["pair"], row["text"], passed, score, tuple(prompt), tuple(ids_)
            )
        )
    work.store.texts.add_vettings(new)
    return tuple(texts)
