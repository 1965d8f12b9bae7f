"""Comparisons of whole numbers with a decimal limit, exactly."""

from __future__ import annotations

from decimal import Decimal

import numpy as np
from numpy.typing import NDArray

from market.money import INT64_MAX, IntArray, peak

BoolArray = NDArray[np.bool_]


def exceeds(left: IntArray, limit: Decimal, right: IntArray) -> BoolArray:
    """``left > limit * right`` without rounding, at any size."""
    times, parts = limit.as_integer_ratio()
    if peak(left) * parts > INT64_MAX or peak(right) * abs(times) > INT64_MAX:
        return np.asarray(left.astype(object) * parts > right.astype(object) * times, dtype=np.bool_)
    return np.asarray(left * parts > right * times)


def micro(value: Decimal, decimals: int = 6) -> int:
    """A limit as a whole number of 10**-decimals; what lies below is cut off."""
    return int(value.scaleb(decimals))
