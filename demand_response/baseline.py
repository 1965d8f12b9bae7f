"""Baseline load (基线负荷): what a customer would have drawn in the event window (ruling 23; A4, B3, E1).

kW in, kW out, floats: a baseline is an estimate, and becomes whole watts only where the response is judged.
Only ``same_day_3_2`` and ``match_3`` look at the event day outside the adjustment window, by definition.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from demand_response.day_selection import (
    RESOLUTIONS,
    Calendar,
    EventDayGap,
    FloatArray,
    NotEnoughHistory,
    PastDays,
    WeekCalendar,
    as_date,
    candidates,
    eligible,
    past_days,
    window_energy,
)

__all__ = ["METHODS", "Baseline", "Calendar", "EventDayGap", "NotEnoughHistory", "baseline"]

ADJUSTMENTS = ("none", "additive", "multiplicative")
MATCHED_DAYS = 3


@dataclass(frozen=True)
class XOfY:
    """Mean over ``keep`` of the ``look`` latest days ranked by window energy, after skipping the ``skip`` highest."""

    look: int
    keep: int
    skip: int = 0


# (workday, other days): ruling 23
X_OF_Y = {
    "mean_5": (XOfY(5, 5), XOfY(3, 3)),
    "high_4_of_5": (XOfY(5, 4), XOfY(3, 2)),
    "high_5_of_10": (XOfY(10, 5), XOfY(4, 2)),
    "mean_10_of_10": (XOfY(10, 10), XOfY(4, 4)),
    "middle_8_of_10": (XOfY(10, 8, skip=1), XOfY(4, 2, skip=1)),
}
METHODS = (*X_OF_Y, "same_day_3_2", "match_3", "regression")


@dataclass(frozen=True, eq=False)
class Baseline:
    """``curve``: kW, one value a period of the event window, adjusted. ``days_used``: most recent first.

    ``excluded``: date -> reason, the caller's and the method's (``low_usage``, ``missing_data``).
    ``adjustment``: kW added, or the ratio after its cap, or 0.0 without adjustment.
    """

    curve: FloatArray
    days_used: list[dt.date]
    excluded: dict[dt.date, str]
    adjustment: float


@dataclass(frozen=True)
class _Task:
    """The event in 0-based positions; ``needed`` are the periods where a past day must have readings."""

    event_date: dt.date
    event_day: FloatArray
    window: slice
    adjustment_window: slice | None
    day_type: str
    calendar: Calendar
    excluded: Mapping[dt.date, str]

    @property
    def needed(self) -> list[int]:
        periods = set(range(self.window.start, self.window.stop))
        if self.adjustment_window is not None:
            periods |= set(range(self.adjustment_window.start, self.adjustment_window.stop))
        return sorted(periods)

    @property
    def hour(self) -> int:
        return len(self.event_day) // 24


def baseline(
    history: pd.DataFrame,
    event_date: dt.date,
    event_day: Sequence[float] | FloatArray | pd.Series[Any],
    first_period: int,
    last_period: int,
    method: str,
    *,
    calendar: Calendar | None = None,
    excluded: Mapping[dt.date, str] | None = None,
    adjustment: str = "none",
    adjustment_window: tuple[int, int] | None = None,
    adjustment_cap: tuple[float, float] | None = (0.8, 1.2),
) -> Baseline:
    """The load expected without the event, kW for periods ``first_period`` to ``last_period``.

    history: one row a date in any order, 24, 48 or 96 columns by position; rows on or after the event date
    are not looked at. event_day: kW, NaN where not yet known. Periods are 1-based and inclusive.
    calendar None: weekdays, Saturday, Sunday. excluded: date -> reason code, e.g. earlier events.
    adjustment: ``additive`` adds the event day's surplus over the unadjusted baseline in the window,
    ``multiplicative`` scales by the ratio of the two within ``adjustment_cap`` (None: no cap).

    Raises NotEnoughHistory for too few days, EventDayGap (one of them) for a missing event-day reading,
    ValueError for a bad argument. Source: ruling 23; methods and parameters demand_response.md B3.
    """
    load = np.asarray(event_day, dtype=np.float64)
    window = check_call(
        load, first_period, last_period, method, adjustment, adjustment_window, adjustment_cap
    )
    days_off = calendar or WeekCalendar()
    date = as_date(event_date)
    task = _Task(
        event_date=date,
        event_day=load,
        window=slice(first_period - 1, last_period),
        adjustment_window=None if window is None else slice(window[0] - 1, window[1]),
        day_type=days_off.day_type(date),
        calendar=days_off,
        excluded={as_date(day): reason for day, reason in (excluded or {}).items()},
    )
    reasons = dict(task.excluded)
    if method == "same_day_3_2":
        profile, used = _same_day_3_2(task), list[dt.date]()
    else:
        days = past_days(history, date, len(load))
        if method == "match_3":
            rows, profile = _match_3(task, days, reasons)
        elif method == "regression":
            rows, profile = _regression(task, days, reasons)
        else:
            rows, profile = _x_of_y(task, days, reasons, X_OF_Y[method][task.day_type != "workday"])
        used = [days.dates[row] for row in sorted(rows)]
    curve, amount = _adjusted(task, profile, adjustment, adjustment_cap)
    return Baseline(curve, used, reasons, amount)


def _candidates(
    task: _Task,
    days: PastDays,
    reasons: dict[dt.date, str],
    *,
    look: int | None,
    least: int,
    alike: list[int] | None = None,
) -> list[int]:
    """Rows to choose from: the ``look`` latest (None: all in the look-back), at least ``least`` of them."""
    pool = eligible(
        days,
        day_type=task.day_type,
        calendar=task.calendar,
        excluded=task.excluded,
        needed=sorted({*task.needed, *(alike or ())}),
        dropped=reasons,
    )
    rows = candidates(pool, window_energy(days, task.window), look, days.dates, reasons)
    if len(rows) < least:
        raise NotEnoughHistory(
            f"{len(rows)} usable {task.day_type} days stand in the 45 days before {task.event_date}, "
            f"{least} are needed; load more history or enrol the customer with another baseline method."
        )
    return rows


def _x_of_y(
    task: _Task, days: PastDays, reasons: dict[dt.date, str], rule: XOfY
) -> tuple[list[int], FloatArray]:
    rows = _candidates(task, days, reasons, look=rule.look, least=rule.look)
    energy = window_energy(days, task.window)
    ranked = sorted(rows, key=lambda row: (-energy[row], row))  # a tie goes to the more recent day
    kept = ranked[rule.skip : rule.skip + rule.keep]
    return kept, days.kw[kept].mean(axis=0)


def _same_day_3_2(task: _Task) -> FloatArray:
    """Flat mean of 3 hours before and 2 after the event, the adjoining hours skipped (PJM; TC-06c)."""
    hour, window, periods = task.hour, task.window, len(task.event_day)
    used = same_day_periods(window.start, window.stop, hour)
    if used[0] < 0 or used[-1] >= periods:
        raise NotEnoughHistory(
            f"same_day_3_2 needs periods {used[0] + 1} to {used[-1] + 1} of {task.event_date}, but the day has "
            f"1 to {periods}; choose a method that uses past days for an event this close to midnight."
        )
    return np.full(periods, _event_day_readings(task, used).mean())


def same_day_periods(start: int, stop: int, hour: int) -> list[int]:
    """0-based periods of 3 hours before and 2 after an event from ``start`` to before ``stop``, an hour apart."""
    return [*range(start - 4 * hour, start - hour), *range(stop + hour, stop + 3 * hour)]


def _match_3(task: _Task, days: PastDays, reasons: dict[dt.date, str]) -> tuple[list[int], FloatArray]:
    """Mean of the 3 days most alike outside the event and the hour on either side of it (PJM match day)."""
    near = range(task.window.start - task.hour, task.window.stop + task.hour)
    alike = [period for period in np.flatnonzero(~np.isnan(task.event_day)).tolist() if period not in near]
    if not alike:
        raise EventDayGap(
            f"match_3 compares {task.event_date} with past days outside the event and the hour on either side, "
            "but no reading is known there; wait for the meter data or choose another method."
        )
    rows = _candidates(task, days, reasons, look=None, least=MATCHED_DAYS, alike=alike)
    distance = ((days.kw[:, alike] - task.event_day[alike]) ** 2).sum(axis=1)
    kept = sorted(rows, key=lambda row: (distance[row], row))[:MATCHED_DAYS]
    return kept, days.kw[kept].mean(axis=0)


def _regression(task: _Task, days: PastDays, reasons: dict[dt.date, str]) -> tuple[list[int], FloatArray]:
    """Least squares, one equation a period: level + trend by date + weekday effects, over all eligible days.

    Features are written relative to the event day, so that the level is the forecast (``level_weights``).
    """
    least = X_OF_Y["mean_10_of_10"][task.day_type != "workday"].look
    rows = _candidates(task, days, reasons, look=None, least=least)
    weights = level_weights([days.dates[row] for row in rows], task.event_date)
    profile = np.full(len(task.event_day), np.nan)
    profile[task.needed] = (weights[:, None] * days.kw[np.ix_(rows, task.needed)]).sum(axis=0)
    return rows, profile


def level_weights(dates: Sequence[dt.date], event_date: dt.date) -> FloatArray:
    """How much the load of each day counts in the regression's forecast: the level's row of the pseudo-inverse.

    Weekday effects enter once the event's weekday and every other weekday in use have been seen twice.
    """
    weekdays = [date.weekday() for date in dates]
    today = event_date.weekday()
    features = [np.ones(len(dates)), np.array([(date - event_date).days for date in dates]) / 7]
    if min(weekdays.count(weekday) for weekday in (today, *weekdays)) >= 2:
        features += [np.array(weekdays) == weekday for weekday in sorted({*weekdays} - {today})]
    return np.asarray(np.linalg.pinv(np.column_stack(features).astype(np.float64))[0], dtype=np.float64)


def _adjusted(
    task: _Task, profile: FloatArray, adjustment: str, cap: tuple[float, float] | None
) -> tuple[FloatArray, float]:
    curve = profile[task.window].copy()
    if task.adjustment_window is None:
        return curve, 0.0
    window = range(task.adjustment_window.start, task.adjustment_window.stop)
    today = float(_event_day_readings(task, list(window)).mean())
    usual = float(profile[task.adjustment_window].mean())
    if adjustment == "additive":
        return curve + (today - usual), today - usual
    ratio = today / usual if usual > 0 else 1.0  # ruling 23
    if cap is not None:
        ratio = min(max(ratio, cap[0]), cap[1])
    return curve * ratio, ratio


def _event_day_readings(task: _Task, periods: list[int]) -> FloatArray:
    readings = task.event_day[periods]
    gaps = [period + 1 for period, value in zip(periods, readings, strict=True) if np.isnan(value)]
    if gaps:
        raise EventDayGap(
            f"The event day {task.event_date} has no reading in period {gaps[0]} "
            f"({len(gaps)} missing in all), which the baseline needs; load the late meter data and run again."
        )
    return readings


def check_call(
    event_day: FloatArray,
    first_period: int,
    last_period: int,
    method: str,
    adjustment: str,
    adjustment_window: tuple[int, int] | None,
    adjustment_cap: tuple[float, float] | None,
) -> tuple[int, int] | None:
    """The adjustment window to use, None without adjustment; ValueError for arguments that do not fit together."""
    _check_event(event_day, first_period, last_period, method)
    if adjustment == "none":
        return None
    _check_adjustment(adjustment, adjustment_window, adjustment_cap, event=(first_period, last_period))
    return adjustment_window


def _check_event(event_day: FloatArray, first_period: int, last_period: int, method: str) -> None:
    periods = event_day.size
    if event_day.ndim != 1 or periods not in RESOLUTIONS:
        raise ValueError(
            f"The event day has shape {event_day.shape}; it needs 24, 48 or 96 values in one row."
        )
    if method not in METHODS:
        raise ValueError(f"Baseline method {method!r} is not known; choose one of {', '.join(METHODS)}.")
    if not 1 <= first_period <= last_period <= periods:
        raise ValueError(
            f"The event runs from period {first_period} to {last_period}; "
            f"give its first and last period within 1 to {periods}."
        )


def _check_adjustment(
    adjustment: str,
    window: tuple[int, int] | None,
    cap: tuple[float, float] | None,
    event: tuple[int, int],
) -> None:
    if adjustment not in ADJUSTMENTS:
        raise ValueError(f"Adjustment {adjustment!r} is not known; choose one of {', '.join(ADJUSTMENTS)}.")
    if cap is not None and not 0 <= cap[0] <= cap[1]:
        raise ValueError(f"The adjustment cap is {cap}; give the lowest and highest ratio, e.g. (0.8, 1.2).")
    if window is None:
        raise ValueError(f"Adjustment {adjustment!r} needs adjustment_window, its first and last period.")
    if not 1 <= window[0] <= window[1] < event[0]:
        raise ValueError(
            f"The adjustment window runs from period {window[0]} to {window[1]} and the event from {event[0]} to "
            f"{event[1]}; end the window before the event, whose own load must not enter its baseline."
        )
