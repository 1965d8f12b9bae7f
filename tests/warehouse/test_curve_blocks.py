"""A day of curves in blocks: the same rows in the same order, a bounded number of them in memory."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import pyarrow as pa
import pytest

from market.curves import MISSING
from warehouse.curve_blocks import CurveBlocks
from warehouse.curve_groups import visible_files
from warehouse.curves import curve_days

JULY, AUGUST = date(2022, 7, 1), date(2022, 8, 1)
DAYS = [JULY + timedelta(days=n) for n in range(4)]
CITIES = ("jinan", "qingdao", "yantai")
MIB = 1 << 20


def blocks_of(at, rows):
    return CurveBlocks(
        at, "meter_readings", visible_files(at, "meter_readings", JULY, AUGUST, None, None), rows
    )


@pytest.fixture
def three_cities(at, put_curves):
    """Five meters a city on three of four days; M03 has a gap on the second, M07 is revised on the third."""
    rows = {(f"M{n:02d}", day): 100 * n + day.day for n in range(15) for day in DAYS[:3]}
    rows[("M03", DAYS[1])] = np.where(np.arange(96) == 7, MISSING, 5)
    cities = {f"M{n:02d}": CITIES[n % 3] for n in range(15)}
    put_curves(at, "a", 1, rows, cities=cities)
    put_curves(at, "b", 2, {("M07", DAYS[2]): 9}, cities=cities, revised={("M07", DAYS[2])})
    return at


@pytest.mark.parametrize("rows", [1, 2, 4, 5, 7, 15, 1000])
def test_blocks_together_are_the_day(three_cities, rows):
    whole = {day.date: day for day in curve_days(three_cities, "meter_readings", JULY, AUGUST)}
    assert list(whole) == DAYS[:3]
    with blocks_of(three_cities, rows) as blocks:
        for day in DAYS:
            found = list(blocks.of(day))
            assert bool(found) == (day in whole)
            if not found:
                continue
            expected = whole[day]
            assert np.array_equal(np.concatenate([one.values for one in found]), expected.values)
            keys = [key for one in found for key in one.keys["meter_id"].to_pylist()]
            assert keys == expected.keys["meter_id"].to_pylist()
            assert [text for one in found for text in one.quality.to_pylist()] == expected.quality.to_pylist()
            assert any(one.has_missing for one in found) == expected.has_missing
            lines = [line for one in found for line in one.lines(range(len(one.values)))]
            assert lines == expected.lines(range(len(expected.values)))
            cities = [one.city(row) for one in found for row in range(len(one.values))]
            assert cities == [expected.city(row) for row in range(len(expected.values))]
            for one in found:  # the city of the revised key is merged, and comes as a whole
                assert len(one.values) <= rows or {one.city(row) for row in range(len(one.values))} == {
                    "qingdao"
                }


def test_keys_that_stay_are_the_very_objects_of_the_day_before(three_cities):
    with blocks_of(three_cities, 5) as blocks:
        first, second = ([one.keys["meter_id"] for one in blocks.of(day)] for day in DAYS[:2])
    assert len(first) == 3
    assert all(one is other for one, other in zip(first, second, strict=True))


def test_a_day_of_many_rows_is_never_in_memory_as_a_whole(at, put_curves):
    """24,000 rows of three cities are 18 MiB a day; in blocks of 500 rows, 375 KiB each, a tenth of it is decoded."""
    draw = np.random.default_rng(5)
    meters = [f"M{n:05d}" for n in range(24_000)]
    cities = {meter: CITIES[n % 3] for n, meter in enumerate(meters)}
    for number, day in enumerate(DAYS[:2]):
        rows = {(meter, day): draw.integers(0, 10**9, 96) for meter in meters}
        put_curves(at, str(number), number + 1, rows, cities=cities)
        del rows
    before, most, seen = pa.total_allocated_bytes(), 0, 0
    with blocks_of(at, 500) as blocks:
        for day in DAYS[:2]:
            for one in blocks.of(day):
                seen += len(one.values)
                most = max(most, pa.total_allocated_bytes() - before)
    assert seen == 48_000
    assert most < 9 * MIB
    (whole,) = curve_days(at, "meter_readings", JULY, DAYS[1])
    assert whole.values.nbytes > 17 * MIB
