"""Matching of one period: largest spread first, ties shared, scaled to transfer capability (S14 4.3.2 a-i).

A pair is (seller segment, buyer segment, path) (ruling 17). Segment prices never change while a period
clears, so the pairs are sorted by spread once and walked; what changes is which of them still have power and
capability.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from optimization.clearing_inputs import FloatArray, IntArray, Paths, Session

TIE_CNY_PER_MWH = 1e-6  # spreads that differ by less are equal (ruling 17)
EXACT_TIE = Fraction(1, 1_000_000)
SPREAD_NOISE = 1e-9  # float spreads are good to about 1e-11; nearer to a decision than this, fractions decide
NOTHING_MW = (
    1.0001e-6  # a remainder of 1e-6 MW is zero (ruling 19); 20.000001 - 20 is a little more in binary
)
RATIO_NOISE = 1e-12  # two equally violated sections may differ by this in floats
LOOK_AHEAD = 256  # pairs looked at together in the search for the next open one

Positions = NDArray[np.intp]


@dataclass
class Matched:
    """Trades of a period in the order they were made: indices into the session, MW at the seller node."""

    seller: list[int] = field(default_factory=list)
    buyer: list[int] = field(default_factory=list)
    path: list[int] = field(default_factory=list)
    mw: list[float] = field(default_factory=list)


def match(session: Session, sellers: IntArray, buyers: IntArray, limit: FloatArray) -> Matched:
    """Clear one period.

    sellers, buyers: indices of the period's offers and bids, ascending. limit: (sections,) MW at the seller
    node. Trades of at most 1e-6 MW are zero and left out.
    """
    sellers = sellers[session.offers.mw[sellers] > NOTHING_MW]
    buyers = buyers[session.bids.mw[buyers] > NOTHING_MW]
    return _Period(session, sellers, buyers, limit).clear()


def _pairs(
    seller_nodes: IntArray, buyer_nodes: IntArray, paths: Paths
) -> tuple[IntArray, IntArray, IntArray]:
    """Every (seller, buyer, path) as positions in the period's node arrays, which ascend."""
    first_seller = np.searchsorted(seller_nodes, paths.seller, "left")
    first_buyer = np.searchsorted(buyer_nodes, paths.buyer, "left")
    sellers = np.searchsorted(seller_nodes, paths.seller, "right") - first_seller
    buyers = np.searchsorted(buyer_nodes, paths.buyer, "right") - first_buyer
    count = sellers * buyers
    path = np.repeat(np.arange(count.size), count)
    within = np.arange(path.size) - np.repeat(np.cumsum(count) - count, count)
    seller = first_seller[path] + within // np.maximum(buyers, 1)[path]
    buyer = first_buyer[path] + within % np.maximum(buyers, 1)[path]
    return seller, buyer, path


