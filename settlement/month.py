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

from market.money import INT64_MAX, NANO_PER_FEN, OverflowBoundError, fen_of_nano, peak
from market.profiles import ChargeMatrix, ProvincialRules
from settlement.book import Book, row_totals, sum_or_none, total_fen
from settlement.charges import KeepDays, closing_charges, direct_charges
from settlement.corrections import Brought, clearing_postings, resettlement_lines
from settlement.day import DaySettlement, System
from settlement.facts import NO_FACTS, MonthFacts
from settlement.findings import Finding, Severity
from settlement.interprovincial import TradeSettlement
from settlement.ledger import Balance, Movement, assert_balanced, balances, post
from settlement.lines import Known, Line, Lines
from settlement.parties import DailySeries, Parties
from settlement.passthrough import CODE as GAIN_LOSS
from settlement.passthrough import gain_loss_lines
from settlement.postings import Posting, Postings
from settlement.purchases import Purchase, direct_lines, purchases, trade_daily, trade_lines


@dataclass(frozen=True, slots=True)
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

    lines: Sequence[Line]
    daily: tuple[DailySeries, ...]
    postings: Sequence[Posting]
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
    facts: MonthFacts = NO_FACTS,
    brought: Sequence[Brought] = (),
    keep_days: KeepDays | None = None,
) -> MonthSettlement:
    """Lines, postings and accounts of one month.

    keep_days: is given the daily amounts as they are made, and the result has none; None: the result has them.

    openings: fen by account, of accounts that carry forward. brought: corrections of past months that are posted
    into this one. Raises LedgerNotBalancedError when the books do
    not close (the run fails closed), OverflowBoundError past int64, ValueError for a pool without any key.
    """
    book = Book(parties, list(days), rules, matrix, facts)
    settled = book.days
    daily: list[DailySeries] = []
    keep = daily.extend if keep_days is None else keep_days
    direct = direct_charges(book, keep)
    lines = Lines.joined([direct.lines])
    findings = [*trades.findings, *direct.findings]

    reference_fen = _reference_fen(settled)
    mismatch_nano = sum_or_none([day.system.curve_mismatch_nano for day in settled])
    mismatch_fen = None if mismatch_nano is None else fen_of_nano(mismatch_nano)
    of_energy = {charge.code for charge in matrix.charges if charge.account == "energy"}
    energy_fen = lines.with_codes(of_energy).total_fen
    remainder = (
        None
        if energy_fen is None or reference_fen is None or mismatch_fen is None
        else energy_fen - reference_fen - mismatch_fen
    )
    closing = closing_charges(book, lines, remainder)
    findings += closing.findings

    bought = purchases(
        trades, {(stage, day.day): price for day in settled for stage, price in day.reference.items()}
    )
    import_lines = [*trade_lines(trades, parties), *direct_lines(bought, parties)]
    credited = total_fen(import_lines)
    unplaced = None if credited is None or reference_fen is None else -credited - reference_fen
    charge = matrix.charge(GAIN_LOSS).under(rules.passthrough_policy)
    passed_on, found = gain_loss_lines(unplaced, charge, parties, book.passthrough_keys())
    contract_fen = lines.with_codes(["contract"]).total_fen
    lines = Lines.joined(
        [
            lines,
            closing.lines,
            import_lines,
            passed_on,
            _event_lines(events, parties),
            resettlement_lines(brought),
        ]
    )
    findings += [*found, *_loss_findings(settled, rules)]

    movements = [
        Movement(code, amount)
        for code, amount in (
            ("interprovincial_reference", reference_fen),
            ("congestion_transfer", remainder),
            ("curve_mismatch_transfer", mismatch_fen),
            ("rounding_transfer", contract_fen),
        )
        if amount
    ]
    keep([*closing.daily, *trade_daily(trades, bought, parties), *_event_daily(events)])
    return _close(lines, daily, bought, movements, findings, settled, matrix, openings, brought)


def month_use(users: Sequence[str], settled: Sequence[DaySettlement]) -> dict[str, int | None]:
    """Metered energy of the month by user, Wh; None where a reading of it is missing."""
    days = [day.users["energy_real_time"] for day in settled]
    quantity = np.stack([day.quantity for day in days], axis=1)
    missing = np.stack([day.missing for day in days], axis=1)
    return dict(zip(users, row_totals(quantity, missing), strict=True))


