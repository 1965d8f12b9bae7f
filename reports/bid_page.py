"""The page of a morning bid (报价说明): what is bid, what it should cost, which limits bind, and why.

One self-contained HTML file that opens offline; the drawing library is embedded once. Power MW at the buyer node
unless said otherwise, prices 元/MWh, money 元.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from itertools import groupby
from typing import Any

import numpy as np
import plotly.graph_objects as go
from jinja2 import Environment, PackageLoader, StrictUndefined
from numpy.typing import NDArray
from plotly.offline import get_plotlyjs

from market.money import yuan
from market.periods import LABELS, label
from optimization.curve_search import merit_order
from optimization.decision import Decision
from optimization.purchase import Bid, Costs, Outcome, Procurement, bid_mw
from optimization.shadow_prices import Limit, binding_runs
from reports.bid_words import KIND_ZH, LABEL_ZH, MODEL_ZH, REASON_ZH, SERIES_ZH

PLAIN = {"displayModeBar": False, "responsive": True}
INK, BLUE, RED, GREEN, GREY = "#1f2933", "#1f5fa8", "#b3261e", "#2e7d4f", "#8a94a0"


@dataclass(frozen=True)
class BidPack:
    """What the page shows. fan: share -> (96,) MW of the gap. comparison: name -> outcome under the same scenarios.

    outcome: the bid judged by clearing the market against each scenario's offers.
    """

    day: date
    version: int
    label: str
    reason: str | None
    file_name: str
    sha256: str
    gate: str
    problem: Procurement
    fan: Mapping[float, NDArray[np.float64]]
    bid: Bid
    outcome: Outcome
    comparison: Mapping[str, Outcome]
    limits: Sequence[Limit]
    relative_gap: float | None
    solver: str
    notes: Sequence[str]
    decision: Sequence[Decision] = ()
    forecasts: Sequence[Mapping[str, Any]] = ()
    position: Mapping[str, Any] | None = None
    session: str = ""


def bid_page(pack: BidPack) -> str:
    """The page as HTML text; the same pack gives the same bytes."""
    environment = Environment(
        loader=PackageLoader("reports"), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    environment.filters |= {
        "yuan": lambda fen: _money(yuan(fen)),
        "money": _money,
        "mw": lambda value: f"{value:,.0f}",
        "price": lambda v: f"{v:,.2f}",
    }
    scenarios = pack.problem.scenarios
    return environment.get_template("bid.html.j2").render(
        pack=pack,
        label_zh=LABEL_ZH[pack.label],
        plotly=get_plotlyjs(),
        figures={"gap": _gap_figure(pack), "curve": _curve_figure(pack), "merit": _merit_figure(pack)},
        peak=label(_peak(pack)),
        periods=_period_rows(pack),
        own=pack.outcome.expected(),
        comparison=_comparison_rows(pack),
        scenarios=[
            (name, f"{weight:.1%}", gap.sum() / 4, cost, short.sum() / 4)
            for name, weight, gap, cost, short in zip(
                scenarios.names,
                scenarios.probability,
                scenarios.gap_mw,
                pack.outcome.scenario_cost_cny(),
                pack.outcome.short_mw,
                strict=True,
            )
        ],
        cvar=pack.outcome.cvar_cny(),
        limits=list(_limit_rows(pack.limits)),
        calls=_call_rows(pack),
        merit=_merit(pack),
        decisions=_decision_rows(pack),
        forecasts=_forecast_rows(pack),
        reasons=REASON_ZH,
        clock=label,
    )


def _decision_rows(pack: BidPack) -> list[dict[str, Any]]:
    """Neighbouring periods with one decision in a row."""
    keyed = [((one.period - n, one.buy, one.reason), one) for n, one in enumerate(pack.decision)]
    rows = []
    for (_, buy, reason), group in groupby(keyed, key=lambda pair: pair[0]):
        run = [one for _, one in group]
        landed = [one.landed for one in run if one.landed is not None]
        rows.append(
            {
                "when": f"{label(run[0].period)}–{label(run[-1].period)}",
                "buy": buy,
                "reason": REASON_ZH[reason],
                "gap": max(one.gap_mw for one in run),
                "probability": (min(one.probability for one in run), max(one.probability for one in run)),
                "landed": np.mean(landed) if landed else None,
                "provincial": np.mean([one.provincial for one in run]),
                "ceiling": (min(one.ceiling for one in run), max(one.ceiling for one in run)),
                "highest": max((one.highest for one in run if one.highest is not None), default=None),
                "above": sum(one.above_ceiling for one in run),
            }
        )
    return rows


def _forecast_rows(pack: BidPack) -> list[dict[str, Any]]:
    """A row a series and model: the one used first, then what it is held against."""
    rows = []
    for one in pack.forecasts:
        order = sorted(one["scores"], key=lambda name: (name != one["model"], name))
        for model in order or [one["model"]]:
            rows.append(
                {
                    "series": f"{SERIES_ZH[one['series']]} {one['node']}",
                    "model": MODEL_ZH[model],
                    "used": model == one["model"],
                    "score": one["scores"].get(model),
                }
            )
    return rows


def repeated_page(day: date, version: int, label_zh: str, reason: str, bid: Bid, sha256: str) -> str:
    """The page of a bid that no model made: it repeats an earlier day's, or was made by hand."""
    environment = Environment(loader=PackageLoader("reports"), autoescape=True, undefined=StrictUndefined)
    return environment.get_template("bid_repeated.html.j2").render(
        day=day,
        version=version,
        reason=reason,
        bid=bid,
        sha256=sha256,
        label_zh=label_zh,
        clock=label,
    )


