"""Net benefit, price without the event, and exposure: TC-20, TC-21, TC-23, TC-32 (B1; rulings 25, 29)."""

from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from demand_response.benefit import (
    avoided_rota,
    counterfactual,
    curtailment_value,
    exposure_benefit,
    net_benefit_test,
    position_or_contract,
    retailer_gain,
    supply_curve,
)
from market.curves import MISSING
from market.money import OverflowBoundError


def test_tc20_a_large_price_fall_passes():
    result = net_benefit_test(1000, 950, 500, 440)
    assert (result.passes, result.benefit, result.cost) == (True, 57_000, 22_000)
    assert round(result.unit_cost, 6) == 463.157895


def test_tc21_a_small_price_fall_raises_the_unit_cost_and_fails():
    result = net_benefit_test(Decimal(1000), Decimal(950), 500.0, 480)
    assert (result.passes, result.benefit, result.cost) == (False, 19_000, 24_000)
    assert round(result.unit_cost, 6) == 505.263158


def test_the_compensation_paid_takes_the_place_of_the_market_price():
    assert net_benefit_test(1000, 950, 500, 480, payment=18_999).passes
    assert not net_benefit_test(1000, 950, 500, 480, payment=19_000).passes  # equality does not pass
    # 480 + 9,500 / 950
    assert net_benefit_test(1000, 950, 500, 480, payment=9_500).unit_cost == 490


def test_nothing_reduced_is_no_benefit_and_a_rise_is_refused():
    assert not net_benefit_test(1000, 1000, 500, 500).passes
    with pytest.raises(ValueError, match="from 1000 to 1001 MWh; the test judges a reduction"):
        net_benefit_test(1000, 1001, 500, 500)
    with pytest.raises(ValueError, match="0 < load_after_mwh"):
        net_benefit_test(1000, 0, 500, 500)


@given(
    q0=st.integers(2, 10**6), cut=st.fractions(0, 1), p0=st.integers(0, 2000), p1=st.integers(0, 2000),
    payment=st.none() | st.integers(0, 10**6),
)  # fmt: skip
@settings(max_examples=50)
def test_passing_means_exactly_that_the_unit_cost_falls(q0, cut, p0, p1, payment):
    q1 = q0 - int((q0 - 1) * cut)
    result = net_benefit_test(q0, q1, p0, p1, payment)
    if abs(result.unit_cost - p0) > 1e-6:
        assert result.passes == (result.unit_cost < p0)


def test_tc23_paying_the_full_price_adds_the_avoided_bill_on_top():
    old = curtailment_value(1, 100, 70, pay_full_price=False)
    assert (old.payment, old.avoided_bill, old.total) == (30, 70, 100)
    full = curtailment_value(1, 100, 70, pay_full_price=True)
    assert (full.payment, full.total) == (100, 170)
    with pytest.raises(ValueError, match="give 0 or more"):
        curtailment_value(-1, 100, 70, pay_full_price=True)


LOAD = np.linspace(10_000_000_000, 25_000_000_000, 96).astype(np.int64)  # 40 to 100 GW


def stack(load):
    """200 元/MWh up to 19 GWh a quarter-hour, six tenths of the loads, then 0.1 元/MWh more per MWh."""
    return 200_000 + np.maximum(load - 19_000_000_000, 0) // 10_000


def test_the_supply_stack_rises_convexly_and_goes_on_with_its_last_slope():
    curve = supply_curve(LOAD, stack(LOAD))
    assert curve.price(LOAD) == pytest.approx(stack(LOAD), abs=2)
    assert (curve.slopes >= 0).all()
    beyond = np.array([26, 27, 28]) * 10**9
    first, second = np.diff(curve.price(beyond))
    assert first == pytest.approx(second)
    assert first == pytest.approx(100_000, rel=1e-4)  # 1,000 MWh x 100 mills


