"""The month: days in, statement lines and closed accounts out (market.md B; rulings 1-8, 14).

Grain of the result: one line per participant and charge. A line is rounded once, to the fen, half up; a pool
is shared by largest remainder, ties by participant id. A positive amount is a charge, a negative a credit.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from fractions import Fraction

import numpy as np

from market.money import (
    INT64_MAX,
    NANO_PER_FEN,
    IntArray,
    OverflowBoundError,
    apportion,
    fen_of_nano,
    half_up_array,
    peak,
)
from market.profiles import ChargeMatrix, ProvincialRules
from settlement.day import Amounts, BoolArray, DaySettlement, System
from settlement.findings import Finding, Severity
from settlement.interprovincial import TradeSettlement
from settlement.ledger import Balance, Line, Movement, Posting, assert_balanced, balances, post
from settlement.parties import DailySeries, Parties
from settlement.passthrough import CODE as GAIN_LOSS
from settlement.passthrough import Keys, gain_loss_lines
from settlement.purchases import Purchase, direct_lines, purchases, trade_daily, trade_lines

USER_CHARGES = ("energy_real_time", "energy_day_ahead", "capacity_compensation")
GENERATOR_CHARGES = ("energy_real_time", "energy_day_ahead")
POOLED = ("congestion", "position_mismatch")


@dataclass(frozen=True)
class EventAmount:
    """A demand-response amount of one event, whole fen, charge positive (ruling 26); None is missing."""

    event_id: str
    day: date
    participant_id: str
    charge_code: str
    quantity_wh: int | None
    amount_fen: int | None


@dataclass(frozen=True)
class MonthSettlement:
    """Everything a month's run writes about money and energy."""

    lines: tuple[Line, ...]
    daily: tuple[DailySeries, ...]
    postings: tuple[Posting, ...]
    accounts: tuple[Balance, ...]
    findings: tuple[Finding, ...]
    systems: Mapping[date, System]
    purchases: tuple[Purchase, ...]


def settle_month(
    parties: Parties,
    days: Iterable[DaySettlement],
    trades: TradeSettlement,
    events: Sequence[EventAmount],
    rules: ProvincialRules,
    matrix: ChargeMatrix,
    openings: Mapping[str, int],
) -> MonthSettlement:
    """Lines, postings and accounts of one month.

    openings: fen by account, of accounts that carry forward. Raises LedgerNotBalancedError when the books do
    not close (the run fails closed), OverflowBoundError past int64, ValueError for a pool without any key.
    """
    settled = list(days)
    book = _Book(parties, settled)
    lines = [*book.user_lines(), *book.generator_lines(), *book.contract_lines(), *book.grid_company_lines()]
    bought = purchases(
        trades, {(stage, day.day): price for day in settled for stage, price in day.reference.items()}
    )
    reference_fen = _reference_fen(settled)
    energy_fen = _total(
        [line for line in lines if line.charge_code not in ("contract", "capacity_compensation")]
    )
    remainder = None if energy_fen is None or reference_fen is None else energy_fen - reference_fen
    mismatch = _sum_or_none([day.system.mismatch_nano for day in settled])
    lines += book.congestion_lines(remainder, mismatch)
    lines += book.capacity_distribution(
        _total([line for line in lines if line.charge_code == "capacity_compensation"])
    )

    import_lines = [*trade_lines(trades, parties), *direct_lines(bought, parties)]
    credited = _total(import_lines)
    unplaced = None if credited is None or reference_fen is None else -credited - reference_fen
    charge = matrix.charge(GAIN_LOSS).under(rules.passthrough_policy)
    passed_on, found = gain_loss_lines(unplaced, charge, parties, book.keys())
    lines += import_lines
    lines += passed_on
    lines += _event_lines(events, parties)
    findings = [*trades.findings, *found, *_loss_findings(settled, rules)]

    contract_fen = _total([line for line in lines if line.charge_code == "contract"])
    movements = [
        Movement(code, amount)
        for code, amount in (
            ("interprovincial_reference", reference_fen),
            ("congestion_transfer", remainder),
            ("rounding_transfer", contract_fen),
        )
        if amount
    ]
    daily = [*book.daily(), *trade_daily(trades, bought, parties), *_event_daily(events)]
    return _close(lines, daily, bought, movements, findings, settled, matrix, openings)


def month_use(users: Sequence[str], settled: Sequence[DaySettlement]) -> dict[str, int | None]:
    """Metered energy of the month by user, Wh; None where a reading of it is missing."""
    days = [day.users["energy_real_time"] for day in settled]
    quantity = np.stack([day.quantity for day in days], axis=1)
    missing = np.stack([day.missing for day in days], axis=1)
    return dict(zip(users, _row_totals(quantity, missing), strict=True))


def _reference_fen(settled: list[DaySettlement]) -> int | None:
    """The import at the provincial price, day-ahead and intraday (ruling 5)."""
    systems = [day.system for day in settled]
    nano = _sum_or_none(
        [
            *(system.reference_day_ahead_nano for system in systems),
            *(system.reference_intraday_nano for system in systems),
        ]
    )
    return None if nano is None else fen_of_nano(nano)


