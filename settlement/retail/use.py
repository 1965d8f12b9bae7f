"""What a bill rests on: energy of every consumer by day and time-of-use period, and who it was on which day."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from functools import cached_property

import numpy as np

from market.money import IntArray
from settlement.day import BoolArray
from settlement.retail.packages import Choice, Package


@dataclass(frozen=True)
class Customer:
    """A consumer as it stands on some days: kind, class, voltage band, supplier, and what it agreed to.

    supplier: its retailer, the grid company for agency users and residents. package: None for a retail user without
    one in effect.
    """

    kind: str
    tariff_class: str
    band: str
    supplier: str
    capacity_kva: Decimal | None = None
    basic_fee: str | None = None
    standard: Decimal | None = None
    package: Package | None = None
    choice: Choice | None = None


@dataclass(frozen=True)
class Span:
    """Days ``first`` … ``after`` (indices, exclusive end) on which nobody's terms and no price changes.

    customers: one entry a row of the use, None where it is no consumer on these days.
    """

    first: int
    after: int
    customers: tuple[Customer | None, ...]


@dataclass(frozen=True)
class ConsumerUse:
    """Energy of the month: periods (rows, days, 5) Wh, missing (rows, days).

    spot: stage -> (rows, days) Σ Q_τ·P_τ in 1e-9 元 of rows whose package follows it; spot_missing: (rows, days).
    reactive_varh, demand_w: of the month, None (or absent) where not delivered.
    """

    participants: tuple[str, ...]
    days: tuple[date, ...]
    periods: IntArray
    missing: BoolArray
    spot: Mapping[str, IntArray]
    spot_missing: Mapping[str, BoolArray]
    reactive_varh: Mapping[str, int | None] = field(default_factory=dict)
    demand_w: Mapping[str, int | None] = field(default_factory=dict)

    @cached_property
    def energy(self) -> IntArray:
        """(rows, days) Wh."""
        return np.asarray(self.periods.sum(axis=2), np.int64)

    @cached_property
    def incomplete(self) -> list[bool]:
        """By row: True where any day of the month is missing."""
        gaps: list[bool] = np.asarray(self.missing.any(axis=1)).tolist()
        return gaps
