"""Candidate curves of every period: searched, varied, and cleared against every scenario (decision 0029).

The first candidates answer the gap as it is and the gap less all demand response; the second what a first choice left
open: its response, the weights of its tail, and variations of the curve it chose.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from optimization.curve_search import MeritOrder, Worth, merit_order, mw_grid, price_levels, search
from optimization.purchase import HOURS, Procurement, bid_of
from optimization.single_buyer import Cleared, Curve, FloatArray, PeriodMarket, clear_periods

MW_STEPS = (-0.25, -0.1, -0.04, 0.04, 0.1, 0.25)  # variations of a chosen segment
NEIGHBOUR_PRICES = 2
EVEN_SHARES = np.array([0.25, 0.5, 0.75])  # of what may be bid: a surplus can be worth its price
RAMP_STEPS = 12
FEW_SCENARIOS = 3  # the MW at which offers end count for a curve only where there are few


@dataclass
class Period:
    """A period's market, the prices worth bidding in it, and the curves judged so far; the first buys nothing."""

    market: PeriodMarket
    merit: MeritOrder
    limit_mw: int
    levels: list[int]
    curves: list[Curve] = field(default_factory=list)
    cleared: list[Cleared] = field(default_factory=list)

    def mw(self) -> FloatArray:
        return np.concatenate([one.mw for one in self.cleared])

    def cost(self) -> FloatArray:
        return np.concatenate([one.cost_cny for one in self.cleared])

    def path_mw(self) -> FloatArray:
        return np.concatenate([one.path_mw for one in self.cleared])


def first_candidates(problem: Procurement) -> dict[int, Period]:
    """Every open period with its first curves, cleared."""
    limit, state = problem.bid_limit_mw(), {}
    floor, cap = int(problem.rules.floor_cny_per_mwh), int(problem.rules.cap_cny_per_mwh)
    for t in problem.open_periods():
        market, most = problem.market(t), int(limit[t - 1])
        merit = merit_order(market)
        state[t] = Period(market, merit, most, price_levels(merit, most, floor, cap))
    judge(state, {t: [(), *_first_curves(problem, one, t)] for t, one in state.items()})
    return state


def add_second_candidates(
    problem: Procurement,
    state: dict[int, Period],
    chosen: dict[int, int],
    response_mw: FloatArray,
    tail: FloatArray,
) -> None:
    """Curves for what a choice left open. response_mw: (scenarios, 96) it called; tail: (scenarios,) of its CVaR."""
    weight = problem.scenarios.probability + problem.risk_weight * tail
    judge(
        state,
        {
            t: _second_curves(problem, one, t, one.curves[chosen[t]], response_mw[:, t - 1], weight)
            for t, one in state.items()
        },
    )


def judge(state: dict[int, Period], curves: dict[int, list[Curve]]) -> None:
    """Clear what is new of every period's curves."""
    fresh = {t: [one for one in dict.fromkeys(curves[t]) if one not in set(state[t].curves)] for t in curves}
    fresh = {t: own for t, own in fresh.items() if own}
    cleared = clear_periods([state[t].market for t in fresh], list(fresh.values()))
    for (t, own), found in zip(fresh.items(), cleared, strict=True):
        state[t].curves += own
        state[t].cleared.append(found)


def best_alone(problem: Procurement, one: Period, t: int) -> int:
    """The curve of least expected cost if nothing but orderly use closed the gap."""
    gap, mw = problem.scenarios.gap_mw[:, t - 1], one.mw()
    short, surplus = np.maximum(gap - mw, 0.0), np.maximum(mw - gap, 0.0)
    left = problem.value_of_lost_load * short - float(problem.provincial_price[t - 1]) * surplus
    return int(np.argmin((one.cost() + HOURS * left) @ problem.scenarios.probability))


def _first_curves(problem: Procurement, one: Period, t: int) -> list[Curve]:
    """Curves for the gap as it is and for the gap less all demand response."""
    gap = problem.scenarios.gap_mw[:, t - 1]
    called = sum(programme.capability_mw for programme in problem.demand_response)
    weight = problem.scenarios.probability
    grid = _grid(one, gap, called + _flexible_mw(problem, t))
    found = [
        curve
        for response in dict.fromkeys((0.0, called))
        for curve in _searched(problem, one, t, np.full_like(gap, response), weight, grid)
    ]
    if problem.rules.ramp_mw is not None:  # a ramp asks for MW in between that no period wants by itself
        dearest = max((price for curve in found for _, price in curve), default=0)
        steps = np.linspace(0, one.limit_mw, RAMP_STEPS + 1)[1:]
        found += [((int(mw), dearest),) for mw in steps if int(mw) > 0 and found]
    return found


def _second_curves(
    problem: Procurement, one: Period, t: int, chosen: Curve, response: FloatArray, weight: FloatArray
) -> list[Curve]:
    gap = problem.scenarios.gap_mw[:, t - 1]
    found = _searched(problem, one, t, response, weight, _grid(one, gap, response + _flexible_mw(problem, t)))
    return [*found, *_variations(problem, one, chosen, gap - response)]