@given(seed=st.integers(0, 10_000))
@settings(max_examples=25)
def test_a_stack_fitted_to_any_day_never_falls_and_never_flattens(seed):
    generator = np.random.default_rng(seed)
    load = generator.integers(10**9, 3 * 10**9, 96)
    curve = supply_curve(load, generator.integers(-100_000, 1_500_000, 96))
    steps = np.diff(curve.price(np.linspace(0, 5e9, 200)))
    assert (steps >= -1e-6).all()
    assert (np.diff(steps) >= -1e-6).all()


def test_a_flat_day_or_a_constant_load_gives_a_flat_stack():
    assert supply_curve(LOAD, np.full(96, 350_000)).price(LOAD) == pytest.approx(np.full(96, 350_000))
    constant = supply_curve(np.full(96, 10**9), np.arange(96) * 1000)
    assert constant.price(10**10) == pytest.approx(47_500)


def event_response(wh):
    response = np.zeros(96, dtype=np.int64)
    response[80:88] = wh
    return response


def test_the_price_rises_without_the_event_in_its_periods_only():
    curve = supply_curve(LOAD, stack(LOAD))
    rise = counterfactual(curve, LOAD, event_response(500_000_000))
    assert rise.dtype == np.int64
    assert rise[80:88] == pytest.approx(np.full(8, 50_000), abs=5)  # 500 MWh x 100 mills
    assert not rise[:80].any()
    assert not rise[88:].any()


def test_filling_load_and_a_price_at_its_cap_leave_no_rise():
    curve = supply_curve(LOAD, stack(LOAD))
    assert not counterfactual(curve, LOAD, event_response(-500_000_000)).any()
    headroom = np.full(96, 1_000)
    capped = counterfactual(curve, LOAD, event_response(500_000_000), headroom_mills=headroom)
    assert capped[80:88].tolist() == [1_000] * 8
    assert not counterfactual(curve, LOAD, event_response(500_000_000), headroom_mills=-headroom).any()


def test_a_missing_load_matters_where_there_was_a_response_and_nowhere_else():
    curve = supply_curve(LOAD, stack(LOAD))
    gap = LOAD.copy()
    gap[0] = MISSING
    assert counterfactual(curve, gap, event_response(500_000_000))[0] == 0
    gap[80] = MISSING
    with pytest.raises(ValueError, match="Period 81 has a response but"):
        counterfactual(curve, gap, event_response(500_000_000))
    with pytest.raises(ValueError, match="A load or price is missing"):
        supply_curve(gap, stack(LOAD))
    with pytest.raises(ValueError, match="one load and one price a period"):
        supply_curve(LOAD, stack(LOAD)[:95])
    with pytest.raises(ValueError, match="give each per period"):
        counterfactual(curve, LOAD, event_response(1)[:95])


def at_period_1(*values):
    curves = np.zeros((len(values), 96), dtype=np.int64)
    curves[:, 0] = values
    return curves


NO_RISE = np.zeros(96, dtype=np.int64)
RISE_60 = at_period_1(60)[0]


def test_tc32_only_the_part_bought_in_the_spot_market_gains():
    use, cover = at_period_1(400, 300, 200, 50), at_period_1(400, 200, 0, 70)
    benefit = exposure_benefit(NO_RISE, RISE_60, None, cover, use)
    assert benefit.tolist() == [0, 6_000, 12_000, 0]  # the last sold 20 and gains nothing


def test_day_ahead_and_real_time_parts_are_floored_together_in_each_quarter_hour():
    # 10 x (80 - 50) + 60 x (70 - 80) = -300, floored; next period 10 x 30 + 60 x 40 = 2,700
    delta_da, delta_rt = np.array([10, 10]), np.array([60, 60])
    benefit = exposure_benefit(
        delta_da, delta_rt, np.array([[80, 80]]), np.array([[50, 50]]), np.array([[70, 120]])
    )
    assert benefit.tolist() == [2_700]


def test_an_event_the_day_ahead_market_did_not_know_counts_its_deviation_only():
    day_ahead, contract, use = at_period_1(80), at_period_1(50), at_period_1(90)
    assert exposure_benefit(NO_RISE, RISE_60, day_ahead, contract, use).tolist() == [600]
    assert exposure_benefit(RISE_60, RISE_60, day_ahead, contract, use).tolist() == [60 * 40]


