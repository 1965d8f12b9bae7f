"""What a unit's capacity counts for: available, or mean market output for the classes of the rule (market.md B.4)."""

from __future__ import annotations

from datetime import date

import pytest

from market.dated import Dated
from market.profiles import profile
from settlement.capacity import capacity_keys

JULY, LAST = 31, date(2022, 7, 31)
CLASSES = {"G1": "coal", "G2": "wind", "G3": "wind"}
AVAILABLE = {"G1": 3_000_000, "G2": 1_000_000}
SOLD = {"G1": 7_440_000_000, "G2": 4_464_000_000, "G3": -5}


def rules(*by_output: str):
    dated = Dated[tuple[str, ...]](
        value=by_output, unit="classes", clause="B.4", valid_from=date(2022, 1, 1), certainty="secondary"
    )
    return profile("SD_2022").provincial.model_copy(update={"capacity_by_output": (dated,)})


def test_a_wind_farm_counts_by_what_it_sold_over_the_hours_of_the_month():
    # 4,464 MWh / 744 h = 6 MW; who drew more than it sold counts 0
    keys = capacity_keys(rules("wind"), JULY, LAST, CLASSES, AVAILABLE, SOLD)
    assert keys == {"G1": 3_000_000, "G2": 6_000_000, "G3": 0}


def test_without_a_class_in_the_rule_everybody_counts_by_available_capacity():
    assert capacity_keys(rules(), JULY, LAST, CLASSES, AVAILABLE, SOLD) == AVAILABLE


@pytest.mark.parametrize("sold", [{"G1": 1, "G2": None, "G3": 0}, {"G1": 1, "G3": 0}])
def test_a_wind_farm_whose_energy_is_missing_has_no_key_and_not_zero(sold):
    keys = capacity_keys(rules("wind"), JULY, LAST, CLASSES, AVAILABLE, sold)
    assert keys["G2"] is None
