"""The page *Purchase review* (购电回顾): what past bids cost more than they had to, and why; what they gained.

One self-contained HTML file that opens offline. Money 元, energy MWh, power MW at the buyer node.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

import numpy as np
import plotly.graph_objects as go
from jinja2 import Environment, PackageLoader, StrictUndefined
from plotly.offline import get_plotlyjs

from market.periods import label
from reports.bid_words import CAUSE_ZH, LABEL_ZH

COLOURS = {"forecast": "#1f5fa8", "shape": "#b3261e", "constraint": "#8a94a0"}
INK, GREEN, RED, GREY = "#1f2933", "#2e7d4f", "#b3261e", "#8a94a0"
PLAIN = {"displayModeBar": False, "responsive": True}


def review_page(title: str, total: Mapping[str, Any], days: Sequence[Mapping[str, Any]]) -> str:
    """The page as HTML text. total: the record of the month, or of the day itself; days: the records of its days."""
    environment = Environment(
        loader=PackageLoader("reports"), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    environment.filters |= {"money": _money, "clock": label}
    figures = {"regret": _regret_figure(days), "total": _cumulative_figure(days)}
    if len(days) == 1:
        figures["curve"] = _cleared_figure(days[0])
    return environment.get_template("review.html.j2").render(
        title=title,
        total=total,
        days=days,
        causes=CAUSE_ZH,
        labels=LABEL_ZH,
        accuracy=_accuracy_rows(days),
        segments=[one for one in days[0]["segments"] if one["cleared_mw"] > 0] if len(days) == 1 else [],
        figures=figures,
        plotly=get_plotlyjs(),
    )


def _money(value: Any) -> str:
    return "–" if value is None else f"{Decimal(str(value)):,.2f}"


def _accuracy_rows(days: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """A row a series: means over the days that have it."""
    names = sorted(
        {name for one in days for name in one["accuracy"]}, key=lambda name: (name != "load", name)
    )
    rows = []
    for name in names:
        scores = [one["accuracy"][name] for one in days if name in one["accuracy"]]
        ranks = [one["rank"] for one in scores if one["rank"] is not None]
        rows.append(
            {
                "name": "负荷 MW" if name == "load" else f"{name} 售方价 元/MWh",
                "days": len(scores),
                "error": float(np.mean([one["mean_error"] for one in scores])),
                "deviation": float(np.mean([one["deviation"] for one in scores])),
                "rank": float(np.mean(ranks)) if ranks else None,
                "dear": float(np.mean([one["dear_found"] for one in scores])),
            }
        )
    return rows


def _regret_figure(days: Sequence[Mapping[str, Any]]) -> str:
    figure = go.Figure()
    for cause, name in CAUSE_ZH.items():
        figure.add_bar(
            x=[one["period"] for one in days],
            y=[float(one["regret_cny"][cause]) for one in days],
            name=name,
            marker={"color": COLOURS[cause]},
            width=0.5 if len(days) == 1 else None,
        )
    figure.update_layout(barmode="relative")
    return _html(figure, "regret", "日期", "元")


def _cumulative_figure(days: Sequence[Mapping[str, Any]]) -> str:
    figure = go.Figure()
    lost = np.cumsum([float(one["regret_cny"]["total"]) for one in days])
    won = np.cumsum([float(one["gain_cny"] or 0) for one in days])
    dates = [one["period"] for one in days]
    figure.add_scatter(x=dates, y=lost, mode="lines+markers", line={"color": RED}, name="累计可避免费用")
    figure.add_scatter(
        x=dates, y=won, mode="lines+markers", line={"color": GREEN}, name="累计相对省内价收益(暂估)"
    )
    return _html(figure, "total", "日期", "元")


def _cleared_figure(day: Mapping[str, Any]) -> str:
    figure = go.Figure()
    times = [label(int(one["period"])) for one in day["periods"]]
    for key, name, colour in (
        ("bid_mw", "申报", GREY),
        ("cleared_mw", "出清", INK),
        ("executed_mw", "执行", GREEN),
    ):
        figure.add_scatter(
            x=times,
            y=[one[key] for one in day["periods"]],
            line={"shape": "hvh", "color": colour},
            name=name,
        )
    return _html(figure, "curve", "时刻", "MW")


def _html(figure: go.Figure, name: str, x: str, y: str) -> str:
    figure.update_layout(
        template="plotly_white",
        height=320,
        margin={"l": 70, "r": 20, "t": 16, "b": 48},
        font={"color": INK, "size": 12},
        xaxis={"title": {"text": x}, "type": "category", "nticks": 14},
        yaxis={"title": {"text": y}},
        legend={"orientation": "h", "y": 1.14},
    )
    return str(figure.to_html(full_html=False, include_plotlyjs=False, div_id=f"figure-{name}", config=PLAIN))
