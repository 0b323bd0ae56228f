"""What identifies a series: everything that could change its answers or their scores."""

from dataclasses import dataclass, field
from typing import Any

from steerkit.pipeline.rounds import Target
from steerkit.pipeline.vet import identity
from steerkit.pipeline.workspace import Workspace
from steerkit.records import Condition, Series, Split, Vector
from steerkit.store.connection import digest
from steerkit.store.vectors import to_blob
from steerkit.tokens import form_hash

__all__ = ["SeriesPlan", "make_series"]


@dataclass(frozen=True, eq=False)
class SeriesPlan:
    """A series to find or begin. `coefficient` is set where one dose was chosen beforehand."""

    condition: Condition
    split: Split
    layer: int | None = None
    vector: Vector | None = None
    residual_norm: float | None = None
    coefficient: float | None = None
    search: dict[str, Any] = field(default_factory=dict)
    unsteered: Series | None = None


def make_series(work: Workspace, target: Target, plan: SeriesPlan) -> Series:
    """The stored series of this plan, or a new one. Another judge or setting is another series."""
    settings: dict[str, Any] = {
        "max_new_tokens": target.max_new_tokens,
        "sampling": "greedy",
        "seed": work.settings.seed,
        "prompt_form": target.loaded.prompt_form,
        "form_hash": form_hash(target.loaded, target.loaded.prompt_form),
        "dtype": str(target.loaded.dtype).removeprefix("torch."),
        "threshold": work.settings.threshold,
        **plan.search,
    }
    position = work.settings.position
    identified = [
        "series v1", plan.condition, plan.split, plan.layer, target.trait.name,
        [question.text for question in target.questions(plan.split)],
        target.source.name, target.model.name, identity(target.loaded), target.judge.name,
        settings if plan.condition != "unsteered" else _without_search(settings),
        position if plan.condition != "unsteered" else None,
        digest(to_blob(plan.vector.values).hex()) if plan.vector else None, plan.coefficient,
    ]  # fmt: skip
    base = None
    if plan.vector and plan.residual_norm:
        base = plan.residual_norm / plan.vector.norm
    if plan.unsteered:
        settings["unsteered_series_id"] = plan.unsteered.id
    where = "" if plan.layer is None else f" · L{plan.layer}"
    source_id, target_id, trait_id = target.source.id, target.model.id, target.trait.id
    assert None not in (source_id, target_id, trait_id)
    return work.store.steps.ensure_series(
        Series(
            label=f"{target.model.name} · {target.trait.name}{where} · {plan.condition}"
            f" · {plan.split}",
            trait_id=trait_id or 0,
            source_id=source_id or 0,
            target_id=target_id or 0,
            condition=plan.condition,
            split=plan.split,
            judge=target.judge.name,
            key=digest(identified),
            settings=settings,
            position=position,
            vector_id=plan.vector.id if plan.vector else None,
            layer=plan.layer,
            base_coefficient=base,
            residual_norm=plan.residual_norm,
            run_id=work.run.id,
        )
    )


def _without_search(settings: dict[str, Any]) -> dict[str, Any]:
    """Unsteered answers are the same under every search and threshold."""
    return {name: value for name, value in settings.items() if name != "threshold"}
