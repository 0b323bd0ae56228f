"""What a report is about: the views' rows, sorted into experiments. Level 8.

Reads the store and computes no score: every number comes from a view as it is. An experiment is one
trait, source, method, position, search and judge; its cells are targets by layers.
"""

import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from steerkit.errors import SteerkitError
from steerkit.records import Model
from steerkit.statistics import unimodal_fit
from steerkit.store import Store

__all__ = ["Entry", "Experiment", "ReportData", "Row", "load", "where"]

Row = dict[str, Any]
KEY = ("trait", "source", "method", "position", "search", "judge")
_VIEWS = (
    "v_summary", "v_search_results", "v_search_log", "v_transfer", "v_controls", "v_unsteered",
    "v_vetting", "v_vectors", "v_judge_cost", "v_unscored",
)  # fmt: skip


@dataclass(frozen=True)
class Entry:
    """One target and layer: how its search ended, and what the recommended dose gave (or None)."""

    target: str
    layer: int
    search: Row | None
    summary: Row | None

    @property
    def log_id(self) -> int:
        """The series whose steps are the search log."""
        return int((self.search or self.summary or {})["series_id"])


@dataclass(frozen=True)
class Experiment:
    """One trait, source, method, position, search and judge, with its targets and layers."""

    trait: str
    source: str
    method: str | None
    position: str
    search: str | None
    judge: str
    targets: tuple[str, ...]
    layers: tuple[int, ...]
    entries: dict[tuple[str, int], Entry]
    summary: tuple[Row, ...]

    def of(self, target: str) -> list[Entry]:
        """The entries of a target by layer."""
        return [e for (name, _), e in sorted(self.entries.items()) if name == target]


@dataclass(frozen=True)
class ReportData:
    """Every row a report needs, by view, with the experiments made of them."""

    views: dict[str, list[Row]]
    models: list[Model]
    runs: list[Row]
    findings: list[Row]
    settings: dict[int, dict[str, Any]]
    experiments: tuple[Experiment, ...] = ()
    logs: dict[int, list[Row]] = field(default_factory=dict)

    def threshold(self, entry: Entry) -> float | None:
        """The coherence that the entry's search asked for."""
        value = self.settings.get(entry.log_id, {}).get("threshold")
        return None if value is None else float(value)

    def unsteered(self, series_id: int) -> Row | None:
        """The unsteered answers that a series is compared with."""
        wanted = self.settings.get(series_id, {}).get("unsteered_series_id")
        return next((r for r in self.views["v_unsteered"] if r["series_id"] == wanted), None)

    def baseline(self, target: str, judge: str, split: str) -> Row | None:
        """The newest unsteered answers of a target under a judge."""
        rows = [
            row
            for row in self.views["v_unsteered"]
            if (row["target"], row["judge"], row["split"]) == (target, judge, split)
        ]
        return max(rows, key=lambda row: row["series_id"], default=None)

    def best(self, experiment: Experiment, target: str) -> Entry | None:
        """The target's best layer, as the select questions saw it; None when none is feasible.

        The choice must not see the report questions that its score is then read from.
        """
        found = [entry for entry in experiment.of(target) if entry.summary]
        return max(found, key=lambda entry: (self._select_trait(entry), -entry.layer), default=None)

    def _select_trait(self, entry: Entry) -> float:
        """The trait score that the search expected at its choice, on select questions."""
        steps = sorted(
            (step["dose"], step["trait_score"])
            for step in self.logs.get(entry.log_id, [])
            if step["trait_score"] is not None and step["dose"] > 0
        )
        chosen = (entry.search or {}).get("recommended_dose") or (entry.summary or {})["dose"]
        if not steps or not chosen or chosen <= 0:
            return -math.inf
        x, trait = np.log([dose for dose, _ in steps]), np.array([score for _, score in steps])
        fitted = unimodal_fit(trait) if (entry.search or {}).get("search") == "staircase" else trait
        return float(np.interp(math.log(chosen), x, fitted))


