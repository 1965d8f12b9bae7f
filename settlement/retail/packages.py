"""Retail packages (零售套餐): what a retail user pays its retailer by the package it chose (SD25 12.2; market.md B.10).

Prices are whole 0.001 元/MWh ("mills"), energy Wh, amounts exact 1e-11 元 unless a name says otherwise.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from fractions import Fraction
from typing import Literal

import numpy as np

from market.money import INT64_MAX, IntArray, OverflowBoundError, half_up, peak
from market.periods import Month

Kind = Literal["fixed", "spot_linked", "mixed", "reference_linked"]
TEN_THOUSAND = 10_000
E11_PER_FEN = 10**9
WH_PER_MWH = 1_000_000


@dataclass(frozen=True)
class Package:
    """One package. fixed_percent: of the energy priced by period (100 fixed, 0 linked, 1-99 mixed).

    period_mills: sharp, peak, flat, valley, deep valley. x1, x2, green_share: 1/10,000. c2_fen: fen.
    """

    package_id: str
    retailer_id: str
    kind: Kind
    fixed_percent: int
    period_mills: tuple[int | None, ...]
    linked_to: str | None = None
    spread_mills: int = 0
    cap_mills: int | None = None
    x1: int | None = None
    x2: int | None = None
    y1_mills: int = 0
    y2_mills: int = 0
    c1_mills: int | None = None
    c2_fen: int | None = None
    green_share: int = 0
    green_mills: int = 0

    def incomplete(self) -> str | None:
        """What the package lacks to be priced, as a clause of a sentence; None where it is whole."""
        if self.kind == "mixed" and not 1 <= self.fixed_percent <= 99:
            return f"is mixed but fixes {self.fixed_percent} % instead of 1 to 99 %"
        if self.fixed_percent and None in self.period_mills:
            return "has no price for every period"
        if self.kind in ("spot_linked", "mixed") and self.linked_to is None:
            return "does not say which spot price it follows"
        return None


@dataclass(frozen=True)
class Choice:
    """What a user signed. term_ends: first day after the term; ended_early_on: when it gave notice."""

    participant_id: str
    package_id: str
    signed_on: date
    valid_from: date
    valid_to: date | None = None
    agreed_wh: int | None = None
    term_ends: date | None = None
    ended_early_on: date | None = None

    @property
    def effective_from(self) -> date:
        """A package takes effect next month at the earliest (SD25 12.2)."""
        return max(self.valid_from, Month.of(self.signed_on).after)

    @property
    def effective_to(self) -> date | None:
        """Exclusive end; a notice takes effect next month as well."""
        ends = [end for end in (self.valid_to, self.term_ends) if end is not None]
        if self.ended_early_on is not None:
            ends.append(Month.of(self.ended_early_on).after)
        return min(ends, default=None)

    def holds(self, day: date) -> bool:
        """True on a day on which the package is in effect."""
        return self.effective_from <= day and (self.effective_to is None or day < self.effective_to)


def energy_e11(
    package: Package, periods: IntArray, spot_nano: IntArray | None, reference_e8: int | None
) -> IntArray:
    """(rows, days) energy fee of one package in 1e-11 元: s·Σ Q_b·P_b + (1 − s)·(Σ Q·P_link + Q·spread).

    periods: (rows, days, 5) Wh. spot_nano: (rows, days) Σ Q_τ·P_τ at the spot price it follows. reference_e8: the
    published reference price of a reference-linked package. Raises OverflowBoundError past int64 a day (ruling 9).
    """
    energy = periods.sum(axis=2)
    share = package.fixed_percent
    prices = [price or 0 for price in package.period_mills]
    dearest = 100 * (max(map(abs, prices)) + abs(package.spread_mills)) + abs(reference_e8 or 0)
    if (
        peak(periods) * periods.shape[2] * dearest + 100 * (0 if spot_nano is None else peak(spot_nano))
        > INT64_MAX
    ):
        raise OverflowBoundError(
            f"A day under package {package.package_id} could pass int64 of 1e-11 元; check the energy (Wh) and prices."
        )
    fixed = periods @ np.array(prices, np.int64)
    linked = energy * package.spread_mills
    if package.kind in ("spot_linked", "mixed") and spot_nano is not None:
        linked = linked + spot_nano
    amount = share * fixed + (100 - share) * linked
    if package.kind == "reference_linked" and reference_e8 is not None:
        amount = amount + energy * reference_e8
    return np.asarray(amount, np.int64)


def cap_relief_e11(energy_wh: int, energy_fee_e11: int, cap_mills: int) -> int:
    """−max(0, fee − Q·cap): the month's energy costs at most the cap on average (封顶, B.10)."""
    return -max(0, energy_fee_e11 - 100 * energy_wh * cap_mills)


def deviation_e11(energy_wh: int, agreed_wh: Fraction, package: Package) -> Fraction:
    """Y1·max(0, Q − A(1 + X1)) + Y2·max(0, A(1 − X2) − Q)  (B.10; the authors' reading of X1/X2, Y1/Y2)."""
    over = under = Fraction(0)
    if package.x1 is not None:
        over = max(Fraction(0), energy_wh - agreed_wh * Fraction(TEN_THOUSAND + package.x1, TEN_THOUSAND))
    if package.x2 is not None:
        under = max(Fraction(0), agreed_wh * Fraction(TEN_THOUSAND - package.x2, TEN_THOUSAND) - energy_wh)
    return 100 * (over * package.y1_mills + under * package.y2_mills)


def months_left(choice: Choice, month: Month) -> int:
    """Whole months of the term after ``month``."""
    if choice.term_ends is None:
        return 0
    ends = choice.term_ends
    return max(0, (ends.year - month.year) * 12 + ends.month - month.number - 1)


def termination_fen(
    package: Package, choice: Choice, month: Month, rule: Literal["lower", "higher"]
) -> int | None:
    """Lower (or higher) of C1 x energy left and C2, fen (B.10, ruling 7); None where no terms are agreed."""
    parts = []
    if package.c1_mills is not None and choice.agreed_wh is not None:
        left_e11 = 100 * package.c1_mills * choice.agreed_wh * months_left(choice, month)
        parts.append(half_up(Fraction(left_e11, E11_PER_FEN)))
    if package.c2_fen is not None:
        parts.append(package.c2_fen)
    if not parts:
        return None
    return min(parts) if rule == "lower" else max(parts)


@dataclass(frozen=True)
class Certificates:
    """Green certificates of one user and month. Energies in 1e-4 Wh; certificates are whole MWh (market.md C.4)."""

    participant_id: str
    carried_in: int
    green: int
    certificates: int

    @property
    def carried_out(self) -> int:
        """What is left for next month, below 1 MWh."""
        return self.carried_in + self.green - self.certificates * WH_PER_MWH * TEN_THOUSAND


def certificates(participant_id: str, green: int, carried_in: int) -> Certificates:
    """Whole certificates of the month's green energy and what was carried; the rest is carried on.

    Energies in 1e-4 Wh (Wh x share). A month that delivers on balance buys none and keeps its carry.
    """
    green = max(green, 0)
    return Certificates(
        participant_id, carried_in, green, (carried_in + green) // (WH_PER_MWH * TEN_THOUSAND)
    )
