"""Working days and day types in China, with holidays and make-up days (调休) from the holidays package."""

from __future__ import annotations

from datetime import date, timedelta
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import holidays  # the package takes long to load, and few commands ask for a day off


@cache
def _year(year: int) -> holidays.HolidayBase:
    import holidays  # noqa: PLC0415

    return holidays.country_holidays("CN", years=year)


@cache
def _named(year: int) -> holidays.HolidayBase:
    import holidays  # noqa: PLC0415

    return holidays.country_holidays("CN", years=year, language="en_US")


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

    def holiday(self, day: date) -> tuple[date, int] | None:
        """The first day and the length of the holiday a day lies in, adjoining weekends included; None in no holiday."""
        if self.is_workday(day):
            return None
        first, last, one = day, day, timedelta(days=1)
        while not self.is_workday(first - one):
            first -= one
        while not self.is_workday(last + one):
            last += one
        length = (last - first).days + 1
        return (first, length) if any(self.is_holiday(first + one * n) for n in range(length)) else None

    def holiday_names(self, day: date) -> frozenset[str]:
        """The festivals of the holiday a day lies in, the days off moved there from weekends left out."""
        found = self.holiday(day)
        first, length = found or (day, 0)
        days = (first + timedelta(days=n) for n in range(length))
        names = (_named(one.year).get(one) for one in days)
        return frozenset(
            name.removesuffix(" (observed)") for name in names if name and not name.startswith("Day off")
        )

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

    def working_days_after(self, day: date, count: int) -> date:
        """The ``count``-th working day after ``day``, which itself does not count whether worked or not."""
        if count < 1:
            raise ValueError(f"{count} working days after {day} do not exist; count from 1.")
        while count:
            day += timedelta(days=1)
            count -= self.is_workday(day)
        return day

    def working_day_number(self, day: date) -> int | None:
        """Which working day of its month a day is, counted from 1; None on a day off."""
        if not self.is_workday(day):
            return None
        return sum(self.is_workday(day.replace(day=number)) for number in range(1, day.day + 1))

    def announced(self, year: int) -> bool:
        """True when the State Council's notice of that year's days off and make-up days is in the calendar.

        Before the notice a year has its statutory days alone, and a deadline counted over them may still move.
        """
        from holidays.countries.china import ChinaStaticHolidays  # noqa: PLC0415

        return year <= max(ChinaStaticHolidays.special_public_holidays)
