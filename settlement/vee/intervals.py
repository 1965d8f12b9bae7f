"""Rules on the quarter-hours of one day: arrays (rows, 96), True where a value is odd.

wh: int64 Wh after the multiplier, MISSING where missing; a missing value is never odd, it is a gap (R25).
"""

from __future__ import annotations

from decimal import Decimal

import numpy as np

from market.curves import MISSING, filled
from market.money import IntArray
from market.periods import PERIODS
from settlement.vee.ratios import BoolArray, exceeds

NO_LIMIT = int(np.iinfo(np.int64).max)


def negative(wh: IntArray) -> BoolArray:
    """R26: energy below zero; what a meter delivers has a meter of direction -1 and is positive too."""
    odd = np.zeros(wh.shape, dtype=np.bool_)
    rows = np.flatnonzero(wh.min(axis=1, initial=0) < 0)  # few, or those with gaps
    odd[rows] = (wh[rows] < 0) & (wh[rows] != MISSING)
    return odd


def above_capacity(wh: IntArray, limit_wh: IntArray) -> BoolArray:
    """合理性: more than the connection can carry in a quarter-hour. limit_wh: (rows,), NO_LIMIT where unknown."""
    odd = np.zeros(wh.shape, dtype=np.bool_)
    rows = np.flatnonzero(wh.max(axis=1, initial=MISSING) > limit_wh)
    odd[rows] = wh[rows] > limit_wh[rows, None]
    return odd


def capacity_limit_wh(capacity_kva_milli: int | None, factor: Decimal) -> int:
    """The most of a quarter-hour: capacity (0.001 kVA) x factor x 1/4 h, in Wh; NO_LIMIT without a capacity."""
    if not capacity_kva_milli:
        return NO_LIMIT
    return int(capacity_kva_milli * factor / 4)  # 0.001 kVA x h is 1 VAh: cos φ = 1 at best


def spikes(wh: IntArray, factor: Decimal, floor_wh: int) -> BoolArray:
    """A single quarter-hour that stands ``factor`` times above both neighbours and above the mean of the day.

    Neighbours are those of the day; at its ends there is one. A missing neighbour or a missing value elsewhere in
    the day counts as zero. Below ``floor_wh`` nothing is a spike.
    """
    odd = np.zeros(wh.shape, dtype=np.bool_)
    highest = wh.max(axis=1, initial=MISSING)
    rows = np.flatnonzero(highest >= max(floor_wh, 1))
    known = wh if len(rows) == len(wh) else wh[rows]
    if known.min(initial=0) < 0:
        known = np.maximum(known, 0)  # what is missing is the least number there is
    # Only a day whose highest value is above factor x its mean can have a spike: few rows are left to look at closely.
    total = known.sum(axis=1)
    near = np.flatnonzero(exceeds(highest[rows] * PERIODS, factor, total))
    known, total, rows = known[near], total[near], rows[near]
    high = exceeds(known * PERIODS, factor, total[:, None]) & (known >= floor_wh)
    left = np.pad(known[:, :-1], ((0, 0), (1, 0)))
    right = np.pad(known[:, 1:], ((0, 0), (0, 1)))
    odd[rows] = high & exceeds(known, factor, np.maximum(left, right))
    return odd


class FlatRuns:
    """The longest stretch of one and the same reading of every meter, over days given in order.

    A zero, a gap and a day that is not given end a stretch. A load that is constant by nature (a lamp, a telecom
    mast) is not odd: ``varied`` tells a meter whose reading changes in at least half of its other quarter-hours.
    """

    def __init__(self, meters: int) -> None:
        self.longest = np.zeros(meters, np.int64)
        self.ends_on = np.full(meters, -1, np.int64)
        self._changes = np.zeros(meters, np.int64)
        self._periods = np.zeros(meters, np.int64)
        self._last = np.zeros(meters, np.int64)
        self._length = np.zeros(meters, np.int64)
        self._seen_on = np.full(meters, -2, np.int64)

    @property
    def varied(self) -> BoolArray:
        """(meters,) True where the reading changes in at least half of the quarter-hours outside the stretch."""
        outside = self._periods - self.longest
        return np.asarray((outside > 0) & (2 * self._changes >= outside))

    def observe(self, day: int, meters: IntArray, reading: IntArray) -> None:
        """day: its number. meters: (rows,) which meter a row is, each once. reading: (rows, 96)."""
        known = filled(reading) if reading.min(initial=0) == MISSING else reading
        changes = np.ones(known.shape, dtype=np.bool_)
        np.not_equal(known[:, 1:], known[:, :-1], out=changes[:, 1:])
        counted = np.count_nonzero(changes, axis=1)  # the first quarter-hour counts as a change
        self._changes[meters] += counted - 1
        self._periods[meters] += PERIODS
        held = (self._seen_on[meters] == day - 1) & (self._last[meters] == known[:, 0])
        carried = np.where(held, self._length[meters], 0)
        self._seen_on[meters], self._last[meters] = day, known[:, -1]
        steady = np.flatnonzero((counted < PERIODS) | held)
        self._length[meters] = np.where(known[:, -1] == 0, 0, 1)
        if not len(steady):
            return
        known, changes, meters = known[steady], changes[steady], meters[steady]
        column = np.arange(PERIODS, dtype=np.int16)
        start = np.maximum.accumulate(np.where(changes, column, np.int16(0)), axis=1)
        length = (column - start + 1).astype(np.int64) + np.where(start == 0, carried[steady][:, None], 0)
        length[known == 0] = 0
        self._length[meters] = length[:, -1]
        longest = length.max(axis=1)
        longer = longest > self.longest[meters]
        self.longest[meters[longer]] = longest[longer]
        self.ends_on[meters[longer]] = day
