"""The three-province case of docs/formulas/clearing.md: every pair, share, scaling and price worked by hand."""

from __future__ import annotations

from fractions import Fraction

import pandas as pd
import pytest

from optimization.clearing import Clearing, clear
from optimization.clearing_inputs import ATC_COLUMNS, PATH_COLUMNS, SEGMENT_COLUMNS

OFFERS = [("甲", 1, 1, 100, 200), ("甲", 1, 2, 100, 250), ("乙", 1, 1, 100, 210)]
BIDS = [("丙", 1, 1, 120, 500), ("丙", 1, 2, 100, 380)]
PATHS = [
    ("甲一", 1, "S1", "甲", "丙", 20, 0),
    ("甲一", 2, "IN", "甲", "丙", 10, 0.1),
    ("甲二", 1, "S2", "甲", "丙", 100, 0),
    ("乙一", 1, "S3", "乙", "丙", 10, 0),
    ("乙一", 2, "IN", "乙", "丙", 10, 0.1),
]
ATC = [("IN", 1, 120), ("S2", 1, 90)]
# path, seller segment, buyer segment, MW at the seller, at the buyer, offer, converted bid, spread
TRADES = [
    ("甲一", 1, 1, 60, 54, 200, 421, 221),
    ("乙一", 1, 1, 60, 54, 210, 431, 221),
    ("甲二", 1, 1, 12, 12, 200, 400, 200),
    ("甲二", 1, 2, 28, 28, 200, 280, 80),
    ("甲二", 2, 2, 50, 50, 250, 280, 30),
]
SELLER_PRICES = {"甲": 265, "乙": 320.5}
LANDED_PRICES = {"甲一": 326.667, "甲二": 365, "乙一": 377.222}  # (265+29)/0.9, 265+100, (320.5+19)/0.9


@pytest.fixture(scope="module")
def cleared() -> Clearing:
    return clear(
        pd.DataFrame(OFFERS, columns=list(SEGMENT_COLUMNS)),
        pd.DataFrame(BIDS, columns=list(SEGMENT_COLUMNS)),
        pd.DataFrame(PATHS, columns=list(PATH_COLUMNS)),
        pd.DataFrame(ATC, columns=list(ATC_COLUMNS)),
    )


def test_the_trades_are_those_worked_by_hand(cleared: Clearing) -> None:
    columns = ["path_id", "sell_segment", "buy_segment"]
    assert cleared.trades[columns].to_numpy().tolist() == [list(trade[:3]) for trade in TRADES]
    for place, column in enumerate(
        ("sell_mw", "buy_mw", "sell_price", "converted_buy_price", "spread"), start=3
    ):
        assert cleared.trades[column].tolist() == pytest.approx([trade[place] for trade in TRADES]), column


def test_the_prices_are_those_worked_by_hand(cleared: Clearing) -> None:
    seller, landed = cleared.seller_prices, cleared.landed_prices
    assert dict(zip(seller["node"], seller["price_cny_per_mwh"], strict=True)) == SELLER_PRICES
    assert dict(zip(landed["path_id"], landed["price_cny_per_mwh"], strict=True)) == LANDED_PRICES


def test_the_buyer_pays_70_860_yuan_an_hour_to_sellers_and_section_owners() -> None:
    sold = {"甲一": 60, "甲二": 90, "乙一": 60}
    node = {"甲一": 265, "甲二": 265, "乙一": Fraction("320.5")}
    price_coe = {"甲一": 29, "甲二": 100, "乙一": 19}
    sellers = sum(sold[path] * node[path] for path in sold)
    owners = sum(sold[path] * price_coe[path] for path in sold)
    assert (sellers, owners) == (58_980, 11_880)
    landed = {"甲一": Fraction(294 * 10, 9), "甲二": 365, "乙一": Fraction(3395, 9)}
    arrived = {"甲一": 54, "甲二": 90, "乙一": 54}
    assert sum(arrived[path] * landed[path] for path in sold) == sellers + owners == 70_860


def test_a_split_segment_shares_like_the_whole_one(cleared: Clearing) -> None:
    # 甲's first 100 MW as two of 50 at the same price: 30 + 30 in the tied step, prices as before
    halves = [("甲", 1, 1, 50, 200), ("甲", 1, 2, 50, 200), ("甲", 1, 3, 100, 250), OFFERS[2]]
    split = clear(
        pd.DataFrame(halves, columns=list(SEGMENT_COLUMNS)),
        pd.DataFrame(BIDS, columns=list(SEGMENT_COLUMNS)),
        pd.DataFrame(PATHS, columns=list(PATH_COLUMNS)),
        pd.DataFrame(ATC, columns=list(ATC_COLUMNS)),
    )
    first = split.trades[split.trades["path_id"] == "甲一"]
    assert first["sell_mw"].tolist() == pytest.approx([30, 30])
    pd.testing.assert_frame_equal(split.seller_prices, cleared.seller_prices)
    pd.testing.assert_frame_equal(split.landed_prices, cleared.landed_prices)
