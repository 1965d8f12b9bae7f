"""How good forecasts have been: by error, by the fan around them, and by the order of the periods.

Every day is scored as its morning saw it: the fan of a day comes from the errors of earlier days alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np

from market.periods import PERIODS
from optimization.forecast import FloatArray, quantiles_by_hour
from optimization.forecast_models import LAG

DEAR_SHARE = 0.25
FAN = (0.1, 0.25, 0.5, 0.75, 0.9)
FAN_DAYS = 7  # fewer past errors make no fan


@dataclass(frozen=True)
class Accuracy:
    """deviation: (forecast - actual) / actual of the sum (负荷预测偏差率). mean_error: mean of |forecast - actual|.
    rank: Spearman correlation over the periods, None where a side is constant. dear_found: share of the dearest
    quarter of periods that the forecast put into its own dearest quarter."""

    deviation: float
    mean_error: float
    rank: float | None
    dear_found: float


@dataclass(frozen=True)
class Score:
    """Of a model over past days, in the unit of its series. bias: mean of forecast - actual, positive is too high.

    pinball: mean pinball loss of the fan's quantiles; coverage: share of values between its 10 % and 90 %, both None
    where no day had FAN_DAYS errors before it. rank, dear_found: means over the days, as in Accuracy.
    """

    days: int
    mean_error: float
    bias: float
    pinball: float | None
    coverage: float | None
    rank: float | None
    dear_found: float


def accuracy(forecast: FloatArray, actual: FloatArray) -> Accuracy:
    """Of one curve (96,). Raises ValueError for missing values."""
    if not (np.isfinite(forecast).all() and np.isfinite(actual).all()):
        raise ValueError("Forecast or actual values are missing; a score needs all 96 of both.")
    ranks = [
        np.argsort(np.argsort(one, kind="stable"), kind="stable").astype(float) for one in (forecast, actual)
    ]
    constant = np.ptp(forecast) == 0 or np.ptp(actual) == 0
    count = round(PERIODS * DEAR_SHARE)
    dearest = [set(np.argsort(-one, kind="stable")[:count].tolist()) for one in (forecast, actual)]
    total = float(actual.sum())
    return Accuracy(
        deviation=float(forecast.sum() - total) / total if total else float("nan"),
        mean_error=float(np.abs(forecast - actual).mean()),
        rank=None if constant else float(np.corrcoef(ranks[0], ranks[1])[0, 1]),
        dear_found=len(dearest[0] & dearest[1]) / count,
    )


def score(
    forecast: Mapping[date, FloatArray], actual: Mapping[date, FloatArray], *, lag: int = LAG
) -> Score | None:
    """Of the days that are complete on both sides; None where there is none.

    The fan of a day d: its forecast and the hourly quantiles of the errors known on its morning, of days up to
    d - lag.
    """
    days = [
        d
        for d in sorted(forecast)
        if d in actual and np.isfinite(forecast[d]).all() and np.isfinite(actual[d]).all()
    ]
    if not days:
        return None
    each = [accuracy(forecast[d], actual[d]) for d in days]
    ranks = [one.rank for one in each if one.rank is not None]
    errors = {d: actual[d] - forecast[d] for d in days}
    losses, inside = [], []
    for d in days:
        before = [errors[b] for b in days if b <= d - timedelta(days=lag)]
        if len(before) < FAN_DAYS:
            continue
        fan = forecast[d] + quantiles_by_hour(np.array(before), FAN)
        losses.append(_pinball(actual[d], fan, FAN))
        inside.append(float(((fan[0] <= actual[d]) & (actual[d] <= fan[-1])).mean()))
    return Score(
        days=len(days),
        mean_error=float(np.mean([one.mean_error for one in each])),
        bias=-float(np.mean([errors[d].mean() for d in days])),
        pinball=float(np.mean(losses)) if losses else None,
        coverage=float(np.mean(inside)) if inside else None,
        rank=float(np.mean(ranks)) if ranks else None,
        dear_found=float(np.mean([one.dear_found for one in each])),
    )


def _pinball(actual: FloatArray, fan: FloatArray, shares: Sequence[float]) -> float:
    """Mean of max(q·e, (q - 1)·e), e = actual - quantile, over quantiles and periods."""
    e, q = actual - fan, np.array(shares)[:, None]
    return float(np.maximum(q * e, (q - 1) * e).mean())
