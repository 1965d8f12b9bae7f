"""Clearing against one buyer by array operations is the market's clearing."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from bid_cases import PLAIN_PATHS, paths_of, problem
from hypothesis import given, settings
from hypothesis import strategies as st

from optimization.curve_search import Worth, merit_order, mw_grid, price_levels, search
from optimization.evaluation import import_by_clearing, imports
from optimization.purchase import bid_of
from optimization.single_buyer import clear_curves

NETWORK = paths_of(
    ("A-1", "OUT", "A", "25", "0.005"),
    ("A-1", "S1", "A", "50.8", "0.07"),
    ("A-2", "OUT", "A", "25", "0.005"),
    ("A-2", "S2", "A", "58.95", "0.065"),
    ("B-1", "S3", "B", "68", "0.0071"),
    ("C-1", "S3", "C", "30", "0.02"),
)


def with_steps(case, seed, steps=3):
    """The same problem with rising offers of limited MW at every node."""
    random = np.random.default_rng(seed)
    base = case.scenarios.seller_price
    factor = np.sort(random.uniform(0.7, 1.8, (*base.shape[:2], steps)), axis=2)
    mw = random.uniform(10, 90, (*base.shape[:2], steps))
    return replace(
        case,
        scenarios=replace(
            case.scenarios,
            offer_price=factor[..., None] * base[:, :, None],
            offer_mw=np.repeat(mw[..., None], 96, axis=3),
        ),
    )


def random_session(seed, scenarios=3, periods=2):
    random = np.random.default_rng(seed)
    prices = random.uniform(150, 600, (scenarios, 3, periods))
    gaps = random.uniform(50, 400, (scenarios, periods))
    atc = {"OUT": 130.0, "S1": 70.0, "S2": 110.0, "S3": 150.0}
    return with_steps(problem(prices, gaps, atc, paths=NETWORK, need=500), seed)


@settings(max_examples=12)
@given(st.integers(0, 10**6))
def test_random_bids_clear_to_the_same_mw_and_the_same_money(seed):
    random, case = np.random.default_rng(seed), random_session(seed)
    steps = [
        (t, int(random.integers(1, 120)), int(random.integers(200, 1_500)))
        for t in (77, 78)
        for _ in range(random.integers(0, 6))
    ]
    bid = bid_of(steps)
    fast, market = imports(bid, case), import_by_clearing(bid, case, NETWORK)
    assert fast.path_mw == pytest.approx(market.path_mw, abs=1e-5)
    assert fast.cost_cny == pytest.approx(market.cost_cny, abs=0.01)


def test_a_node_that_is_sold_out_keeps_the_price_of_its_own_last_pair():
    case = problem([[300, 500]], [[150]], {"S1": 100, "S2": 100})
    found = clear_curves(case.market(77), [((100, 900), (50, 600))])
    # A: 100 MW against the segment at 900: (900 + 310) / 2 = 605; B: 50 MW against 600: (600 + 510) / 2 = 555
    assert found.path_price[0, 0].tolist() == [605, 555]
    assert found.cost_cny[0, 0] == pytest.approx(0.25 * (100 * 605 + 50 * 555))


def test_a_small_tail_at_the_landed_price_sets_the_price_of_all_mw_of_the_node():
    case = problem([[300, 9_000]], [[100]], {"S1": 200, "S2": 0})
    steep, flat = clear_curves(case.market(77), [((99, 3_000), (1, 310)), ((100, 3_000),)]).cost_cny[:, 0]
    assert steep == pytest.approx(100 * 0.25 * 310)
    assert flat == pytest.approx(100 * 0.25 * (3_000 + 310) / 2)


def test_no_curve_and_an_empty_curve_buy_nothing():
    case = random_session(1)
    assert clear_curves(case.market(77), [()]).mw.tolist() == [[0, 0, 0]]
    assert imports((), case).mw.sum() == 0


def test_the_merit_order_holds_back_what_a_shared_section_cannot_carry():
    case = problem([[300, 320]], [[500]], {"S1": 100, "S2": 80})
    merit = merit_order(case.market(77))
    assert merit.landed.tolist() == [[310, 330]]
    assert merit.width.tolist() == [[100, 80]]
    assert merit.below.tolist() == [[0, 100]]


def test_the_search_ends_no_worse_than_any_single_segment():
    case = random_session(5, scenarios=4)
    market, merit = case.market(77), merit_order(case.market(77))
    gap, weight = case.scenarios.gap_mw[:, 76], np.full(4, 0.25)
    worth = Worth(np.stack([gap, np.full(4, 1e9)], axis=1), np.tile([20_000.0, 0.0], (4, 1)), weight)
    levels, grid = price_levels(merit, 500, 0, 10_000), mw_grid(gap, 300)
    path = [curve for _, curve in search(merit, levels, grid, worth, 5)]
    assert path[0] == ()

    def cost(curves):
        found = clear_curves(market, curves)
        return (found.cost_cny - worth.of(found.mw)) @ weight

    singles = [((int(mw), price),) for mw in grid for price in levels]
    assert cost(path)[-1] <= cost(singles).min() + 1.0
    assert all(
        len(curve) <= 5 and [p for _, p in curve] == sorted((p for _, p in curve), reverse=True)
        for curve in path
    )


def test_plain_paths_need_no_losses():
    case = problem([[300, 400]], [[10]], {"S1": 5, "S2": 5})
    assert imports(bid_of([(77, 10, 500)]), case).mw[0, 76] == pytest.approx(10)
    assert import_by_clearing(bid_of([(77, 10, 500)]), case, PLAIN_PATHS).mw[0, 76] == pytest.approx(10)
