"""The bid of one day as a mixed-integer model: what to bid, so that the expected cost of the day is least.

    min  Σ_s π_s [ Σ_t ¼ ( ½ Σ_k b_k·x_tk over levels that clear + ½ Σ_p l_stp·f_stp )      purchase
                   + demand response + ¼·VOLL·shortage − ¼·P_prov·surplus ]                  元

x_tk whole MW bid at level b_k (at most five levels used a period), f_stp MW over path p, l_stp its landed price.

Price. The price at a seller node is the mean of the last matched pair, so a buyer pays half of what it bids
above the seller (market.md A.8.2). Here every MW is taken as its own last pair: a MW bid at b and met at l pays
(b + l)/2. In clearing all MW of a node share the price of its last pair, the one with the smallest spread; against
one offer a node the same flows therefore never cost more than the model says, mostly less.
optimization.evaluation judges the chosen bid by clearing itself.

No hindsight. What clears is settled by the bid alone: the dearest bids are met first, on the cheapest paths, as
far as the seller's landed price is not above the bid. Cost does not depend on which MW met which path (½b and ½l
add up apart), so only cleared levels and path flows appear. To keep that rule linear the model admits only bids
that are never cut in part: a level may be used only if, in every scenario in which a path can meet it, all MW
bid at or above it fit into the paths that can (``fits``). It then clears whole or, where no path can meet it, not
at all. This is an inner approximation: bids a tail of which is sometimes crowded out are not considered, and the
bid found costs what the model says under the rule.

Shadow prices are taken from the linear model in which the levels used are kept and MW are freed from whole steps.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyomo.environ as pyo
from pyomo.contrib.solver.common.factory import SolverFactory
from pyomo.contrib.solver.common.results import TerminationCondition

from optimization.bid_levels import levels
from optimization.purchase import HOURS, Bid, Procurement, bid_of
from optimization.response import add_response

OPTIMUM, INCUMBENT, RULE, NO_NEED = "optimum", "incumbent", "rule", "no_need"
LEVELS = 8  # more improve a day by a fifth of a percent and cost minutes
GAP = 1e-4
WHOLE_MW_SECONDS = 5.0


class NoBidFoundError(RuntimeError):
    """The solver stopped without any bid; the sentence says why."""


@dataclass(frozen=True)
class Limit:
    """A limit and what moving it is worth.

    kind: transfer_capability, need, demand_response or gap. period: None for a programme. limit_mw: where it
    stands (at the seller node for transfer capability). shadow_price_cny_per_mwh: expected cost saved by one more
    MW of it (for a gap: added); for a programme 元 a MW and day.
    """

    kind: str
    name: str
    period: int | None
    limit_mw: float
    shadow_price_cny_per_mwh: float


@dataclass(frozen=True)
class Solution:
    """label: optimum (within the gap), incumbent (best bid at the time limit) or no_need (no period at risk)."""

    bid: Bid
    label: str
    objective_cny: float
    bound_cny: float
    limits: tuple[Limit, ...]
    solver: str

    @property
    def relative_gap(self) -> float:
        """(objective − bound) / |objective|."""
        return abs(self.objective_cny - self.bound_cny) / max(abs(self.objective_cny), 1.0)


def solve(problem: Procurement, *, time_limit: float = 20.0, level_count: int = LEVELS) -> Solution:
    """The cheapest bid, with the shadow prices of the limits.

    The levels used are found with MW free of their whole step, whose optimum bounds every bid; then the MW at
    those levels are made whole. time_limit: seconds for the search of levels.
    Raises NoBidFoundError when it ends without a bid.
    """
    periods = [int(t) for t in problem.scenarios.at_risk()]
    if not periods:
        return Solution((), NO_NEED, 0.0, 0.0, (), "none")
    model = build(problem, periods, level_count)
    search = _search(model, time_limit)
    for key in model.used:
        model.used[key].fix(round(model.used[key].value))
        model.bid_mw[key].domain = pyo.NonNegativeIntegers
    whole = _search(model, max(time_limit, WHOLE_MW_SECONDS))
    bid = bid_of((t, round(model.bid_mw[t, k].value), model.price[t][k]) for t, k in model.bid_mw)
    found = search.termination_condition is TerminationCondition.convergenceCriteriaSatisfied
    return Solution(
        bid=bid,
        label=OPTIMUM if found else INCUMBENT,
        objective_cny=float(whole.incumbent_objective),
        bound_cny=float(search.objective_bound),
        limits=tuple(_limits(model, problem, periods)),
        solver=f"HiGHS {'.'.join(map(str, search.solver_version))}",
    )


def _search(model: Any, time_limit: float) -> Any:
    results = SolverFactory("highs").solve(
        model,
        load_solutions=False,
        raise_exception_on_nonoptimal_result=False,
        threads=1,
        time_limit=time_limit,
        rel_gap=GAP,
        solver_options={"random_seed": 0},
    )
    if results.incumbent_objective is None:
        raise NoBidFoundError(
            f"The solver stopped after {time_limit:g} s without a bid ({results.termination_condition.name}); "
            "give it more time, or bid by the rule."
        )
    results.solution_loader.load_vars()
    return results


def build(problem: Procurement, periods: list[int], level_count: int = LEVELS) -> Any:
    """The Pyomo model over ``periods``; scenarios count from 0, levels from 0 at the dearest."""
    supply, scenarios = problem.supply, range(len(problem.scenarios.names))
    model: Any = pyo.ConcreteModel()
    reachable = {
        (s, t): [p for p in range(len(supply.path_ids)) if _usable(problem, s, p, t)]
        for s in scenarios
        for t in periods
    }
    model.price = {
        t: levels(
            (float(problem.landed[s, p, t - 1]) for s in scenarios for p in reachable[s, t]),
            int(problem.rules.floor_cny_per_mwh),
            int(problem.rules.cap_cny_per_mwh),
            level_count,
        )
        for t in periods
    }
    grid = [(t, k) for t in periods for k in range(len(model.price[t]))]
    model.bid_mw = pyo.Var(grid, domain=pyo.NonNegativeReals)
    model.used = pyo.Var(grid, domain=pyo.Binary)
    model.segments = pyo.Constraint(
        [t for t in periods if model.price[t]],
        rule=lambda m, t: sum(m.used[t, k] for k in range(len(m.price[t]))) <= problem.rules.segments,
    )
    model.need = pyo.Constraint(
        [t for t in periods if model.price[t]],
        rule=lambda m, t: (
            sum(m.bid_mw[t, k] for k in range(len(m.price[t]))) <= int(problem.need_limit_mw[t - 1])
        ),
    )
    _add_capability(model, problem, periods)

    def met_by(s: int, t: int, k: int) -> tuple[int, ...]:
        return tuple(p for p in reachable[s, t] if problem.landed[s, p, t - 1] <= model.price[t][k])

    _add_fits(model, problem, reachable, met_by)
    cleared = {
        (s, t): [k for k in range(len(model.price[t])) if met_by(s, t, k)] for s in scenarios for t in periods
    }
    model.imported = pyo.Expression(
        scenarios, periods, rule=lambda m, s, t: sum(m.bid_mw[t, k] for k in cleared[s, t])
    )
    _add_flows(model, problem, reachable)
    add_response(model, problem, periods, lambda s, t: model.imported[s, t])
    model.purchase_cost = pyo.Expression(
        scenarios,
        rule=lambda m, s: (
            HOURS
            * sum(
                0.5 * sum(m.price[t][k] * m.bid_mw[t, k] for k in cleared[s, t])
                + 0.5 * sum(float(problem.landed[s, p, t - 1]) * m.flow[s, t, p] for p in reachable[s, t])
                for t in periods
            )
        ),
    )
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
    return model


def _usable(problem: Procurement, s: int, p: int, t: int) -> bool:
    supply = problem.supply
    open_sections = (supply.atc_mw[supply.uses[p], t - 1] > 0).all()
    return bool(open_sections and np.isfinite(problem.landed[s, p, t - 1]))


def _add_capability(model: Any, problem: Procurement, periods: list[int]) -> None:
    """``atc[l, t]``: a variable held at the published capability, so that one dual stands for all its uses."""
    limited = [
        (section, t)
        for section in range(len(problem.supply.section_ids))
        for t in periods
        if np.isfinite(problem.supply.atc_mw[section, t - 1])
    ]
    model.atc = pyo.Var(limited)
    model.atc_published = pyo.Constraint(
        limited, rule=lambda m, section, t: m.atc[section, t] == float(problem.supply.atc_mw[section, t - 1])
    )


def _add_fits(
    model: Any,
    problem: Procurement,
    reachable: dict[tuple[int, int], list[int]],
    met_by: Callable[[int, int, int], tuple[int, ...]],
) -> None:
    """All MW of a bid fit into all paths; all MW at or above a used level fit into the paths that meet it."""
    supply = problem.supply
    slack: dict[tuple[int, int, tuple[int, ...]], float] = {}  # by how much an unused level widens the row
    most: dict[tuple[int, int], float] = {}
    for t, k in model.bid_mw:
        widest = min(float(problem.need_limit_mw[t - 1]), float(problem.capability_mw[t - 1]))
        most[t, k] = widest
        for s in range(len(problem.scenarios.names)):
            paths = met_by(s, t, k)
            among = np.isin(np.arange(len(supply.path_ids)), paths)
            room = float(supply.carried(np.where(among, problem.landed[s, :, t - 1], np.nan), t).sum())
            if paths and room < widest:
                slack[t, k, paths] = widest - room
                most[t, k] = min(most[t, k], room)
    for t, prices in model.price.items():
        if prices:
            slack[t, len(prices) - 1, tuple(reachable[0, t])] = 0.0
    model.only_if_used = pyo.Constraint(
        list(most), rule=lambda m, t, k: m.bid_mw[t, k] <= most[t, k] * m.used[t, k]
    )
    rows = list(slack)
    model.room = pyo.Var(
        [(n, p) for n, (_, _, paths) in enumerate(rows) for p in paths], domain=pyo.NonNegativeReals
    )

    def fits(m: Any, n: int) -> Any:
        t, k, paths = rows[n]
        at_or_above = sum(m.bid_mw[t, higher] for higher in range(k + 1))
        return at_or_above <= sum(m.room[n, p] for p in paths) + slack[rows[n]] * (1 - m.used[t, k])

    model.fits = pyo.Constraint(range(len(rows)), rule=fits)
    model.fits_level = {n: (t, k) for n, (t, k, _) in enumerate(rows) if slack[rows[n]] > 0}
    limited = [
        (n, section)
        for n, (t, _, paths) in enumerate(rows)
        for section in range(len(supply.section_ids))
        if (section, t) in model.atc and any(supply.uses[p, section] for p in paths)
    ]
    model.room_on_section = pyo.Constraint(
        limited,
        rule=lambda m, n, section: (
            sum(m.room[n, p] / float(supply.coe[p]) for p in rows[n][2] if supply.uses[p, section])
            <= m.atc[section, rows[n][0]]
        ),
    )


def _add_flows(model: Any, problem: Procurement, reachable: dict[tuple[int, int], list[int]]) -> None:
    supply = problem.supply
    model.flow = pyo.Var(
        [(s, t, p) for (s, t), paths in reachable.items() for p in paths], domain=pyo.NonNegativeReals
    )
    model.carried = pyo.Constraint(
        [key for key, paths in reachable.items() if paths],
        rule=lambda m, s, t: sum(m.flow[s, t, p] for p in reachable[s, t]) == m.imported[s, t],
    )
    limited = [
        (s, t, section)
        for (s, t), paths in reachable.items()
        for section in range(len(supply.section_ids))
        if (section, t) in model.atc and any(supply.uses[p, section] for p in paths)
    ]
    model.flow_on_section = pyo.Constraint(
        limited,
        rule=lambda m, s, t, section: (
            sum(m.flow[s, t, p] / float(supply.coe[p]) for p in reachable[s, t] if supply.uses[p, section])
            <= m.atc[section, t]
        ),
    )


def _limits(model: Any, problem: Procurement, periods: list[int]) -> list[Limit]:
    """Duals of the linear model with the used levels kept: who binds, and what one more MW is worth."""
    for key in model.used:
        model.used[key].domain = pyo.Reals
        model.bid_mw[key].domain = pyo.NonNegativeReals
        if model.used[key].value == 0:
            model.bid_mw[key].fix(0)
    model.only_if_used.deactivate()  # its bound is the limit itself and would hide what the limit is worth
    for n, level in model.fits_level.items():
        if model.used[level].value == 0:
            model.fits[n].deactivate()
    results = SolverFactory("highs").solve(model, threads=1, solver_options={"random_seed": 0})
    dual = results.solution_loader.get_duals()
    limits = [
        Limit(
            "transfer_capability",
            problem.supply.section_ids[section],
            t,
            float(problem.supply.atc_mw[section, t - 1]),
            -float(dual[model.atc_published[section, t]]) / HOURS,
        )
        for section, t in model.atc
    ]
    limits += [
        Limit(
            "need",
            problem.supply.buyer_node,
            t,
            float(problem.need_limit_mw[t - 1]),
            -float(dual[row]) / HOURS,
        )
        for t, row in model.need.items()
    ]
    limits += [
        Limit(
            "demand_response",
            programme.program_id,
            None,
            programme.capability_mw,
            -float(dual[model.capability_given[j]]),
        )
        for j, programme in enumerate(problem.demand_response)
    ]
    expected_gap = problem.scenarios.expected_gap_mw()
    limits += [
        Limit(
            "gap",
            problem.supply.buyer_node,
            t,
            float(expected_gap[t - 1]),
            sum(float(dual[model.balance[s, t]]) for s in range(len(problem.scenarios.names))) / HOURS,
        )
        for t in periods
    ]
    return limits
