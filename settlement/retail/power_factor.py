"""Power-factor adjustment (功率因数调整电费, 力调): percent by standard and cos phi, from a table (market.md B.9)."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from math import isqrt

from market.consumer import PowerFactorTable, StandardRule


def hundredths(active_wh: int, reactive_varh: int) -> int | None:
    """cos phi = round2(P / √(P² + Q²)) in hundredths, half up; None without any energy.

    Raises ValueError for negative energy: a month that delivers has no power factor of use.
    """
    if active_wh < 0 or reactive_varh < 0:
        raise ValueError(
            f"The month has {active_wh} Wh and {reactive_varh} varh; a power factor needs both at 0 or above."
        )
    apparent_squared = active_wh**2 + reactive_varh**2
    if apparent_squared == 0:
        return None
    # ⌊2·100·P/√S⌋ is exact by isqrt, and ⌊(2x + 1)/2⌋ rounds x half up
    return (isqrt(40_000 * active_wh**2 // apparent_squared) + 1) // 2


def percent(tables: Sequence[PowerFactorTable], standard: Decimal, cos_phi: int) -> Decimal:
    """The adjustment in percent, a surcharge positive; ValueError for a standard without a table."""
    for table in tables:
        if table.standard == standard:
            return table.at(cos_phi)
    known = ", ".join(str(table.standard) for table in tables)
    raise ValueError(f"There is no power-factor table for the standard {standard}; the profile has {known}.")


def standard_of(
    rules: Sequence[StandardRule], tariff_class: str, capacity_kva: Decimal | None, own: Decimal | None
) -> Decimal | None:
    """A participant's own standard, else the first rule for its class and capacity; None: not adjusted."""
    if own is not None:
        return own
    fitting = (
        rule.standard
        for rule in rules
        if rule.tariff_class == tariff_class and capacity_kva is not None and capacity_kva >= rule.from_kva
    )
    return next(fitting, None)
