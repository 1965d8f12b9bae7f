"""The estimation ladder of SD25 Annex 3 (market.md C.5), rung by rung."""

from __future__ import annotations

from datetime import date

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from market.calendars import ChinaCalendar
from market.curves import MISSING, is_missing
from settlement.vee.ladder import Around, Method, fill
from settlement.vee.reference_days import reference_days

UNKNOWN = np.full(96, MISSING, np.int64)
NOTHING = Around(MISSING, MISSING, UNKNOWN, np.empty((0, 96), np.int64))
CHINA = ChinaCalendar()


def day(value: int = 100, **at: int) -> np.ndarray:
    values = np.full(96, value, np.int64)
    for place, known in at.items():
        values[int(place[1:]) - 1] = known
    return values


def gap(first: int, last: int, value: int = 100) -> np.ndarray:
    values = day(value)
    values[first - 1 : last] = MISSING
    return values


def around(**known: object) -> Around:
    return Around(**{**NOTHING.__dict__, **known})


def test_one_missing_quarter_hour_is_the_mean_of_its_neighbours_half_up():
    filled, methods = fill(day(p10=101, p11=MISSING, p12=104), NOTHING, 8)
    assert filled[10] == 103  # 102.5
    assert methods[10] is Method.NEIGHBOURS
    assert [method for method in methods if method] == [Method.NEIGHBOURS]


def test_at_midnight_the_neighbour_stands_in_the_next_day():
    filled, methods = fill(day(p96=MISSING), around(after=300), 8)
    assert (filled[95], methods[95]) == (200, Method.NEIGHBOURS)


def test_several_are_the_reference_day_times_what_the_day_has_over_what_the_reference_has():
    # 92 quarter-hours of 100 against 92 of 50 in the reference: a ratio of two.
    filled, methods = fill(gap(5, 8), around(references=day(50, p5=30, p6=31, p7=32, p8=33)[None, :]), 8)
    assert filled[4:8].tolist() == [60, 62, 64, 66]
    assert set(methods[4:8]) == {Method.HISTORY}


def test_three_reference_days_count_by_their_mean():
    references = np.stack([day(50), day(100), day(150)])
    filled, _ = fill(gap(5, 8), around(references=references), 8)
    assert filled[4:8].tolist() == [100] * 4


def test_a_day_without_any_reading_takes_the_reference_as_it_is():
    filled, methods = fill(UNKNOWN, around(references=day(77)[None, :]), 8)
    assert (filled == 77).all()
    assert set(methods) == {Method.HISTORY}


def test_without_a_reference_the_day_before_stands_in():
    filled, methods = fill(gap(5, 8), around(day_before=day(40)), 8)
    assert filled[4:8].tolist() == [40] * 4
    assert set(methods[4:8]) == {Method.DAY_BEFORE}


def test_a_reference_with_the_same_gap_is_no_reference():
    _, methods = fill(gap(5, 8), around(references=gap(6, 6, 50)[None, :], day_before=day(40)), 8)
    assert set(methods[4:8]) == {Method.DAY_BEFORE}


def test_last_comes_a_straight_line_for_a_short_gap():
    filled, methods = fill(gap(5, 7), NOTHING, 8)
    assert filled[4:7].tolist() == [100] * 3
    rising = gap(5, 7)
    rising[7] = 140
    assert fill(rising, NOTHING, 8)[0][4:7].tolist() == [110, 120, 130]
    assert set(methods[4:7]) == {Method.LINEAR}


def test_what_no_rung_fills_stays_missing():
    filled, methods = fill(gap(5, 13), NOTHING, 8)
    assert is_missing(filled[4:13]).all()
    assert not any(methods)


def test_each_gap_takes_its_own_rung():
    values = gap(5, 8)
    values[50] = MISSING
    _, methods = fill(values, around(day_before=day(40)), 8)
    assert (methods[4], methods[50]) == (Method.DAY_BEFORE, Method.NEIGHBOURS)


@given(st.data())
def test_measured_readings_never_change_and_a_complete_day_is_left_alone(data):
    values = np.array(data.draw(st.lists(st.integers(0, 10**9), min_size=96, max_size=96)), np.int64)
    lost = data.draw(st.sets(st.integers(0, 95), max_size=95))
    values[list(lost)] = MISSING
    filled, methods = fill(
        values, around(references=day(50)[None, :], day_before=day(40), before=1, after=1), 8
    )
    kept = ~is_missing(values)
    assert (filled[kept] == values[kept]).all()
    assert [method is None for method in methods] == kept.tolist()
    if not lost:
        assert (filled == values).all()


@pytest.mark.parametrize(
    ("missing", "references"),
    [
        (date(2022, 7, 20), [date(2022, 7, 13)]),  # a Wednesday: the Wednesday before
        (date(2022, 6, 10), [date(2022, 6, 9)]),  # a week before lies the Dragon Boat holiday: the day before
        (date(2022, 10, 8), [date(2022, 9, 30)]),  # a make-up Saturday is a working day
        (date(2022, 6, 3), [date(2022, 4, 3), date(2022, 1, 1), date(2021, 9, 19)]),  # three short holidays
        (date(2022, 6, 5), [date(2022, 4, 5), date(2022, 1, 3), date(2021, 9, 21)]),
        (date(2022, 10, 3), [date(2021, 10, 3)]),  # National Day, the third day
        (date(2022, 2, 1), [date(2021, 2, 12)]),  # New Year moved by the moon: the second day of the holiday
    ],
)
def test_reference_days_follow_the_kind_of_the_day(missing, references):
    assert list(reference_days(missing, CHINA, 3)) == references