def _money(value: Any) -> str:
    amount = value if isinstance(value, Decimal) else Decimal(repr(float(value)))
    return f"{amount:,.2f}"


def _peak(pack: BidPack) -> int:
    """The period with the largest expected gap."""
    return int(np.argmax(pack.problem.scenarios.expected_gap_mw())) + 1


def _period_rows(pack: BidPack) -> list[dict[str, Any]]:
    scenarios, expected = pack.problem.scenarios, pack.problem.scenarios.expected_gap_mw()
    mw, capability = bid_mw(pack.bid), pack.problem.capability_mw
    imported = scenarios.probability @ pack.outcome.import_mw
    short = scenarios.probability @ pack.outcome.short_mw
    return [
        {
            "period": t,
            "time": LABELS[t - 1],
            "gap": expected[t - 1],
            "largest": scenarios.largest_gap_mw()[t - 1],
            "capability": capability[t - 1],
            "mw": mw[t - 1],
            "segments": [one for one in pack.bid if one.period == t],
            "imported": imported[t - 1],
            "short": short[t - 1],
            "next": _next_best(pack, t, float(mw[t - 1])),
        }
        for t in (int(period) for period in scenarios.at_risk())
    ]


def _next_best(pack: BidPack, t: int, bid: float) -> tuple[str, float]:
    """The cheapest means beyond the bid: the mean landed price of the next import, a programme, orderly use."""
    problem, merit = pack.problem, merit_order(pack.problem.market(t))
    following = np.where(merit.below + merit.width > bid + 1e-6, merit.landed, np.inf).min(axis=1)
    options = [
        ("需求响应 " + one.program_id, one.cny_per_mw(one.minimum_periods) / (one.minimum_periods / 4))
        for one in problem.demand_response
    ]
    options.append(("有序用电", problem.value_of_lost_load))
    if np.isfinite(following).all() and bid < problem.capability_mw[t - 1] - 1:
        options.append(("省间现货", float(problem.scenarios.probability @ following)))
    return min(options, key=lambda option: option[1])


def _comparison_rows(pack: BidPack) -> list[tuple[str, Costs, Decimal]]:
    own = pack.outcome.expected()
    return [
        ("本报价", own, Decimal(0)),
        *_others(pack, own),
    ]


def _others(pack: BidPack, own: Costs) -> list[tuple[str, Costs, Decimal]]:
    return [
        (name, outcome.expected(), yuan(outcome.expected().total_fen - own.total_fen))
        for name, outcome in pack.comparison.items()
    ]


def _limit_rows(limits: Sequence[Limit]) -> Iterable[dict[str, Any]]:
    for run in binding_runs(limits):
        first, last = run[0].period, run[-1].period
        prices = [one.shadow_price_cny_per_mwh for one in run]
        yield {
            "kind": KIND_ZH[run[0].kind],
            "name": run[0].name,
            "when": "全天" if first is None or last is None else f"{label(first)}–{label(last)}",
            "limit": (min(one.limit_mw for one in run), max(one.limit_mw for one in run)),
            "mean": float(np.mean(prices)),
            "most": max(prices),
            "unit": "元/MW·日" if first is None else "元/MWh",
        }


def _call_rows(pack: BidPack) -> list[tuple[str, str, str, str, float]]:
    """Programme, scenario, from, to, MW; calls of one programme, scenario and window joined."""
    names = pack.problem.scenarios.names
    rows = [
        (
            call.program_id,
            "随申报确定" if call.scenario is None else names[call.scenario],
            label(call.first_period),
            label(call.last_period),
            call.mw,
        )
        for call in pack.outcome.calls
    ]
    return [
        (*key, sum(row[4] for row in group)) for key, group in groupby(sorted(rows), key=lambda row: row[:4])
    ]


