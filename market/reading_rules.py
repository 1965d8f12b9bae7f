"""Limits of the checks of readings and of the estimation ladder, as dated data (market.md C.5, C.6).

Each field is a list of ``{value, unit, clause, valid_from[, valid_to], certainty}``; ``ReadingRules.limits``
picks the values that hold on a day.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Literal

from market.dated import Dated, Strict, on

Stage = Literal["draft", "final", "correction"]
Check = Literal["negative_reading", "reading_above_capacity", "reading_spike"]


@dataclass(frozen=True)
class ReadingLimits:
    """The limits of one day; docs/readings.md says which rule takes which."""

    zero_months: int
    rise_share: Decimal
    rise_floor_mwh: Decimal
    fall_share: Decimal
    year_on_year_share: Decimal
    rollover_share: Decimal
    rates_tolerance_kwh: Decimal
    day_balance_share: Decimal
    month_balance_share: Decimal
    sub_meters_share: Decimal
    reverse_tolerance_kwh: Decimal
    above_capacity_factor: Decimal
    spike_factor: Decimal
    spike_floor_kwh: Decimal
    jump_factor: Decimal
    jump_floor_kwh: Decimal
    flat_periods: int
    substituted_checks: tuple[Check, ...]
    estimation_stages: tuple[Stage, ...]
    short_holiday_days: int
    linear_periods: int


class ReadingRules(Strict):
    """``readings.yaml`` of a profile: every limit with its unit, clause and days."""

    zero_months: tuple[Dated[int], ...]
    rise_share: tuple[Dated[Decimal], ...]
    rise_floor_mwh: tuple[Dated[Decimal], ...]
    fall_share: tuple[Dated[Decimal], ...]
    year_on_year_share: tuple[Dated[Decimal], ...]
    rollover_share: tuple[Dated[Decimal], ...]
    rates_tolerance_kwh: tuple[Dated[Decimal], ...]
    day_balance_share: tuple[Dated[Decimal], ...]
    month_balance_share: tuple[Dated[Decimal], ...]
    sub_meters_share: tuple[Dated[Decimal], ...]
    reverse_tolerance_kwh: tuple[Dated[Decimal], ...]
    above_capacity_factor: tuple[Dated[Decimal], ...]
    spike_factor: tuple[Dated[Decimal], ...]
    spike_floor_kwh: tuple[Dated[Decimal], ...]
    jump_factor: tuple[Dated[Decimal], ...]
    jump_floor_kwh: tuple[Dated[Decimal], ...]
    flat_periods: tuple[Dated[int], ...]
    substituted_checks: tuple[Dated[tuple[Check, ...]], ...]
    estimation_stages: tuple[Dated[tuple[Stage, ...]], ...]
    short_holiday_days: tuple[Dated[int], ...]
    linear_periods: tuple[Dated[int], ...]

    def limits(self, day: date) -> ReadingLimits:
        """The limits that hold on ``day``. Raises RuleNotInForceError where one has no entry, or two."""
        return ReadingLimits(
            **{name: on(getattr(self, name), day, name) for name in ReadingLimits.__match_args__}
        )
