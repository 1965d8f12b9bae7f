"""Every rule of the bid check fires on its own defect and is silent on a good bid."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from bid_cases import RULES

from optimization.bid_check import BidLimits, problems

EVENING = range(69, 89)
GAP = np.zeros(96)
GAP[68:88] = 400 + 2_000 * np.sin(np.pi * (np.arange(20) + 0.5) / 20)
LIMITS = BidLimits(RULES, GAP, np.ceil(1.3 * GAP), np.full(96, 2_500.0))


def good():
    """Two segments a period, 90 and 10 % of the gap."""
    rows = []
    for t in EVENING:
        rows += [(t, 1, int(0.9 * GAP[t - 1]), 700), (t, 2, int(0.1 * GAP[t - 1]), 500)]
    return pd.DataFrame(rows, columns=["period", "segment", "mw", "price_cny_per_mwh"])


def spoiled(period, segment, /, **cells):
    bid = good().astype(object)
    row = (bid["period"] == period) & (bid["segment"] == segment)
    for column, value in cells.items():
        bid.loc[row, column] = value
    return bid


def test_a_good_bid_and_a_bid_for_nothing_pass():
    assert problems(good(), LIMITS) == []
    assert problems(good().iloc[:0], LIMITS) == []
    assert problems(good().astype(str), LIMITS) == []


@pytest.mark.parametrize(
    ("bid", "sentence"),
    [
        (spoiled(80, 1, mw=0), "Period 80 (20:00), segment 1: 0 MW; power must be above 0"),
        (
            spoiled(80, 1, mw=100.5),
            "Period 80 (20:00), segment 1: 100.5 MW; power must be above 0 in steps of 1",
        ),
        (spoiled(80, 2, price_cny_per_mwh=500.5), "segment 2: 500.5 元/MWh; prices go in steps of 1"),
        (spoiled(80, 1, price_cny_per_mwh=10_001), "segment 1: 10001 元/MWh lies outside 0 to 10000"),
        (spoiled(80, 2, price_cny_per_mwh=-1), "segment 2: -1 元/MWh lies outside 0 to 10000"),
        (spoiled(80, 2, price_cny_per_mwh=701), "segment 2 bids 701 元/MWh above segment 1 with 700"),
        (spoiled(80, 2, segment=3), "segments are numbered 1, 3; count 1, 2, 3"),
        (spoiled(80, 1, mw="viel"), "(period 80): mw is no number"),
        (spoiled(80, 1, period=97), "period 97 does not exist"),
        (spoiled(80, 1, segment=1.5), "Period 80: segment 1.5 is no whole number"),
    ],
)
def test_one_wrong_cell_is_named_with_its_period_and_value(bid, sentence):
    assert any(sentence in one for one in problems(bid, LIMITS)), problems(bid, LIMITS)


def test_the_limits_themselves_are_allowed():
    bid = pd.DataFrame(
        [(80, 1, 1, 10_000), (80, 2, 1, 0)], columns=["period", "segment", "mw", "price_cny_per_mwh"]
    )
    assert [one for one in problems(bid, LIMITS) if "stands" not in one] == []


def test_a_sixth_segment_is_one_too_many():
    def of(segments):
        rows = [(80, n, 10, 700 - n) for n in range(1, segments + 1)]
        return pd.DataFrame(rows, columns=["period", "segment", "mw", "price_cny_per_mwh"])

    assert any("6 segments are bid; the market takes 5" in one for one in problems(of(6), LIMITS))
    assert not any("segments are bid" in one for one in problems(of(5), LIMITS))


def test_a_missing_column_is_named():
    assert problems(good().drop(columns="mw"), LIMITS) == [
        "The bid has no column mw; it needs period, segment, mw, price_cny_per_mwh."
    ]


def test_more_than_the_need_and_more_than_the_paths_carry_are_two_problems():
    over_need = spoiled(69, 1, mw=1_000)  # gap 400 + 2,000 sin(pi/40) = 556.9, need 1.3 of it
    assert any(
        "Period 69 (17:15): 1055 MW are bid but the gap is at most 724 MW" in one
        for one in problems(over_need, LIMITS)
    )
    narrow = replace(LIMITS, capability_mw=np.full(96, 2_300.0))
    assert any("the paths carry 2300.000 MW" in one for one in problems(good(), narrow))


def test_a_province_that_curtails_renewables_may_not_buy_in_that_period():
    curtailed = np.zeros(96)
    assert problems(good(), replace(LIMITS, curtailed_mw=curtailed)) == []
    curtailed[79] = 120.0
    found = problems(good(), replace(LIMITS, curtailed_mw=curtailed))
    assert len(found) == 1
    assert found[0].startswith("Period 80 (20:00)")
    assert "120 MW of renewables are curtailed" in found[0]


def test_prices_in_yuan_a_kilowatt_hour_can_never_clear_and_low_prices_may():
    limits = replace(LIMITS, cheapest_cny_per_mwh=np.full(96, 350.0))
    assert problems(good(), limits) == []
    assert problems(good().assign(price_cny_per_mwh=36), limits) == []
    assert any("in 元/kWh?" in one for one in problems(good().assign(price_cny_per_mwh=1), limits))


@pytest.mark.parametrize("shift", [-8, -5, -3, -2, -1, 1, 2, 3, 5, 8])
def test_a_curve_in_the_wrong_rows_is_caught_and_the_shift_is_named(shift):
    bid = good()
    bid["period"] += shift
    found = [one for one in problems(bid, LIMITS) if "stands" in one]
    assert len(found) == 1
    assert f"(shift {shift:+d})" in found[0]
    assert ("late" if shift > 0 else "early") in found[0]


@pytest.mark.parametrize("shift", [-1, 1])
def test_a_shift_is_caught_also_where_the_need_is_no_tighter_than_the_paths(shift):
    limits = replace(LIMITS, need_limit_mw=np.full(96, 9_000.0))
    bid = good()
    bid["period"] += shift
    assert any(f"(shift {shift:+d})" in one for one in problems(bid, limits))
    assert problems(good(), limits) == []


def test_a_share_of_the_gap_or_a_cut_to_capability_is_no_shift():
    half = good()
    half["mw"] = (half["mw"] // 2).clip(lower=1)
    assert problems(half, LIMITS) == []
    cut = replace(LIMITS, capability_mw=np.full(96, 2_400.0))
    assert not any("stands" in one for one in problems(good(), cut))


def test_yesterdays_curve_moved_is_caught_only_when_it_does_not_follow_todays_gap():
    yesterday = np.zeros(96)
    yesterday[40:52] = 600 + 150 * np.cos(np.arange(12))
    rows = [(t + 1, 1, int(yesterday[t - 1]), 600) for t in range(41, 53)]
    bid = pd.DataFrame(rows, columns=["period", "segment", "mw", "price_cny_per_mwh"])
    wide = replace(LIMITS, need_limit_mw=np.full(96, 2_500.0), yesterday_mw=yesterday)
    assert any("yesterday's bid moved by +1 periods" in one for one in problems(bid, wide))
    unmoved = bid.assign(period=bid["period"] - 1)
    assert not any("yesterday" in one for one in problems(unmoved, wide))
    assert problems(good(), replace(LIMITS, yesterday_mw=np.roll(GAP, -1))) == []
