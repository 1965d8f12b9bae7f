"""Paths to the buyer node and what they can carry: the import side of the morning bid.

MW of a bid and of a flow stand at the buyer node, transfer capability (可用输电能力) at the seller node
(ruling 18); the loss coefficient of the path lies between them. Prices 元/MWh.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from market.paths import path_cost
from market.periods import PERIODS

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class Supply:
    """Paths that end at the buyer node, by path_id.

    coe, price_coe: (paths,) of market.md A.7. uses: (paths, sections), True where the path passes the section.
    seller: (paths,) index into ``seller_nodes``. atc_mw: (sections, 96) MW at the seller node, inf without limit.
    """

    buyer_node: str
    path_ids: tuple[str, ...]
    seller_nodes: tuple[str, ...]
    section_ids: tuple[str, ...]
    seller: NDArray[np.int64]
    coe: FloatArray
    price_coe: FloatArray
    uses: NDArray[np.bool_]
    atc_mw: FloatArray

    def landed(self, seller_price: FloatArray) -> FloatArray:
        """Prices at the seller nodes (…, nodes, 96) at the buyer node over each path: (…, paths, 96)."""
        at_path = np.take(seller_price, self.seller, axis=-2)
        return np.asarray((at_path + self.price_coe[:, None]) / self.coe[:, None])  # market.md A.7

    def carried(self, landed: FloatArray, period: int) -> FloatArray:
        """MW at the buyer node each path carries when filled, cheapest first.

        landed: (paths,) in this period (1-based), NaN for a path without an offer. Returns (paths,), inf where
        nothing limits. Equal landed prices fill by path_id.
        """
        return self._filled(landed, self.atc_mw[:, period - 1])

    def carried_together(self, atc_mw: FloatArray) -> float:
        """MW at the buyer node of all paths with capability (sections,), the smallest loss filled first."""
        return float(self._filled(-self.coe, atc_mw).sum())

    def _filled(self, landed: FloatArray, atc_mw: FloatArray) -> FloatArray:
        room = atc_mw.copy()
        carried = np.zeros(len(self.path_ids))
        for path in np.argsort(landed, kind="stable"):
            if np.isnan(landed[path]):
                continue
            at_seller = room[self.uses[path]].min(initial=np.inf)
            carried[path] = at_seller * self.coe[path]
            if np.isfinite(at_seller):
                room[self.uses[path]] -= at_seller
        return carried

    def carried_by_node(self) -> FloatArray:
        """(nodes, 96) MW at the seller that the paths of each node carry together, the smallest loss filled first."""
        found = np.zeros((len(self.seller_nodes), PERIODS))
        for node in range(len(self.seller_nodes)):
            own = np.where(self.seller == node, -self.coe, np.nan)
            for t in range(1, PERIODS + 1):
                found[node, t - 1] = (self.carried(own, t) / self.coe).sum()
        return found

    def capability(self) -> FloatArray:
        """MW (96,) at the buyer node that all paths together can bring in, the smallest loss filled first."""
        return np.array([self.carried_together(self.atc_mw[:, t]) for t in range(PERIODS)])


def supply(paths: pd.DataFrame, atc: pd.DataFrame, buyer_node: str) -> Supply:
    """Paths and transfer capability as arrays.

    paths: path_id, seq, section_id, seller_node, buyer_node, tariff_cny_per_mwh, loss_rate, as for clear();
    rows of other buyer nodes are left out. atc: section_id, period, mw; a section without a row has no limit.
    Raises ValueError when no path ends at the buyer node.
    """
    own = paths[paths["buyer_node"] == buyer_node].sort_values(["path_id", "seq"])
    if own.empty:
        raise ValueError(f"No path ends at {buyer_node}; load the tables paths and sections for this node.")
    path_ids = tuple(sorted(own["path_id"].unique()))
    section_ids = tuple(sorted(own["section_id"].unique()))
    by_path = dict(list(own.groupby("path_id")))
    costs = [path_cost(_sections(by_path[path_id])) for path_id in path_ids]
    sellers = [str(by_path[path_id]["seller_node"].iloc[0]) for path_id in path_ids]
    seller_nodes = tuple(sorted(set(sellers)))
    limits = np.full((len(section_ids), PERIODS), np.inf)
    for section_id, period, mw in zip(atc["section_id"], atc["period"], atc["mw"], strict=True):
        if section_id in section_ids:
            limits[section_ids.index(section_id), int(period) - 1] = float(mw)
    return Supply(
        buyer_node=buyer_node,
        path_ids=path_ids,
        seller_nodes=seller_nodes,
        section_ids=section_ids,
        seller=np.array([seller_nodes.index(node) for node in sellers], dtype=np.int64),
        coe=np.array([float(cost.coe) for cost in costs]),
        price_coe=np.array([float(cost.price_cny_per_mwh) for cost in costs]),
        uses=np.array([[s in set(by_path[p]["section_id"]) for s in section_ids] for p in path_ids]),
        atc_mw=limits,
    )


def _sections(rows: pd.DataFrame) -> Sequence[tuple[Decimal, Decimal]]:
    pairs = zip(rows["tariff_cny_per_mwh"], rows["loss_rate"], strict=True)
    return [(Decimal(str(tariff)), Decimal(str(loss))) for tariff, loss in pairs]
