"""Pictures of the allocation page as plotly fragments; the page brings the library once and works offline."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from html import escape

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from market.periods import LABELS
from reports.charts import ACCENT, GRID, INK, LINE, PALETTE, fragment, layout

Floats = NDArray[np.float64]
BAND = "rgba(107,119,128,0.18)"
TOP_LEGEND = {"orientation": "h", "y": 1.02, "yanchor": "bottom", "traceorder": "normal"}
WINDOW = "rgba(181,83,42,0.10)"


def benefit_scatter(
    points: Mapping[str, Sequence[tuple[str, float, float]]], titles: tuple[str, str], equal: str, name: str
) -> str:
    """Benefit (x) against charge (y) on logarithmic axes with the 45° line; a payer without benefit stands at the left edge.

    points: group -> (label, benefit, charge) in yuan. What is 0 is drawn at the edge and says 0 when pointed at.
    """
    edge_x, edge_y = (
        10.0 ** _decades([pair[place] for group in points.values() for pair in group])[0] for place in (1, 2)
    )
    figure = go.Figure()
    for place, (title, group) in enumerate(points.items()):
        figure.add_trace(
            go.Scatter(
                x=[max(x, edge_x) for _, x, _ in group],
                y=[max(y, edge_y) for _, _, y in group],
                text=[
                    f"{escape(label)}<br>{titles[0]}: {x:,.2f}<br>{titles[1]}: {y:,.2f}"
                    for label, x, y in group
                ],
                name=escape(title),
                mode="markers",
                marker={
                    "size": 9,
                    "color": PALETTE[place % len(PALETTE)],
                    "opacity": 0.8,
                    "line": {"width": 0.6, "color": "#ffffff"},
                },
                hovertemplate="%{text}<extra></extra>",
            )
        )
    pairs = [(x, y) for group in points.values() for _, x, y in group]
    low_x, high_x = _decades([x for x, _ in pairs])
    low_y, high_y = _decades([y for _, y in pairs])
    line = [10 ** max(low_x, low_y), 10 ** min(high_x, high_y)]
    figure.add_trace(
        go.Scatter(
            x=line,
            y=line,
            mode="lines",
            name=equal,
            line={"color": LINE, "width": 1.2, "dash": "dot"},
            hoverinfo="skip",
        )
    )
    figure.update_layout(**_layout(500), legend=TOP_LEGEND)
    axis = {"type": "log", "gridcolor": GRID, "dtick": 1, "tickformat": ","}
    figure.update_xaxes(title=titles[0], range=[low_x - 0.15, high_x], **axis)
    figure.update_yaxes(title=titles[1], range=[low_y - 0.15, high_y], **axis)
    return fragment(figure, name)


def ratio_bars(
    groups: Sequence[tuple[str, Sequence[tuple[str, float | None]]]], title: str, name: str
) -> str:
    """Charge over benefit by class and by city, one colour each, with a line at 1; groups: (name, [(member, ratio)])."""
    figure = go.Figure()
    for place, (group, rows) in enumerate(groups):
        known = [(member, ratio) for member, ratio in rows if ratio is not None]
        figure.add_trace(
            go.Bar(
                x=[ratio for _, ratio in known],
                y=[escape(member) for member, _ in known],
                name=escape(group),
                orientation="h",
                marker={"color": PALETTE[place]},
                text=[f"{ratio:,.2f}" for _, ratio in known],
                textposition="outside",
                cliponaxis=False,
                hovertemplate=f"%{{y}}: %{{x:.3f}}<extra>{escape(group)}</extra>",
            )
        )
    count = sum(len(rows) for _, rows in groups)
    figure.update_layout(**_layout(110 + 30 * count), legend=TOP_LEGEND, bargap=0.4)
    figure.add_vline(x=1, line={"color": LINE, "width": 1.2, "dash": "dot"})
    figure.update_xaxes(title=title, gridcolor=GRID, rangemode="tozero")
    figure.update_yaxes(autorange="reversed", showgrid=False)
    return fragment(figure, name)


def fan(
    metered: Floats,
    baseline: Floats,
    band: tuple[Floats, Floats, Floats],
    window: tuple[int, int],
    words: Mapping[str, str],
    name: str,
) -> str:
    """The responders' load of the day, MW, beside the band of like days and the baseline of the event's window.

    words: metered, baseline, like_days, median, power_axis.
    """
    low, middle, high = band
    x = list(LABELS)
    figure = go.Figure(
        [
            go.Scatter(x=x, y=_points(high), mode="lines", line={"width": 0}, hoverinfo="skip", showlegend=False),
            go.Scatter(
                x=x, y=_points(low), mode="lines", line={"width": 0}, fill="tonexty", fillcolor=BAND,
                name=words["like_days"], hoverinfo="skip",
            ),
            go.Scatter(
                x=x, y=_points(middle), mode="lines", name=words["median"],
                line={"color": "#6b7780", "width": 1.2, "dash": "dash"},
            ),
            go.Scatter(x=x, y=_points(metered), mode="lines", name=words["metered"], line={"color": ACCENT, "width": 2}),
            go.Scatter(x=x, y=_points(baseline), mode="lines", name=words["baseline"], line={"color": LINE, "width": 2.4}),
        ]
    )  # fmt: skip
    figure.add_vrect(x0=window[0] - 1.5, x1=window[1] - 0.5, fillcolor=WINDOW, line_width=0, layer="below")
    figure.update_traces(hovertemplate="%{x}: %{y:,.1f}", selector={"hoverinfo": None})
    figure.update_layout(**_layout(340), hovermode="x unified", legend=TOP_LEGEND)
    figure.update_xaxes(type="category", tickvals=x[7::8], showgrid=False)
    figure.update_yaxes(title=words["power_axis"], gridcolor=GRID, tickformat=",")
    return fragment(figure, name)


def error_strips(rows: Sequence[tuple[str, Sequence[float]]], title: str, name: str) -> str:
    """One box with its points a method: daily errors in percent, with lines at ±2; rows: (method, errors)."""
    figure = go.Figure(
        [
            go.Box(
                x=[round(error, 4) for error in errors],
                name=escape(method),
                orientation="h",
                boxpoints="all",
                jitter=0.5,
                pointpos=0,
                marker={"size": 4, "color": PALETTE[place % len(PALETTE)], "opacity": 0.55},
                line={"width": 1.2},
                fillcolor="rgba(0,0,0,0)",
                hovertemplate=f"{escape(method)}: %{{x:.2f}} %<extra></extra>",
            )
            for place, (method, errors) in enumerate(rows)
        ]
    )
    for level in (-2, 2):
        figure.add_vline(x=level, line={"color": LINE, "width": 1, "dash": "dot"})
    figure.update_layout(**_layout(110 + 28 * len(rows)), showlegend=False)
    figure.update_xaxes(title=title, gridcolor=GRID, zerolinecolor=INK, zerolinewidth=1)
    figure.update_yaxes(autorange="reversed", showgrid=False, automargin=True)
    return fragment(figure, name)


def class_shares(rules: Sequence[str], classes: Sequence[tuple[str, Sequence[float]]], name: str) -> str:
    """Stacked bars of 100 %: each rule's cost by class of payer; classes: (name, percent under each rule)."""
    figure = go.Figure(
        [
            go.Bar(
                y=[escape(rule) for rule in rules],
                x=[round(value, 3) for value in values],
                name=escape(title),
                orientation="h",
                marker={"color": PALETTE[place % len(PALETTE)]},
                hovertemplate=f"%{{y}}<br>{escape(title)}: %{{x:.1f}} %<extra></extra>",
            )
            for place, (title, values) in enumerate(classes)
        ]
    )
    figure.update_layout(
        **_layout(110 + 28 * len(rules)),
        barmode="stack",
        bargap=0.3,
        legend=TOP_LEGEND,
    )
    figure.update_xaxes(ticksuffix=" %", gridcolor=GRID, range=[0, 100])
    figure.update_yaxes(autorange="reversed", showgrid=False, automargin=True)
    return fragment(figure, name)


def _decades(values: Sequence[float]) -> tuple[int, int]:
    """Whole powers of ten around the positive values; (0, 1) where there is none."""
    positive = [value for value in values if value > 0]
    if not positive:
        return 0, 1
    low, high = math.floor(math.log10(min(positive))), math.ceil(math.log10(max(positive) * 1.05))
    return low, max(high, low + 1)


def _points(values: Floats) -> list[float | None]:
    return [None if np.isnan(value) else round(float(value), 3) for value in values]


def _layout(height: int) -> dict[str, object]:
    return layout(height, left=90, right=30, top=30)
