"""After the day (事后分析): what the bid bought, what it gained, what it cost more than it had to, and why.

The bid is the version handed in, else the newest. The morning is read as it was known before its gate; only the
truth of the day (actual load, wind and sun, offers or node prices, trades) comes from afterwards.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from jobs.bid_forecasts import SELLER_PRICE
from jobs.bid_inputs import BidInputs, provincial_prices, read_inputs
from jobs.bid_reading import Known, read_curves, read_system
from jobs.bid_store import BidResult, NoBidYetError, bid_of_file, versions_of
from jobs.bid_terms import INTRADAY, intraday_that_came
from market.money import yuan
from market.periods import Month
from market.profiles import profile
from optimization.evaluation import called_with_the_bid, imports, outcome
from optimization.forecast import FloatArray
from optimization.forecast_score import accuracy
from optimization.hindsight import bid_against_market, earned, regret
from optimization.purchase import Procurement
from optimization.scenarios import Scenarios
from reports.bid_words import CAUSE_ZH
from reports.review_page import review_page
from warehouse.home import Home
from warehouse.records import read_records


class DayNotOverError(LookupError):
    """What came of the day is not in the warehouse; the sentence names it."""


@dataclass(frozen=True)
class Review:
    """facts: the record. file, page: where it and the page *Purchase review* lie."""

    facts: dict[str, Any]
    file: Path
    page: Path

    def lines(self, lang: str = "zh") -> Iterator[str]:
        """For the terminal."""
        facts = self.facts
        parts = facts["regret_cny"]
        named = "；".join(f"{CAUSE_ZH[name] if lang == 'zh' else name} {parts[name]}" for name in CAUSE_ZH)
        if lang == "zh":
            yield f"{facts['period']}：成交 {facts['cleared_mwh']} MWh，执行 {facts['executed_mwh']} MWh，相对省内价收益(暂估) {facts['gain_cny']} 元"
            yield f"费用 {facts['cost_cny']} 元，比事后最优多 {parts['total']} 元：{named}"
        else:
            yield f"{facts['period']}: {facts['cleared_mwh']} MWh cleared, {facts['executed_mwh']} executed, provisional gain {facts['gain_cny']} 元"
            yield f"cost {facts['cost_cny']} 元, {parts['total']} above hindsight: {named}"
        for name, score in facts.get("accuracy", {}).items():
            rank = "–" if score["rank"] is None else f"{score['rank']:.2f}"
            yield f"{name}: {score['mean_error']:.1f}, ρ {rank}, {score['dear_found']:.0%}"
        yield str(self.file)
        yield str(self.page)


def review_day(home: Home, day: date) -> Review:
    """Review one day that has a bid. Raises NoBidYetError, DayNotOverError, BidInputsMissingError."""
    shown = _bid(home, day)
    bid, inputs = bid_of_file(shown.file), _morning(home, shown)
    truth, series = _truth(home, inputs)
    planned = outcome(imports(bid, inputs.problem), inputs.problem)
    lost = regret(bid, truth, called_with_the_bid(planned.calls, inputs.problem))
    cleared, executed, landed = _bought(home, inputs, truth)
    provincial = _provincial(home, inputs)
    rows = earned(bid, cleared, landed, provincial) if provincial is not None else []
    facts = {
        "period": day.isoformat(),
        "bid_version": shown.version,
        "label": shown.label,
        "cost_cny": str(yuan(lost.cost_fen)),
        "regret_cny": {
            "total": str(yuan(lost.total_fen)),
            **{name: str(yuan(getattr(lost, f"{name}_fen"))) for name in CAUSE_ZH},
        },
        "headlines": _headlines(home, day, day + timedelta(days=1), truth.supply.buyer_node),
        "cleared_mwh": f"{cleared.sum() / 4:.3f}",
        "executed_mwh": f"{executed.sum() / 4:.3f}",
        "gain_cny": str(yuan(sum(one.gain_fen for one in rows))) if provincial is not None else None,
        "segments": [asdict(one) for one in rows],
        "periods": bid_against_market(bid, cleared, executed),
        "accuracy": {name: asdict(accuracy(*pair)) for name, pair in series.items()},
    }
    return _kept(home, facts, [facts])


def review_month(home: Home, month: Month) -> Review:
    """The days of a month that have a bid and are over, summed. Raises NoBidYetError where there is none."""
    days, left_out = [], {}
    home_node = profile("SD_2022").settled[0].home_node
    for day in month.days():
        if not versions_of(home, day):
            continue
        try:
            days.append(review_day(home, day).facts)
        except LookupError as missing:
            left_out[day.isoformat()] = str(missing)
    if not days:
        raise NoBidYetError(
            f"No day of {month} has a bid that can be reviewed; {left_out or 'make bids first'}."
        )

    def total(values: Iterator[str]) -> str:
        return str(yuan(sum(round(float(value) * 100) for value in values)))

    facts = {
        "period": str(month),
        "days": [one["period"] for one in days],
        "headlines": _headlines(home, month.first, month.after, home_node),
        "left_out": left_out,
        "cost_cny": total(one["cost_cny"] for one in days),
        "regret_cny": {name: total(one["regret_cny"][name] for one in days) for name in ("total", *CAUSE_ZH)},
        "cleared_mwh": f"{sum(float(one['cleared_mwh']) for one in days):.3f}",
        "executed_mwh": f"{sum(float(one['executed_mwh']) for one in days):.3f}",
        "gain_cny": total(one["gain_cny"] for one in days if one["gain_cny"] is not None),
        "sessions": sum(float(one["cleared_mwh"]) > 0 for one in days),
        "largest_mw": max((row["cleared_mw"] for one in days for row in one["periods"]), default=0.0),
    }
    return _kept(home, facts, days)


def _bid(home: Home, day: date) -> BidResult:
    versions = versions_of(home, day)
    if not versions:
        raise NoBidYetError(f"There is no bid for {day}; run `gridsettle bid {day}`.")
    handed = [one for one in versions if (one.file.parent / "handed_in" / one.file.name).is_file()]
    return (handed or versions)[-1]


def _morning(home: Home, shown: BidResult) -> BidInputs:
    """The morning of a bid again, from the deliveries its record names: nothing that came later can enter.

    A bid that no model judged names none; it is read as known when its window closed.
    """
    named = [one["delivery_id"] for one in shown.facts.get("inputs", ())]
    rules = profile(shown.facts.get("profile", "IPSPOT_2022_TRIAL")).traded
    known = Known(delivered=frozenset(named)) if named else Known(as_of=shown.session.gate(shown.day, rules))
    return read_inputs(
        home,
        shown.day,
        session=shown.session,
        known=known,
        scenario_count=shown.facts.get("scenario_count", 6),
        seed=shown.facts.get("seed", 0),
    )


def _truth(home: Home, inputs: BidInputs) -> tuple[Procurement, dict[str, tuple[FloatArray, FloatArray]]]:
    """The day with the one scenario that came, and (forecast, actual) of what was forecast."""
    day, node, own = inputs.day, inputs.node, inputs.problem.supply
    after = day + timedelta(days=1)
    known = read_system(home, day, after, ("load_actual", "wind_actual", "solar_actual"))
    actual = {name: known.get((f"{name}_actual", node), {}).get(day) for name in ("load", "wind", "solar")}
    load = actual["load"]
    if load is None or not np.isfinite(load).all():
        raise DayNotOverError(
            f"There is no complete load_actual of {day}; ingest the system table of that day."
        )
    balance = inputs.balance
    wind, solar = (
        forecast if actual[name] is None else actual[name]
        for name, forecast in (("wind", balance.wind), ("solar", balance.solar))
    )
    came = replace(balance, load=load, wind=wind, solar=solar)
    prices = read_curves(home, "prices", day, after, ("node", "stage"))
    at_nodes = [
        prices.get((seller, "day_ahead"), {}).get(day, np.full(96, np.nan)) for seller in own.seller_nodes
    ]
    offer_price, offer_mw = _offers(home, day, own.seller_nodes)
    scenario = Scenarios(
        names=("truth",),
        probability=np.ones(1),
        seller_nodes=own.seller_nodes,
        gap_mw=np.maximum(came.shortage_mw(), 0.0)[None],
        seller_price=np.array(at_nodes)[None],
        offer_price=offer_price,
        offer_mw=offer_mw,
    )
    series = {"load": (balance.load, load)}
    forecasts = {one.node: one.curve for one in inputs.outlooks if one.series == SELLER_PRICE}
    for seller, came_at in zip(own.seller_nodes, at_nodes, strict=True):
        if seller in forecasts and np.isfinite([forecasts[seller], came_at]).all():
            series[seller] = (forecasts[seller], came_at)
    problem = inputs.problem
    terms = [one.expected(problem.scenarios.probability) for one in problem.commitments]
    terms = [intraday_that_came(home, node, day, one) if one.name == INTRADAY else one for one in terms]
    return problem.under(scenario, tuple(terms)), series


def _offers(home: Home, day: date, nodes: tuple[str, ...]) -> tuple[FloatArray | None, FloatArray | None]:
    """The day's offers where they were disclosed afterwards, else None: node prices for any MW."""
    rows = read_records(home, "offers", first=day, after=day + timedelta(days=1))
    rows = rows[(rows["stage"] == "day_ahead") & rows["node"].isin(nodes)]
    if rows.empty:
        return None, None
    steps = int(rows["segment"].max())
    price, mw = np.full((1, len(nodes), steps, 96), np.nan), np.zeros((1, len(nodes), steps, 96))
    for one in rows.itertuples():
        place = (0, nodes.index(one.node), int(one.segment) - 1, int(one.period) - 1)
        price[place], mw[place] = float(one.price_cny_per_mwh), float(one.mw)
    return price, mw


