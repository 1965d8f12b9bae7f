"""The inter-provincial session cleared again without the response, where it covered the shortage from outside (F3, 1).

Clearing comes as an argument: this room does not know the market's rules. Prices leave as whole mills (0.001 元/MWh).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import pandas as pd

from demand_response.day_selection import FloatArray
from demand_response.sharing import Rise
from market.money import IntArray
from market.periods import PERIODS, PERIODS_PER_HOUR

SESSION = "inter-provincial session cleared again with the response added to the dearest bid, {stage}"


class Cleared(Protocol):
    """What is read of a cleared session."""

    @property
    def trades(self) -> pd.DataFrame: ...
    @property
    def landed_prices(self) -> pd.DataFrame: ...


Clear = Callable[[pd.DataFrame, pd.DataFrame, pd.DataFrame, pd.DataFrame], Cleared]
"""(offers, bids, paths, atc) of one session, as the clearing function of the inter-provincial market takes them."""


@dataclass(frozen=True, eq=False)
class SessionRise:
    """What the session would have done without the response, by quarter-hour (96,).

    rise: mills, how much dearer the node's last path would have landed, never negative, 0 where ``covered`` is False.
    covered: the node bought power in the session. bought_mw: what it would have bought more; unserved_mw: what it would
    have bid for and not got. cost_cny: what its purchases would have cost more, at the landed price of each path.
    """

    rise: IntArray
    covered: np.ndarray[Any, np.dtype[np.bool_]]
    bought_mw: FloatArray
    unserved_mw: FloatArray
    cost_cny: FloatArray

    def over(self, stack: Rise) -> Rise:
        """This session's rise where the node bought, ``stack`` elsewhere; no counterfactual price passes the cap."""

        def rise(load: IntArray, price: IntArray, response: IntArray, headroom: IntArray) -> IntArray:
            within = np.where(response > 0, np.minimum(self.rise, np.maximum(headroom, 0)), 0)
            return np.where(self.covered, within, stack(load, price, response, headroom))

        return rise


def session_without(
    clear: Clear,
    offers: pd.DataFrame,
    bids: pd.DataFrame,
    paths: pd.DataFrame,
    atc: pd.DataFrame,
    node: str,
    response_mw: FloatArray,
) -> SessionRise:
    """Clear a session twice: as it was, and with the response (MW, (96,)) that the node would have had to buy.

    The power is added to the node's dearest bid of the quarter-hour: it is what it needed most. Where the node bid for
    nothing, nothing changes. Tables and errors as the clearing function has them; ValueError for another shape.
    """
    if response_mw.shape != (PERIODS,) or (response_mw < 0).any():
        raise ValueError(
            f"The response has shape {response_mw.shape}; give MW of {PERIODS} quarter-hours, 0 or more."
        )
    own = bids[(bids["node"] == node) & (bids["mw"].astype(float) > 0)]
    dearest = own.assign(price=own["price_cny_per_mwh"].astype(float)).sort_values(
        ["period", "price", "segment"], ascending=[True, False, True], kind="stable"
    )
    dearest = dearest.groupby("period").head(1)
    added = bids.copy()
    added["mw"] = added["mw"].astype(float)
    periods = dearest["period"].to_numpy(dtype=np.intp)
    asked = np.isin(np.arange(1, PERIODS + 1), periods)
    added.loc[dearest.index, "mw"] += response_mw[periods - 1]
    actual = _purchases(clear(offers, bids, paths, atc), node)
    without = _purchases(clear(offers, added, paths, atc), node)
    bought, covered = np.maximum(without.mw - actual.mw, 0), actual.mw > 0
    rise = np.where(covered, np.maximum(without.landed - actual.landed, 0), 0)
    return SessionRise(
        rise=np.floor(rise * 1000 + 0.5).astype(np.int64),
        covered=covered,
        bought_mw=bought,
        unserved_mw=np.where(asked, np.maximum(response_mw - bought, 0), 0),
        cost_cny=without.cost - actual.cost,
    )


@dataclass(frozen=True, eq=False)
class _Purchases:
    """By quarter-hour: MW bought, dearest landed price 元/MWh (0 without a purchase), cost 元."""

    mw: FloatArray
    landed: FloatArray
    cost: FloatArray


def _purchases(cleared: Cleared, node: str) -> _Purchases:
    trades = cleared.trades[cleared.trades["buyer_node"] == node]
    priced = trades.merge(
        cleared.landed_prices.rename(columns={"price_cny_per_mwh": "landed"}), on=["period", "path_id"]
    )
    mw, landed, cost = np.zeros(PERIODS), np.zeros(PERIODS), np.zeros(PERIODS)
    at = priced["period"].to_numpy(dtype=np.intp) - 1
    power, price = priced["buy_mw"].to_numpy(dtype=np.float64), priced["landed"].to_numpy(dtype=np.float64)
    np.add.at(mw, at, power)
    np.maximum.at(landed, at, price)
    np.add.at(cost, at, power * price / PERIODS_PER_HOUR)
    return _Purchases(mw, landed, cost)
