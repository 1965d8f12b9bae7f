"""Meter energy: readings times multiplier, rounded once to Wh (ruling 8, energy_rounding none)."""

from __future__ import annotations

import numpy as np

from market.curves import MISSING, is_missing
from market.money import INT64_MAX, IntArray, OverflowBoundError, half_up_array, peak


def wh_of_reading(reading: IntArray, multiplier_milli: IntArray) -> IntArray:
    """Meter energy in Wh: reading (1e-6 kWh) times multiplier (0.001), then once to Wh, half up (ruling 8).

    reading: (rows, 96), MISSING allowed. multiplier_milli: (rows,). Raises OverflowBoundError past int64.
    """
    gaps = is_missing(reading) if reading.size and reading.min() == MISSING else None
    known = reading if gaps is None else np.where(gaps, 0, reading)
    whole = (multiplier_milli % 1000 == 0).all()
    factor, divisor = (multiplier_milli // 1000, 1000) if whole else (multiplier_milli, 1_000_000)
    if peak(known) * peak(factor) > INT64_MAX // 2:
        raise OverflowBoundError(
            f"A reading of {peak(known)} x 1e-6 kWh times a multiplier of {peak(multiplier_milli)} x 0.001 "
            "could pass int64; check the meter's multiplier."
        )
    scaled_up = known if (factor == 1).all() else known * factor[:, None]
    energy = half_up_array(scaled_up, divisor)
    return energy if gaps is None else np.where(gaps, MISSING, energy)
