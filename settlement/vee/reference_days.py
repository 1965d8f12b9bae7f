"""Which days a missing day is estimated from (SD25 Annex 3, market.md C.5)."""

from __future__ import annotations

from datetime import date, timedelta

from market.calendars import ChinaCalendar

DAY = timedelta(days=1)
WEEK = timedelta(days=7)
LOOK_BACK = timedelta(days=28)
SHORT_HOLIDAYS = 3
LONGEST = timedelta(days=3 * 366)


def reference_days(day: date, calendar: ChinaCalendar, short_holiday_days: int) -> tuple[date, ...]:
    """The days whose mean stands for ``day``, newest first; empty when the calendar knows none.

    A day that is no holiday: the same weekday a week before, or where that was a day of another kind (a holiday,
    a make-up day) the latest day of the same kind in the four weeks before. A holiday of at most
    ``short_holiday_days`` days in a row: the same place in the three latest short holidays. A longer one: the same
    place in the holiday of that name a year before.
    """
    holiday = calendar.holiday(day)
    if holiday is not None:
        first, length = holiday
        if length <= short_holiday_days:
            return _short_holidays(first, (day - first).days, calendar, short_holiday_days)
        return _a_year_before(day, first, calendar)
    kind = calendar.day_type(day)
    candidates = [day - WEEK, *(day - DAY * n for n in range(1, LOOK_BACK.days + 1))]
    return next(
        ((one,) for one in candidates if calendar.holiday(one) is None and calendar.day_type(one) == kind), ()
    )


def _short_holidays(
    first: date, place: int, calendar: ChinaCalendar, short_holiday_days: int
) -> tuple[date, ...]:
    found: list[date] = []
    looked = first - DAY
    while len(found) < SHORT_HOLIDAYS and first - looked < LONGEST:
        holiday = calendar.holiday(looked)
        if holiday is not None:
            looked, length = holiday
            if length <= short_holiday_days:
                found.append(looked + DAY * min(place, length - 1))
        looked -= DAY
    return tuple(found) if len(found) == SHORT_HOLIDAYS else ()


def _a_year_before(day: date, first: date, calendar: ChinaCalendar) -> tuple[date, ...]:
    names = calendar.holiday_names(day)
    for back in range(330, 400):  # lunar festivals move by up to a month
        holiday = calendar.holiday(first - DAY * back)
        if holiday is not None and calendar.holiday_names(first - DAY * back) & names:
            began, length = holiday
            return (began + DAY * min((day - first).days, length - 1),)
    return ()
