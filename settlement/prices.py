"""The user price: one province-wide price an hour (SD25, market.md B.2; ruling 6)."""

from __future__ import annotations

from operator import mul

import numpy as np

from market.curves import MISSING, is_missing
from market.money import IntArray, half_up_ratio
from market.periods import PERIODS, PERIODS_PER_HOUR


def hourly_user_price(node_price: IntArray, weight: IntArray | None = None) -> IntArray:
    """User price of each hour, repeated over its four periods: Σ P_τ·G_τ / ΣG_τ, half up to 0.001 元/MWh.

    node_price: (nodes, 96) 0.001 元/MWh. weight: (nodes, 96) Wh of market generation, or None for a simple
    mean. Returns (96,); MISSING for an hour in which a price or weight is missing or all weights are zero.
    """
    P, G = _by_hour(node_price), _by_hour(np.ones_like(node_price) if weight is None else weight)
    missing = np.asarray((is_missing(P) | is_missing(G)).any(axis=1)).tolist()
    hours = [
        MISSING if gap or sum(g) == 0 else half_up_ratio(sum(map(mul, p, g)), sum(g))  # ruling 6
        for gap, p, g in zip(missing, P.tolist(), G.tolist(), strict=True)
    ]
    return np.repeat(np.array(hours, dtype=np.int64), PERIODS_PER_HOUR)


def _by_hour(values: IntArray) -> IntArray:
    """(nodes, 96) as (24, nodes x 4)."""
    hours = PERIODS // PERIODS_PER_HOUR
    return values.reshape(-1, hours, PERIODS_PER_HOUR).swapaxes(0, 1).reshape(hours, -1)
