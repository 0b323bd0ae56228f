"""Models, traits, scenarios, questions and prompts: what the rest refers to."""

from dataclasses import asdict, replace
from typing import Any

from steerkit.errors import MismatchError, StoreError
from steerkit.records import Model, Prompt, Question, Scenario, Trait
from steerkit.store.connection import Connection

__all__ = ["Catalog"]


class Catalog:
    """Rows that many others point to; each is added once and keeps its id."""

    def __init__(self, connection: Connection) -> None:
        self._db = connection

    def models(self) -> list[Model]:
        """Every model in the database, in the order it was added."""
        return [Model(**row) for row in self._db.rows("SELECT * FROM models ORDER BY id")]

    def model(self, name: str) -> Model | None:
        """The model called `name`, or None."""
        row = self._db.row("SELECT * FROM models WHERE name = ?", [name])
        return Model(**row) if row else None

    def ensure_model(self, model: Model) -> Model:
        """Add the model, or complete its row; with its id.

        Raises MismatchError when the stored depth or width is another: rows already refer to it.
        """
        stored = self.model(model.name)
        if stored:
            for what in ("n_layers", "hidden_size"):
                old, new = getattr(stored, what), getattr(model, what)
                if None not in (old, new) and old != new:
                    raise MismatchError(
                        f"the model's {what} is {new}, the database says {old}",
                        subject=model.name,
                        hint="register the new weights under another name: steerkit models add",
                    )
            if model.n_layers is None:
                model = replace(model, n_layers=stored.n_layers, hidden_size=stored.hidden_size)
        values = asdict(model)
        values.pop("id")
        name = values.pop("name")
        return replace(model, id=self._db.ensure("models", {"name": name}, values))

    def remove_model(self, name: str) -> None:
        """Remove a model that nothing refers to.

        Raises StoreError when vectors, completions or series do.
        """
        model = self.model(name)
        if model is None:
            return
        used = self._db.row(
            "SELECT (SELECT count(*) FROM vectors WHERE model_id = :id) +"
            " (SELECT count(*) FROM completions WHERE model_id = :id) +"
            " (SELECT count(*) FROM series WHERE target_id = :id OR source_id = :id) AS n"
            .replace(":id", "?1"),
            [model.id],
        )  # fmt: skip
        if used and used["n"]:
            raise StoreError(
                f"{used['n']} rows of results refer to the model",
                subject=name,
                hint="keep it, or start another database: --db PATH",
            )
        with self._db.write():
            self._db.raw.execute("DELETE FROM models WHERE id = ?", [model.id])

    def ensure_trait(self, trait: Trait) -> Trait:
        """Add the trait with its scenarios and questions; the record with all ids filled in."""
        with self._db.write():
            trait_id = self._db.ensure(
                "traits",
                {"name": trait.name},
                {"definition": trait.definition, "sha256": trait.sha256},
            )
            scenarios = tuple(self._ensure_scenario(trait_id, s) for s in trait.scenarios)
            questions = tuple(self._ensure_question(trait_id, q) for q in trait.questions)
        return replace(trait, id=trait_id, scenarios=scenarios, questions=questions)

    def _ensure_scenario(self, trait_id: int, scenario: Scenario) -> Scenario:
        key: dict[str, Any] = {
            "trait_id": trait_id,
            "polarity": scenario.polarity,
            "pair": scenario.pair,
            "text": scenario.text,
        }
        return replace(scenario, id=self._db.ensure("scenarios", key))

    def _ensure_question(self, trait_id: int, question: Question) -> Question:
        key = {"trait_id": trait_id, "text": question.text}
        return replace(
            question, id=self._db.ensure("questions", key, {"split": question.split})
        )

    def ensure_prompt(self, prompt: Prompt) -> Prompt:
        """Add the prompt file as it is now; with its id."""
        values = {"name": prompt.name, "version": prompt.version, "text": prompt.text}
        return replace(prompt, id=self._db.ensure("prompts", {"sha256": prompt.sha256}, values))
