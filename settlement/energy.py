"""Energy charges of one participant and day: real time, day ahead, contract (market.md B.1-B.2).

Grain: arrays (rows, 96), one row a participant-day. Energy int64 Wh, price int64 0.001 元/MWh, result
int64 1e-9 元. Positive is a charge to a consumer; a generator's revenue is the negative of the same
expression. A value may be ``market.curves.MISSING``; what depends on it is MISSING too.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from market.curves import MISSING
from market.money import INT64_MAX, IntArray, OverflowBoundError, peak
from market.periods import PERIODS


def by_difference_in_price(
    use: ArrayLike,
    day_ahead: ArrayLike,
    contract: ArrayLike,
    contract_price: ArrayLike,
    reference_price: ArrayLike,
    day_ahead_price: ArrayLike,
    real_time_price: ArrayLike,
) -> IntArray:
    """Mode 1 (差价), JB1217: Q_DA·P_DA + (Q_act − Q_DA)·P_RT + Q_mlt·(P_c − P_ref), per period.

    use, day_ahead, contract: (rows, 96) Wh. Prices: (96,), (rows, 96), (rows, 1) or a single one, 0.001 元/MWh.
    Returns (rows, 96) 1e-9 元. Raises ValueError for other shapes or fractions, OverflowBoundError past int64.
    """
    (Q_act, Q_DA, Q_mlt), (P_c, P_ref, P_DA, P_RT), gaps = _aligned(
        {"use": use, "day_ahead": day_ahead, "contract": contract},
        {
            "contract_price": contract_price,
            "reference_price": reference_price,
            "day_ahead_price": day_ahead_price,
            "real_time_price": real_time_price,
        },
    )
    amount = Q_DA * P_DA + (Q_act - Q_DA) * P_RT + Q_mlt * (P_c - P_ref)  # JB1217 mode 1
    return np.where(gaps, MISSING, amount)


def by_difference_in_quantity(
    use: ArrayLike,
    day_ahead: ArrayLike,
    contract: ArrayLike,
    contract_price: ArrayLike,
    day_ahead_price: ArrayLike,
    real_time_price: ArrayLike,
) -> IntArray:
    """Mode 2 (差量), JB1217: Q_mlt·P_c + (Q_DA − Q_mlt)·P_DA + (Q_act − Q_DA)·P_RT, per period.

    Shapes, units and errors as ``by_difference_in_price``; equal to it where P_ref = P_DA.
    """
    (Q_act, Q_DA, Q_mlt), (P_c, P_DA, P_RT), gaps = _aligned(
        {"use": use, "day_ahead": day_ahead, "contract": contract},
        {
            "contract_price": contract_price,
            "day_ahead_price": day_ahead_price,
            "real_time_price": real_time_price,
        },
    )
    amount = Q_mlt * P_c + (Q_DA - Q_mlt) * P_DA + (Q_act - Q_DA) * P_RT  # JB1217 mode 2
    return np.where(gaps, MISSING, amount)


def _aligned(
    energies: dict[str, ArrayLike], prices: dict[str, ArrayLike]
) -> tuple[list[IntArray], list[IntArray], np.ndarray[tuple[int, ...], np.dtype[np.bool_]]]:
    quantities = {name: _whole(name, value) for name, value in energies.items()}
    shape = next(iter(quantities.values())).shape
    for name, value in quantities.items():
        if value.ndim != 2 or value.shape[1] != PERIODS or value.shape != shape:
            raise ValueError(
                f"{name} has shape {value.shape}; every energy must be (rows, {PERIODS}) with the same rows."
            )
    levels = {}
    for name, raw in prices.items():
        value = _whole(name, raw)
        try:
            levels[name] = np.broadcast_to(value, shape)
        except ValueError:
            raise ValueError(
                f"{name} has shape {value.shape}; a price must fit {shape}: give ({PERIODS},), (rows, 1) or {shape}."
            ) from None
    every = [*quantities.values(), *levels.values()]
    gaps = np.logical_or.reduce([value == MISSING for value in every])
    known_quantities = [np.where(value == MISSING, 0, value) for value in quantities.values()]
    known_prices = [np.where(value == MISSING, 0, value) for value in levels.values()]
    # every product is of at most a difference of two energies with a difference of two prices, three are added
    bound = 3 * 2 * max(map(peak, known_quantities)) * 2 * max(map(peak, known_prices))
    if bound > INT64_MAX:
        raise OverflowBoundError(
            f"An energy of {max(map(peak, known_quantities))} Wh at {max(map(peak, known_prices))} x 0.001 元/MWh "
            "could pass int64; check the units: Wh and 0.001 元/MWh."
        )
    return known_quantities, known_prices, gaps


def _whole(name: str, value: ArrayLike) -> IntArray:
    array = np.asarray(value)
    if array.dtype.kind not in "iu":
        raise ValueError(
            f"{name} is {array.dtype}; energy is whole Wh and price whole 0.001 元/MWh (integers)."
        )
    return array.astype(np.int64, copy=False)
