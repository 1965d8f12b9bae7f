"""Pictures of a page as plotly fragments; the page brings the library once and works offline."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from html import escape

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray
from plotly.offline import get_plotlyjs

from market.periods import LABELS

INK, GRID, ACCENT, LINE = "#1f2933", "#e3e8ee", "#1f4e79", "#b5532a"
FONT = (
    '"PingFang SC","Microsoft YaHei","Noto Sans CJK SC","Source Han Sans SC","WenQuanYi Micro Hei",sans-serif'
)
SEQUENCE = [[0.0, "#f5f8fb"], [0.35, "#b9d3e8"], [0.65, "#5b93c1"], [0.85, "#2a649b"], [1.0, "#12365c"]]
PALETTE = (
    "#1f4e79",
    "#5b93c1",
    "#b5532a",
    "#d9a05b",
    "#4f7f5f",
    "#9bbf9a",
    "#7a5c8e",
    "#b9a3c7",
    "#6b7780",
    "#aeb8c0",
    "#8c6d46",
    "#c9b18c",
    "#2f6f73",
    "#86b6b8",
    "#a13d5b",
    "#d694a8",
)
CONFIG = {"displayModeBar": False, "displaylogo": False, "responsive": True}


def library() -> str:
    """plotly.js, to stand in the page once."""
    return str(get_plotlyjs())


def heat_map(
    days: Sequence[date],
    layers: Sequence[tuple[str, NDArray[np.float64]]],
    windows: Sequence[tuple[date, int, int]],
    name: str,
) -> str:
    """Day by quarter-hour with one button a layer; NaN stays blank.

    layers: (title, (days, 96)). windows: (day, first period, last period) drawn as thin frames.
    """
    rows = [day.isoformat() for day in days]
    figure = go.Figure(
        [
            go.Heatmap(
                x=list(LABELS),
                y=rows,
                z=np.round(values, 4),
                name=title,
                visible=place == 0,
                colorscale=SEQUENCE,
                xgap=0,
                ygap=1,
                hovertemplate=f"%{{y}} %{{x}}<br>{escape(title)}: %{{z:,.2f}}<extra></extra>",
                colorbar={"thickness": 12, "outlinewidth": 0, "tickfont": {"size": 11}},
            )
            for place, (title, values) in enumerate(layers)
        ]
    )
    for day, first, last in windows:
        if day.isoformat() in rows:
            row = rows.index(day.isoformat())
            figure.add_shape(
                type="rect",
                x0=first - 1.5,
                x1=last - 0.5,
                y0=row - 0.5,
                y1=row + 0.5,
                line={"color": LINE, "width": 1.5},
            )
    buttons = [
        {
            "label": title,
            "method": "update",
            "args": [{"visible": [other == place for other in range(len(layers))]}],
        }
        for place, (title, _) in enumerate(layers)
    ]
    figure.update_layout(
        **layout(620),
        updatemenus=[
            {
                "type": "buttons",
                "direction": "right",
                "buttons": buttons,
                "x": 0,
                "xanchor": "left",
                "y": 1.0,
                "yanchor": "bottom",
                "pad": {"b": 8},
                "showactive": True,
                "bgcolor": "#ffffff",
                "bordercolor": GRID,
                "font": {"size": 12},
            }
        ],
    )
    figure.update_xaxes(type="category", tickvals=list(LABELS[7::8]), showgrid=False, tickangle=0)
    figure.update_yaxes(type="category", autorange="reversed", showgrid=False, dtick=1)
    figure.update_layout(margin={"l": 90, "r": 10, "t": 48, "b": 36})
    return fragment(figure, name)


def stacked_bars(
    kinds: Sequence[str], parts: Sequence[tuple[str, Sequence[float]]], unit: str, name: str
) -> str:
    """Who pays (right) and who receives (left): one bar a kind, stacked by charge."""
    figure = go.Figure(
        [
            go.Bar(
                y=[escape(kind) for kind in kinds],
                x=list(values),
                name=escape(title),
                orientation="h",
                marker={"color": PALETTE[place % len(PALETTE)]},
                hovertemplate=f"%{{y}}<br>{escape(title)}: %{{x:,.2f}} {escape(unit)}<extra></extra>",
            )
            for place, (title, values) in enumerate(parts)
        ]
    )
    figure.update_layout(
        **layout(150 + 40 * len(kinds)),
        barmode="relative",
        bargap=0.35,
        legend={"orientation": "h", "y": -0.18, "yanchor": "top", "traceorder": "normal"},
    )
    figure.update_xaxes(title=unit, gridcolor=GRID, zerolinecolor=INK, zerolinewidth=1, tickformat=",")
    figure.update_yaxes(autorange="reversed", showgrid=False)
    return fragment(figure, name)


def waterfall(steps: Sequence[tuple[str, float]], unit: str, name: str) -> str:
    """From the first bar over what every cause moved to the last; a cause that moved nothing keeps its place."""
    names = [escape(title) for title, _ in steps]
    values = [value for _, value in steps]
    measures = ["absolute", *["relative"] * (len(steps) - 2), "total"]
    figure = go.Figure(
        go.Waterfall(
            x=names,
            y=values,
            measure=measures,
            text=[
                f"{value:,.2f}" if measure != "relative" else f"{value:+,.2f}"
                for value, measure in zip(values, measures, strict=True)
            ],
            textposition="outside",
            connector={"line": {"color": GRID, "width": 1}},
            increasing={"marker": {"color": LINE}},
            decreasing={"marker": {"color": "#4f7f5f"}},
            totals={"marker": {"color": ACCENT}},
            hovertemplate=f"%{{x}}: %{{text}} {escape(unit)}<extra></extra>",
        )
    )
    # The bars of the versions dwarf what moved: the axis shows the moves, the bars' feet are cut off and said so.
    heights = [values[0]]
    for value in values[1:-1]:
        heights.append(heights[-1] + value)
    low, high = min(heights), max(heights)
    room = (high - low) * 0.35 or max(abs(high) * 0.0005, 1.0)
    figure.update_layout(**layout(380), showlegend=False)
    figure.update_yaxes(title=unit, gridcolor=GRID, tickformat=",", range=[low - room, high + room])
    figure.update_xaxes(showgrid=False, tickangle=0)
    return fragment(figure, name)


def scatter(
    points: Mapping[str, Sequence[tuple[str, float, float]]],
    titles: tuple[str, str],
    equal: str,
    name: str,
) -> str:
    """Benefit (x) against charge (y) with the line of equality; points: group -> (label, x, y), at least one."""
    figure = go.Figure(
        [
            go.Scatter(
                x=[x for _, x, _ in group],
                y=[y for _, _, y in group],
                text=[escape(label) for label, _, _ in group],
                name=escape(title),
                mode="markers",
                marker={
                    "size": 8,
                    "color": PALETTE[place % len(PALETTE)],
                    "opacity": 0.75,
                    "line": {"width": 0.5, "color": "#ffffff"},
                },
                hovertemplate=f"%{{text}}<br>{titles[0]}: %{{x:,.2f}}<br>{titles[1]}: %{{y:,.2f}}<extra></extra>",
            )
            for place, (title, group) in enumerate(points.items())
        ]
    )
    pairs = [(x, y) for group in points.values() for _, x, y in group]
    reach = min(max(x for x, _ in pairs), max(y for _, y in pairs))
    figure.add_trace(
        go.Scatter(
            x=[0, reach],
            y=[0, reach],
            mode="lines",
            name=equal,
            line={"color": LINE, "width": 1, "dash": "dot"},
            hoverinfo="skip",
        )
    )
    figure.update_layout(**layout(460), legend={"orientation": "h", "y": 1.02, "yanchor": "bottom"})
    figure.update_xaxes(title=titles[0], gridcolor=GRID, zerolinecolor=GRID, tickformat=",")
    figure.update_yaxes(title=titles[1], gridcolor=GRID, zerolinecolor=GRID, tickformat=",")
    return fragment(figure, name)


def layout(height: int, *, left: int = 120, right: int = 20, top: int = 20) -> dict[str, object]:
    """What every picture shares; height and margins in pixels."""
    return {
        "template": "none",
        "height": height,
        "font": {"family": FONT, "size": 12, "color": INK},
        "paper_bgcolor": "#ffffff",
        "plot_bgcolor": "#ffffff",
        "margin": {"l": left, "r": right, "t": top, "b": 50},
        "hoverlabel": {"bgcolor": "#ffffff", "font": {"family": FONT, "color": INK}},
    }


def fragment(figure: go.Figure, name: str) -> str:
    """The figure as an element of the page with the id ``name``."""
    return str(figure.to_html(full_html=False, include_plotlyjs=False, div_id=name, config=CONFIG))
