"""How good a baseline is, judged on days without an event (Part D): placebo errors and eligibility.

All measures are shares except ``mean_bias_kw`` and ``rmse_kw``. A positive bias means a baseline that is too
high and pays for response that did not happen.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np
import pandas as pd

from demand_response.baseline import NotEnoughHistory, baseline
from demand_response.day_selection import FloatArray, as_date

AUTOMATIC_BELOW = 0.20  # PJM certification: "below 20 %"
REVIEW_UP_TO = 0.30


class Eligibility(StrEnum):
    """What a baseline may be used for."""

    AUTOMATIC = "automatic"
    REVIEW = "review"
    NOT_ELIGIBLE = "not_eligible"


@dataclass(frozen=True)
class Accuracy:
    """Errors of forecasts f against metered a over n points; a measure is NaN where its divisor is 0.

    WAPE = sum|f-a| / sum a, NMBE = sum(f-a) / sum a, RRMSE = RMSE / mean(a).
    """

    points: int
    wape: float
    nmbe: float
    rrmse: float
    mean_bias_kw: float
    rmse_kw: float

    @property
    def eligibility(self) -> Eligibility:
        """By RRMSE: below 20 % automatic, to 30 % review, beyond or unknown not eligible (TC-71)."""
        return eligibility(self.rrmse)


def eligibility(rrmse: float) -> Eligibility:
    """0.1999 is automatic, 0.2000 is not."""
    if rrmse < AUTOMATIC_BELOW:
        return Eligibility.AUTOMATIC
    return Eligibility.REVIEW if rrmse <= REVIEW_UP_TO else Eligibility.NOT_ELIGIBLE


def accuracy(forecast_kw: FloatArray, actual_kw: FloatArray) -> Accuracy:
    """Errors over all points, whatever the shape. Raises ValueError when shapes differ, are empty or have gaps."""
    f, a = np.asarray(forecast_kw, dtype=np.float64), np.asarray(actual_kw, dtype=np.float64)
    if f.shape != a.shape or not f.size or np.isnan(f).any() or np.isnan(a).any():
        raise ValueError(
            f"The forecast has shape {f.shape} and the metered load {a.shape}; give both for the same points, no gaps."
        )
    error = f - a
    rmse = float(np.sqrt((error**2).mean()))
    return Accuracy(
        points=f.size,
        wape=_share(float(np.abs(error).sum()), float(a.sum())),
        nmbe=_share(float(error.sum()), float(a.sum())),
        rrmse=_share(rmse, float(a.mean())),
        mean_bias_kw=float(error.mean()),
        rmse_kw=rmse,
    )


def placebo(
    history: pd.DataFrame,
    days: Iterable[dt.date],
    first_period: int,
    last_period: int,
    method: str,
    **terms: Any,
) -> Accuracy:
    """Errors of a method on days without an event, each taken as if it were one.

    history, periods, method and ``terms`` as ``baseline`` takes them; days without enough history or with a
    gap in the window are passed over. Raises NotEnoughHistory when no day is left.
    """
    rows = {as_date(label): row for row, label in enumerate(history.index)}
    loads = history.to_numpy(dtype=np.float64, na_value=np.nan)
    forecasts, actuals = [], []
    for day in days:
        load = loads[rows[day]]
        window = load[first_period - 1 : last_period]
        if np.isnan(window).any():
            continue
        try:
            forecasts.append(baseline(history, day, load, first_period, last_period, method, **terms).curve)
        except NotEnoughHistory:
            continue
        actuals.append(window)
    if not actuals:
        raise NotEnoughHistory(
            f"No day has enough history to try {method} on; load more history before fixing the method."
        )
    return accuracy(np.array(forecasts), np.array(actuals))


def _share(error: float, base: float) -> float:
    return error / base if base else float("nan")
