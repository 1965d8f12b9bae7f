"""1,000 random sessions: the engine against the literal second implementation.

Ties, zero capability, empty sides, negative prices, several paths a pair over shared sections, nodes on both
sides, tiny power, both rule profiles. A tenth of them in the normal suite, all with GRIDSETTLE_SOAK.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from fractions import Fraction
from random import Random

import pytest
from clearing_reference import RULE_2026, TRIAL, Cleared, Market, Row, reference

from market.paths import rounded_price
from optimization.clearing import Clearing

SESSIONS = 1_000 if os.environ.get("GRIDSETTLE_SOAK") else 100
BATCH = 50


@dataclass(frozen=True)
class Draw:
    """What a session's numbers are drawn from."""

    power: tuple[float, ...]
    offers: tuple[float, ...]
    bids: tuple[float, ...]
    tariffs: tuple[float, ...]
    losses: tuple[float, ...]
    limits: tuple[float, ...]
    limited: float


WIDE = Draw(
    power=(0, 0.000001, 0.4, 10, 20, 30, 50, 100, 12.5, 33, 700, 1500),
    offers=(-80, -20, 0, 150, 200, 200, 250, 250.001, 300),
    bids=(-50, 0, 100, 200, 250, 300, 320, 381.001, 3000),
    tariffs=(0, 0, 20, 50.8),
    losses=(0, 0, 0.05, 0.07),
    limits=(0, 15, 40, 70.5, 650),
    limited=0.6,
)
# on a lattice, pairs of different offers, paths and buyers tie, and sections are violated alike
LATTICE = Draw(
    power=(10, 20, 40),
    offers=(-20, 180, 200, 220),
    bids=(-20, 200, 220, 240, 260),
    tariffs=(0, 20, 40),
    losses=(0,),
    limits=(0, 15, 15, 25),
    limited=0.9,
)


def session(random: Random) -> Market:
    draw = random.choice((WIDE, LATTICE))
    sellers = [f"S{k}" for k in range(random.randint(1, 3))]
    buyers = [f"B{k}" for k in range(random.randint(1, 3))]
    if random.random() < 0.2:
        buyers.append(sellers[0])
    sections = [f"L{k}" for k in range(random.randint(1, 5))]
    periods = random.sample(range(1, 6), random.randint(1, 3))
    paths: list[Row] = []
    for number in range(random.randint(1, 7)):
        ends = random.choice(sellers), random.choice(buyers)
        used = random.sample(sections, random.randint(1, min(3, len(sections))))
        paths += [
            (
                f"P{number}",
                seq,
                name,
                *ends,
                random.choice(draw.tariffs),
                random.choice(draw.losses),
            )
            for seq, name in enumerate(used, start=1)
        ]
    return Market(
        _curves(random, sellers, periods, draw.power, draw.offers),
        _curves(random, buyers, periods, draw.power, draw.bids),
        paths,
        [
            (name, t, random.choice(draw.limits))
            for name in sections
            for t in periods
            if random.random() < draw.limited
        ],
    )


def _curves(
    random: Random,
    nodes: list[str],
    periods: list[int],
    power: tuple[float, ...],
    prices: tuple[float, ...],
) -> list[Row]:
    if random.random() < 0.05:
        return []
    return [
        (node, t, k, random.choice(power), random.choice(prices))
        for node in nodes
        for t in periods
        for k in range(1, random.randint(0, 4) + 1)
    ]


@pytest.mark.parametrize("first", range(0, SESSIONS, BATCH))
@pytest.mark.parametrize("rules", [TRIAL, RULE_2026])
def test_the_engine_agrees_with_the_literal_reading_of_the_rule(first: int, rules: str) -> None:
    for seed in range(first, first + BATCH):
        market = session(Random(seed))
        assert_agrees(market, market.clear(rules), reference(market, rules), f"seed {seed}")


def test_the_random_sessions_hold_what_they_should() -> None:
    markets = [session(Random(seed)) for seed in range(100)]
    assert any(not market.offers for market in markets)
    assert any(not market.bids for market in markets)
    assert any(mw == 0 for market in markets for _, _, mw in market.atc)
    assert any(row[4] < 0 for market in markets for row in market.offers)
    assert any(row[3] == row[4] for market in markets for row in market.paths)
    tied = 0
    for market in markets:
        for cleared in reference(market).values():
            spreads = [trade.path.path_id for trade in cleared.trades]
            tied += len(spreads) != len(set(spreads))
    assert tied > 10


def assert_agrees(market: Market, engine: Clearing, literal: dict[int, Cleared], where: str) -> None:
    """The same trades, power and prices in every period; nothing in a period that only one of them knows."""
    for period in {*literal, *engine.trades["period"].tolist()}:
        ours = engine.trades[engine.trades["period"] == period]
        theirs = literal.get(period, Cleared([], {}))
        totals = ours.groupby(["path_id", "sell_segment", "buy_segment"])["sell_mw"].sum().to_dict()
        wanted: dict[Row, Fraction] = {}
        for trade in theirs.trades:
            wanted[trade.key] = wanted.get(trade.key, Fraction(0)) + trade.mw
        assert set(totals) == set(wanted), where
        for key, mw in wanted.items():
            assert totals[key] == pytest.approx(float(mw), abs=1e-7), where
        prices = engine.seller_prices[engine.seller_prices["period"] == period]
        assert dict(zip(prices["node"], prices["price_cny_per_mwh"], strict=True)) == {
            node: float(rounded_price(price)) for node, price in theirs.price.items()
        }, where
        landed = engine.landed_prices[engine.landed_prices["period"] == period]
        for path_id, price in zip(landed["path_id"], landed["price_cny_per_mwh"], strict=True):
            cost = market.cost(path_id)
            seller = next(row[3] for row in market.paths if row[0] == path_id)
            assert price == float(rounded_price(cost.landed(theirs.price[seller]))), where
        assert set(ours["path_id"]) <= set(landed["path_id"]), where
