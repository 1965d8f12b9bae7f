"""What a given bid leads to under the scenarios: by the rule of the model, or by the market's own clearing.

``import_by_rule`` meets the dearest bids first, on the cheapest paths, up to transfer capability, each MW at the
mean of its bid and the landed price it meets; it takes any bid, also one the model would not consider, so that a
flat bid and the model's bid are measured alike. ``import_by_clearing`` runs the session instead and is exact
about the price (the last pair at a node sets it, S14 4.3.3), given one segment of offers a seller node.
Demand response and shortage then follow as in the model.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import pyomo.environ as pyo

from market.periods import PERIODS
from optimization.bid_model import highs
from optimization.clearing import Clearing
from optimization.clearing import clear as market_clearing
from optimization.forecast import FloatArray
from optimization.purchase import HOURS, Bid, Call, Outcome, Procurement, bid_frame, bid_of
from optimization.response import add_response

SMALLEST_CALL_MW = 1e-3
Clear = Callable[[pd.DataFrame, pd.DataFrame, pd.DataFrame, pd.DataFrame], Clearing]


@dataclass(frozen=True)
class Imports:
    """mw, cost_cny: (scenarios, 96) at the buyer node and what is paid for it; path_mw: (scenarios, paths, 96)."""

    mw: FloatArray
    cost_cny: FloatArray
    path_mw: FloatArray


def import_by_rule(bid: Bid, problem: Procurement) -> Imports:
    """Imports of every scenario: dearest bids first, cheapest paths first, (bid + landed) / 2 a MWh (A.8.2)."""
    supply, landed = problem.supply, problem.landed
    imports = _nothing(problem)
    falling: dict[int, list[tuple[int, int]]] = {}
    for one in sorted(bid):
        falling.setdefault(one.period, []).append((one.price_cny_per_mwh, one.mw))
    for t, segments in falling.items():
        for s in range(len(imports.mw)):
            room = supply.atc_mw[:, t - 1].copy()
            for price, mw in segments:
                left = float(mw)
                for p in np.argsort(landed[s, :, t - 1], kind="stable"):
                    if left <= 0 or not landed[s, p, t - 1] <= price:
                        break
                    at_buyer = min(left, float(room[supply.uses[p]].min(initial=np.inf) * supply.coe[p]))
                    room[supply.uses[p]] -= at_buyer / supply.coe[p]
                    left -= at_buyer
                    imports.path_mw[s, p, t - 1] += at_buyer
                    imports.mw[s, t - 1] += at_buyer
                    imports.cost_cny[s, t - 1] += HOURS * at_buyer * (price + landed[s, p, t - 1]) / 2
    return imports


def import_by_clearing(
    bid: Bid, problem: Procurement, paths: pd.DataFrame, clear: Clear = market_clearing
) -> Imports:
    """Imports of every scenario as cleared against one offer a seller node and period at the scenario's price.

    An offer is as large as the transfer capability of its paths (or the bid, where nothing limits). paths: as for
    clear(); only those that end at the problem's buyer node should be given.
    """
    imports = _nothing(problem)
    if not bid:
        return imports
    supply = problem.supply
    bids = bid_frame(bid, supply.buyer_node)
    atc = _atc_frame(problem)
    position = {path_id: p for p, path_id in enumerate(supply.path_ids)}
    for s in range(len(imports.mw)):
        cleared = clear(_offers(bid, problem, s), bids, paths, atc)
        bought = cleared.trades.merge(cleared.landed_prices, on=["period", "path_id"])
        columns = (bought[name].tolist() for name in ("period", "path_id", "buy_mw", "price_cny_per_mwh"))
        for t, path_id, mw, price in zip(*columns, strict=True):
            imports.path_mw[s, position[path_id], t - 1] += mw
            imports.mw[s, t - 1] += mw
            imports.cost_cny[s, t - 1] += HOURS * mw * price
    return imports


def outcome(imports: Imports, problem: Procurement) -> Outcome:
    """Demand response, shortage and surplus of least cost once the imports are given."""
    at_risk = problem.scenarios.largest_gap_mw() > 0
    periods = [int(t) for t in np.flatnonzero(at_risk | (imports.mw > 0).any(axis=0)) + 1]
    shape = imports.mw.shape
    response, short, surplus = np.zeros(shape), np.zeros(shape), np.zeros(shape)
    cost = np.zeros((shape[0], 4))
    cost[:, 0] = imports.cost_cny.sum(axis=1)
    calls: tuple[Call, ...] = ()
    if periods:
        model: Any = pyo.ConcreteModel()
        add_response(model, problem, periods, lambda s, t: float(imports.mw[s, t - 1]))
        probability = problem.scenarios.probability
        model.expected_cost = pyo.Objective(
            expr=sum(
                float(probability[s])
                * (model.response_cost[s] + model.shortage_cost[s] - model.surplus_value[s])
                for s in range(shape[0])
            )
        )
        highs(model).solution_loader.load_vars()
        for s in range(shape[0]):
            cost[s, 1:] = (
                pyo.value(model.response_cost[s]),
                pyo.value(model.shortage_cost[s]),
                -pyo.value(model.surplus_value[s]),
            )
            for t in periods:
                response[s, t - 1] = pyo.value(model.response_mw[s, t])
                short[s, t - 1] = model.short[s, t].value
                surplus[s, t - 1] = model.surplus[s, t].value
        calls = tuple(_calls(model, problem))
    return Outcome(imports.mw, response, short, surplus, cost, problem.scenarios.probability, calls)


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


def _calls(model: Any, problem: Procurement) -> Iterator[Call]:
    for (s, j, first, length), mw in sorted(model.event.items()):
        if mw.value > SMALLEST_CALL_MW:
            programme = problem.demand_response[j].program_id
            yield Call(programme, None if s < 0 else s, first, first + length - 1, float(mw.value))


def _nothing(problem: Procurement) -> Imports:
    scenarios, paths = len(problem.scenarios.names), len(problem.supply.path_ids)
    return Imports(
        np.zeros((scenarios, PERIODS)), np.zeros((scenarios, PERIODS)), np.zeros((scenarios, paths, PERIODS))
    )


def _offers(bid: Bid, problem: Procurement, s: int) -> pd.DataFrame:
    supply = problem.supply
    rows = []
    for t in sorted({one.period for one in bid}):
        wanted = sum(one.mw for one in bid if one.period == t)
        for n, node in enumerate(supply.seller_nodes):
            price = problem.scenarios.seller_price[s, n, t - 1]
            if np.isfinite(price):
                limits = [
                    supply.atc_mw[supply.uses[p], t - 1].min(initial=np.inf)
                    for p in np.flatnonzero(supply.seller == n)
                ]
                at_seller = wanted / supply.coe.min()
                rows.append((node, t, 1, float(min(sum(limits), at_seller)), float(price)))
    return pd.DataFrame(rows, columns=["node", "period", "segment", "mw", "price_cny_per_mwh"])


def _atc_frame(problem: Procurement) -> pd.DataFrame:
    supply = problem.supply
    rows = [
        (section_id, t + 1, float(supply.atc_mw[n, t]))
        for n, section_id in enumerate(supply.section_ids)
        for t in range(PERIODS)
        if np.isfinite(supply.atc_mw[n, t])
    ]
    return pd.DataFrame(rows, columns=["section_id", "period", "mw"])
