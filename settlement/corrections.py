"""追退补: what a correction of a past month changes, and how it is posted into the current one (market.md B.11).

Grain: one difference a participant and charge of the corrected month. Amounts are whole fen, a charge positive.
The past month's own books stay; the current month carries one line ``resettlement`` a participant, and each
clearing account receives what the past month would have moved it by. A correction posts the difference to the
version before it, so that corrections of corrections add up.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from settlement.ledger import Line, Posting

CODE = "resettlement"
ACCOUNT = "resettlement"


@dataclass(frozen=True, slots=True)
class LineAmount:
    """A line of one version: Wh and fen, None is missing."""

    city: str | None
    quantity_wh: int | None
    amount_fen: int | None


@dataclass(frozen=True, slots=True)
class Difference:
    """One participant and charge of the corrected month; a line a version lacks is 0, None is a missing amount."""

    source_month: str
    participant_id: str
    charge_code: str
    city: str | None
    previous_wh: int | None
    corrected_wh: int | None
    previous_fen: int | None
    corrected_fen: int | None

    @property
    def fen(self) -> int | None:
        """What is posted; None while the corrected amount is missing (ruling 14)."""
        return None if self.corrected_fen is None else self.corrected_fen - (self.previous_fen or 0)


@dataclass(frozen=True)
class Brought:
    """One correction as the current month takes it over: its run, month, lines, and fen by clearing account."""

    run_id: str
    source_month: str
    lines: tuple[Difference, ...]
    clearing: Mapping[str, int]


LineKey = tuple[str, str]


def differences(
    source_month: str, previous: Mapping[LineKey, LineAmount], corrected: Mapping[LineKey, LineAmount]
) -> tuple[Difference, ...]:
    """Every line whose quantity or amount changed, by participant and charge; a dropped line corrects to 0."""
    nothing = LineAmount(None, 0, 0)
    found = []
    for who, code in sorted(previous.keys() | corrected.keys()):
        before, after = previous.get((who, code)), corrected.get((who, code), nothing)
        if (
            before is not None
            and before.quantity_wh == after.quantity_wh
            and before.amount_fen == after.amount_fen
        ):
            continue
        old = before or nothing
        found.append(
            Difference(
                source_month,
                who,
                code,
                after.city or old.city,
                old.quantity_wh,
                after.quantity_wh,
                old.amount_fen,
                after.amount_fen,
            )
        )
    return tuple(found)


def moved(previous: Mapping[str, int], corrected: Mapping[str, int]) -> dict[str, int]:
    """Fen by clearing account: what the corrected books move it by, less what the previous ones did."""
    change = {
        account: corrected.get(account, 0) - previous.get(account, 0)
        for account in sorted(previous.keys() | corrected.keys())
    }
    return {account: fen for account, fen in change.items() if fen}


def resettlement_lines(brought: Sequence[Brought]) -> list[Line]:
    """One line a participant: the sum of its differences over all corrections brought into the month."""
    total: dict[str, int] = defaultdict(int)
    city: dict[str, str | None] = {}
    for one in _every(brought):
        if one.fen is not None:
            total[one.participant_id] += one.fen
            city[one.participant_id] = one.city
    return [Line(who, CODE, city[who], None, fen) for who, fen in sorted(total.items())]


def clearing_postings(brought: Sequence[Brought]) -> list[Posting]:
    """Each clearing account's part of a correction against ``resettlement``, which the lines then close."""
    return [
        Posting(account, None, CODE, side, amount, subject)
        for one in brought
        for of, fen in sorted(one.clearing.items())
        for account, side, amount, subject in (
            (of, "corrected", fen, f"{one.run_id}|{of}"),
            (ACCOUNT, "brought", -fen, f"{one.run_id}|{of}"),
        )
    ]


def _every(brought: Sequence[Brought]) -> Iterable[Difference]:
    for one in brought:
        yield from one.lines
