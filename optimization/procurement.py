"""The bid of one day: curves searched period by period, chosen together by one mixed-integer model.

The price paid is set by the last matched pair, so cost is no linear function of a bid. Instead every period gets a
handful of curves (``optimization.curve_search``), each cleared exactly against every scenario, and the model chooses

    min  E[cost_s] + λ·CVaR[cost_s]
    cost_s = Σ_t,c purchase_tcs·z_tc  +  demand response  +  ¼·VOLL·shortage − ¼·P_prov·surplus + commitments    元
    Σ_c z_tc = 1,   Σ_c mw_tcs·z_tc + response + up − down = gap_ts                                              MW

z_tc is 1 for the one curve of a period. Periods hang together only here: through events of demand response, ramps and
the CVaR. The search is repeated with what the first choice left open: the gap less the response it called, weights
with the tail it found, and curves varied around the chosen ones. What clears follows from the bid alone, so nothing
is chosen with hindsight, and cost and MW in the model are those of clearing.

"Optimum" is the optimum over the curves that were judged; ``bound_cny`` bounds that choice.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pyomo.environ as pyo

from optimization import solver as solvers
from optimization.conflict import conflicts
from optimization.curve_search import MeritOrder, Worth, merit_order, mw_grid, price_levels, search
from optimization.purchase import HOURS, Bid, Procurement, bid_of
from optimization.response import add_response, add_risk
from optimization.shadow_prices import Limit, shadow_prices
from optimization.single_buyer import Cleared, Curve, FloatArray, PeriodMarket, clear_periods

OPTIMUM, INCUMBENT, RULE, TABLE = "optimum", "incumbent", "rule", "table"
YESTERDAY, NOTHING, NO_NEED, OVERRIDE = "yesterday", "nothing", "no_need", "override"
GAP = (
    2e-3  # of cost and risk; closing to 1e-3 takes three times as long and gave the same bids (decision 0029)
)
FIRST_GAP = 1e-2  # the first choice only guides the second search
ROUNDS = 2
SEARCH_SHARE = 0.3  # of the time limit for the first choice
MW_STEPS = (-0.25, -0.1, -0.04, 0.04, 0.1, 0.25)  # variations of a chosen segment
NEIGHBOUR_PRICES = 2
EVEN_SHARES = np.array([0.25, 0.5, 0.75])  # of what may be bid: a surplus can be worth its price
RAMP_STEPS = 12
FEW_SCENARIOS = 3  # the MW at which offers end count for a curve only where there are few


class NoBidFoundError(RuntimeError):
    """The solver stopped without any bid; the sentence says why."""


@dataclass(frozen=True)
class Solution:
    """label: optimum (over the judged curves, within the gap), incumbent (best choice at the time limit) or no_need
    (no period at risk). objective_cny: expected cost + risk weight x CVaR. limits are empty for no_need. judged:
    curves that were cleared."""

    bid: Bid
    label: str
    objective_cny: float
    bound_cny: float
    limits: tuple[Limit, ...]
    solver: str
    judged: int = 0

    @property
    def relative_gap(self) -> float:
        """(objective − bound) / |objective|."""
        return abs(self.objective_cny - self.bound_cny) / max(abs(self.objective_cny), 1.0)


@dataclass
class _Period:
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


@dataclass(frozen=True)
class _Choice:
    curve: dict[int, int]
    response_mw: FloatArray
    tail: FloatArray
    answer: solvers.Answer


def solve(
    problem: Procurement,
    *,
    time_limit: float = 20.0,
    solver: str = solvers.HIGHS,
    report: Callable[[Solution], None] | None = None,
) -> Solution:
    """The bid of least expected cost and risk, with the shadow prices of the limits.

    time_limit: seconds for the solver in all. report: called with every choice on the way, without limits, so that
    a caller who must stop has the last one. Raises NoBidFoundError when it ends without a choice, and names the
    limits in conflict where there is none.
    """
    if not np.isfinite(problem.scenarios.gap_mw).all():
        raise NoBidFoundError("The gap of a scenario is no number; look at the forecasts of the day.")
    periods = problem.open_periods()
    if not periods:
        return Solution((), NO_NEED, 0.0, 0.0, (), "none")
    limit = problem.bid_limit_mw()
    state = {}
    floor, cap = int(problem.rules.floor_cny_per_mwh), int(problem.rules.cap_cny_per_mwh)
    for t in periods:
        market, most = problem.market(t), int(limit[t - 1])
        merit = merit_order(market)
        state[t] = _Period(market, merit, most, price_levels(merit, most, floor, cap))
    _judge(state, {t: [(), *_first_curves(problem, one, t)] for t, one in state.items()})
    alone = {t: _best_alone(problem, one, t) for t, one in state.items()}
    choice = _choose(problem, state, alone, time_limit * SEARCH_SHARE, solver, FIRST_GAP)
    for _ in range(ROUNDS - 1):
        if report is not None:
            report(replace(_solution(state, choice), label=INCUMBENT))
        _judge(state, {t: _second_curves(problem, one, t, choice) for t, one in state.items()})
        seconds = time_limit * (1 - SEARCH_SHARE) / (ROUNDS - 1)
        choice = _choose(problem, state, choice.curve, seconds, solver, GAP)
    solution = _solution(state, choice)
    return replace(solution, limits=tuple(shadow_prices(problem, solution.bid)[1]))


def _judge(state: dict[int, _Period], curves: dict[int, list[Curve]]) -> None:
    """Clear what is new of every period's curves."""
    fresh = {t: [one for one in dict.fromkeys(curves[t]) if one not in set(state[t].curves)] for t in curves}
    fresh = {t: own for t, own in fresh.items() if own}
    cleared = clear_periods([state[t].market for t in fresh], list(fresh.values()))
    for (t, own), found in zip(fresh.items(), cleared, strict=True):
        state[t].curves += own
        state[t].cleared.append(found)


