"""Hands a model to a solver: HiGHS by default, any solver Pyomo knows by name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pyomo.environ as pyo
from pyomo.contrib.solver.common.factory import SolverFactory
from pyomo.contrib.solver.common.results import SolutionStatus, TerminationCondition

HIGHS = "highs"


@dataclass(frozen=True)
class Answer:
    """What a solver found; ``values`` of the variables are in the model when ``found``.

    optimal: within the gap asked for. results: the solver's own, for duals.
    """

    found: bool
    optimal: bool
    objective: float
    bound: float
    reason: str
    solver: str
    results: Any


def run(
    model: Any, *, solver: str = HIGHS, time_limit: float | None = None, gap: float | None = None
) -> Answer:
    """Solve on one thread with a fixed seed. Raises pyomo.common.errors.PyomoException for an unknown solver."""
    if solver == HIGHS:
        options: dict[str, Any] = {} if time_limit is None else {"time_limit": time_limit}
        options |= {} if gap is None else {"rel_gap": gap}
        results = SolverFactory(HIGHS).solve(
            model,
            load_solutions=False,
            raise_exception_on_nonoptimal_result=False,
            threads=1,
            solver_options={"random_seed": 0},
            **options,
        )
        found = results.solution_status in (SolutionStatus.optimal, SolutionStatus.feasible)
        if found:
            results.solution_loader.load_vars()
        bound = results.objective_bound
        return Answer(
            found=found,
            optimal=results.termination_condition is TerminationCondition.convergenceCriteriaSatisfied,
            objective=float(results.incumbent_objective) if found else float("nan"),
            bound=float(bound) if bound is not None else float("-inf"),
            reason=results.termination_condition.name,
            solver=f"HiGHS {'.'.join(map(str, results.solver_version))}",
            results=results,
        )
    other = pyo.SolverFactory(solver)
    results = other.solve(model, load_solutions=False, timelimit=time_limit)
    found = len(results.solution) > 0
    if found:
        model.solutions.load_from(results)
    objective = next(model.component_data_objects(pyo.Objective, active=True))
    return Answer(
        found=found,
        optimal=results.solver.termination_condition == pyo.TerminationCondition.optimal,
        objective=float(pyo.value(objective)) if found else float("nan"),
        bound=float(results.problem.lower_bound) if found else float("-inf"),
        reason=str(results.solver.termination_condition),
        solver=solver,
        results=results,
    )
