"""The user price: one province-wide price an hour (SD25, market.md B.2; ruling 6)."""

from __future__ import annotations

import numpy as np

from market.curves import MISSING, is_missing
from market.money import IntArray, half_up_ratio, wide_sum
from market.periods import PERIODS, PERIODS_PER_HOUR


def hourly_user_price(node_price: IntArray, weight: IntArray | None = None) -> IntArray:
    """User price of each hour, repeated over its four periods: Σ P_τ·G_τ / ΣG_τ, half up to 0.001 元/MWh.

    node_price: (nodes, 96) 0.001 元/MWh. weight: (nodes, 96) Wh of market generation, or None for a simple
    mean. Returns (96,); MISSING for an hour in which a price or weight is missing or all weights are zero.
    """
    if weight is None:
        weight = np.ones_like(node_price)
    hours = []
    for start in range(0, PERIODS, PERIODS_PER_HOUR):
        P = node_price[:, start : start + PERIODS_PER_HOUR]
        G = weight[:, start : start + PERIODS_PER_HOUR]
        if P.size == 0 or is_missing(P).any() or is_missing(G).any() or wide_sum(G) == 0:
            hours.append(MISSING)
            continue
        weighted = sum(p * g for p, g in zip(P.ravel().tolist(), G.ravel().tolist(), strict=True))
        hours.append(half_up_ratio(weighted, wide_sum(G)))  # ruling 6
    return np.repeat(np.array(hours, dtype=np.int64), PERIODS_PER_HOUR)
