"""What a given bid leads to under the scenarios, as the market's own clearing decides it.

``imports`` clears a bid against the offers of every scenario by array operations, ``import_by_clearing`` by
``optimization.clearing`` itself; a test keeps them equal, and every published figure comes from the second.
Demand response, shortage and surplus then follow as in the model that chose the bid.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import pyomo.environ as pyo

from market.periods import PERIODS
from optimization import solver as solvers
from optimization.clearing import Clearing
from optimization.clearing import clear as market_clearing
from optimization.forecast import FloatArray
from optimization.purchase import HOURS, Bid, Call, Outcome, Procurement, bid_frame, bid_of, curves_of
from optimization.response import WITH_THE_BID, Fixed, add_response, add_risk
from optimization.single_buyer import clear_periods

SMALLEST_CALL_MW = 1e-3
Clear = Callable[[pd.DataFrame, pd.DataFrame, pd.DataFrame, pd.DataFrame], Clearing]


@dataclass(frozen=True)
class Imports:
    """mw, cost_cny: (scenarios, 96) at the buyer node and what is paid for it; path_mw: (scenarios, paths, 96)."""

    mw: FloatArray
    cost_cny: FloatArray
    path_mw: FloatArray


def imports(bid: Bid, problem: Procurement) -> Imports:
    """Imports of every scenario as cleared, period by period (profiles without a ramp)."""
    found = _nothing(problem)
    curves = curves_of(bid)
    judged = clear_periods([problem.market(t) for t in curves], [[curve] for curve in curves.values()])
    for t, cleared in zip(curves, judged, strict=True):
        found.mw[:, t - 1] = cleared.mw[0]
        found.cost_cny[:, t - 1] = cleared.cost_cny[0]
        found.path_mw[:, :, t - 1] = cleared.path_mw[0]
    return found


def import_by_clearing(
    bid: Bid, problem: Procurement, paths: pd.DataFrame, clear: Clear = market_clearing
) -> Imports:
    """The same by clear(). paths: as for clear(); only those that end at the problem's buyer node."""
    found = _nothing(problem)
    if not bid:
        return found
    supply = problem.supply
    bids = bid_frame(bid, supply.buyer_node)
    atc = atc_frame(problem)
    position = {path_id: p for p, path_id in enumerate(supply.path_ids)}
    for s in range(len(found.mw)):
        cleared = clear(offer_frame(bid, problem, s), bids, paths, atc)
        price = cleared.seller_prices.rename(columns={"node": "seller_node", "price_cny_per_mwh": "sold_at"})
        bought = cleared.trades.merge(price, on=["period", "seller_node"])
        columns = (bought[name].tolist() for name in ("period", "path_id", "buy_mw", "sold_at"))
        for t, path_id, mw, sold_at in zip(*columns, strict=True):
            p = position[path_id]
            found.path_mw[s, p, t - 1] += mw
            found.mw[s, t - 1] += mw
            # what seller and section owners earn is what the buyer pays (S14 7.3; ruling 5)
            found.cost_cny[s, t - 1] += HOURS * mw * (sold_at + supply.price_coe[p]) / supply.coe[p]
    return found


def outcome(found: Imports, problem: Procurement, fixed: Fixed | None = None) -> Outcome:
    """Demand response, commitments, shortage and surplus of least cost and risk once the imports are given.

    fixed: events called with the bid that were decided before the scenario was known.
    """
    at_risk = problem.scenarios.largest_gap_mw() > 0
    called = np.zeros(PERIODS, dtype=np.bool_)
    for _, first, length in fixed or {}:
        called[first - 1 : first - 1 + length] = True
    periods = [int(t) for t in np.flatnonzero(at_risk | (found.mw > 0).any(axis=0) | called) + 1]
    shape = found.mw.shape
    response, short, surplus = np.zeros(shape), np.zeros(shape), np.zeros(shape)
    cost = np.zeros((shape[0], 5))
    cost[:, 0] = found.cost_cny.sum(axis=1)
    calls: tuple[Call, ...] = ()
    if periods:
        model: Any = pyo.ConcreteModel()
        add_response(model, problem, periods, lambda s, t: float(found.mw[s, t - 1]), fixed)
        add_risk(model, problem, lambda s: float(cost[s, 0]))
        answer = solvers.run(model)
        if not answer.found:
            raise RuntimeError(f"Demand response for the given imports has no optimum ({answer.reason}).")
        for s in range(shape[0]):
            ways = [pyo.value(model.way_cost[k, s]) for k in range(len(problem.ways_out))]
            cost[s, 1:] = (pyo.value(model.response_cost[s]), ways[0], ways[1], sum(ways[2:]))
            for t in periods:
                response[s, t - 1] = pyo.value(model.response_mw[s, t])
                short[s, t - 1] = model.up[0, s, t].value
                surplus[s, t - 1] = model.down[1, s, t].value
        calls = tuple(_calls(model, problem))
    return Outcome(found.mw, response, short, surplus, cost, problem.scenarios.probability, calls)


