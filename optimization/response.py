"""What follows from the imports: demand response, the other ways to close the balance, cost and risk.

Shared by the choice of curves, where imports are decisions, and by the judgement of a given bid, where they are data.
An event is a window (first period, length) with one power; the minimum duration holds because no shorter window
exists, so no binary variable is needed. Everything else is a Commitment: up or down from its baseline at a price.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pyomo.environ as pyo

from market.periods import PERIODS
from optimization.forecast import FloatArray
from optimization.purchase import HOURS, DemandResponse, Procurement

Window = tuple[int, int]
Fixed = Mapping[tuple[int, int, int], float]  # (programme, first period, length) -> MW called with the bid
Ways = dict[tuple[int, int, int], tuple[float, float]]  # (way, scenario, period) -> most MW, 元/MWh
WITH_THE_BID = -1  # stands for the scenario of an event that is the same in all


def windows(programme: DemandResponse, periods: Sequence[int]) -> list[Window]:
    """Windows (first period, length) of the day that touch one of ``periods``."""
    wanted = set(periods)
    return [
        (first, length)
        for length in programme.lengths()
        for first in range(1, PERIODS - length + 2)
        if not wanted.isdisjoint(range(first, first + length))
    ]


def add_response(
    model: Any,
    problem: Procurement,
    periods: Sequence[int],
    imports: Callable[[int, int], Any],
    fixed: Fixed | None = None,
) -> None:
    """Add events, commitments and the balance of every scenario and period to ``model``.

    imports(s, t): MW imported in scenario s (from 0) and period t (1..96), an expression or a number. fixed: the
    events called with the bid when they have been decided before. Adds ``response_cost[s]``, ``way_cost[k, s]`` in 元
    (k as in problem.ways_out) and the constraints ``balance[s, t]`` (MW) and ``capability_given[j]`` (MW), whose duals
    are the value of one more MW of gap or programme, and ``import_room[s, t]`` (MW) where commitments are imported.
    """
    scenarios = range(len(problem.scenarios.names))
    programmes = problem.demand_response
    index = [
        (s, j, first, length)
        for j, programme in enumerate(programmes)
        for s in ([WITH_THE_BID] if programme.called_with_the_bid else scenarios)
        for first, length in windows(programme, periods)
        if s != WITH_THE_BID or fixed is None
    ]
    index += [(WITH_THE_BID, *event) for event in (fixed or {})]
    model.event = pyo.Var(index, domain=pyo.NonNegativeReals)
    for event, mw in (fixed or {}).items():
        model.event[(WITH_THE_BID, *event)].fix(mw)
    model.called_capability = pyo.Var(range(len(programmes)))
    model.capability_given = pyo.Constraint(
        range(len(programmes)), rule=lambda m, j: m.called_capability[j] == programmes[j].capability_mw
    )
    calls: dict[tuple[int, int], list[tuple[int, int, int, int]]] = {}
    for s, j, first, length in index:
        if s != WITH_THE_BID or fixed is None:
            calls.setdefault((s, j), []).append((s, j, first, length))
    model.once_a_day = pyo.Constraint(
        list(calls),
        rule=lambda m, s, j: sum(m.event[event] for event in calls[s, j]) <= m.called_capability[j],
    )
    covering: dict[tuple[int, int], list[Any]] = {}
    for s, j, first, length in index:
        for t in range(first, first + length):
            covering.setdefault((s, t), []).append(model.event[s, j, first, length])
    model.response_mw = pyo.Expression(
        scenarios,
        periods,
        rule=lambda _, s, t: pyo.quicksum([*covering.get((s, t), []), *covering.get((WITH_THE_BID, t), [])]),
    )
    _add_ways_out(model, problem, periods)
    _add_import_room(model, problem, imports)
    gap = problem.scenarios.gap_mw
    ways = range(len(problem.ways_out))
    model.balance = pyo.Constraint(
        scenarios,
        periods,
        rule=lambda m, s, t: (
            imports(s, t)
            + m.response_mw[s, t]
            + pyo.quicksum(m.up[k, s, t] for k in ways if (k, s, t) in m.up)
            - pyo.quicksum(m.down[k, s, t] for k in ways if (k, s, t) in m.down)
            == float(gap[s, t - 1])
        ),
    )
    events: dict[int, list[Any]] = {}
    for s, j, first, length in index:
        events.setdefault(s, []).append(programmes[j].cny_per_mw(length) * model.event[s, j, first, length])
    model.response_cost = pyo.Expression(
        scenarios, rule=lambda _, s: pyo.quicksum([*events.get(s, []), *events.get(WITH_THE_BID, [])])
    )


def add_risk(model: Any, problem: Procurement, purchase: Callable[[int], Any]) -> None:
    """Expected cost + risk weight x CVaR as the objective ``cost_and_risk``; ``scenario_cost[s]`` in 元.

    purchase(s): what the imports of scenario s cost.
    """
    scenarios = range(len(problem.scenarios.names))
    probability = problem.scenarios.probability.tolist()
    model.scenario_cost = pyo.Expression(
        scenarios,
        rule=lambda m, s: (
            purchase(s) + m.response_cost[s] + sum(m.way_cost[k, s] for k in range(len(problem.ways_out)))
        ),
    )
    expected = sum(probability[s] * model.scenario_cost[s] for s in scenarios)
    if problem.risk_weight == 0 or len(probability) == 1:
        model.cost_and_risk = pyo.Objective(expr=(1 + problem.risk_weight) * expected)
        return
    model.threshold = pyo.Var()
    model.beyond = pyo.Var(scenarios, domain=pyo.NonNegativeReals)
    model.worse = pyo.Constraint(scenarios, rule=lambda m, s: m.beyond[s] >= m.scenario_cost[s] - m.threshold)
    tail = sum(probability[s] * model.beyond[s] for s in scenarios) / problem.risk_share
    model.cost_and_risk = pyo.Objective(expr=expected + problem.risk_weight * (model.threshold + tail))


def _add_import_room(model: Any, problem: Procurement, imports: Callable[[int, int], Any]) -> None:
    """What commitments take over the border fits beside the bid's imports; the bid itself never passes the limit.

    A contract left downwards makes no room: it is left when the bid has cleared.
    """
    limit = problem.import_limit_mw
    abroad = [k for k, way in enumerate(problem.ways_out) if way.imported]
    if limit is None or not abroad:
        return
    model.import_room = pyo.Constraint(
        sorted({(s, t) for k, s, t in model.up if k in abroad}),
        rule=lambda m, s, t: (
            pyo.quicksum(m.up[k, s, t] for k in abroad if (k, s, t) in m.up) + imports(s, t)
            <= max(0.0, float(limit[t - 1]))
        ),
    )


def _add_ways_out(model: Any, problem: Procurement, periods: Sequence[int]) -> None:
    scenarios = range(len(problem.scenarios.names))
    up: Ways = {}
    down: Ways = {}
    for k, way in enumerate(problem.ways_out):
        for power, price, found in (
            (way.up_mw, way.up_cny_per_mwh, up),
            (way.down_mw, way.down_cny_per_mwh, down),
        ):
            limit, cny = (_by_scenario(one, len(scenarios)) for one in (power, price))
            for s in scenarios:
                for t in periods:
                    if limit[s, t - 1] > 0:
                        found[k, s, t] = (float(limit[s, t - 1]), float(cny[s, t - 1]))

    def bounds(found: Ways) -> Any:
        return lambda _, *key: (0.0, None if np.isinf(found[key][0]) else found[key][0])

    model.up = pyo.Var(list(up), bounds=bounds(up))
    model.down = pyo.Var(list(down), bounds=bounds(down))
    paid: dict[tuple[int, int], list[Any]] = {}
    for found, moved in ((up, model.up), (down, model.down)):
        for (k, s, t), (_, at) in found.items():
            paid.setdefault((k, s), []).append(HOURS * at * moved[k, s, t])
    model.way_cost = pyo.Expression(
        range(len(problem.ways_out)), scenarios, rule=lambda _, k, s: pyo.quicksum(paid.get((k, s), []))
    )


def _by_scenario(values: FloatArray, count: int) -> FloatArray:
    return np.broadcast_to(values, (count, PERIODS))
