"""Charts of what the database holds, as SVG: dose-response curves and vector quality. Level 8.

Knows no database: rows of the views come in, one `Chart` goes out. The drawings are Vega-Lite
specifications that vl-convert turns into SVG offline; the same rows give the same bytes. Lines and
letters use the colour of the text around them, so that one drawing serves light and dark.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import escape

__all__ = ["Chart", "dose_response", "standalone", "vector_quality"]

Row = Mapping[str, Any]

_VEGA_LITE = "5.20"
_COLORS = ["#2f7ed8", "#d9822b", "#2e9e5b", "#a45bc4"]
_CHOSEN, _LIMIT = "#2e9e5b", "#888888"
_STYLE = (
    "<style>svg{color:#222;background:#fff}@media (prefers-color-scheme:dark)"
    "{svg{color:#ddd;background:#16181c}}</style>"
)
_CONFIG = {
    "background": "transparent",
    "font": "sans-serif",
    "view": {"stroke": "currentColor", "strokeOpacity": 0.25},
    "axis": {
        "labelColor": "currentColor",
        "titleColor": "currentColor",
        "gridColor": "currentColor",
        "gridOpacity": 0.1,
        "tickColor": "currentColor",
        "domainColor": "currentColor",
        "titleFontWeight": "normal",
    },
    "header": {"labelColor": "currentColor", "titleColor": "currentColor"},
    "legend": {"labelColor": "currentColor", "titleColor": "currentColor", "orient": "top"},
}


@dataclass(frozen=True)
class Chart:
    """A drawing: `name` is its file's stem, `svg` the element with its title and description."""

    name: str
    title: str
    description: str
    svg: str


def dose_response(
    name: str,
    title: str,
    steps: Sequence[Row],
    unsteered: Row | None,
    threshold: float | None,
    recommended: Mapping[int, float],
) -> Chart | None:
    """Trait and coherence (0-100) against dose, one small chart for each layer.

    `steps` are rows of v_search_log; `unsteered` a row of v_unsteered, drawn at dose 0;
    `recommended` the chosen dose by layer. None when nothing was scored.
    """
    layers = sorted({int(step["layer"]) for step in steps})
    points = [point for step in steps for point in _points(int(step["layer"]), step)]
    if not points:
        return None
    if unsteered is not None:
        origin = dict(unsteered) | {"dose": 0.0}
        points += [point for layer in layers for point in _points(layer, origin)]
    marks: list[dict[str, Any]] = [
        {"layer": layer, "chosen": dose} for layer, dose in sorted(recommended.items())
    ]
    if threshold is not None:
        marks += [{"layer": layer, "threshold": threshold} for layer in layers]
    spec = {
        "data": {"values": [*points, *marks]},
        "facet": {
            "field": "layer",
            "type": "ordinal",
            "title": None,
            "header": {"labelExpr": "'layer ' + datum.label"},
        },
        "columns": 3,
        "spec": {"width": 190, "height": 130, "layer": _response_layers()},
        "resolve": {"scale": {"x": "independent"}},
    }
    description = (
        "Mean trait score (circles) and coherence (squares), 0 to 100, against relative dose"
        + (", the unsteered answers at dose 0" if unsteered is not None else "")
        + (f"; dashed line: coherence threshold {threshold:g}" if threshold is not None else "")
        + (
            f"; vertical line: recommended dose ({_doses(recommended)})."
            if recommended
            else "; no layer has a recommended dose."
        )
    )
    return _drawn(name, title, description, spec)


