"""Hands a model to a solver: HiGHS by default, any solver Pyomo knows by name.

HiGHS gets the model in one piece, as the matrix of Pyomo's standard form: several times faster than constraint by
constraint (docs/benchmarks.md).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import highspy
import numpy as np
import pyomo.environ as pyo
from pyomo.repn.plugins.standard_form import LinearStandardFormCompiler

HIGHS = "highs"
EQUAL, AT_MOST = 0, 1  # how the standard form marks its rows; -1 is at least


class SolverError(RuntimeError):
    """The solver could not take the model, or stopped for a reason of its own."""


@dataclass(frozen=True)
class Answer:
    """What a solver found; the values of the variables are in the model when ``found``.

    optimal: within the gap asked for. dual: constraint -> dual, for linear models solved by HiGHS.
    """

    found: bool
    optimal: bool
    objective: float
    bound: float
    reason: str
    solver: str
    dual: Mapping[Any, float]


@dataclass(frozen=True)
class Handed:
    """A model as HiGHS has it, with what leads back to Pyomo."""

    highs: highspy.Highs
    columns: list[Any]
    rows: list[Any]


def run(
    model: Any,
    *,
    solver: str = HIGHS,
    time_limit: float | None = None,
    gap: float | None = None,
    start: Sequence[tuple[Any, float]] = (),
) -> Answer:
    """Solve on one thread with a fixed seed. Raises SolverError; an infeasible model is an Answer, not an error.

    start: (variable, value) of a plan to begin with, for HiGHS.
    """
    if solver == HIGHS:
        handed = hand_over(model)
        if start:
            place = {id(variable): n for n, variable in enumerate(handed.columns)}
            known = [(place[id(variable)], value) for variable, value in start if id(variable) in place]
            index, values = (np.array(one) for one in zip(*known, strict=True))
            handed.highs.setSolution(len(known), index.astype(np.int32), values.astype(np.float64))
        return _highs(handed, time_limit, gap)
    other = pyo.SolverFactory(solver)
    if not other.available(exception_flag=False):
        raise SolverError(f"Pyomo finds no solver {solver}; install it or leave the option away for HiGHS.")
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
        dual={},
    )


def hand_over(model: Any) -> Handed:
    """The model in HiGHS, not solved. Raises SolverError where HiGHS refuses it."""
    form = LinearStandardFormCompiler().write(model, mixed_form=True, set_sense=pyo.minimize)
    matrix = form.A.tocsc()
    rhs, kind = np.asarray(form.rhs, dtype=np.float64), np.array([row.bound_type for row in form.rows])
    program = highspy.HighsLp()
    program.num_col_, program.num_row_ = len(form.columns), len(form.rows)
    program.col_cost_ = np.asarray(form.c.todense(), dtype=np.float64).ravel()
    program.offset_ = float(np.asarray(form.c_offset).ravel()[0])
    program.col_lower_ = _bounds(form.columns, lambda one: one.lb, -highspy.kHighsInf)
    program.col_upper_ = _bounds(form.columns, lambda one: one.ub, highspy.kHighsInf)
    program.row_lower_ = np.where(kind == AT_MOST, -highspy.kHighsInf, rhs)
    program.row_upper_ = np.where(kind >= EQUAL, rhs, highspy.kHighsInf)
    program.a_matrix_.format_ = highspy.MatrixFormat.kColwise
    program.a_matrix_.start_ = matrix.indptr
    program.a_matrix_.index_ = matrix.indices
    program.a_matrix_.value_ = matrix.data
    whole = [one.is_integer() or one.is_binary() for one in form.columns]
    if any(whole):
        kinds = (highspy.HighsVarType.kContinuous, highspy.HighsVarType.kInteger)
        program.integrality_ = [kinds[one] for one in whole]
    solver = highspy.Highs()  # type: ignore[no-untyped-call]
    solver.silent()
    for name, value in (("threads", 1), ("random_seed", 0)):
        solver.setOptionValue(name, value)
    if solver.passModel(program) == highspy.HighsStatus.kError:
        raise SolverError("HiGHS refused the model; its matrix or bounds hold a value that is no number.")
    return Handed(solver, form.columns, [row.constraint for row in form.rows])


def _highs(handed: Handed, time_limit: float | None, gap: float | None) -> Answer:
    solver = handed.highs
    for name, value in (("time_limit", time_limit), ("mip_rel_gap", gap)):
        if value is not None:
            solver.setOptionValue(name, float(value))
    if solver.run() == highspy.HighsStatus.kError:
        raise SolverError("HiGHS stopped with an error.")
    status, info, solution = solver.getModelStatus(), solver.getInfo(), solver.getSolution()
    optimal = status == highspy.HighsModelStatus.kOptimal
    found = optimal or info.primal_solution_status == highspy.SolutionStatus.kSolutionStatusFeasible
    if found:
        for variable, value in zip(handed.columns, solution.col_value, strict=True):
            variable.set_value(value, skip_validation=True)
    whole = bool(solver.getLp().integrality_)
    dual = {} if whole or not optimal else dict(zip(handed.rows, solution.row_dual, strict=True))
    objective = float(info.objective_function_value) if found else float("nan")
    bound = float(info.mip_dual_bound) if whole else objective
    return Answer(
        found,
        optimal,
        objective,
        bound,
        solver.modelStatusToString(status),
        f"HiGHS {solver.version()}",
        dual,
    )


def _bounds(columns: list[Any], bound: Callable[[Any], float | None], without: float) -> np.ndarray[Any, Any]:
    values = (bound(one) for one in columns)
    return np.array([without if value is None else value for value in values], dtype=np.float64)
