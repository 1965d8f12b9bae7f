"""补数: the estimation ladder of SD25 Annex 3 (market.md C.5), on whole numbers of 1e-6 kWh before the multiplier.

Per gap, a stretch of missing quarter-hours without a break, the first rung that fills all of it:
1. one quarter-hour alone: the mean of its two neighbours;
2. the historical ratio: the reference day of its kind x (what the day has) / (what the reference has then);
3. the day before, the same quarter-hours;
4. a straight line between the neighbours, for a short gap.
What no rung fills stays missing.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from market.curves import MISSING, filled, is_missing
from market.money import IntArray, half_up_ratio
from market.periods import PERIODS


class Method(StrEnum):
    """The rungs, in their order."""

    NEIGHBOURS = "neighbours"
    HISTORY = "history"
    DAY_BEFORE = "day_before"
    LINEAR = "linear"


@dataclass(frozen=True)
class Around:
    """What is known beside a day of one meter; a part that is not known is MISSING.

    before, after: the last reading of the day before and the first of the day after. day_before: (96,).
    references: (n, 96), the reference days by their calendar (``settlement.vee.reference_days``), none if unknown.
    """

    before: int
    after: int
    day_before: IntArray
    references: IntArray


def fill(day: IntArray, around: Around, linear_periods: int) -> tuple[IntArray, list[Method | None]]:
    """The (96,) day with its gaps filled, and by period the method, None where measured or still missing."""
    estimated = day.copy()
    methods: list[Method | None] = [None] * PERIODS
    history = _by_history(day, around.references)
    for first, after in _gaps(day):
        gap = slice(first, after)
        left = int(day[first - 1]) if first else around.before
        right = int(day[after]) if after < PERIODS else around.after
        rungs = (
            (Method.NEIGHBOURS, _line(left, right, 1) if after - first == 1 else None),
            (Method.HISTORY, None if history is None else history[gap]),
            (Method.DAY_BEFORE, around.day_before[gap]),
            (Method.LINEAR, _line(left, right, after - first) if after - first <= linear_periods else None),
        )
        for method, values in rungs:
            if values is not None and not is_missing(values).any():
                estimated[gap] = values
                methods[gap] = [method] * (after - first)
                break
    return estimated, methods


def _gaps(day: IntArray) -> list[tuple[int, int]]:
    missing = is_missing(day).astype(np.int8)
    edges = np.flatnonzero(np.diff(missing, prepend=0, append=0)).tolist()
    return list(pairwise(edges))[::2]


def _line(left: int, right: int, steps: int) -> IntArray | None:
    """A straight line between two readings; for one step their mean."""
    if MISSING in (left, right):
        return None
    return np.array(
        [half_up_ratio(left * (steps + 1 - n) + right * n, steps + 1) for n in range(1, steps + 1)], np.int64
    )


def _by_history(day: IntArray, references: IntArray) -> IntArray | None:
    """The mean of the reference days x the day's own share of it; a day without any reading takes it as it is.

    A quarter-hour that a reference lacks stays missing. None without a reference, or where the reference has no
    energy at the quarter-hours that the day has.
    """
    if not len(references):
        return None
    known_there: NDArray[np.bool_] = np.asarray(~is_missing(references).any(axis=0))
    there = filled(references).sum(axis=0).tolist()
    both = known_there & ~is_missing(day)
    mine, theirs = int(day[both].sum()), sum(there[place] for place in np.flatnonzero(both))
    if is_missing(day).all():
        mine, theirs = 1, len(references)
    if theirs <= 0 or mine < 0:
        return None
    return np.array(
        [
            half_up_ratio(value * mine, theirs) if known else MISSING
            for value, known in zip(there, known_there.tolist(), strict=True)
        ],
        np.int64,
    )
