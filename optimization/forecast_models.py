"""Forecasts of a day's curve from its own history, for when nobody publishes one, and to hold a published one against.

A curve (96,) of load, wind, sun (MW) or price (元/MWh). On the morning of a day the newest complete day is two days
back (D-2), and nothing later is ever read: ``_known`` cuts the history before a model sees it. Three models:

    last_week    the same weekday a week before
    week_mean    the mean of the seven newest known days, period by period
    regression   week_mean + ridge regression (scikit-learn) of the whole curve on how the newest day and the same
                 weekday of the last weeks differed from their week, and on the type of the day

The model of a series is the one with the smallest error over the last mornings, each forecast as it would have
been made then (rolling origin). Decision 0043.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
from numpy.typing import NDArray

from market.periods import PERIODS, PERIODS_PER_HOUR

FloatArray = NDArray[np.float64]

PUBLISHED, LAST_WEEK, WEEK_MEAN, REGRESSION = "published", "last_week", "week_mean", "regression"
NAIVE = LAST_WEEK  # what every other forecast is held against
LAG, WEEK = 2, 7
MORNINGS = 28  # past mornings a model is judged by and takes its errors from
TRAINING_DAYS = 14  # fewer teach a regression nothing
REFIT = 7  # mornings a fitted regression serves
PENALTIES = tuple(10.0**k for k in range(6))
DAY_TYPES = ("workday", "saturday", "sunday", "holiday")


@dataclass(frozen=True)
class Made:
    """A forecast of one day. past: what the same model would have said on past mornings, by delivery day.
    errors: mean absolute error of every model over the mornings all of them could serve."""

    model: str
    curve: FloatArray
    past: Mapping[date, FloatArray]
    errors: Mapping[str, float]


def own_forecast(
    actual: Mapping[date, FloatArray], day: date, day_type: Callable[[date], str], *, lag: int = LAG
) -> Made | None:
    """The forecast of ``day`` by the model that was best on past mornings; None where no model can make one.

    actual: complete or partial curves by date; days later than ``day`` - lag are not read. day_type: of any date.
    A tie goes to the simpler model.
    """
    made = forecasts(actual, day, day_type, lag=lag)
    usable = [name for name, curves in made.items() if day in curves]
    if not usable:
        return None
    judged = {name: {d: c for d, c in made[name].items() if d in actual and d != day} for name in usable}
    common = set.intersection(*(set(curves) for curves in judged.values()))
    errors = {
        name: float(np.mean([np.abs(curves[d] - actual[d]).mean() for d in sorted(common)]))
        for name, curves in judged.items()
        if common
    }
    best = min(usable, key=lambda name: errors.get(name, 0.0))
    return Made(best, made[best][day], judged[best], errors)


def forecasts(
    actual: Mapping[date, FloatArray], day: date, day_type: Callable[[date], str], *, lag: int = LAG
) -> dict[str, dict[date, FloatArray]]:
    """Model -> delivery day -> curve, for the past mornings up to ``day`` - lag and for ``day`` itself.

    The forecast of a day d rests on actual curves up to d - lag alone. A day for which a model lacks something is
    not in it.
    """
    known = {d: c for d, c in actual.items() if d <= day - timedelta(days=lag) and np.isfinite(c).all()}
    past = [day - timedelta(days=n) for n in range(MORNINGS + lag - 1, lag - 1, -1)]
    wanted = [*(d for d in past if d in known), day]
    found: dict[str, dict[date, FloatArray]] = {LAST_WEEK: {}, WEEK_MEAN: {}, REGRESSION: {}}
    fitted: _Regression | None = None
    for place, target in enumerate(wanted):
        seen = _known(known, target, lag)
        mean = _week_mean(seen, target, lag)
        if (before := seen.get(target - timedelta(days=WEEK))) is not None:
            found[LAST_WEEK][target] = before
        if mean is not None:
            found[WEEK_MEAN][target] = mean
        if place % REFIT == 0 or target == day or fitted is None:
            fitted = _Regression.fit(seen, day_type, lag)
        if fitted is not None and (curve := fitted.predict(seen, target, day_type, lag)) is not None:
            found[REGRESSION][target] = curve
    return found


def _known(actual: Mapping[date, FloatArray], target: date, lag: int) -> dict[date, FloatArray]:
    last = target - timedelta(days=lag)
    return {d: c for d, c in actual.items() if d <= last}


def _week_mean(seen: Mapping[date, FloatArray], target: date, lag: int) -> FloatArray | None:
    """Of the seven days up to target - lag that are there; None with fewer than five."""
    days = [target - timedelta(days=lag + n) for n in range(WEEK)]
    curves = [seen[d] for d in days if d in seen]
    return np.asarray(np.mean(curves, axis=0)) if len(curves) >= 5 else None


def _features(
    seen: Mapping[date, FloatArray], target: date, day_type: Callable[[date], str], lag: int
) -> tuple[FloatArray, FloatArray, FloatArray] | None:
    """Week mean (96,), hourly differences of three past days from it, the day's type and weekday; None if one lacks."""
    mean = _week_mean(seen, target, lag)
    back = [seen.get(target - timedelta(days=n)) for n in (lag, WEEK, WEEK + 1)]
    if mean is None or any(curve is None for curve in back):
        return None
    hourly = [
        (curve - mean).reshape(-1, PERIODS_PER_HOUR).mean(axis=1) for curve in back if curve is not None
    ]
    kind, weekday = day_type(target), target.weekday()
    calendar = [float(kind == one) for one in DAY_TYPES] + [float(weekday == n) for n in range(WEEK)]
    return mean, np.concatenate(hourly), np.array(calendar)


@dataclass(frozen=True)
class _Regression:
    """A fitted ridge regression; ``scale`` puts differences and calendar on one footing."""

    scale: float
    model: object

    @staticmethod
    def fit(
        known: Mapping[date, FloatArray], day_type: Callable[[date], str], lag: int
    ) -> _Regression | None:
        """On every known day with features; each training day, too, sees only what was known on its morning."""
        from sklearn.linear_model import RidgeCV  # noqa: PLC0415 - 1.4 s; a bid with published forecasts waits for none

        rows, targets = [], []
        for d in sorted(known):
            features = _features(_known(known, d, lag), d, day_type, lag)
            if features is not None:
                rows.append(features)
                targets.append(known[d] - features[0])
        if len(rows) < TRAINING_DAYS:
            return None
        differences, calendar = np.stack([r[1] for r in rows]), np.stack([r[2] for r in rows])
        scale = float(differences.std()) or 1.0
        fitted = RidgeCV(alphas=PENALTIES).fit(
            np.hstack([differences / scale, calendar]), np.stack(targets) / scale
        )
        return _Regression(scale, fitted)

    def predict(
        self, seen: Mapping[date, FloatArray], target: date, day_type: Callable[[date], str], lag: int
    ) -> FloatArray | None:
        features = _features(seen, target, day_type, lag)
        if features is None:
            return None
        mean, differences, calendar = features
        row = np.concatenate([differences / self.scale, calendar])[None]
        said = np.asarray(self.model.predict(row)).reshape(PERIODS)  # type: ignore[attr-defined]
        return np.asarray(mean + self.scale * said)
