"""Solves one procurement problem in a process of its own: ``python -m jobs.bid_worker``.

Reads a pickled (problem, time limit, solver) from its parent on standard input and writes pickled solutions to standard output, the
better one after the other; the last one counts. A process that hangs or dies takes nothing with it.
"""

from __future__ import annotations

import os
import pickle
import sys

from optimization.procurement import Solution, solve


def main() -> None:
    """Solve what the parent sends."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever a solver prints must not mix with the answers
    problem, time_limit, solver = pickle.load(sys.stdin.buffer)  # noqa: S301 - from the parent alone

    def send(solution: Solution) -> None:
        pickle.dump(solution, answers)
        answers.flush()

    send(solve(problem, time_limit=time_limit, solver=solver, report=send))


if __name__ == "__main__":
    main()
