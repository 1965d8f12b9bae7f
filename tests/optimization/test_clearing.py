"""Inter-provincial clearing by hand: S14 4.3.2-4.3.3 as rulings 17-22 read them, one small market a rule."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import pandas as pd
import pytest

from market.profiles import RuleProfile, profile
from optimization.clearing import Clearing, clear
from optimization.clearing_inputs import ATC_COLUMNS, PATH_COLUMNS, SEGMENT_COLUMNS

Row = tuple[Any, ...]


TRIAL, RULE_2026 = "IPSPOT_2022_TRIAL", "IPSPOT_2026"


def market(
    offers: list[Row],
    bids: list[Row],
    paths: list[Row],
    atc: Sequence[Row] = (),
    profile: str | RuleProfile = TRIAL,
) -> Clearing:
    """Clear rows of (node, period, segment, mw, price), paths of PATH_COLUMNS and atc of (section, period, mw)."""
    return clear(
        pd.DataFrame(offers, columns=list(SEGMENT_COLUMNS)),
        pd.DataFrame(bids, columns=list(SEGMENT_COLUMNS)),
        pd.DataFrame(paths, columns=list(PATH_COLUMNS)),
        pd.DataFrame(atc, columns=list(ATC_COLUMNS)),
        profile,
    )


def free(path_id: str, seller: str, buyer: str, *sections: str) -> list[Row]:
    """A path without tariff or loss."""
    return [
        (path_id, seq, section, seller, buyer, 0, 0)
        for seq, section in enumerate(sections or (path_id,), start=1)
    ]


def costing(path_id: str, seller: str, buyer: str, tariff: float) -> list[Row]:
    """A path of one section without loss, so that the tariff is its cost."""
    return [(path_id, 1, path_id, seller, buyer, tariff, 0)]


def seller_price(cleared: Clearing, node: str, period: int = 1) -> float:
    frame = cleared.seller_prices
    return float(frame.loc[(frame["node"] == node) & (frame["period"] == period), "price_cny_per_mwh"].item())


def landed_price(cleared: Clearing, path_id: str, period: int = 1) -> float:
    frame = cleared.landed_prices
    chosen = (frame["path_id"] == path_id) & (frame["period"] == period)
    return float(frame.loc[chosen, "price_cny_per_mwh"].item())


def sold(cleared: Clearing) -> list[tuple[str, float]]:
    """(path, seller MW) of each trade in the order it was made."""
    return list(zip(cleared.trades["path_id"], cleared.trades["sell_mw"], strict=True))


class TestConversionToTheSellerNode:
    def test_the_tutorial_bid_converts_to_379_73_and_109_72_mw(self) -> None:
        # market.md A.7 golden check: tariffs 30 and 51.1, losses 2 % and 7 %, bid 500 x 100 MW
        path = [("P", 1, "L1", "SC", "JS", 30, 0.02), ("P", 2, "L2", "SC", "JS", 51.1, 0.07)]
        cleared = market([("SC", 1, 1, 200, 300)], [("JS", 1, 1, 100, 500)], path)
        trade = cleared.trades.iloc[0]
        assert trade["converted_buy_price"] == pytest.approx(379.72746)
        assert trade["sell_mw"] == pytest.approx(100 / 0.9114)
        assert trade["buy_mw"] == pytest.approx(100)
        assert trade["spread"] == pytest.approx(79.72746)
        # mean (379.72746 + 300) / 2 = 339.86373; landed (339.86373 + 75.97254) / 0.9114 = 456.26099…
        assert seller_price(cleared, "SC") == 339.864
        assert landed_price(cleared, "P") == 456.261

    @pytest.mark.parametrize(("bid", "landed"), [(3000, 1670.5), (450, 395.5)])
    def test_half_of_every_yuan_of_over_bid_is_paid(self, bid: int, landed: float) -> None:
        # market.md A.8.2: Shanxi offers 300 (landed 341.1); F.2: 山西→华北AC, coe1 0.97395, price_coe 32.18
        path = [
            ("SX-AC", 1, "SX-out", "SX", "SD", 21.7, 0.0019),
            ("SX-AC", 2, "NC", "SX", "SD", 10.8, 0.0242),
        ]
        cleared = market([("SX", 1, 1, 1000, 300)], [("SD", 1, 1, 500, bid)], path)
        assert round(landed_price(cleared, "SX-AC"), 1) == landed
        # the identity of A.8.2: half the own bid, half the landed offer
        assert landed_price(cleared, "SX-AC") == pytest.approx(
            (bid + (300 + 32.177387) / 0.97394598) / 2, abs=6e-4
        )

    def test_the_price_rounds_half_up_where_a_float_would_round_down(self) -> None:
        # (300 + 381.001) / 2 = 340.5005
        cleared = market([("A", 1, 1, 10, 300)], [("X", 1, 1, 10, 381.001)], free("P", "A", "X"))
        assert seller_price(cleared, "A") == 340.501

    def test_the_landed_price_comes_from_the_unrounded_seller_price(self) -> None:
        # (100 + 201.0009) / 2 = 150.50045; landed over a loss of 50 %: 301.0009, from the rounded price it were 301.0
        path = [("P", 1, "L", "A", "X", 0, 0.5)]
        cleared = market([("A", 1, 1, 10, 100)], [("X", 1, 1, 10, 402.0018)], path)
        assert seller_price(cleared, "A") == 150.5
        assert landed_price(cleared, "P") == 301.001

    def test_decimals_clear_like_the_floats_they_are_written_as(self) -> None:
        decimal = market(
            [("A", 1, 1, Decimal(10), Decimal(300))],
            [("X", 1, 1, Decimal(10), Decimal("381.001"))],
            [("P", 1, "L", "A", "X", Decimal("10.8"), Decimal("0.0242"))],
        )
        plain = market(
            [("A", 1, 1, 10, 300)], [("X", 1, 1, 10, 381.001)], [("P", 1, "L", "A", "X", 10.8, 0.0242)]
        )
        pd.testing.assert_frame_equal(decimal.trades, plain.trades)
        pd.testing.assert_frame_equal(decimal.landed_prices, plain.landed_prices)


class TestLargestSpreadFirst:
    def test_the_cheap_path_fills_before_the_dear_one(self) -> None:
        paths = costing("dear", "A", "X", 30) + costing("cheap", "A", "X", 10)
        cleared = market([("A", 1, 1, 100, 200)], [("X", 1, 1, 80, 400)], paths, [("cheap", 1, 50)])
        assert sold(cleared) == [("cheap", 50.0), ("dear", 30.0)]
        # the last pair went over the dear path: (400 - 30 + 200) / 2, landed over each path
        assert seller_price(cleared, "A") == 285
        assert (landed_price(cleared, "cheap"), landed_price(cleared, "dear")) == (295, 315)

    def test_the_last_pair_sets_the_price_of_all_power_of_the_node(self) -> None:
        offers = [("A", 1, 1, 50, 200), ("A", 1, 2, 50, 260)]
        bids = [("X", 1, 1, 60, 500), ("X", 1, 2, 20, 300)]
        cleared = market(offers, bids, free("P", "A", "X"))
        pairs = list(zip(cleared.trades["sell_segment"], cleared.trades["buy_segment"], strict=True))
        assert pairs == [(1, 1), (2, 1), (2, 2)]
        assert seller_price(cleared, "A") == 280  # (300 + 260) / 2

    def test_a_spread_of_zero_trades_and_a_spread_below_zero_does_not(self) -> None:
        paths = free("P", "A", "X")
        assert len(market([("A", 1, 1, 9, 300)], [("X", 1, 1, 9, 300)], paths).trades) == 1
        assert len(market([("A", 1, 1, 9, 300.001)], [("X", 1, 1, 9, 300)], paths).trades) == 0

    def test_a_spread_that_is_zero_only_in_exact_arithmetic_trades(self) -> None:
        # 0.1 + 0.2 in floats is more than 0.3: the converted bid is 100.3 - 0.1 - 0.2 = 100
        path = [("P", 1, "L1", "A", "X", 0.1, 0), ("P", 2, "L2", "A", "X", 0.2, 0)]
        assert len(market([("A", 1, 1, 9, 100)], [("X", 1, 1, 9, 100.3)], path).trades) == 1

    def test_a_province_does_not_buy_from_itself(self) -> None:
        paths = free("loop", "A", "A") + free("P", "A", "X")
        bids = [("A", 1, 1, 50, 900), ("X", 1, 1, 50, 400)]
        assert sold(market([("A", 1, 1, 100, 200)], bids, paths)) == [("P", 50.0)]

    def test_opening_a_cheap_path_can_lower_total_value(self) -> None:
        # ruling 21: 96,000 falls to 49,000 when the path of cost 10 opens
        offers = [("S1", 1, 1, 100, 100), ("S2", 1, 1, 100, 100)]
        bids = [("B1", 1, 1, 100, 600), ("B2", 1, 1, 100, 600)]
        closed = (
            costing("12", "S1", "B2", 20) + costing("21", "S2", "B1", 20) + costing("22", "S2", "B2", 500)
        )
        before = market(offers, bids, closed).trades
        after = market(offers, bids, closed + costing("11", "S1", "B1", 10)).trades
        assert (before["sell_mw"] * before["spread"]).sum() == 96_000
        assert (after["sell_mw"] * after["spread"]).sum() == 49_000


class TestEqualSpreadsAreShared:
    def test_a_short_buyer_side_is_shared_by_the_sellers_power(self) -> None:
        # seller shares AX 60, AY 40, CX 30, CY 20; buyer shares AX 40, CX 20, AY 26.67, CY 13.33: the smaller
        offers = [("A", 1, 1, 100, 200), ("C", 1, 1, 50, 200)]
        bids = [("X", 1, 1, 60, 300), ("Y", 1, 1, 40, 300)]
        paths = free("AX", "A", "X") + free("AY", "A", "Y") + free("CX", "C", "X") + free("CY", "C", "Y")
        shares = dict(sold(market(offers, bids, paths)))
        assert shares == pytest.approx({"AX": 40, "AY": 80 / 3, "CX": 20, "CY": 40 / 3})

    def test_what_remains_after_a_tied_step_is_shared_again(self) -> None:
        # A: X 100*30/130, Y 100*100/130; B: Y 20 against Y's 100*20/120. Then B has 3.33 left and Y 6.41.
        offers = [("A", 1, 1, 100, 200), ("B", 1, 1, 20, 200)]
        bids = [("X", 1, 1, 30, 300), ("Y", 1, 1, 100, 300)]
        paths = free("AX", "A", "X") + free("AY", "A", "Y") + free("BY", "B", "Y")
        trades = sold(market(offers, bids, paths))
        assert [path for path, _ in trades] == ["AX", "AY", "BY", "BY"]
        assert [mw for _, mw in trades] == pytest.approx([3000 / 130, 10000 / 130, 50 / 3, 10 / 3])

    def test_a_buyer_behind_two_tied_paths_counts_twice(self) -> None:
        # ruling 17: A's 90 MW over the declared 100 + 100 + 100, so X gets 60 and Y 30
        paths = free("X1", "A", "X") + free("X2", "A", "X") + free("Y1", "A", "Y")
        bids = [("X", 1, 1, 100, 300), ("Y", 1, 1, 100, 300)]
        assert dict(sold(market([("A", 1, 1, 90, 200)], bids, paths))) == {"X1": 30, "X2": 30, "Y1": 30}

    def test_tied_buyers_share_by_power_converted_to_the_seller_node(self) -> None:
        # X behind a loss of 20 % wants 80 / 0.8 = 100 MW at A, Y 100: 50 each; 375 * 0.8 = 300
        paths = [("AX", 1, "L", "A", "X", 0, 0.2), *free("AY", "A", "Y")]
        bids = [("X", 1, 1, 80, 375), ("Y", 1, 1, 100, 300)]
        cleared = market([("A", 1, 1, 100, 200)], bids, paths)
        assert dict(sold(cleared)) == pytest.approx({"AX": 50, "AY": 50})
        assert cleared.trades["buy_mw"].tolist() == pytest.approx([40, 50])

    def test_what_a_tied_buyer_has_left_is_counted_at_its_own_node(self) -> None:
        # A and B sell 50 each into a loss of 20 %: X gets 80 of its 120 MW, C sells the other 40 / 0.8 = 50
        offers = [("A", 1, 1, 50, 200), ("B", 1, 1, 50, 200), ("C", 1, 1, 99, 250)]
        paths = [(node, 1, node, node, "X", 0, 0.2) for node in ("A", "B", "C")]
        cleared = market(offers, [("X", 1, 1, 120, 375)], paths)
        assert dict(sold(cleared)) == pytest.approx({"A": 50, "B": 50, "C": 50})

    @pytest.mark.parametrize(
        ("dearer", "first_gets"), [("200.0000005", 25.0), ("200.000001", 50.0), ("200.0000011", 50.0)]
    )
    def test_spreads_are_equal_when_they_differ_by_less_than_a_millionth(
        self, dearer: str, first_gets: float
    ) -> None:
        offers = [("A", 1, 1, 50, Decimal(200)), ("B", 1, 1, 50, Decimal(dearer))]
        cleared = market(offers, [("X", 1, 1, 50, 300)], free("A", "A", "X") + free("B", "B", "X"))
        assert dict(sold(cleared))["A"] == first_gets

    def test_of_tied_pairs_at_a_node_the_highest_offer_sets_the_price(self) -> None:
        # ruling 19: (300.001 + 300) / 2 = 300.0005 -> 300.001; with the other offer 300.00049975 -> 300.000
        offers = [("A", 1, 1, 10, 300), ("A", 1, 2, 10, 299.9999995)]
        cleared = market(offers, [("X", 1, 1, 12, 300.001)], free("P", "A", "X"))
        assert cleared.trades["sell_segment"].tolist() == [2, 1]
        assert seller_price(cleared, "A") == 300.001


class TestTransferCapability:
    def test_capability_is_measured_at_the_seller_node(self) -> None:
        path = [("P", 1, "L1", "A", "X", 0, 0.1), ("P", 2, "L2", "A", "X", 0, 0)]
        cleared = market([("A", 1, 1, 500, 200)], [("X", 1, 1, 500, 400)], path, [("L2", 1, 90)])
        assert sold(cleared) == [("P", 90.0)]
        assert cleared.trades["buy_mw"].item() == pytest.approx(81)

    def test_a_section_without_a_row_has_no_limit_and_one_with_zero_carries_nothing(self) -> None:
        offers, bids = [("A", t, 1, 5000, 200) for t in (1, 2)], [("X", t, 1, 5000, 400) for t in (1, 2)]
        cleared = market(offers, bids, free("P", "A", "X"), [("P", 1, 0), ("elsewhere", 2, 0)])
        assert cleared.trades[["period", "sell_mw"]].to_numpy().tolist() == [[2, 5000]]
        assert cleared.seller_prices["period"].tolist() == [2]

    def test_two_paths_share_the_capability_of_a_common_section(self) -> None:
        offers = [("A", 1, 1, 80, 200), ("B", 1, 1, 80, 210)]
        paths = free("A", "A", "X", "a", "common") + free("B", "B", "X", "b", "common")
        cleared = market(offers, [("X", 1, 1, 500, 400)], paths, [("common", 1, 100)])
        assert sold(cleared) == [("A", 80.0), ("B", 20.0)]

    def test_the_worst_violated_section_is_scaled_first(self) -> None:
        # L1: 60 + 40 over 50 = 2.0 -> AX 30, BY 20; L2: 20 + 100 over 100 = 1.2 -> BY 16.67, CZ 83.33;
        # then AX alone fills what L1 has left, 50 - 46.67
        offers = [("A", 1, 1, 60, 200), ("B", 1, 1, 40, 200), ("C", 1, 1, 100, 200)]
        bids = [("X", 1, 1, 60, 300), ("Y", 1, 1, 40, 300), ("Z", 1, 1, 100, 300)]
        paths = free("AX", "A", "X", "L1") + free("BY", "B", "Y", "L1", "L2") + free("CZ", "C", "Z", "L2")
        trades = sold(market(offers, bids, paths, [("L1", 1, 50), ("L2", 1, 100)]))
        assert [path for path, _ in trades] == ["AX", "BY", "CZ", "AX"]
        assert [mw for _, mw in trades] == pytest.approx([30, 50 / 3, 250 / 3, 10 / 3])

    def test_of_equally_violated_sections_the_smallest_id_is_scaled_first(self) -> None:
        # both 100 over 50; L1 first: AX 30, BY 20, then L2 80 over 50: BY 12.5, CZ 37.5
        offers = [("A", 1, 1, 60, 200), ("B", 1, 1, 40, 200), ("C", 1, 1, 60, 200)]
        bids = [("X", 1, 1, 60, 300), ("Y", 1, 1, 40, 300), ("Z", 1, 1, 60, 300)]
        paths = free("AX", "A", "X", "L1") + free("BY", "B", "Y", "L1", "L2") + free("CZ", "C", "Z", "L2")
        trades = sold(market(offers, bids, paths, [("L1", 1, 50), ("L2", 1, 50)]))
        assert trades[:3] == [("AX", 30.0), ("BY", 12.5), ("CZ", 37.5)]


class TestNothingIsAMillionthOfAMegawatt:
    def test_a_segment_of_a_millionth_sets_no_price(self) -> None:
        offers = [("A", 1, 1, 100, 200), ("A", 1, 2, 0.000001, 250)]
        cleared = market(offers, [("X", 1, 1, 200, 300)], free("P", "A", "X"))
        assert seller_price(cleared, "A") == 250  # (300 + 200) / 2

    def test_a_segment_of_a_kilowatt_sets_the_price(self) -> None:
        offers = [("A", 1, 1, 100, 200), ("A", 1, 2, 0.001, 250)]
        cleared = market(offers, [("X", 1, 1, 200, 300)], free("P", "A", "X"))
        assert seller_price(cleared, "A") == 275  # (300 + 250) / 2

    def test_a_remainder_of_a_millionth_sets_no_price(self) -> None:
        # 20.000001 - 20 is more than 0.000001 in binary floats
        offers = [("A", 1, 1, 20, 200), ("A", 1, 2, 20, 250)]
        cleared = market(offers, [("X", 1, 1, 20.000001, 300)], free("P", "A", "X"))
        assert len(cleared.trades) == 1
        assert seller_price(cleared, "A") == 250


class TestTruncationOf2026:
    OFFERS = (("A", 1, 1, 10.6, 200), ("A", 1, 2, 5.7, 210))

    def test_seller_power_of_a_path_is_cut_to_an_integer_from_its_last_trade(self) -> None:
        cleared = market(list(self.OFFERS), [("X", 1, 1, 99, 300)], free("P", "A", "X"), profile=RULE_2026)
        assert [mw for _, mw in sold(cleared)] == pytest.approx([10.6, 5.4])

    def test_prices_stay_even_when_the_last_trade_is_cut_away(self) -> None:
        offers = [("A", 1, 1, 10.6, 200), ("A", 1, 2, 0.2, 210)]
        cleared = market(offers, [("X", 1, 1, 99, 300)], free("P", "A", "X"), profile=RULE_2026)
        assert [mw for _, mw in sold(cleared)] == pytest.approx([10])
        assert seller_price(cleared, "A") == landed_price(cleared, "P") == 255  # (300 + 210) / 2

    def test_a_whole_sum_of_fractions_is_not_cut(self) -> None:
        # 0.2 + 0.7 + 0.1 is less than 1 in binary floats
        offers = [("A", 1, k, mw, 200 + k) for k, mw in ((1, 0.2), (2, 0.7), (3, 0.1))]
        cleared = market(offers, [("X", 1, 1, 99, 300)], free("P", "A", "X"), profile=RULE_2026)
        assert cleared.trades["sell_mw"].tolist() == [0.2, 0.7, 0.1]

    def test_each_path_and_period_is_cut_for_itself(self) -> None:
        offers = [("A", t, 1, 1.5, 200) for t in (1, 2)] + [("B", 1, 1, 1.5, 201)]
        bids = [("X", t, 1, 99, 300) for t in (1, 2)]
        cleared = market(offers, bids, free("A", "A", "X") + free("B", "B", "X"), profile=RULE_2026)
        assert cleared.trades["sell_mw"].tolist() == [1, 1, 1]

    def test_the_trial_rule_does_not_cut(self) -> None:
        cleared = market(list(self.OFFERS), [("X", 1, 1, 99, 300)], free("P", "A", "X"))
        assert cleared.trades["sell_mw"].tolist() == [10.6, 5.7]


class TestRampOf2026:
    def ramp(self, wanted: dict[int, float], profile: str = RULE_2026, atc: Sequence[Row] = ()) -> Clearing:
        offers = [("A", t, 1, mw, 200) for t, mw in wanted.items()]
        return market(
            offers, [("X", t, 1, 9999, 300) for t in wanted], free("P", "A", "X"), atc, profile=profile
        )

    def test_a_section_rises_by_600_mw_a_period_at_most(self) -> None:
        cleared = self.ramp({1: 100, 2: 2000, 3: 2000}, atc=[("P", 2, 5000), ("P", 3, 1000)])
        assert cleared.trades["sell_mw"].tolist() == [100, 700, 1000]

    def test_the_trial_rule_has_no_ramp(self) -> None:
        cleared = self.ramp({1: 100, 2: 2000, 3: 10}, profile=TRIAL)
        assert cleared.trades["sell_mw"].tolist() == [100, 2000, 10]
        assert cleared.findings.empty

    @pytest.mark.parametrize(("after", "found"), [(190, 0), (189, 1)])
    def test_a_fall_beyond_610_mw_is_a_finding_and_changes_nothing(self, after: int, found: int) -> None:
        cleared = self.ramp({1: 800, 2: after})
        assert cleared.trades["sell_mw"].tolist() == [800, after]
        assert len(cleared.findings) == found
        if found:
            finding = cleared.findings.iloc[0]
            assert (finding["code"], finding["severity"], finding["subject"]) == ("ramp_fall", "review", "P")
            assert "falls by 611.000 MW from period 1 to 2" in finding["sentence"]

    def test_a_period_without_offers_inside_the_session_has_cleared_nothing(self) -> None:
        cleared = self.ramp({1: 800, 4: 2000})
        assert cleared.trades["sell_mw"].tolist() == [800, 600]
        assert len(cleared.findings) == 1


class TestTheSession:
    def test_periods_clear_for_themselves_and_order_runs_through(self) -> None:
        offers = [("A", 2, 1, 50, 200), ("A", 1, 1, 50, 200), ("A", 1, 2, 50, 220)]
        bids = [("X", 1, 1, 80, 300), ("X", 2, 1, 80, 400)]
        cleared = market(offers, bids, free("P", "A", "X"))
        assert cleared.trades[["order", "period"]].to_numpy().tolist() == [[1, 1], [2, 1], [3, 2]]
        assert (seller_price(cleared, "A", 1), seller_price(cleared, "A", 2)) == (260, 300)

    def test_the_columns_are_those_of_the_architecture(self) -> None:
        for cleared in (
            market([], [], []),
            market([("A", 1, 1, 1, 1)], [("X", 1, 1, 1, 2)], free("P", "A", "X")),
        ):
            assert " ".join(cleared.trades.columns) == (
                "order period path_id seller_node buyer_node sell_segment buy_segment sell_mw buy_mw sell_price "
                "converted_buy_price spread"
            )
            assert list(cleared.seller_prices.columns) == ["period", "node", "price_cny_per_mwh"]
            assert list(cleared.landed_prices.columns) == ["period", "path_id", "price_cny_per_mwh"]

    def test_the_packaged_trial_profile_is_the_default(self) -> None:
        tables = (
            pd.DataFrame([("A", 1, 1, 10.5, 300)], columns=list(SEGMENT_COLUMNS)),
            pd.DataFrame([("X", 1, 1, 20, 400)], columns=list(SEGMENT_COLUMNS)),
            pd.DataFrame(free("P", "A", "X"), columns=list(PATH_COLUMNS)),
            pd.DataFrame([], columns=list(ATC_COLUMNS)),
        )
        assert clear(*tables).trades["sell_mw"].tolist() == [10.5]

    def test_a_profile_without_interprovincial_rules_is_refused(self) -> None:
        with pytest.raises(
            ValueError, match="has no inter-provincial rules; choose one such as IPSPOT_2022_TRIAL"
        ):
            market([], [], [], profile=profile("SD_2022").model_copy(update={"interprovincial": None}))
