"""Which limits bind and what one more MW of them is worth: duals of the bid model with its levels kept.

The levels a bid uses are kept, its MW are freed from whole steps; what is left is linear. Every limit enters as a
variable held at its published value, so that one dual is the full derivative of the expected cost, wherever the
limit acts: on what may be bid at a level and on what flows in each scenario. Transfer capability counts at the
seller node. A dual holds for a small move; where two limits bind at once it is one of several.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyomo.environ as pyo
from pyomo.contrib.solver.common.results import SolutionStatus

from optimization.bid_model import Meetings, add_costs, highs, meetings
from optimization.purchase import HOURS, Procurement

KINDS = ("transfer_capability", "need", "demand_response", "gap")
SMALLEST_CNY_PER_MWH = 0.005


@dataclass(frozen=True)
class Limit:
    """A limit and what moving it is worth.

    kind: one of KINDS. period: None for a programme. limit_mw: where it
    stands (a gap: its expectation). shadow_price_cny_per_mwh: expected cost saved by one more MW over the period,
    for a gap the cost it adds; for a programme 元 saved by one more MW on this day.
    """

    kind: str
    name: str
    period: int | None
    limit_mw: float
    shadow_price_cny_per_mwh: float


def shadow_prices(problem: Procurement, levels: Mapping[int, Sequence[int]]) -> tuple[float, list[Limit]]:
    """Expected cost (元) of the best MW at the given levels, and the limits with their shadow prices.

    levels: for every period at risk the bid prices used, dear to cheap, empty where nothing is bid.
    """
    met = meetings(problem, levels)
    model = _linear_twin(problem, met)
    results = highs(model)
    if results.solution_status is not SolutionStatus.optimal:
        raise RuntimeError(f"The linear model has no optimum ({results.termination_condition.name}).")
    dual = results.solution_loader.get_duals()
    buyer, supply = problem.supply.buyer_node, problem.supply
    expected_gap = problem.scenarios.expected_gap_mw()
    limits = [
        Limit(
            "transfer_capability",
            supply.section_ids[section],
            t,
            float(supply.atc_mw[section, t - 1]),
            -float(dual[row]) / HOURS,
        )
        for (section, t), row in model.atc_published.items()
    ]
    limits += [
        Limit("need", buyer, t, float(problem.need_limit_mw[t - 1]), -float(dual[row]) / HOURS)
        for t, row in model.need.items()
    ]
    limits += [
        Limit("demand_response", programme.program_id, None, programme.capability_mw, -float(dual[row]))
        for programme, row in zip(problem.demand_response, model.capability_given.values(), strict=True)
    ]
    limits += [
        Limit(
            "gap",
            buyer,
            t,
            float(expected_gap[t - 1]),
            sum(float(dual[model.balance[s, t]]) for s in range(len(problem.scenarios.names))) / HOURS,
        )
        for t in levels
    ]
    return float(results.incumbent_objective), limits


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


def _linear_twin(problem: Procurement, met: Meetings) -> Any:
    model: Any = pyo.ConcreteModel()
    model.bid_mw = pyo.Var(met.levels(), domain=pyo.NonNegativeReals)
    add_costs(model, problem, met, lambda t, k: model.bid_mw[t, k])
    model.need = pyo.Constraint(
        [t for t, prices in met.price.items() if prices],
        rule=lambda m, t: (
            sum(m.bid_mw[t, k] for k in range(len(met.price[t]))) <= int(problem.need_limit_mw[t - 1])
        ),
    )
    limited = [
        (section, t)
        for section in range(len(problem.supply.section_ids))
        for t in met.price
        if np.isfinite(problem.supply.atc_mw[section, t - 1])
    ]
    model.atc = pyo.Var(limited)
    model.atc_published = pyo.Constraint(
        limited, rule=lambda m, section, t: m.atc[section, t] == float(problem.supply.atc_mw[section, t - 1])
    )
    scenario_flows = {(s, t): {p: model.flow[s, t, p] for p in paths} for (s, t), paths in met.usable.items()}
    _hold_to_sections(model, "flow_limit", problem, [(t, flows) for (_, t), flows in scenario_flows.items()])
    rows = _must_fit(met)
    model.room = pyo.Var(
        [(n, p) for n, (_, _, paths) in enumerate(rows) for p in paths], domain=pyo.NonNegativeReals
    )
    model.fits = pyo.Constraint(
        range(len(rows)),
        rule=lambda m, n: (
            sum(m.bid_mw[rows[n][0], k] for k in range(rows[n][1] + 1))
            <= sum(m.room[n, p] for p in rows[n][2])
        ),
    )
    rooms = [(t, {p: model.room[n, p] for p in paths}) for n, (t, _, paths) in enumerate(rows)]
    _hold_to_sections(model, "room_limit", problem, rooms)
    return model


def _must_fit(met: Meetings) -> list[tuple[int, int, tuple[int, ...]]]:
    """(period, level, paths): all MW at or above the level fit into the paths; each distinct set once."""
    found = {(t, k, paths) for (_, t, k), paths in met.meets.items() if paths}
    found |= {(t, len(met.price[t]) - 1, paths) for (_, t), paths in met.usable.items() if met.price[t]}
    return sorted(found)


def _hold_to_sections(
    model: Any, name: str, problem: Procurement, flows: Sequence[tuple[int, Mapping[int, Any]]]
) -> None:
    """Each set of path flows (MW at the buyer) of a period within every section's capability (at the seller)."""
    supply = problem.supply
    rows = [
        (n, section)
        for n, (t, by_path) in enumerate(flows)
        for section in range(len(supply.section_ids))
        if (section, t) in model.atc and any(supply.uses[p, section] for p in by_path)
    ]

    def within(m: Any, n: int, section: int) -> Any:
        t, by_path = flows[n]
        at_seller = [flow / float(supply.coe[p]) for p, flow in by_path.items() if supply.uses[p, section]]
        return sum(at_seller) <= m.atc[section, t]

    model.add_component(name, pyo.Constraint(rows, rule=within))
