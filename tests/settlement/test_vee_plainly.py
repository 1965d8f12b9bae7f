"""Spikes and flat stretches of many meters at once are those found quarter-hour by quarter-hour."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from market.curves import MISSING
from settlement.vee.intervals import FlatRuns, spikes

FEW = st.sampled_from([MISSING, -5, 0, 1, 2, 40, 900, 5000])
FACTORS = st.sampled_from([Decimal(10), Decimal("2.5")])


@given(
    arrays(np.int64, st.tuples(st.integers(1, 4), st.just(96)), elements=FEW),
    FACTORS,
    st.sampled_from([0, 1, 900]),
)
def test_spikes_are_those_of_a_look_at_every_quarter_hour(
    wh: np.ndarray, factor: Decimal, floor: int
) -> None:
    odd = spikes(wh, factor, floor)
    for row, values in enumerate(wh.tolist()):
        known = [max(value, 0) for value in values]
        for place, value in enumerate(known):
            near = max(known[place - 1] if place else 0, known[place + 1] if place < 95 else 0)
            above = value > Fraction(factor) * near and value * 96 > Fraction(factor) * sum(known)
            assert odd[row, place] == (above and value >= max(floor, 1))


@given(arrays(np.int64, st.tuples(st.integers(1, 4), st.integers(1, 3), st.just(96)), elements=FEW))
def test_the_longest_stretch_of_one_reading_runs_over_midnight(reading: np.ndarray) -> None:
    runs = FlatRuns(reading.shape[1])
    for day, values in enumerate(reading):
        runs.observe(day, np.arange(reading.shape[1]), values)
    for meter in range(reading.shape[1]):
        longest, length, before = 0, 0, None
        for value in reading[:, meter].ravel().tolist():
            length = 0 if value in (0, MISSING) else length + 1 if value == before else 1
            before = value
            longest = max(longest, length)
        assert runs.longest[meter] == longest