def _solution(state: dict[int, _Period], choice: _Choice) -> Solution:
    answer = choice.answer
    return Solution(
        bid=bid_of((t, mw, price) for t, one in state.items() for mw, price in one.curves[choice.curve[t]]),
        label=OPTIMUM if answer.optimal else INCUMBENT,
        objective_cny=answer.objective,
        bound_cny=answer.bound,
        limits=(),
        solver=answer.solver,
        judged=sum(len(one.curves) for one in state.values()),
    )


def build(problem: Procurement, state: dict[int, Any]) -> Any:
    """The Pyomo model over the judged curves: ``chosen[t, c]``, imports and purchase by scenario, response, risk."""
    model: Any = pyo.ConcreteModel()
    mw = {t: one.mw() for t, one in state.items()}
    cost = {t: one.cost() for t, one in state.items()}
    allowed = {t: _allowed(problem, mw[t], t) for t in state}
    index = [(t, c) for t in state for c in allowed[t]]
    model.chosen = pyo.Var(index, domain=pyo.Binary)
    model.one_curve = pyo.Constraint(
        list(state), rule=lambda m, t: pyo.quicksum(m.chosen[t, c] for c in allowed[t]) == 1
    )

    def imported(s: int, t: int) -> Any:
        return pyo.quicksum(float(mw[t][c, s]) * model.chosen[t, c] for c in allowed[t] if mw[t][c, s] > 0)

    def purchase(s: int) -> Any:
        return pyo.quicksum(float(cost[t][c, s]) * model.chosen[t, c] for t, c in index if mw[t][c, s] > 0)

    if problem.rules.ramp_mw is not None:
        _add_ramp(model, problem, state, allowed)
    add_response(model, problem, list(state), imported)
    add_risk(model, problem, purchase)
    return model


def _choose(
    problem: Procurement,
    state: dict[int, _Period],
    begin: dict[int, int],
    time_limit: float,
    solver: str,
    gap: float,
) -> _Choice:
    """begin: a curve for every period to start from, so that there is a choice however short the time."""
    model = build(problem, state)
    start = [(one, float(begin[t] == c)) for (t, c), one in model.chosen.items()]
    answer = solvers.run(model, solver=solver, time_limit=time_limit, gap=gap, start=start)
    if not answer.found:  # too little time even to look at the start: complete it, which is linear
        for one, value in start:
            one.fix(value)
        answer = replace(solvers.run(model, solver=solver), optimal=False, bound=float("-inf"))
    if not answer.found:
        wrong = conflicts(problem)
        if wrong:
            raise NoBidFoundError(" ".join(one.sentence() for one in wrong))
        raise NoBidFoundError(
            f"The solver stopped after {time_limit:g} s without a bid ({answer.reason}); "
            "give it more time, or bid by the rule."
        )
    curve = {t: c for (t, c), one in model.chosen.items() if one.value > 0.5}
    response = np.zeros_like(problem.scenarios.gap_mw)
    for (s, t), mw in model.response_mw.items():
        response[s, t - 1] = pyo.value(mw)
    cost = np.array([pyo.value(model.scenario_cost[s]) for s in range(len(problem.scenarios.names))])
    return _Choice(curve, response, _tail(problem, cost), answer)


