"""What the bid model and its linear twin share: which bids clear in a scenario, and what the day then costs.

Scenarios count from 0, periods are 1..96, levels of a period count from 0 at the dearest.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyomo.environ as pyo
from pyomo.contrib.solver.common.factory import SolverFactory

from optimization.purchase import HOURS, Procurement
from optimization.response import add_response

Level = tuple[int, int]  # period, level


@dataclass(frozen=True)
class Meetings:
    """Bid levels of each period against the landed prices of each scenario.

    price: period -> levels, dear to cheap. usable: (s, t) -> paths with an offer and open sections.
    meets: (s, t, k) -> the usable paths whose landed price is not above level k.
    """

    price: Mapping[int, Sequence[int]]
    usable: Mapping[tuple[int, int], tuple[int, ...]]
    meets: Mapping[tuple[int, int, int], tuple[int, ...]]

    def levels(self) -> list[Level]:
        """Every (period, level)."""
        return [(t, k) for t, prices in self.price.items() for k in range(len(prices))]

    def cleared(self, s: int, t: int) -> list[int]:
        """Levels of a period that some path meets."""
        return [k for k in range(len(self.price[t])) if self.meets[s, t, k]]


def usable_paths(problem: Procurement, s: int, t: int) -> tuple[int, ...]:
    """Paths that have a price and on which every section has transfer capability."""
    supply = problem.supply
    is_open = np.array([(supply.atc_mw[uses, t - 1] > 0).all() for uses in supply.uses])
    return tuple(np.flatnonzero(is_open & np.isfinite(problem.landed[s, :, t - 1])).tolist())


def meetings(problem: Procurement, price: Mapping[int, Sequence[int]]) -> Meetings:
    """Who meets which level, for the given levels of each period."""
    scenarios = range(len(problem.scenarios.names))
    usable = {(s, t): usable_paths(problem, s, t) for s in scenarios for t in price}
    meets = {
        (s, t, k): tuple(p for p in usable[s, t] if problem.landed[s, p, t - 1] <= level)
        for s in scenarios
        for t, prices in price.items()
        for k, level in enumerate(prices)
    }
    return Meetings(price, usable, meets)


def add_costs(model: Any, problem: Procurement, met: Meetings, bid_mw: Callable[[int, int], Any]) -> None:
    """Add imports, path flows, response, shortage, surplus and the expected cost (元) to ``model``.

    bid_mw(t, k): MW bid at level k of period t. Adds ``flow[s, t, p]`` (MW at the buyer node, without limits: the
    caller sets them) and the objective ``expected_cost``.
    """
    scenarios = range(len(problem.scenarios.names))
    periods = list(met.price)
    cleared = {(s, t): met.cleared(s, t) for s in scenarios for t in periods}
    model.imported = pyo.Expression(
        scenarios, periods, rule=lambda _, s, t: sum(bid_mw(t, k) for k in cleared[s, t])
    )
    model.flow = pyo.Var(
        [(s, t, p) for (s, t), paths in met.usable.items() for p in paths], domain=pyo.NonNegativeReals
    )
    model.carried = pyo.Constraint(
        [key for key, paths in met.usable.items() if paths],
        rule=lambda m, s, t: sum(m.flow[s, t, p] for p in met.usable[s, t]) == m.imported[s, t],
    )
    add_response(model, problem, periods, lambda s, t: model.imported[s, t])

    def purchase(m: Any, s: int) -> Any:
        bids = sum(met.price[t][k] * bid_mw(t, k) for t in periods for k in cleared[s, t])
        landed = sum(
            float(problem.landed[s, p, t - 1]) * m.flow[s, t, p] for t in periods for p in met.usable[s, t]
        )
        return HOURS * (bids + landed) / 2  # half of bid and half of landed price, market.md A.8.2

    model.purchase_cost = pyo.Expression(scenarios, rule=purchase)
    probability = problem.scenarios.probability
    model.expected_cost = pyo.Objective(
        expr=sum(
            float(probability[s])
            * (
                model.purchase_cost[s]
                + model.response_cost[s]
                + model.shortage_cost[s]
                - model.surplus_value[s]
            )
            for s in scenarios
        )
    )


def highs(model: Any, **options: Any) -> Any:
    """Solve on one thread with a fixed seed; results are not loaded and a missing optimum does not raise."""
    return SolverFactory("highs").solve(
        model,
        load_solutions=False,
        raise_exception_on_nonoptimal_result=False,
        threads=1,
        solver_options={"random_seed": 0},
        **options,
    )
