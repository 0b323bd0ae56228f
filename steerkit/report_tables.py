"""The report's sections on steering: headline, summary, transfer, controls, examples. Level 8.

Knows no file format. Every number is a view's; every table carries the query that gives it.
"""

from steerkit.report_blocks import (
    NONE,
    Block,
    Bullets,
    Cell,
    Section,
    Table,
    Text,
    between,
    cells,
    clean,
    coefficient,
    number,
    signed,
    with_error,
)
from steerkit.report_data import Entry, Experiment, ReportData, Row, where
from steerkit.store import Store

__all__ = ["controls", "examples", "headline", "summary", "title_of", "transfer"]

_N_EXAMPLES = 3
_STATUSES = (
    "Status is how the search ended: ok, a coherent dose with less coherent ones above it; edge, "
    "the recommended dose is the lowest tested; no edge reached, every tested dose was coherent; "
    "no benefit, no lift on the select questions; no feasible dose, nothing tested was coherent."
)


def title_of(experiment: Experiment) -> str:
    """The experiment in a line."""
    method = f" ({experiment.method})" if experiment.method else ""
    search = f", {experiment.search} search" if experiment.search else ""
    return f"{experiment.trait}, vectors from {experiment.source}{method}{search}"


def headline(data: ReportData) -> Section:
    """What was steered with what, and what came of it at each target."""
    blocks: list[Block] = []
    for experiment in data.experiments:
        if experiment.search == "grid":
            continue
        label = next((m.label for m in data.models if m.name == experiment.source), "")
        made = f" with {experiment.method}" if experiment.method else ""
        layers = ", ".join(str(layer) for layer in experiment.layers)
        blocks.append(
            Text(
                f"Vectors for {experiment.trait}, extracted from {experiment.source} ({label})"
                f"{made}, were added to {_listed(experiment.targets)} at {len(experiment.layers)} "
                f"layers ({layers}); judge {experiment.judge}."
            )
        )
        blocks.append(
            Bullets(tuple(_verdict(data, experiment, target) for target in experiment.targets))
        )
    if not blocks:
        counts = (len(data.views["v_vectors"]), len(data.views["v_vetting"]))
        blocks.append(
            Text(
                f"No dose search has been run: the database holds {counts[0]} vectors and "
                f"{counts[1]} rows of vetting rates. Next: steerkit steer --from SOURCE"
            )
        )
    return Section("What was found", tuple(blocks))


