"""Baselines of many participants at once are those of each alone, to the last bit where days are averaged."""

import datetime as dt

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from demand_response.baseline import METHODS, X_OF_Y, NotEnoughHistory, baseline
from demand_response.batch import LoadBook, baselines
from market.calendars import ChinaCalendar

EVENT = dt.date(2022, 10, 12)  # a Wednesday after the national holiday; 8 and 9 October are make-up days
DATES = [EVENT - dt.timedelta(days=back) for back in range(60, 0, -1)]
WINDOW = {"adjustment_window": (9, 11)}


def market(seed, people=8):
    """Hourly loads with gaps, stopped days and repeated days, so that every branch of the choice is met."""
    random = np.random.default_rng(seed)
    kw = 1000 + 100 * random.random((people, len(DATES), 24)) + 50 * random.random((people, 1, 24))
    kw[random.random((people, len(DATES))) < 0.15] *= 0.1  # low usage
    kw[random.random((people, len(DATES))) < 0.1] = 1000.0  # ties
    kw[random.random(kw.shape) < 0.01] = np.nan
    kw[0, :, :] = 500.0  # always the same
    kw[1, :-6] = np.nan  # too little history for most
    barred = random.random((people, len(DATES))) < 0.1
    today = 1000 + 100 * random.random((people, 24))
    today[2, 9] = np.nan
    return kw, barred, today


def alone(kw, barred, today, method, day, **terms):
    history = pd.DataFrame(kw, index=DATES)
    excluded = {date: "event" for date, off in zip(DATES, barred, strict=True) if off}
    try:
        return baseline(history, day, today, 14, 17, method, excluded=excluded, **terms)
    except NotEnoughHistory:
        return None


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("adjustment", ["none", "additive", "multiplicative"])
@given(seed=st.integers(0, 10_000), weekend=st.booleans())
def test_together_and_alone_give_the_same_baseline_days_and_reasons(method, adjustment, seed, weekend):
    day = EVENT - dt.timedelta(days=10) if weekend else EVENT  # 2 October: a holiday
    kw, barred, today = market(seed, people=4)
    terms = {"adjustment": adjustment, "calendar": ChinaCalendar()} | (WINDOW if adjustment != "none" else {})
    together = baselines(kw, DATES, day, today, 14, 17, method, barred=barred, **terms)
    for row in range(len(kw)):
        expected = alone(kw[row], barred[row], today[row], method, day, **terms)
        found = together.one(
            row, {date: "event" for date, off in zip(DATES, barred[row], strict=True) if off}
        )
        if expected is None:
            assert found is None
            continue
        assert found.curve.tolist() == expected.curve.tolist()
        assert found.adjustment == expected.adjustment
        assert found.days_used == expected.days_used
        assert found.excluded == expected.excluded


def test_i5_days_on_and_after_the_event_change_nothing():
    kw, barred, today = market(1)
    day = EVENT - dt.timedelta(days=10)
    later = kw.copy()
    later[:, [date >= day for date in DATES]] = 1.0
    for method in X_OF_Y:
        first, second = (
            baselines(loads, DATES, day, today, 14, 17, method, barred=barred) for loads in (kw, later)
        )
        assert np.array_equal(first.curve, second.curve, equal_nan=True)


def test_nobody_gives_nothing():
    result = baselines(np.empty((0, 60, 24)), DATES, EVENT, np.empty((0, 24)), 14, 17, "mean_5")
    assert result.curve.shape == (0, 4)


def test_shapes_that_do_not_fit_are_refused():
    kw, _, today = market(1)
    with pytest.raises(ValueError, match="one date a day, each once"):
        baselines(kw, DATES[1:], EVENT, today, 14, 17, "mean_5")
    with pytest.raises(ValueError, match="one event day a participant"):
        baselines(kw, DATES, EVENT, today[1:], 14, 17, "mean_5")
    with pytest.raises(ValueError, match="not known"):
        baselines(kw, DATES, EVENT, today, 14, 17, "mean_6")


def book(**levels):
    """Flat days, one level a day, newest last: the last five days before EVENT's day."""
    dates = tuple(dt.date(2022, 7, 18) + dt.timedelta(days=n) for n in range(5))
    kw = np.repeat(np.array(list(levels.values()), dtype=float)[:, :, None], 24, axis=2)
    return LoadBook(tuple(levels), dates, kw)


def test_the_baseline_of_a_sum_is_not_the_sum_of_baselines_so_one_level_is_declared():
    # each drops its own lowest day and keeps 100; together 150, 150, 200, 200, 200 keep 187.5
    loads = book(a=[50, 100, 100, 100, 100], b=[100, 50, 100, 100, 100]).with_sums({"vpp": ("a", "b")})
    monday = dt.date(2022, 7, 25)
    made = baselines(loads.kw, loads.dates, monday, np.ones((3, 24)), 14, 17, "high_4_of_5")
    assert made.curve[:, 0].tolist() == [100, 100, 187.5]


def test_a_group_has_the_load_of_its_members_and_a_gap_where_one_has():
    loads = book(a=[1, 2, 3, 4, np.nan], b=[10, 20, 30, 40, 50])
    sums = loads.with_sums({"vpp": ("a", "b"), "ghost": ("nobody",), "none": ()})
    assert sums.participants == ("a", "b", "vpp", "ghost")
    assert np.isnan(sums.kw[2, 4]).all()
    assert sums.kw[2, :4, 0].tolist() == [11, 22, 33, 44]
    assert np.isnan(sums.kw[3]).all()
    assert loads.with_sums({"a": ("b",)}).kw[1, 0, 0] == 10  # a group that was metered itself is replaced
    assert loads.with_sums({}).participants == ("a", "b")
