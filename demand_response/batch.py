"""Baselines of many participants at once: the same numbers as ``baseline``, a hundred times as many a second.

Arrays are (participants, days) or (participants, days, periods); days are the rows of one common list of dates.
A participant whose baseline cannot be made has NaN in its row; ``baseline`` says why.
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from demand_response.baseline import (
    X_OF_Y,
    Baseline,
    NotEnoughHistory,
    XOfY,
    baseline,
    check_call,
)
from demand_response.day_selection import (
    LOOK_BACK_DAYS,
    LOW_USAGE,
    MISSING_DATA,
    Calendar,
    FloatArray,
    WeekCalendar,
)

BoolArray = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class LoadBook:
    """Metered load of many participants: kw (participants, days, 96), NaN where missing; dates rising."""

    participants: tuple[str, ...]
    dates: tuple[dt.date, ...]
    kw: FloatArray

    def __post_init__(self) -> None:
        shape = (len(self.participants), len(self.dates))
        if self.kw.ndim != 3 or self.kw.shape[:2] != shape or len(set(self.participants)) != shape[0]:
            raise ValueError(
                f"The loads have shape {self.kw.shape} for {shape[0]} participants and {shape[1]} dates; give one row a "
                "participant, each once, and one column a date."
            )
        if list(self.dates) != sorted(set(self.dates)):
            raise ValueError("The dates of the loads do not rise; give each date once, the oldest first.")

    def on(self, day: dt.date) -> FloatArray:
        """The load of one day, (participants, periods); NaN on a day that is not in the book."""
        if day not in self.dates:
            return np.full((self.kw.shape[0], self.kw.shape[2]), np.nan)
        return self.kw[:, self.dates.index(day)]

    def only(self, participants: Sequence[str]) -> LoadBook:
        """The book of these participants, in this order; NaN for one that is not in it."""
        place = {who: row for row, who in enumerate(self.participants)}
        rows = np.array([place.get(who, -1) for who in participants], dtype=np.intp)
        kw = np.full((len(rows), *self.kw.shape[1:]), np.nan)
        kw[rows >= 0] = self.kw[rows[rows >= 0]]
        return LoadBook(tuple(participants), self.dates, kw)

    def history(self, row: int) -> pd.DataFrame:
        """One participant's days as ``baseline`` takes them."""
        return pd.DataFrame(self.kw[row], index=list(self.dates), columns=range(1, self.kw.shape[2] + 1))


@dataclass(frozen=True, eq=False)
class Baselines:
    """Rows are participants. ``curve``: kW over the event window, NaN where there is none.

    ``used``, ``low_usage``, ``missing``: (participants, days), the days taken, and those dropped by their reason.
    ``adjustment``: kW added, or the ratio after its cap, or 0 without adjustment; NaN without a curve.
    """

    dates: tuple[dt.date, ...]
    curve: FloatArray
    used: BoolArray
    low_usage: BoolArray
    missing: BoolArray
    adjustment: FloatArray

    def one(self, row: int, excluded: Mapping[dt.date, str] | None = None) -> Baseline | None:
        """One participant's baseline as ``baseline`` gives it; None where there is none."""
        if np.isnan(self.curve[row]).any():
            return None
        reasons = dict(excluded or {})
        reasons |= {self.dates[day]: MISSING_DATA for day in np.flatnonzero(self.missing[row])}
        reasons |= {self.dates[day]: LOW_USAGE for day in np.flatnonzero(self.low_usage[row])}
        used = sorted((self.dates[day] for day in np.flatnonzero(self.used[row])), reverse=True)
        return Baseline(self.curve[row], used, reasons, float(self.adjustment[row]))


