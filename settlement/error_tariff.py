"""差错电量: how the energy of a metering error is priced after the final version (SD25, market.md B.11).

Grain: one meter and month, Wh by quarter-hour. An error below the threshold adjusts the monthly total alone: the
settled curve keeps its shape and carries the corrected total, so every Wh more or less costs what the user's settled
energy cost on average: the real-time price weighted by its own energy on the market, its agency price or its package's
average on its bill. An error of the threshold or more is settled in its own quarter-hours.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction

import numpy as np

from market.money import IntArray, apportion, half_up, half_up_ratio

MONTHLY_TOTAL = "monthly_total"
EXACT_BELOW = 1_000_000  # a multiplier below 1,000 (0.001): every Wh has a reading in 1e-6 kWh that gives it


class Pricing(StrEnum):
    """How one meter's error is priced."""

    MONTHLY_TOTAL = "monthly_total"
    OWN_QUARTER_HOUR = "own_quarter_hour"


@dataclass(frozen=True)
class MeterError:
    """One meter whose month changed, in Wh: settled, corrected, and Σ|error| over its quarter-hours.

    whole: the meter took energy only, in the whole month, under one multiplier, in both versions.
    """

    meter_id: str
    participant_id: str
    kind: str
    settled_wh: int
    corrected_wh: int
    error_wh: int
    whole: bool

    def pricing(self, threshold: Decimal, kinds: frozenset[str]) -> Pricing:
        """The rule for this meter: Σ|error| below ``threshold`` of the corrected month, of a user of these kinds."""
        small = self.error_wh < Fraction(threshold) * self.corrected_wh
        spreadable = self.whole and self.kind in kinds and self.settled_wh > 0
        return Pricing.MONTHLY_TOTAL if small and spreadable else Pricing.OWN_QUARTER_HOUR


def spread(settled_wh: IntArray, corrected_wh: int, multiplier_milli: int) -> IntArray:
    """Readings (1e-6 kWh, before the multiplier) whose month is ``corrected_wh`` in the settled month's shape.

    settled_wh: (days, 96), not negative, not all zero. multiplier_milli: 0.001. The sum is exact in Wh for a multiplier
    below 1,000; from there on the sum of readings is the corrected month's, rounded once to 1e-6 kWh.
    """
    weights = settled_wh.reshape(-1)
    exact = multiplier_milli < EXACT_BELOW
    total = corrected_wh if exact else half_up_ratio(corrected_wh * 1_000_000, multiplier_milli)
    keys = [f"{place:05d}" for place in range(len(weights))]
    parts = apportion(total, weights.tolist(), keys)
    if exact:
        parts = [half_up_ratio(part * 1_000_000, multiplier_milli) for part in parts]
    return np.array(parts, np.int64).reshape(settled_wh.shape)


def average_price(settled_wh: IntArray, price: IntArray) -> int:
    """The price weighted by the settled energy, 0.001 元/MWh, half up: Σ P_RT·E / ΣE. price: (days, 96)."""
    money = int((settled_wh.astype(object) * price.astype(object)).sum())
    return half_up(Fraction(money, int(settled_wh.sum())))