def flat_bid(problem: Procurement, price: int) -> Bid:
    """The expected gap in one segment at one price, cut to what may be bid: what a desk without a model would do."""
    need = np.minimum(np.ceil(problem.scenarios.expected_gap_mw() - 1e-9), problem.bid_limit_mw())
    return bid_of((t, int(need[t - 1]), price) for t in range(1, PERIODS + 1))


def rule_bid(problem: Procurement) -> Bid:
    """The fallback without a solver: the expected gap at the near-certain price of the dearest path it needs.

    Near-certain is the highest landed price of any scenario; at the forecast price a bid would fail in every other
    one. A period without any price is bid at the cap.
    """
    floor, cap = int(problem.rules.floor_cny_per_mwh), int(problem.rules.cap_cny_per_mwh)
    dearest = np.where(np.isnan(problem.landed), -np.inf, problem.landed).max(axis=0)
    steps = []
    for one in flat_bid(problem, cap):
        landed = np.where(np.isfinite(dearest[:, one.period - 1]), dearest[:, one.period - 1], np.nan)
        carried = problem.supply.carried(landed, one.period)
        price, filled = float(cap), 0.0
        for p in np.argsort(landed, kind="stable"):
            if filled >= one.mw or np.isnan(landed[p]):
                break
            price, filled = float(landed[p]), filled + carried[p]
        steps.append((one.period, one.mw, min(cap, max(floor, int(np.ceil(price - 1e-9))))))
    return bid_of(steps)


def called_with_the_bid(calls: tuple[Call, ...], problem: Procurement) -> dict[tuple[int, int, int], float]:
    """The events of an outcome that were decided with the bid, as ``fixed`` of another outcome."""
    place = {programme.program_id: j for j, programme in enumerate(problem.demand_response)}
    found: dict[tuple[int, int, int], float] = {}
    for one in calls:
        if one.scenario is None:
            key = (place[one.program_id], one.first_period, one.last_period - one.first_period + 1)
            found[key] = found.get(key, 0.0) + one.mw
    return found


def _calls(model: Any, problem: Procurement) -> Iterator[Call]:
    for (s, j, first, length), mw in sorted(model.event.items()):
        if mw.value > SMALLEST_CALL_MW:
            programme = problem.demand_response[j].program_id
            scenario = None if s == WITH_THE_BID else s
            yield Call(programme, scenario, first, first + length - 1, float(mw.value))


def _nothing(problem: Procurement) -> Imports:
    scenarios, paths = len(problem.scenarios.names), len(problem.supply.path_ids)
    return Imports(
        np.zeros((scenarios, PERIODS)), np.zeros((scenarios, PERIODS)), np.zeros((scenarios, paths, PERIODS))
    )


def offer_frame(bid: Bid, problem: Procurement, s: int) -> pd.DataFrame:
    """The offers of scenario s in the periods of the bid, as clear() takes them.

    An offer without limit is as large as the capability of its paths, or the bid where nothing limits.
    """
    supply = problem.supply
    prices, powers = problem.offers
    rows = []
    for t in sorted({one.period for one in bid}):
        wanted = sum(one.mw for one in bid if one.period == t)
        for n, node in enumerate(supply.seller_nodes):
            limits = [
                supply.atc_mw[supply.uses[p], t - 1].min(initial=np.inf)
                for p in np.flatnonzero(supply.seller == n)
            ]
            most = float(min(sum(limits), wanted / supply.coe.min() + 1))
            for k in range(prices.shape[2]):
                price, mw = prices[s, n, k, t - 1], powers[s, n, k, t - 1]
                if np.isfinite(price) and mw > 0:
                    rows.append((node, t, k + 1, min(float(mw), most), float(price)))
    return pd.DataFrame(rows, columns=["node", "period", "segment", "mw", "price_cny_per_mwh"])


def atc_frame(problem: Procurement) -> pd.DataFrame:
    """section_id, period, mw of the limited sections."""
    supply = problem.supply
    rows = [
        (section_id, t + 1, float(supply.atc_mw[n, t]))
        for n, section_id in enumerate(supply.section_ids)
        for t in range(PERIODS)
        if np.isfinite(supply.atc_mw[n, t])
    ]
    return pd.DataFrame(rows, columns=["section_id", "period", "mw"])
