"""The extract stage: passed completions to directions of every method and layer, with quality."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from steerkit.activations import Passage, capture, median_norms
from steerkit.errors import ExtractionError, UsageError
from steerkit.gradients import Contrast, log_odds_gradients
from steerkit.layers import parse_layers
from steerkit.models import LoadedModel
from steerkit.pipeline.vet import Vetted, VettedText, identity, vet
from steerkit.pipeline.workspace import Workspace
from steerkit.records import Model, Trait, Vector
from steerkit.store.connection import digest
from steerkit.vectors import METHODS, ClassData, fit_direction, measure_quality

__all__ = ["Extracted", "extract", "parse_methods"]

_GRADIENT_ROWS = 16  # a backward pass keeps every layer's state


@dataclass(frozen=True)
class Extracted:
    """What an extraction did: vectors computed now, vectors found, and the completions behind them."""

    computed: int
    found: int
    vetted: Vetted


def parse_methods(text: str) -> tuple[str, ...]:
    """Read `mean_diff,probe,gradient`. Raises UsageError for a method that does not exist."""
    wanted = tuple(dict.fromkeys(part.strip() for part in text.split(",")))
    for method in wanted:
        if method not in METHODS:
            raise UsageError(
                "there is no such method", subject=method, hint=f"use {', '.join(METHODS)}"
            )
    return wanted


def extract(
    work: Workspace, model: Model, trait: Trait, *, methods: Sequence[str], layers: str = "all"
) -> Extracted:
    """Vet where needed, then one capture pass for all layers, then the vectors.

    Raises ExtractionError when a class has no passed completion.
    """
    vetted = vet(work, model, trait)
    loaded = work.load(model)
    chosen = parse_layers(layers, loaded.n_layers)
    texts = vetted.passed()
    _refuse_empty(texts, trait)
    inputs = digest(
        "vectors v1", identity(loaded), work.settings.pooling, work.settings.seed,
        [[t.polarity, t.pair, t.prompt_ids, t.ids] for t in texts],
    )  # fmt: skip
    present = work.store.vectors.with_inputs(inputs)
    wanted = [(method, layer) for method in methods for layer in chosen]
    missing = [pair for pair in wanted if pair not in present]
    if missing:
        data = _Activations.read(work, loaded, texts, any(m == "gradient" for m, _ in missing))
        total = len(missing)
        with work.progress.task("fitting directions", total, "vectors") as advance:
            for method in methods:
                todo = [layer for name, layer in missing if name == method]
                vectors = []
                for layer in todo:
                    vectors.append(_vector(work, loaded, trait, data, method, layer, inputs))
                    advance(1)
                work.store.vectors.add_all(vectors)
    return Extracted(len(missing), len(wanted) - len(missing), vetted)


def _refuse_empty(texts: Sequence[VettedText], trait: Trait) -> None:
    counts = {
        side: sum(text.polarity == side for text in texts) for side in ("positive", "negative")
    }
    if not all(counts.values()):
        raise ExtractionError(
            f"only {counts['positive']} positive and {counts['negative']} negative completions "
            "passed vetting; both are needed",
            subject=trait.name,
            hint="loosen --pass-positive / --pass-negative, or read the rejects in v_vetting",
        )


@dataclass(frozen=True, eq=False)
class _Activations:
    """Everything the fits need: pooled (texts, layers, width), gradients by pair, norms by layer."""

    texts: Sequence[VettedText]
    pooled: NDArray[np.float32]
    norms: NDArray[np.float64]
    gradients: NDArray[np.float32] | None
    gradient_pairs: NDArray[np.int64] | None

    @classmethod
    def read(
        cls, work: Workspace, loaded: LoadedModel, texts: Sequence[VettedText], gradient: bool
    ) -> "_Activations":
        with work.progress.task("capturing activations", len(texts), "texts") as advance:
            captured = capture(
                loaded,
                [Passage(text.prompt_ids, text.ids) for text in texts],
                pooling=work.settings.pooling,
                batch_rows=work.settings.batch_rows,
                on_rows=advance,
            )
        gradients, pairs = _pair_gradients(work, loaded, texts) if gradient else (None, None)
        return cls(texts, captured.pooled, median_norms(captured.norms), gradients, pairs)

    def at(self, layer: int) -> ClassData:
        positive = np.array([text.polarity == "positive" for text in self.texts])
        pair = np.array([text.pair for text in self.texts], dtype=np.int64)
        pooled = self.pooled[:, layer]
        gradients = None if self.gradients is None else self.gradients[:, layer]
        return ClassData(
            pooled[positive], pooled[~positive], pair[positive], pair[~positive],
            gradients, self.gradient_pairs,
        )  # fmt: skip


def _pair_gradients(
    work: Workspace, loaded: LoadedModel, texts: Sequence[VettedText]
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Mean gradient of each complete pair over its two scenarios (METHOD 5.1): (pairs, layers, d)."""
    sides = {(text.polarity, text.pair): text for text in texts}
    pairs = sorted(
        {text.pair for text in texts if ("positive", text.pair) in sides}
        & {text.pair for text in texts if ("negative", text.pair) in sides}
    )
    contrasts = [
        Contrast(sides[side, pair].prompt_ids, sides["positive", pair].ids,
                 sides["negative", pair].ids)
        for pair in pairs
        for side in ("positive", "negative")
    ]  # fmt: skip
    if not contrasts:
        empty = np.zeros((0, loaded.n_layers, loaded.hidden_size), dtype=np.float32)
        return empty, np.zeros(0, dtype=np.int64)
    with work.progress.task("log-odds gradients", 2 * len(contrasts), "texts") as advance:
        single = log_odds_gradients(
            loaded, contrasts, batch_rows=min(_GRADIENT_ROWS, work.settings.batch_rows),
            on_rows=advance,
        )  # fmt: skip
    mean = single.reshape(len(pairs), 2, *single.shape[1:]).mean(axis=1)
    return mean.astype(np.float32), np.array(pairs, dtype=np.int64)


def _vector(
    work: Workspace,
    loaded: LoadedModel,
    trait: Trait,
    data: _Activations,
    method: str,
    layer: int,
    inputs: str,
) -> Vector:
    layer_data = data.at(layer)
    direction = fit_direction(layer_data, method)
    quality = measure_quality(layer_data, method, seed=work.settings.seed)
    both = np.intersect1d(layer_data.positive_pairs, layer_data.negative_pairs)
    assert loaded.record.id is not None
    assert trait.id is not None
    return Vector(
        model_id=loaded.record.id,
        trait_id=trait.id,
        method=method,
        layer=layer,
        pooling=work.settings.pooling,
        prompt_form="raw",
        values=direction.vector,
        gap=direction.gap,
        sd_within=direction.sd_within,
        n_positive=len(layer_data.positive),
        n_negative=len(layer_data.negative),
        n_pairs=len(both),
        auc=quality.auc,
        d_prime=quality.d_prime,
        auc_shuffled=quality.auc_shuffled,
        split_half_cosine=quality.split_half_cosine,
        polarity_flip=quality.polarity_flip,
        residual_norm=float(data.norms[layer]),
        inputs_sha256=inputs,
        label=f"{loaded.record.name} · {trait.name} · {method} · L{layer}",
        seed=work.settings.seed,
        run_id=work.run.id,
    )

