"""Numbers become whole numbers of their smallest unit exactly; Python's Decimal is the judge."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from ingest.cells import Cells
from ingest.faults import Faults
from ingest.parse import whole_numbers
from market.curves import MISSING

LIMIT = 2**63 - 1


def parsed(array, decimals, binary=None):
    cells = Cells(
        {"x": array}, np.arange(len(array), dtype=np.int32), [], {"x": binary} if binary is not None else {}
    )
    faults = Faults(len(array))
    return whole_numbers(cells, "x", decimals, faults).tolist(), faults


NUMBERS = st.decimals(allow_nan=False, allow_infinity=False, places=7, min_value=-(10**16), max_value=10**16)
SPELLINGS = st.one_of(
    NUMBERS.map(lambda number: f"{number:f}"),
    NUMBERS.map(lambda number: f"{number.quantize(Decimal('0.001')):f}"),
    st.integers(-(10**20), 10**20).map(str),
    st.from_regex(r"\A[ ]?[+-]?[0-9]{1,4}(\.[0-9]{0,9})?\Z"),
    st.sampled_from(["", " ", "abc", "1e3", "1,000", "１", ".5", "5.", "--1", "+0", "-0.0", "NaN", "inf"]),
)


@given(st.lists(SPELLINGS, max_size=20), st.sampled_from([0, 2, 3, 6, 8]))
def test_text_is_taken_exactly_or_refused_but_never_changed(texts, decimals):
    values, faults = parsed(pa.array(texts, pa.string()), decimals)
    for row, text in enumerate(texts):
        plain = text.strip(" ")
        written = plain.lstrip("+-").split(".")
        is_number = plain.count("+") + plain.count("-") <= 1 and all(
            part.isascii() and part.isdigit() for part in written
        )
        if not plain:
            assert (values[row], bool(faults.bad[row])) == (MISSING, False)
        elif not is_number or len(written) > 2:
            assert faults.of(row).code == "bad_number"
        elif Decimal(plain).as_tuple().exponent < -decimals and Decimal(plain) % Decimal(1).scaleb(-decimals):
            assert faults.of(row).code == "too_many_decimals"
        elif abs(Decimal(plain).scaleb(decimals)) > LIMIT:
            assert faults.of(row).code == "out_of_range"
        else:
            assert Decimal(values[row]).scaleb(-decimals) == Decimal(plain)


@given(st.lists(st.floats(-1e9, 1e9), max_size=20), st.sampled_from([2, 6]))
def test_a_float_goes_to_the_nearest_kept_decimal(floats, decimals):
    values, faults = parsed(pa.array(floats, pa.float64()), decimals)
    assert not faults.bad.any()
    for value, exact in zip(values, floats, strict=True):
        # half a unit, and what the multiplication by 10**decimals can be off by
        assert abs(value - Decimal(exact).scaleb(decimals)) <= Decimal("0.5") + abs(Decimal(exact)) * Decimal(
            "1e-9"
        )


@given(st.lists(st.integers(-(2**63), 2**63 - 1), max_size=20))
def test_integers_that_do_not_fit_with_their_decimals_are_refused(numbers):
    values, faults = parsed(pa.array(numbers, pa.int64()), 3)
    for row, number in enumerate(numbers):
        if abs(number * 1000) > LIMIT:
            assert faults.of(row).code == "out_of_range"
        else:
            assert values[row] == number * 1000


@given(st.lists(st.decimals(-(10**8), 10**8, places=9), min_size=1, max_size=20))
def test_a_binary_fraction_of_a_workbook_is_rounded_half_up(numbers):
    values, faults = parsed(
        pa.array([f"{number:f}" for number in numbers]), 6, np.ones(len(numbers), dtype=np.bool_)
    )
    assert not faults.bad.any()
    assert values == [int((number * 10**6).to_integral_value(ROUND_HALF_UP)) for number in numbers]


def test_not_a_number_and_infinity_of_a_float_column():
    values, faults = parsed(pa.array([float("nan"), float("inf"), 1e300, None, 0.5]), 0)
    assert values == [MISSING, MISSING, MISSING, MISSING, 1]
    assert faults.bad.tolist() == [False, True, True, False, False]
