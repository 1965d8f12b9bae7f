"""Exact linear programmes for small games: maximise c.x subject to A x <= b, x >= 0, in whole numbers.

Least-index criss-cross method (Terlaky 1985): it needs neither a feasible start nor a ratio test and always
ends. The tableau holds integers over one common denominator (Edmonds' integer pivoting), so nothing rounds.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

Tableau = NDArray[np.object_]


@dataclass(frozen=True)
class Optimum:
    """``value`` = c.x; ``priced``: rows of A with a positive dual, binding in every optimal solution."""

    value: Fraction
    priced: list[int]


def maximize(c: Sequence[int], A: NDArray[Any], b: Sequence[Fraction | int]) -> Optimum:
    """Solve the programme; A is (rows, columns) of whole numbers.

    Raises ArithmeticError when no x satisfies the rows or the value has no bound.
    """
    rows, columns = A.shape
    scale = math.lcm(*(Fraction(bound).denominator for bound in b)) if rows else 1
    tableau: Tableau = np.zeros((rows + 1, columns + 1), dtype=object)
    tableau[:rows, :columns] = A.astype(object)
    tableau[:rows, columns] = [int(Fraction(bound) * scale) for bound in b]
    tableau[rows, :columns] = [-int(weight) for weight in c]

    basic = list(range(columns, columns + rows))  # variable of each row; slacks follow the columns
    free = list(range(columns))  # variable of each column
    denominator = 1
    while (step := _next_pivot(tableau, basic, free)) is not None:
        row, column = step
        tableau, denominator = _pivot(tableau, row, column, denominator)
        basic[row], free[column] = free[column], basic[row]
    priced = [
        variable - columns
        for position, variable in enumerate(free)
        if variable >= columns and tableau[rows, position] > 0
    ]
    return Optimum(Fraction(int(tableau[rows, columns]), denominator * scale), sorted(priced))


def _next_pivot(tableau: Tableau, basic: list[int], free: list[int]) -> tuple[int, int] | None:
    """The least variable that is out of bounds, and the least one that may take its place."""
    low = [(variable, row, -1) for row, variable in enumerate(basic) if tableau[row, -1] < 0]
    dear = [(variable, -1, column) for column, variable in enumerate(free) if tableau[-1, column] < 0]
    if not low and not dear:
        return None
    _, row, column = min(low + dear)
    if column < 0:
        partners = [(free[j], j) for j in range(len(free)) if tableau[row, j] < 0]
        if not partners:
            raise ArithmeticError("No point satisfies every row; check the bounds of the programme.")
        return row, min(partners)[1]
    partners = [(basic[i], i) for i in range(len(basic)) if tableau[i, column] > 0]
    if not partners:
        raise ArithmeticError("The value grows without bound; a row that limits it is missing.")
    return min(partners)[1], column


def _pivot(tableau: Tableau, row: int, column: int, denominator: int) -> tuple[Tableau, int]:
    pivot = tableau[row, column]
    turned = (tableau * pivot - np.outer(tableau[:, column], tableau[row])) // denominator  # exact
    turned[row] = tableau[row]
    turned[:, column] = -tableau[:, column]
    turned[row, column] = denominator
    return (turned, int(pivot)) if pivot > 0 else (-turned, -int(pivot))
