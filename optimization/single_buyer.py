"""Clearing against one buyer, for many curves and scenarios at once (S14 4.3.2-4.3.3, market.md A.8).

With a single buyer the largest spread always belongs to its dearest MW that is left, so a period clears segment by
segment: dear to cheap, each over its (offer, path) pairs by falling spread. The price of a seller node is the mean of
its last pair, whatever the earlier pairs were. The result is that of ``optimization.clearing`` (a test compares them
on random sessions), an array operation instead of a session: MW at the buyer node, prices 元/MWh, cost 元 of the
quarter-hour. Equal spreads fill in the order of path and offer instead of in proportion, which moves no cost unless
tied pairs have different offers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from market.periods import PERIODS_PER_HOUR
from optimization.supply import Supply

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

HOURS = 1 / PERIODS_PER_HOUR
NOTHING_MW = 1e-6
SPREAD_NOISE = 1e-9
Curve = tuple[tuple[int, int], ...]  # (MW, 元/MWh), dear to cheap


@dataclass(frozen=True)
class PeriodMarket:
    """What one period offers in every scenario.

    coe, price_coe, seller: (paths,) as in Supply. uses: (paths, sections). atc: (sections,) MW at the seller node.
    price, mw: (scenarios, nodes, steps) offers at the seller node, NaN or 0 MW where nothing is offered.
    """

    coe: FloatArray
    price_coe: FloatArray
    seller: IntArray
    uses: NDArray[np.bool_]
    atc: FloatArray
    price: FloatArray
    mw: FloatArray

    @property
    def pairs(self) -> tuple[IntArray, IntArray]:
        """(pairs,) path and offer of every pair; an offer is node x steps + step."""
        steps = self.price.shape[2]
        paths = np.repeat(np.arange(self.seller.size), steps)
        return paths, self.seller[paths] * steps + np.tile(np.arange(steps), self.seller.size)

    def landed(self) -> FloatArray:
        """(scenarios, pairs) landed price of every pair, inf where nothing is offered (market.md A.7)."""
        path, offer = self.pairs
        price = self._offers()[0][:, offer]
        return np.asarray((price + self.price_coe[path]) / self.coe[path])

    def _offers(self) -> tuple[FloatArray, FloatArray]:
        count = self.price.shape[0]
        nothing = np.isnan(self.price) | ~(self.mw > NOTHING_MW)
        price = np.where(nothing, np.inf, self.price).reshape(count, -1)
        return price, np.where(nothing, 0.0, self.mw).reshape(count, -1)


@dataclass(frozen=True)
class Cleared:
    """mw, cost_cny: (curves, scenarios). path_mw, path_price: (curves, scenarios, paths), at the buyer node, not rounded:
    the buyer pays what seller and section owners earn (ruling 5)."""

    mw: FloatArray
    cost_cny: FloatArray
    path_mw: FloatArray
    path_price: FloatArray


def market_of(supply: Supply, price: FloatArray, mw: FloatArray, period: int) -> PeriodMarket:
    """The period (1..96) of offers (scenarios, nodes, steps, 96)."""
    t = period - 1
    return PeriodMarket(
        supply.coe,
        supply.price_coe,
        supply.seller,
        supply.uses,
        supply.atc_mw[:, t],
        price[..., t],
        mw[..., t],
    )


def clear_curves(market: PeriodMarket, curves: Sequence[Sequence[tuple[float, int]]]) -> Cleared:
    """Clear every curve against every scenario of the period."""
    scenarios, count = market.price.shape[0], len(curves)
    segments = max((len(curve) for curve in curves), default=0)
    bid_mw, bid_price = np.zeros((count, segments)), np.zeros((count, segments))
    for c, curve in enumerate(curves):
        for g, (power, price) in enumerate(curve):
            bid_mw[c, g], bid_price[c, g] = power, price
    offers, left = market._offers()
    rows = np.arange(count * scenarios)
    offer_price, left = np.tile(offers, (count, 1)), np.tile(left, (count, 1))
    room = np.tile(market.atc, (rows.size, 1))
    path_of, offer_of = market.pairs
    node_of = market.seller[path_of]
    sold = np.zeros((rows.size, market.seller.size))
    node_price = np.full((rows.size, int(market.seller.max()) + 1), np.nan)
    for g in range(segments):
        bid, wanted = np.repeat(bid_price[:, g], scenarios), np.repeat(bid_mw[:, g], scenarios)
        converted = bid[:, None] * market.coe[path_of] - market.price_coe[path_of]
        spread = converted - offer_price[:, offer_of]
        order = np.argsort(-spread, axis=1, kind="stable")
        for place in range(path_of.size):
            pair = order[:, place]
            d = spread[rows, pair]
            if not ((d >= -SPREAD_NOISE) & (wanted > NOTHING_MW)).any():
                break
            path, offer = path_of[pair], offer_of[pair]
            fits = np.where(market.uses[path], room, np.inf).min(axis=1)
            mw = np.minimum(np.minimum(left[rows, offer], wanted / market.coe[path]), fits)
            mw = np.where((d >= -SPREAD_NOISE) & (mw > NOTHING_MW), mw, 0.0)
            left[rows, offer] -= mw
            room -= market.uses[path] * mw[:, None]
            wanted = wanted - mw * market.coe[path]
            sold[rows, path] += mw
            traded = mw > 0
            last = (converted[rows, pair] + offer_price[rows, offer]) / 2  # S14 4.3.3 a: the last pair
            node_price[rows[traded], node_of[pair][traded]] = last[traded]
    node_price = (
        np.floor(node_price * 1000 + 0.5) / 1000
    )  # half up to 0.001, ruling 19; what is settled, S14 7.3 a
    landed = (node_price[:, market.seller] + market.price_coe) / market.coe
    bought = sold * market.coe
    cost = HOURS * np.where(bought > 0, bought * np.nan_to_num(landed), 0.0).sum(axis=1)
    shape = (count, scenarios)
    return Cleared(
        bought.sum(axis=1).reshape(shape),
        cost.reshape(shape),
        bought.reshape(*shape, -1),
        landed.reshape(*shape, -1),
    )
