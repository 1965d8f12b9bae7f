"""Every rule on readings fires on its bad case and is silent on its good one (market.md C.6)."""

from __future__ import annotations

from decimal import Decimal

import numpy as np
import pytest

from market.curves import MISSING
from settlement.vee.days import jumps, sub_meters_exceed
from settlement.vee.intervals import NO_LIMIT, FlatRuns, above_capacity, capacity_limit_wh, negative, spikes
from settlement.vee.months import fall, rise, year_on_year, zero
from settlement.vee.registers import advance, out_of_balance, rates_do_not_add, reverse

KWH = 1_000_000


def day(*values: int, then: int = 100) -> np.ndarray:
    return np.array([[*values, *[then] * (96 - len(values))]], np.int64)


def some(*values: int) -> np.ndarray:
    return np.array(values, np.int64)


def test_r26_energy_below_zero_is_found_and_a_zero_or_a_gap_is_not():
    assert np.flatnonzero(negative(day(0, -1, MISSING, 5))).tolist() == [1]


def test_a_connection_of_100_kva_carries_at_most_30_kwh_in_a_quarter_hour_at_a_factor_of_1_2():
    limit = capacity_limit_wh(100_000, Decimal("1.2"))
    assert limit == 30_000
    odd = above_capacity(day(30_000, 30_001, MISSING), some(limit))
    assert np.flatnonzero(odd).tolist() == [1]


def test_without_a_capacity_no_energy_is_above_it():
    assert capacity_limit_wh(None, Decimal("1.2")) == NO_LIMIT
    assert not above_capacity(day(10**15), some(NO_LIMIT)).any()


@pytest.mark.parametrize(
    ("values", "odd"),
    [
        ((100, 20_000, 100), [1]),  # 200 x its neighbours, far above the mean of the day (307)
        ((20_000, 100), [0]),  # at midnight there is one neighbour
        ((100, 20_000, 20_000, 100), []),  # two in a row are a load
        ((100, 9_999, 100), []),  # below the floor of 10 kWh
        ((5_000, 20_000, 5_000), []),  # only four times its neighbours
        ((MISSING, 20_000, 100), [1]),
    ],
)
def test_a_spike_stands_ten_times_above_both_neighbours_and_the_day(values, odd):
    assert np.flatnonzero(spikes(day(*values), Decimal(10), 10_000)).tolist() == odd


def flat(*days: np.ndarray) -> FlatRuns:
    runs = FlatRuns(1)
    for number, values in enumerate(days):
        runs.observe(number, np.array([0]), values)
    return runs


def test_a_reading_that_stands_still_over_midnight_is_one_stretch():
    runs = flat(day(1, 2, then=7), day(7, 7, 7, then=9))
    assert (int(runs.longest[0]), int(runs.ends_on[0])) == (94 + 3, 1)


def test_a_meter_that_stands_still_has_varied_before_and_a_constant_load_with_one_dip_has_not():
    restless = np.array([[5, 6] * 48], np.int64)
    assert flat(restless, day(then=7), day(then=7)).varied.tolist() == [True]
    assert flat(day(1, 1, 1, 1, then=7), day(then=7), day(then=7)).varied.tolist() == [False]
    assert flat(day(then=7), day(3, then=7), day(then=7)).varied.tolist() == [False]


def test_a_stretch_may_grow_over_many_days():
    runs = flat(day(1, then=7), day(then=7), day(then=7), day(7, then=8))
    assert int(runs.longest[0]) == 95 + 96 + 96 + 1


def test_zeros_and_gaps_are_no_stretch_and_a_load_constant_by_nature_has_not_varied():
    assert int(flat(day(then=0)).longest[0]) == 0
    assert int(flat(day(then=MISSING)).longest[0]) == 0
    steady = flat(day(then=7), day(then=7))
    assert int(steady.longest[0]) == 192
    assert not steady.varied.any()


def test_a_day_that_is_not_there_ends_a_stretch():
    runs = FlatRuns(1)
    runs.observe(0, np.array([0]), day(then=7))
    runs.observe(2, np.array([0]), day(then=7))
    assert int(runs.longest[0]) == 96


def test_a_day_five_times_the_week_before_is_a_jump_and_four_times_is_not():
    week = [10_000] * 7
    totals = np.array([[*week, 50_001], [*week, 50_000], [*week, 1_999], [*week, 2_000]], np.int64)
    assert jumps(totals, Decimal(5), 5_000)[:, 7].tolist() == [True, False, True, False]


def test_a_small_meter_does_not_jump_and_a_week_with_a_gap_is_not_judged():
    totals = np.array([[*[100] * 7, 5_000], [*[10_000] * 6, MISSING, 90_000]], np.int64)
    assert not jumps(totals, Decimal(5), 5_000).any()


def test_r16_the_meters_behind_a_main_meter_may_not_count_more_than_it():
    exceed = sub_meters_exceed(some(100, 100, MISSING, 100), some(101, 100, 500, 90), Decimal(0))
    assert exceed.tolist() == [True, False, False, False]


def test_r01_two_months_without_energy():
    assert zero(np.array([[0, 0], [0, 1], [0, MISSING]], np.int64)).tolist() == [True, False, False]


def test_r02_more_than_three_times_the_mean_and_at_least_five_mwh_more():
    before = np.array([[3, 3, 3], [3, 3, 3], [1, 1, 1], [3, 3, 3]], np.int64) * 1_000_000
    before[3, 1] = MISSING
    now = some(9_000_001, 9_000_000, 5_900_000, 99_000_000)
    assert rise(now, before, Decimal(2), 5_000_000).tolist() == [True, False, False, False]


def test_r03_less_than_three_tenths_of_the_mean():
    before = np.array([[100, 100, 100]] * 3, np.int64)
    assert fall(some(29, 30, MISSING), before, Decimal("0.7")).tolist() == [True, False, False]


def test_r04_more_than_twice_the_same_month_of_the_year_before():
    year_before = some(100, 100, 0, MISSING)
    assert year_on_year(some(201, 200, 5, 5), year_before, Decimal(1)).tolist() == [True, False, False, False]


def test_r05_r06_an_end_below_the_start_is_a_wrap_where_little_was_counted_and_else_backwards():
    start = some(99_950, 50_000, 100) * KWH
    end = some(30, 49_000, 150) * KWH
    found = advance(start, end, some(5, 5, 5), Decimal("0.1"))
    assert found.counted.tolist() == [80 * KWH, MISSING, 50 * KWH]  # 100,000 - 99,950 + 30
    assert found.rolled_over.tolist() == [True, False, False]
    assert found.backwards.tolist() == [False, True, False]


def test_a_counter_of_twelve_digits_does_not_overflow():
    found = advance(some(10**18 - KWH), some(KWH), some(12), Decimal("0.1"))
    assert found.counted.tolist() == [2 * KWH]


def test_r09_the_rates_add_up_to_the_total_within_a_kwh():
    total = some(100, 100, MISSING) * KWH
    total[2] = MISSING
    assert rates_do_not_add(total, some(98, 99, 5) * KWH, KWH).tolist() == [True, False, False]


def test_r10_r11_intervals_within_one_percent_of_the_register():
    counted = some(100_000, 100_000, 50, 0)
    intervals = some(101_001, 101_000, 0, 1_001)
    assert out_of_balance(intervals, counted, Decimal("0.01"), 1_000).tolist() == [True, False, False, True]


def test_a_counter_of_the_other_direction_moves():
    assert reverse(some(KWH + 1, KWH, MISSING), KWH).tolist() == [True, False, False]
