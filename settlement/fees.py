"""Market operation fees: each its own account, payers, key and carry-forward, from data alone (market.md B.3).

A row of ``fee_pools`` is a line of the participant it names; the payers of the charge bear it by key, day by day or by
month. Where a standard is published, a rolling fee is charged at standard × key, and the account carries the rest.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import numpy as np

from market.money import (
    INT64_MAX,
    NANO_PER_FEN,
    IntArray,
    OverflowBoundError,
    half_up_ratio,
    peak,
    yuan,
)
from market.profiles import Charge
from settlement.book import Book, Charged
from settlement.day import BoolArray
from settlement.facts import FeeAmount
from settlement.findings import Finding, Severity
from settlement.lines import Line, Lines
from settlement.parties import DailySeries
from settlement.pools import (
    PoolWithoutKeyError,
    fen_of_shares,
    groups,
    parts_of,
    shared,
    shared_by_day,
    stretches,
)


def fee(book: Book, charge: Charge) -> Charged:
    """One side of a fee: the lines of who is named, or of who shares. ``charge.fee`` must be set."""
    assert charge.fee is not None  # noqa: S101  # the caller chooses charges by it
    rows = [row for row in book.facts.fees if row.pool in charge.fee.pools]
    if charge.fee.role == "named":
        return _named(book, charge, rows)
    standards = book.facts.standards.get(charge.code, ())
    if charge.fee.rolling and any(price is not None for price in standards):
        return _at_standard(book, charge, standards)
    if not rows:
        return Charged([])
    try:
        return _by_day(book, charge, rows) if charge.period == "day" else _by_month(book, charge, rows)
    except PoolWithoutKeyError:
        return Charged([], findings=[_without_key(charge, sum(row.fen for row in rows))])


def _named(book: Book, charge: Charge, rows: Sequence[FeeAmount]) -> Charged:
    """Who is paid (a credit) or owes (a charge) what the rows say; whole fen, no rounding."""
    fen: dict[str, int] = defaultdict(int)
    by_day: dict[str, dict[int, int]] = defaultdict(lambda: defaultdict(int))
    place = {day: i for i, day in enumerate(book.dates)}
    for row in rows:
        fen[row.participant_id] -= row.fen
        by_day[row.participant_id][place[row.day]] -= row.fen
    lines = [
        Line(who, charge.code, book.parties.city.get(who), None, fen[who], None, fen[who] < 0)
        for who in sorted(fen)
    ]
    who = tuple(sorted(fen))
    nano = np.array(
        [[by_day[one].get(i, 0) * NANO_PER_FEN for i in range(len(book.dates))] for one in who], np.int64
    ).reshape(len(who), len(book.dates))
    return Charged(lines, _daily(book, charge.code, who, np.zeros_like(nano), nano))


def _by_day(book: Book, charge: Charge, rows: Sequence[FeeAmount]) -> Charged:
    """Every day's pool by that day's keys, carried to 1e-9 元; the month's sum to fen by largest remainder."""
    pools = [sum(row.fen for row in rows if row.day == day) for day in book.dates]
    everyone, quantity, missing = _keys_by_day(book, charge)
    with_pool = np.array([pool != 0 for pool in pools], np.bool_)
    quantity, nano = np.where(with_pool, quantity, 0), np.zeros_like(quantity)
    place = {who: i for i, who in enumerate(everyone)}
    for first, after, sharing in stretches(book, charge):
        among = groups(book, sharing, first, after)
        rows_of = [np.array([place[who] for who in group.who], np.intp) for group in among]
        for day in (day for day in range(first, after) if pools[day]):
            for group, part, mine in zip(among, parts_of(pools[day], among), rows_of, strict=True):
                if part:
                    nano[mine, day] += shared_by_day(part, group, day - first, charge.code)
    if missing[:, with_pool].any():
        nothing = [None] * len(everyone)
        return Charged(book.shares(charge.code, everyone, nothing, nothing))
    fen = fen_of_shares(dict(zip(everyone, nano.sum(axis=1).tolist(), strict=True)), sum(pools))
    wh = quantity.sum(axis=1).tolist()
    lines = book.shares(charge.code, everyone, wh, [fen[who] for who in everyone])
    return Charged(lines, _daily(book, charge.code, everyone, quantity, nano))


