"""What the session page counts from a cleared session: energy, money, prices and capability used.

Energy MWh of a quarter-hour is MW x 0.25. Money is at published prices: sellers at the node, buyers at the landed
price, section owners by their tariff on the energy that leaves the section (S14 7.3; market.md A.7, A.10).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from market.paths import PathCost, path_cost, section_revenue_per_mwh
from market.periods import LABELS, PERIODS_PER_HOUR
from optimization.clearing import Clearing

FloatArray = NDArray[np.float64]
FULL = 1.0  # MW, the step of the market: a section that keeps less than this of its capability is full
NOTHING = 1e-3  # MW
PRICE_STEP = 1e-3  # 元/MWh, of published prices
PATHS_DRAWN = 6  # of a seller node with more paths only those that traded are drawn


@dataclass(frozen=True)
class NodeTotal:
    """A seller node or a path over the session; prices 元/MWh, average by energy."""

    name: str
    periods: int
    sell_mwh: float
    buy_mwh: float
    lowest: float
    average: float
    highest: float
    cny: float


@dataclass(frozen=True)
class SectionUse:
    """A section over the session; MW at the seller node. share: largest use over capability, None without limit."""

    name: str
    periods: int
    mwh: float
    highest_mw: float
    share: float | None
    full_periods: int


@dataclass(frozen=True)
class SessionNumbers:
    """A cleared session with the tables it came from, as clear() takes them."""

    offers: pd.DataFrame
    bids: pd.DataFrame
    paths: pd.DataFrame
    atc: pd.DataFrame
    clearing: Clearing

    @cached_property
    def periods(self) -> list[int]:
        """Periods with offers or bids."""
        return sorted({int(period) for frame in (self.offers, self.bids) for period in frame["period"]})

    @cached_property
    def costs(self) -> dict[str, PathCost]:
        """Loss coefficient and transmission price by path."""
        return {path_id: path_cost(rates) for path_id, rates in self._rates.items()}

    @cached_property
    def ends(self) -> dict[str, tuple[str, str]]:
        """Seller and buyer node by path, path ids in order."""
        first = self.paths.sort_values(["path_id", "seq"]).drop_duplicates("path_id")
        return {
            str(row.path_id): (str(row.seller_node), str(row.buyer_node))
            for row in first.itertuples()
            if row.seller_node != row.buyer_node
        }

    @cached_property
    def trades(self) -> pd.DataFrame:
        """The trades with the published seller price and landed price beside them."""
        cleared = self.clearing
        named = cleared.seller_prices.rename(
            columns={"node": "seller_node", "price_cny_per_mwh": "seller_price"}
        )
        landed = cleared.landed_prices.rename(columns={"price_cny_per_mwh": "landed_price"})
        return cleared.trades.merge(named, on=["period", "seller_node"]).merge(
            landed, on=["period", "path_id"]
        )

    def nodes(self) -> list[NodeTotal]:
        """Seller nodes that sold, by name."""
        return self._totals("seller_node", "seller_price", "sell_mw")

    def landed(self) -> list[NodeTotal]:
        """Paths that were traded, by id."""
        return self._totals("path_id", "landed_price", "buy_mw")

    @property
    def sell_mwh(self) -> float:
        """Energy at the seller nodes."""
        return float(self.trades["sell_mw"].sum()) / PERIODS_PER_HOUR

    @property
    def buy_mwh(self) -> float:
        """Energy at the buyer nodes."""
        return float(self.trades["buy_mw"].sum()) / PERIODS_PER_HOUR

    @property
    def seller_cny(self) -> float:
        """Revenue of the sellers."""
        return self._money("sell_mw", "seller_price")

    @property
    def buyer_cny(self) -> float:
        """Cost of the buyers at the landed prices."""
        return self._money("buy_mw", "landed_price")

    @property
    def transmission_cny(self) -> float:
        """Revenue of the section owners."""
        per_mwh = {
            path_id: float(sum(section_revenue_per_mwh(rates), Decimal(0)))
            for path_id, rates in self._rates.items()
        }
        each = self.trades["path_id"].map(per_mwh).to_numpy(dtype=np.float64)
        return float(self.trades["sell_mw"].to_numpy(dtype=np.float64) @ each) / PERIODS_PER_HOUR

    @cached_property
    def section_ids(self) -> list[str]:
        """Sections of the paths."""
        return sorted({str(name) for name in self.paths["section_id"]})

    @cached_property
    def used_mw(self) -> FloatArray:
        """(sections, periods) MW at the seller node on each section (ruling 18)."""
        passes = pd.crosstab(self.paths["path_id"], self.paths["section_id"])
        flow = np.zeros((len(self.section_ids), len(self.periods)))
        place = {period: column for column, period in enumerate(self.periods)}
        on_path = self.trades.groupby(["path_id", "period"])["sell_mw"].sum()
        for (path_id, period), mw in on_path.items():
            flow[:, place[period]] += passes.loc[path_id, self.section_ids].to_numpy() * mw
        return flow

    @cached_property
    def limit_mw(self) -> FloatArray:
        """(sections, periods) MW that may pass; inf without a row."""
        limit = np.full((len(self.section_ids), len(self.periods)), np.inf)
        rows = {name: row for row, name in enumerate(self.section_ids)}
        columns = {period: column for column, period in enumerate(self.periods)}
        for name, period, mw in zip(self.atc["section_id"], self.atc["period"], self.atc["mw"], strict=True):
            if str(name) in rows and int(period) in columns:
                limit[rows[str(name)], columns[int(period)]] = float(mw)
        return limit

    @cached_property
    def used_share(self) -> FloatArray:
        """(sections, periods) use over capability; NaN without a limit, and where nothing can pass."""
        open_ = np.isfinite(self.limit_mw) & (self.limit_mw > 0)
        return np.divide(self.used_mw, self.limit_mw, out=np.full(open_.shape, np.nan), where=open_)

    def sections(self) -> list[SectionUse]:
        """Every section of the paths, the fullest first."""
        full = (self.used_mw > self.limit_mw - FULL) & (self.used_mw > NOTHING)
        uses = []
        for row, name in enumerate(self.section_ids):
            used, share = self.used_mw[row], self.used_share[row]
            uses.append(
                SectionUse(
                    name=name,
                    periods=int((used > NOTHING).sum()),
                    mwh=float(used.sum()) / PERIODS_PER_HOUR,
                    highest_mw=float(used.max(initial=0.0)),
                    share=None if np.isnan(share).all() else float(np.nanmax(share)),
                    full_periods=int(full[row].sum()),
                )
            )
        return sorted(uses, key=lambda one: (-(one.share or 0.0), one.name))

    def price_grid(self, column: str) -> tuple[list[str], FloatArray]:
        """Names and (names, periods) prices, NaN where nothing was sold; column: node or path_id."""
        frame = self.clearing.seller_prices if column == "node" else self.clearing.landed_prices
        names = sorted({str(name) for name in frame[column]})
        grid = np.full((len(names), len(self.periods)), np.nan)
        for period, name, price in frame.itertuples(index=False):
            grid[names.index(str(name)), self.periods.index(int(period))] = float(price)
        return names, grid

    def pictures(self) -> dict[str, Any]:
        """What the page draws for the period a reader chooses, as plain values: stacks, trades, prices."""
        by_period = {
            name: dict(list(frame.groupby("period", sort=False)))
            for name, frame in (("offers", self.offers), ("bids", self.bids), ("trades", self.trades))
        }
        return {
            "periods": [
                self._picture(period, {name: frames.get(period) for name, frames in by_period.items()})
                for period in self.periods
            ]
        }

    @cached_property
    def _rates(self) -> dict[str, list[tuple[Decimal, Decimal]]]:
        rates: dict[str, list[tuple[Decimal, Decimal]]] = {}
        for row in self.paths.sort_values(["path_id", "seq"]).itertuples():
            pair = Decimal(str(row.tariff_cny_per_mwh)), Decimal(str(row.loss_rate))
            rates.setdefault(str(row.path_id), []).append(pair)
        return rates

    def _money(self, mw: str, price: str) -> float:
        return float((self.trades[mw] * self.trades[price]).sum()) / PERIODS_PER_HOUR

    def _totals(self, column: str, price: str, mw: str) -> list[NodeTotal]:
        totals = []
        for name, rows in self.trades.groupby(column):
            cny = float((rows[mw] * rows[price]).sum()) / PERIODS_PER_HOUR
            mwh = float(rows[mw].sum()) / PERIODS_PER_HOUR
            totals.append(
                NodeTotal(
                    name=str(name),
                    periods=int(rows["period"].nunique()),
                    sell_mwh=float(rows["sell_mw"].sum()) / PERIODS_PER_HOUR,
                    buy_mwh=float(rows["buy_mw"].sum()) / PERIODS_PER_HOUR,
                    lowest=float(rows[price].min()),
                    average=cny / mwh,
                    highest=float(rows[price].max()),
                    cny=cny,
                )
            )
        return totals

    def _picture(self, period: int, frames: dict[str, pd.DataFrame | None]) -> dict[str, Any]:
        offers, bids = _curves(frames["offers"]), _curves(frames["bids"])
        trades = frames["trades"]
        prices = (
            {} if trades is None else dict(zip(trades["seller_node"], trades["seller_price"], strict=True))
        )
        landed = {} if trades is None else dict(zip(trades["path_id"], trades["landed_price"], strict=True))
        sold = {} if trades is None else trades.groupby("seller_node")["sell_mw"].sum().to_dict()
        nodes = []
        for node in sorted({seller for seller, _ in self.ends.values()} & set(offers)):
            reached = self._drawn(node, bids, landed)
            nodes.append(
                {
                    "node": node,
                    "offers": [[mw, price] for mw, price in offers[node]],
                    "bids": [
                        {
                            "path": path,
                            "buyer": self.ends[path][1],
                            "steps": self._converted(path, bids[self.ends[path][1]]),
                            "landed": landed.get(path),
                        }
                        for path in reached
                    ],
                    "sold": round(float(sold.get(node, 0.0)), 3),
                    "price": prices.get(node),
                    "pair": None if trades is None else _last_pair(trades, node),
                }
            )
        return {
            "period": period,
            "label": LABELS[period - 1] if period <= len(LABELS) else str(period),
            "nodes": nodes,
            "trades": [] if trades is None else _trade_rows(trades),
        }

    def _drawn(self, node: str, bids: Mapping[str, Any], landed: Mapping[str, float]) -> list[str]:
        """Paths from a node to the nodes that bid; of many those that traded, or else the first by bid."""
        reached = [path for path, (seller, buyer) in self.ends.items() if seller == node and buyer in bids]
        if len(reached) <= PATHS_DRAWN:
            return reached
        traded = [path for path in reached if path in landed]
        best = sorted(reached, key=lambda path: -self._converted(path, bids[self.ends[path][1]])[0][1])
        return traded or best[:PATHS_DRAWN]

    def _converted(self, path_id: str, curve: Sequence[tuple[float, float]]) -> list[list[float]]:
        """A buyer's steps at the seller node over a path: MW / coe1, price by A.7."""
        cost = self.costs[path_id]
        coe, price_coe = float(cost.coe), float(cost.price_cny_per_mwh)
        return [[round(mw / coe, 3), round(price * coe - price_coe, 3)] for mw, price in curve]


