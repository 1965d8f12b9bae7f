"""The month's exact sums: one row a party, one column a day; what every first-layer charge is made from."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from itertools import pairwise

import numpy as np

from market.money import INT64_MAX, NANO_PER_FEN, IntArray, OverflowBoundError, half_up_array, peak
from market.profiles import ChargeMatrix, ProvincialRules
from market.sharing import KeyName
from market.tables import ParticipantKind
from settlement.day import Amounts, BoolArray, DaySettlement, System, without_parties
from settlement.facts import NO_FACTS, MonthFacts
from settlement.findings import Finding
from settlement.lines import Known, Line, Lines
from settlement.parties import DailySeries, Parties
from settlement.passthrough import Keys

USER_CHARGES = ("energy_real_time", "energy_day_ahead", "capacity_compensation")
UNMETERED = ("energy_day_ahead", "contract")  # no part of the amount rests on a reading


@dataclass(frozen=True)
class Charged:
    """What one charge gives: its lines, its exact days where it has days, and what is odd about it."""

    lines: Iterable[Line]
    daily: Sequence[DailySeries] = ()
    findings: Sequence[Finding] = ()


class Book:
    """Sums of the month by charge and party, read by the charges' functions and changed by none.

    users, generators: series by charge code. contract: over users then generators, with ``net_contract`` Wh bought
    less sold, (parties, days). energy_wh: Wh used in the month by user, None missing.
    """

    def __init__(
        self,
        parties: Parties,
        settled: list[DaySettlement],
        rules: ProvincialRules,
        matrix: ChargeMatrix,
        facts: MonthFacts = NO_FACTS,
    ) -> None:
        self.parties, self.rules, self.matrix, self.facts = parties, rules, matrix, facts
        self.days = [without_parties(day) for day in settled]
        self.dates = tuple(day.day for day in settled)
        everyone = (*parties.users, *parties.generators)
        self.users = {
            code: self._series(code, parties.users, [day.users[code] for day in settled])
            for code in USER_CHARGES
        }
        self.generators = {
            code: self._series(code, parties.generators, [day.generators[code] for day in settled])
            for code in settled[0].generators
        }
        self.contract = self._series("contract", everyone, [day.contract for day in settled])
        self.net_contract = np.stack([_net(day, len(everyone)) for day in settled], axis=1)
        grid = (parties.grid_company,)
        self.residents = self._series("residents_energy", grid, [day.residents for day in settled])
        self.loss = self._series("loss", grid, [_loss_amounts(day.system) for day in settled])
        energy = self.users["energy_real_time"]
        self.energy_wh = row_totals(energy.quantity, energy.missing)

    def key(self, by: KeyName) -> tuple[tuple[str, ...], IntArray, BoolArray]:
        """Who can pay by a key, its Wh by party and day, and where it is missing."""
        if by == "use":
            energy = self.users["energy_real_time"]
            return self.parties.users, energy.quantity, energy.missing
        keys = [day.keys[by] for day in self.days]
        return (
            self.parties.generators,
            np.stack([key.quantity for key in keys], axis=1),
            np.stack([key.missing for key in keys], axis=1),
        )

    def passthrough_keys(self) -> Keys:
        """By what a gain or loss may be passed on; the deviation only where every day measured it."""
        generators, delivered, gaps = self.key("generation")
        _, discharged, _ = self.key("discharge")
        stores = np.array(
            [self.parties.kind.get(who) == ParticipantKind.STORAGE for who in generators], np.bool_
        )
        delivered = np.where(stores[:, None], discharged, delivered)
        deviation: list[int | None] = []
        if known := [day.positive_deviation for day in self.days if day.positive_deviation is not None]:
            above = np.stack([day.quantity for day in known], axis=1)
            deviation = row_totals(above, np.stack([day.missing for day in known], axis=1))
        users = self.parties.users
        return Keys(
            users=dict(zip(users, self.energy_wh, strict=True)),
            generators=dict(zip(generators, row_totals(delivered, gaps), strict=True)),
            deviation=dict(zip(users, deviation, strict=True)) if deviation else {},
        )

    def line(self, who: str, code: str, wh: int | None, fen: int | None, *, delivered: bool = False) -> Line:
        """A line of a party with its city and the measured share of its energy."""
        return Line(
            who, code, self.parties.city.get(who), wh, fen, self.parties.measured_ppm.get(who), delivered
        )

    def lines(self, series: DailySeries, *, delivered: bool | BoolArray = False) -> Lines:
        """One line a participant of the series, rounded once to the fen, half up (ruling 8)."""
        known = ~np.asarray(series.missing.any(axis=1))
        if peak(series.nano) * series.nano.shape[1] > INT64_MAX:
            raise OverflowBoundError(
                f"A month of {series.charge_code} of one participant could pass int64 1e-9 元."
            )
        fen = half_up_array(series.nano.sum(axis=1), NANO_PER_FEN)  # the one rounding (ruling 8)
        return Lines.of_charge(
            series.charge_code,
            series.participants,
            Known(np.where(known, series.quantity.sum(axis=1), 0), known),
            Known(np.where(known, fen, 0), known),
            city=self.parties.city,
            measured_ppm=None if series.charge_code in UNMETERED else self.parties.measured_ppm,
            delivered=delivered,
        )

    def shares(
        self, code: str, who: Sequence[str], wh: Sequence[int | None], fen: Sequence[int | None]
    ) -> Lines:
        """A line of each payer with its share of a pool, as ``line`` makes them."""
        return Lines.of_charge(
            code, who, wh, fen, city=self.parties.city, measured_ppm=self.parties.measured_ppm
        )

    def _series(self, code: str, who: tuple[str, ...], amounts: list[Amounts]) -> DailySeries:
        def column(name: str) -> IntArray:
            return np.stack([getattr(amount, name) for amount in amounts], axis=1)

        missing: BoolArray = np.stack([amount.missing for amount in amounts], axis=1)
        return DailySeries(code, who, self.dates, column("quantity"), column("nano"), missing)


def recoded(series: DailySeries, code: str) -> DailySeries:
    """The same amounts under another charge code."""
    return replace(series, charge_code=code)


def row_totals(values: IntArray, missing: BoolArray) -> list[int | None]:
    """Sum of every row; None where one of its days is missing."""
    gaps = incomplete_rows(missing)
    return [None if gap else total for gap, total in zip(gaps, values.sum(axis=1).tolist(), strict=True)]


def incomplete_rows(missing: BoolArray) -> list[bool]:
    """True for every row with a missing day."""
    gaps: list[bool] = np.asarray(missing.any(axis=1)).tolist()
    return gaps


def total_fen(lines: Iterable[Line]) -> int | None:
    """Sum of the lines, None where one is missing."""
    return Lines.of(lines).total_fen


def sum_or_none(parts: Sequence[int | None]) -> int | None:
    """Sum, None where a part is missing."""
    known = [part for part in parts if part is not None]
    return sum(known) if len(known) == len(parts) else None


def runs_of(dates: Sequence[date], values: Sequence[object]) -> list[tuple[int, int]]:
    """First and after-last index of every stretch of days with one value: a rule that changes splits the month."""
    edges = [0, *(i for i in range(1, len(dates)) if values[i] != values[i - 1]), len(dates)]
    return list(pairwise(edges))


def _net(day: DaySettlement, parties: int) -> IntArray:
    return np.zeros(parties, np.int64) if day.net_contract is None else day.net_contract


def _loss_amounts(system: System) -> Amounts:
    missing = system.loss is None or system.loss_nano is None
    return Amounts(
        np.array([0 if missing else system.loss], np.int64),
        np.array([0 if missing else system.loss_nano], np.int64),
        np.array([missing]),
    )
