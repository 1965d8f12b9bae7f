"""Never without a bid: optimum, incumbent at the time limit, the rule, the table, yesterday's bid, nothing.

The search runs in a process with a deadline; a crash, a hang or a time-out only costs its rung. Every rung is checked
like any bid, says by its label which one it is, and why those above it failed.
"""

from __future__ import annotations

import io
import pickle
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from jobs.bid_inputs import BidInputs, BidInputsMissingError
from optimization.bid_check import BidLimits, problems
from optimization.evaluation import rule_bid
from optimization.procurement import (
    INCUMBENT,
    NOTHING,
    RULE,
    TABLE,
    YESTERDAY,
    NoBidFoundError,
    Solution,
    solve,
)
from optimization.purchase import Bid, Procurement, bid_frame, bid_of, curves_of
from optimization.rule_table import table_bid
from optimization.solver import HIGHS, SolverError

WORKER = (sys.executable, "-m", "jobs.bid_worker")
STOPPING_SECONDS = (
    60.0  # after the solver's own limit: starting, search, hand-over, shadow prices, on a busy machine
)
Search = Callable[[Procurement, float, str], Solution]


@dataclass(frozen=True)
class Chosen:
    """A bid that passes the check. reason: what failed above it, None for the top of the ladder."""

    bid: Bid
    label: str
    reason: str | None
    solution: Solution | None


def climb_down(
    inputs: BidInputs,
    limits: BidLimits,
    yesterday: Bid | None,
    search: Search,
    *,
    time_limit: float,
    solver: str = HIGHS,
) -> Chosen:
    """The highest rung whose bid passes the check; buying nothing always does."""
    failed: list[str] = []
    for label, make in _rungs(inputs, yesterday, search, time_limit, solver):
        try:
            made = make()
        except Exception as error:  # noqa: BLE001 - whatever fails costs its rung, never the bid
            failed.append(_said(label, error))
            continue
        bid = made.bid if isinstance(made, Solution) else made
        wrong = problems(bid_frame(bid, inputs.node), limits)
        if wrong:
            failed.append(f"The {label} bid does not pass the check ({wrong[0]})")
            continue
        solution = made if isinstance(made, Solution) else None
        reason = f"{' '.join(failed)} This bid follows the {label}." if failed else None
        return Chosen(bid, solution.label if solution else label, reason, solution)
    raise AssertionError("Buying nothing passes every check.")


def _said(label: str, error: Exception) -> str:
    """Errors that are sentences as they are, any other with the rung and its kind."""
    if isinstance(error, NoBidFoundError | SolverError | BidInputsMissingError):
        return str(error)
    return f"The {label} bid failed ({type(error).__name__}: {error})."


def search_here(problem: Procurement, time_limit: float, solver: str) -> Solution:
    """Search in this process: quick, but a crash of the solver would be ours."""
    return solve(problem, time_limit=time_limit, solver=solver)


def search_apart(
    problem: Procurement,
    time_limit: float,
    solver: str,
    command: Sequence[str] = WORKER,
    deadline: float | None = None,
) -> Solution:
    """Search in another process, ended at the deadline (seconds); what it had found by then is the incumbent.

    Raises NoBidFoundError when it found nothing, with the last line it wrote.
    """
    if not problem.open_periods():
        return solve(problem)  # nothing to search for
    seconds = time_limit + STOPPING_SECONDS if deadline is None else deadline
    sent = pickle.dumps((problem, time_limit, solver))
    try:
        done = subprocess.run(list(command), input=sent, capture_output=True, timeout=seconds, check=False)  # noqa: S603
        answers, errors, status = done.stdout, done.stderr, done.returncode
        ended = f"ended with status {status}"
    except subprocess.TimeoutExpired as late:
        answers, errors, status = late.stdout or b"", late.stderr or b"", None
        ended = f"did not answer within {seconds:g} s and was ended"
    found = list(_solutions(answers))
    if not found:
        last = errors.decode(errors="replace").strip().rpartition("\n")[2]
        raise NoBidFoundError(f"The search {ended} without a bid. {last}".strip())
    return found[-1] if status == 0 else replace(found[-1], label=INCUMBENT)


def _solutions(answers: bytes) -> Iterator[Solution]:
    stream = io.BytesIO(answers)
    while True:
        try:
            yield pickle.load(stream)  # noqa: S301 - from our own process
        except (EOFError, pickle.UnpicklingError):
            return


def _rungs(
    inputs: BidInputs, yesterday: Bid | None, search: Search, time_limit: float, solver: str
) -> Iterator[tuple[str, Callable[[], Solution | Bid]]]:
    problem = inputs.problem
    yield "optimum", lambda: search(problem, time_limit, solver)
    yield RULE, lambda: rule_bid(problem)
    yield TABLE, lambda: table_bid(problem, inputs.day)
    if yesterday is not None:
        before = yesterday
        yield YESTERDAY, lambda: cut(before, problem)
    yield NOTHING, tuple


def cut(bid: Bid, problem: Procurement) -> Bid:
    """The bid within today's limits: the cheapest MW of a period go first, prices stay."""
    limit = problem.bid_limit_mw()
    steps = []
    for t, curve in curves_of(bid).items():
        left = int(limit[t - 1])
        for mw, price in curve:
            taken = min(mw, left)
            left -= taken
            steps.append((t, taken, price))
    return bid_of(steps)