def load(store: Store, run_id: int | None = None) -> ReportData:
    """Read the views; with `run_id` only what that run started.

    Raises SteerkitError when there is nothing to report.
    """
    views = {name: store.views.all(name) for name in _VIEWS}
    if not any(views[name] for name in ("v_search_log", "v_vectors", "v_vetting")):
        raise SteerkitError(
            "the database holds no results yet",
            subject=store.path,
            hint="run an experiment first: make demo",
        )
    runs = store.runs.all()
    if run_id is not None:
        runs = [run for run in runs if run["id"] == run_id]
        views = _of_run(views, run_id)
        if not runs or not views["v_search_log"]:
            raise SteerkitError(
                "the run started no series",
                subject=f"--run {run_id}",
                hint="see the runs: steerkit status",
            )
    models = store.catalog.models()
    stored = store.connection.rows("SELECT id, settings_json FROM series")
    return ReportData(
        views=views,
        models=models,
        runs=runs,
        findings=store.findings.all(),
        settings={row["id"]: json.loads(row["settings_json"]) for row in stored},
        experiments=_experiments(views, [model.name for model in models]),
        logs=_logs(views["v_search_log"]),
    )


def where(row: Row | Experiment, names: Sequence[str] = KEY) -> str:
    """The WHERE clause that finds these rows in a view."""
    parts = []
    for name in names:
        value = getattr(row, name) if isinstance(row, Experiment) else row[name]
        quoted = "NULL" if value is None else "'" + str(value).replace("'", "''") + "'"
        parts.append(f"{name} IS {quoted}")
    return "WHERE " + " AND ".join(parts)


def _of_run(views: dict[str, list[Row]], run_id: int) -> dict[str, list[Row]]:
    """Only rows of series that the run started; what no series owns stays."""
    own = {row["series_id"] for row in views["v_search_log"] if row["run_id"] == run_id}
    narrowed = dict(views)
    for name in ("v_search_log", "v_summary", "v_search_results", "v_controls"):
        narrowed[name] = [row for row in views[name] if row["series_id"] in own]
    shown = {_cell(row) for row in narrowed["v_summary"]}
    narrowed["v_transfer"] = [row for row in views["v_transfer"] if _cell(row) in shown]
    return narrowed


def _cell(row: Row) -> tuple[Any, ...]:
    return (*(row[name] for name in KEY), row["target"], row["layer"])


def _experiments(views: dict[str, list[Row]], order: list[str]) -> tuple[Experiment, ...]:
    summary, searches = views["v_summary"], views["v_search_results"]
    keys = dict.fromkeys(_cell(row)[: len(KEY)] for row in [*searches, *summary])
    return tuple(
        _experiment(
            key,
            [row for row in searches if _cell(row)[: len(KEY)] == key],
            [row for row in summary if _cell(row)[: len(KEY)] == key],
            order,
        )
        for key in keys
    )


def _experiment(
    key: tuple[Any, ...], searches: list[Row], summary: list[Row], order: list[str]
) -> Experiment:
    newest_search, newest_row = _newest(searches), _newest(summary)
    places = sorted({*newest_search, *newest_row})
    source = key[KEY.index("source")]
    targets = sorted({t for t, _ in places}, key=lambda name: (name != source, order.index(name)))
    return Experiment(
        **dict(zip(KEY, key, strict=True)),
        targets=tuple(targets),
        layers=tuple(sorted({layer for _, layer in places})),
        entries={
            place: Entry(*place, newest_search.get(place), newest_row.get(place))
            for place in places
        },
        summary=tuple(sorted(summary, key=lambda r: (targets.index(r["target"]), r["layer"]))),
    )


def _newest(rows: Iterable[Row]) -> dict[tuple[str, int], Row]:
    ordered = sorted(rows, key=lambda row: row["series_id"])
    return {(row["target"], int(row["layer"])): row for row in ordered}


def _logs(rows: Iterable[Row]) -> dict[int, list[Row]]:
    logs: dict[int, list[Row]] = {}
    for row in rows:
        if row["condition"] == "steer" and (row["split"] == "select" or row["origin"] == "imported"):
            logs.setdefault(row["series_id"], []).append(row)
    return logs
