"""Hindsight: regret by cause that adds up, gain by segment, accuracy that knows the dear periods."""

from __future__ import annotations

import numpy as np
import pytest
from bid_cases import problem
from hypothesis import given, settings
from hypothesis import strategies as st

from optimization.forecast_score import accuracy
from optimization.hindsight import bid_against_market, earned, regret
from optimization.purchase import bid_of


def test_a_bid_too_small_by_20_mw_regrets_the_forecast_and_one_too_dear_the_shape():
    truth = problem([[300, 9_000]], [[100]], {"S1": 100, "S2": 0})
    short = regret(bid_of([(77, 80, 310)]), truth)
    # 20 MW x 1/4 h lost at 20,000 instead of bought at 310
    assert (short.forecast_fen, short.shape_fen) == (20 * 25 * (20_000 - 310), 0)
    dear = regret(bid_of([(77, 100, 500)]), truth)
    # (500 + 310) / 2 = 405 instead of 310
    assert (dear.forecast_fen, dear.shape_fen) == (0, 100 * 25 * 95)


def test_what_transfer_capability_costs_is_constraint():
    truth = problem([[300, 9_000]], [[100]], {"S1": 80, "S2": 0})
    found = regret(bid_of([(77, 80, 310)]), truth)
    # 20 MW are lost with 80 MW of capability, none with three times as much
    assert found.constraint_fen == 20 * 25 * (20_000 - 310)
    assert found.forecast_fen == found.shape_fen == 0


@settings(max_examples=5)
@given(st.integers(0, 10**6))
def test_the_parts_of_regret_sum_to_the_whole(seed):
    random = np.random.default_rng(seed)
    truth = problem(
        random.uniform(200, 600, (1, 2)), random.uniform(0, 250, (1, 3)), {"S1": 90, "S2": 70}, need=250
    )
    bid = bid_of((77 + n, int(random.integers(1, 160)), int(random.integers(250, 900))) for n in range(3))
    found = regret(bid, truth)
    assert found.forecast_fen + found.shape_fen + found.constraint_fen == found.total_fen
    assert found.constraint_fen >= -1


def test_the_gain_of_a_day_is_that_of_its_segments():
    bid = bid_of([(77, 60, 500), (77, 40, 400), (78, 10, 450)])
    cleared, landed, provincial = np.zeros(96), np.full(96, 350.0), np.full(96, 420.0)
    cleared[76], landed[77] = 80.0, 0.0
    rows = earned(bid, cleared, landed, provincial)
    assert [(one.segment, one.cleared_mw, one.gain_fen) for one in rows] == [
        (1, 60.0, 60 * 25 * 70),
        (2, 20.0, 20 * 25 * 70),
        (1, 0.0, 0),
    ]


@given(st.lists(st.floats(0, 90), min_size=3, max_size=3), st.floats(300, 500))
def test_segments_sum_to_the_fen_of_the_day(cleared, price):
    bid = bid_of([(77, 30, 500), (77, 60, 400), (78, 90, 450), (79, 33, 410), (79, 57, 380)])
    mw = np.zeros(96)
    mw[76:79] = cleared
    rows = earned(bid, mw, np.full(96, 351.357), np.full(96, price))
    day = 0.25 * mw.sum() * (price - 351.357) * 100
    assert abs(sum(one.gain_fen for one in rows) - day) <= 0.5 + 1e-6


def test_accuracy_scores_the_order_of_the_periods_too():
    actual = np.arange(96.0) + 100
    lifted, reversed_order = accuracy(actual + 50, actual), accuracy(actual[::-1], actual)
    assert (lifted.rank, lifted.dear_found) == (pytest.approx(1.0), 1.0)
    assert lifted.mean_error == 50
    assert (reversed_order.rank, reversed_order.dear_found) == (pytest.approx(-1.0), 0.0)
    assert reversed_order.deviation == pytest.approx(0.0)
    assert accuracy(np.full(96, 5.0), actual).rank is None
    with pytest.raises(ValueError, match="all 96"):
        accuracy(np.full(96, np.nan), actual)


def test_a_bid_stands_beside_what_cleared_and_what_ran():
    cleared, executed = np.zeros(96), np.zeros(96)
    cleared[76], executed[76] = 80.0, 79.0
    assert bid_against_market(bid_of([(77, 100, 500)]), cleared, executed) == [
        {"period": 77, "bid_mw": 100.0, "cleared_mw": 80.0, "executed_mw": 79.0, "cleared_share": 0.8}
    ]