def baselines(
    kw: FloatArray,
    dates: Sequence[dt.date],
    event_date: dt.date,
    event_day: FloatArray,
    first_period: int,
    last_period: int,
    method: str,
    *,
    calendar: Calendar | None = None,
    barred: BoolArray | None = None,
    adjustment: str = "none",
    adjustment_window: tuple[int, int] | None = None,
    adjustment_cap: tuple[float, float] | None = (0.8, 1.2),
) -> Baselines:
    """The loads expected without the event; arguments and results as ``baseline``, one row a participant.

    kw: (participants, days, 24, 48 or 96), NaN for a gap or a day without readings; days on or after the event
    are not looked at. event_day: (participants, periods). barred: (participants, days), True where the caller
    excludes a day. Averages over days work on all rows together, the other methods one by one.
    Raises ValueError for a bad argument as ``baseline`` does.
    """
    people, days, periods = kw.shape
    window = check_call(
        event_day[0] if people else np.empty(periods),
        first_period,
        last_period,
        method,
        adjustment,
        adjustment_window,
        adjustment_cap,
    )
    if len(dates) != days or event_day.shape != (people, periods) or len(set(dates)) != days:
        raise ValueError(
            f"The history has shape {kw.shape}, {len(dates)} dates and event days of shape {event_day.shape}; give one "
            "date a day, each once, and one event day a participant."
        )
    off = np.zeros((people, days), np.bool_) if barred is None else barred
    result = _nothing(tuple(dates), people, last_period - first_period + 1)
    terms: dict[str, Any] = {
        "adjustment": adjustment,
        "adjustment_window": adjustment_window,
        "adjustment_cap": adjustment_cap,
    }
    if method in X_OF_Y:
        kind = (calendar or WeekCalendar()).day_type(event_date)
        recent = _alike(dates, event_date, kind, calendar or WeekCalendar())
        ahead = slice(0, 0) if window is None else slice(window[0] - 1, window[1])
        needed = np.r_[first_period - 1 : last_period, ahead].astype(np.intp)
        width = last_period - first_period + 1
        rule = X_OF_Y[method][kind != "workday"]
        profile = _x_of_y(kw, recent, ~off[:, recent], rule, needed, width, result)
        _adjusted(profile, width, event_day[:, ahead], adjustment, adjustment_cap, result)
        return result
    for row in range(people):
        excluded = {dates[day]: "" for day in np.flatnonzero(off[row]).tolist()}
        history = pd.DataFrame(kw[row], index=list(dates))
        try:
            one = baseline(
                history, event_date, event_day[row], first_period, last_period, method,
                calendar=calendar, excluded=excluded, **terms,
            )  # fmt: skip
        except NotEnoughHistory:
            continue
        result.curve[row], result.adjustment[row] = one.curve, one.adjustment
        result.used[row] = [day in set(one.days_used) for day in dates]
        result.low_usage[row] = [one.excluded.get(day) == LOW_USAGE for day in dates]
        result.missing[row] = [one.excluded.get(day) == MISSING_DATA for day in dates]
    return result


def _nothing(dates: tuple[dt.date, ...], people: int, width: int) -> Baselines:
    def no_day() -> BoolArray:
        return np.zeros((people, len(dates)), np.bool_)

    return Baselines(
        dates,
        np.full((people, width), np.nan),
        no_day(),
        no_day(),
        no_day(),
        np.full(people, np.nan),
    )


def _alike(dates: Sequence[dt.date], event_date: dt.date, kind: str, calendar: Calendar) -> NDArray[np.intp]:
    """Columns of the days of the event's type within the look-back, most recent first."""
    earliest = event_date - dt.timedelta(days=LOOK_BACK_DAYS)
    inside = [
        day
        for day, date in enumerate(dates)
        if earliest <= date < event_date and calendar.day_type(date) == kind
    ]
    return np.array(sorted(inside, key=lambda day: dates[day], reverse=True), dtype=np.intp)


