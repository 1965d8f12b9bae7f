"""Rules about the month as a whole: tail (R27), allocation closes (R28), settled twice (R29), look-back (R30).

The ledger asserts what these rules look at and writes no run that fails it; here the same is computed again from the
finished lines, days, postings and accounts, by another way.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal

import numpy as np

from market.money import NANO_PER_FEN, yuan
from market.periods import Month
from market.profiles import ChargeMatrix
from settlement.findings import Finding, Severity
from settlement.ledger import Balance, Line, Posting
from settlement.parties import DailySeries


@dataclass(frozen=True)
class Pool:
    """A pool and what was allocated of it, fen; ``name`` is an event or an account."""

    name: str
    total_fen: int
    allocated_fen: int


def no_tail(
    lines: Sequence[Line], daily: Iterable[DailySeries], postings: Sequence[Posting], limit: Decimal
) -> Iterator[Finding]:
    """R27 电费尾差: a line against the sum of its days, and a participant's lines against its account.

    Daily amounts are in 1e-9 元 and unrounded; a line with a missing amount or day is not judged.
    """
    fen = int(limit * 100)
    of_days: dict[tuple[str, str], int | None] = defaultdict(int)
    for series in daily:
        sums = series.nano.sum(axis=1).tolist()
        gaps = np.asarray(series.missing.any(axis=1)).tolist()
        for who, nano, gap in zip(series.participants, sums, gaps, strict=True):
            key = (who, series.charge_code)
            before = of_days[key]
            of_days[key] = None if gap or before is None else before + nano
    apart: dict[str, list[str]] = defaultdict(list)
    account: Counter[str] = Counter()
    for line in lines:
        if line.amount_fen is None:
            continue
        account[line.participant_id] += line.amount_fen
        nano = of_days.get((line.participant_id, line.charge_code))
        if nano is not None and abs(line.amount_fen * NANO_PER_FEN - nano) > fen * NANO_PER_FEN:
            apart[line.participant_id].append(
                f"{line.charge_code} is {yuan(line.amount_fen)} 元, its days {Decimal(nano).scaleb(-9):f} 元"
            )
    posted: Counter[str] = Counter()
    for posting in postings:
        if posting.participant_id is not None:
            posted[posting.participant_id] += posting.amount_fen
    for who in account.keys() | posted.keys():
        if abs(account[who] - posted[who]) > fen:
            apart[who].append(f"its lines are {yuan(account[who])} 元, its account {yuan(posted[who])} 元")
    city = {line.participant_id: line.city for line in lines}
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


def settled_once(lines: Sequence[Line]) -> Iterator[Finding]:
    """R29 重复结算: a participant has a charge twice in one run."""
    counted = Counter((line.participant_id, line.charge_code) for line in lines)
    twice = {key: count for key, count in counted.items() if count > 1}
    for (who, code), count in sorted(twice.items()):
        yield Finding(
            "settled_twice",
            Severity.BLOCK,
            f"{who}/{code}",
            f"{who} has {count} lines of {code} in one run (R29); only one may stand. Look for a participant or a charge "
            "that was delivered twice.",
            city=next((line.city for line in lines if line.participant_id == who), None),
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