def month_outside_market(
    generators: Sequence[str], settled: Sequence[DaySettlement]
) -> dict[str, int | None]:
    """Non-market energy of the month by generator that has any, Wh; None where a reading of it is missing."""
    days = [day.keys["nonmarket_generation"] for day in settled]
    totals = row_totals(
        np.stack([day.quantity for day in days], axis=1), np.stack([day.missing for day in days], axis=1)
    )
    return {who: wh for who, wh in zip(generators, totals, strict=True) if wh is None or wh > 0}


def _reference_fen(settled: list[DaySettlement]) -> int | None:
    """The import at the provincial price, day-ahead and intraday (ruling 5)."""
    systems = [day.system for day in settled]
    nano = sum_or_none(
        [
            *(system.reference_day_ahead_nano for system in systems),
            *(system.reference_intraday_nano for system in systems),
        ]
    )
    return None if nano is None else fen_of_nano(nano)


def _close(
    lines: Lines,
    daily: list[DailySeries],
    bought: list[Purchase],
    movements: list[Movement],
    findings: list[Finding],
    settled: list[DaySettlement],
    matrix: ChargeMatrix,
    openings: Mapping[str, int],
    brought: Sequence[Brought],
) -> MonthSettlement:
    lines = lines.in_order()
    account_of = {charge.code: charge.account for charge in matrix.charges}
    incomplete = frozenset(account_of[code] for code in lines.incomplete_codes)
    if "energy" in incomplete:
        incomplete |= {"congestion", "interprovincial", "curve_mismatch"}
    incomplete |= {account_of[one.subject] for one in findings if one.code == "pool_without_key"}
    postings = Postings.joined([post(lines, movements, matrix), clearing_postings(brought)])
    accounts = balances(postings, matrix, openings, lines.participants)
    rounded = len(lines) + sum(len(one.lines) for one in brought)
    assert_balanced(postings, accounts, matrix, rounded, incomplete)
    return MonthSettlement(
        lines=lines,
        daily=tuple(daily),
        postings=postings,
        accounts=tuple(accounts),
        findings=tuple(findings),
        systems={day.day: day.system for day in settled},
        purchases=tuple(bought),
    )


def _event_lines(events: Sequence[EventAmount], parties: Parties) -> Lines:
    by_code: dict[str, dict[str, list[EventAmount]]] = defaultdict(lambda: defaultdict(list))
    for event in events:
        by_code[event.charge_code][event.participant_id].append(event)
    return Lines.joined(
        Lines.of_charge(
            code,
            sorted(of),
            [sum_or_none([part.quantity_wh for part in of[who]]) for who in sorted(of)],
            [sum_or_none([part.amount_fen for part in of[who]]) for who in sorted(of)],
            city=parties.city,
            measured_ppm=parties.measured_ppm,
            delivered=code == "demand_response_payment",
        )
        for code, of in by_code.items()
    )


def _event_daily(events: Sequence[EventAmount]) -> list[DailySeries]:
    """One series a charge and day, whole fen."""
    by_day: dict[tuple[str, date], dict[str, list[EventAmount]]] = defaultdict(lambda: defaultdict(list))
    for event in events:
        by_day[event.charge_code, event.day][event.participant_id].append(event)
    series = []
    for (code, day), of in sorted(by_day.items()):
        who = tuple(sorted(of))
        energy, fen = (
            Known.of([sum_or_none([getattr(part, name) for part in of[one]]) for one in who])
            for name in ("quantity_wh", "amount_fen")
        )
        if peak(fen.values) > INT64_MAX // NANO_PER_FEN:
            raise OverflowBoundError(
                f"{code} of {day} could pass int64 in 1e-9 元; check the event's amounts."
            )
        missing = ~(energy.known & fen.known)
        nano = np.where(missing, 0, fen.values * NANO_PER_FEN)
        quantity = np.where(missing, 0, energy.values)
        series.append(DailySeries(code, who, (day,), quantity[:, None], nano[:, None], missing[:, None]))
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