def _x_of_y(
    kw: FloatArray,
    recent: NDArray[np.intp],
    allowed: BoolArray,
    rule: XOfY,
    needed: NDArray[np.intp],
    width: int,
    result: Baselines,
) -> FloatArray:
    """Mean load of the kept days over ``needed``, the event window first: (participants, needed); notes the days."""
    people = len(kw)
    profile = np.full((people, len(needed)), np.nan)
    if not people or len(recent) < rule.look:
        return profile
    loads = kw[:, recent[:, None], needed]
    whole = ~np.isnan(loads).any(axis=2)
    able = allowed & whole
    chosen, seen, energy = _candidates(loads[:, :, :width], able, rule.look)
    order = np.argsort(np.where(chosen, -energy, np.inf), axis=1, kind="stable")
    kept = order[:, rule.skip : rule.skip + rule.keep]
    rows = np.flatnonzero(chosen.sum(axis=1) >= rule.look)
    profile[rows] = loads[rows[:, None], kept[rows]].mean(axis=1)

    used = np.zeros_like(chosen)
    np.put_along_axis(used, kept, values=True, axis=1)
    place = rows[:, None], recent
    result.used[place] = used[rows]
    result.low_usage[place] = (seen & able & ~chosen)[rows]
    result.missing[place] = (seen & allowed & ~whole)[rows]
    return profile


def _candidates(window: FloatArray, able: BoolArray, look: int) -> tuple[BoolArray, BoolArray, FloatArray]:
    """Which able days are candidates after low-usage days are dropped and refilled until stable (ruling 23).

    window: (participants, days, event periods), most recent day first. Returns the candidates, the days that were
    looked at on the way, and the window energy of the candidates.
    """
    place = np.cumsum(able, axis=1)  # of an able day among the able ones, from 1
    chosen = able & (place <= look)
    energy = np.full(able.shape, np.nan)
    reached = np.minimum(look, place[:, -1])  # able days drawn so far
    drawn = np.full(len(able), look)
    rows = np.arange(len(able))
    while rows.size:
        fresh = chosen[rows] & np.isnan(energy[rows])
        at, day = np.nonzero(fresh)
        energy[rows[at], day] = [math.fsum(load) for load in window[rows[at], day].tolist()]
        current = np.where(chosen[rows], energy[rows], 0.0)
        total = np.array([math.fsum(day_energy) for day_energy in current.tolist()])
        count = chosen[rows].sum(axis=1)
        low = chosen[rows] & (total > 0)[:, None] & (4 * count[:, None] * energy[rows] < total[:, None])
        again = low.any(axis=1)
        rows, low = rows[again], low[again]
        chosen[rows] &= ~low
        drawn[rows] += low.sum(axis=1)
        after = np.minimum(drawn[rows], place[rows, -1])
        chosen[rows] |= able[rows] & (place[rows] > reached[rows][:, None]) & (place[rows] <= after[:, None])
        reached[rows] = after
    last = np.where(able & (place == reached[:, None]), np.arange(able.shape[1]), -1).max(axis=1)
    last = np.where(drawn > place[:, -1], able.shape[1] - 1, last)  # the look-back was searched to its end
    return chosen, np.arange(able.shape[1]) <= last[:, None], energy


def _adjusted(
    profile: FloatArray,
    width: int,
    before: FloatArray,
    adjustment: str,
    cap: tuple[float, float] | None,
    result: Baselines,
) -> None:
    """Write curve and adjustment; a gap of the event day in the adjustment window (``before``) leaves no curve."""
    curve = profile[:, :width]
    made = ~np.isnan(curve).any(axis=1)
    if adjustment == "none":
        result.curve[made] = curve[made]
        result.adjustment[made] = 0.0
        return
    today, usual = before.mean(axis=1), profile[:, width:].mean(axis=1)
    made &= ~np.isnan(today)
    if adjustment == "additive":
        amount = today - usual
        shifted = curve + amount[:, None]
    else:
        amount = np.divide(today, usual, out=np.ones_like(usual), where=usual > 0)
        if cap is not None:
            amount = np.minimum(np.maximum(amount, cap[0]), cap[1])
        shifted = curve * amount[:, None]
    result.curve[made], result.adjustment[made] = shifted[made], amount[made]
