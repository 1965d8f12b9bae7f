"""The baseline laboratory: every method tried on days without an event, and a method chosen by that evidence (B3, D).

A placebo is a non-event day taken as if it were one: the baseline is made as for an event and compared with what
was metered. Errors are shares of the metered load; a positive bias pays for response that did not happen.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from demand_response.accuracy import AUTOMATIC_BELOW, Eligibility, eligibility
from demand_response.baseline import METHODS
from demand_response.batch import BoolArray, LoadBook, baselines
from demand_response.day_selection import Calendar, FloatArray

LEAST_DAYS = 5  # fewer placebo days are no evidence
SIMPLE_FIRST = ("none", "additive", "multiplicative")
COLUMNS = [
    "participant_id",
    "method",
    "adjustment",
    "days",
    "nmbe",
    "wape",
    "rrmse",
    "spread",
    "worst_day",
    "worst",
]


@dataclass(frozen=True)
class Variant:
    """A baseline method with one same-day adjustment."""

    method: str
    adjustment: str = "none"


VARIANTS = tuple(
    Variant(method, adjustment)
    for method in METHODS
    for adjustment in (SIMPLE_FIRST if method != "same_day_3_2" else SIMPLE_FIRST[:1])
)


@dataclass(frozen=True, eq=False)
class Placebos:
    """forecast, actual: (participants, days, event periods) kW, NaN where a day gives no placebo.

    ``actual`` is the same for every variant; ``forecast[variant]`` is that variant's baseline.
    """

    participants: tuple[str, ...]
    days: tuple[dt.date, ...]
    actual: FloatArray
    forecast: Mapping[Variant, FloatArray]

    def before(self, day: dt.date) -> Placebos:
        """Only the placebo days before ``day``: what was known when a method had to be fixed."""
        kept = [place for place, date in enumerate(self.days) if date < day]
        return Placebos(
            self.participants,
            tuple(self.days[place] for place in kept),
            self.actual[:, kept],
            {variant: forecast[:, kept] for variant, forecast in self.forecast.items()},
        )


class _KnownDays:
    """Day types of the book's dates, asked once: every variant asks on every placebo day for all of them."""

    def __init__(self, calendar: Calendar, dates: Sequence[dt.date]) -> None:
        self._kind = {day: calendar.day_type(day) for day in dates}

    def day_type(self, day: dt.date, /) -> str:
        return self._kind[day]


def placebos(
    book: LoadBook,
    days: Sequence[dt.date],
    first_period: int,
    last_period: int,
    *,
    variants: Sequence[Variant] = VARIANTS,
    calendar: Calendar | None = None,
    barred: BoolArray | None = None,
    adjustment_window: tuple[int, int] | None = None,
    adjustment_cap: tuple[float, float] | None = (0.8, 1.2),
) -> Placebos:
    """Every variant on every day of ``days`` that is no event of the participant.

    barred: (participants, dates of the book), True on a participant's events and other days that neither serve as
    placebo nor as history. Windows and cap as ``baseline`` takes them.
    """
    window = slice(first_period - 1, last_period)
    off = np.zeros((len(book.participants), len(book.dates)), np.bool_) if barred is None else barred
    known = None if calendar is None else _KnownDays(calendar, book.dates)
    column = {date: place for place, date in enumerate(book.dates)}
    taken = tuple(sorted(day for day in set(days) if day in column))
    places = [column[day] for day in taken]
    actual = np.where(off[:, places, None], np.nan, book.kw[:, places, window])
    forecast = {variant: np.full(actual.shape, np.nan) for variant in variants}
    for place, day in enumerate(taken):
        for variant in variants:
            adjusted = variant.adjustment != "none"
            forecast[variant][:, place] = baselines(
                book.kw,
                book.dates,
                day,
                book.on(day),
                first_period,
                last_period,
                variant.method,
                calendar=known,
                barred=off,
                adjustment=variant.adjustment,
                adjustment_window=adjustment_window if adjusted else None,
                adjustment_cap=adjustment_cap,
            ).curve
    return Placebos(book.participants, taken, actual, forecast)


def evidence(found: Placebos) -> pd.DataFrame:
    """One row a participant and variant (``COLUMNS``), by participant, then in the order of the variants.

    days: placebo days compared, the same for all variants of a participant. nmbe, wape, rrmse as ``accuracy``, over
    all of them. spread: standard deviation of the daily errors. worst: the daily error farthest from 0, and its day.
    """
    days = _compared(found)
    rows = [row for variant in found.forecast for row in _evidence(found, variant, days[variant])]
    frame = pd.DataFrame(rows, columns=COLUMNS)
    return frame.sort_values("participant_id", kind="stable").reset_index(drop=True)


