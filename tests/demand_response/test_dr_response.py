"""Effective response and money of an event: TC-07 to TC-10, TC-13, TC-16, TC-17 (demand_response.md A3, A6, E2, E3)."""

from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from demand_response.response import agreed_payment, evaluate, fund_limited, payment, penalty

FLAT = [1000.0] * 8


def response(responded, committed=300.0, **terms):
    """A flat baseline of 1000 kW and a flat response over eight quarter-hours."""
    return evaluate(FLAT, [1000.0 - responded] * 8, committed, **terms)


@pytest.mark.parametrize(
    ("actual", "minutes", "valid"),
    [
        ((750, 740, 760, 700, 780, 750, 690, 700), 60, True),  # a loop that skips the first point says 45
        ((750, 740, 760, 800, 750, 745, 735, 740), 60, True),
        ((750, 740, 760, 800, 750, 745, 735, 765), 45, False),
    ],
)
def test_tc07_the_longest_run_counts_its_first_point(actual, minutes, valid):
    result = evaluate(FLAT, actual, 300)
    assert (result.effective_minutes, result.valid) == (minutes, valid)
    assert result.reason == ("" if valid else "too_short")


def test_tc08_payment_is_confirmed_kw_times_price():
    base = [1050, 1018, 1018, 1018]  # maximum 1050, mean 1026
    actual = [760, 740, 750, 750]  # maximum 760, mean 750
    result = evaluate(base, actual, 300)
    assert result == evaluate(np.array(base), np.array(actual), Decimal(300))
    assert (result.valid, result.responded_kw, result.rate, result.confirmed_kw) == (True, 276, 0.92, 276)
    assert payment(result.confirmed_kw, Decimal(15)) == 4_140_00
    by_rule_1 = evaluate(base, actual, 300, test="max_and_average")
    assert (by_rule_1.valid, by_rule_1.reason) == (
        False,
        "peak_not_moved",
    )  # the maximum fell by 290, not by 300


def test_rule_1_asks_for_the_whole_commitment_at_the_maximum_and_for_no_minimum_run():
    base, actual = (
        [1050, 1000, 1000, 1000],
        [740, 730, 770, 770],
    )  # maximum falls by 280 of 270; runs of 30 minutes
    result = evaluate(base, actual, 270, test="max_and_average", floor=Decimal("0.9"))
    assert (result.valid, result.effective_minutes) == (True, 30)
    assert evaluate(base, actual, 270, floor=Decimal("0.9")).reason == "too_short"
    assert evaluate(base, actual, 280, test="max_and_average", floor=Decimal("0.95")).reason == "below_floor"
    # the maximum falls by exactly 300 and the mean by exactly 240
    assert evaluate([1000, 800], [700, 620], 300, test="max_and_average").valid


def test_tc09_over_response_is_paid_at_120_percent_and_not_at_zero():
    result = response(400)
    assert (result.valid, result.responded_kw, result.confirmed_kw) == (True, 400, 360)
    assert payment(result.confirmed_kw, 15) == 5_400_00


def test_tc10_exactly_80_percent_is_valid_and_a_watt_below_is_not():
    at_floor = response(240)
    assert (at_floor.valid, at_floor.rate) == (True, 0.8)
    assert payment(at_floor.confirmed_kw, 15) == 3_600_00
    below = response(239.99)
    assert (below.valid, below.reason, below.confirmed_kw) == (False, "below_floor", 0)
    assert payment(below.confirmed_kw, 15) == 0


def test_kilowatts_are_judged_as_whole_watts_half_up():
    assert evaluate(FLAT, [760.0004] * 8, 300).valid  # 760,000 W
    assert not evaluate(FLAT, [760.0005] * 8, 300).valid  # 760,001 W


@pytest.mark.parametrize(
    ("actual", "valid"), [([1300.0] * 4, True), ([1239.0] * 4, False), ([700.0] * 4, False)]
)
def test_filling_counts_load_above_the_baseline(actual, valid):
    result = evaluate([1000.0] * 4, actual, 300, direction="fill")
    assert result.valid is valid
    assert result.responded_kw == actual[0] - 1000


def test_the_maximum_must_fall_even_when_the_mean_does():
    spike = [1000.0] + [500.0] * 7
    assert evaluate(FLAT, spike, 300).reason == "peak_not_moved"
    assert evaluate(FLAT, [999.0, *spike[1:]], 300).valid


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: response(300, committed=0), "judged against a positive one"),
        (lambda: response(300, direction="up"), "choose cut"),
        (lambda: response(300, test="rule_3"), "Test 'rule_3' is not known"),
        (lambda: response(300, floor=1.3), "0 <= floor <= cap"),
        (lambda: response(300, interval_minutes=0), "give minutes"),
        (lambda: evaluate(FLAT, FLAT[1:], 300), "8 values and the metered load 7"),
        (lambda: evaluate([], [], 300), "0 values and the metered load 0"),
        (lambda: evaluate(FLAT, [float("nan"), *FLAT[1:]], 300), "nan is not a finite number"),
        (lambda: payment(276, 15.0), "15.0 is a float; give a Decimal"),
        (lambda: payment(276, 15, price_unit="per_mw"), "Price unit 'per_mw' is not known"),
        (lambda: payment(276, 15, price_unit="per_kwh"), "needs the hours of the event"),
        (lambda: payment(276, Decimal(-1)), "price_cny is -1; a payment is never negative"),
        (lambda: penalty(-1, [], 3, required_share=1, factor=1), "awarded_kw is -1"),
        (lambda: fund_limited({"a": -1}, 5), "a is -1 fen"),
        (
            lambda: agreed_payment(10, 11, 1, energy_price_cny_per_kwh=1, capacity_price_cny_per_kw_month=0),
            "11 kW were called of 10 kW contracted",
        ),
    ],
)
def test_a_bad_argument_is_refused_with_a_sentence(call, sentence):
    with pytest.raises(ValueError, match=sentence):
        call()


