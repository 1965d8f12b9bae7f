"""Rules about the month as a whole: tail (R27), allocation closes (R28), settled twice (R29), look-back (R30).

The ledger asserts what these rules look at and writes no run that fails it; here the same is computed again from the
finished lines, days, postings and accounts, by another way.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal

import numpy as np

from market.money import INT64_MAX, NANO_PER_FEN, IntArray, OverflowBoundError, peak, yuan
from market.periods import Month
from market.profiles import ChargeMatrix
from settlement.findings import Finding, Severity
from settlement.ledger import AT_A_TIME, Balance
from settlement.lines import BoolArray, Line, Lines, sums_by
from settlement.parties import DailySeries
from settlement.postings import Posting, Postings, distinct


@dataclass(frozen=True)
class Pool:
    """A pool and what was allocated of it, fen; ``name`` is an event or an account."""

    name: str
    total_fen: int
    allocated_fen: int


@dataclass(frozen=True)
class DaySums:
    """Of one charge, each participant's days of the month together: 1e-9 元, and whether one is missing."""

    charge_code: str
    participants: tuple[str, ...]
    nano: IntArray
    missing: BoolArray

    @classmethod
    def of(cls, series: DailySeries) -> DaySums:
        """The sums of a series."""
        gaps = np.asarray(series.missing.any(axis=1))
        return cls(series.charge_code, series.participants, series.nano.sum(axis=1), gaps)


def no_tail(
    lines: Iterable[Line], days: Iterable[DaySums], postings: Iterable[Posting], limit: Decimal
) -> Iterator[Finding]:
    """R27 电费尾差: a line against the sum of its days, and a participant's lines against its account.

    Daily amounts are in 1e-9 元 and unrounded; a line with a missing amount or day is not judged.
    """
    of, fen = Lines.of(lines), int(limit * 100)
    apart: dict[str, list[str]] = defaultdict(list)
    for place, nano in _off_their_days(of, days, fen):
        line = of[place]
        apart[line.participant_id].append(
            f"{line.charge_code} is {yuan(line.amount_fen or 0)} 元, its days {Decimal(nano).scaleb(-9):f} 元"
        )
    account, posted = _by_name(of), _by_participant(Postings.of(postings))
    for who in account.keys() | posted.keys():
        owed, stands = account.get(who, 0), posted.get(who, 0)
        if abs(owed - stands) > fen:
            apart[who].append(f"its lines are {yuan(owed)} 元, its account {yuan(stands)} 元")
    city = {line.participant_id: line.city for line in of.of_names(apart)}
    for who, said in sorted(apart.items()):
        yield Finding(
            "tail_difference",
            Severity.BLOCK,
            who,
            f"{who}: {' and '.join(said[:3])} (R27). A line is rounded once and posted as it stands; this run is wrong, "
            "report it with its manifest.",
            city=city.get(who),
            evidence={"participant_id": who, "count": len(said), "apart": said[:50]},
        )


def _off_their_days(lines: Lines, days: Iterable[DaySums], fen: int) -> Iterator[tuple[int, int]]:
    """Lines, by place, whose days come to another amount, with the 1e-9 元 of the days."""
    by_code: dict[str, list[DaySums]] = defaultdict(list)
    for one in days:
        by_code[one.charge_code].append(one)
    place = {who: number for number, who in enumerate(lines.names)}
    for number, code in enumerate(lines.codes):
        nano = np.zeros(len(place), np.int64)
        seen, gap = np.zeros((2, len(place)), np.bool_)
        for one in by_code.get(code, ()):
            at = np.array([place.get(who, -1) for who in one.participants], np.intp)
            inside = at >= 0
            np.add.at(nano, at[inside], one.nano[inside])
            seen[at[inside]] = True
            gap[at[inside & one.missing]] = True
        rows = np.flatnonzero((lines.code == number) & lines.amount.known)
        who = lines.who[rows]
        rows, who = rows[seen[who] & ~gap[who]], who[seen[who] & ~gap[who]]
        if peak(lines.amount.values[rows]) > INT64_MAX // NANO_PER_FEN // 2:
            raise OverflowBoundError(
                f"A line of {code} could pass int64 in 1e-9 元; check the units of its inputs."
            )
        off = np.abs(lines.amount.values[rows] * NANO_PER_FEN - nano[who]) > fen * NANO_PER_FEN
        yield from zip(rows[off].tolist(), nano[who[off]].tolist(), strict=True)


