"""Power-factor adjustment by its table: every published step, the golden case, and cos phi to two decimals (B.9)."""

from __future__ import annotations

from datetime import date
from decimal import ROUND_HALF_UP, Decimal, localcontext

import pytest
from hypothesis import given
from hypothesis import strategies as st

from market.dated import on
from market.profiles import profile
from settlement.retail.power_factor import hundredths, percent, standard_of

CONSUMER = profile("SD_2022").consumer
DAY = date(2022, 7, 31)
TABLES = on(CONSUMER.power_factor_tables, DAY, "power_factor_tables")
STANDARDS = on(CONSUMER.power_factor_standards, DAY, "power_factor_standards")


def adjusted(standard: str, cos_phi: str) -> Decimal:
    return percent(TABLES, Decimal(standard), int(Decimal(cos_phi) * 100))


def test_100_000_kwh_and_60_000_kvarh_are_cos_phi_0_86_and_2_percent_more_at_standard_0_90():
    cos_phi = hundredths(100_000_000, 60_000_000)
    assert cos_phi == 86  # 0.8575
    assert percent(TABLES, Decimal("0.90"), cos_phi) == Decimal("2.0")


# the reduction side of market.md B.9; from the last value on it stays
REDUCTIONS = {
    "0.90": "-0.15 -0.30 -0.45 -0.60 -0.75",
    "0.85": "-0.1 -0.2 -0.3 -0.4 -0.5 -0.65 -0.80 -0.95 -1.10",
    "0.80": "-0.1 -0.2 -0.3 -0.4 -0.5 -0.6 -0.7 -0.8 -0.9 -1.0 -1.15 -1.30",
}


@pytest.mark.parametrize(("standard", "steps"), REDUCTIONS.items())
def test_every_step_above_the_standard(standard: str, steps: str):
    at = Decimal(standard)
    assert adjusted(standard, str(at)) == 0
    for value in steps.split():
        at += Decimal("0.01")
        assert adjusted(standard, str(at)) == Decimal(value), at
    while at < 1:
        at += Decimal("0.01")
        assert adjusted(standard, str(at)) == Decimal(steps.rsplit(maxsplit=1)[-1]), at


@pytest.mark.parametrize("standard", ["0.90", "0.85", "0.80"])
def test_every_step_below_the_standard(standard: str):
    at, expected = Decimal(standard), Decimal(0)
    for step, count in (("0.5", 20), ("1", 5), ("2", 1000)):
        for _ in range(count):
            if at == 0:
                return
            at, expected = at - Decimal("0.01"), expected + Decimal(step)
            assert adjusted(standard, str(at)) == expected, at


def test_the_published_corners_of_the_surcharge():
    assert [adjusted("0.90", at) for at in ("0.89", "0.70", "0.69", "0.65", "0.64", "0.63")] == [
        Decimal(value) for value in ("0.5", "10", "11", "15", "17", "19")
    ]
    assert [adjusted("0.85", at) for at in ("0.84", "0.65", "0.64", "0.60", "0.59")] == [
        Decimal(value) for value in ("0.5", "10", "11", "15", "17")
    ]
    assert [adjusted("0.80", at) for at in ("0.79", "0.60", "0.59", "0.55", "0.54")] == [
        Decimal(value) for value in ("0.5", "10", "11", "15", "17")
    ]


def test_a_standard_without_a_table_is_refused():
    with pytest.raises(ValueError, match=r"no power-factor table for the standard 0\.95"):
        percent(TABLES, Decimal("0.95"), 90)


def test_no_energy_has_no_power_factor_and_reactive_energy_alone_has_zero():
    assert hundredths(0, 0) is None
    assert hundredths(0, 5) == 0
    assert hundredths(5, 0) == 100


def test_a_month_that_delivers_is_refused():
    with pytest.raises(ValueError, match="0 or above"):
        hundredths(-1, 5)


@given(st.integers(0, 10**13), st.integers(0, 10**13))
def test_cos_phi_is_rounded_half_up_exactly(active: int, reactive: int):
    if active == reactive == 0:
        return
    with localcontext() as context:
        context.prec = 80
        exact = Decimal(active) / (Decimal(active) ** 2 + Decimal(reactive) ** 2).sqrt()
        assert hundredths(active, reactive) == int((exact * 100).to_integral_value(ROUND_HALF_UP))


def test_the_standard_follows_class_and_capacity_unless_the_user_has_its_own():
    assert standard_of(STANDARDS, "large_industry", Decimal(160), None) == Decimal("0.90")
    assert standard_of(STANDARDS, "large_industry", Decimal(159), None) is None
    assert standard_of(STANDARDS, "general_industry", Decimal(100), None) == Decimal("0.85")
    assert standard_of(STANDARDS, "general_industry", Decimal("99.999"), None) is None
    assert standard_of(STANDARDS, "general_industry", Decimal(50), Decimal("0.80")) == Decimal("0.80")
