"""Clearing on random small markets: against the slow reference, and what must hold in every market."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from random import Random
from typing import Any

import pandas as pd
import pytest
from clearing_reference import RULE_2026, Market, Row, reference
from hypothesis import given, settings
from hypothesis import strategies as st
from test_clearing_sessions import assert_agrees

from market.paths import section_revenue_per_mwh

PERIODS = (1, 2)
PUBLISHED = 0.0005 + 1e-6  # prices are rounded to 0.001, and ties reach 1e-6


def curves(nodes: tuple[str, ...], prices: st.SearchStrategy[Any]) -> st.SearchStrategy[list[Row]]:
    """One to three segments at some of the nodes and periods; few distinct numbers, so that ties are common."""
    power = st.sampled_from([10, 20, 30, 50, 100, 12.5, 0.000001])
    curve = st.lists(st.tuples(power, prices), min_size=0, max_size=3)
    return st.fixed_dictionaries({(node, period): curve for node in nodes for period in PERIODS}).map(
        lambda drawn: [
            (node, period, k, mw, price)
            for (node, period), segments in drawn.items()
            for k, (mw, price) in enumerate(segments, start=1)
        ]
    )


@st.composite
def markets(draw: st.DrawFn) -> Market:
    sections = ("L1", "L2", "L3", "L4")
    paths: list[Row] = []
    for number in range(draw(st.integers(1, 5))):
        ends = draw(st.sampled_from(("A", "B"))), draw(st.sampled_from(("X", "Y")))
        used = draw(st.lists(st.sampled_from(sections), min_size=1, max_size=3, unique=True))
        paths += [
            (
                f"P{number}",
                seq,
                section,
                *ends,
                draw(st.sampled_from((0, 0, 20, 30.4))),
                draw(st.sampled_from((0, 0, 0.05, 0.0242))),
            )
            for seq, section in enumerate(used, start=1)
        ]
    limits = st.none() | st.sampled_from((0, 15, 40, 70.5))
    atc = [
        (section, period, mw)
        for section in sections
        for period in PERIODS
        if (mw := draw(limits)) is not None
    ]
    offers = draw(curves(("A", "B"), st.sampled_from((-40, 0, 200, 250, 250.001, 300))))
    bids = draw(curves(("X", "Y"), st.sampled_from((-30, 100, 250, 300, 320, 381.001, 3000))))
    return Market(offers, bids, paths, atc)


few = settings(max_examples=25, deadline=None)


@settings(max_examples=60, deadline=None)
@given(markets())
def test_clearing_agrees_with_the_rule_in_fractions(market: Market) -> None:
    assert_agrees(market, market.clear(), reference(market), "")


@pytest.mark.parametrize("look_ahead", [1, 16, 256])
def test_a_market_of_a_thousand_pairs_agrees_however_far_the_search_looks_ahead(
    look_ahead: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("optimization.clearing_match.LOOK_AHEAD", look_ahead)
    random = Random(20220701)
    sellers, buyers = [f"S{k}" for k in range(8)], [f"B{k}" for k in range(5)]
    paths = [
        (
            f"{seller}-{buyer}",
            seq,
            section,
            seller,
            buyer,
            random.randint(10, 40),
            random.choice((0, 0.03, 0.065)),
        )
        for seller in sellers
        for buyer in buyers
        for seq, section in enumerate((f"out-{seller}", f"in-{buyer}"), start=1)
    ]
    market = Market(
        [
            (node, 1, k, random.randint(20, 200), 200 + 30 * k + random.randint(0, 29))
            for node in sellers
            for k in range(5)
        ],
        [
            (node, 1, k, random.randint(20, 200), 900 - 40 * k - random.randint(0, 39))
            for node in buyers
            for k in range(5)
        ],
        paths,
        [(f"in-{node}", 1, random.randint(100, 400)) for node in buyers],
    )
    assert len(market.clear().trades) > 20
    assert_agrees(market, market.clear(), reference(market), "")


@few
@given(markets(), st.randoms(use_true_random=False))
def test_row_order_never_matters(market: Market, random: Any) -> None:
    shuffled = Market(*(random.sample(rows, len(rows)) for rows in vars(market).values()))
    first, second = market.clear(), shuffled.clear()
    for name in ("trades", "seller_prices", "landed_prices", "findings"):
        pd.testing.assert_frame_equal(getattr(first, name), getattr(second, name))


@few
@given(markets())
def test_nobody_trades_more_than_declared_and_no_section_carries_more_than_it_can(market: Market) -> None:
    trades = market.clear().trades
    for rows, node, segment, mw in (
        (market.offers, "seller_node", "sell_segment", "sell_mw"),
        (market.bids, "buyer_node", "buy_segment", "buy_mw"),
    ):
        declared = {tuple(row[:3]): row[3] for row in rows}
        for key, total in trades.groupby([node, "period", segment])[mw].sum().items():
            assert total <= declared[key] + 1e-9
    for section, period, capability in market.atc:
        through = {row[0] for row in market.paths if row[2] == section}
        here = (trades["period"] == period) & trades["path_id"].isin(through)
        assert trades.loc[here, "sell_mw"].sum() <= capability + 1e-9


@few
@given(markets())
def test_every_trade_has_a_spread_of_zero_or_more_and_arrives_less_its_loss(market: Market) -> None:
    for trade in market.clear().trades.itertuples():
        cost = market.cost(str(trade.path_id))
        assert trade.spread >= -1e-9
        assert trade.spread == pytest.approx(trade.converted_buy_price - trade.sell_price, abs=1e-9)
        assert trade.buy_mw == pytest.approx(trade.sell_mw * float(cost.coe))


@few
@given(markets())
def test_the_buyer_pays_what_the_seller_and_the_section_owners_receive(market: Market) -> None:
    """Exact at the unrounded price of market.md A.7; within half a thousandth a MWh at published prices."""
    cleared = market.clear()
    published = cleared.seller_prices.set_index(["period", "node"])["price_cny_per_mwh"]
    landed_published = cleared.landed_prices.set_index(["period", "path_id"])["price_cny_per_mwh"]
    literal = reference(market)
    for trade in cleared.trades.itertuples():
        path, period, node = str(trade.path_id), int(trade.period), str(trade.seller_node)
        cost = market.cost(path)
        sell = Fraction(float(trade.sell_mw))
        transmission = sell * sum(
            Fraction(share) for share in section_revenue_per_mwh(market.section_rates(path))
        )
        price = literal[period].price[node]
        assert sell * Fraction(cost.coe) * cost.landed(price) == sell * price + transmission

        gap = trade.buy_mw * landed_published[period, path] - (
            trade.sell_mw * published[period, node] + float(transmission)
        )
        assert abs(gap) <= 0.0005 * (trade.buy_mw + trade.sell_mw) + 1e-6


@few
@given(markets(), st.sampled_from(("A", "B")), st.sampled_from(("X", "Y")), st.sampled_from((0, 10, 500)))
def test_opening_a_path_never_lowers_the_first_spread(
    market: Market, seller: str, buyer: str, cost: int
) -> None:
    opened = replace(market, paths=[*market.paths, ("new", 1, "L-new", seller, buyer, cost, 0)])
    before, after = market.clear().trades, opened.clear().trades
    for period in PERIODS:
        first = before.loc[before["period"] == period, "spread"].head(1)
        if not first.empty:
            assert after.loc[after["period"] == period, "spread"].iloc[0] >= first.item() - 1e-6


@few
@given(markets(), st.sampled_from(PERIODS))
def test_without_a_ramp_a_period_clears_as_if_it_were_alone(market: Market, period: int) -> None:
    alone = replace(
        market,
        offers=[row for row in market.offers if row[1] == period],
        bids=[row for row in market.bids if row[1] == period],
    ).clear()
    together = market.clear()
    trades = together.trades[together.trades["period"] == period].drop(columns="order").reset_index(drop=True)
    pd.testing.assert_frame_equal(alone.trades.drop(columns="order"), trades)
    prices = together.seller_prices[together.seller_prices["period"] == period].reset_index(drop=True)
    pd.testing.assert_frame_equal(alone.seller_prices, prices)


@few
@given(markets())
def test_no_seller_is_paid_below_its_offer_and_no_buyer_pays_above_its_bid(market: Market) -> None:
    cleared = market.clear()
    seller = cleared.seller_prices.set_index(["period", "node"])["price_cny_per_mwh"]
    landed = cleared.landed_prices.set_index(["period", "path_id"])["price_cny_per_mwh"]
    bids = {tuple(row[:3]): row[4] for row in market.bids}
    for trade in cleared.trades.itertuples():
        assert seller[trade.period, trade.seller_node] >= trade.sell_price - PUBLISHED
        bid = bids[trade.buyer_node, trade.period, trade.buy_segment]
        assert landed[trade.period, trade.path_id] <= bid + 2 * PUBLISHED


@few
@given(markets(), st.sampled_from(("L1", "L2", "L3", "L4")), st.sampled_from((1, 25, 1000)))
def test_adding_capability_never_lowers_the_first_spread(market: Market, section: str, more: int) -> None:
    wider = replace(
        market,
        atc=[(name, t, mw + more if name == section else mw) for name, t, mw in market.atc],
    )
    before, after = market.clear().trades, wider.clear().trades
    for period in PERIODS:
        first = before.loc[before["period"] == period, "spread"].head(1)
        if not first.empty:
            assert after.loc[after["period"] == period, "spread"].iloc[0] >= first.item() - 1e-6


def halved(rows: list[Row]) -> list[Row]:
    """Every segment as two of half its power and the same price, numbered in the same order."""
    return [
        (node, period, 2 * number + half, mw / 2, price)
        for node, period, number, mw, price in rows
        for half in (0, 1)
    ]


@few
@given(markets(), st.booleans(), st.booleans())
def test_splitting_segments_in_two_equal_halves_changes_no_price_and_no_power(
    market: Market, offers: bool, bids: bool
) -> None:
    split = replace(
        market,
        offers=halved(market.offers) if offers else market.offers,
        bids=halved(market.bids) if bids else market.bids,
    )
    whole, parts = market.clear(), split.clear()
    pd.testing.assert_frame_equal(whole.seller_prices, parts.seller_prices)
    pd.testing.assert_frame_equal(whole.landed_prices, parts.landed_prices)
    for mw in ("sell_mw", "buy_mw"):
        before, after = (one.trades.groupby(["period", "path_id"])[mw].sum() for one in (whole, parts))
        pd.testing.assert_series_equal(before, after, rtol=0, atol=1e-6)


@few
@given(markets())
def test_under_the_2026_rule_paths_carry_whole_megawatts_and_sections_rise_by_the_ramp(
    market: Market,
) -> None:
    trades = market.clear(RULE_2026).trades
    on_path = trades.groupby(["period", "path_id"])["sell_mw"].sum()
    assert (abs(on_path - on_path.round()) < 1e-6).all()
    first = min((row[1] for row in (*market.offers, *market.bids)), default=2)
    for section in {row[2] for row in market.paths}:
        through = {row[0] for row in market.paths if row[2] == section}
        flow = trades[trades["path_id"].isin(through)].groupby("period")["sell_mw"].sum()
        if first == 1:  # the first period of a session is free of the ramp
            assert flow.get(2, 0.0) <= flow.get(1, 0.0) + 600 + 1e-6
