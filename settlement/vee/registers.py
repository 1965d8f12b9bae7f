"""Rules on register reads: arrays (reads,). Counters stand in 1e-6 kWh before the multiplier."""

from __future__ import annotations

from decimal import Decimal
from typing import NamedTuple

import numpy as np

from market.curves import MISSING, filled, is_missing
from market.money import IntArray
from settlement.vee.ratios import BoolArray, exceeds

MICRO = 1_000_000


class Advance(NamedTuple):
    """What the counters counted, MISSING where they ran backwards; which rolled over, which ran backwards."""

    counted: IntArray
    rolled_over: BoolArray
    backwards: BoolArray


def advance(start: IntArray, end: IntArray, digits: IntArray, rollover_share: Decimal) -> Advance:
    """R05 示数倒走, R06 满码: an end below the start is a wrap where it counted little of the range, else a fault.

    digits: whole digits of the counter, so that it wraps at 10**digits kWh. A wrap is plausible while
    10**digits - start + end is at most ``rollover_share`` of the range.
    """
    counted = end - start
    span = 10**digits * MICRO
    wrapped = counted + span
    behind = counted < 0
    plausible = behind & (wrapped >= 0) & ~exceeds(wrapped, rollover_share, span)
    backwards = behind & ~plausible
    return Advance(np.where(backwards, MISSING, np.where(plausible, wrapped, counted)), plausible, backwards)


def rates_do_not_add(total: IntArray, rates: IntArray, tolerance: int) -> BoolArray:
    """R09 分时不平: |total - Σ rates| above the tolerance, all in 1e-6 kWh on the counter; unknown is not judged."""
    known = ~is_missing(total) & ~is_missing(rates)
    return np.asarray(known & (np.abs(filled(total) - filled(rates)) > tolerance))


def out_of_balance(intervals: IntArray, counted: IntArray, share: Decimal, floor_wh: int) -> BoolArray:
    """R10, R11 不平: |Σ intervals - register| above ``share`` of the register and above ``floor_wh``, in Wh."""
    known = ~is_missing(intervals) & ~is_missing(counted)
    gap = np.abs(filled(intervals) - filled(counted))
    return np.asarray(known & exceeds(gap, share, np.abs(filled(counted))) & (gap > floor_wh))


def reverse(counted: IntArray, tolerance: int) -> BoolArray:
    """反向: a counter of the direction that the meter does not settle moved by more than the tolerance."""
    return np.asarray(~is_missing(counted) & (filled(counted) > tolerance))
