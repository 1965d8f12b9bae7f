"""Capacity fees: kW by price by the days they held, rounded once."""

from decimal import Decimal

import pytest

from demand_response.response import capacity_fee


def test_a_full_month_costs_capability_by_price():
    assert capacity_fee([(1000, Decimal(2), 31)], 31) == 200_000  # 1,000 kW x 2 元 = 2,000.00 元


def test_a_price_that_changes_inside_the_month_counts_by_days_and_is_rounded_once():
    # 1,000 kW: 10 days at 2 元 and 21 days at 1 元 = 645.1613 + 677.4194 = 1,322.5806 元
    assert capacity_fee([(1000, Decimal(2), 10), (1000, Decimal(1), 21)], 31) == 132_258


def test_hainan_pays_for_the_part_of_the_contract_that_was_not_called():
    # TC-16: 1,000 kW contracted, 600 called: 400 kW x 0.3 = 120.00 元 of the 1,320.00
    assert capacity_fee([(400, Decimal("0.3"), 30)], 30) == 12_000


@pytest.mark.parametrize("part", [(-1, Decimal(2), 1), (1, Decimal(-2), 1), (1, Decimal(2), 32)])
def test_a_negative_figure_or_more_days_than_the_month_has_is_refused(part):
    with pytest.raises(ValueError, match="is no capacity fee"):
        capacity_fee([part], 31)
