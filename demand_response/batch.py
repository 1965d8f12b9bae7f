"""Baselines of many participants at once: the same numbers as ``baseline``, a hundred times as many a second.

Arrays are (participants, days) or (participants, days, periods); days are the rows of one common list of dates.
A participant whose baseline cannot be made has NaN in its row; ``baseline`` says why.
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from demand_response.baseline import (
    MATCHED_DAYS,
    X_OF_Y,
    Baseline,
    XOfY,
    check_call,
    level_weights,
    same_day_periods,
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

    def with_sums(self, groups: Mapping[str, Sequence[str]]) -> LoadBook:
        """The book with one more row a group, the load of its members together; NaN where one of them has a gap.

        A group that is in the book already is replaced; one without members, or whose member is not in the book, has
        no load. Baselines of a sum differ from the sum of baselines, so that a group is settled at one level only.
        """
        kept = [who for who in self.participants if who not in groups]
        sums = [self.only(members).kw.sum(axis=0) for members in groups.values() if members]
        named = [group for group, members in groups.items() if members]
        if not named:
            return self.only(kept)
        return LoadBook((*kept, *named), self.dates, np.concatenate([self.only(kept).kw, np.stack(sums)]))

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
    excludes a day. Raises ValueError for a bad argument as ``baseline`` does.
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
    result = _nothing(tuple(dates), people, last_period - first_period + 1)
    ahead = slice(0, 0) if window is None else slice(window[0] - 1, window[1])
    needed = np.r_[first_period - 1 : last_period, ahead].astype(np.intp)
    if method == "same_day_3_2":
        profile = _same_day(event_day, (first_period, last_period), needed)
    else:
        days_off = calendar or WeekCalendar()
        kind = days_off.day_type(event_date)
        recent = _alike(dates, event_date, kind, days_off)
        allowed = np.ones((people, len(recent)), np.bool_) if barred is None else ~barred[:, recent]
        choice = _Choice(kw, recent, allowed, needed, last_period - first_period + 1)
        if method == "match_3":
            profile = _match_3(choice, event_day, (first_period, last_period), result)
        elif method == "regression":
            least = X_OF_Y["mean_10_of_10"][kind != "workday"].look
            profile = _regression(choice, event_date, least, result)
        else:
            profile = _x_of_y(choice, X_OF_Y[method][kind != "workday"], result)
    _adjusted(
        profile, last_period - first_period + 1, event_day[:, ahead], adjustment, adjustment_cap, result
    )
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


@dataclass(frozen=True, eq=False)
class _Choice:
    """Days to choose from: columns ``recent`` of kw, most recent first. needed: periods, the event's ``width`` first.

    allowed: (participants, recent), False where the caller excludes a day.
    """

    kw: FloatArray
    recent: NDArray[np.intp]
    allowed: BoolArray
    needed: NDArray[np.intp]
    width: int

    def loads(self, periods: NDArray[np.intp]) -> FloatArray:
        """(participants, recent, periods)."""
        return self.kw[:, self.recent[:, None], periods]

    def nothing(self) -> FloatArray:
        return np.full((len(self.kw), len(self.needed)), np.nan)

    def note(
        self,
        result: Baselines,
        rows: NDArray[np.intp],
        *,
        used: BoolArray,
        low: BoolArray,
        missing: BoolArray,
    ) -> None:
        """Write down what became of the days of ``rows``."""
        place = rows[:, None], self.recent
        result.used[place], result.low_usage[place], result.missing[place] = (
            used[rows],
            low[rows],
            missing[rows],
        )


def _x_of_y(choice: _Choice, rule: XOfY, result: Baselines) -> FloatArray:
    """Mean load of the kept days over the needed periods, (participants, needed)."""
    profile = choice.nothing()
    if not len(choice.kw) or len(choice.recent) < rule.look:
        return profile
    loads = choice.loads(choice.needed)
    whole = ~np.isnan(loads).any(axis=2)
    able = choice.allowed & whole
    chosen, seen, energy = _candidates(loads[:, :, : choice.width], able, rule.look)
    order = np.argsort(np.where(chosen, -energy, np.inf), axis=1, kind="stable")
    kept = order[:, rule.skip : rule.skip + rule.keep]
    rows = np.flatnonzero(chosen.sum(axis=1) >= rule.look)
    profile[rows] = loads[rows[:, None], kept[rows]].mean(axis=1)
    used = np.zeros_like(chosen)
    np.put_along_axis(used, kept, values=True, axis=1)
    choice.note(result, rows, used=used, low=seen & able & ~chosen, missing=seen & choice.allowed & ~whole)
    return profile


def _match_3(choice: _Choice, event_day: FloatArray, event: tuple[int, int], result: Baselines) -> FloatArray:
    """Mean of the three days most alike outside the event; those who lack the same readings of the day together."""
    profile = choice.nothing()
    hour = event_day.shape[1] // 24
    far = np.ones(event_day.shape[1], np.bool_)
    far[max(event[0] - 1 - hour, 0) : event[1] + hour] = False
    known = ~np.isnan(event_day) & far
    patterns, member = np.unique(known, axis=0, return_inverse=True)
    for place, pattern in enumerate(patterns):
        rows = np.flatnonzero(member.ravel() == place)
        alike = np.flatnonzero(pattern)
        if not alike.size or len(choice.recent) < MATCHED_DAYS:
            continue
        mine = replace(choice, kw=choice.kw[rows], allowed=choice.allowed[rows])
        loads, outside = mine.loads(mine.needed), mine.loads(alike)
        whole = ~(np.isnan(loads).any(axis=2) | np.isnan(outside).any(axis=2))
        able = mine.allowed & whole
        chosen, _, _ = _candidates(loads[:, :, : mine.width], able, able.shape[1])
        distance = ((outside - event_day[rows][:, None, alike]) ** 2).sum(axis=2)
        kept = np.argsort(np.where(chosen, distance, np.inf), axis=1, kind="stable")[:, :MATCHED_DAYS]
        enough = np.flatnonzero(chosen.sum(axis=1) >= MATCHED_DAYS)
        profile[rows[enough]] = loads[enough[:, None], kept[enough]].mean(axis=1)
        used = np.zeros_like(chosen)
        np.put_along_axis(used, kept, values=True, axis=1)
        part = _rows(result, rows)
        mine.note(part, enough, used=used, low=able & ~chosen, missing=mine.allowed & ~whole)
        result.used[rows], result.low_usage[rows], result.missing[rows] = (
            part.used,
            part.low_usage,
            part.missing,
        )
    return profile


def _regression(choice: _Choice, event_date: dt.date, least: int, result: Baselines) -> FloatArray:
    """The level at the event day; participants with the same days share one set of weights."""
    profile = choice.nothing()
    if not len(choice.kw) or not len(choice.recent):
        return profile
    loads = choice.loads(choice.needed)
    whole = ~np.isnan(loads).any(axis=2)
    able = choice.allowed & whole
    chosen, _, _ = _candidates(loads[:, :, : choice.width], able, able.shape[1])
    enough = np.flatnonzero(chosen.sum(axis=1) >= least)
    patterns, member = np.unique(chosen[enough], axis=0, return_inverse=True)
    for place, pattern in enumerate(patterns):
        rows, days = enough[member.ravel() == place], np.flatnonzero(pattern)
        weights = level_weights([result.dates[day] for day in choice.recent[days].tolist()], event_date)
        profile[rows] = (weights[:, None] * loads[rows[:, None], days]).sum(axis=1)
    choice.note(result, enough, used=chosen, low=able & ~chosen, missing=choice.allowed & ~whole)
    return profile


def _same_day(event_day: FloatArray, event: tuple[int, int], needed: NDArray[np.intp]) -> FloatArray:
    """Flat mean of the event day's own hours before and after (PJM 3+2); NaN where one of them is missing."""
    hour = event_day.shape[1] // 24
    used = same_day_periods(event[0] - 1, event[1], hour)
    if used[0] < 0 or used[-1] >= event_day.shape[1]:
        return np.full((len(event_day), len(needed)), np.nan)
    level = np.ascontiguousarray(event_day[:, used]).mean(axis=1)
    return np.repeat(level[:, None], len(needed), axis=1)


def _rows(result: Baselines, rows: NDArray[np.intp]) -> Baselines:
    return Baselines(
        result.dates,
        result.curve[rows],
        result.used[rows],
        result.low_usage[rows],
        result.missing[rows],
        result.adjustment[rows],
    )


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
