"""Retail packages by hand: fixed by period, spot-linked, mixed, reference-linked, capped, and their clauses (B.10)."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import date
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from market.consumer import CapacityFactors
from market.money import OverflowBoundError
from market.periods import Month
from market.profiles import profile
from settlement.retail.packages import (
    Certificates,
    Choice,
    Package,
    cap_relief_e11,
    certificates,
    deviation_e11,
    energy_e11,
    months_left,
    termination_fen,
)
from settlement.retail.time_of_use import surcharge_e8

CONSUMER = profile("SD_2022").consumer
JULY = Month(2022, 7)
E11 = 10**11  # of one yuan
MWH = 1_000_000
FIXED = Package("LSGD220001", "R01", "fixed", 100, (700_000, 600_000, 450_000, 300_000, 200_000))
# one user, one day: 1, 2, 3, 4, 5 MWh sharp, peak, flat, valley, deep valley
DAY = np.array([[[1, 2, 3, 4, 5]]], np.int64) * MWH
# 700 + 2 x 600 + 3 x 450 + 4 x 300 + 5 x 200 = 5,450 元
FIXED_YUAN = 5450


def yuan(amount: np.ndarray) -> Fraction:
    return Fraction(int(amount[0, 0]), E11)


def test_a_fixed_package_charges_each_period_at_its_price():
    assert yuan(energy_e11(FIXED, DAY, None, None)) == FIXED_YUAN


def test_a_spot_linked_package_charges_the_spot_value_and_its_spread():
    linked = Package("SPOT220001", "R01", "spot_linked", 0, (None,) * 5, "real_time", spread_mills=8_000)
    spot = np.array([[6_000 * 10**9]], np.int64)  # Σ Q·P = 6,000 元
    assert yuan(energy_e11(linked, DAY, spot, None)) == 6_000 + 15 * 8


def test_a_spot_linked_package_follows_negative_prices_down():
    linked = Package("SPOT220001", "R01", "spot_linked", 0, (None,) * 5, "real_time")
    assert yuan(energy_e11(linked, DAY, np.array([[-50 * 10**9]], np.int64), None)) == -50


@pytest.mark.parametrize("share", [1, 37, 99])
def test_a_mixed_package_is_its_fixed_share_of_one_and_the_rest_of_the_other(share: int):
    mixed = replace(FIXED, package_id="MIXD220001", kind="mixed", fixed_percent=share, linked_to="day_ahead")
    spot = np.array([[6_000 * 10**9]], np.int64)
    assert yuan(energy_e11(mixed, DAY, spot, None)) == Fraction(
        share * FIXED_YUAN + (100 - share) * 6_000, 100
    )


@pytest.mark.parametrize(("share", "whole"), [(0, False), (1, True), (99, True), (100, False)])
def test_a_mixed_package_fixes_1_to_99_percent(share: int, whole: bool):
    mixed = replace(FIXED, kind="mixed", fixed_percent=share, linked_to="day_ahead")
    assert (mixed.incomplete() is None) == whole


def test_a_reference_linked_package_charges_the_published_price_and_its_spread():
    linked = Package("CKJG220001", "R01", "reference_linked", 0, (None,) * 5, spread_mills=-5_000)
    assert yuan(energy_e11(linked, DAY, None, 38_809_000)) == 15 * (Fraction("388.09") - 5)


def test_a_package_without_its_prices_says_what_it_lacks():
    assert FIXED.incomplete() is None
    assert "every period" in str(replace(FIXED, period_mills=(1, 2, 3, 4, None)).incomplete())
    assert "spot price" in str(replace(FIXED, kind="spot_linked", fixed_percent=0).incomplete())


def test_a_cap_takes_off_what_the_month_costs_above_it_on_average():
    # 15 MWh for 5,450 元 are 363.33 元/MWh; a cap of 350 takes off 5,450 - 5,250 = 200
    assert Fraction(cap_relief_e11(15 * MWH, FIXED_YUAN * E11, 350_000), E11) == -200
    assert cap_relief_e11(15 * MWH, FIXED_YUAN * E11, 364_000) == 0


def test_energy_outside_the_band_costs_y1_above_and_y2_below():
    clause = replace(FIXED, x1=500, x2=1000, y1_mills=30_000, y2_mills=20_000)
    agreed = Fraction(100 * MWH)  # band 90 … 105 MWh
    assert deviation_e11(105 * MWH, agreed, clause) == 0
    assert deviation_e11(90 * MWH, agreed, clause) == 0
    assert deviation_e11(107 * MWH, agreed, clause) == 2 * 30 * E11
    assert deviation_e11(80 * MWH, agreed, clause) == 10 * 20 * E11


CHOICE = Choice("T1", "LSGD220001", date(2022, 6, 3), date(2022, 6, 3), agreed_wh=100 * MWH)


def test_a_package_takes_effect_next_month():
    assert CHOICE.effective_from == date(2022, 7, 1)
    assert not CHOICE.holds(date(2022, 6, 30))
    assert CHOICE.holds(date(2022, 7, 1))


def test_a_package_signed_for_later_takes_effect_then():
    assert replace(CHOICE, valid_from=date(2022, 7, 15)).effective_from == date(2022, 7, 15)


def test_notice_ends_a_package_at_the_end_of_its_month():
    given_up = replace(CHOICE, ended_early_on=date(2022, 7, 9), term_ends=date(2023, 1, 1))
    assert given_up.holds(date(2022, 7, 31))
    assert not given_up.holds(date(2022, 8, 1))


def test_early_termination_costs_the_lower_of_c1_times_the_energy_left_and_c2():
    given_up = replace(CHOICE, ended_early_on=date(2022, 7, 9), term_ends=date(2023, 1, 1))
    assert months_left(given_up, JULY) == 5  # August to December
    terms = replace(FIXED, c1_mills=10_000, c2_fen=600_000)  # 10 元/MWh x 500 MWh = 5,000 元 against 6,000 元
    assert termination_fen(terms, given_up, JULY, "lower") == 500_000
    assert termination_fen(terms, given_up, JULY, "higher") == 600_000
    assert termination_fen(replace(terms, c2_fen=400_000), given_up, JULY, "lower") == 400_000
    assert termination_fen(FIXED, given_up, JULY, "lower") is None


@pytest.mark.parametrize(
    ("code", "fits"),
    [("LSGD220001", True), ("LSG220001", False), ("lsgd220001", False), ("LSGD22000", False)],
)
def test_a_package_code_is_four_letters_two_digits_four_digits(code: str, fits: bool):
    assert bool(re.fullmatch(CONSUMER.package_code, code)) == fits


def test_certificates_are_whole_mwh_and_the_rest_is_carried():
    # 3.7 MWh of green energy: 30 % of 12.3333 MWh is 3.69999 MWh
    first = certificates("T1", 12_333_300 * 3000, 0)
    assert (first.certificates, first.carried_out) == (3, 12_333_300 * 3000 - 3 * 10**10)
    second = certificates("T1", 4_000 * 10_000 * 100, first.carried_out)
    assert second.certificates == (first.carried_out + 4 * 10**9) // 10**10


def test_a_month_that_delivers_buys_no_certificate_and_keeps_its_carry():
    assert certificates("T1", -5, 7) == Certificates("T1", 7, 0, 0)


@given(st.lists(st.integers(0, 10**12), min_size=1, max_size=12))
def test_over_any_months_certificates_and_carry_are_the_green_energy(months: list[int]):
    carry, bought = 0, 0
    for green in months:
        month = certificates("T1", green, carry)
        carry, bought = month.carried_out, bought + month.certificates
        assert 0 <= carry < 10**10
    assert bought * 10**10 + carry == sum(months)


@given(
    st.lists(st.integers(-(10**9), 10**9), min_size=5, max_size=5), st.integers(1, 99), st.integers(0, 10**9)
)
def test_splitting_a_user_in_two_splits_the_energy_fee(parts: list[int], share: int, other: int):
    mixed = replace(FIXED, kind="mixed", fixed_percent=share, linked_to="day_ahead", spread_mills=1_234)
    whole = np.array([[parts]], np.int64)
    piece = np.minimum(np.abs(whole), other) * np.sign(whole)
    spots = [np.array([[int(energy.sum()) * 411]], np.int64) for energy in (whole, piece, whole - piece)]
    fees = [energy_e11(mixed, e, s, None) for e, s in zip((whole, piece, whole - piece), spots, strict=True)]
    assert fees[0] == fees[1] + fees[2]


def test_a_day_that_could_pass_int64_is_refused():
    with pytest.raises(OverflowBoundError, match="LSGD220001"):
        energy_e11(FIXED, np.full((1, 1, 5), 10**14, np.int64), None, None)


@pytest.mark.parametrize("factor", ["-0.1", "2.01"])
def test_a_capacity_factor_outside_0_to_2_is_refused(factor):
    with pytest.raises(ValueError, match="sharp"):
        CapacityFactors(package_code="LSGD", sharp=factor, peak="1.5", valley="0.5", deep_valley="0")


def test_capacity_factors_charge_what_a_period_costs_above_or_below_flat():
    factors = CapacityFactors(package_code="LSGD", sharp="2", peak="1.5", valley="0.5", deep_valley="0")
    # 0.0991 元/kWh: +0.0991, +0.04955, 0, -0.04955, -0.0991
    assert surcharge_e8(factors, 9_910_000).tolist() == [9_910_000, 4_955_000, 0, -4_955_000, -9_910_000]
