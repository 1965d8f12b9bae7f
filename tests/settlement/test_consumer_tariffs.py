"""Published prices: Hubei's table of January 2026 comes out to the last digit, class and voltage, dates, periods."""

from __future__ import annotations

import csv
from datetime import date
from decimal import Decimal
from importlib.resources import files

import numpy as np
import pytest

from market.dated import on
from market.money import scaled
from market.profiles import profile
from settlement.retail.tariffs import Tariff, TariffBook, sum_e8
from settlement.retail.time_of_use import PERIOD_NAMES, by_period, periods_of_day, surcharge_e8

CONSUMER = profile("SD_2022").consumer
JANUARY = date(2026, 1, 15)
BUILD_UP = {
    "agency_energy": ("agency_purchase",),
    "agency_deviation": ("history_deviation",),
    "line_loss_fee": ("line_loss",),
    "transmission_fee": ("transmission",),
    "system_operation_fee": (
        "pumped_storage",
        "coal_capacity",
        "mechanism_difference",
        "cross_subsidy",
        "residual_priority",
        "other_system_operation",
    ),
    "government_funds": ("fund_rural_grid", "fund_reservoir", "fund_renewable"),
}


def published() -> list[Tariff]:
    with files("data").joinpath("reference/tariffs/hubei_2026_01.csv").open(encoding="utf-8") as file:
        return [
            Tariff(
                row["component"],
                row["tariff_class"],
                row["voltage_band"],
                scaled(row["price_cny"], 8),
                row["price_unit"],
                row["region"],
                row["source"],
                date.fromisoformat(row["source_effective_from"]),
                date.fromisoformat(row["valid_from"]),
                date.fromisoformat(row["valid_to"]) if row["valid_to"] else None,
            )
            for row in csv.DictReader(file)
        ]


HUBEI = TariffBook(published())


def row(price: int, *, of: str = "all", band: str = "all", since: str = "2022-01-01", to: str = "") -> Tariff:
    return Tariff(
        "transmission",
        of,
        band,
        price,
        "cny_per_kwh",
        "SD",
        "by hand",
        None,
        date.fromisoformat(since),
        date.fromisoformat(to) if to else None,
    )


def test_hubei_of_january_2026_at_1_to_10_kv_two_part_is_0_651886_yuan_a_kwh():
    prices = {
        charge: sum_e8(HUBEI.price(parts, "large_industry", "1_to_35kv", JANUARY))
        for charge, parts in BUILD_UP.items()
    }
    assert prices["agency_energy"] + prices["agency_deviation"] == scaled("0.384470", 8)  # 代理购电价格
    assert prices["line_loss_fee"] == scaled("0.013643", 8)
    assert prices["transmission_fee"] == scaled("0.126300", 8)
    assert prices["system_operation_fee"] == scaled("0.082273", 8)
    assert prices["government_funds"] == scaled("0.045200", 8)
    assert sum(prices.values()) == scaled("0.651886", 8)  # market.md B.7


def test_the_line_loss_of_the_table_is_the_price_grossed_up_for_the_loss():
    price, loss = Decimal("0.384470"), Decimal("0.03427")  # market.md B.7: price x rho / (1 - rho)
    assert round(price * loss / (1 - loss), 6) == Decimal("0.013643")


def test_every_published_component_says_where_and_when_it_was_published():
    for tariff in published():
        assert tariff.source.startswith("HB-TAR")
        assert tariff.source_effective_from == tariff.valid_from == date(2026, 1, 1)
        assert tariff.region == "HB"


def test_a_month_after_the_table_has_no_agency_price():
    parts = HUBEI.price(("agency_purchase",), "large_industry", "1_to_35kv", date(2026, 2, 1))
    assert parts == {"agency_purchase": None}
    assert sum_e8(parts) is None


def test_the_row_of_the_own_class_and_voltage_stands_before_the_row_for_all():
    book = TariffBook(
        [row(1), row(2, of="large"), row(3, band="from_220kv"), row(4, of="large", band="from_220kv")]
    )
    day = date(2022, 7, 1)
    assert book.find("transmission", "large", "from_220kv", day).price_e8 == 4
    assert book.find("transmission", "large", "1_to_35kv", day).price_e8 == 2
    assert book.find("transmission", "other", "from_220kv", day).price_e8 == 3
    assert book.find("transmission", "other", "1_to_35kv", day).price_e8 == 1


def test_a_tariff_that_changes_inside_a_month_changes_on_its_day():
    book = TariffBook([row(1, to="2022-07-15"), row(2, since="2022-07-15")])
    assert book.find("transmission", "all", "all", date(2022, 7, 14)).price_e8 == 1
    assert book.find("transmission", "all", "all", date(2022, 7, 15)).price_e8 == 2
    assert book.edges(date(2022, 7, 1), date(2022, 8, 1)) == {date(2022, 7, 15)}


