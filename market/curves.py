"""Curves: arrays (rows, 96) of whole numbers in which a value can be missing, never silently zero."""

from __future__ import annotations

import numpy as np

from market.money import IntArray

MISSING = int(np.iinfo(np.int64).min)  # int64 has no NaN; this value lies outside every checked bound


def is_missing(values: IntArray) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
    """True where a value is missing; same shape."""
    return np.asarray(values == MISSING)


def filled(values: IntArray) -> IntArray:
    """Values with 0 where missing, for sums whose result is marked missing by the caller."""
    return np.where(values == MISSING, 0, values)


def total(values: IntArray) -> IntArray:
    """Sum over the last axis; MISSING where any part is missing."""
    gaps = is_missing(values).any(axis=-1)
    return np.where(gaps, MISSING, filled(values).sum(axis=-1))