def _searched(
    problem: Procurement, one: Period, t: int, response: FloatArray, weight: FloatArray, grid: Any
) -> list[Curve]:
    if not one.levels or one.limit_mw < 1:
        return []
    worth = _worth(problem, t, response, weight)
    return [curve for _, curve in search(one.merit, one.levels, grid, worth, problem.rules.segments) if curve]


def _grid(one: Period, gap: FloatArray, response: FloatArray) -> Any:
    ends = (one.merit.below + one.merit.width)[np.isfinite(one.merit.landed)]
    least, most = float((gap - response).min(initial=0.0)), float(gap.max())
    steps = ends[(ends > least) & (ends < most)] if gap.size <= FEW_SCENARIOS else ends[:0]
    return mw_grid(
        np.concatenate([gap, gap - response, steps, one.limit_mw * EVEN_SHARES]), max(one.limit_mw, 1)
    )


def _flexible_mw(problem: Procurement, t: int) -> FloatArray:
    """(scenarios,) MW the commitments can close."""
    gap = problem.scenarios.gap_mw
    ways = [np.broadcast_to(way.up_mw, gap.shape)[:, t - 1] for way in problem.commitments]
    return np.asarray(np.sum([np.zeros(len(gap)), *ways], axis=0))


def _worth(problem: Procurement, t: int, response: FloatArray, weight: FloatArray) -> Worth:
    """A MW saves lost load where nothing else closes the gap, then response or a commitment, then it is surplus."""
    gap = problem.scenarios.gap_mw[:, t - 1]
    probability = problem.scenarios.probability
    ways = [
        (
            float(probability @ np.broadcast_to(way.up_cny_per_mwh, (gap.size, 96))[:, t - 1]),
            np.broadcast_to(way.up_mw, (gap.size, 96))[:, t - 1],
        )
        for way in problem.commitments
    ]
    if (response > 0).any():
        ways.append((_response_price(problem), response))
    covered, tranches, prices = np.zeros_like(gap), [], []
    for price, mw in sorted(ways, key=lambda way: way[0]):
        here = np.minimum(mw, np.maximum(gap - covered, 0.0))
        covered += here
        tranches.append(here)
        prices.append(price)
    tranches.append(np.maximum(gap - covered, 0.0))
    prices.append(problem.value_of_lost_load)
    tranches.insert(0, np.full_like(gap, 1e9))
    prices.insert(0, float(problem.provincial_price[t - 1]))
    falling = np.maximum.accumulate(prices)[::-1]
    return Worth(np.stack(tranches[::-1], axis=1), np.tile(falling, (gap.size, 1)), weight)


def _response_price(problem: Procurement) -> float:
    """元/MWh of the cheapest programme when its event lasts as long as it may."""
    found = [
        programme.cny_per_mw(length) / (length * HOURS)
        for programme in problem.demand_response
        for length in programme.lengths()
        if programme.capability_mw > 0
    ]
    return min(found, default=problem.value_of_lost_load)


def _variations(problem: Procurement, one: Period, curve: Curve, open_mw: FloatArray) -> list[Curve]:
    """The curve with one segment's MW or price moved, split, or with a tail added."""
    cap = int(problem.rules.cap_cny_per_mwh)
    reachable = one.merit.landed[(one.merit.width > 0) & (one.merit.below < one.limit_mw)]
    prices = np.unique(np.ceil(reachable[np.isfinite(reachable)] - 1e-9)).astype(np.int64)
    prices = prices[prices <= cap]
    total = sum(mw for mw, _ in curve)
    found: list[Curve] = []
    for place, (mw, price) in enumerate(curve):
        at = int(np.searchsorted(prices, price))
        near = prices[max(at - NEIGHBOUR_PRICES, 0) : at + NEIGHBOUR_PRICES + 1].tolist()
        found += [_with(curve, place, [(mw, other)]) for other in near]
        found += [_with(curve, place, [(round(mw * (1 + step)), price)]) for step in MW_STEPS]
        found += [
            _with(curve, place, [(mw - mw // 2, price), (mw // 2, other)]) for other in near if other < price
        ]
    ends = np.unique(np.ceil(open_mw[open_mw > total])).astype(np.int64)[:3].tolist()
    for end in (*ends, one.limit_mw):
        found += [(*curve, (end - total, price)) for price in prices.tolist()[:: max(1, prices.size // 6)]]
    return [
        tuple((mw, price) for _, mw, price in sorted_curve)
        for sorted_curve in (_tidied(one_curve) for one_curve in found)
        if sorted_curve
        and len(sorted_curve) <= problem.rules.segments
        and sum(mw for _, mw, _ in sorted_curve) <= one.limit_mw
    ]


def _with(curve: Curve, place: int, segments: list[tuple[int, int]]) -> Curve:
    return (*curve[:place], *segments, *curve[place + 1 :])


def _tidied(curve: Curve) -> list[tuple[int, int, int]]:
    """Segments of a period as a bid has them: dear to cheap, one a price, none of 0 MW."""
    return [
        (one.segment, one.mw, one.price_cny_per_mwh) for one in bid_of((1, mw, price) for mw, price in curve)
    ]