def _best_alone(problem: Procurement, one: _Period, t: int) -> int:
    """The curve of least expected cost if nothing but orderly use closed the gap."""
    gap, mw = problem.scenarios.gap_mw[:, t - 1], one.mw()
    short, surplus = np.maximum(gap - mw, 0.0), np.maximum(mw - gap, 0.0)
    left = problem.value_of_lost_load * short - float(problem.provincial_price[t - 1]) * surplus
    return int(np.argmin((one.cost() + HOURS * left) @ problem.scenarios.probability))


def _tail(problem: Procurement, cost: FloatArray) -> FloatArray:
    probability = problem.scenarios.probability
    worst = np.argsort(-cost, kind="stable")
    before = np.cumsum(probability[worst]) - probability[worst]
    weight = np.zeros_like(probability)
    weight[worst] = np.clip(problem.risk_share - before, 0.0, probability[worst]) / problem.risk_share
    return weight


def _first_curves(problem: Procurement, one: _Period, t: int) -> list[Curve]:
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


def _second_curves(problem: Procurement, one: _Period, t: int, choice: _Choice) -> list[Curve]:
    """Curves for what the chosen response leaves open, and variations of the chosen curve."""
    gap, response = problem.scenarios.gap_mw[:, t - 1], choice.response_mw[:, t - 1]
    weight = problem.scenarios.probability + problem.risk_weight * choice.tail
    found = _searched(problem, one, t, response, weight, _grid(one, gap, response + _flexible_mw(problem, t)))
    return [*found, *_variations(problem, one, one.curves[choice.curve[t]], gap - response)]


def _searched(
    problem: Procurement, one: _Period, t: int, response: FloatArray, weight: FloatArray, grid: Any
) -> list[Curve]:
    if not one.levels or one.limit_mw < 1:
        return []
    worth = _worth(problem, t, response, weight)
    return [curve for _, curve in search(one.merit, one.levels, grid, worth, problem.rules.segments) if curve]


def _grid(one: _Period, gap: FloatArray, response: FloatArray) -> Any:
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
    ways = [
        (
            float(np.broadcast_to(way.up_cny_per_mwh, (gap.size, 96))[0, t - 1]),
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


def _variations(problem: Procurement, one: _Period, curve: Curve, open_mw: FloatArray) -> list[Curve]:
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


def _allowed(problem: Procurement, mw: FloatArray, t: int) -> list[int]:
    """Curves that keep the import limit in every scenario; the first buys nothing and always does."""
    if problem.import_limit_mw is None:
        return list(range(len(mw)))
    return np.flatnonzero((mw <= problem.import_limit_mw[t - 1] + 1e-6).all(axis=1)).tolist()


def _add_ramp(
    model: Any, problem: Procurement, state: dict[int, _Period], allowed: dict[int, list[int]]
) -> None:
    """Flow of every section (MW at the seller) moves by no more than the ramp between neighbouring periods (A.8)."""
    ramp = float(problem.rules.ramp_mw or 0)
    flow = {t: (one.path_mw() / problem.supply.coe) @ problem.supply.uses for t, one in state.items()}

    def at(m: Any, t: int, s: int, section: int) -> Any:
        if t not in state:
            return 0.0
        return pyo.quicksum(float(flow[t][c, s, section]) * m.chosen[t, c] for c in allowed[t])

    rows = [
        (t, s, section)
        for t in state
        for s in range(len(problem.scenarios.names))
        for section in range(len(problem.supply.section_ids))
        if max(flow[t][:, s, section].max(), flow[t - 1][:, s, section].max() if t - 1 in state else 0.0)
        > ramp
    ]
    first = min(state)
    model.ramp_up = pyo.Constraint(
        [row for row in rows if row[0] != first],
        rule=lambda m, t, s, section: at(m, t, s, section) - at(m, t - 1, s, section) <= ramp,
    )
    model.ramp_down = pyo.Constraint(
        [row for row in rows if row[0] != first],
        rule=lambda m, t, s, section: at(m, t - 1, s, section) - at(m, t, s, section) <= ramp,
    )
