"""Programmes and events: the terms on which a response is called, judged and paid (F1).

Terms come from data (``dr_programs``, the rule profile); a wrong one is refused where the object is made.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction
from typing import TypeVar

from market.periods import PERIODS


class Kind(StrEnum):
    """紧急型 is paid and shared; 经济型 settles inside the spot market, so its cost is not shared (A1.2)."""

    EMERGENCY = "emergency"
    ECONOMIC = "economic"


class Product(StrEnum):
    """约定, 日前邀约, 日内, 实时."""

    AGREED = "agreed"
    DAY_AHEAD = "day_ahead"
    INTRADAY = "intraday"
    REAL_TIME = "real_time"


class Direction(StrEnum):
    """削峰 or 填谷."""

    CUT = "cut"
    FILL = "fill"


class PriceUnit(StrEnum):
    """元 per kW and event, or 元 per kWh."""

    PER_KW_EVENT = "per_kw_event"
    PER_KWH = "per_kwh"


class Test(StrEnum):
    """规则二 or 规则一 of A3."""

    __test__ = False  # not a test class for pytest

    AVERAGE = "average"
    MAX_AND_AVERAGE = "max_and_average"


Member = TypeVar("Member", bound=StrEnum)


@dataclass(frozen=True, kw_only=True)
class Program:
    """Terms of a programme. Strings are accepted for the enumerations.

    ``price_cny``: the programme's price in ``price_unit``; None when every award carries its own.
    ``floor``, ``cap``: shares of the commitment. ``time_coefficients``: (minutes from, factor) in rising order.
    ``penalty_share`` R1 and ``penalty_factor`` M: both or neither (A6); ``penalty_price_cny_per_kwh`` is the
    price of a missing kWh where awards are priced per kW and event. ``fund_id``: who pays instead of the market.
    """

    program_id: str
    kind: Kind | str
    product: Product | str
    direction: Direction | str
    price_unit: PriceUnit | str
    price_cny: Decimal | None = None
    floor: Decimal = Decimal("0.8")
    cap: Decimal = Decimal("1.2")
    minimum_minutes: int = 60
    test: Test | str = Test.AVERAGE
    time_coefficients: tuple[tuple[int, Decimal], ...] = ((60, Decimal(1)),)
    penalty_share: Decimal | None = None
    penalty_factor: Decimal | None = None
    penalty_price_cny_per_kwh: Decimal | None = None
    capacity_price_cny_per_kw_month: Decimal | None = None
    fund_id: str | None = None

    def __post_init__(self) -> None:
        for name, members in _CODES.items():
            object.__setattr__(
                self, name, _member(members, getattr(self, name), f"{self.program_id}: {name}")
            )
        for name in (
            "price_cny",
            "penalty_share",
            "penalty_factor",
            "penalty_price_cny_per_kwh",
            "capacity_price_cny_per_kw_month",
        ):
            value = getattr(self, name)
            if value is not None and value < 0:
                raise ValueError(f"Program {self.program_id}: {name} is {value}; give 0 or more.")
        if not 0 < self.floor <= self.cap:
            raise ValueError(
                f"Program {self.program_id}: the band runs from {self.floor} to {self.cap}; "
                "floor and cap are shares of the commitment with 0 < floor <= cap."
            )
        if self.minimum_minutes < 0:
            raise ValueError(
                f"Program {self.program_id}: minimum_minutes is {self.minimum_minutes}; give 0 or more."
            )
        steps = [minutes for minutes, _ in self.time_coefficients]
        if (
            not steps
            or steps != sorted(set(steps))
            or any(factor < 0 for _, factor in self.time_coefficients)
        ):
            raise ValueError(
                f"Program {self.program_id}: time_coefficients {self.time_coefficients} are not a table; "
                "give (minutes from, factor) with rising minutes and factors of 0 or more."
            )
        if (self.penalty_share is None) != (self.penalty_factor is None):
            raise ValueError(
                f"Program {self.program_id}: a penalty needs penalty_share (R1) and penalty_factor (M); give both or neither."
            )
        if (
            self.has_penalty
            and self.price_unit == PriceUnit.PER_KW_EVENT
            and self.penalty_price_cny_per_kwh is None
        ):
            raise ValueError(
                f"Program {self.program_id}: a penalty counts missing kWh, but awards are priced per kW and event; "
                "give penalty_price_cny_per_kwh."
            )

    @property
    def has_penalty(self) -> bool:
        """True when a shortfall below R1 of the award is charged."""
        return self.penalty_share is not None

    @property
    def shares_cost(self) -> bool:
        """True when the compensation goes to payers; economic response is paid by its own spot deviation."""
        return self.kind == Kind.EMERGENCY

    def time_coefficient(self, effective_minutes: int) -> Decimal:
        """The factor of the longest step reached, 0 below the first (timeCoef of A3)."""
        reached = [factor for minutes, factor in self.time_coefficients if minutes <= effective_minutes]
        return reached[-1] if reached else Decimal(0)


@dataclass(frozen=True, kw_only=True)
class Event:
    """One call of a programme: quarter-hours ``first_period`` to ``last_period`` of ``date``, 1-based, inclusive."""

    event_id: str
    program_id: str
    date: dt.date
    first_period: int
    last_period: int
    direction: Direction | str = Direction.CUT
    announced_at: dt.datetime | None = None
    need_mw: Decimal | None = None

    def __post_init__(self) -> None:
        object.__setattr__(
            self, "direction", _member(Direction, self.direction, f"{self.event_id}: direction")
        )
        if not 1 <= self.first_period <= self.last_period <= PERIODS:
            raise ValueError(
                f"Event {self.event_id} runs from period {self.first_period} to {self.last_period}; "
                f"periods go from 1 to {PERIODS}, first to last."
            )

    @property
    def hours(self) -> Fraction:
        """Length of the event."""
        return Fraction(self.last_period - self.first_period + 1, 4)

    def known_to_day_ahead(self, cleared_at: dt.datetime) -> bool:
        """True when the event was announced before day-ahead clearing, so that it moved that price (ruling 25)."""
        if self.announced_at is None:
            raise ValueError(
                f"Event {self.event_id} has no announced_at; without it nobody can say whether the day-ahead market knew."
            )
        return self.announced_at < cleared_at


_CODES: dict[str, type[StrEnum]] = {
    "kind": Kind,
    "product": Product,
    "direction": Direction,
    "price_unit": PriceUnit,
    "test": Test,
}


def _member(members: type[Member], value: str, where: str) -> Member:
    try:
        return members(value)
    except ValueError:
        known = ", ".join(member.value for member in members)
        raise ValueError(f"{where} is {value!r}; choose one of {known}.") from None