def test_an_energy_price_pays_the_confirmed_kw_for_the_hours_of_the_event():
    # 276 kW x 1.5 h x 0.8 元/kWh = 331.20
    assert payment(276, Decimal("0.8"), price_unit="per_kwh", hours=Decimal("1.5")) == 331_20


def test_a_payment_is_rounded_once_half_up_after_its_coefficients():
    # 1/3 kW x 0.03 元 x 0.5 = 0.005 元
    assert payment(Fraction(1, 3), Decimal("0.03"), time_coefficient=Decimal("0.5")) == 1
    assert payment(300, 15, time_coefficient=0) == 0
    assert payment(300, 15, rate_coefficient=Decimal("0.9")) == 4_050_00


@pytest.mark.parametrize(("actual", "yuan"), [(300, 300), (500, 0), (0, 750), (900, 0)])
def test_tc13_guangdong_charges_what_half_the_award_lacks(actual, yuan):
    fen = penalty(1000, [(actual, 1)], Decimal(3), required_share=Decimal("0.5"), factor=Decimal("0.5"))
    assert fen == yuan * 100


def test_a_penalty_is_taken_hour_by_hour_so_that_a_good_hour_does_not_heal_a_bad_one():
    # hours of 300 and 900 kW: (500 - 300) x 3 x 0.5 = 300; half an hour of 0: 500 x 0.5 x 3 x 0.5 = 375
    terms = {"required_share": Decimal("0.5"), "factor": Decimal("0.5")}
    assert penalty(1000, [(300, 1), (900, 1)], 3, **terms) == 300_00
    assert penalty(1000, [(900, 1), (0, Decimal("0.5"))], 3, **terms) == 375_00


def test_tc16_hainan_pays_called_energy_and_capacity_for_the_rest_of_the_contract():
    # 600 kW x 2 h x 1.0 + 400 kW x 0.3 = 1,320
    fen = agreed_payment(
        1000, 600, 2, energy_price_cny_per_kwh=1, capacity_price_cny_per_kw_month=Decimal("0.3")
    )
    assert fen == 1_320_00


def test_tc17_a_short_fund_pays_pro_rata_and_a_full_one_carries_over():
    claims = {"a": 800_000_00, "b": 300_000_00, "c": 400_000_00}
    short = fund_limited(claims, 1_000_000_00)
    assert short.paid_fen == {"a": 533_333_33, "b": 200_000_00, "c": 266_666_67}
    assert (short.factor, short.carried_over_fen) == (Fraction(2, 3), 0)
    full = fund_limited(claims, 2_000_000_00)
    assert (full.paid_fen, full.factor, full.carried_over_fen) == (claims, 1, 500_000_00)
    assert fund_limited({"a": 0}, 7).carried_over_fen == 7


@given(
    claims=st.dictionaries(st.text("abcdef", min_size=1), st.integers(0, 10**12)), fund=st.integers(0, 10**12)
)
@settings(max_examples=25)
def test_i1_a_fund_pays_no_more_than_it_has_and_no_more_than_was_claimed(claims, fund):
    payout = fund_limited(claims, fund)
    assert sum(payout.paid_fen.values()) + payout.carried_over_fen == fund
    assert all(paid <= claims[name] for name, paid in payout.paid_fen.items())


@given(
    actual=st.lists(st.floats(0, 3000), min_size=4, max_size=12),
    committed=st.floats(1, 1500),
    direction=st.sampled_from(["cut", "fill"]),
    test=st.sampled_from(["average", "max_and_average"]),
)
@settings(max_examples=50)
def test_i6_invalid_is_unpaid_and_valid_is_between_80_and_120_percent(actual, committed, direction, test):
    result = evaluate([1000.0] * len(actual), actual, committed, direction=direction, test=test)
    whole = round(committed * 1000)
    if result.valid:
        assert Fraction(8, 10) * (whole - 1) <= result.confirmed_w <= Fraction(12, 10) * (whole + 1)
    else:
        assert result.confirmed_w == 0
        assert result.reason
    assert payment(result.confirmed_w / 1000, 15) >= 0
    assert result.effective_minutes <= 15 * len(actual)
