"""Series and their search steps, and the residual norms that give a dose its unit."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

from steerkit.records import SearchStep, Series
from steerkit.store.connection import Connection

__all__ = ["StepShelf"]


class StepShelf:
    """A series is found by its key, so that the same command continues it."""

    def __init__(self, connection: Connection) -> None:
        self._db = connection

    def ensure_series(self, series: Series) -> Series:
        """The stored series with this key, or this one, newly stored; with its id."""
        found = self._db.row("SELECT * FROM series WHERE key = ?", [series.key])
        if found:
            return _series(found)
        values = asdict(series)
        values.pop("id")
        values["settings_json"] = json.dumps(values.pop("settings"), sort_keys=True)
        return replace(series, id=self._db.insert("series", values))

    def finish_series(
        self, series_id: int, status: str, coefficient: float | None, dose: float | None
    ) -> None:
        """Store how a series ended, and the dose it recommends (None: none feasible)."""
        self._db.update(
            "series",
            series_id,
            {"status": status, "recommended_coefficient": coefficient, "recommended_dose": dose},
        )

    def steps(self, series_id: int) -> list[SearchStep]:
        """The steps of a series in order."""
        found = self._db.rows(
            "SELECT * FROM search_steps WHERE series_id = ? ORDER BY step", [series_id]
        )
        return [SearchStep(**(row | {"recommended": bool(row["recommended"])})) for row in found]

    def add_steps(
        self, steps: Sequence[SearchStep], answers: Mapping[int, Sequence[dict[str, Any]]]
    ) -> list[SearchStep]:
        """Store steps with the answers made at them (by index), in one transaction; with ids."""
        stored = []
        with self._db.write():
            for index, step in enumerate(steps):
                values = asdict(step) | {"recommended": int(step.recommended)}
                values.pop("id")
                key = {name: values.pop(name) for name in ("series_id", "step")}
                step_id = self._db.ensure("search_steps", key, values)
                for answer in answers.get(index, ()):
                    self._db.insert("answers", answer | {"step_id": step_id})
                stored.append(replace(step, id=step_id))
        return stored

    def update_step(self, step: SearchStep) -> None:
        """Store the means, the action and the mark of a step."""
        assert step.id is not None
        values = asdict(step) | {"recommended": int(step.recommended)}
        for name in ("id", "series_id", "step"):
            values.pop(name)
        self._db.update("search_steps", step.id, values)

    def question_scores(self, series_id: int) -> dict[int, float | None]:
        """Trait score of each question's answer in a one-step series, by question id."""
        found = self._db.rows(
            "SELECT question_id, trait_score FROM v_scores WHERE series_id = ?", [series_id]
        )
        return {row["question_id"]: row["trait_score"] for row in found}

    def residual_norms(self, series_id: int) -> dict[int, float]:
        """Residual norm by layer, measured on this unsteered series; empty if it was not yet."""
        found = self._db.rows(
            "SELECT layer, norm FROM residual_norms WHERE series_id = ?", [series_id]
        )
        return {row["layer"]: row["norm"] for row in found}

    def add_residual_norms(self, series_id: int, norms: Mapping[int, float]) -> None:
        """Store the residual norms measured on an unsteered series."""
        with self._db.write():
            for layer, norm in norms.items():
                self._db.ensure(
                    "residual_norms", {"series_id": series_id, "layer": layer}, {"norm": norm}
                )


def _series(row: dict[str, Any]) -> Series:
    row["settings"] = json.loads(row.pop("settings_json"))
    return Series(**row)
