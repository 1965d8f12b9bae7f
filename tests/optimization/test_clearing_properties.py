"""Clearing on random small markets: against a slow reference in fractions, and what must hold in every market."""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal
from fractions import Fraction
from random import Random
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from market.paths import PathCost, path_cost, rounded_price, section_revenue_per_mwh
from optimization.clearing import Clearing, clear
from optimization.clearing_inputs import ATC_COLUMNS, PATH_COLUMNS, SEGMENT_COLUMNS

TRIAL = SimpleNamespace(
    interprovincial=SimpleNamespace(truncate_seller_mw=False, ramp_mw=None, ramp_tolerance_mw=None)
)
NOTHING = Fraction(1, 1_000_000)
PERIODS = (1, 2)

Row = tuple[Any, ...]


@dataclass(frozen=True)
class Market:
    """Rows as in the tables; every number is an int or a float that reads as a short decimal."""

    offers: list[Row]
    bids: list[Row]
    paths: list[Row]
    atc: list[Row]

    def frames(self) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame, pd.DataFrame]:
        return (
            pd.DataFrame(self.offers, columns=list(SEGMENT_COLUMNS)),
            pd.DataFrame(self.bids, columns=list(SEGMENT_COLUMNS)),
            pd.DataFrame(self.paths, columns=list(PATH_COLUMNS)),
            pd.DataFrame(self.atc, columns=list(ATC_COLUMNS)),
        )

    def clear(self) -> Clearing:
        return clear(*self.frames(), profile=TRIAL)

    def cost(self, path_id: str) -> PathCost:
        return path_cost(self.section_rates(path_id))

    def section_rates(self, path_id: str) -> list[tuple[Decimal, Decimal]]:
        rows = sorted(row for row in self.paths if row[0] == path_id)
        return [(exact(tariff), exact(loss)) for *_, tariff, loss in rows]


def exact(number: float) -> Decimal:
    return Decimal(str(number))


@dataclass
class Side:
    """A segment in the reference: what is left of it, and its price, both at its own node."""

    node: str
    segment: int
    left: Fraction
    price: Fraction


def reference(market: Market, period: int) -> tuple[list[Row], dict[str, Fraction]]:
    """One period by the letter of S14 4.3.2: every pair looked at anew in every step, all in fractions.

    Returns trades (path_id, sell_segment, buy_segment, MW) in order and the unrounded price of each seller node.
    """
    sellers, buyers = (
        [
            Side(node, k, Fraction(str(mw)), Fraction(str(price)))
            for node, t, k, mw, price in rows
            if t == period
        ]
        for rows in (market.offers, market.bids)
    )
    ends = {path: (seller, buyer) for path, _, _, seller, buyer, _, _ in market.paths}
    cost = {path: market.cost(path) for path in ends}
    sections = {path: sorted(row[2] for row in market.paths if row[0] == path) for path in ends}
    room = {section: Fraction(str(mw)) for section, t, mw in market.atc if t == period}
    trades: list[Row] = []
    price: dict[str, Fraction] = {}
    while True:
        pairs = [
            (cost[path].converted(b.price) - s.price, path, s, b)
            for path, (seller, buyer) in sorted(ends.items())
            for s in sellers
            for b in buyers
            if (s.node, b.node) == (seller, buyer) and s.left > NOTHING and b.left > NOTHING
            if all(room.get(section, NOTHING + 1) > NOTHING for section in sections[path])
        ]
        largest = max((spread for spread, *_ in pairs), default=Fraction(-1))
        if largest < 0:
            return trades, price
        tied = [pair for pair in pairs if pair[0] > largest - NOTHING and pair[0] >= 0]
        at_seller = [b.left / Fraction(cost[path].coe) for _, path, _, b in tied]
        mw = []
        for (_, _, s, b), wanted in zip(tied, at_seller, strict=True):
            same_seller = sum(w for (_, _, other, _), w in zip(tied, at_seller, strict=True) if other is s)
            same_buyer = sum(other.left for _, _, other, mine in tied if mine is b)
            mw.append(min(s.left * wanted / same_seller, wanted * s.left / same_buyer))
        while True:
            pending = {
                section: sum(
                    q for q, (_, path, _, _) in zip(mw, tied, strict=True) if section in sections[path]
                )
                for section in sorted(room)
            }
            over = {section: p / room[section] for section, p in pending.items() if p > room[section]}
            if not over:
                break
            worst = min(section for section in over if over[section] == max(over.values()))
            mw = [
                q / over[worst] if worst in sections[path] else q
                for q, (_, path, _, _) in zip(mw, tied, strict=True)
            ]
        step = sorted(zip(tied, mw, strict=True), key=lambda one: one[0][2].price)
        for (_, path, s, b), q in step:
            s.left -= q
            b.left -= q * Fraction(cost[path].coe)
            for section in sections[path]:
                if section in room:
                    room[section] -= q
            if q > NOTHING:
                trades.append((path, s.segment, b.segment, q))
                price[s.node] = (cost[path].converted(b.price) + s.price) / 2


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
    offers = draw(curves(("A", "B"), st.sampled_from((0, 200, 250, 250.001, 300))))
    bids = draw(curves(("X", "Y"), st.sampled_from((100, 250, 300, 320, 381.001, 3000))))
    return Market(offers, bids, paths, atc)


few = settings(max_examples=25, deadline=None)


@settings(max_examples=60, deadline=None)
@given(markets())
def test_clearing_agrees_with_the_rule_in_fractions(market: Market) -> None:
    assert_agrees(market)


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
    assert_agrees(market)


def assert_agrees(market: Market) -> None:
    cleared = market.clear()
    for period in PERIODS:
        trades, price = reference(market, period)
        ours = cleared.trades[cleared.trades["period"] == period]
        keys = ["path_id", "sell_segment", "buy_segment"]
        assert sorted(map(tuple, ours[keys].to_numpy().tolist())) == sorted(trade[:3] for trade in trades)
        totals = ours.groupby(keys)["sell_mw"].sum().to_dict()
        for key in totals:
            assert totals[key] == pytest.approx(
                float(sum(q for *k, q in trades if tuple(k) == key)), abs=1e-8
            )
        prices = cleared.seller_prices[cleared.seller_prices["period"] == period]
        assert dict(zip(prices["node"], prices["price_cny_per_mwh"], strict=True)) == {
            node: float(rounded_price(unrounded)) for node, unrounded in price.items()
        }
        landed = cleared.landed_prices[cleared.landed_prices["period"] == period]
        seller_of = {row[0]: row[3] for row in market.paths}
        assert dict(zip(landed["path_id"], landed["price_cny_per_mwh"], strict=True)) == {
            path: float(rounded_price(market.cost(path).landed(price[seller_of[path]])))
            for path in {trade[0] for trade in trades}
        }


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
    unrounded = {period: reference(market, period)[1] for period in PERIODS}
    for trade in cleared.trades.itertuples():
        path, period, node = str(trade.path_id), int(trade.period), str(trade.seller_node)
        cost = market.cost(path)
        sell = Fraction(float(trade.sell_mw))
        transmission = sell * sum(
            Fraction(share) for share in section_revenue_per_mwh(market.section_rates(path))
        )
        price = unrounded[period][node]
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
