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
add up apart), so only cleared levels and path flows appear, and a path carries no more than what the cheaper ones
leave of its sections. To keep the rule linear the model admits only bids that are never cut in part: with
``room(k)`` the least that the paths meeting level k carry together, over the scenarios in which one meets it,

    a level may be used only if all MW bid at or above it are at most room(k).

Such a level clears whole, or, where no path meets it, not at all. This is an inner approximation: bids a tail of
which is sometimes crowded out are not considered, and the bid that is found costs exactly what the model says
under the rule. The choice is written by the lowest level used (one binary a period and level, MW apart for each),
which the solver closes far faster than one binary a used level.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyomo.environ as pyo
from pyomo.contrib.solver.common.results import TerminationCondition

from optimization.bid_levels import levels
from optimization.bid_model import Meetings, add_costs, highs, meetings, usable_paths
from optimization.purchase import Bid, Procurement, bid_of
from optimization.shadow_prices import Limit, shadow_prices

OPTIMUM, INCUMBENT, RULE, NO_NEED = "optimum", "incumbent", "rule", "no_need"
LEVELS = 8  # more improve a day by a fifth of a percent
GAP = 1e-3  # of the expected cost; what a handful of scenarios leaves open is larger
WHOLE_MW_SECONDS = 5.0
TOLERANCE_MW = 1e-6


class NoBidFoundError(RuntimeError):
    """The solver stopped without any bid; the sentence says why."""


@dataclass(frozen=True)
class Solution:
    """label: optimum (of the model, within the gap), incumbent (best bid at the time limit) or no_need (no period
    at risk). limits are empty for no_need."""

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

    The levels are found with MW free of their whole step, whose optimum bounds every bid; then the MW at those
    levels are made whole. time_limit: seconds for the search of levels.
    Raises NoBidFoundError when it ends without a bid.
    """
    periods = [int(t) for t in problem.scenarios.at_risk()]
    if not periods:
        return Solution((), NO_NEED, 0.0, 0.0, (), "none")
    met = meetings(problem, {t: _levels(problem, t, level_count) for t in periods})
    model = build(problem, met)
    search = _search(model, time_limit)
    for choice in (*model.lowest.values(), *model.used.values()):
        choice.fix(round(choice.value))
    for mw in model.bid_mw.values():
        mw.domain = pyo.NonNegativeIntegers
    whole = _search(model, max(time_limit, WHOLE_MW_SECONDS))
    bid = bid_of((t, round(mw.value), met.price[t][k]) for (t, _, k), mw in model.bid_mw.items())
    used = {t: [one.price_cny_per_mwh for one in bid if one.period == t] for t in periods}
    found = search.termination_condition is TerminationCondition.convergenceCriteriaSatisfied
    return Solution(
        bid=bid,
        label=OPTIMUM if found else INCUMBENT,
        objective_cny=float(whole.incumbent_objective),
        bound_cny=float(search.objective_bound),
        limits=tuple(shadow_prices(problem, used)[1]),
        solver=f"HiGHS {'.'.join(map(str, search.solver_version))}",
    )


def _levels(problem: Procurement, t: int, count: int) -> list[int]:
    landed = [
        float(problem.landed[s, p, t - 1])
        for s in range(len(problem.scenarios.names))
        for p in usable_paths(problem, s, t)
    ]
    return levels(landed, int(problem.rules.floor_cny_per_mwh), int(problem.rules.cap_cny_per_mwh), count)


def _search(model: Any, time_limit: float) -> Any:
    results = highs(model, time_limit=time_limit, rel_gap=GAP)
    if results.incumbent_objective is None:
        raise NoBidFoundError(
            f"The solver stopped after {time_limit:g} s without a bid ({results.termination_condition.name}); "
            "give it more time, or bid by the rule."
        )
    results.solution_loader.load_vars()
    return results


def build(problem: Procurement, met: Meetings) -> Any:
    """The Pyomo model for the levels of ``met``.

    ``lowest[t, n]``: n is the lowest level used in period t. ``bid_mw[t, n, k]``: MW at level k when it is.
    ``used[t, n, k]``: level k is used above n, only where that is not free: more than five levels stand there, or
    level k has less room than n.
    """
    room = {(t, k): _room(problem, met, t, k) for t, k in met.levels()}
    plans = [(t, n, k) for t, n in met.levels() for k in range(n + 1)]
    segments = problem.rules.segments
    crowded = [(t, n) for t, n in met.levels() if n + 1 > segments]
    tight = [(t, n, k) for t, n, k in plans if room[t, k] < room[t, n] - TOLERANCE_MW]
    bound = sorted({*tight, *((t, n, k) for t, n in crowded for k in range(n + 1))})

    model: Any = pyo.ConcreteModel()
    model.lowest = pyo.Var(met.levels(), domain=pyo.Binary)
    model.used = pyo.Var(bound, domain=pyo.Binary)
    model.bid_mw = pyo.Var(plans, domain=pyo.NonNegativeReals)
    model.one_lowest = pyo.Constraint(
        [t for t, prices in met.price.items() if prices],
        rule=lambda m, t: sum(m.lowest[t, n] for n in range(len(met.price[t]))) <= 1,
    )
    model.fits = pyo.Constraint(
        met.levels(),
        rule=lambda m, t, n: _at_or_above(m, t, n, n) <= room[t, n] * m.lowest[t, n],
    )
    model.only_if_used = pyo.Constraint(
        bound,
        rule=lambda m, t, n, k: m.bid_mw[t, n, k] <= min(room[t, n], room[t, k]) * m.used[t, n, k],
    )
    model.used_in_plan = pyo.Constraint(bound, rule=lambda m, t, n, k: m.used[t, n, k] <= m.lowest[t, n])
    model.fits_above = pyo.Constraint(
        tight,
        rule=lambda m, t, n, k: (
            _at_or_above(m, t, n, k)
            <= room[t, k] * m.used[t, n, k] + room[t, n] * (m.lowest[t, n] - m.used[t, n, k])
        ),
    )
    model.segments = pyo.Constraint(
        crowded,
        rule=lambda m, t, n: sum(m.used[t, n, k] for k in range(n + 1)) <= segments * m.lowest[t, n],
    )
    model.level_mw = pyo.Expression(
        met.levels(), rule=lambda m, t, k: sum(m.bid_mw[t, n, k] for n in range(k, len(met.price[t])))
    )
    add_costs(model, problem, met, lambda t, k: model.level_mw[t, k])
    for (s, t), paths in met.usable.items():
        carried = problem.supply.carried(_among(problem, s, t, paths), t)
        for p in paths:
            model.flow[s, t, p].setub(None if np.isinf(carried[p]) else float(carried[p]))
    return model


def _at_or_above(model: Any, t: int, n: int, k: int) -> Any:
    return sum(model.bid_mw[t, n, higher] for higher in range(k + 1))


def _room(problem: Procurement, met: Meetings, t: int, k: int) -> float:
    """MW that may be bid at or above level k when k is used: what fits in every scenario that meets it."""
    carried = [
        float(problem.supply.carried(_among(problem, s, t, met.meets[s, t, k]), t).sum())
        for s in range(len(problem.scenarios.names))
        if met.meets[s, t, k]
    ]
    return min([*carried, float(problem.bid_limit_mw()[t - 1])])


def _among(
    problem: Procurement, s: int, t: int, paths: Sequence[int]
) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Landed prices of a scenario and period, NaN for paths that are not among ``paths``."""
    landed = np.full(len(problem.supply.path_ids), np.nan)
    landed[list(paths)] = problem.landed[s, list(paths), t - 1]
    return landed
