"""A bid judged by clearing: by array operations, by the market's own clearing, and what follows from it."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from bid_cases import PLAIN_PATHS, paths_of, problem

from optimization.clearing import Clearing
from optimization.evaluation import flat_bid, import_by_clearing, imports, outcome, rule_bid
from optimization.purchase import Segment, bid_mw, bid_of
from optimization.supply import supply

TWO = {"S1": 100, "S2": 100}


def test_dear_bids_take_the_cheap_path_and_leave_the_cheap_bid_without_one():
    case = problem([[390, 790]], [[200]], TWO)  # landed 400 and 800
    found = imports(bid_of([(77, 100, 1_000), (77, 100, 500)]), case)
    assert found.mw[0, 76] == 100
    assert found.cost_cny[0, 76] == pytest.approx(100 * 0.25 * (1_000 + 400) / 2)


def test_a_bid_below_every_landed_price_buys_nothing():
    case = problem([[390, 790]], [[200]], TWO)
    assert imports(bid_of([(77, 100, 399)]), case).mw.sum() == 0


def test_paths_that_share_a_section_share_its_capability_at_the_seller_node():
    paths = paths_of(
        ("A-1", "OUT", "A", "0", "0"),
        ("A-1", "S1", "A", "10", "0.1"),
        ("A-2", "OUT", "A", "0", "0"),
        ("A-2", "S2", "A", "20", "0"),
    )
    case = problem([[300]], [[200]], {"OUT": 120, "S1": 70, "S2": 100}, paths=paths)
    found = imports(bid_of([(77, 200, 900)]), case)
    # at a bid of 900: A-1 900 x 0.9 - 9 - 300 = 501, A-2 900 - 20 - 300 = 580; A-2 fills its 100, 20 of OUT are left
    assert found.path_mw[0, :, 76].tolist() == pytest.approx([18, 100])


def test_all_mw_of_a_node_pay_the_price_of_its_last_pair():
    case = problem([[300, 9_000]], [[90]], {"S1": 100, "S2": 0})
    bid = bid_of([(77, 60, 1_000), (77, 30, 400)])
    for found in (imports(bid, case), import_by_clearing(bid, case, PLAIN_PATHS)):
        assert found.mw[0, 76] == pytest.approx(90)
        # last pair: (400 - 10 + 300) / 2 = 345 at the seller, landed 355, for all 90 MW
        assert found.cost_cny[0, 76] == pytest.approx(90 * 0.25 * 355)


def test_the_clearing_that_judges_a_bid_can_be_given():
    case = problem([[300, 350]], [[150]], TWO)
    seen = []

    def nothing_sold(offers, bids, paths, atc):
        seen.append((offers, bids))
        trades = pd.DataFrame({"period": [], "path_id": [], "seller_node": [], "buy_mw": []})
        prices = pd.DataFrame({"period": [], "node": [], "price_cny_per_mwh": []})
        return Clearing(trades, prices, prices, prices)

    found = import_by_clearing(bid_of([(77, 150, 500)]), case, PLAIN_PATHS, nothing_sold)
    offers, bids = seen[0]
    assert found.mw.sum() == 0
    assert offers["price_cny_per_mwh"].tolist() == [300, 350]
    assert bids["mw"].tolist() == [150]


def test_a_flat_bid_is_the_expected_gap_in_one_segment_within_what_may_be_bid():
    case = problem([[300, 300]] * 2, [[250, 10], [200, 20]], TWO)
    assert flat_bid(case, 3_000) == (Segment(77, 1, 200, 3_000), Segment(78, 1, 15, 3_000))


def test_the_rule_bids_the_expected_gap_at_the_dearest_landed_price_it_needs():
    case = problem([[300, 500], [420, 450]], [[150], [150]], TWO)
    # A lands at 430 at most and carries 100; the other 50 need B, 510 at most
    assert rule_bid(case) == (Segment(77, 1, 150, 510),)
    assert rule_bid(problem([[300, 500], [420, 450]], [[90], [90]], TWO)) == (Segment(77, 1, 90, 430),)


def test_the_rule_bids_the_cap_where_no_price_is_known():
    case = problem([[np.nan, np.nan]], [[90]], TWO)
    assert rule_bid(case) == (Segment(77, 1, 90, 10_000),)


def test_steps_of_one_price_are_joined_and_segments_count_from_the_dearest():
    bid = bid_of([(78, 5, 400), (77, 10, 300), (77, 0, 900), (77, 20, 500), (77, 1, 300)])
    assert bid == (Segment(77, 1, 20, 500), Segment(77, 2, 11, 300), Segment(78, 1, 5, 400))
    assert bid_mw(bid)[76:78].tolist() == [31, 5]


def test_load_is_lost_where_nothing_covers_the_gap():
    case = problem([[300, 300]], [[40]], TWO)
    result = outcome(imports((), case), case)
    assert result.short_mw[0, 76] == pytest.approx(40)
    assert result.expected().shortage_fen == 40 * 5_000 * 100  # 1/4 h x 20,000


def test_imports_outside_the_gap_are_surplus():
    case = problem([[300, 300]], [[40]], TWO, provincial=100, need=50)
    result = outcome(imports(bid_of([(77, 50, 400)]), case), case)
    assert result.surplus_mw[0, 76] == pytest.approx(10)
    assert result.expected().surplus_fen == -10 * 25 * 100


class TestSupply:
    def test_landed_prices_are_those_of_the_reference_table(self):
        # market.md F.2, 宁夏→银东: seller price 300 lands at 401.9
        paths = paths_of(("NX-YD", "NX", "NX", "25", "0.005"), ("NX-YD", "YD", "NX", "50.8", "0.07"))
        own = supply(paths, pd.DataFrame(columns=["section_id", "period", "mw"]), "SD")
        assert own.landed(np.full((1, 96), 300.0))[0, 0] == pytest.approx(401.9, abs=0.05)

    def test_a_section_without_a_row_has_no_limit(self):
        own = supply(
            PLAIN_PATHS, pd.DataFrame([("S1", 77, 80)], columns=["section_id", "period", "mw"]), "SD"
        )
        assert own.carried(np.array([310.0, 320.0]), 77).tolist() == [80, np.inf]

    def test_paths_to_another_buyer_are_left_out_and_none_is_refused(self):
        atc = pd.DataFrame(columns=["section_id", "period", "mw"])
        with pytest.raises(ValueError, match="No path ends at JS"):
            supply(PLAIN_PATHS, atc, "JS")
