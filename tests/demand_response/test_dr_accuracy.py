"""Baseline certification on days without an event: TC-71 and the measures of Part D."""

import datetime as dt
import math

import numpy as np
import pandas as pd
import pytest

from demand_response.accuracy import Eligibility, accuracy, eligibility, placebo
from demand_response.baseline import NotEnoughHistory


@pytest.mark.parametrize(
    ("rrmse", "verdict"),
    [
        (0.1999, Eligibility.AUTOMATIC),
        (0.2000, Eligibility.REVIEW),
        (0.3000, Eligibility.REVIEW),
        (0.3001, Eligibility.NOT_ELIGIBLE),
        (math.nan, Eligibility.NOT_ELIGIBLE),
    ],
)
def test_tc71_below_20_percent_is_eligible_and_20_percent_is_not(rrmse, verdict):
    assert eligibility(rrmse) is verdict


def test_the_measures_by_hand():
    # errors +10, -30 on 100, 100: RMSE sqrt((100 + 900) / 2)
    result = accuracy(np.array([110.0, 70]), np.array([100.0, 100]))
    assert (result.points, result.wape, result.nmbe, result.mean_bias_kw) == (2, 0.2, -0.1, -10)
    assert result.rmse_kw == pytest.approx(math.sqrt(500))
    assert result.rrmse == pytest.approx(math.sqrt(500) / 100)
    assert result.eligibility is Eligibility.REVIEW


def test_a_stopped_plant_has_no_relative_error_and_is_not_eligible():
    result = accuracy(np.array([1.0]), np.array([0.0]))
    assert math.isnan(result.rrmse)
    assert result.eligibility is Eligibility.NOT_ELIGIBLE


def test_gaps_and_other_shapes_are_refused():
    with pytest.raises(ValueError, match="same points, no gaps"):
        accuracy(np.array([1.0, math.nan]), np.array([1.0, 1.0]))
    with pytest.raises(ValueError, match="same points, no gaps"):
        accuracy(np.array([1.0]), np.array([1.0, 1.0]))


def test_placebo_days_show_the_lag_of_an_average_on_a_growing_load():
    days = [dt.date(2022, 6, 1) + dt.timedelta(days=n) for n in range(40)]
    history = pd.DataFrame([np.full(24, 1000.0 + 10 * n) for n in range(40)], index=days)
    history.iloc[39, 14] = np.nan  # passed over
    tried = [day for day in days if day.weekday() < 5]
    mean = placebo(history, tried, 15, 16, "mean_5")
    assert mean.nmbe < 0
    assert placebo(history, tried, 15, 16, "regression").rrmse < mean.rrmse
    with pytest.raises(NotEnoughHistory, match="No day has enough history"):
        placebo(history, days[:3], 15, 16, "mean_5")
