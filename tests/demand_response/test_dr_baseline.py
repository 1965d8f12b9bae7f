"""Baselines against the data set of E1 (TC-01 to TC-03, TC-06c) and the choices of ruling 23."""

import datetime as dt
import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from demand_response.baseline import METHODS, EventDayGap, NotEnoughHistory, baseline

# D-1 ... D-13: h15, h16, pre-event mean 10:00-13:00 (demand_response.md E1); None: earlier event day
E1 = [
    (1000, 1020, 950),
    (980, 1000, 930),
    (1040, 1060, 980),
    (200, 220, 210),
    (1100, 1120, 1020),
    (960, 980, 910),
    (1020, 1040, 970),
    None,
    (990, 1010, 940),
    (1060, 1080, 1000),
    (1010, 1030, 960),
    (970, 990, 920),
    (1030, 1050, 975),
]
EVENT = dt.date(2022, 7, 20)  # a Wednesday
ACTUAL = np.array([760, 740])


def weekdays_before(date, count):
    days = (date - dt.timedelta(days=back) for back in range(1, 200))
    return [day for day in days if day.weekday() < 5][:count]


DAYS = weekdays_before(EVENT, 13)


def hourly(h15, h16, pre):
    day = np.full(24, 500.0)
    day[10:13] = pre
    day[14:16] = h15, h16
    return day


HISTORY = pd.DataFrame([hourly(*row) if row else np.full(24, 400.0) for row in E1], index=DAYS)
EVENT_DAY = hourly(*ACTUAL, 1045)
EXCLUDED = {DAYS[7]: "event"}


def of(method, **terms):
    given_terms = {"excluded": EXCLUDED, "adjustment_window": (11, 13)} | terms
    return baseline(HISTORY, EVENT, EVENT_DAY, 15, 16, method, **given_terms)


def numbered(*days_back):
    return [DAYS[number - 1] for number in days_back]


@pytest.mark.parametrize(
    ("method", "days", "curve", "additive", "ratio", "adjusted"),
    [
        ("mean_5", (1, 2, 3, 5, 6), (1016, 1036), 87, 1.090814, (1108.2672, 1130.0835)),
        ("high_4_of_5", (1, 2, 3, 5), (1030, 1050), 75, 1.077320, (1109.6392, 1131.1856)),
        (
            "mean_10_of_10",
            (1, 2, 3, 5, 6, 7, 9, 10, 11, 12),
            (1013, 1033),
            87,
            1.090814,
            (1104.9948, 1126.8111),
        ),
    ],
    ids=["TC-01", "TC-02", "TC-03"],
)
def test_the_printed_cases_of_e1_come_out_to_the_kilowatt(method, days, curve, additive, ratio, adjusted):
    plain = of(method)
    assert plain.days_used == numbered(*days)
    assert plain.curve.tolist() == list(curve)
    assert plain.excluded == {DAYS[7]: "event", DAYS[3]: "low_usage"}
    assert plain.adjustment == 0

    added = of(method, adjustment="additive")
    assert added.adjustment == additive
    assert (added.curve - ACTUAL).tolist() == [b + additive - a for b, a in zip(curve, ACTUAL, strict=True)]

    scaled = of(method, adjustment="multiplicative")
    assert scaled.adjustment == pytest.approx(ratio, abs=5e-7)
    assert scaled.curve == pytest.approx(adjusted, abs=5e-5)


def test_high_5_of_10_and_middle_8_of_10_rank_days_by_their_energy_in_the_window():
    # E1 window energies without D-4, D-8: highest five D-5 1110, D-10 1070, D-3 1050, D-7 1030, D-11 1020
    assert of("high_5_of_10").days_used == numbered(3, 5, 7, 10, 11)
    assert of("high_5_of_10").curve.tolist() == [1046, 1066]
    # without the highest (D-5) and the lowest (D-6, 970)
    assert of("middle_8_of_10").days_used == numbered(1, 2, 3, 7, 9, 10, 11, 12)
    assert of("middle_8_of_10").curve.tolist() == [1008.75, 1028.75]


def test_a_tie_in_the_ranking_goes_to_the_more_recent_day():
    flat = pd.DataFrame(np.full((5, 24), 100.0), index=DAYS[:5])
    assert baseline(flat, EVENT, EVENT_DAY, 15, 16, "high_4_of_5").days_used == DAYS[:4]


