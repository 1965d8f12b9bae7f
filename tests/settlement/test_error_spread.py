"""差错电量: which errors adjust the monthly total alone, and how the total is carried by the settled curve."""

from __future__ import annotations

from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from settlement.error_tariff import MeterError, Pricing, average_price, spread
from settlement.metering import wh_of_reading

TENTH, USERS = Decimal("0.1"), frozenset({"wholesale_user"})


def error(
    error_wh: int,
    *,
    corrected: int = 1000,
    settled: int = 900,
    kind: str = "wholesale_user",
    whole: bool = True,
):
    return MeterError("M", "W", kind, settled, corrected, error_wh, whole)


@pytest.mark.parametrize(
    ("case", "pricing"),
    [
        (error(99), Pricing.MONTHLY_TOTAL),
        (error(100), Pricing.OWN_QUARTER_HOUR),  # a tenth is not below a tenth
        (error(99, kind="generator"), Pricing.OWN_QUARTER_HOUR),
        (error(99, whole=False), Pricing.OWN_QUARTER_HOUR),
        (error(99, settled=0), Pricing.OWN_QUARTER_HOUR),  # no shape to carry the total
    ],
)
def test_the_rule_of_a_meter(case: MeterError, pricing: Pricing) -> None:
    assert case.pricing(TENTH, USERS) is pricing


@given(
    st.lists(st.integers(0, 10**7), min_size=96, max_size=96).filter(any),
    st.integers(0, 10**9),
    st.integers(1, 999_999),
)
def test_below_a_multiplier_of_a_thousand_the_month_is_exact_in_wh(curve, total, multiplier) -> None:
    settled = np.array([curve], np.int64)
    readings = spread(settled, total, multiplier)
    assert int(wh_of_reading(readings, np.array([multiplier])).sum()) == total
    assert not readings[settled == 0].any()  # where nothing was used nothing is


def test_a_large_multiplier_keeps_the_sum_of_readings() -> None:
    readings = spread(np.full((31, 96), 24_000, np.int64), 71_424_000 + 12_000, 12_000_000)
    assert (
        int(readings.sum()) * 12 == 71_436_000
    )  # 12,000 Wh a unit of reading: 1e-6 kWh times 12,000 is 12 Wh
    assert int(wh_of_reading(readings, np.full(31, 12_000_000)).sum()) == 71_436_000


def test_the_average_is_weighted_by_the_settled_energy() -> None:
    settled, price = np.array([[3, 1]], np.int64), np.array([[100_000, 500_000]], np.int64)
    assert average_price(settled, price) == 200_000
