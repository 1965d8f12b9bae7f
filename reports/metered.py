"""Metered energy of one participant as its statement shows it: 96 points a day, and one row a meter."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import NamedTuple

from market.money import IntArray


@dataclass(frozen=True)
class Curve:
    """Metered energy by day: (days, 96) Wh, MISSING where missing; estimated: day -> Wh that was not measured."""

    days: tuple[date, ...]
    energy: IntArray
    estimated: Mapping[date, int] = field(default_factory=dict)


class MeterMonth(NamedTuple):
    """A meter under one multiplier over the month, Wh as settled, consumption positive.

    days: days with readings; expected: days on which the meter is valid. ``energy`` is None while a reading is
    missing. moved, estimated: Wh without their sign, all and what was not measured.
    """

    meter_id: str
    multiplier: Decimal
    direction: int
    days: int
    expected: int
    energy: int | None
    moved: int
    estimated: int

    @property
    def measured_share(self) -> Decimal | None:
        """Of the energy; None where there is none."""
        return 1 - Decimal(self.estimated) / self.moved if self.moved else None


@dataclass(frozen=True)
class Metered:
    """What a participant's statement shows of its meters: the curve it is settled by, and its own meters."""

    curve: Curve
    meters: tuple[MeterMonth, ...] = ()