def test_a_day_at_exactly_a_quarter_of_the_mean_stays_and_just_below_is_dropped():
    # four days of 760 and one x: x is low when x < (3040 + x) / 20, that is below 160
    def days_used(x):
        loads = np.full((6, 24), 760.0)
        loads[2] = x
        history = pd.DataFrame(loads, index=DAYS[:6])
        return baseline(history, EVENT, EVENT_DAY, 15, 16, "mean_5").days_used

    assert days_used(160.0) == DAYS[:5]
    assert days_used(159.9) == [*DAYS[:2], *DAYS[3:6]]


def test_dropping_and_refilling_repeats_until_no_candidate_is_low():
    # 100 falls below a quarter of (4 x 1000 + 100) / 5 = 820; its substitute 120 below a quarter of 824
    loads = np.array([1000, 1000, 100, 1000, 1000, 120, 990.0])
    history = pd.DataFrame(np.tile(loads[:, None], 24), index=DAYS[:7])
    result = baseline(history, EVENT, EVENT_DAY, 15, 16, "mean_5")
    assert result.excluded == {DAYS[2]: "low_usage", DAYS[5]: "low_usage"}
    assert result.curve.tolist() == [998, 998]


def test_net_producers_have_no_low_usage_days():
    history = pd.DataFrame(np.tile([[-100.0], [-120], [-20], [-80], [-100]], 24), index=DAYS[:5])
    assert baseline(history, EVENT, EVENT_DAY, 15, 16, "mean_5").curve.tolist() == [-84, -84]


def test_a_gap_counts_in_the_event_or_adjustment_window_and_nowhere_else():
    history = HISTORY.astype(float).copy()
    history.loc[DAYS[0], 2] = np.nan  # 02:00-03:00, not needed
    history.loc[DAYS[1], 14] = np.nan  # the event
    history.loc[DAYS[2], 11] = np.nan  # the adjustment window
    terms = {"excluded": EXCLUDED, "adjustment_window": (11, 13)}
    adjusted = baseline(history, EVENT, EVENT_DAY, 15, 16, "mean_5", adjustment="additive", **terms)
    assert adjusted.days_used == numbered(1, 5, 6, 7, 9)
    assert {adjusted.excluded[DAYS[1]], adjusted.excluded[DAYS[2]]} == {"missing_data"}
    plain = baseline(history, EVENT, EVENT_DAY, 15, 16, "mean_5", **terms)
    assert DAYS[2] in plain.days_used


def test_a_day_that_is_not_reached_is_not_named_as_dropped():
    history = HISTORY.astype(float).copy()
    history.loc[DAYS[12]] = np.nan
    assert DAYS[12] not in baseline(history, EVENT, EVENT_DAY, 15, 16, "mean_5", excluded=EXCLUDED).excluded


def daily(levels, until):
    """Flat days: ``levels[0]`` the day before ``until``, and so on back."""
    index = [until - dt.timedelta(days=back) for back in range(1, len(levels) + 1)]
    return pd.DataFrame(np.tile(np.asarray(levels, dtype=float)[:, None], 24), index=index)


