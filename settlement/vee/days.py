"""Rules on whole days: arrays (meters, days), Wh, MISSING where a day is not complete."""

from __future__ import annotations

from decimal import Decimal

import numpy as np

from market.curves import filled, is_missing
from market.money import IntArray
from settlement.vee.ratios import BoolArray, exceeds

BEFORE = 7


def jumps(totals: IntArray, factor: Decimal, floor_wh: int) -> BoolArray:
    """Sudden jump: a day ``factor`` times above, or below, the mean of the seven days before it.

    The step must be at least ``floor_wh``. The first seven days, and days after a gap among the seven, are not
    judged.
    """
    odd = np.zeros(totals.shape, dtype=np.bool_)
    gaps, known = is_missing(totals), filled(totals)
    for day in range(BEFORE, totals.shape[1]):
        window = slice(day - BEFORE, day)
        whole = ~gaps[:, window].any(axis=1) & ~gaps[:, day]
        today, before = known[:, day] * BEFORE, known[:, window].sum(axis=1)  # both times seven
        stepped = np.abs(today - before) >= floor_wh * BEFORE
        odd[:, day] = whole & stepped & (exceeds(today, factor, before) | exceeds(before, factor, today))
    return odd


def sub_meters_exceed(main: IntArray, subs: IntArray, share: Decimal) -> BoolArray:
    """R16 总分不平: the meters behind a main meter counted more than it, by more than ``share`` of it.

    main, subs: (pairs,) Wh of the month, MISSING where not complete; such a pair is not judged.
    """
    known = ~is_missing(main) & ~is_missing(subs)
    main, subs = filled(main), filled(subs)
    return np.asarray(known & exceeds(subs - main, share, main))
