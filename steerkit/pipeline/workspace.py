"""What every stage needs: the store, the settings, the run, loaded models, a judge, progress."""

import platform
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from importlib import metadata
from typing import Any

from steerkit import paths, registry
from steerkit.errors import ModelError
from steerkit.judges import Judge
from steerkit.models import LoadedModel, load_model
from steerkit.pipeline.progress import Progress
from steerkit.records import Model, Run, Trait
from steerkit.settings import Settings
from steerkit.store import Store

__all__ = ["Workspace", "descendants", "is_embedded", "known_models", "resolve_model", "versions"]

_VERSIONED = ("steerkit", "torch", "transformers", "peft", "tokenizers", "numpy", "scikit-learn")


@dataclass
class Workspace:
    """One command's surroundings. `loaded` keeps models that several stages share."""

    store: Store
    settings: Settings
    run: Run
    progress: Progress
    make_judge: Callable[["Workspace", Trait, Model], Judge]
    loaded: dict[tuple[str, str | None, str | None, str | None], LoadedModel] = field(
        default_factory=dict
    )

    def load(self, model: Model) -> LoadedModel:
        """The model, loaded once; its depth and width are completed in the store."""
        key = (model.repo, model.revision, model.adapter, model.dtype)
        if key not in self.loaded:
            with self.progress.task(f"loading {model.name}", 1) as advance:
                self.loaded[key] = load_model(
                    model, dtype=self.settings.dtype, device=self.settings.device
                )
                advance(1)
        record = self.store.catalog.ensure_model(
            replace(
                model,
                n_layers=self.loaded[key].record.n_layers,
                hidden_size=self.loaded[key].record.hidden_size,
            )
        )
        return replace(self.loaded[key], record=record, prompt_form=self.loaded[key].prompt_form)

    def release(self, model: Model) -> None:
        """Forget a loaded model, so that its memory can be used for the next one."""
        self.loaded.pop((model.repo, model.revision, model.adapter, model.dtype), None)


def known_models(store: Store) -> list[Model]:
    """Registered models: those in the database, then presets that are not in it yet."""
    stored = store.catalog.models()
    names = {model.name for model in stored}
    return stored + [model for model in registry.PRESETS if model.name not in names]


def resolve_model(store: Store, name: str) -> Model:
    """The registered model called `name`. Raises ModelError, naming near misses."""
    import difflib

    models = {model.name: model for model in known_models(store)}
    if name in models:
        return models[name]
    near = difflib.get_close_matches(name, models, n=1)
    meant = f"did you mean {near[0]}? " if near else ""
    raise ModelError(
        "there is no such model",
        subject=name,
        hint=f"{meant}known: {', '.join(models)}; "
        "add one: steerkit models add NAME REPO_OR_PATH",
    )


def descendants(store: Store, source: Model) -> list[Model]:
    """Every registered model trained from `source`, directly or through others."""
    found: list[Model] = []
    names = {source.name}
    grew = True
    while grew:
        new = [m for m in known_models(store) if m.parent in names and m.name not in names]
        found += new
        names |= {model.name for model in new}
        grew = bool(new)
    return found


def is_embedded(store: Store, model: Model) -> bool:
    """Whether the model is the embedded one or descends from it."""
    models = {known.name: known for known in known_models(store)}
    seen: set[str] = set()
    current: Model | None = model
    while current and current.name not in seen:
        if current.repo == registry.EMBEDDED_REPO:
            return True
        seen.add(current.name)
        current = models.get(current.parent or "")
    return False


def versions() -> dict[str, str]:
    """Versions of Python and of the libraries that decide results."""
    found = {"python": platform.python_version()}
    for name in _VERSIONED:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def git_commit() -> str | None:
    """The checkout's commit, with "+dirty" when files differ from it; None outside a checkout."""
    root = paths.checkout_root()
    if root is None:
        return None
    try:
        done: Any = subprocess.run(
            ["git", "-C", str(root), "describe", "--always", "--dirty=+dirty", "--abbrev=40"],  # noqa: S607
            capture_output=True, text=True, timeout=10, check=True,
        )  # fmt: skip
    except (OSError, subprocess.SubprocessError):
        return None
    return str(done.stdout).strip() or None