@pytest.mark.parametrize(
    ("method", "saturdays", "level"),
    [
        ("mean_5", 3, 20),  # (10 + 20 + 30) / 3
        ("high_4_of_5", 2, 25),  # the highest 2 of 3
        ("high_5_of_10", 2, 35),  # the highest 2 of 4
        ("mean_10_of_10", 4, 25),  # all 4
        ("middle_8_of_10", 2, 25),  # the middle 2 of 4
    ],
)
def test_a_saturday_is_compared_with_three_or_four_saturdays(method, saturdays, level):
    saturday = dt.date(2022, 7, 23)
    history = daily([{0: 10 * (back // 7)}.get(back % 7, 999) for back in range(1, 46)], saturday)
    result = baseline(history, saturday, EVENT_DAY, 15, 16, method)
    assert len(result.days_used) == saturdays
    assert all(day.weekday() == 5 for day in result.days_used)
    assert result.curve.tolist() == [level, level]


def test_a_holiday_calendar_decides_the_day_type():
    class Calendar:
        def day_type(self, day, /):
            return "workday" if day in {EVENT, *DAYS[5:12]} else "holiday"

    assert of("mean_5", calendar=Calendar()).days_used == numbered(6, 7, 9, 10, 11)


def test_the_45th_day_back_counts_and_the_46th_does_not():
    history = pd.DataFrame(np.full((5, 24), 100.0), index=[*DAYS[:4], dt.date(2022, 6, 6)])
    on_the_45th = baseline(history, dt.date(2022, 7, 21), EVENT_DAY, 15, 16, "mean_5")
    assert on_the_45th.days_used[-1] == dt.date(2022, 6, 6)
    with pytest.raises(NotEnoughHistory, match=r"4 usable workday days .* 5 are needed; load more history"):
        baseline(history, dt.date(2022, 7, 22), EVENT_DAY, 15, 16, "mean_5")


@pytest.mark.parametrize(("periods", "hour"), [(24, 1), (48, 2), (96, 4)])
def test_same_day_3_2_takes_he9_to_11_and_he19_and_20_for_an_event_in_he13_to_17(periods, hour):
    # TC-06c: every other hour holds 1e6, which would show
    hours = np.full(24, 1e6)
    hours[[8, 9, 10, 18, 19]] = 100, 200, 300, 400, 500
    day = np.repeat(hours, hour)
    result = baseline(pd.DataFrame(), EVENT, day, 12 * hour + 1, 17 * hour, "same_day_3_2")
    assert result.curve.tolist() == [300] * (5 * hour)
    assert result.days_used == []


def test_same_day_3_2_refuses_an_event_too_close_to_midnight_and_a_gap():
    with pytest.raises(NotEnoughHistory, match="close to midnight"):
        baseline(HISTORY, EVENT, EVENT_DAY, 22, 23, "same_day_3_2")
    gap = EVENT_DAY.copy()
    gap[17] = np.nan  # HE18: the second hour after the event ends in HE16
    with pytest.raises(EventDayGap, match="no reading in period 18"):
        baseline(HISTORY, EVENT, gap, 15, 16, "same_day_3_2")


def test_match_3_compares_non_event_hours_and_leaves_out_the_hour_on_either_side():
    loads = np.tile(np.arange(1.0, 7)[:, None] * 100, 24)  # 100 ... 600, the event day is 300
    loads[5] = 300.0  # D-6 is alike outside and
    loads[5, 13:17] = 900.0  # unlike in the event and beside it, which must not count
    history = pd.DataFrame(loads, index=DAYS[:6])
    result = baseline(history, EVENT, np.full(24, 300.0), 15, 16, "match_3")
    assert result.days_used == numbered(2, 3, 6)
    assert result.curve == pytest.approx([(200 + 300 + 900) / 3] * 2)


def test_regression_follows_a_trend_and_the_weekday_that_averages_miss():
    # flat days: 1000 + 4 kW a day + 50 on the event's weekday (Wednesday), noise-free
    levels = [
        1000 - 4 * back + 50 * ((EVENT - dt.timedelta(days=back)).weekday() == 2) for back in range(1, 46)
    ]
    history = daily(levels, EVENT)
    assert baseline(history, EVENT, EVENT_DAY, 15, 16, "regression").curve == pytest.approx([1050, 1050])
    assert baseline(history, EVENT, EVENT_DAY, 15, 16, "mean_10_of_10").curve[0] < 1000


@pytest.mark.parametrize(("today", "ratio"), [(2000.0, 1.2), (100.0, 0.8), (958 * 1.1, 1.1)])
def test_the_cap_holds_the_ratio_and_not_the_additive_amount(today, ratio):
    day = hourly(760, 740, today)
    terms = {"excluded": EXCLUDED, "adjustment_window": (11, 13)}
    scaled = baseline(HISTORY, EVENT, day, 15, 16, "mean_5", adjustment="multiplicative", **terms)
    assert scaled.adjustment == pytest.approx(ratio)
    added = baseline(HISTORY, EVENT, day, 15, 16, "mean_5", adjustment="additive", **terms)
    assert added.adjustment == pytest.approx(today - 958)


def test_a_usual_load_of_zero_in_the_window_gives_ratio_one():
    history = HISTORY.astype(float).copy()
    history.iloc[:, 10:13] = 0.0
    terms = {"excluded": EXCLUDED, "adjustment_window": (11, 13), "adjustment": "multiplicative"}
    result = baseline(history, EVENT, EVENT_DAY, 15, 16, "mean_5", **terms)
    assert (result.adjustment, result.curve.tolist()) == (1.0, [1016, 1036])


def test_a_missing_event_day_reading_in_the_adjustment_window_is_named():
    gap = EVENT_DAY.copy()
    gap[11] = np.nan
    with pytest.raises(EventDayGap, match=r"2022-07-20 has no reading in period 12 \(1 missing in all\)"):
        baseline(
            HISTORY, EVENT, gap, 15, 16, "high_4_of_5", adjustment="additive", adjustment_window=(11, 13),
            excluded=EXCLUDED,
        )  # fmt: skip


@pytest.mark.parametrize(
    ("terms", "sentence"),
    [
        ({"method": "mean_6"}, "Baseline method 'mean_6' is not known; choose one of mean_5"),
        ({"last_period": 25}, "from period 15 to 25; give its first and last period within 1 to 24"),
        ({"adjustment": "scalar"}, "Adjustment 'scalar' is not known"),
        ({"adjustment": "additive", "adjustment_window": None}, "needs adjustment_window"),
        ({"adjustment": "additive", "adjustment_window": (13, 15)}, "end the window before the event"),
        ({"adjustment": "additive", "adjustment_cap": (1.2, 0.8)}, "give the lowest and highest ratio"),
        ({"event_day": np.zeros(95)}, "needs 24, 48 or 96 values"),
        ({"event_day": np.zeros(96)}, "24 periods a day and the event day 96"),
        ({"history": pd.concat([HISTORY, HISTORY.iloc[:1]])}, "has 2022-07-19 more than once"),
        ({"excluded": {"2022-07-19": "event"}}, "'2022-07-19' is not a date"),
    ],
)
def test_a_bad_argument_is_refused_with_a_sentence(terms, sentence):
    call = {
        "history": HISTORY, "event_date": EVENT, "event_day": EVENT_DAY, "first_period": 15, "last_period": 16,
        "method": "mean_5", "adjustment_window": (11, 13),
    } | terms  # fmt: skip
    with pytest.raises(ValueError, match=sentence):
        baseline(**call)


def test_a_datetime_index_in_any_order_gives_the_same_baseline():
    shuffled = HISTORY.sample(frac=1, random_state=3)
    shuffled.index = pd.DatetimeIndex(shuffled.index)
    result = baseline(shuffled, EVENT, EVENT_DAY, 15, 16, "high_4_of_5", excluded=EXCLUDED)
    assert result.days_used == numbered(1, 2, 3, 5)


def random_history(seed, days=60):
    generator = np.random.default_rng(seed)
    index = [
        EVENT + dt.timedelta(days=ahead) for ahead in range(-days, 4)
    ]  # the event day and later stand in it
    return pd.DataFrame(generator.uniform(50, 1000, (len(index), 24)), index=index)


@given(
    seed=st.integers(0, 10_000),
    method=st.sampled_from([m for m in METHODS if m not in ("same_day_3_2", "match_3")]),
)
@settings(max_examples=25, deadline=None)
def test_i5_nothing_of_the_event_day_after_the_adjustment_window_and_no_later_day_is_used(seed, method):
    history = random_history(seed)
    day = history.loc[EVENT].to_numpy()
    blind = day.copy()
    blind[13:] = np.nan
    terms = {"adjustment": "multiplicative", "adjustment_window": (10, 13)}
    seen = baseline(history, EVENT, day, 15, 16, method, **terms)
    unseen = baseline(history[[d < EVENT for d in history.index]], EVENT, blind, 15, 16, method, **terms)
    assert seen.curve.tolist() == unseen.curve.tolist()
    assert max(seen.days_used) < EVENT


@given(seed=st.integers(0, 10_000), method=st.sampled_from(METHODS), data=st.data())
@settings(max_examples=25, deadline=None)
def test_i5_no_excluded_day_is_used_and_every_exclusion_has_a_reason(seed, method, data):
    history = random_history(seed)
    off = data.draw(st.sets(st.sampled_from(list(history.index)), max_size=10))
    result = baseline(
        history, EVENT, history.loc[EVENT].to_numpy(), 15, 16, method, excluded=dict.fromkeys(off, "outage")
    )
    assert not set(result.days_used) & set(result.excluded)
    assert off <= set(result.excluded)
    assert all(result.excluded.values())
    assert len(result.curve) == 2
    assert all(math.isfinite(kw) for kw in result.curve)


@given(
    seed=st.integers(0, 10_000), method=st.sampled_from(METHODS), scale=st.sampled_from([0.5, 2.0, 1024.0])
)
@settings(max_examples=25, deadline=None)
def test_i3_the_unit_of_load_does_not_change_the_choice_of_days(seed, method, scale):
    history = random_history(seed)
    day = history.loc[EVENT].to_numpy()
    terms = {"adjustment": "multiplicative", "adjustment_window": (10, 13)}
    one = baseline(history, EVENT, day, 15, 16, method, **terms)
    other = baseline(history * scale, EVENT, day * scale, 15, 16, method, **terms)
    assert one.days_used == other.days_used
    assert other.curve == pytest.approx(one.curve * scale)
