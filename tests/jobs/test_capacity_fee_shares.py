"""Who bears what a programme pays for being ready: users by their use, generators by what they sell outside the market."""

from __future__ import annotations

from datetime import date
from types import SimpleNamespace

import numpy as np

from jobs.demand_response import MonthResponse, record_capacity
from jobs.dr_capacity import CapacityPool
from market.profiles import profile
from settlement.day import Deviation
from settlement.month import month_outside_market

RULES = profile("SD_2022").settled[0]
ROSTER = SimpleNamespace(generators=("G1", "G2"))
POOL = CapacityPool("DR/2022-07", "DR", None, date(2022, 7, 31), {"T1": 1000}, {"T1": "T1"})


def charged(bearing_wh: dict[str, int | None], rules=RULES) -> dict[str, int | None]:
    result = MonthResponse()
    record_capacity(POOL, bearing_wh, ROSTER, rules, result)
    return {
        one.participant_id: one.amount_fen
        for one in result.amounts
        if one.charge_code == "demand_response_charge"
    }


def test_a_generator_with_non_market_energy_bears_its_part_beside_the_users():
    # 10.00 元 over 6 MWh of use and 4 MWh outside the market
    assert charged({"U1": 5_000_000, "U2": 1_000_000, "G1": 4_000_000}) == {"U1": 500, "U2": 100, "G1": 400}


def test_without_energy_outside_the_market_users_bear_it_alone():
    assert charged({"U1": 3_000_000, "U2": 1_000_000}) == {"U1": 750, "U2": 250}


def test_under_a_rule_by_consumption_a_generator_bears_nothing_and_its_gap_hides_nothing():
    by_use = RULES.model_copy(update={"dr_residual_rule": "consumption"})
    assert charged({"U1": 3_000_000, "G1": 1_000_000}, by_use) == {"U1": 1000}
    assert charged({"U1": 3_000_000, "G1": None}, by_use) == {"U1": 1000}


def test_where_a_reading_is_missing_nobodys_part_is_known():
    assert charged({"U1": 3_000_000, "G1": None}) == {"U1": None, "G1": None}


def test_energy_outside_the_market_is_the_sum_of_days_and_a_gap_is_not_zero():
    def day(first: int, second: int, *, gap: bool = False) -> SimpleNamespace:
        key = Deviation(np.array([first, second, 0]), np.array([False, gap, False]))
        return SimpleNamespace(keys={"nonmarket_generation": key})

    units = ("G1", "G2", "G3")
    assert month_outside_market(units, [day(5, 0), day(7, 2)]) == {"G1": 12, "G2": 2}
    assert month_outside_market(units, [day(5, 0), day(7, 2, gap=True)]) == {"G1": 12, "G2": None}
