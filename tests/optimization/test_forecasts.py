"""Forecasts from history: they see nothing later than their morning, the best past model is chosen, scores can be checked."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import pytest

from market.calendars import ChinaCalendar
from optimization.decision import gap_probability
from optimization.forecast_models import LAST_WEEK, REGRESSION, WEEK_MEAN, forecasts, own_forecast
from optimization.forecast_score import FAN_DAYS, score

DAY = date(2022, 6, 16)
KIND = ChinaCalendar().day_type
HOUR = np.arange(96) / 4


def history(days=50, seed=0, weekend=0.0, last=DAY - timedelta(days=1)):
    """Load of past days, MW: a daily shape, weekends lower by ``weekend``, noise of 1 %."""
    random = np.random.default_rng(seed)
    found = {}
    for n in range(days):
        day = last - timedelta(days=n)
        level = 1000 * (1 - weekend * (day.weekday() >= 5)) * (1 + 0.01 * random.standard_normal())
        found[day] = level * (1 + 0.3 * np.sin((HOUR - 8) / 24 * 2 * np.pi))
    return found


def test_nothing_later_than_two_days_before_enters_any_forecast():
    clean = history()
    poisoned = {d: c if d <= DAY - timedelta(days=2) else c + 5e4 for d, c in clean.items()}
    poisoned |= {DAY + timedelta(days=n): np.full(96, 9e9) for n in range(3)}
    before, after = (own_forecast(one, DAY, KIND) for one in (clean, poisoned))
    assert before.model == after.model
    assert np.array_equal(before.curve, after.curve)
    assert all(np.array_equal(before.past[d], after.past[d]) for d in before.past)


def test_a_past_morning_is_forecast_from_what_it_knew_not_from_what_came_after():
    """The leak test of the backtest: everything from one day before a past morning on is changed."""
    clean, morning = history(), DAY - timedelta(days=15)
    changed = {d: c if d <= morning - timedelta(days=2) else c * 3 for d, c in clean.items()}
    said, again = (forecasts(one, DAY, KIND) for one in (clean, changed))
    for model in (LAST_WEEK, WEEK_MEAN, REGRESSION):
        assert np.array_equal(said[model][morning], again[model][morning]), model
        assert not np.array_equal(said[model][DAY], again[model][DAY]), model  # it does read what is known


def test_a_weekly_load_is_forecast_by_what_knows_the_weekday_and_flat_noise_by_a_mean():
    weekly = own_forecast(history(weekend=0.3), DAY, KIND)
    assert weekly.model in (LAST_WEEK, REGRESSION)
    assert weekly.errors[weekly.model] < weekly.errors[WEEK_MEAN]
    noisy = {d: c + np.random.default_rng(d.toordinal()).normal(0, 200, 96) for d, c in history().items()}
    flat = own_forecast(noisy, DAY, KIND)
    assert flat.errors[WEEK_MEAN] < flat.errors[LAST_WEEK]


def test_too_little_history_makes_no_forecast_and_a_short_one_a_naive_one():
    assert own_forecast({}, DAY, KIND) is None
    assert own_forecast(history(last=DAY - timedelta(days=20)), DAY, KIND) is None  # old news
    week = own_forecast(history(days=8), DAY, KIND)
    assert week.model in (LAST_WEEK, WEEK_MEAN)
    assert REGRESSION not in week.errors


def test_a_day_with_a_gap_in_it_teaches_nothing():
    broken = history()
    broken[DAY - timedelta(days=7)] = np.where(HOUR == 12, np.nan, 1.0)
    found = own_forecast(broken, DAY, KIND)
    assert found.model == WEEK_MEAN
    assert np.isfinite(found.curve).all()


def test_within_the_day_the_day_before_is_known():
    clean = history()
    clean[DAY - timedelta(days=1)] = clean[DAY - timedelta(days=1)] * 2
    morning, later = (own_forecast(clean, DAY, KIND, lag=lag) for lag in (2, 1))
    assert not np.array_equal(morning.curve, later.curve)


def test_a_score_by_hand():
    """Forecast 110 against 100 on each of ten days: error 10 too high; the fan is exact once it has seen that."""
    days = [DAY + timedelta(days=n) for n in range(FAN_DAYS + 3)]
    actual = {d: 100.0 + np.arange(96.0) for d in days}
    found = score({d: curve + 10 for d, curve in actual.items()}, actual)
    assert (found.days, found.mean_error, found.bias) == (10, 10.0, 10.0)
    assert (found.rank, found.dear_found) == (pytest.approx(1.0), 1.0)
    assert found.pinball == pytest.approx(0.0)
    assert score({d: np.full(96, np.nan) for d in days}, actual) is None


def test_coverage_counts_what_falls_between_the_outer_quantiles_of_earlier_errors():
    random = np.random.default_rng(1)
    days = [DAY + timedelta(days=n) for n in range(60)]
    actual = {d: 1000 + random.normal(0, 10, 96) for d in days}
    found = score({d: np.full(96, 1000.0) for d in days}, actual)
    assert 0.72 < found.coverage < 0.84  # 10 % to 90 %
    assert found.bias == pytest.approx(0.0, abs=0.5)
    first = score({d: np.full(96, 1000.0) for d in days[:3]}, actual)
    assert (first.pinball, first.coverage) == (None, None)


def test_the_probability_of_a_gap_is_the_share_of_past_errors_that_make_one():
    errors = np.zeros((4, 96))
    errors[0] = 50
    errors[1] = -50
    assert gap_probability(np.full(96, -10.0), errors) == pytest.approx(np.full(96, 0.25))
    assert gap_probability(np.full(96, 10.0), errors) == pytest.approx(np.full(96, 0.75))
    assert gap_probability(np.array([1.0] * 48 + [-1.0] * 48), np.empty((0, 96))).sum() == 48
