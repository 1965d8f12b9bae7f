"""Working days and day types in China, with holidays and make-up days (调休) from the holidays package."""

from __future__ import annotations

from datetime import date, timedelta
from functools import cache

import holidays


@cache
def _year(year: int) -> holidays.HolidayBase:
    return holidays.country_holidays("CN", years=year)


class ChinaCalendar:
    """Day types of mainland China; a make-up Saturday or Sunday is a working day."""

    def is_holiday(self, day: date) -> bool:
        """Public holiday, its substituted days off included."""
        return day in _year(day.year)

    def is_workday(self, day: date) -> bool:
        """Working day: a weekday that is no holiday, or a make-up day."""
        return bool(_year(day.year).is_working_day(day))

    def day_type(self, day: date) -> str:
        """``workday``, ``saturday``, ``sunday`` or ``holiday`` for choosing baseline days."""
        if self.is_workday(day):
            return "workday"
        if self.is_holiday(day):
            return "holiday"
        return "saturday" if day.weekday() == 5 else "sunday"

    def working_day(self, month_first: date, ordinal: int) -> date:
        """The ``ordinal``-th working day of the month that starts at ``month_first`` (SD25 14.4: 5th, 8th, 10th)."""
        if ordinal < 1:
            raise ValueError(f"Working day {ordinal} does not exist; count from 1.")
        day = month_first
        while True:
            ordinal -= self.is_workday(day)
            if ordinal == 0:
                return day
            day += timedelta(days=1)
