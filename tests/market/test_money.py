"""Rounding and sharing: rulings 8-10, TC-36."""

from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from market.money import (
    OverflowBoundError,
    apportion,
    apportioned_rows,
    checked_product_sum,
    fen_of_nano,
    half_up,
    half_up_array,
    scaled,
    wide_sum,
)


@pytest.mark.parametrize(
    ("value", "nearest"), [("0.5", 1), ("1.5", 2), ("-0.5", -1), ("-2.5", -3), ("2.4999", 2)]
)
def test_halves_go_away_from_zero(value: str, nearest: int) -> None:
    assert half_up(Decimal(value)) == nearest


@given(st.integers(-(10**15), 10**15), st.integers(1, 10**6))
def test_array_and_scalar_rounding_agree_with_decimal(numerator: int, denominator: int) -> None:
    expected = int((Decimal(numerator) / Decimal(denominator)).quantize(Decimal(1), ROUND_HALF_UP))
    assert half_up(Fraction(numerator, denominator)) == expected
    assert half_up_array(np.array([numerator]), denominator)[0] == expected


def test_a_nano_amount_is_rounded_to_the_fen_once() -> None:
    assert fen_of_nano(5_000_000) == 1  # 0.005 元
    assert fen_of_nano(4_999_999) == 0


def test_a_value_with_too_many_decimals_is_refused_with_a_sentence() -> None:
    assert scaled("99.1", 3) == 99_100
    with pytest.raises(ValueError, match="more than 3 decimals"):
        scaled("0.0001", 3)


def test_a_hundred_yuan_over_three_equal_shares_goes_to_the_first_id() -> None:
    assert apportion(10_000, [1, 1, 1], ["b", "a", "c"]) == [3333, 3334, 3333]  # TC-36


@given(
    st.integers(-(10**30), 10**30),
    st.dictionaries(st.text("abcdef", min_size=1), st.integers(0, 10**20), min_size=1).filter(
        lambda weights: any(weights.values())
    ),
)
def test_shares_sum_to_the_pool_and_do_not_depend_on_row_order(total: int, weights: dict[str, int]) -> None:
    keys = sorted(weights)
    shares = dict(zip(keys, apportion(total, [weights[key] for key in keys], keys), strict=True))
    backwards = keys[::-1]
    again = dict(
        zip(backwards, apportion(total, [weights[key] for key in backwards], backwards), strict=True)
    )
    assert sum(shares.values()) == total
    assert shares == again
    assert all(share == 0 for key, share in shares.items() if weights[key] == 0)
    exact = {key: Fraction(total * weights[key], sum(weights.values())) for key in keys}
    assert all(abs(shares[key] - exact[key]) < 1 for key in keys)


def test_a_negative_total_is_minus_the_apportionment_of_its_absolute_value() -> None:
    weights, keys = [3, 5, 7], ["x", "y", "z"]
    assert apportion(-101, weights, keys) == [-share for share in apportion(101, weights, keys)]


def test_nothing_to_share_needs_no_weights() -> None:
    assert apportion(0, [0, 0], ["a", "b"]) == [0, 0]


@pytest.mark.parametrize(
    ("weights", "sentence"),
    [([0, 0], "no weight is positive"), ([1, -1], "negative"), ([1], "weights stand against")],
)
def test_a_pool_without_a_usable_key_is_refused(weights: list[int], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        apportion(5, weights, ["a", "b"])


def test_a_product_that_could_pass_int64_is_refused_before_it_wraps() -> None:
    with pytest.raises(OverflowBoundError, match="real-time energy"):
        checked_product_sum(np.full((1, 96), 10**12), np.full(96, 10**6), "real-time energy")


@given(st.lists(st.lists(st.integers(-(10**9), 10**9), min_size=4, max_size=4), min_size=1, max_size=5))
def test_product_sums_equal_python_integers(rows: list[list[int]]) -> None:
    price = np.array([1_500_000, -100_000, 0, 7])
    expected = [sum(q * p for q, p in zip(row, price.tolist(), strict=True)) for row in rows]
    assert checked_product_sum(np.array(rows), price, "energy").tolist() == expected
    per_row = np.tile(price, (len(rows), 1))
    assert checked_product_sum(np.array(rows), per_row, "energy").tolist() == expected


def test_a_sum_over_participants_does_not_wrap() -> None:
    huge = np.array([2**62, 2**62, 2**62])
    assert wide_sum(huge) == 3 * 2**62


shares = st.lists(
    st.tuples(st.integers(-(10**13), 10**13), st.lists(st.integers(0, 10**8), min_size=3, max_size=3)),
    min_size=1,
    max_size=6,
).filter(lambda rows: all(any(weights) or not total for total, weights in rows))


@given(shares)
def test_many_totals_shared_at_once_are_shared_as_one_by_one(rows: list[tuple[int, list[int]]]) -> None:
    totals = np.array([total for total, _ in rows])
    weights = np.array([of for _, of in rows])
    expected = [apportion(total, of, ["a", "b", "c"]) for total, of in rows]
    assert apportioned_rows(totals, weights).tolist() == expected


def test_a_row_with_a_total_and_no_weight_is_refused() -> None:
    with pytest.raises(ValueError, match="no positive weight"):
        apportioned_rows(np.array([0, 5]), np.array([[0, 0], [0, 0]]))
