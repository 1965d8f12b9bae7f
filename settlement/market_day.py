"""What a day of wholesale settlement is made from: energy int64 Wh, price int64 0.001 元/MWh (market.md B.1-B.4).

A value that is missing is ``MISSING`` and never zero.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import numpy as np
from numpy.typing import NDArray

from market.money import IntArray


@dataclass(frozen=True)
class Contracts:
    """The day's contract curves: quantity (contracts, 96), price and the party index of each side (-1: outside)."""

    quantity: IntArray
    price: IntArray
    buyer: NDArray[np.intp]
    seller: NDArray[np.intp]


@dataclass(frozen=True)
class Prices:
    """Prices of the day: user and reference (96,), generators' own nodes (generators, 96).

    capacity: one price or (96,) with its time factors. nonmarket: one price of non-market energy, None where the
    profile settles all generation at the market price.
    """

    user_day_ahead: IntArray
    user_real_time: IntArray
    reference: IntArray
    node_day_ahead: IntArray
    node_real_time: IntArray
    capacity: int | IntArray
    nonmarket: int | None = None


@dataclass(frozen=True, kw_only=True)
class Province:
    """Determinants of one day that belong to no user. generation, schedule: (generators, 96); others (96,).

    nonmarket: (generators, 96) 优发 energy within generation, None: none.
    """

    day: date
    residents: IntArray
    generation: IntArray
    schedule: IntArray
    import_day_ahead: IntArray
    import_intraday: IntArray
    prices: Prices
    nonmarket: IntArray | None = None


@dataclass(frozen=True, kw_only=True)
class MarketDay(Province):
    """Determinants of one day. use, position: (users, 96).

    mechanism: (users, 96) 机制电量 within use, on which no capacity is charged, None: none.
    """

    use: IntArray
    position: IntArray
    contracts: Contracts
    mechanism: IntArray | None = None
