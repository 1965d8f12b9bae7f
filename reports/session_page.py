"""The page of a cleared session: stacks and converted bids, trades in order, prices, capability used.

One self-contained HTML file that opens offline; the drawing library is embedded once. What is drawn for the
period a reader chooses travels in the page as data.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from functools import cache
from html import escape
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from jinja2 import Template
from markupsafe import Markup
from numpy.typing import NDArray

from market.periods import LABELS
from market.profiles import RuleProfile
from reports import charts, labels, session_words
from reports.page import MONEY, ONE, THREE, template
from reports.session_numbers import SessionNumbers
from reports.session_words import SessionLabels

TRADE_COLUMNS = (
    *("order", "path", "seller", "buyer", "sell_segment", "buy_segment"),
    *("sell_mw", "buy_mw", "sell_price", "converted", "spread"),
)
SCRIPT_WORDS = ("offers", "cleared", "price", "landed", "not_sold", "power_axis", "price_axis", "no_trades")


@dataclass(frozen=True)
class SessionPage:
    """What the page shows. findings: code, severity, subject, sentence. sources: role, file, sha256, rows."""

    day: date | None
    stage: str | None
    round: int | None
    profile: RuleProfile
    numbers: SessionNumbers
    findings: pd.DataFrame
    sources: Sequence[tuple[str, str, str, int]]


def session_page(page: SessionPage, words: SessionLabels) -> str:
    """The page as HTML text; the same session gives the same bytes."""
    numbers = page.numbers
    seller, buyer, owners = numbers.seller_cny, numbers.buyer_cny, numbers.transmission_cny
    return str(
        _template().render(
            t=words,
            tables=session_words,
            severities=labels.SEVERITIES,
            page=page,
            numbers=numbers,
            heading=_heading(page, words),
            money={"seller": seller, "buyer": buyer, "owners": owners, "gap": buyer - seller - owners},
            findings=page.findings.to_dict("records"),
            trade_columns=TRADE_COLUMNS,
            price_maps=[
                (words(title), _map(*numbers.price_grid(column), numbers.periods, words("price_axis"), name))
                for title, column, name in (
                    ("node_prices", "node", "node-prices"),
                    ("landed_prices", "path_id", "landed-prices"),
                )
            ],
            capability_map=_map(
                numbers.section_ids, numbers.used_share * 100, numbers.periods, "%", "capability", full=100
            ),
            data=_embedded({**numbers.pictures(), "words": {word: words(word) for word in SCRIPT_WORDS}}),
            palette=_embedded(charts.PALETTE),
            font=Markup(charts.FONT),  # noqa: S704  # our own text, no input
            library=Markup(charts.library()),  # noqa: S704
        )
    )


@cache
def _template() -> Template:
    return template(
        "session",
        one=ONE,
        three=THREE,
        two=MONEY,
        wan=lambda value: f"{value / 10_000:,.2f}",
        share="{:.1%}".format,
        count="{:,}".format,
    )


def _heading(page: SessionPage, words: SessionLabels) -> str:
    parts = [str(page.day)] if page.day else []
    if page.stage:
        parts.append(words.of(session_words.STAGES, page.stage))
    if page.round and page.stage == "intraday":
        parts.append(f"{words('round')} {page.round}")
    return " ".join(parts)


def _map(
    names: Sequence[str],
    values: NDArray[np.float64],
    periods: Sequence[int],
    unit: str,
    name: str,
    full: float | None = None,
) -> Markup | None:
    """Names by period; NaN stays blank. None where there is nothing to draw."""
    if not len(names) or np.isnan(values).all():
        return None
    stamps = [LABELS[period - 1] if period <= len(LABELS) else str(period) for period in periods]
    figure = go.Figure(
        go.Heatmap(
            x=stamps,
            y=[escape(label) for label in names],
            z=np.round(values, 3),
            customdata=np.broadcast_to(np.array(periods), values.shape),
            zmin=0 if full else None,
            zmax=full,
            colorscale=charts.SEQUENCE,
            xgap=1 if len(periods) < 48 else 0,
            ygap=1,
            hovertemplate=f"%{{y}} %{{x}}<br>%{{z:,.3f}} {unit}<extra></extra>",
            colorbar={"thickness": 12, "outlinewidth": 0, "tickfont": {"size": 11}, "title": {"text": unit}},
        )
    )
    figure.update_layout(
        template="none",
        height=110 + 26 * max(len(names), 2),
        font={"family": charts.FONT, "size": 12, "color": charts.INK},
        margin={"l": 10, "r": 10, "t": 12, "b": 36},
        hoverlabel={"bgcolor": "#ffffff"},
    )
    every = max(1, len(stamps) // 12)
    figure.update_xaxes(
        type="category", tickvals=stamps[every - 1 :: every], showgrid=False, tickangle=0, ticks=""
    )
    figure.update_yaxes(type="category", autorange="reversed", showgrid=False, automargin=True, ticks="")
    html = figure.to_html(full_html=False, include_plotlyjs=False, div_id=name, config=charts.CONFIG)
    return Markup(html)  # noqa: S704  # plotly escapes what it embeds


def _embedded(content: Any) -> Markup:
    """JSON that cannot end the script element it stands in."""
    text = json.dumps(content, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return Markup(text.replace("<", "\\u003c").replace("&", "\\u0026"))  # noqa: S704