class _Period:
    def __init__(self, session: Session, sellers: IntArray, buyers: IntArray, limit: FloatArray) -> None:
        self.offers, self.bids, self.paths = session.offers, session.bids, session.paths
        self.sellers, self.buyers = sellers, buyers
        self.sell_left, self.buy_left = self.offers.mw[sellers], self.bids.mw[buyers]
        self.capability = limit.copy()
        self.sell_open = np.ones(sellers.size, dtype=bool)
        self.buy_open = np.ones(buyers.size, dtype=bool)
        self.path_open = self.paths.incidence @ (limit <= NOTHING_MW) == 0
        self.converted: dict[tuple[int, int], Fraction] = {}
        self.seller, self.buyer, self.path, self.spread = self._sorted_pairs()
        self.matched = Matched()

    def _sorted_pairs(self) -> tuple[IntArray, IntArray, IntArray, FloatArray]:
        """Pairs whose spread is not below zero, largest spread first (4.3.2 a-c)."""
        seller, buyer, path = _pairs(self.offers.node[self.sellers], self.bids.node[self.buyers], self.paths)
        converted = self.bids.price[self.buyers][buyer] * self.paths.coe[path] - self.paths.price_coe[path]
        spread = converted - self.offers.price[self.sellers][seller]
        keep = (spread > -SPREAD_NOISE) & self.path_open[path]
        for pair in np.flatnonzero(keep & (spread < SPREAD_NOISE)).tolist():
            offer = self.offers.exact[int(self.sellers[seller[pair]])]
            keep[pair] = self._converted(int(buyer[pair]), int(path[pair])) >= offer
        kept = np.flatnonzero(keep)
        order = kept[np.argsort(-spread[kept])]
        return seller[order], buyer[order], path[order], spread[order]

    def _converted(self, buyer: int, path: int) -> Fraction:
        """The bid at the seller node, exact (4.3.1)."""
        if (buyer, path) not in self.converted:
            bid = self.bids.exact[int(self.buyers[buyer])]
            self.converted[buyer, path] = self.paths.cost[path].converted(bid)
        return self.converted[buyer, path]

    def clear(self) -> Matched:
        position = self._next_open(0)
        while position < self.spread.size:
            tied = self._tied(position)
            if tied is None:
                self._trade_alone(position)
            else:
                self._trade_tied(tied)
            position = self._next_open(position)
        return self.matched

    def _open(self, start: int, stop: int) -> NDArray[np.bool_]:
        power = self.sell_open[self.seller[start:stop]] & self.buy_open[self.buyer[start:stop]]
        return np.asarray(power & self.path_open[self.path[start:stop]], dtype=np.bool_)

    def _next_open(self, position: int) -> int:
        while position < self.spread.size:
            is_open = self._open(position, position + LOOK_AHEAD)
            first = int(is_open.argmax())
            if is_open[first]:
                return position + first
            position += LOOK_AHEAD
        return position

    def _tied(self, position: int) -> Positions | None:
        """Open pairs whose spread equals that of the open pair at ``position``; None if it stands alone."""
        top = self.spread[position]
        reach = TIE_CNY_PER_MWH + SPREAD_NOISE
        if position + 1 == self.spread.size or top - self.spread[position + 1] >= reach:
            return None
        stop = int(np.searchsorted(-self.spread, reach - top, "left"))
        tied = position + np.flatnonzero(self._open(position, stop))
        if (top - self.spread[tied] > TIE_CNY_PER_MWH - SPREAD_NOISE).any():
            exact = [
                self._converted(buyer, path) - self.offers.exact[int(self.sellers[seller])]
                for seller, buyer, path in zip(
                    self.seller[tied].tolist(),
                    self.buyer[tied].tolist(),
                    self.path[tied].tolist(),
                    strict=True,
                )
            ]
            largest = max(exact)
            tied = tied[[largest - spread < EXACT_TIE for spread in exact]]
        return tied if tied.size > 1 else None

    def _trade_alone(self, position: int) -> None:
        seller, buyer, path = (
            int(self.seller[position]),
            int(self.buyer[position]),
            int(self.path[position]),
        )
        sections = self.paths.sections[path]
        coe = self.paths.coe[path]
        mw = min(self.sell_left[seller], self.buy_left[buyer] / coe)
        for section in sections:
            mw = min(mw, self.capability[section])  # 4.3.2 f for one pair
        self._book(seller, buyer, path, float(mw))
        self.sell_left[seller] -= mw
        self.buy_left[buyer] -= mw * coe
        self.sell_open[seller] = self.sell_left[seller] > NOTHING_MW
        self.buy_open[buyer] = self.buy_left[buyer] > NOTHING_MW
        for section in sections:
            self.capability[section] -= mw
            if self.capability[section] <= NOTHING_MW:
                self.path_open[self.paths.incidence[:, section] > 0] = False

    def _trade_tied(self, tied: Positions) -> None:
        seller, buyer, path = self.seller[tied], self.buyer[tied], self.path[tied]
        coe = self.paths.coe[path]
        sell_decl, buy_decl = self.sell_left[seller], self.buy_left[buyer] / coe
        # 4.3.2 d: shares by what stands on the other side, summed over the tied pairs; e: the smaller share
        seller_share = sell_decl * buy_decl / np.bincount(seller, buy_decl)[seller]
        buyer_share = buy_decl * sell_decl / np.bincount(buyer, sell_decl)[buyer]
        mw = np.minimum(seller_share, buyer_share)
        mw, flow = self._within_capability(mw, path)

        offer = self.offers.price[self.sellers][seller]
        # of tied pairs the highest offer is the last and sets the price of its node (ruling 19)
        for k in np.lexsort((path, buyer, seller, self.spread[tied], offer)).tolist():
            self._book(int(seller[k]), int(buyer[k]), int(path[k]), float(mw[k]))
        self.sell_left -= np.bincount(seller, mw, self.sell_left.size)
        self.buy_left -= np.bincount(buyer, mw * coe, self.buy_left.size)
        self.capability -= flow
        self.sell_open = self.sell_left > NOTHING_MW
        self.buy_open = self.buy_left > NOTHING_MW
        self.path_open = self.paths.incidence @ (self.capability <= NOTHING_MW) == 0

    def _within_capability(self, mw: FloatArray, path: IntArray) -> tuple[FloatArray, FloatArray]:
        """4.3.2 f: scale the pairs on the worst violated section until none is; also each section's flow."""
        on_path = np.bincount(path, mw, len(self.paths.cost))
        factor = np.ones(on_path.size)
        while True:
            pending = (on_path * factor) @ self.paths.incidence
            ratio = np.divide(pending, self.capability, out=np.zeros_like(pending), where=pending > 0)
            worst = ratio.max(initial=0.0)
            if worst <= 1 + RATIO_NOISE:
                return mw * factor[path], pending
            section = int((ratio >= worst * (1 - RATIO_NOISE)).argmax())  # ties: the smallest section id
            factor[self.paths.incidence[:, section] > 0] *= self.capability[section] / pending[section]

    def _book(self, seller: int, buyer: int, path: int, mw: float) -> None:
        if mw > NOTHING_MW:
            self.matched.seller.append(int(self.sellers[seller]))
            self.matched.buyer.append(int(self.buyers[buyer]))
            self.matched.path.append(path)
            self.matched.mw.append(mw)
