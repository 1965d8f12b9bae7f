"""Which days of the past stand for the event day (ruling 23; demand_response.md A4, B3).

Candidates are the most recent days of the event's day type within 45 days that nobody has excluded and
that have readings where the baseline needs them; days of little use are dropped and replaced.
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Protocol

import numpy as np
import pandas as pd
from numpy.typing import NDArray

LOOK_BACK_DAYS = 45
RESOLUTIONS = (24, 48, 96)
LOW_USAGE = "low_usage"
MISSING_DATA = "missing_data"

FloatArray = NDArray[np.float64]


class NotEnoughHistory(ValueError):  # noqa: N818 - the name is the market's contract with the jobs
    """Too few usable readings for a baseline; the caller books a missing baseline, never a zero."""


class EventDayGap(NotEnoughHistory):
    """The event day itself lacks a reading that the baseline needs."""


class Calendar(Protocol):
    """Day types of a province, e.g. with its holidays and make-up workdays (调休).

    ``day_type`` is ``workday``, ``saturday``, ``sunday`` or ``holiday``. Days are compared with days of the
    same type only; a calendar that pools Sundays and holidays calls both ``sunday``.
    """

    def day_type(self, day: dt.date, /) -> str: ...


class WeekCalendar:
    """Weekdays, Saturday and Sunday without holidays: what ``calendar=None`` means."""

    def day_type(self, day: dt.date, /) -> str:
        return {5: "saturday", 6: "sunday"}.get(day.weekday(), "workday")


@dataclass(frozen=True, eq=False)
class PastDays:
    """``dates``: before the event, within the look-back, most recent first. ``kw``: (days, periods)."""

    dates: list[dt.date]
    kw: FloatArray


def as_date(label: object) -> dt.date:
    """A date label of a history index or an exclusion list as ``datetime.date``."""
    if isinstance(label, dt.datetime):  # pandas Timestamps are datetimes too
        return label.date()
    if isinstance(label, dt.date):
        return label
    raise ValueError(f"{label!r} is not a date; history and exclusions are keyed by datetime.date.")


def past_days(history: pd.DataFrame, event_date: dt.date, periods: int) -> PastDays:
    """The days a baseline may look at. Raises ValueError for repeated dates or another number of periods."""
    if len(history) and history.shape[1] != periods:
        raise ValueError(
            f"The history has {history.shape[1]} periods a day and the event day {periods}; "
            "bring both to the same resolution (24, 48 or 96 columns)."
        )
    dates = [as_date(label) for label in history.index]
    if len(set(dates)) != len(dates):
        twice = next(date for position, date in enumerate(dates) if date in dates[:position])
        raise ValueError(f"The history has {twice} more than once; keep one row a date.")
    earliest = event_date - dt.timedelta(days=LOOK_BACK_DAYS)
    rows = sorted(
        (row for row, date in enumerate(dates) if earliest <= date < event_date),
        key=lambda row: dates[row],
        reverse=True,
    )
    kw = history.to_numpy(dtype=np.float64, na_value=np.nan)[rows] if rows else np.empty((0, periods))
    return PastDays([dates[row] for row in rows], kw)


def eligible(
    days: PastDays,
    *,
    day_type: str,
    calendar: Calendar,
    excluded: Mapping[dt.date, str],
    needed: Sequence[int],
    dropped: dict[dt.date, str],
) -> Iterator[int]:
    """Rows of the event's day type, most recent first; days with a gap in ``needed`` go to ``dropped``."""
    for row, date in enumerate(days.dates):
        if date in excluded or calendar.day_type(date) != day_type:
            continue
        if np.isnan(days.kw[row, needed]).any():
            dropped[date] = MISSING_DATA
            continue
        yield row


def window_energy(days: PastDays, window: slice) -> list[float]:
    """Energy of each day in the event window, kW x periods, summed without rounding drift so that ties are ties."""
    return [math.fsum(load) for load in days.kw[:, window]]


def candidates(
    pool: Iterator[int],
    energy: Sequence[float],
    count: int | None,
    dates: Sequence[dt.date],
    dropped: dict[dt.date, str],
) -> list[int]:
    """The first ``count`` rows of ``pool`` (None: all) after low-usage days are dropped and refilled.

    A day is low when its window energy is below 25 % of the mean over the current candidates, itself
    included. Where that mean is not positive (net producers) no day is low.
    """
    chosen = list(islice(pool, count))
    while True:
        total = math.fsum(energy[row] for row in chosen)
        low = {row for row in chosen if total > 0 and 4 * len(chosen) * energy[row] < total}
        if not low:
            return chosen
        dropped.update((dates[row], LOW_USAGE) for row in low)
        chosen = [row for row in chosen if row not in low]
        chosen += islice(pool, len(low))