def _bought(home: Home, inputs: BidInputs, truth: Procurement) -> tuple[FloatArray, FloatArray, FloatArray]:
    """(96,) MW cleared and executed in the day-ahead trades, and their mean landed price."""
    day = inputs.day
    rows = read_records(home, "trades", first=day, after=day + timedelta(days=1))
    rows = rows[(rows["stage"] == "day_ahead") & (rows["buyer_node"] == truth.supply.buyer_node)]
    cleared, executed, money = np.zeros(96), np.zeros(96), np.zeros(96)
    for one in rows.itertuples():
        t = int(one.period) - 1
        cleared[t] += float(one.buy_mw)
        executed[t] += float(one.executed_buy_mw)
        money[t] += float(one.buy_mw) * float(one.landed_price)
    return cleared, executed, np.divide(money, cleared, out=np.zeros(96), where=cleared > 0)


def _provincial(home: Home, inputs: BidInputs) -> FloatArray | None:
    """(96,) mean day-ahead price of the home nodes, None before it is published."""
    day = inputs.day
    prices = read_curves(home, "prices", day, day + timedelta(days=1), ("node", "stage"))
    return provincial_prices(prices, set(inputs.problem.supply.seller_nodes)).get(day)


def _headlines(home: Home, first: date, after: date, node: str) -> dict[str, Any]:
    """Of all sessions that brought something: how many, MWh, and the largest import of a period over all of them."""
    rows = read_records(home, "trades", first=first, after=after)
    rows = rows[rows["buyer_node"] == node]
    bought = [
        (one.date, one.stage, int(one.round), int(one.period), float(one.buy_mw)) for one in rows.itertuples()
    ]
    sessions = {(day, stage, number) for day, stage, number, _, mw in bought if mw > 0}
    by_period: dict[tuple[date, int], float] = {}
    for day, _, _, period, mw in bought:
        by_period[day, period] = by_period.get((day, period), 0.0) + mw
    return {
        "sessions": len(sessions),
        "mwh": round(sum(by_period.values()) / 4, 3),
        "largest_mw": round(max(by_period.values(), default=0.0), 3),
    }


def _kept(home: Home, facts: dict[str, Any], days: list[dict[str, Any]]) -> Review:
    file = home.reports / "reviews" / f"review_{facts['period']}.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(facts, ensure_ascii=False, indent=1), encoding="utf-8")
    page = file.with_suffix(".html")
    page.write_text(review_page(facts["period"], facts, days), encoding="utf-8")
    return Review(facts, file, page)