def vector_quality(name: str, title: str, vectors: Sequence[Row]) -> Chart | None:
    """Held-out AUC and split-half cosine by layer, one line for each method.

    `vectors` are rows of v_vectors of one model and trait. None when no quality was measured.
    """
    measures = (("auc", "held-out AUC"), ("split_half_cosine", "split-half cosine"))
    points = [
        {"layer": row["layer"], "method": row["method"], "measure": label, "value": row[column]}
        for row in vectors
        for column, label in measures
        if row[column] is not None
    ]
    if not points:
        return None
    spec = {
        "data": {"values": points},
        "facet": {
            "field": "measure",
            "type": "nominal",
            "title": None,
            "sort": [label for _, label in measures],
        },
        "columns": 2,
        "spec": {
            "width": 280,
            "height": 160,
            "mark": {"type": "line", "point": {"size": 28}, "strokeWidth": 1.5},
            "encoding": {
                "x": _axis("layer", "layer", tickMinStep=1),
                "y": _axis("value", None),
                "color": _color("method"),
                "shape": {"field": "method", "type": "nominal"},
            },
        },
        "resolve": {"scale": {"y": "independent"}},
    }
    methods = ", ".join(sorted({str(row["method"]) for row in vectors}))
    description = f"Held-out AUC and split-half cosine of the vectors by layer, for {methods}."
    return _drawn(name, title, description, spec)


def standalone(chart: Chart) -> str:
    """The chart as a file of its own, with colours for light and dark."""
    head, _, body = chart.svg.partition(">")
    return f"{head}>{_STYLE}{body}\n"


def _points(layer: int, row: Row) -> list[dict[str, Any]]:
    scores = (("trait", row["trait_score"]), ("coherence", row["coherence"]))
    return [
        {"layer": layer, "dose": row["dose"], "score": score, "criterion": criterion}
        for criterion, score in scores
        if score is not None
    ]


def _response_layers() -> list[dict[str, Any]]:
    x = _axis("dose", "dose (relative)", tickCount=5)
    y = _axis("score", "score", scale={"domain": [0, 100]}, tickCount=5)
    return [
        {
            "transform": [{"filter": "isValid(datum.threshold)"}],
            "mark": {"type": "rule", "strokeDash": [4, 3], "color": _LIMIT},
            "encoding": {"y": {"field": "threshold", "type": "quantitative"}},
        },
        {
            "transform": [{"filter": "isValid(datum.chosen)"}],
            "mark": {"type": "rule", "strokeWidth": 2, "color": _CHOSEN},
            "encoding": {"x": {"field": "chosen", "type": "quantitative"}},
        },
        {
            "transform": [{"filter": "isValid(datum.score)"}],
            "mark": {"type": "line", "point": {"size": 36}, "strokeWidth": 1.5},
            "encoding": {
                "x": x,
                "y": y,
                "color": _color("criterion", ["trait", "coherence"]),
                "shape": {
                    "field": "criterion",
                    "type": "nominal",
                    "scale": {"domain": ["trait", "coherence"], "range": ["circle", "square"]},
                },
            },
        },
    ]


def _axis(
    field: str, title: str | None, *, scale: dict[str, Any] | None = None, **axis: Any
) -> dict[str, Any]:
    return {
        "field": field,
        "type": "quantitative",
        "scale": scale or {"zero": False},
        "axis": {"title": title, **axis},
    }


def _color(field: str, domain: list[str] | None = None) -> dict[str, Any]:
    scale = {"range": _COLORS} | ({"domain": domain} if domain else {})
    return {"field": field, "type": "nominal", "title": None, "scale": scale}


def _doses(recommended: Mapping[int, float]) -> str:
    return ", ".join(f"layer {layer}: {dose:.3g}" for layer, dose in sorted(recommended.items()))


def _drawn(name: str, title: str, description: str, spec: dict[str, Any]) -> Chart:
    import vl_convert  # loads a JavaScript engine: only when something is drawn

    svg = str(vl_convert.vegalite_to_svg(spec | {"config": _CONFIG}, vl_version=_VEGA_LITE))
    # Several drawings share one page: what they refer to inside themselves needs its own names.
    svg = re.sub(r'(id="|url\(#|href="#)([A-Za-z])', rf"\g<1>{name}-\2", svg)
    head, _, body = svg.partition(">")
    label = f'role="img" aria-labelledby="{name}-title {name}-desc"'
    return Chart(
        name,
        title,
        description,
        f'{head} {label}><title id="{name}-title">{escape(title)}</title>'
        f'<desc id="{name}-desc">{escape(description)}</desc>{body}',
    )