def _curves(frame: pd.DataFrame | None) -> dict[str, list[tuple[float, float]]]:
    """Steps (MW, price) by node, in the order of their segments."""
    curves: dict[str, list[tuple[float, float]]] = {}
    if frame is not None:
        for row in frame.sort_values("segment").itertuples():
            curves.setdefault(str(row.node), []).append((float(row.mw), float(row.price_cny_per_mwh)))
    return curves


def _last_pair(trades: pd.DataFrame, node: str) -> list[float] | None:
    """Converted bid and offer whose mean is the node's price; None where truncation cut the last pair away."""
    own = trades[trades["seller_node"] == node]
    if own.empty:
        return None
    last = own.loc[own["order"].idxmax()]
    bid, offer = float(last["converted_buy_price"]), float(last["sell_price"])
    shown = abs((bid + offer) / 2 - float(last["seller_price"])) < PRICE_STEP
    return [round(bid, 3), round(offer, 3)] if shown else None


def _trade_rows(trades: pd.DataFrame) -> list[list[Any]]:
    return [
        [
            int(row.order),
            str(row.path_id),
            str(row.seller_node),
            str(row.buyer_node),
            int(row.sell_segment),
            int(row.buy_segment),
            round(float(row.sell_mw), 3),
            round(float(row.buy_mw), 3),
            round(float(row.sell_price), 3),
            round(float(row.converted_buy_price), 3),
            round(float(row.spread), 3),
        ]
        for row in trades.sort_values("order").itertuples()
    ]
