"""What a bill rests on: energy of every consumer by day and time-of-use period, and who it was on which day."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from decimal import Decimal
from functools import cached_property

import numpy as np

from market.money import IntArray, apportioned_rows
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

    def part(self, rows: slice) -> Span:
        """The same days of some consumers."""
        return replace(self, customers=self.customers[rows])


@dataclass(frozen=True)
class ConsumerUse:
    """Energy of the month: periods (rows, days, 5) Wh, missing (rows, days).

    spot: stage -> (rows, days) Σ Q_τ·P_τ in 1e-9 元 of rows whose package follows it; spot_missing: (rows, days).
    reactive_varh, demand_w: of the month, None (or absent) where not delivered. levelled: (rows, days) Wh by which the
    month's registers go beyond the days, spread over them; None where no register is delivered.
    """

    participants: tuple[str, ...]
    days: tuple[date, ...]
    periods: IntArray
    missing: BoolArray
    spot: Mapping[str, IntArray]
    spot_missing: Mapping[str, BoolArray]
    reactive_varh: Mapping[str, int | None] = field(default_factory=dict)
    demand_w: Mapping[str, int | None] = field(default_factory=dict)
    levelled: IntArray | None = None

    def part(self, rows: slice) -> ConsumerUse:
        """The same of some consumers: a bill rests on nobody else's energy."""
        return replace(
            self,
            participants=self.participants[rows],
            periods=self.periods[rows],
            missing=self.missing[rows],
            spot={stage: amounts[rows] for stage, amounts in self.spot.items()},
            spot_missing={stage: gaps[rows] for stage, gaps in self.spot_missing.items()},
            levelled=None if self.levelled is None else self.levelled[rows],
        )

    @cached_property
    def energy(self) -> IntArray:
        """(rows, days) Wh."""
        return np.asarray(self.periods.sum(axis=2), np.int64)

    @cached_property
    def by_register(self) -> IntArray:
        """(rows, days) Wh of the month's registers, levelled over the days (抄见电量调平): what a flat price is charged on."""
        return self.energy if self.levelled is None else self.energy + self.levelled

    @cached_property
    def incomplete(self) -> list[bool]:
        """By row: True where any day of the month is missing."""
        gaps: list[bool] = np.asarray(self.missing.any(axis=1)).tolist()
        return gaps


@dataclass(frozen=True)
class UseTotals:
    """What is left of a month's use once it is billed. active_wh: of those whose days are complete."""

    active_wh: Mapping[str, int]
    reactive_varh: Mapping[str, int | None]
    demand_w: Mapping[str, int | None]

    @classmethod
    def of(cls, use: ConsumerUse) -> UseTotals:
        """The totals of every consumer."""
        whole = zip(use.participants, use.periods.sum(axis=(1, 2)).tolist(), use.incomplete, strict=True)
        return cls({who: wh for who, wh, gap in whole if not gap}, use.reactive_varh, use.demand_w)


def levelled(
    participants: Sequence[str], energy: IntArray, difference: Mapping[str, int | None]
) -> IntArray | None:
    """What registers find beyond the days, over the days by their energy (SD25 抄见电量调平; market.md C.4).

    energy: (rows, days) Wh. difference: Wh of the month by participant; None is a month whose days are missing and
    levels nothing. A month without energy has it on its last day. None where there is no difference at all.
    """
    beyond = np.array([difference.get(who) or 0 for who in participants], np.int64)
    rows = np.flatnonzero(beyond)
    if not len(rows):
        return None
    spread = np.zeros(energy.shape, np.int64)
    weights = np.maximum(energy[rows], 0)
    used = weights.any(axis=1)
    spread[rows[used]] = apportioned_rows(beyond[rows[used]], weights[used])
    spread[rows[~used], -1] = beyond[rows[~used]]
    return spread
