"""Nucleolus of a small game, exactly (Schmeidler 1969; sequence of linear programmes after Maschler et al.)."""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from fractions import Fraction

import numpy as np

from demand_response.coalitions import Worth, worths
from demand_response.exact_lp import maximize

MOST_PLAYERS = 10

Row = list[Fraction]


def nucleolus(v: Worth, players: Sequence[Hashable]) -> list[Fraction]:
    """The imputation whose largest complaints v(S) - x(S) are lexicographically least, in player order.

    Exact rational arithmetic, up to 10 players; the bankruptcy and airport games have rules of their own for
    any number (``talmud``, ``airport_nucleolus``). Raises ValueError for more players, a missing coalition, or
    singletons that together claim more than v(N).
    """
    n = len(players)
    if n > MOST_PLAYERS:
        raise ValueError(
            f"{n} players; the exact nucleolus takes up to {MOST_PLAYERS}. Use talmud for a DR bill."
        )
    worth = worths(v, players)
    alone = [worth[1 << i] for i in range(n)]
    surplus = worth[-1] - sum(alone)
    if surplus < 0:
        raise ValueError(
            f"The singletons are worth {sum(alone)} and all together only {worth[-1]}; no one would join, "
            "so the game has no nucleolus."
        )
    # y = x - v({i}) >= 0; a coalition's gain over its members alone is need[S], its complaint need[S] - y(S)
    member = np.array([[mask >> i & 1 for i in range(n)] for mask in range(1 << n)], dtype=np.int64)
    need = [worth[mask] - sum(alone[i] for i in range(n) if mask >> i & 1) for mask in range(1 << n)]
    least: dict[int, Fraction] = {len(need) - 1: surplus}  # settled coalitions: y(S) is this much
    while len(rest := _directions([_equation(member[s], y) for s, y in least.items()], n)) > 0:
        moving = member @ np.array(rest, dtype=object).T
        open_ = [s for s in range(1, len(need)) if any(moving[s])]
        settled = [s for s in least if s != len(need) - 1]
        # largest t with y(S) >= need[S] + t for open S: t is shifted by the largest need so that it is >= 0
        top = max(need)
        matrix = np.vstack(
            [
                np.append(member[-1], 0),
                np.column_stack([-member[settled], np.zeros(len(settled), dtype=np.int64)]),
                np.column_stack([-member[open_], np.ones(len(open_), dtype=np.int64)]),
            ]
        )
        bounds = [surplus, *(-least[s] for s in settled), *(top - need[s] for s in open_)]
        best = maximize([0] * n + [1], matrix, bounds)
        first = 1 + len(settled)
        for row in best.priced:
            if row >= first:
                s = open_[row - first]
                least[s] = need[s] - top + best.value
    gains = _solution([_equation(member[s], y) for s, y in least.items()], n)
    return [alone[i] + gains[i] for i in range(n)]


def _equation(indicator: np.ndarray[tuple[int], np.dtype[np.int64]], value: Fraction) -> Row:
    return [*(Fraction(int(entry)) for entry in indicator), value]


def _reduced(equations: list[Row], n: int) -> list[tuple[int, Row]]:
    """Gauss-Jordan: (pivot column, row) of each independent equation."""
    reduced: list[tuple[int, Row]] = []
    for equation in equations:
        row = equation
        for pivot, other in reduced:
            row = [a - row[pivot] * b for a, b in zip(row, other, strict=True)]
        lead = next((j for j in range(n) if row[j] != 0), None)
        if lead is None:
            continue
        row = [a / row[lead] for a in row]
        reduced = [(p, [a - r[lead] * b for a, b in zip(r, row, strict=True)]) for p, r in reduced]
        reduced.append((lead, row))
    return reduced


def _directions(equations: list[Row], n: int) -> list[list[int]]:
    """Whole-number vectors along which y may still move without breaking an equation."""
    reduced = dict(_reduced(equations, n))
    directions = []
    for j in set(range(n)) - set(reduced):
        vector = [Fraction(int(i == j)) if i not in reduced else -reduced[i][j] for i in range(n)]
        scale = math.lcm(*(entry.denominator for entry in vector))
        directions.append([int(entry * scale) for entry in vector])
    return directions


def _solution(equations: list[Row], n: int) -> Row:
    reduced = dict(_reduced(equations, n))
    return [reduced[i][n] for i in range(n)]