def _listed(names: tuple[str, ...]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _verdict(data: ReportData, experiment: Experiment, target: str) -> str:
    entries = experiment.of(target)
    best = data.best(experiment, target)
    searched = f"{len(entries)} searched layer{'s' * (len(entries) != 1)}"
    if best is None or best.summary is None:
        limit = data.threshold(entries[0])
        asked = "" if limit is None else f" (least mean coherence asked for: {limit:g})"
        unfinished = [e for e in entries if e.search and e.search["status"] == "running"]
        if unfinished:
            return f"{target}: the search is unfinished at {len(unfinished)} of {searched}."
        if any(e.search and e.search["recommended_dose"] is not None for e in entries):
            return f"{target}: searched, but not yet measured on the report questions."
        return f"{target}: no dose was feasible at any of {searched}{asked}."
    row = best.summary
    feasible = sum(entry.summary is not None for entry in entries)
    dose = coefficient(row["coefficient"], row["origin"])
    lead = (
        f"{target}: best at layer {best.layer}, dose {row['dose']:.3g} (coefficient {dose}): "
        f"trait {number(row['trait_score'])}, coherence {number(row['coherence'])}"
    )
    tail = f" A dose was recommended at {feasible} of {searched}."
    if row["lift"] is None:
        return f"{lead}. No unsteered baseline belongs to it, so no lift can be stated.{tail}"
    interval = between((row["lift_low"], row["lift_high"]))
    words = f"95 % interval {interval}" if interval else "no interval: too few questions"
    doubt = ""
    if interval and row["lift_low"] <= 0 <= row["lift_high"]:
        doubt = " The interval includes 0, so these answers do not show an effect."
    return (
        f"{lead}, against {number(row['unsteered_trait'])} unsteered: lift {signed(row['lift'])} "
        f"({words}; {row['n_trait']} answers).{doubt}{tail}"
    )


def summary(data: ReportData, experiment: Experiment) -> Section:
    """The published Results Summary, then the same rows with their errors."""
    clause = where(experiment)
    imported = all(row["origin"] == "imported" for row in experiment.summary)
    source = (
        "the scores are those of the imported log."
        if experiment.summary and imported
        else "the scores are those of the report questions, which no choice has seen."
    )
    blocks: list[Block] = [
        Text(
            f"Judge: {experiment.judge}. Steered positions: {experiment.position}. Recommended "
            f"step of every searched layer; {source} Bold: the highest trait score of a target."
        ),
        Table(
            _wide_header(experiment),
            tuple(_wide_rows(data, experiment)),
            f"SELECT * FROM v_summary {clause}",
        ),
    ]
    if experiment.summary:
        blocks.append(
            Text(
                "The same rows with standard errors over questions. n is the number of answers; "
                f"where fewer were scored it says how many. {_STATUSES}"
            )
        )
        blocks.append(_long_table(data, experiment, clause))
    failed = [
        cells(e.target, str(e.layer), e.search["status"], str(e.search["n_steps"]))
        for target in experiment.targets
        for e in experiment.of(target)
        if e.search is not None and e.summary is None
    ]
    if failed:
        blocks.append(Text(f"{len(failed)} searches have no row above:"))
        blocks.append(
            Table(
                ("Target", "Layer", "Status", "Steps"),
                tuple(failed),
                f"SELECT * FROM v_search_results {clause}",
            )
        )
    return Section(title_of(experiment), tuple(blocks), level=3)


def _wide_header(experiment: Experiment) -> tuple[str, ...]:
    columns = ("Coef", "Dose", "Trait", "Coh", "Lift")
    return ("Layer", *(f"{t} {c}" for t in experiment.targets for c in columns))


def _wide_rows(data: ReportData, experiment: Experiment) -> list[tuple[Cell, ...]]:
    best = {
        target: max(
            (e.summary["trait_score"] for e in experiment.of(target) if e.summary), default=None
        )
        for target in experiment.targets
    }
    rows = []
    for layer in experiment.layers:
        row = [Cell(str(layer))]
        for target in experiment.targets:
            row += _wide_cells(experiment.entries.get((target, layer)), best[target])
        rows.append(tuple(row))
    bases = [_baseline(data, experiment, target) for target in experiment.targets]
    if any(base != (None, None) for base in bases):
        row = [Cell("unsteered")]
        for trait, coherence in bases:
            known = trait is not None
            row += cells("0" if known else NONE, "0" if known else NONE)
            row += cells(_percent(trait), _percent(coherence), NONE)
        rows.append(tuple(row))
    return rows


def _percent(value: float | None) -> str:
    return NONE if value is None else f"{value:.1f}%"


def _wide_cells(entry: Entry | None, best: float | None) -> tuple[Cell, ...]:
    if entry is None:
        return cells("not searched", *[NONE] * 4)
    if entry.summary is None:
        status = str((entry.search or {}).get("status", ""))
        return cells("not measured yet" if status in ("ok", "edge") else status, *[NONE] * 4)
    row = entry.summary
    interval = between((row["lift_low"], row["lift_high"]))
    return cells(
        coefficient(row["coefficient"], row["origin"]),
        f"{row['dose']:.3g}",
        Cell(_percent(row["trait_score"]), strong=row["trait_score"] == best),
        _percent(row["coherence"]),
        f"{signed(row['lift'])} {interval}".strip(),
    )


def _baseline(
    data: ReportData, experiment: Experiment, target: str
) -> tuple[float | None, float | None]:
    for entry in experiment.of(target):
        if entry.summary and entry.summary["unsteered_trait"] is not None:
            return entry.summary["unsteered_trait"], entry.summary["unsteered_coherence"]
    row = data.baseline(target, experiment.judge, "report")
    return (row["trait_score"], row["coherence"]) if row else (None, None)


def _long_table(data: ReportData, experiment: Experiment, clause: str) -> Table:
    rows = []
    for row in experiment.summary:
        entry = experiment.entries[row["target"], row["layer"]]
        limit = data.threshold(entry)
        status = str(row["status"])
        if limit is not None and row["coherence"] is not None and row["coherence"] < limit:
            status += f"; below {limit:g} coherence on these questions"
        rows.append(
            cells(
                row["target"],
                str(row["layer"]),
                coefficient(row["coefficient"], row["origin"]),
                f"{row['dose']:.4g}",
                with_error(row["trait_score"], row["trait_se"]),
                with_error(row["coherence"], row["coherence_se"]),
                number(row["unsteered_trait"]),
                signed(row["lift"]),
                between((row["lift_low"], row["lift_high"])) or NONE,
                _counts(row),
                status,
            )
        )
    header = (
        "Target", "Layer", "Coefficient", "Dose", "Trait ± SE", "Coherence ± SE", "Unsteered trait",
        "Lift", "95 % interval", "n", "Status",
    )  # fmt: skip
    return Table(header, tuple(rows), f"SELECT * FROM v_summary {clause}")


def _counts(row: Row) -> str:
    if row["n_trait"] == row["n_coherence"] == row["n_answers"]:
        return str(row["n_answers"])
    return f"{row['n_answers']} (trait {row['n_trait']}, coherence {row['n_coherence']})"


def transfer(data: ReportData) -> Section | None:
    """The lift in each target beside the lift in the source; None where there is no other target."""
    rows = [row for row in data.views["v_transfer"] if row["target"] != row["source"]]
    if not rows:
        return None
    table = Table(
        ("Trait", "Source", "Target", "Layer", "Method", "Search", "Source dose", "Target dose",
         "Source lift", "Target lift", "Difference", "Source coherence", "Target coherence"),
        tuple(
            cells(
                row["trait"], row["source"], row["target"], str(row["layer"]),
                row["method"] or NONE, row["search"] or NONE, number(row["source_dose"], 3),
                number(row["target_dose"], 3), signed(row["source_lift"]),
                signed(row["target_lift"]), signed(row["lift_difference"]),
                number(row["source_coherence"]), number(row["target_coherence"]),
            )
            for row in rows
        ),
        "SELECT * FROM v_transfer WHERE target <> source",
    )  # fmt: skip
    note = Text(
        "The lift of the source's vector in each target beside its lift in the source itself, each "
        "at its own recommended dose. The difference has no interval here: read it with the "
        "intervals of both lifts above."
    )
    return Section("Transfer", (note, table))


def controls(data: ReportData) -> Section | None:
    """Every condition on the report questions."""
    rows = data.views["v_controls"]
    if not rows:
        return None
    table = Table(
        ("Trait", "Target", "Layer", "Condition", "Method", "Dose", "Trait ± SE", "Coherence ± SE",
         "Lift", "n"),
        tuple(
            cells(
                row["trait"], row["target"], NONE if row["layer"] is None else str(row["layer"]),
                row["condition"], row["method"] or NONE, number(row["dose"], 3),
                with_error(row["trait_score"], row["trait_se"]),
                with_error(row["coherence"], row["coherence_se"]), signed(row["lift"]),
                str(row["n_answers"]),
            )
            for row in rows
        ),
        "SELECT * FROM v_controls",
    )  # fmt: skip
    note = Text(
        "What stands beside the effect on the same report questions. An effect that a random "
        "direction of equal length has too is not the trait's."
    )
    return Section("Controls", (note, table))


def examples(store: Store, data: ReportData) -> Section | None:
    """The first answers of each target at its best layer, unsteered and steered side by side."""
    parts: list[Block] = []
    for experiment in data.experiments:
        for target in experiment.targets:
            best = data.best(experiment, target)
            if best is None or best.summary is None:
                continue
            base = data.unsteered(best.summary["series_id"])
            if base is None:
                continue
            step = best.summary["step_id"]
            pairs = store.views.pair_of_answers(step, base["series_id"])
            if pairs:
                parts.append(
                    Text(
                        f"{target}, layer {best.layer}, {experiment.method}, dose "
                        f"{best.summary['dose']:.3g}: the first {min(_N_EXAMPLES, len(pairs))} of "
                        f"{len(pairs)} report questions."
                    )
                )
                parts.append(_pairs_table(pairs[:_N_EXAMPLES], step))
    return Section("Answers side by side", tuple(parts)) if parts else None


def _pairs_table(pairs: list[Row], step: int) -> Table:
    def scores(trait: float | None, coherence: float | None) -> str:
        return f"{_or_unscored(trait)} / {_or_unscored(coherence)}"

    return Table(
        ("Question", "Unsteered", "Trait / coherence", "Steered", "Trait / coherence"),
        tuple(
            (
                Cell(clean(row["question"]), prose=True),
                Cell(clean(row["unsteered"]), prose=True),
                Cell(scores(row["unsteered_trait"], row["unsteered_coherence"])),
                Cell(clean(row["steered"]), prose=True),
                Cell(scores(row["trait_score"], row["coherence"])),
            )
            for row in pairs
        ),
        f"SELECT * FROM answers WHERE step_id = {step}",
    )


def _or_unscored(value: float | None) -> str:
    return "unscored" if value is None else f"{value:.1f}"