def _keys_by_day(book: Book, charge: Charge) -> tuple[tuple[str, ...], IntArray, BoolArray]:
    """Everyone who pays on some day, Wh of the key by day, floored at 0, and where it is missing."""
    parts = [
        (first, after, group)
        for first, after, sharing in stretches(book, charge)
        for group in groups(book, sharing, first, after)
    ]
    everyone = tuple(sorted({who for _, _, group in parts for who in group.who}))
    place = {who: i for i, who in enumerate(everyone)}
    shape = (len(everyone), len(book.dates))
    quantity, missing = np.zeros(shape, np.int64), np.zeros(shape, np.bool_)
    for first, after, group in parts:
        rows = [place[who] for who in group.who]
        quantity[rows, first:after] += np.maximum(group.quantity, 0)
        missing[rows, first:after] |= group.missing
    return everyone, quantity, missing


def _by_month(book: Book, charge: Charge, rows: Sequence[FeeAmount]) -> Charged:
    pools: dict[tuple[int, int], int | None] = {
        (first, after): sum(row.fen for row in rows if row.day in book.dates[first:after])
        for first, after, _ in stretches(book, charge)
    }
    return Charged(month_shares(book, charge, pools))


def month_shares(book: Book, charge: Charge, pools: dict[tuple[int, int], int | None]) -> Lines:
    """Lines of a pool shared by month; the pool comes by stretch of days on which the charge's sharing stays.

    A pool that is None, or a missing key, leaves every line missing. Raises PoolWithoutKeyError.
    """
    fen: dict[str, int | None] = {}
    wh: dict[str, int | None] = {}
    for first, after, sharing in stretches(book, charge):
        pool = pools[first, after]
        among = groups(book, sharing, first, after)
        share = None if pool is None else shared(pool, among, charge.code)
        for group in among:
            gaps: list[bool] = np.asarray(group.missing.any(axis=1)).tolist()
            for one, weight, gap in zip(group.who, group.weights, gaps, strict=True):
                wh[one] = _added(wh.get(one, 0), None if gap else weight)
                fen[one] = fen.get(one, 0) if share is not None else None
        for one, part in (share or {}).items():
            fen[one] = _added(fen[one], part)
    who = sorted(fen)
    return book.shares(charge.code, who, [wh[one] for one in who], [fen[one] for one in who])


def _at_standard(book: Book, charge: Charge, standards: Sequence[int | None]) -> Charged:
    """Σ_d key_d × standard_d of every payer; the account carries what that is more or less than the cost."""
    uncovered = [str(day) for day, price in zip(book.dates, standards, strict=True) if price is None]
    everyone, quantity, missing = _keys_by_day(book, charge)
    if not everyone:
        return Charged([])
    price = np.array([one or 0 for one in standards], np.int64)
    if peak(quantity) * peak(price) * len(standards) > INT64_MAX:
        raise OverflowBoundError(
            f"{charge.code} at its standard could pass int64; check the standard's unit."
        )
    missing |= np.array([one is None for one in standards], np.bool_)
    series = DailySeries(charge.code, everyone, book.dates, quantity, quantity * price, missing)
    return Charged(book.lines(series), [series], [_uncovered(charge, uncovered)] if uncovered else [])


def next_standard(estimate_fen: int, balance_fen: int, energy_wh: int) -> int:
    """The standard to publish for next month, 0.001 元/MWh, half up: (estimated cost + what the account carries) / key.

    balance_fen: closing balance of the fee's account, positive where too little was collected. energy_wh: estimated
    key of the month, > 0. (SD25 滚动清算, market.md B.3)
    """
    if energy_wh <= 0:
        raise ValueError(f"A standard needs energy to be paid on; {energy_wh} Wh were given.")
    return half_up_ratio((estimate_fen + balance_fen) * NANO_PER_FEN, energy_wh)


def _daily(
    book: Book, code: str, who: tuple[str, ...], quantity: np.ndarray, nano: np.ndarray
) -> list[DailySeries]:
    if not who:
        return []
    return [DailySeries(code, who, book.dates, quantity, nano, np.zeros(nano.shape, np.bool_))]


def _added(left: int | None, right: int | None) -> int | None:
    return None if left is None or right is None else left + right


def _without_key(charge: Charge, fen: int) -> Finding:
    return Finding(
        "pool_without_key",
        Severity.BLOCK,
        charge.code,
        f"{yuan(fen)} 元 of {charge.code} find no payer: nobody of its payers has the key ({charge.key}). Mend the "
        "readings, the classes of the participants, or the charge's sharing.",
        evidence={"fen": fen},
        amount_at_stake_fen=abs(fen),
    )


def _uncovered(charge: Charge, days: list[str]) -> Finding:
    return Finding(
        "standard_missing",
        Severity.BLOCK,
        charge.code,
        f"The published standard of {charge.code} does not cover {days[0]} to {days[-1]} ({len(days)} days); its lines "
        "are missing. Deliver a standards file without gaps in the month.",
        evidence={"dates": days},
    )
