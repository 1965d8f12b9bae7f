"""The Shanxi table of bid prices for shortage purchases (SX15 §10; market.md A.11 (2)): a bid without a solver.

Price = max(pre-clearing price, this month's agency price) x k, by situation, band of the day and MW wanted. The table
rises with the MW while a bid must fall, so the whole bid of a period stands at the k of its own size.
"""

from __future__ import annotations

from datetime import date

import numpy as np

from market.periods import PERIODS, PERIODS_PER_HOUR
from optimization.forecast import FloatArray
from optimization.purchase import Bid, Procurement, bid_of

BLOCKS_MW = (500, 1000, 1500, 2000)
SUPPLY_PROTECTION, PEAK_SEASON, OTHER = "supply_protection", "peak_season", "other"  # 保电期, 迎峰度夏/冬
PEAK, FLAT, VALLEY = "peak", "flat", "valley"
LAST_RESORT_CNY_PER_MWH = 3000  # 3 元/kWh: supply protection, peak, above 2,000 MW
K = {
    (SUPPLY_PROTECTION, PEAK): (1.7, 1.8, 1.9, 2.0, None),
    (SUPPLY_PROTECTION, FLAT): (1.5, 1.6, 1.7, 1.9, 2.0),
    (SUPPLY_PROTECTION, VALLEY): (1.2, 1.3, 1.4, 1.5, 1.6),
    (PEAK_SEASON, PEAK): (1.6, 1.7, 1.8, 1.9, 2.0),
    (PEAK_SEASON, FLAT): (1.4, 1.5, 1.6, 1.7, 1.8),
    (PEAK_SEASON, VALLEY): (1.2, 1.3, 1.4, 1.5, 1.6),
    (OTHER, PEAK): (1.5, 1.6, 1.7, 1.8, 1.9),
    (OTHER, FLAT): (1.3, 1.4, 1.5, 1.6, 1.7),
    (OTHER, VALLEY): (1.1, 1.2, 1.3, 1.4, 1.5),
}


def situation(day: date) -> str:
    """Peak season in June to September and November to February; supply protection is declared, never guessed."""
    return PEAK_SEASON if day.month in (6, 7, 8, 9, 11, 12, 1, 2) else OTHER


def band(period: int) -> str:
    """Peak 8-11 and 17-23 (SX15); valley 23-7 (our assumption), flat otherwise."""
    hour = (period - 1) / PERIODS_PER_HOUR
    if 8 <= hour < 11 or 17 <= hour < 23:
        return PEAK
    return VALLEY if hour >= 23 or hour < 7 else FLAT


def table_price(reference: float, wanted_mw: int, period: int, state: str) -> int:
    """Whole 元/MWh for MW wanted in a period; reference: the larger of pre-clearing and agency price."""
    k = K[state, band(period)][int(np.searchsorted(BLOCKS_MW, wanted_mw, side="left"))]
    return LAST_RESORT_CNY_PER_MWH if k is None else round(reference * k)


def table_bid(
    problem: Procurement, day: date, agency_price: float | None = None, state: str | None = None
) -> Bid:
    """The expected gap at the table's price within the market's limits.

    agency_price: 元/MWh; None takes the day's mean provincial price. Raises nothing: it is what is left when a
    solver is not.
    """
    floor, cap = int(problem.rules.floor_cny_per_mwh), int(problem.rules.cap_cny_per_mwh)
    reference = np.maximum(problem.provincial_price, _agency(problem.provincial_price, agency_price))
    need = np.minimum(np.ceil(problem.scenarios.expected_gap_mw() - 1e-9), problem.bid_limit_mw()).astype(
        np.int64
    )
    return bid_of(
        (
            t,
            int(need[t - 1]),
            min(cap, max(floor, _price(reference, int(need[t - 1]), t, state or situation(day)))),
        )
        for t in range(1, PERIODS + 1)
        if need[t - 1] > 0
    )


def _price(reference: FloatArray, wanted: int, t: int, state: str) -> int:
    return table_price(float(reference[t - 1]), wanted, t, state)


def _agency(provincial: FloatArray, agency_price: float | None) -> float:
    return float(provincial.mean()) if agency_price is None else agency_price