def hours(day: date) -> dict[str, list[int]]:
    periods = periods_of_day(on(CONSUMER.time_of_use, day, "time_of_use"), day)
    found: dict[str, list[int]] = {name: [] for name in PERIOD_NAMES}
    for hour in range(24):
        (period,) = set(periods[4 * hour : 4 * hour + 4].tolist())
        found[PERIOD_NAMES[period]].append(hour)
    return found


# market.md B.8; an hour h is h:00 to h+1:00
@pytest.mark.parametrize(
    ("day", "sharp", "peak", "valley", "deep_valley"),
    [
        (date(2022, 7, 1), [10, 19, 20], [9, 15, 16, 17, 18, 21], [0, 1, 2, 3, 4, 5, 6, 12, 13], []),
        (date(2022, 12, 1), [10, 16, 17, 18, 19], [9, 15, 20, 21], [0, 1, 2, 3, 4, 5, 6, 12, 13], []),
        (date(2022, 4, 1), [], [9, 10, *range(15, 22)], [0, 1, 2, 3, 4, 5, 6, 12, 13], []),
        (date(2025, 1, 1), [16, 17, 18], [7, 8, 19, 20], [2, 3, 4, 5, 10, 14], [11, 12, 13]),
        (date(2025, 2, 28), [16, 17, 18], [7, 8, 19, 20], [2, 3, 4, 5, 10, 14], [11, 12, 13]),
        (date(2025, 3, 1), [17, 18, 19], [20, 21], [10, 14], [11, 12, 13]),
        (date(2025, 6, 1), [17, 18, 19, 20, 21], [16, 22], [7, 8, 9, 10, 11], []),
        (date(2025, 7, 1), [17, 18, 19, 20, 21], [16, 22], [1, 2, 3, 4, 5], []),
        (date(2025, 11, 30), [17, 18], [16, 19, 20], [10, 14], [11, 12, 13]),
        (date(2025, 12, 1), [16, 17, 18], [7, 8, 19, 20], [2, 3, 4, 5, 10, 14], [11, 12, 13]),
    ],
)
def test_the_hours_of_each_season(day, sharp, peak, valley, deep_valley):
    found = hours(day)
    assert (found["sharp"], found["peak"]) == (sharp, peak)
    assert (found["valley"], found["deep_valley"]) == (valley, deep_valley)


def test_no_period_set_is_known_for_2024():
    from settlement.retail.bill import in_force

    assert in_force(CONSUMER.time_of_use, date(2024, 7, 1)) is None


def test_peak_and_valley_of_2022_are_half_above_and_below_and_sharp_is_peak_times_1_2():
    rule = on(CONSUMER.time_of_use, date(2022, 7, 1), "time_of_use")
    # base 0.5 元/kWh: sharp 0.9, peak 0.75, valley 0.25
    assert dict(zip(PERIOD_NAMES, surcharge_e8(rule, scaled("0.5", 8)).tolist(), strict=True)) == {
        "sharp": scaled("0.4", 8),
        "peak": scaled("0.25", 8),
        "flat": 0,
        "valley": scaled("-0.25", 8),
        "deep_valley": scaled("-0.25", 8),
    }


def test_ratios_of_2025():
    rule = on(CONSUMER.time_of_use, date(2025, 7, 1), "time_of_use")
    assert surcharge_e8(rule, scaled("0.4", 8)).tolist() == [
        scaled(value, 8) for value in ("0.4", "0.28", "0", "-0.28", "-0.36")
    ]


def test_the_price_of_a_period_is_rounded_to_six_decimals_before_it_meets_energy():
    rule = on(CONSUMER.time_of_use, date(2022, 7, 1), "time_of_use")
    # 0.388091 x 1.5 = 0.5821365, half up 0.582137; x 0.5 = 0.1940455 -> 0.194046
    above = dict(zip(PERIOD_NAMES, surcharge_e8(rule, scaled("0.388091", 8)).tolist(), strict=True))
    assert above["peak"] == scaled("0.582137", 8) - scaled("0.388091", 8)
    assert above["valley"] == scaled("0.194046", 8) - scaled("0.388091", 8)


def test_what_floats_is_the_list_of_the_rule_and_past_deviation_is_not_in_it():
    floating = on(CONSUMER.floating_components, date(2022, 7, 1), "floating_components")
    assert floating == (
        "agency_purchase",
        "capacity_compensation",
        "line_loss",
        "pumped_storage",
        "coal_capacity",
    )


def test_energy_falls_into_the_periods_of_its_quarter_hours():
    rule = on(CONSUMER.time_of_use, date(2022, 7, 1), "time_of_use")
    periods = periods_of_day(rule, date(2022, 7, 1))
    energy = np.arange(96, dtype=np.int64)[None, :] + 1
    parts = by_period(energy, periods)[0].tolist()
    assert sum(parts) == 96 * 97 // 2
    assert parts[0] == sum(range(41, 45)) + sum(range(77, 85))  # 10:00-11:00 and 19:00-21:00