def _close(
    lines: list[Line],
    daily: list[DailySeries],
    bought: list[Purchase],
    movements: list[Movement],
    findings: list[Finding],
    settled: list[DaySettlement],
    matrix: ChargeMatrix,
    openings: Mapping[str, int],
) -> MonthSettlement:
    lines = sorted(lines, key=lambda line: (line.participant_id, line.charge_code))
    account_of = {charge.code: charge.account for charge in matrix.charges}
    incomplete = frozenset(account_of[line.charge_code] for line in lines if line.amount_fen is None)
    if "energy" in incomplete:
        incomplete |= {"congestion", "interprovincial"}
    postings = post(lines, movements, matrix)
    participants = sorted({line.participant_id for line in lines})
    accounts = balances(postings, matrix, openings, participants)
    assert_balanced(postings, accounts, matrix, len(lines), incomplete)
    return MonthSettlement(
        lines=tuple(lines),
        daily=tuple(daily),
        postings=tuple(postings),
        accounts=tuple(accounts),
        findings=tuple(findings),
        systems={day.day: day.system for day in settled},
        purchases=tuple(bought),
    )


class _Book:
    """The month's exact sums, one row a party and one column a day."""

    def __init__(self, parties: Parties, settled: list[DaySettlement]) -> None:
        self.parties = parties
        self.dates = tuple(day.day for day in settled)
        everyone = (*parties.users, *parties.generators)
        self.users = {
            code: self._series(code, parties.users, [day.users[code] for day in settled])
            for code in USER_CHARGES
        }
        self.generators = {
            code: self._series(code, parties.generators, [day.generators[code] for day in settled])
            for code in GENERATOR_CHARGES
        }
        self.contract = self._series("contract", everyone, [day.contract for day in settled])
        grid = (parties.grid_company,)
        self.residents = self._series("residents_energy", grid, [day.residents for day in settled])
        self.loss = self._series("loss", grid, [_loss_amounts(day.system) for day in settled])
        energy = self.users["energy_real_time"]
        self.energy_wh = _row_totals(energy.quantity, energy.missing)
        self._deviations = [day.positive_deviation for day in settled]

    def _series(self, code: str, who: tuple[str, ...], amounts: list[Amounts]) -> DailySeries:
        def column(name: str) -> IntArray:
            return np.stack([getattr(amount, name) for amount in amounts], axis=1)

        missing: BoolArray = np.stack([amount.missing for amount in amounts], axis=1)
        return DailySeries(code, who, self.dates, column("quantity"), column("nano"), missing)

    def keys(self) -> Keys:
        """By what a gain or loss may be passed on; the deviation only where every day measured it."""
        delivered = self.generators["energy_real_time"]
        deviation: list[int | None] = []
        if known := [day for day in self._deviations if day is not None]:
            above = np.stack([day.quantity for day in known], axis=1)
            deviation = _row_totals(above, np.stack([day.missing for day in known], axis=1))
        users = self.parties.users
        return Keys(
            users=dict(zip(users, self.energy_wh, strict=True)),
            generators=dict(
                zip(self.parties.generators, _row_totals(delivered.quantity, delivered.missing), strict=True)
            ),
            deviation=dict(zip(users, deviation, strict=True)) if deviation else {},
        )

    def user_lines(self) -> list[Line]:
        return [line for series in self.users.values() for line in self._lines(series)]

    def generator_lines(self) -> list[Line]:
        return [line for series in self.generators.values() for line in self._lines(series, delivered=True)]

    def contract_lines(self) -> list[Line]:
        sellers = set(self.parties.generators)
        return [
            line if line.participant_id not in sellers else _delivered(line)
            for line in self._lines(self.contract)
            if line.participant_id not in self.parties.without_contract
        ]

    def grid_company_lines(self) -> list[Line]:
        return [*self._lines(self.residents), *self._lines(self.loss)]

    def congestion_lines(self, remainder_fen: int | None, mismatch_nano: int | None) -> list[Line]:
        """What remains on the energy account goes back to (or is borne by) users by monthly energy."""
        known = remainder_fen is not None and mismatch_nano is not None and None not in self.energy_wh
        mismatch_fen = fen_of_nano(mismatch_nano) if known and mismatch_nano is not None else None
        pools = {
            "position_mismatch": None if mismatch_fen is None else -mismatch_fen,
            "congestion": None
            if mismatch_fen is None or remainder_fen is None
            else mismatch_fen - remainder_fen,
        }
        return [line for code in POOLED for line in self._shares(code, pools[code])]

    def capacity_distribution(self, collected_fen: int | None) -> list[Line]:
        """Collected capacity money to units by available capacity (B.4)."""
        units = [who for who in self.parties.generators if self.parties.capacity_mw_micro.get(who)]
        weights = [self.parties.capacity_mw_micro[who] for who in units]
        shares: Sequence[int | None] = (
            [None] * len(units) if collected_fen is None else apportion(-collected_fen, weights, units)
        )
        return [
            Line(who, "capacity_compensation", self.parties.city.get(who), None, share, delivered=True)
            for who, share in zip(units, shares, strict=True)
        ]

    def daily(self) -> list[DailySeries]:
        return [*self.users.values(), *self.generators.values(), self.contract, self.residents, self.loss]

    def _shares(self, code: str, pool_fen: int | None) -> list[Line]:
        users = self.parties.users
        energy = [wh or 0 for wh in self.energy_wh]
        shares: Sequence[int | None] = (
            [None] * len(users)
            if pool_fen is None
            else apportion(pool_fen, [max(wh, 0) for wh in energy], users)
        )
        return [
            Line(who, code, self.parties.city.get(who), wh, share, self.parties.measured_ppm.get(who))
            for who, wh, share in zip(users, self.energy_wh, shares, strict=True)
        ]

    def _lines(self, series: DailySeries, *, delivered: bool = False) -> list[Line]:
        missing = _incomplete(series.missing)
        quantity = _row_totals(series.quantity, series.missing)
        if peak(series.nano) * series.nano.shape[1] > INT64_MAX:
            raise OverflowBoundError(
                f"A month of {series.charge_code} of one participant could pass int64 1e-9 元."
            )
        fen = half_up_array(series.nano.sum(axis=1), NANO_PER_FEN).tolist()  # the one rounding (ruling 8)
        metered = series.charge_code not in ("energy_day_ahead", "contract")
        return [
            Line(
                who,
                series.charge_code,
                self.parties.city.get(who),
                quantity[i],
                None if missing[i] else fen[i],
                self.parties.measured_ppm.get(who) if metered else None,
                delivered,
            )
            for i, who in enumerate(series.participants)
        ]


