"""Methods side by side on days without an event, and the choice that follows (B3, D, TC-71)."""

import datetime as dt
import math

import numpy as np
import pandas as pd
import pytest

from demand_response.batch import LoadBook
from demand_response.lab import LEAST_DAYS, VARIANTS, Placebos, Variant, choose, evidence, placebos, summary

FIRST = dt.date(2022, 6, 1)
DATES = tuple(FIRST + dt.timedelta(days=n) for n in range(30))
WORKDAYS = [day for day in DATES if day.weekday() < 5]
MEAN, SAME = Variant("mean_5"), Variant("mean_5", "additive")


def book(levels):
    """Flat days: levels of each participant, one a date, kW."""
    kw = np.repeat(np.array(levels, dtype=float)[:, :, None], 96, axis=2)
    return LoadBook(tuple(f"u{n}" for n in range(len(levels))), DATES, kw)


def tried(levels, **terms):
    return placebos(book(levels), WORKDAYS, 69, 72, adjustment_window=(53, 64), **terms)


def made(actual, **forecasts):
    """Placebos by hand: one participant, one period a day."""
    days = DATES[: len(actual)]
    return Placebos(
        ("u",),
        days,
        np.array(actual, dtype=float)[None, :, None],
        {Variant(name): np.array(values, dtype=float)[None, :, None] for name, values in forecasts.items()},
    )


def row(table, method="mean_5", adjustment="none", who=None):
    found = table[(table["method"] == method) & (table["adjustment"] == adjustment)]
    return found.iloc[0] if who is None else found[found["participant_id"] == who].iloc[0]


def test_a_load_that_never_changes_is_forecast_without_error():
    table = evidence(tried([[500.0] * 30]))
    assert set(zip(table["method"], table["adjustment"], strict=True)) == {
        (v.method, v.adjustment) for v in VARIANTS
    }
    assert table["rrmse"].abs().max() < 1e-12
    assert table["days"].nunique() == 1  # all variants on the same days


def test_errors_are_those_of_the_definition_and_the_worst_day_is_named():
    # forecast - actual: 10, -20, 0, 0, 10 on loads of 100: NMBE 0, WAPE 40/500, RMSE sqrt(600/5)
    found = made([100, 100, 100, 100, 100], mean_5=[110, 80, 100, 100, 110])
    one = row(evidence(found))
    assert (one["days"], one["nmbe"], one["wape"]) == (5, 0, 0.08)
    assert one["rrmse"] == pytest.approx(math.sqrt(120) / 100)
    assert one["spread"] == pytest.approx(math.sqrt(0.06 / 5))
    assert (one["worst"], one["worst_day"]) == (-0.2, DATES[1])


def test_variants_are_compared_on_the_days_that_all_of_them_have():
    gap = math.nan
    found = made([100] * 7, mean_5=[gap, gap, 110, 110, 110, 110, 110], match_3=[100] * 7)
    table = evidence(found)
    assert table["days"].tolist() == [5, 5]


def test_a_method_with_too_few_placebo_days_is_no_evidence_and_does_not_shrink_the_others():
    gap = math.nan
    few = [100] * (LEAST_DAYS - 1) + [gap] * 3
    table = evidence(made([100] * 7, mean_5=[101] * 7, match_3=few))
    assert row(table)["days"] == 7
    assert row(table, "match_3")["days"] == 0
    assert choose(table)["method"].tolist() == ["mean_5"]


def test_days_of_an_event_are_neither_placebo_nor_history():
    levels = [[500.0] * 30]
    levels[0][20] = 5.0  # 21 June, cut to almost nothing by an event
    barred = np.zeros((1, 30), np.bool_)
    barred[0, 20] = True
    table = evidence(tried(levels, variants=[MEAN], barred=barred))
    assert row(table)["rrmse"] == 0
    assert row(evidence(tried(levels, variants=[MEAN])))["rrmse"] > 0.1


def test_the_method_with_the_smallest_error_is_chosen_and_a_tie_goes_to_the_simpler_one():
    # level shifts up by 10 % on 20 June: only the same-day adjustment sees it
    growing = [500.0] * 19 + [550.0] * 11
    table = evidence(tried([growing, [500.0] * 30], variants=[MEAN, SAME]))
    chosen = choose(table).set_index("participant_id")
    assert chosen.loc["u0", "adjustment"] == "additive"
    assert chosen.loc["u1", "adjustment"] == "none"
    assert set(chosen["eligibility"]) == {"automatic"}


def test_a_method_is_chosen_by_what_was_known_before_a_day():
    later = tried([[500.0] * 19 + [550.0] * 11], variants=[MEAN, SAME])
    assert max(later.before(DATES[19]).days) < DATES[19]
    assert choose(evidence(later.before(DATES[19])))["adjustment"].tolist() == ["none"]


@pytest.mark.parametrize(
    ("error", "eligibility"),
    [(0.1999, "automatic"), (0.2, "review"), (0.3, "review"), (0.31, "not_eligible")],
)
def test_tc71_certification_is_below_20_percent(error, eligibility):
    table = evidence(made([100.0] * 6, mean_5=[100 * (1 + error), 100 * (1 - error)] * 3))
    table["rrmse"] = table["rrmse"].round(9)
    assert choose(table)["eligibility"].tolist() == [eligibility]


def test_a_stricter_threshold_turns_the_certified_into_review():
    table = evidence(made([100.0] * 6, mean_5=[110.0] * 6))
    assert choose(table, below=0.05)["eligibility"].tolist() == ["review"]


def test_the_summary_shows_the_spread_between_accounts_and_the_error_of_their_sum():
    # u0 is forecast 10 too high, u1 10 too low: the sum is right, the spread between them is not
    found = Placebos(
        ("u0", "u1"),
        DATES[:5],
        np.full((2, 5, 1), 100.0),
        {MEAN: np.stack([np.full((5, 1), 110.0), np.full((5, 1), 90.0)])},
    )
    whole = summary(evidence(found), found).iloc[0]
    assert (whole["participants"], whole["certified"], whole["portfolio_wape"]) == (2, 2, 0)
    assert whole["spread_nmbe"] == pytest.approx(0.1)
    by_class = summary(evidence(found), found, {"u0": "large", "u1": "small"}).set_index("group")
    assert by_class.loc["large", "mean_nmbe"] == pytest.approx(0.1)
    assert by_class.loc["small", "portfolio_nmbe"] == pytest.approx(-0.1)


def test_a_participant_without_readings_has_no_evidence_and_no_method():
    table = evidence(tried([[500.0] * 30, [math.nan] * 30], variants=[MEAN]))
    assert row(table, who="u1")["days"] == 0
    assert choose(table)["participant_id"].tolist() == ["u0"]
    assert summary(table, tried([[500.0] * 30, [math.nan] * 30], variants=[MEAN]))[
        "participants"
    ].tolist() == [1]
    assert isinstance(table, pd.DataFrame)