def test_without_a_day_ahead_position_the_contract_stands_in():
    day_ahead, contract = at_period_1(80, MISSING), at_period_1(50, 50)
    position = position_or_contract(day_ahead, contract, np.array([True, False]))
    assert position[:, 0].tolist() == [80, 50]


def test_a_missing_figure_or_a_wrong_unit_is_refused_by_the_bound_and_never_wraps():
    cover = at_period_1(50)
    with pytest.raises(OverflowBoundError, match="no energy or price is missing"):
        exposure_benefit(NO_RISE, RISE_60, None, cover, at_period_1(MISSING))
    with pytest.raises(OverflowBoundError, match="would pass the int64 bound"):
        exposure_benefit(NO_RISE, RISE_60, None, cover, at_period_1(10**17))
    with pytest.raises(ValueError, match="give energies and gains as"):
        exposure_benefit(NO_RISE[:95], RISE_60, None, cover, cover)


@given(seed=st.integers(0, 10_000))
@settings(max_examples=25)
def test_a_benefit_is_never_negative_and_equals_the_formula_in_whole_numbers(seed):
    generator = np.random.default_rng(seed)
    delta_da, delta_rt = generator.integers(0, 10**6, (2, 96))
    day_ahead, contract, use = generator.integers(-(10**8), 10**8, (3, 5, 96))
    benefit = exposure_benefit(delta_da, delta_rt, day_ahead, contract, use)
    assert benefit.tolist() == [
        sum(
            max(0, int(da) * (int(q) - int(c)) + int(rt) * (int(e) - int(q)))
            for da, rt, q, c, e in zip(
                delta_da, delta_rt, day_ahead[row], contract[row], use[row], strict=True
            )
        )
        for row in range(5)
    ]


def test_a_retailer_gains_what_its_customers_did_not_draw_at_spot_less_retail_price():
    # 10 kWh less at 900 元/MWh bought and 500 sold: 10,000 Wh x 400,000 mills = 4 元; at 300 it loses 2 元
    price = np.array([900_000, 300_000], dtype=np.int64)
    gain = retailer_gain(np.array([[10_000, 10_000]], dtype=np.int64), price, 500_000)
    assert gain.tolist() == [[4_000_000_000, -2_000_000_000]]
    with pytest.raises(OverflowBoundError, match="check the units"):
        retailer_gain(np.array([[2**40]]), np.array([2**40]), 0)


def test_orderly_use_spared_is_worth_lost_load_by_the_share_of_the_rota():
    # 30 MWh spared at 20,000 元/MWh = 600,000 元, shares 1 : 2 : 0
    avoided = np.array([30_000_000, 0], dtype=np.int64)
    worth = avoided_rota(avoided, [1, 2, 0], 20_000_000)
    assert (worth / 1e9).tolist() == [[200_000, 0], [400_000, 0], [0, 0]]
    for share, avoided_wh in (([0, 0], avoided), ([1, -1], avoided), ([1], -avoided)):
        with pytest.raises(ValueError, match="The rota needs shares of 0 or more"):
            avoided_rota(avoided_wh, share, 20_000_000)


def test_gains_the_price_does_not_show_are_added_before_the_floor_at_zero():
    # spot exposure 2 kWh x 100 元/MWh = 0.2 元, other gain -0.5 and then +0.3 in a quarter-hour without exposure
    zero, delta = np.zeros(2, np.int64), np.array([100_000, 100_000], dtype=np.int64)
    use, none = np.array([[2_000, 0]], dtype=np.int64), np.zeros((1, 2), np.int64)
    other = np.array([[-500_000_000, 300_000_000]], dtype=np.int64)
    assert exposure_benefit(zero, delta, none, none, use, other).tolist() == [300_000_000]
    assert exposure_benefit(zero, delta, none, none, use).tolist() == [200_000_000]
