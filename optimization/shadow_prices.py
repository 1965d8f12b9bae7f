"""Which limits bind and what one more MW of them is worth, for the bid as it stands.

With the curves kept the model that is left is linear: imports are data, demand response and the other ways to close
the balance are free. Its duals value a MW of gap and of a programme. A MW of transfer capability, or of declared
need where the whole need is bid, changes what clears: the last segment of a bid that stands at its limit grows with
the limit, the period is cleared again, and what is imported more and paid more is valued at those duals. So every
figure is the slope of expected cost + risk; a test holds it against clearing and solving again with the limit moved.
A figure holds for a small move; where two limits bind at once it is one of several.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyomo.environ as pyo

from optimization import solver as solvers
from optimization.purchase import HOURS, Bid, Procurement, curves_of
from optimization.response import add_response, add_risk
from optimization.single_buyer import BidCurve, FloatArray, clear_periods

KINDS = (
    *("transfer_capability", "need", "import_limit", "demand_response"),
    *("commitment_up", "commitment_down", "gap"),
)
SMALLEST_CNY_PER_MWH = 0.005
STEP_MW = 0.01
NEED, IMPORT = -1, -2  # stand for a section where the declared need or the limit of all imports is moved


@dataclass(frozen=True)
class Limit:
    """A limit and what moving it is worth.

    kind: one of KINDS. period: None for a programme. limit_mw: where it
    stands (a gap, and what differs by scenario: its expectation). shadow_price_cny_per_mwh: expected cost and risk saved by one more MW over the
    period, for a gap what it adds; for a programme 元 saved by one more MW on this day.
    """

    kind: str
    name: str
    period: int | None
    limit_mw: float
    shadow_price_cny_per_mwh: float


def shadow_prices(problem: Procurement, bid: Bid) -> tuple[float, list[Limit]]:
    """Expected cost + risk (元) of the bid, and the limits with their shadow prices."""
    periods = problem.open_periods()
    curves = curves_of(bid)
    scenarios = range(len(problem.scenarios.names))
    mw, cost = _cleared(problem, curves)
    answer, model = _linear(problem, periods, mw, cost)
    dual = answer.dual
    gap_value = np.zeros_like(mw)
    for (s, t), row in model.balance.items():
        gap_value[s, t - 1] = float(dual[row])
    weight = _weights(problem, model, dual)
    buyer, supply = problem.supply.buyer_node, problem.supply
    total, room_value = problem.import_limit_mw, np.zeros_like(mw)
    if hasattr(model, "import_room"):
        for (s, t), row in model.import_room.items():
            room_value[s, t - 1] = -float(dual[row])
    common = [NEED] if total is None else [NEED, IMPORT]
    moves = [
        (t, section)
        for t in curves
        for section in (*np.flatnonzero(np.isfinite(supply.atc_mw[:, t - 1])).tolist(), *common)
    ]
    after = _moved(problem, curves, moves)
    limits = []
    for (t, section), (more_mw, more_cost) in zip(moves, after, strict=True):
        more, paid = more_mw - mw[:, t - 1], more_cost - cost[:, t - 1]
        gained = (gap_value[:, t - 1] - room_value[:, t - 1]) @ more - weight @ paid
        worth = float(gained / STEP_MW) / HOURS
        if section == NEED:
            limits.append(Limit("need", buyer, t, float(problem.need_limit_mw[t - 1]), worth))
        elif section == IMPORT and total is not None:
            worth += float(room_value[:, t - 1].sum()) / HOURS
            limits.append(Limit("import_limit", buyer, t, float(total[t - 1]), worth))
        else:
            capability = float(supply.atc_mw[section, t - 1])
            limits.append(Limit("transfer_capability", supply.section_ids[section], t, capability, worth))
    limits += [
        Limit("demand_response", programme.program_id, None, programme.capability_mw, -float(dual[row]))
        for programme, row in zip(problem.demand_response, model.capability_given.values(), strict=True)
    ]
    limits += _commitments(problem, periods, gap_value, room_value, weight)
    expected_gap = problem.scenarios.expected_gap_mw()
    limits += [
        Limit(
            "gap",
            buyer,
            t,
            float(expected_gap[t - 1]),
            sum(float(gap_value[s, t - 1]) for s in scenarios) / HOURS,
        )
        for t in periods
    ]
    return answer.objective, limits


def _commitments(
    problem: Procurement,
    periods: list[int],
    gap_value: FloatArray,
    room_value: FloatArray,
    weight: FloatArray,
) -> list[Limit]:
    """What a MW more of every commitment is worth: what it saves above its price, in the scenarios where it saves."""
    shape, probability = gap_value.shape, problem.scenarios.probability
    found = []
    for way in problem.ways_out:
        room = room_value if way.imported else np.zeros_like(room_value)
        for kind, power, price, saved in (
            ("commitment_up", way.up_mw, way.up_cny_per_mwh, gap_value - room),
            ("commitment_down", way.down_mw, way.down_cny_per_mwh, -gap_value),
        ):
            mw, cny = np.broadcast_to(power, shape), np.broadcast_to(price, shape)
            worth = np.maximum(saved / HOURS - weight[:, None] * cny, 0.0).sum(axis=0)
            found += [
                Limit(kind, way.name, t, float(probability @ mw[:, t - 1]), float(worth[t - 1]))
                for t in periods
                if (mw[:, t - 1] > 0).any() and np.isfinite(mw[:, t - 1]).all()
            ]
    return found


def binding_runs(limits: Sequence[Limit]) -> list[list[Limit]]:
    """Limits that cost something, by kind and name, neighbouring periods of one limit in one run."""
    binding = [one for one in limits if one.shadow_price_cny_per_mwh >= SMALLEST_CNY_PER_MWH]
    binding.sort(key=lambda one: (KINDS.index(one.kind), one.name, one.period or 0))
    runs: list[list[Limit]] = []
    for one in binding:
        before = runs[-1][-1] if runs else None
        if before is not None and _follows(one, before):
            runs[-1].append(one)
        else:
            runs.append([one])
    return runs


def _follows(one: Limit, before: Limit) -> bool:
    if (one.kind, one.name) != (before.kind, before.name) or one.period is None or before.period is None:
        return False
    return one.period == before.period + 1


def _linear(
    problem: Procurement, periods: list[int], mw: FloatArray, cost: FloatArray
) -> tuple[solvers.Answer, Any]:
    model: Any = pyo.ConcreteModel()
    add_response(model, problem, periods, lambda s, t: float(mw[s, t - 1]))
    add_risk(model, problem, lambda s: float(cost[s].sum()))
    answer = solvers.run(model)
    if not answer.optimal:
        raise RuntimeError(f"The linear model of the bid has no optimum ({answer.reason}).")
    return answer, model


def _weights(problem: Procurement, model: Any, dual: Any) -> FloatArray:
    """What one yuan of each scenario counts: its probability, and its part of the CVaR from the dual of ``worse``."""
    probability = problem.scenarios.probability
    if not hasattr(model, "worse"):
        return np.asarray(probability * (1 + problem.risk_weight))
    tail = np.array([abs(float(dual[model.worse[s]])) for s in range(probability.size)])
    return np.asarray(probability + tail)


def _moved(
    problem: Procurement, curves: Mapping[int, BidCurve], moves: Sequence[tuple[int, int]]
) -> list[tuple[FloatArray, FloatArray]]:
    """MW and cost (scenarios,) of each period when a section, the declared NEED or the IMPORT limit has STEP_MW more.

    A bid that stands at its limit grows with it, by its last segment.
    """
    limit, markets, bids = problem.bid_limit_mw(), [], []
    for t, section in moves:
        market, curve = problem.market(t), curves[t]
        capability = before = float(problem.capability_mw[t - 1])
        if section >= 0:
            atc = market.atc.copy()
            atc[section] += STEP_MW
            market = replace(market, atc=atc)
        if sum(power for power, _ in curve) >= int(limit[t - 1]):
            if section >= 0:
                capability = problem.supply.carried_together(market.atc)
            need, total = float(problem.need_limit_mw[t - 1]), np.inf
            if problem.import_limit_mw is not None:
                total = float(problem.import_limit_mw[t - 1])
            more_need = need + (STEP_MW if section == NEED else 0.0)
            more_total = total + (STEP_MW if section == IMPORT else 0.0)
            by = min(more_need, capability, more_total) - min(need, before, total)
            curve = (*curve[:-1], (curve[-1][0] + by, curve[-1][1]))
        markets.append(market)
        bids.append([curve])
    cleared = clear_periods(markets, bids)
    return [(one.mw[0], one.cost_cny[0]) for one in cleared]


def _cleared(problem: Procurement, curves: Mapping[int, BidCurve]) -> tuple[FloatArray, FloatArray]:
    mw, cost = np.zeros_like(problem.scenarios.gap_mw), np.zeros_like(problem.scenarios.gap_mw)
    found = clear_periods([problem.market(t) for t in curves], [[curve] for curve in curves.values()])
    for t, one in zip(curves, found, strict=True):
        mw[:, t - 1], cost[:, t - 1] = one.mw[0], one.cost_cny[0]
    return mw, cost