def _merit(pack: BidPack) -> list[dict[str, Any]]:
    """Ways to cover a MWh at the peak period, cheapest first (market.md E.4), at the scenario mean."""
    problem, t = pack.problem, _peak(pack)
    probability = problem.scenarios.probability
    options = []
    for p, path_id in enumerate(problem.supply.path_ids):
        landed = problem.landed[:, p, t - 1]
        if np.isfinite(landed).all():
            mean = float(probability @ landed)
            carried = float(
                problem.supply.carried(
                    np.where(np.arange(len(problem.supply.path_ids)) == p, 0.0, np.nan), t
                ).sum()
            )
            options.append(("省间现货 " + path_id, mean, float(landed.min()), float(landed.max()), carried))
    for programme in problem.demand_response:
        prices = [programme.cny_per_mw(n) / (n / 4) for n in programme.lengths()]
        options.append(
            (
                "需求响应 " + programme.program_id,
                min(prices),
                min(prices),
                max(prices),
                programme.capability_mw,
            )
        )
    lost = problem.value_of_lost_load
    options.append(("失负荷", lost, lost, lost, float("inf")))
    names = ("name", "price", "low", "high", "mw")
    return [dict(zip(names, option, strict=True)) for option in sorted(options, key=lambda one: one[1])]


def _gap_figure(pack: BidPack) -> str:
    scenarios = pack.problem.scenarios
    figure = go.Figure()
    shares = sorted(pack.fan)
    for low, high in zip(shares[: len(shares) // 2], reversed(shares), strict=False):
        figure.add_scatter(
            x=LABELS, y=pack.fan[high].round(1), line={"width": 0}, showlegend=False, hoverinfo="skip"
        )
        figure.add_scatter(
            x=LABELS,
            y=pack.fan[low].round(1),
            fill="tonexty",
            fillcolor="rgba(31,95,168,0.16)",
            line={"width": 0},
            name=f"{low:.0%}–{high:.0%} 分位",
        )
    figure.add_scatter(
        x=LABELS, y=scenarios.expected_gap_mw().round(1), line={"color": BLUE}, name="情景期望缺口"
    )
    figure.add_scatter(x=LABELS, y=bid_mw(pack.bid), line={"color": RED, "shape": "hvh"}, name="申报电力")
    figure.add_scatter(
        x=LABELS,
        y=np.where(np.isfinite(pack.problem.capability_mw), pack.problem.capability_mw, np.nan).round(1),
        line={"color": GREY, "dash": "dot"},
        name="通道合计能力",
    )
    return _html(figure, "gap", "时刻", "MW")


def _curve_figure(pack: BidPack) -> str:
    problem, t = pack.problem, _peak(pack)
    figure = go.Figure()
    merit = merit_order(problem.market(t))
    for s, name in enumerate(problem.scenarios.names):
        offered = np.isfinite(merit.landed[s]) & np.isfinite(merit.width[s]) & (merit.width[s] > 0)
        landed = merit.landed[s][offered]
        power = np.concatenate([[0.0], np.cumsum(merit.width[s][offered])])
        price = np.append(landed, landed[-1:])
        figure.add_scatter(
            x=power.round(1), y=price.round(2), line={"shape": "hv", "color": GREY, "width": 1}, name=name
        )
    segments = [one for one in pack.bid if one.period == t]
    if segments:
        bid_power = np.concatenate([[0], np.cumsum([one.mw for one in segments])])
        bid_price = [one.price_cny_per_mwh for one in segments]
        figure.add_scatter(
            x=bid_power,
            y=[*bid_price, bid_price[-1]],
            line={"shape": "hv", "color": RED, "width": 3},
            name="申报曲线",
        )
    figure.add_vline(
        x=float(problem.scenarios.expected_gap_mw()[t - 1]), line={"color": BLUE, "dash": "dash"}
    )
    return _html(figure, "curve", "受端累计电力 MW", "落地价 元/MWh")


def _merit_figure(pack: BidPack) -> str:
    options = [option for option in _merit(pack) if np.isfinite(option["mw"])]
    figure = go.Figure(
        go.Bar(
            x=[option["name"] for option in options],
            y=[round(option["price"], 2) for option in options],
            text=[f"{option['mw']:,.0f} MW" for option in options],
            marker={"color": [GREEN if option["name"].startswith("需求") else BLUE for option in options]},
        )
    )
    return _html(figure, "merit", "", "元/MWh")


def _html(figure: go.Figure, name: str, x: str, y: str) -> str:
    figure.update_layout(
        template="plotly_white",
        height=340,
        margin={"l": 60, "r": 20, "t": 16, "b": 48},
        font={"color": INK, "size": 12},
        xaxis={"title": {"text": x}, "nticks": 14},
        yaxis={"title": {"text": y}},
        legend={"orientation": "h", "y": 1.12},
    )
    return str(figure.to_html(full_html=False, include_plotlyjs=False, div_id=f"figure-{name}", config=PLAIN))
