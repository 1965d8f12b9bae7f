"""Energy formulas of JB1217: the two modes, what is missing, what is refused."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from market.curves import MISSING
from market.money import OverflowBoundError
from settlement.energy import by_difference_in_price, by_difference_in_quantity
from settlement.metering import wh_of_reading
from settlement.prices import hourly_user_price

energies = arrays(np.int64, (2, 96), elements=st.integers(-(10**9), 10**9))
prices = arrays(np.int64, (96,), elements=st.integers(-100_000, 1_500_000))


def flat(value: int, rows: int = 1) -> np.ndarray:
    return np.full((rows, 96), value)


def test_a_hand_worked_quarter_hour() -> None:
    # 2 MWh used, 1.5 MWh day ahead, 1 MWh contract at 400; P_ref 450, P_DA 450, P_RT 500 元/MWh
    # 1.5·450 + 0.5·500 + 1·(400−450) = 675 + 250 − 50 = 875 元
    mwh, mills = 1_000_000, 1000
    amount = by_difference_in_price(
        flat(2 * mwh), flat(3 * mwh // 2), flat(mwh), 400 * mills, 450 * mills, 450 * mills, 500 * mills
    )
    assert amount.shape == (1, 96)
    assert amount[0, 0] == 875 * 10**9


@given(energies, energies, energies, prices, prices, prices)
def test_both_modes_agree_where_the_reference_is_the_day_ahead_price(
    use, day_ahead, contract, contract_price, day_ahead_price, real_time_price
) -> None:
    assert np.array_equal(
        by_difference_in_price(
            use, day_ahead, contract, contract_price, day_ahead_price, day_ahead_price, real_time_price
        ),
        by_difference_in_quantity(use, day_ahead, contract, contract_price, day_ahead_price, real_time_price),
    )  # market.md B.1


def test_the_modes_differ_where_the_reference_is_another_price() -> None:
    one = by_difference_in_price(flat(5), flat(4), flat(3), 10, 20, 30, 40)
    other = by_difference_in_quantity(flat(5), flat(4), flat(3), 10, 30, 40)
    assert (one != other).all()


def test_a_missing_price_gives_a_missing_amount_and_leaves_the_others() -> None:
    real_time = np.full(96, 500_000)
    real_time[7] = MISSING
    amount = by_difference_in_price(flat(10), flat(10), flat(0), 0, 0, 400_000, real_time)
    assert amount[0, 7] == MISSING
    assert (np.delete(amount[0], 7) == 10 * 400_000).all()


def test_fractions_and_wrong_shapes_are_refused_with_a_sentence() -> None:
    with pytest.raises(ValueError, match="whole Wh"):
        by_difference_in_price(flat(1) * 1.5, flat(1), flat(1), 1, 1, 1, 1)
    with pytest.raises(ValueError, match=r"\(rows, 96\)"):
        by_difference_in_price(np.ones((1, 95), int), flat(1), flat(1), 1, 1, 1, 1)
    with pytest.raises(ValueError, match="a price must fit"):
        by_difference_in_price(flat(1), flat(1), flat(1), np.ones(95, int), 1, 1, 1)


def test_energies_in_the_wrong_unit_are_refused_before_they_wrap() -> None:
    with pytest.raises(OverflowBoundError, match="check the units"):
        by_difference_in_price(flat(10**15), flat(0), flat(0), 0, 0, 0, 500_000)


def test_the_user_price_of_an_hour_is_weighted_and_repeated() -> None:
    # hour 1: (100·1 + 200·1 + 300·1 + 400·5) / 8 = 325; half up to 0.001
    price = np.tile(np.array([100_000, 200_000, 300_000, 400_000]), 24)[None, :]
    weight = np.tile(np.array([1, 1, 1, 5]), 24)[None, :]
    assert hourly_user_price(price, weight).tolist() == [325_000] * 96
    assert hourly_user_price(price).tolist() == [250_000] * 96


def test_half_a_thousandth_goes_up_and_away_from_zero() -> None:
    price = np.tile(np.array([1, 0, 0, 1]), 24)[None, :]
    assert hourly_user_price(price).tolist() == [1] * 96
    assert hourly_user_price(-price).tolist() == [-1] * 96


def test_an_hour_with_a_missing_or_unweighted_price_is_missing() -> None:
    price = np.full((2, 96), 400_000)
    price[1, 5] = MISSING
    assert hourly_user_price(price)[[3, 4, 7, 8]].tolist() == [400_000, MISSING, MISSING, 400_000]
    assert hourly_user_price(price[:1], np.zeros((1, 96), int)).tolist() == [MISSING] * 96


def test_the_multiplier_comes_first_and_rounding_to_wh_once_after() -> None:
    reading = np.full((2, 96), 500)  # 0.0005 kWh on the register
    reading[1, 0] = MISSING
    energy = wh_of_reading(reading, np.array([3_000, 1_000]))  # x3 = 1.5 Wh -> 2; x1 = 0.5 Wh -> 1
    assert energy[0].tolist() == [2] * 96
    assert energy[1, :2].tolist() == [MISSING, 1]
    assert wh_of_reading(reading[:1], np.array([1_500])).tolist() == [[1] * 96]  # 0.75 Wh


def test_an_absurd_multiplier_is_refused() -> None:
    with pytest.raises(OverflowBoundError, match="multiplier"):
        wh_of_reading(np.full((1, 96), 10**12), np.array([10**12]))