def _delivered(line: Line) -> Line:
    return Line(
        line.participant_id,
        line.charge_code,
        line.city,
        line.quantity_wh,
        line.amount_fen,
        line.measured_ppm,
        True,
    )


def _loss_amounts(system: System) -> Amounts:
    missing = system.loss is None or system.loss_nano is None
    return Amounts(
        np.array([0 if missing else system.loss], np.int64),
        np.array([0 if missing else system.loss_nano], np.int64),
        np.array([missing]),
    )


def _row_totals(values: IntArray, missing: BoolArray) -> list[int | None]:
    gaps = _incomplete(missing)
    return [None if gap else total for gap, total in zip(gaps, values.sum(axis=1).tolist(), strict=True)]


def _incomplete(missing: BoolArray) -> list[bool]:
    gaps: list[bool] = np.asarray(missing.any(axis=1)).tolist()
    return gaps


def _total(lines: list[Line]) -> int | None:
    return _sum_or_none([line.amount_fen for line in lines])


def _sum_or_none(parts: Sequence[int | None]) -> int | None:
    known = [part for part in parts if part is not None]
    return sum(known) if len(known) == len(parts) else None


def _event_lines(events: Sequence[EventAmount], parties: Parties) -> list[Line]:
    grouped: dict[tuple[str, str], list[EventAmount]] = defaultdict(list)
    for event in events:
        grouped[event.participant_id, event.charge_code].append(event)
    return [
        Line(
            who,
            code,
            parties.city.get(who),
            _sum_or_none([part.quantity_wh for part in parts]),
            _sum_or_none([part.amount_fen for part in parts]),
            parties.measured_ppm.get(who),
            delivered=code == "demand_response_payment",
        )
        for (who, code), parts in sorted(grouped.items())
    ]


def _event_daily(events: Sequence[EventAmount]) -> list[DailySeries]:
    grouped: dict[tuple[str, str, date], list[EventAmount]] = defaultdict(list)
    for event in events:
        grouped[event.charge_code, event.participant_id, event.day].append(event)
    series = []
    for (code, who, day), parts in sorted(grouped.items()):
        fen = _sum_or_none([part.amount_fen for part in parts])
        nano = None if fen is None else fen * NANO_PER_FEN
        series.append(
            DailySeries.single(code, who, day, _sum_or_none([part.quantity_wh for part in parts]), nano)
        )
    return series


def _loss_findings(settled: list[DaySettlement], rules: ProvincialRules) -> list[Finding]:
    findings = []
    for day in settled:
        system = day.system
        if system.loss is None or system.generation is None:
            continue
        share = Fraction(system.loss, max(system.generation + system.imported, 1))
        if not rules.loss_rate_low <= share <= rules.loss_rate_high:
            findings.append(
                Finding(
                    "loss_out_of_range",
                    Severity.REVIEW,
                    str(day.day),
                    f"The loss of {day.day} is {float(share):.2%} of generation and import, outside "
                    f"{rules.loss_rate_low}..{rules.loss_rate_high} (R17); look for a meter that is missing, "
                    "doubled or has a wrong multiplier.",
                    evidence={"loss_wh": system.loss, "generation_wh": system.generation},
                )
            )
    return findings
