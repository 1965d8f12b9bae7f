"""The registry of first-layer charges: a code of the profile's charge matrix and the function that makes its lines.

A charge settles when the profile has it. Direct charges come from days, registers and fee tables; closing charges share
what they leave on an account. A fee (``charge.fee``) needs no entry here: it is data. Trades between provinces and
demand-response events have modules of their own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

import numpy as np

from market.money import apportion, fen_of_nano, yuan
from market.profiles import Charge
from market.tables import ParticipantKind
from settlement.adjustment import month_adjustment, month_adjustment_loss
from settlement.book import Book, Charged, recoded, row_totals, sum_or_none
from settlement.capacity import by_output, capacity_keys
from settlement.fees import fee, month_shares
from settlement.findings import Finding, Severity
from settlement.lines import Line, Lines
from settlement.parties import DailySeries
from settlement.passthrough import CODE as GAIN_LOSS
from settlement.pools import PoolWithoutKeyError, stretches
from settlement.purchases import DIRECT as INTERPROVINCIAL_DIRECT
from settlement.purchases import TRANSMISSION, sale_code
from settlement.recovery import deviation_recovery
from settlement.residents import residents_cost_recovery, residents_gain_loss, split
from settlement.run_life import MANUAL_ADJUSTMENT

CAPACITY = "capacity_compensation"
ADJUSTMENT = "month_adjustment"


def _energy(book: Book, charge: Charge) -> Charged:
    """Users by the hour at the user price, generators and storages by 15 minutes at their node (SD25; B.2)."""
    return _both(book, charge, book.users[charge.code], book.generators[charge.code])


def _priority(book: Book, charge: Charge) -> Charged:
    """Non-market energy at its own price, of the generators that have any."""
    series = book.generators.get(charge.code)
    if series is None:
        return Charged([])
    lines = book.lines(series, delivered=True)
    return Charged(lines.only((lines.quantity.values != 0) | ~lines.amount.known), [series])


def _contract(book: Book, charge: Charge) -> Charged:  # noqa: ARG001
    """Both sides of every contract at the reference price; a party without any contract has no line."""
    sells = np.arange(len(book.contract.participants)) >= len(book.parties.users)
    lines = book.lines(book.contract, delivered=sells)
    return Charged(lines.only(~lines.has_name(book.parties.without_contract)), [book.contract])


def _residents(book: Book, charge: Charge) -> Charged:
    """The grid company for residents: at the user price (ruling 31) or as guaranteed purchase (SD25; B.2)."""
    series = recoded(book.residents, charge.code)
    return Charged(book.lines(series), [series])


def _loss(book: Book, charge: Charge) -> Charged:  # noqa: ARG001
    """Ruling 6: L·P_RT by the grid company."""
    return Charged(book.lines(book.loss), [book.loss])


def _capacity_of_users(book: Book, charge: Charge) -> Charged:
    """B.4: capacity price × energy, 机制电量 apart."""
    series = book.users[charge.code]
    return Charged(book.lines(series), [series])


def _both(book: Book, charge: Charge, users: DailySeries, generators: DailySeries) -> Charged:  # noqa: ARG001
    return Charged(
        Lines.joined([book.lines(users), book.lines(generators, delivered=True)]), [users, generators]
    )


DIRECT: dict[str, Callable[[Book, Charge], Charged]] = {
    "energy_real_time": _energy,
    "energy_day_ahead": _energy,
    "priority_generation": _priority,
    "contract": _contract,
    "residents_energy": _residents,
    "guaranteed_purchase": _residents,
    "loss": _loss,
    CAPACITY: _capacity_of_users,
    ADJUSTMENT: month_adjustment,
    "deviation_recovery_users": deviation_recovery,
    "deviation_recovery_generators": deviation_recovery,
    "residents_cost_recovery": residents_cost_recovery,
    "residents_gain_loss": residents_gain_loss,
}


ELSEWHERE = (
    *(
        "month_adjustment_loss",
        "congestion",
        "position_mismatch",
        "curve_mismatch",
        "deviation_recovery_return",
        "resettlement",
    ),
    *(sale_code("day_ahead"), sale_code("intraday"), TRANSMISSION, INTERPROVINCIAL_DIRECT, GAIN_LOSS),
    MANUAL_ADJUSTMENT,
)
KeepDays = Callable[[Sequence[DailySeries]], None]
EVENTS = "demand_response"  # charges of events begin so and have a room of their own


def direct_charges(book: Book, keep_days: KeepDays) -> Charged:
    """Every charge of the profile that does not wait for what others leave, in the profile's order; without their days,
    which ``keep_days`` is given charge by charge: together they are much.

    Raises ValueError for a charge that is neither data nor known to any module: nothing is left out silently.
    """
    of_data = {
        one.code
        for one in book.matrix.charges
        if one.fee is not None or one.code.startswith(EVENTS) or one.layer == "consumer"
    }
    known = {*DIRECT, *ELSEWHERE, *of_data}
    unknown = [one.code for one in book.matrix.charges if one.code not in known]
    if unknown:
        raise ValueError(
            f"The profile has {', '.join(unknown)}, which no function settles. Give such a charge a `fee` in charges.yaml "
            "if fee_pools brings its amounts, or write its function and enter it in settlement/charges.py."
        )
    made = []
    for charge in book.matrix.charges:
        settles = fee if charge.fee is not None else DIRECT.get(charge.code)
        if settles is not None:
            one = settles(book, charge)
            keep_days(one.daily)
            made.append(replace(one, daily=()))
    adjusted = Lines.joined(one.lines for one in made).with_codes([ADJUSTMENT])
    if len(adjusted):
        made.append(month_adjustment_loss(book, book.matrix.charge("month_adjustment_loss"), adjusted))
    return _joined(made)


def closing_charges(book: Book, lines: Lines, remainder_fen: int | None) -> Charged:
    """What the direct lines leave on the accounts goes back to (or is borne by) those the rule names.

    remainder_fen: of the energy account after the import's value and the curve mismatch (ruling 6).
    """
    made = [_congestion(book, remainder_fen), _capacity_to_units(book, lines.with_codes([CAPACITY]))]
    codes = {charge.code for charge in book.matrix.charges}
    if "curve_mismatch" in codes:
        made.append(_curve_mismatch(book, book.matrix.charge("curve_mismatch")))
    if "deviation_recovery_return" in codes:
        recovered = lines.with_codes(["deviation_recovery_users", "deviation_recovery_generators"])
        made.append(_returned(book, book.matrix.charge("deviation_recovery_return"), recovered))
    return _joined(made)


def _congestion(book: Book, remainder_fen: int | None) -> Charged:
    """All C&I users by monthly energy, what unmatched day-ahead positions cause shown apart (SD25; ruling 6)."""
    mismatch_nano = sum_or_none([day.system.mismatch_nano for day in book.days])
    known = remainder_fen is not None and mismatch_nano is not None and None not in book.energy_wh
    mismatch_fen = fen_of_nano(mismatch_nano) if known and mismatch_nano is not None else None
    pools = {
        "position_mismatch": None if mismatch_fen is None else -mismatch_fen,
        "congestion": None if mismatch_fen is None or remainder_fen is None else mismatch_fen - remainder_fen,
    }
    users = book.parties.users
    weights = [max(wh or 0, 0) for wh in book.energy_wh]
    shares: dict[str, Sequence[int | None]] = {
        code: [None] * len(users) if pool is None else apportion(pool, weights, users)
        for code, pool in pools.items()
    }
    return Charged(
        Lines.joined(book.shares(code, users, book.energy_wh, share) for code, share in shares.items())
    )


def _capacity_to_units(book: Book, collected: Lines) -> Charged:
    """Collected capacity money to units by their capacity, available or by output as their class has it (B.4)."""
    collected_fen = collected.total_fen
    parties, sold, last = book.parties, book.generators["energy_real_time"], book.dates[-1]
    classes, payees = book.facts.tariff_class, book.matrix.charge(CAPACITY).payees
    of_class = {
        who: classes[who][-1] if who in classes else None
        for who in parties.generators
        if parties.kind[who] in payees
    }
    market_wh = dict(zip(sold.participants, row_totals(sold.quantity, sold.missing), strict=True))
    through = _throughput(book)
    keys = capacity_keys(
        book.rules, len(book.dates), last, of_class, parties.capacity_mw_micro, {**market_wh, **through}
    )
    units, known = list(keys), [key for key in keys.values() if key is not None]
    unknown = collected_fen is None or len(known) < len(keys)
    if not unknown and not any(known) and collected_fen:
        return Charged([], findings=[_no_unit(collected_fen)])
    shares: Sequence[int | None] = (
        [None] * len(units) if unknown or collected_fen is None else apportion(-collected_fen, known, units)
    )
    return Charged(
        [
            Line(
                who,
                CAPACITY,
                parties.city.get(who),
                through.get(who) if by_output(book.rules, last, of_class[who]) else None,
                share,
                delivered=True,
            )
            for who, share in zip(units, shares, strict=True)
        ]
    )


def _throughput(book: Book) -> dict[str, int | None]:
    """Wh of the month by storage, charged and discharged together; None missing."""
    who, moved, gaps = book.key("throughput")
    return {
        one: wh
        for one, wh in zip(who, row_totals(moved, gaps), strict=True)
        if book.parties.kind[one] == ParticipantKind.STORAGE
    }


def _curve_mismatch(book: Book, charge: Charge) -> Charged:
    """All generators and all C&I users by monthly energy; nothing where no energy is outside the market."""
    by_day = [day.system.curve_mismatch_nano for day in book.days]
    if not any(nano != 0 for nano in by_day):
        return Charged([])
    pools = split(by_day, [(first, after) for first, after, _ in stretches(book, charge)])
    return Charged(
        month_shares(book, charge, {days: None if fen is None else -fen for days, fen in pools.items()})
    )


def _returned(book: Book, charge: Charge, recovered: Lines) -> Charged:
    """What was recovered, to all C&I users by monthly energy; by the sharing of the month's last day."""
    if not len(recovered):
        return Charged([])
    fen = recovered.total_fen
    cuts = [(first, after) for first, after, _ in stretches(book, charge)]
    pools: dict[tuple[int, int], int | None] = dict.fromkeys(cuts, 0 if fen is not None else None)
    pools[cuts[-1]] = None if fen is None else -fen
    try:
        return Charged(month_shares(book, charge, pools))
    except PoolWithoutKeyError:
        return Charged([], findings=[_nobody(charge, fen or 0)])


def _joined(made: Iterable[Charged]) -> Charged:
    every = list(made)
    return Charged(
        Lines.joined(one.lines for one in every),
        [series for one in every for series in one.daily],
        [finding for one in every for finding in one.findings],
    )


def _no_unit(fen: int) -> Finding:
    return Finding(
        "pool_without_key",
        Severity.BLOCK,
        CAPACITY,
        f"{yuan(fen)} 元 of capacity compensation were collected, but no unit has capacity in the month. "
        "Deliver capacity_available for it.",
        evidence={"fen": fen},
        amount_at_stake_fen=abs(fen),
    )


def _nobody(charge: Charge, fen: int) -> Finding:
    return Finding(
        "pool_without_key",
        Severity.BLOCK,
        charge.code,
        f"{yuan(fen)} 元 of {charge.code} find no payer: no commercial or industrial user has energy in the month.",
        evidence={"fen": fen},
        amount_at_stake_fen=abs(fen),
    )