def summary(
    table: pd.DataFrame,
    found: Placebos,
    group: Mapping[str, str] | None = None,
    *,
    below: float = AUTOMATIC_BELOW,
) -> pd.DataFrame:
    """One row a group and variant: how the participants' errors are spread, and the errors of their sum.

    group: participant -> class, None for all in one. Columns group, method, adjustment, participants, certified (rrmse
    below ``below``), median_rrmse, worst_rrmse, mean_nmbe, spread_nmbe (between participants), and portfolio_wape,
    portfolio_nmbe, portfolio_rrmse of the summed load on the days that all of the group have.
    """
    groups = group or {}
    known = table[table["days"] > 0].assign(
        group=[groups.get(who, "") for who in table.loc[table["days"] > 0, "participant_id"]]
    )
    rows = []
    for (name, method, adjustment), part in known.groupby(["group", "method", "adjustment"], sort=False):
        members = [row for row, who in enumerate(found.participants) if groups.get(who, "") == name]
        rows.append(
            {
                "group": name,
                "method": method,
                "adjustment": adjustment,
                "participants": len(part),
                "certified": int((part["rrmse"] < below).sum()),
                "median_rrmse": float(part["rrmse"].median()),
                "worst_rrmse": float(part["rrmse"].max()),
                "mean_nmbe": float(part["nmbe"].mean()),
                "spread_nmbe": float(part["nmbe"].std(ddof=0)),
                **_portfolio(found, Variant(str(method), str(adjustment)), members),
            }
        )
    return pd.DataFrame(rows)


def choose(
    table: pd.DataFrame, *, below: float = AUTOMATIC_BELOW, least_days: int = LEAST_DAYS
) -> pd.DataFrame:
    """The variant each participant should be enrolled with: the smallest rrmse; ties to the simpler, then the earlier.

    Columns of ``COLUMNS`` and ``eligibility``: automatic when certified (rrmse below ``below``), else as ``accuracy``
    judges. A participant without ``least_days`` placebo days on any variant has no row.
    """
    usable = table[table["days"] >= least_days].copy()
    usable["simple"] = [SIMPLE_FIRST.index(adjustment) for adjustment in usable["adjustment"]]
    usable["method_order"] = [METHODS.index(method) for method in usable["method"]]
    best = usable.sort_values(["participant_id", "rrmse", "simple", "method_order"], kind="stable")
    best = best.groupby("participant_id", as_index=False).first()[COLUMNS]
    best["eligibility"] = [
        (
            Eligibility.AUTOMATIC
            if rrmse < below
            else max(eligibility(rrmse), Eligibility.REVIEW, key=_strict)
        ).value
        for rrmse in best["rrmse"]
    ]
    return best


def _strict(one: Eligibility) -> int:
    return list(Eligibility).index(one)


def _compared(found: Placebos) -> dict[Variant, BoolArray]:
    """Days each variant is judged on, (participants, days): those that every variant in question has.

    A variant with fewer than LEAST_DAYS days of its own is not in question and has none.
    """
    whole = {
        variant: np.asarray(~np.isnan(forecast - found.actual).any(axis=2), dtype=np.bool_)
        for variant, forecast in found.forecast.items()
    }
    common = np.ones((len(found.participants), len(found.days)), np.bool_)
    for own in whole.values():
        common &= own | (own.sum(axis=1) < LEAST_DAYS)[:, None]
    return {variant: common & (own.sum(axis=1) >= LEAST_DAYS)[:, None] for variant, own in whole.items()}


def _evidence(found: Placebos, variant: Variant, compared: BoolArray) -> Iterator[tuple[Any, ...]]:
    error = found.forecast[variant] - found.actual
    for row, who in enumerate(found.participants):
        days = np.flatnonzero(compared[row])
        e, a = error[row, days], found.actual[row, days]
        load = float(a.sum())
        if not days.size or load <= 0:
            yield (who, variant.method, variant.adjustment, 0, *[float("nan")] * 4, None, float("nan"))
            continue
        usage = a.sum(axis=1)
        daily = np.divide(e.sum(axis=1), usage, out=np.zeros(len(days)), where=usage > 0)
        farthest = int(np.argmax(np.abs(daily)))
        yield (
            *(who, variant.method, variant.adjustment, len(days)),
            *(float(e.sum()) / load, float(np.abs(e).sum()) / load),
            float(np.sqrt((e**2).mean())) / (load / a.size),
            float(np.std(daily)),
            found.days[days[farthest]],
            float(daily[farthest]),
        )


def _portfolio(found: Placebos, variant: Variant, members: Sequence[int]) -> dict[str, float]:
    """Errors of the members' summed load over the days on which every member has a placebo."""
    f, a = found.forecast[variant][members], found.actual[members]
    both = ~(np.isnan(f) | np.isnan(a)).any(axis=(0, 2))
    if not both.any():
        return dict.fromkeys(("portfolio_wape", "portfolio_nmbe", "portfolio_rrmse"), float("nan"))
    error, load = (f - a)[:, both].sum(axis=0), a[:, both].sum(axis=0)
    return {
        "portfolio_wape": float(np.abs(error).sum() / load.sum()),
        "portfolio_nmbe": float(error.sum() / load.sum()),
        "portfolio_rrmse": float(np.sqrt((error**2).mean()) / load.mean()),
    }
