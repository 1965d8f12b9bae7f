"""Forecast errors, scenarios and bid levels."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import pytest
from bid_cases import problem
from hypothesis import given
from hypothesis import strategies as st

from optimization.curve_search import merit_order, mw_grid, price_levels
from optimization.forecast import ErrorHistory, PreBalance, error_history, gap_fan, quantiles_by_hour
from optimization.scenarios import FORECAST, STRESS, draw

FIRST = date(2022, 7, 1)
DAYS = [FIRST + timedelta(days=n) for n in range(9)]
FLAT = np.full(96, 1_000.0)


def history_of(load_errors, price_errors=None, days=DAYS):
    """Constant errors a day: load MW, price 元/MWh at one node."""
    price_errors = load_errors if price_errors is None else price_errors
    load = {day: (FLAT + error, FLAT) for day, error in zip(days, load_errors, strict=True)}
    prices = {
        "NX": {day: (300 + 0 * FLAT + e, 300 + 0 * FLAT) for day, e in zip(days, price_errors, strict=True)}
    }
    return error_history(load, prices, ["NX"])


def test_the_shortage_is_load_and_reserve_less_everything_that_supplies():
    balance = PreBalance(FLAT * 40, FLAT * 2, FLAT * 3, FLAT * 4, FLAT * 30, FLAT * 1)
    assert balance.shortage_mw()[0] == 40_000 + 2_000 - 3_000 - 4_000 - 30_000 - 1_000


def test_a_day_with_a_missing_value_or_without_a_price_is_left_out_and_named():
    broken = FLAT.copy()
    broken[4] = np.nan
    load = {DAYS[0]: (FLAT, FLAT), DAYS[1]: (broken, FLAT), DAYS[2]: (FLAT, FLAT)}
    prices = {"NX": {DAYS[0]: (FLAT, FLAT), DAYS[1]: (FLAT, FLAT)}}
    history = error_history(load, prices, ["NX"])
    assert history.days == (DAYS[0],)
    assert history.left_out == {
        DAYS[1]: "missing values in load",
        DAYS[2]: "no price or no price forecast at NX",
    }


def test_quantiles_pool_the_four_quarters_of_an_hour():
    errors = np.zeros((2, 96))
    errors[0, :4], errors[1, :4] = [0, 1, 2, 3], [4, 5, 6, 7]
    fan = quantiles_by_hour(errors, (0.0, 0.5, 1.0))
    assert fan[:, :5].tolist() == [[0, 0, 0, 0, 0], [3.5, 3.5, 3.5, 3.5, 0], [7, 7, 7, 7, 0]]
    with pytest.raises(ValueError, match="no past day"):
        quantiles_by_hour(np.zeros((0, 96)), (0.5,))


def test_the_gap_is_never_negative():
    assert gap_fan(np.full(96, -500.0), np.zeros((1, 96)), (0.5,)).max() == 0


def test_scenarios_carry_the_errors_of_whole_past_days_and_keep_load_and_price_together():
    history = history_of(range(0, 90, 10))
    drawn = draw(np.full(96, 100.0), np.full((1, 96), 300.0), history, count=3, seed=1)
    for name, gap, price in zip(drawn.names[:-1], drawn.gap_mw, drawn.seller_price, strict=False):
        error = 10 * DAYS.index(date.fromisoformat(name))
        assert gap == pytest.approx(np.full(96, 100.0 + error))
        assert price == pytest.approx(np.full((1, 96), 300.0 + error))


def test_every_stratum_of_scarcity_is_drawn_once_and_weighs_what_it_holds():
    history = history_of(range(0, 90, 10))
    drawn = draw(np.full(96, 100.0), np.full((1, 96), 300.0), history, count=3, seed=5)
    strata = [(gap[0] - 100) // 30 for gap in drawn.gap_mw[:-1]]
    assert strata == [0, 1, 2]
    assert drawn.probability == pytest.approx(
        [0.3, 0.3, 0.3, 0.1]
    )  # three of nine days, times 9/10; stress 1/10


def test_the_stress_scenario_joins_the_shortest_day_with_the_dearest():
    history = history_of([0, 50, 10], [5, -5, 80], DAYS[:3])
    drawn = draw(np.full(96, 100.0), np.full((1, 96), 300.0), history, count=2)
    assert drawn.names[-1] == STRESS
    assert drawn.gap_mw[-1, 0] == 150
    assert drawn.seller_price[-1, 0, 0] == 380
    assert drawn.probability[-1] == pytest.approx(1 / 4)


@given(st.integers(1, 9), st.integers(0, 50))
def test_probabilities_sum_to_one_and_the_draw_depends_on_the_seed_alone(count, seed):
    history = history_of([3, 1, 4, 1, 5, 9, 2, 6, 5])
    first = draw(np.full(96, 2.0), np.full((1, 96), 300.0), history, count=count, seed=seed)
    again = draw(np.full(96, 2.0), np.full((1, 96), 300.0), history, count=count, seed=seed)
    assert first.probability.sum() == pytest.approx(1)
    assert first.names == again.names
    assert len(first.names) == count + 1


def test_the_order_in_which_history_was_loaded_does_not_matter():
    load = {day: (FLAT + n, FLAT) for n, day in enumerate(DAYS)}
    prices = {"NX": {day: (FLAT + n, FLAT) for n, day in enumerate(DAYS)}}
    forward = error_history(load, prices, ["NX"])
    backward = error_history(
        dict(reversed(load.items())), {"NX": dict(reversed(prices["NX"].items()))}, ["NX"]
    )
    forecast = np.full((1, 96), 300.0)
    assert draw(FLAT, forecast, forward, count=3).names == draw(FLAT, forecast, backward, count=3).names


def test_seller_prices_stay_between_floor_and_cap():
    history = history_of([0, 0, 0], [-900, 0, 900], DAYS[:3])
    drawn = draw(np.full(96, 1.0), np.full((1, 96), 300.0), history, count=3, floor=0.0, cap=1_000.0)
    assert drawn.seller_price.min() == 0
    assert drawn.seller_price.max() == 1_000


def test_without_history_the_forecast_is_the_only_scenario():
    nothing = ErrorHistory((), ("NX",), np.zeros((0, 96)), np.zeros((0, 1, 96)), {})
    drawn = draw(np.full(96, -3.0), np.full((1, 96), 300.0), nothing)
    assert drawn.names == (FORECAST,)
    assert drawn.gap_mw.max() == 0
    assert drawn.at_risk().size == 0


def test_a_missing_forecast_and_no_scenario_at_all_are_refused():
    shortage = np.zeros(96)
    shortage[7] = np.nan
    with pytest.raises(ValueError, match="period 8 is missing"):
        draw(shortage, np.zeros((1, 96)), history_of([1] * 9))
    with pytest.raises(ValueError, match="at least 1"):
        draw(np.zeros(96), np.zeros((1, 96)), history_of([1] * 9), count=0)


def test_a_node_without_a_forecast_has_no_price_in_any_scenario():
    drawn = draw(np.zeros(96), np.full((1, 96), 300.0), history_of([1] * 9), count=2).at_nodes(["NMD", "NX"])
    assert np.isnan(drawn.seller_price[:, 0]).all()
    assert np.isfinite(drawn.seller_price[:, 1]).all()


def test_with_the_capability_of_a_node_scenarios_offer_rising_steps_of_it():
    shortage, price = np.full(96, 100.0), np.full((1, 96), 300.0)
    drawn = draw(shortage, price, history_of([0] * 9), count=4, carried_mw=np.full((1, 96), 1_000.0))
    offered, mw = drawn.offers()
    assert offered.shape == mw.shape == (5, 1, 4, 96)
    assert (np.diff(offered, axis=2) >= 0).all()
    assert 400 < mw.sum(axis=2).mean() < 2_500
    plain, endless = draw(shortage, price, history_of([0] * 9), count=4).offers()
    assert plain.shape == (5, 1, 1, 96)
    assert np.isinf(endless).all()


def level_case(first, second):
    """One scenario, two nodes that land 10 元/MWh dearer and carry 80 MW each."""
    return merit_order(problem([[first, second]], [[100]], {"S1": 80, "S2": 80}).market(77))


def test_levels_are_whole_prices_just_above_the_landed_ones_from_dear_to_cheap():
    assert price_levels(level_case(300.2, 345.9999), 100, 0, 10_000) == [356, 311]


def test_the_nearest_levels_are_joined_to_the_dearer_one_and_the_dearest_stays():
    case = problem([[90, 91], [290, 690], [693, 90]], [[100]] * 3, {"S1": 80, "S2": 80})
    assert price_levels(merit_order(case.market(77)), 200, 0, 10_000, 3) == [703, 300, 101]


def test_landed_prices_above_the_cap_or_beyond_the_mw_that_may_be_bid_are_no_levels():
    assert price_levels(level_case(340, 12_000), 100, 0, 10_000) == [350]
    assert price_levels(level_case(12_000, 12_000), 100, 0, 10_000) == []
    assert price_levels(level_case(-50, 340), 80, 0, 10_000) == [
        0
    ]  # the first 80 MW come from the cheap node


def test_the_grid_rises_to_what_may_be_bid_and_follows_the_gaps():
    assert mw_grid(np.array([10.2, 50.0, 900.0, -5.0]), 100).tolist() == [11, 50, 100]
    many = mw_grid(np.arange(1.0, 500.0), 500, 10)
    assert many.size == 10
    assert many[-1] == 500
