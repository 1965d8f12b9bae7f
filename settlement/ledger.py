"""Double entry: statement lines and transfers become postings that sum to zero (architecture §2, ruling 3).

Amounts are whole fen, debit positive. A line debits ``participant:<id>`` (a charge) and credits the clearing
account of its charge. A clearing account closes at zero or carries forward, as the profile names it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from market.profiles import ChargeMatrix
from settlement.lines import Line, Lines, sums_by
from settlement.postings import Block, Posting, Postings, distinct, texts, turns

__all__ = [
    "Balance",
    "LedgerNotBalancedError",
    "Line",
    "Movement",
    "Posting",
    "assert_balanced",
    "balances",
    "participant_account",
    "post",
]


AT_A_TIME = 250_000  # postings whose accounts are looked up together


class LedgerNotBalancedError(AssertionError):
    """The run fails closed: postings or a clearing account do not close as the profile says."""


@dataclass(frozen=True, slots=True)
class Movement:
    """A transfer between two clearing accounts, by its code in the charge matrix."""

    transfer_code: str
    amount_fen: int


@dataclass(frozen=True, slots=True)
class Balance:
    """Opening + movement = closing of one account, fen."""

    account: str
    opening_fen: int
    movement_fen: int

    @property
    def closing_fen(self) -> int:
        """What the account ends with."""
        return self.opening_fen + self.movement_fen


def participant_account(participant_id: str) -> str:
    """The name of a participant's own account."""
    return f"participant:{participant_id}"


def post(lines: Iterable[Line], movements: Sequence[Movement], matrix: ChargeMatrix) -> Postings:
    """Two postings for every line with an amount and every movement."""
    of = Lines.of(lines)
    posted = of.only(of.amount.known)
    account_of = {charge.code: charge.account for charge in matrix.charges}
    own = texts([participant_account(who) for who in of.names])[posted.who]
    clearing = texts([account_of[code] for code in of.codes])[posted.code]
    who, codes = texts(of.names)[posted.who], texts(of.codes)[posted.code]
    nobody, sides = np.full(len(posted), None, np.object_), texts(["participant", "clearing"])
    return Postings.joined(
        [
            Postings(
                (
                    Block(
                        turns(own, clearing),
                        turns(who, nobody),
                        turns(codes, codes),
                        np.tile(sides, len(posted)),
                        turns(posted.amount.values, -posted.amount.values),
                        turns(who, who),
                    ),
                )
            ),
            _moved(movements, matrix),
        ]
    )


def _moved(movements: Sequence[Movement], matrix: ChargeMatrix) -> Iterator[Posting]:
    transfers = {transfer.code: transfer for transfer in matrix.transfers}
    for movement in movements:
        transfer = transfers[movement.transfer_code]
        fen = movement.amount_fen
        yield Posting(transfer.debit, None, transfer.code, "debit", fen, transfer.debit)
        yield Posting(transfer.credit, None, transfer.code, "credit", -fen, transfer.credit)


def balances(
    postings: Sequence[Posting],
    matrix: ChargeMatrix,
    openings: Mapping[str, int],
    participants: Sequence[str],
    before: Sequence[Balance] = (),
) -> list[Balance]:
    """Every clearing account of the profile and every participant's account, in order of name.

    before: accounts that earlier postings of the month have moved already.
    """
    movement: dict[str, int] = defaultdict(int, {one.account: one.movement_fen for one in before})
    for block in Postings.of(postings).parts(AT_A_TIME):
        accounts, places = distinct(block.account)
        sums = sums_by(places, block.amount_fen, len(accounts))
        for account, fen in zip(accounts, sums, strict=True):
            movement[account] += fen
    names = {account.code for account in matrix.accounts} | {participant_account(who) for who in participants}
    names |= openings.keys()
    return [
        Balance(name, openings.get(name, 0), movement.get(name, 0))
        for name in sorted(names | movement.keys())
    ]


def assert_balanced(
    postings: Sequence[Posting],
    accounts: Sequence[Balance],
    matrix: ChargeMatrix,
    line_count: int,
    incomplete: frozenset[str] = frozenset(),
) -> None:
    """Postings sum to zero; clearing accounts close by their rule (ruling 3; rounding: ruling 8).

    incomplete: accounts with a missing line, which cannot close before the finding is resolved (ruling 14).
    Raises LedgerNotBalancedError.
    """
    total = Postings.of(postings).total_fen
    if total != 0:
        raise LedgerNotBalancedError(f"The postings sum to {total} fen instead of 0; the run is not written.")
    closing = {balance.account: balance for balance in accounts}
    for account in matrix.accounts:
        if account.code in incomplete:
            continue
        balance = closing[account.code]
        if account.closes == "zero" and balance.closing_fen != 0:
            raise LedgerNotBalancedError(
                f"Account {account.code} closes at {balance.closing_fen} fen instead of 0 ({account.rule}); "
                "the run is not written."
            )
        if account.bounded and 2 * abs(balance.movement_fen) > line_count:
            raise LedgerNotBalancedError(
                f"Account {account.code} moves by {balance.movement_fen} fen over {line_count} lines, more than "
                "half a fen a line; the run is not written."
            )
