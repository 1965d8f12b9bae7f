"""Days of 96 quarter-hours, end-stamped 00:15 ... 24:00, Asia/Shanghai (market.md, head note)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta

PERIODS = 96
PERIODS_PER_HOUR = 4
TIME_ZONE = "Asia/Shanghai"


def label(period: int) -> str:
    """The end stamp of a period, ``label(1) == "00:15"``, ``label(96) == "24:00"``; ValueError outside 1..96."""
    if not 1 <= period <= PERIODS:
        raise ValueError(f"Period {period} does not exist; a day has the periods 1 to {PERIODS}.")
    return f"{period // 4:02d}:{period % 4 * 15:02d}"


LABELS = tuple(label(period) for period in range(1, PERIODS + 1))


@dataclass(frozen=True, order=True)
class Month:
    """A settlement month, written YYYY-MM."""

    year: int
    number: int

    @classmethod
    def parse(cls, text: str) -> Month:
        """``Month.parse("2022-07")``; ValueError for anything that is not a month."""
        match = re.fullmatch(r"(\d{4})-(0[1-9]|1[0-2])", text)
        if match is None:
            raise ValueError(f"{text!r} is not a month; write it as YYYY-MM, for example 2022-07.")
        return cls(int(match[1]), int(match[2]))

    def __str__(self) -> str:
        return f"{self.year:04d}-{self.number:02d}"

    @property
    def first(self) -> date:
        """The first day."""
        return date(self.year, self.number, 1)

    @property
    def after(self) -> date:
        """The first day of the next month (exclusive end)."""
        return (self.first + timedelta(days=31)).replace(day=1)

    def days(self) -> Iterator[date]:
        """Every day of the month in order."""
        day = self.first
        while day < self.after:
            yield day
            day += timedelta(days=1)

    def shifted(self, months: int) -> Month:
        """The month so many months later, earlier where negative."""
        years, place = divmod(self.number - 1 + months, 12)
        return Month(self.year + years, place + 1)

    def months_since(self, earlier: Month) -> int:
        """How many months this one lies after ``earlier``."""
        return (self.year - earlier.year) * 12 + self.number - earlier.number

    @classmethod
    def of(cls, day: date) -> Month:
        """The month a day belongs to."""
        return cls(day.year, day.month)
