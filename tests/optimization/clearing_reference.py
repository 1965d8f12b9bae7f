"""A slow, literal second clearing: S14 4.3.1-4.3.3 step by step in fractions, every pair looked at anew each time.

It shares no code with the engine but the tables' column names. Rulings 17-19 and 22 say how clauses are read.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pandas as pd

from market.paths import PathCost, path_cost
from market.profiles import profile
from optimization.clearing import Clearing, clear
from optimization.clearing_inputs import ATC_COLUMNS, PATH_COLUMNS, SEGMENT_COLUMNS

NOTHING = Fraction(1, 1_000_000)  # ruling 19: a millionth of a MW is zero; ruling 17: of a yuan, equal
TRIAL, RULE_2026 = "IPSPOT_2022_TRIAL", "IPSPOT_2026"

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

    def clear(self, rules: str = TRIAL) -> Clearing:
        return clear(*self.frames(), profile=rules)

    def cost(self, path_id: str) -> PathCost:
        return path_cost(self.section_rates(path_id))

    def section_rates(self, path_id: str) -> list[tuple[Decimal, Decimal]]:
        rows = sorted(row for row in self.paths if row[0] == path_id)
        return [(exact(tariff), exact(loss)) for *_, tariff, loss in rows]


def exact(number: float) -> Decimal:
    return Decimal(str(number))


@dataclass
class Segment:
    """What is left of a segment, and its price, both at its own node."""

    node: str
    number: int
    left: Fraction
    price: Fraction


@dataclass(frozen=True)
class Path:
    """seller to buyer: what arrives of one MWh, what its transport costs (A.7), what it passes."""

    path_id: str
    seller: str
    buyer: str
    coe: Fraction
    price_coe: Fraction
    sections: tuple[str, ...]


@dataclass(frozen=True)
class Trade:
    path: Path
    sell_segment: int
    buy_segment: int
    mw: Fraction

    @property
    def key(self) -> Row:
        return (self.path.path_id, self.sell_segment, self.buy_segment)


@dataclass(frozen=True)
class Cleared:
    """One period: trades in order, and the unrounded price of each seller node."""

    trades: list[Trade]
    price: dict[str, Fraction]


def reference(market: Market, rules: str = TRIAL) -> dict[int, Cleared]:
    """Every period from the first with offers or bids to the last."""
    terms = profile(rules).traded
    paths = _paths(market)
    declared = [row[1] for row in (*market.offers, *market.bids)]
    periods = range(min(declared, default=1), max(declared, default=0) + 1)
    cleared: dict[int, Cleared] = {}
    before: dict[str, Fraction] | None = None
    for period in periods:
        room = {section: Fraction(str(mw)) for section, t, mw in market.atc if t == period}
        if terms.ramp_mw is not None and before is not None:  # 3.4.3 b
            for section in {name for path in paths for name in path.sections}:
                most = before.get(section, Fraction(0)) + Fraction(terms.ramp_mw)
                room[section] = min(room.get(section, most), most)
        trades, price = _period(market, period, paths, room)
        if terms.truncate_seller_mw:  # 3.4.3 a
            trades = _cut(trades)
        cleared[period] = Cleared(trades, price)
        before = {}
        for trade in trades:
            for section in trade.path.sections:
                before[section] = before.get(section, Fraction(0)) + trade.mw
    return cleared


def _paths(market: Market) -> list[Path]:
    found = []
    for path_id in sorted({row[0] for row in market.paths}):
        rows = sorted(row for row in market.paths if row[0] == path_id)
        coe, price_coe = Fraction(1), Fraction(0)
        for *_, tariff, loss in rows:
            coe *= 1 - Fraction(str(loss))
            price_coe += Fraction(str(tariff)) * coe
        seller, buyer = rows[0][3], rows[0][4]
        if seller != buyer:  # 3.2.1
            found.append(Path(path_id, seller, buyer, coe, price_coe, tuple(row[2] for row in rows)))
    return found


def _segments(rows: list[Row], period: int) -> list[Segment]:
    return [
        Segment(node, number, Fraction(str(mw)), Fraction(str(price)))
        for node, t, number, mw, price in sorted(rows)
        if t == period
    ]


def _period(
    market: Market, period: int, paths: list[Path], room: dict[str, Fraction]
) -> tuple[list[Trade], dict[str, Fraction]]:
    sellers, buyers = _segments(market.offers, period), _segments(market.bids, period)
    trades: list[Trade] = []
    price: dict[str, Fraction] = {}
    while True:
        pairs = [
            (buyer.price * path.coe - path.price_coe - seller.price, path, seller, buyer)
            for path in paths
            for seller in sellers
            for buyer in buyers
            if (seller.node, buyer.node) == (path.seller, path.buyer)
            if seller.left > NOTHING and buyer.left > NOTHING
            if all(room.get(section, NOTHING + 1) > NOTHING for section in path.sections)
        ]
        largest = max((spread for spread, *_ in pairs), default=Fraction(-1))
        if largest < 0:  # 4.3.2 c, i
            return trades, price
        tied = [pair for pair in pairs if pair[0] > largest - NOTHING and pair[0] >= 0]
        wanted = [buyer.left / path.coe for _, path, _, buyer in tied]
        mw = []
        for (_, _, seller, buyer), here in zip(tied, wanted, strict=True):  # d, e
            of_seller = sum(w for (_, _, other, _), w in zip(tied, wanted, strict=True) if other is seller)
            of_buyer = sum(other.left for _, _, other, mine in tied if mine is buyer)
            mw.append(min(seller.left * here / of_seller, here * seller.left / of_buyer))
        while True:  # f
            pending = {
                section: sum(q for q, (_, path, *_) in zip(mw, tied, strict=True) if section in path.sections)
                for section in sorted(room)
            }
            over = {section: p / room[section] for section, p in pending.items() if p > room[section]}
            if not over:
                break
            worst = min(section for section in over if over[section] == max(over.values()))
            mw = [
                q / over[worst] if worst in path.sections else q
                for q, (_, path, *_) in zip(mw, tied, strict=True)
            ]
        for (_, path, seller, buyer), q in sorted(
            zip(tied, mw, strict=True), key=lambda one: one[0][2].price
        ):
            seller.left -= q  # g, h
            buyer.left -= q * path.coe
            for section in path.sections:
                if section in room:
                    room[section] -= q
            if q > NOTHING:
                trades.append(Trade(path, seller.number, buyer.number, q))
                converted = buyer.price * path.coe - path.price_coe
                price[seller.node] = (converted + seller.price) / 2  # 4.3.3 a


def _cut(trades: list[Trade]) -> list[Trade]:
    """Seller MW of a path to an integer, from its last trade backwards (ruling 19)."""
    left = list(trades)
    for path in {trade.path for trade in trades}:
        total = sum((trade.mw for trade in trades if trade.path == path), Fraction(0))
        excess = max(Fraction(0), total - (total + NOTHING) // 1)
        for place in reversed(range(len(left))):
            if left[place].path == path:
                taken = min(excess, left[place].mw)
                excess -= taken
                trade = left[place]
                left[place] = Trade(trade.path, trade.sell_segment, trade.buy_segment, trade.mw - taken)
    return [trade for trade in left if trade.mw > NOTHING]