def _by_name(lines: Lines) -> dict[str, int]:
    sums = sums_by(lines.who, lines.amount.values, len(lines.names))
    return dict(zip(lines.names, sums, strict=True))


def _by_participant(postings: Postings) -> dict[str, int]:
    found: dict[str, int] = defaultdict(int)
    for block in postings.parts(AT_A_TIME):
        own = np.array([who is not None for who in block.participant_id.tolist()], np.bool_)
        names, places = distinct(block.participant_id[own])
        sums = sums_by(places, block.amount_fen[own], len(names))
        for who, fen in zip(names, sums, strict=True):
            found[who] += fen
    return found


def allocation_closes(
    pools: Iterable[Pool], accounts: Iterable[Balance], matrix: ChargeMatrix, limit: Decimal
) -> Iterator[Finding]:
    """R28 分摊闭合: a clearing account that must close does not, or an event's shares are not its cost.

    accounts: empty while lines are missing, for then nothing can close yet (ruling 14).
    """
    fen = int(limit * 100)
    must_close = {account.code for account in matrix.accounts if account.closes == "zero"}
    found = [
        (balance.account, balance.closing_fen, 0)
        for balance in accounts
        if balance.account in must_close and abs(balance.closing_fen) > fen
    ]
    found += [
        (pool.name, pool.allocated_fen, pool.total_fen)
        for pool in pools
        if abs(pool.allocated_fen - pool.total_fen) > fen
    ]
    for name, is_fen, should_fen in sorted(found):
        yield Finding(
            "allocation_open",
            Severity.BLOCK,
            name,
            f"{name} comes to {yuan(is_fen)} 元 where {yuan(should_fen)} 元 are due (R28); what is shared must be what was "
            "to be shared. This run is wrong, report it with its manifest.",
            amount_at_stake_fen=abs(is_fen - should_fen),
        )


def settled_once(lines: Iterable[Line]) -> Iterator[Finding]:
    """R29 重复结算: a participant has a charge twice in one run."""
    of = Lines.of(lines)
    grain, counts = np.unique(of.who.astype(np.int64) * len(of.codes) + of.code, return_counts=True)
    twice = {
        (of.names[key // len(of.codes)], of.codes[key % len(of.codes)]): count
        for key, count in zip(grain[counts > 1].tolist(), counts[counts > 1].tolist(), strict=True)
    }
    for (who, code), count in sorted(twice.items()):
        yield Finding(
            "settled_twice",
            Severity.BLOCK,
            f"{who}/{code}",
            f"{who} has {count} lines of {code} in one run (R29); only one may stand. Look for a participant or a charge "
            "that was delivered twice.",
            city=next((line.city for line in of.of_names([who])), None),
            evidence={"participant_id": who, "charge_code": code, "count": count},
        )


def within_look_back(corrected: Iterable[Month], posted_into: Month, months: int) -> Iterator[Finding]:
    """R30 退补超窗: a correction of a month further back than the window is posted into this month."""
    for month in sorted(set(corrected)):
        back = posted_into.months_since(month)
        if back > months:
            yield Finding(
                "correction_beyond_window",
                Severity.REVIEW,
                str(month),
                f"A correction of {month} is posted into {posted_into}, {back} months later; the window is {months} months "
                "(R30). Confirm the ground on which it is settled inside the market.",
                evidence={"months_back": back},
            )
