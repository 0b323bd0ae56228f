"""Which judge a command uses: the one that was asked for, or the only one that is free and fitting."""

from dataclasses import dataclass, field

from steerkit.errors import JudgeError
from steerkit.judges import Judge
from steerkit.judges.local import LocalJudge
from steerkit.pipeline.workspace import Workspace, is_embedded, resolve_model
from steerkit.records import Model, Trait

__all__ = ["JudgeChooser"]

EMBEDDED = "smollm2-135m"


@dataclass
class JudgeChooser:
    """Makes a judge once for each trait, since calibrating it takes some seconds."""

    _made: dict[str, Judge] = field(default_factory=dict)

    def __call__(self, work: Workspace, trait: Trait, model: Model) -> Judge:
        """The judge of this trait for answers of `model`.

        Raises JudgeError when none was named and the model is not of the embedded family: a 135M
        model must not silently judge a 7B one, nor a paid service be called without being asked.
        """
        wanted = work.settings.judge
        if wanted is None and not is_embedded(work.store, model):
            raise JudgeError(
                "no judge was chosen, and the embedded one only judges its own family by default",
                subject=model.name,
                hint="name one: --judge local (the 135M model; weak, free and offline), "
                "or set judge in steerkit.toml",
            )
        name, _, detail = (wanted or "local").partition(":")
        if name == "anthropic":
            raise JudgeError(
                "this version of steerkit has no Claude judge yet",
                subject=f"--judge {wanted}",
                hint="use --judge local",
            )
        if name != "local":
            raise JudgeError(
                "there is no such judge", subject=f"--judge {wanted}", hint="use --judge local"
            )
        if detail not in ("", EMBEDDED):
            raise JudgeError(
                "only the embedded model can be a local judge in this version",
                subject=f"--judge {wanted}",
                hint="use --judge local",
            )
        if trait.name not in self._made:
            loaded = work.load(resolve_model(work.store, EMBEDDED))
            judge = LocalJudge(loaded, trait, seed=work.settings.seed)
            for prompt in judge.prompts():
                work.store.catalog.ensure_prompt(prompt)
            self._made[trait.name] = judge
        return self._made[trait.name]
