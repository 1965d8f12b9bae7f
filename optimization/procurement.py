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
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyomo.environ as pyo

from optimization import solver as solvers
from optimization.candidates import Period, add_second_candidates, best_alone, first_candidates
from optimization.conflict import conflicts
from optimization.purchase import Bid, Procurement, bid_of
from optimization.response import add_response, add_risk
from optimization.shadow_prices import Limit, shadow_prices
from optimization.single_buyer import FloatArray

OPTIMUM, INCUMBENT, RULE, TABLE = "optimum", "incumbent", "rule", "table"
YESTERDAY, NOTHING, NO_NEED, OVERRIDE = "yesterday", "nothing", "no_need", "override"
GAP = 1e-3  # of cost and risk
FIRST_GAP = 1e-2  # the first choice only guides the second search
ROUNDS = 2
SEARCH_SHARE = 0.3  # of the time limit for the first choice


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
    a caller who must stop has the last one; the first holds the curves that are best period by period, before any
    solver has run, with an objective of inf. Raises NoBidFoundError when it ends without a choice, and names the
    limits in conflict where there is none.
    """
    if not np.isfinite(problem.scenarios.gap_mw).all():
        raise NoBidFoundError("The gap of a scenario is no number; look at the forecasts of the day.")
    periods = problem.open_periods()
    if not periods:
        return Solution((), NO_NEED, 0.0, 0.0, (), "none")
    state = first_candidates(problem)
    alone = {t: best_alone(problem, one, t) for t, one in state.items()}
    if report is not None:  # not yet weighed together: no objective, no bound
        report(Solution(_bid_of(state, alone), INCUMBENT, float("inf"), float("-inf"), (), "none"))
    choice = _choose(problem, state, alone, time_limit * SEARCH_SHARE, solver, FIRST_GAP)
    for _ in range(ROUNDS - 1):
        if report is not None:
            report(replace(_solution(state, choice), label=INCUMBENT))
        add_second_candidates(problem, state, choice.curve, choice.response_mw, choice.tail)
        seconds = time_limit * (1 - SEARCH_SHARE) / (ROUNDS - 1)
        choice = _choose(problem, state, choice.curve, seconds, solver, GAP)
    solution = _solution(state, choice)
    return replace(solution, limits=tuple(shadow_prices(problem, solution.bid)[1]))


def _solution(state: dict[int, Period], choice: _Choice) -> Solution:
    answer = choice.answer
    return Solution(
        bid=_bid_of(state, choice.curve),
        label=OPTIMUM if answer.optimal else INCUMBENT,
        objective_cny=answer.objective,
        bound_cny=answer.bound,
        limits=(),
        solver=answer.solver,
        judged=sum(len(one.curves) for one in state.values()),
    )


def _bid_of(state: dict[int, Period], curve: dict[int, int]) -> Bid:
    return bid_of((t, mw, price) for t, one in state.items() for mw, price in one.curves[curve[t]])


def build(problem: Procurement, state: dict[int, Any]) -> Any:
    """The Pyomo model over the judged curves: ``chosen[t, c]``, imports and purchase by scenario, response, risk."""
    model: Any = pyo.ConcreteModel()
    mw = {t: one.mw() for t, one in state.items()}
    cost = {t: one.cost() for t, one in state.items()}
    curves = {t: range(len(one)) for t, one in mw.items()}
    index = [(t, c) for t in state for c in curves[t]]
    model.chosen = pyo.Var(index, domain=pyo.Binary)
    model.one_curve = pyo.Constraint(
        list(state), rule=lambda m, t: pyo.quicksum(m.chosen[t, c] for c in curves[t]) == 1
    )

    def imported(s: int, t: int) -> Any:
        return pyo.quicksum(float(mw[t][c, s]) * model.chosen[t, c] for c in curves[t] if mw[t][c, s] > 0)

    def purchase(s: int) -> Any:
        return pyo.quicksum(float(cost[t][c, s]) * model.chosen[t, c] for t, c in index if mw[t][c, s] > 0)

    if problem.rules.ramp_mw is not None:
        _add_ramp(model, problem, state)
    add_response(model, problem, list(state), imported)
    add_risk(model, problem, purchase)
    return model


def _choose(
    problem: Procurement,
    state: dict[int, Period],
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


def _tail(problem: Procurement, cost: FloatArray) -> FloatArray:
    probability = problem.scenarios.probability
    worst = np.argsort(-cost, kind="stable")
    before = np.cumsum(probability[worst]) - probability[worst]
    weight = np.zeros_like(probability)
    weight[worst] = np.clip(problem.risk_share - before, 0.0, probability[worst]) / problem.risk_share
    return weight


def _add_ramp(model: Any, problem: Procurement, state: dict[int, Period]) -> None:
    """Flow of every section (MW at the seller) moves by no more than the ramp between neighbouring periods (A.8)."""
    ramp = float(problem.rules.ramp_mw or 0)
    flow = {t: (one.path_mw() / problem.supply.coe) @ problem.supply.uses for t, one in state.items()}

    def at(m: Any, t: int, s: int, section: int) -> Any:
        if t not in state:
            return 0.0
        return pyo.quicksum(float(flow[t][c, s, section]) * m.chosen[t, c] for c in range(len(flow[t])))

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
