"""The part of the model that follows from what is imported: demand response, shortage, surplus.

Shared by the bid model, where imports are decisions, and by the evaluation of a given bid, where they are data.
An event is a window (first period, length) with one power; the minimum duration holds because no shorter window
exists, so no binary variable is needed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pyomo.environ as pyo

from market.periods import PERIODS
from optimization.purchase import HOURS, DemandResponse, Procurement

Window = tuple[int, int]


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
    model: Any, problem: Procurement, periods: Sequence[int], imports: Callable[[int, int], Any]
) -> None:
    """Add events, shortage, surplus and the balance of every scenario and period to ``model``.

    imports(s, t): MW imported in scenario s (from 0) and period t (1..96), an expression or a number. Adds
    ``response_cost[s]``, ``shortage_cost[s]``, ``surplus_value[s]`` in 元 and the constraints ``balance[s, t]`` (MW)
    and ``capability_given[j]`` (MW), whose duals are the value of one more MW of gap or programme.
    """
    scenarios = range(len(problem.scenarios.names))
    programmes = problem.demand_response
    index = [
        (s, j, first, length)
        for j, programme in enumerate(programmes)
        for s in ([-1] if programme.called_with_the_bid else scenarios)  # -1: the same call in every scenario
        for first, length in windows(programme, periods)
    ]
    model.event = pyo.Var(index, domain=pyo.NonNegativeReals)
    model.called_capability = pyo.Var(range(len(programmes)))
    model.capability_given = pyo.Constraint(
        range(len(programmes)), rule=lambda m, j: m.called_capability[j] == programmes[j].capability_mw
    )
    calls: dict[tuple[int, int], list[tuple[int, int, int, int]]] = {}
    for s, j, first, length in index:
        calls.setdefault((s, j), []).append((s, j, first, length))
    model.once_a_day = pyo.Constraint(
        list(calls),
        rule=lambda m, s, j: sum(m.event[event] for event in calls[s, j]) <= m.called_capability[j],
    )
    covering: dict[tuple[int, int], list[Any]] = {}
    for s, j, first, length in index:
        for t in range(first, first + length):
            covering.setdefault((s, t), []).append(model.event[s, j, first, length])

    def response_mw(s: int, t: int) -> Any:
        return sum(covering.get((s, t), [])) + sum(covering.get((-1, t), []))

    model.response_mw = pyo.Expression(scenarios, periods, rule=lambda _, s, t: response_mw(s, t))
    model.short = pyo.Var(scenarios, periods, domain=pyo.NonNegativeReals)
    model.surplus = pyo.Var(scenarios, periods, domain=pyo.NonNegativeReals)
    gap = problem.scenarios.gap_mw
    model.balance = pyo.Constraint(
        scenarios,
        periods,
        rule=lambda m, s, t: (
            imports(s, t) + m.response_mw[s, t] + m.short[s, t] - m.surplus[s, t] == float(gap[s, t - 1])
        ),
    )
    model.response_cost = pyo.Expression(
        scenarios,
        rule=lambda m, s: sum(
            programmes[j].cny_per_mw(length) * m.event[k, j, first, length]
            for k, j, first, length in index
            if k in (-1, s)
        ),
    )
    model.shortage_cost = pyo.Expression(
        scenarios, rule=lambda m, s: HOURS * problem.value_of_lost_load * sum(m.short[s, t] for t in periods)
    )
    model.surplus_value = pyo.Expression(
        scenarios,
        rule=lambda m, s: (
            HOURS * sum(float(problem.provincial_price[t - 1]) * m.surplus[s, t] for t in periods)
        ),
    )
