"""Clearing against one buyer, for many curves and scenarios at once (S14 4.3.2-4.3.3, market.md A.8).

With a single buyer the largest spread always belongs to its dearest MW that is left, so a period clears segment by
segment: dear to cheap, each over its (offer, path) pairs by falling spread. The price of a seller node is the mean of
its last pair, whatever the earlier pairs were. The result is that of ``optimization.clearing`` (a test compares them
on random sessions), an array operation instead of a session: MW at the buyer node, prices 元/MWh, cost 元 of the
quarter-hour. Equal spreads fill in the order of path and offer instead of in proportion, which moves no cost unless
tied pairs have different offers.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
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
ROWS_AT_ONCE = 4096
Curve = tuple[tuple[int, int], ...]  # (MW, 元/MWh), dear to cheap
BidCurve = Sequence[tuple[float, int]]  # the same with MW that need not be whole


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


def clear_curves(market: PeriodMarket, curves: Sequence[BidCurve]) -> Cleared:
    """Clear every curve against every scenario of the period."""
    return clear_periods([market], [curves])[0]


def clear_periods(markets: Sequence[PeriodMarket], curves: Sequence[Sequence[BidCurve]]) -> list[Cleared]:
    """The curves of each market against every scenario of it, all markets at once.

    The markets have the same paths and sections; capability and offers are their own.
    """
    if not markets:
        return []
    rows = _Rows.of(markets, curves)
    parts = [_cleared(markets[0], rows.part(one)) for one in rows.parts()]
    mw, cost, path_mw, path_price = (np.concatenate(one) for one in zip(*parts, strict=True))
    found, first = [], 0
    for market, own in zip(markets, curves, strict=True):
        shape = (len(own), market.price.shape[0])
        here = slice(first, first := first + shape[0] * shape[1])
        found.append(
            Cleared(
                mw[here].reshape(shape),
                cost[here].reshape(shape),
                path_mw[here].reshape(*shape, -1),
                path_price[here].reshape(*shape, -1),
            )
        )
    return found


@dataclass(frozen=True)
class _Rows:
    """One row a (market, curve, scenario): bid (rows, segments), offers (rows, offers), room (rows, sections)."""

    bid_mw: FloatArray
    bid_price: FloatArray
    offer_price: FloatArray
    offer_mw: FloatArray
    room: FloatArray

    @classmethod
    def of(cls, markets: Sequence[PeriodMarket], curves: Sequence[Sequence[BidCurve]]) -> _Rows:
        segments = max((len(curve) for own in curves for curve in own), default=0)
        bid_mw, bid_price, offer_price, offer_mw, room = [], [], [], [], []
        for market, own in zip(markets, curves, strict=True):
            bids = np.zeros((len(own), segments, 2))
            for c, curve in enumerate(own):
                bids[c, : len(curve)] = curve or np.zeros((0, 2))
            price, mw = market._offers()
            bids = np.repeat(bids, len(price), axis=0)
            bid_mw.append(bids[..., 0])
            bid_price.append(bids[..., 1])
            offer_price.append(np.tile(price, (len(own), 1)))
            offer_mw.append(np.tile(mw, (len(own), 1)))
            room.append(np.tile(market.atc, (len(bids), 1)))
        return cls(*(np.concatenate(one) for one in (bid_mw, bid_price, offer_price, offer_mw, room)))

    def parts(self) -> Iterator[slice]:
        """Rows that fit the cache of the processor together."""
        return (slice(n, n + ROWS_AT_ONCE) for n in range(0, max(len(self.bid_mw), 1), ROWS_AT_ONCE))

    def part(self, one: slice) -> _Rows:
        arrays = (self.bid_mw, self.bid_price, self.offer_price, self.offer_mw, self.room)
        return _Rows(*(array[one] for array in arrays))


def _cleared(network: PeriodMarket, rows: _Rows) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """MW, cost, MW and landed price of every path of the rows."""
    count = len(rows.bid_mw)
    path_of, offer_of = network.pairs
    node_of, coe, price_coe = network.seller[path_of], network.coe[path_of], network.price_coe[path_of]
    sections = _sections(network.uses)
    left = rows.offer_mw.copy()
    room = np.column_stack([rows.room, np.full(count, np.inf)])  # the last stands for no section
    sold = np.zeros((count, network.seller.size))
    node_price = np.full((count, int(network.seller.max()) + 1), np.nan)
    for g in range(rows.bid_mw.shape[1]):
        row = np.flatnonzero(rows.bid_mw[:, g] > NOTHING_MW)
        wanted = rows.bid_mw[row, g]
        converted = rows.bid_price[row, g][:, None] * coe - price_coe
        spread = converted - rows.offer_price[row][:, offer_of]
        order = np.argsort(-spread, axis=1, kind="stable")
        at = np.arange(row.size)
        for place in range(path_of.size):
            pair = order[at, place]
            on = (spread[at, pair] >= -SPREAD_NOISE) & (wanted > NOTHING_MW)  # spreads fall, wants too
            at, row, wanted, pair = at[on], row[on], wanted[on], pair[on]
            if not at.size:
                break
            path, offer = path_of[pair], offer_of[pair]
            through = sections[path]
            fits = room[row[:, None], through].min(axis=1)
            mw = np.minimum(np.minimum(left[row, offer], wanted / coe[pair]), fits)
            mw = np.where(mw > NOTHING_MW, mw, 0.0)
            left[row, offer] -= mw
            room[row[:, None], through] -= mw[:, None]
            wanted = wanted - mw * coe[pair]
            sold[row, path] += mw
            traded = mw > 0
            last = (converted[at, pair] + rows.offer_price[row, offer]) / 2  # S14 4.3.3 a: the last pair
            node_price[row[traded], node_of[pair][traded]] = last[traded]
    # half up to 0.001, ruling 19; what is settled, S14 7.3 a
    node_price = np.floor(node_price * 1000 + 0.5) / 1000
    landed = (node_price[:, network.seller] + network.price_coe) / network.coe
    bought = sold * network.coe
    cost = HOURS * np.where(bought > 0, bought * np.nan_to_num(landed), 0.0).sum(axis=1)
    return bought.sum(axis=1), cost, bought, landed


def _sections(uses: NDArray[np.bool_]) -> IntArray:
    """(paths, most) the sections of each path, filled up with the number of sections, which stands for none."""
    most = int(uses.sum(axis=1).max(initial=1))
    found = np.full((len(uses), most), uses.shape[1], dtype=np.int64)
    for path, own in enumerate(uses):
        found[path, : own.sum()] = np.flatnonzero(own)
    return found
