"""The full search logs, in the published form, with their charts. Level 8."""

from steerkit.charts import Chart, dose_response
from steerkit.report_blocks import NONE, Block, Code, Figure, Section, Text, clean, coefficient
from steerkit.report_data import Entry, Experiment, ReportData, Row, where
from steerkit.report_tables import title_of

__all__ = ["log_lines", "response_charts", "search_logs"]


def search_logs(data: ReportData) -> list[Section]:
    """A section for each experiment, with a code block for each target and layer."""
    if not data.logs:
        return []
    intro = Text(
        "Every step of every search, on the select questions. ★ marks the recommended step; where "
        "none is marked the recommended dose lies between tested ones, or there is none. Dose is "
        "relative to the target's residual norm. Query: SELECT * FROM v_search_log"
    )
    sections = [Section("Full search logs", (intro,))]
    for experiment in data.experiments:
        for target in experiment.targets:
            blocks: list[Block] = []
            for entry in experiment.of(target):
                steps = data.logs.get(entry.log_id)
                if steps:
                    blocks += [Text(_heading(steps[0], entry.layer)), _log(data, entry, steps)]
            if blocks:
                title = f"{target}: {title_of(experiment)}"
                sections.append(Section(title, tuple(blocks), level=3, folded=True))
    return sections


def _heading(step: Row, layer: int) -> str:
    facts = []
    if step["base_coefficient"] is not None:
        facts.append(f"base_coef={coefficient(step['base_coefficient'])}")
    if step["residual_norm"] is not None:
        facts.append(f"residual_norm={step['residual_norm']:.4g}")
    return f"Layer {layer} ({', '.join(facts)}):" if facts else f"Layer {layer}:"


def _log(data: ReportData, entry: Entry, steps: list[Row]) -> Code:
    lines = log_lines(steps)
    lines.append(_recommendation(entry, steps, data.threshold(entry)))
    return Code("\n".join(lines))


def log_lines(steps: list[Row]) -> list[str]:
    """The steps as the published table: Step | coef | dose | Trait | Coherence | Action."""
    coefs = [coefficient(step["coefficient"], step["origin"]) for step in steps]
    doses = [f"{step['dose']:.4g}" for step in steps]
    wide = [max(5, *map(len, coefs)), max(5, *map(len, doses))]
    lines = [
        f"Step | {'coef':>{wide[0]}} | {'dose':>{wide[1]}} | Trait | Coherence | Action",
        f"-----|-{'-' * wide[0]}-|-{'-' * wide[1]}-|-------|-----------|-------",
    ]
    for step, coef, dose in zip(steps, coefs, doses, strict=True):
        action = " ".join(clean(step["action"] or "").split())
        star = "  ★" if step["recommended"] else ""
        lines.append(
            f"{step['step']:^5d}| {coef:>{wide[0]}} | {dose:>{wide[1]}} | "
            f"{_score(step['trait_score']):>5} | {_score(step['coherence']):>9} | {action}{star}"
        )
    return lines


def _score(value: float | None) -> str:
    return NONE if value is None else f"{value:.1f}"


def _recommendation(entry: Entry, steps: list[Row], threshold: float | None) -> str:
    starred = next((step for step in steps if step["recommended"]), None)
    if starred:
        return (
            f"→ Recommended: coef={coefficient(starred['coefficient'], starred['origin'])}, "
            f"dose={starred['dose']:.4g} (trait={_score(starred['trait_score'])}, "
            f"coherence={_score(starred['coherence'])})"
        )
    first = steps[0]
    if first["recommended_dose"] is None:
        asked = "" if threshold is None else f"; coherence of {threshold:g} was asked for"
        return f"→ Recommended: none ({clean(first['status'])}{asked})"
    lead = (
        f"→ Recommended: coef={coefficient(first['recommended_coefficient'])}, "
        f"dose={first['recommended_dose']:.4g} "
    )
    if entry.summary is None:
        return f"{lead}(between tested doses; not yet measured on the report questions)"
    return (
        f"{lead}(trait={_score(entry.summary['trait_score'])}, "
        f"coherence={_score(entry.summary['coherence'])}) "
        "[between tested doses; scores from the report questions]"
    )


def response_charts(data: ReportData) -> list[Section]:
    """Dose-response curves: a figure for each experiment and target."""
    figures: list[Block] = []
    for experiment in data.experiments:
        for target in experiment.targets:
            chart = _chart(data, experiment, target, len(figures) + 1)
            if chart:
                figures.append(Figure(chart))
    if not figures:
        return []
    note = Text(
        "Means on the select questions, from v_dose_response. Circles: trait; squares: coherence; "
        "dashed: the coherence threshold; vertical: the recommended dose."
    )
    return [Section("Dose response", (note, *figures))]


def _chart(data: ReportData, experiment: Experiment, target: str, count: int) -> Chart | None:
    entries = [entry for entry in experiment.of(target) if entry.log_id in data.logs]
    steps = [step for entry in entries for step in data.logs[entry.log_id]]
    if not entries:
        return None
    base = data.unsteered(entries[0].log_id) or data.baseline(target, experiment.judge, "select")
    chosen = {
        entry.layer: dose
        for entry in entries
        if (dose := (entry.search or entry.summary or {}).get("recommended_dose")) is not None
    }
    return dose_response(
        f"dose-response-{count}",
        f"{target}: {title_of(experiment)}",
        steps,
        base,
        data.threshold(entries[0]),
        chosen,
    )


def log_sql(experiment: Experiment) -> str:
    """The query that gives an experiment's steps."""
    return f"SELECT * FROM v_search_log {where(experiment)}"
