"""Policies on days whose truth is not among the scenarios; the year's table is in docs/benchmarks.md."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from bid_cases import paths_of, problem, programme

from optimization.backtest import (
    DETERMINISTIC,
    FLAT_3000,
    FLAT_10000,
    FORESIGHT,
    OURS,
    TABLE,
    PastDay,
    cvar,
    play,
    point_forecast,
)
from optimization.rule_table import band, table_price

DAYS = pd.date_range("2022-07-01", periods=6)
POLICIES = (OURS, FLAT_10000, FLAT_3000, TABLE, DETERMINISTIC, FORESIGHT)
PATHS = paths_of(("A-1", "S1", "A", "50.8", "0.07"), ("B-1", "S2", "B", "68", "0.0071"))


def past_day(seed, day):
    """Errors of gap and price are drawn alike for the scenarios and for the truth, which none of them is."""
    random = np.random.default_rng(seed)
    gap, price = random.uniform(100, 250), random.uniform(250, 450, (1, 2, 1))
    gaps = np.maximum(gap + random.normal(0, 70, (7, 1)), 0) * np.ones((1, 4))
    prices = price * np.exp(random.normal(0, 0.15, (7, 2, 1))) * np.ones((1, 1, 4))
    limits = {"S1": 150.0, "S2": 200.0}
    dr = [programme("LATE", 40, per_mwh=1_500)]
    known = problem(
        prices[1:], gaps[1:], limits, paths=PATHS, demand_response=dr, provincial=300, need=350, risk=0.2
    )
    truth = problem(
        prices[:1], gaps[:1], limits, paths=PATHS, demand_response=dr, provincial=300, need=350
    ).scenarios
    shortage = np.where(known.need_limit_mw > 0, gap, 0.0)
    at_nodes = np.repeat(price[0], 96, axis=1)
    return PastDay(day.date(), known, point_forecast(known, shortage, at_nodes), truth, PATHS)


@pytest.fixture(scope="module")
def costs():
    found = {name: [] for name in POLICIES}
    for seed, day in enumerate(DAYS):
        for name, played in play(past_day(seed, day), POLICIES).items():
            found[name].append(played.cost_cny)
    return {name: np.array(values) for name, values in found.items()}


@pytest.mark.parametrize("other", [FLAT_10000, FLAT_3000, TABLE, DETERMINISTIC])
def test_ours_costs_less_than_every_other_policy_in_the_mean_and_in_the_tail(costs, other):
    assert costs[OURS].mean() < costs[other].mean()
    assert cvar(costs[OURS], 0.4) <= cvar(costs[other], 0.4) + 0.01


def test_nobody_does_better_than_perfect_foresight(costs):
    for name in POLICIES:
        assert (costs[FORESIGHT] <= costs[name] * (1 + 2e-3) + 1).all(), name


def test_the_table_is_that_of_the_source():
    # peak season, 19:15, 1,800 MW: 1.9 x 500; supply protection above 2,000 MW: 3 元/kWh
    assert table_price(500, 1_800, 77, "peak_season") == 950
    assert table_price(500, 2_500, 77, "supply_protection") == 3_000
    assert table_price(500, 500, 77, "other") == 750
    assert [band(t) for t in (1, 29, 33, 45, 69, 93)] == ["valley", "flat", "peak", "flat", "peak", "valley"]


def test_the_dearest_fifth_counts_part_of_a_day_where_it_must():
    assert cvar(np.arange(1.0, 6.0), 0.2) == 5.0
    assert cvar(np.arange(1.0, 6.0), 0.3) == pytest.approx((5 + 0.5 * 4) / 1.5)
