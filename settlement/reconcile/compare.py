"""One comparison a participant and subject: our line against the centre's, and which kind of error it is.

Grain: (participant, subject) of one month. Energy Wh, money fen, a charge positive on both sides. What shows only
over many lines (a factor, a swap, a drift) is found by ``settlement.reconcile.patterns``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from fractions import Fraction

from market.reconcile_rules import ReconcileLimits
from settlement.reconcile.subjects import Subjects

WH_PER_MWH = 1_000_000


class Verdict(StrEnum):
    """What a comparison comes to. ``AGREES`` includes differences within the tolerance of one line."""

    AGREES = "agrees"
    MISSING_THERE = "missing_there"
    MISSING_HERE = "missing_here"
    OURS_UNKNOWN = "ours_unknown"
    OTHER_QUANTITY = "other_quantity"
    OTHER_PRICE = "other_price"
    OTHER_AMOUNT = "other_amount"
    OTHER_QUANTITY_AND_PRICE = "other_quantity_and_price"
    SIGN_REVERSED = "sign_reversed"
    DUPLICATE_ROW = "duplicate_row"
    SWAPPED = "swapped"
    FACTOR = "factor"


@dataclass(frozen=True, slots=True)
class Ours:
    """A line of the run; ``fen`` None is missing."""

    participant_id: str
    charge_code: str
    city: str | None
    wh: int | None
    fen: int | None


@dataclass(frozen=True, slots=True)
class Stated:
    """A row of statements_received."""

    participant_id: str
    charge_code: str
    wh: int | None
    fen: int


@dataclass(frozen=True, slots=True)
class Compared:
    """Both sides of one (participant, subject). A side without a row has ``rows`` 0 and no amount.

    partner: of a swap. ratio: theirs over ours, where a factor was found.
    """

    participant_id: str
    subject: str
    city: str | None
    our_rows: int
    their_rows: int
    our_wh: int | None
    their_wh: int | None
    our_fen: int | None
    their_fen: int | None
    verdict: Verdict
    partner: str | None = None
    ratio: Fraction | None = None

    @property
    def difference_fen(self) -> int:
        """Theirs less ours; a side without an amount counts as nothing."""
        return (self.their_fen or 0) - (self.our_fen or 0)


@dataclass(frozen=True)
class Tolerance:
    """What two sides may differ by in one line."""

    fen: int
    relative: Fraction
    wh: int

    @classmethod
    def of(cls, limits: ReconcileLimits) -> Tolerance:
        """The tolerances of a profile's limits."""
        return cls(
            int(limits.absolute_cny * 100), Fraction(limits.relative), int(limits.quantity_mwh * WH_PER_MWH)
        )

    def same_money(self, ours: int, theirs: int) -> bool:
        """|theirs − ours| within the absolute or the relative tolerance, whichever is wider."""
        apart = abs(theirs - ours)
        return apart <= self.fen or apart <= self.relative * abs(ours)

    def same_energy(self, ours: int | None, theirs: int | None) -> bool:
        """Within the tolerance; a side that states no energy states none that differs."""
        return ours is None or theirs is None or abs(theirs - ours) <= self.wh


def compare(
    ours: Iterable[Ours], stated: Sequence[Stated], known: Subjects, limits: ReconcileLimits
) -> tuple[list[Compared], list[Stated]]:
    """Every (participant, subject) that either side has, in order; and the rows whose code belongs to no subject."""
    tolerance = Tolerance.of(limits)
    mine: dict[tuple[str, str], list[Ours]] = {}
    for line in ours:
        if line.charge_code in known.of_ours:
            mine.setdefault((line.participant_id, known.of_ours[line.charge_code]), []).append(line)
    their: dict[tuple[str, str], list[Stated]] = {}
    strangers = []
    for row in stated:
        if row.charge_code in known.of_theirs:
            their.setdefault((row.participant_id, known.of_theirs[row.charge_code]), []).append(row)
        else:
            strangers.append(row)
    city = {line.participant_id: line.city for lines in mine.values() for line in lines}
    compared = [
        _compared(who, subject, city.get(who), mine.get((who, subject), []), their.get((who, subject), []))
        for who, subject in sorted(mine.keys() | their.keys())
    ]
    return [_judged(one, their, known, tolerance) for one in compared], strangers


def _compared(
    who: str, subject: str, city: str | None, mine: Sequence[Ours], their: Sequence[Stated]
) -> Compared:
    return Compared(
        who,
        subject,
        city,
        len(mine),
        len(their),
        _sum([line.wh for line in mine]) if len(mine) < 2 else None,  # energies of several charges do not add
        _sum([row.wh for row in their]),
        _all([line.fen for line in mine]),
        sum(row.fen for row in their) if their else None,
        Verdict.AGREES,
    )


def _judged(
    one: Compared,
    their: Mapping[tuple[str, str], Sequence[Stated]],
    known: Subjects,
    tolerance: Tolerance,
) -> Compared:
    rows = their.get((one.participant_id, one.subject), ())
    return replace(one, verdict=_verdict(one, rows, one.subject in known.priced, tolerance))


def _verdict(one: Compared, rows: Sequence[Stated], priced: bool, tolerance: Tolerance) -> Verdict:
    if one.our_rows and one.our_fen is None:
        return Verdict.OURS_UNKNOWN
    if one.their_fen is None or one.our_fen is None:
        absent = Verdict.MISSING_THERE if one.their_fen is None else Verdict.MISSING_HERE
        return Verdict.AGREES if tolerance.same_money(one.our_fen or 0, one.their_fen or 0) else absent
    return _of_both(one, rows, priced, tolerance)


def _of_both(one: Compared, rows: Sequence[Stated], priced: bool, tolerance: Tolerance) -> Verdict:
    ours, theirs = one.our_fen or 0, one.their_fen or 0
    same_energy = tolerance.same_energy(one.our_wh, one.their_wh)
    if tolerance.same_money(ours, theirs):
        return Verdict.AGREES if same_energy else Verdict.OTHER_QUANTITY
    if tolerance.same_money(-ours, theirs):
        return Verdict.SIGN_REVERSED
    if _twice(one, rows, tolerance):
        return Verdict.DUPLICATE_ROW
    of_energy = Verdict.OTHER_PRICE if priced else Verdict.OTHER_AMOUNT
    of_both = Verdict.OTHER_QUANTITY if _same_price(one, tolerance) else Verdict.OTHER_QUANTITY_AND_PRICE
    return of_energy if same_energy else of_both


def _twice(one: Compared, rows: Sequence[Stated], tolerance: Tolerance) -> bool:
    """The centre counts a row again: energy and money both doubled, or one more row that repeats another."""
    ours, theirs = one.our_fen or 0, one.their_fen or 0
    repeated = len(rows) > one.our_rows and len({(row.wh, row.fen) for row in rows}) < len(rows)
    energy = bool(one.our_wh and one.their_wh) and tolerance.same_energy(2 * (one.our_wh or 0), one.their_wh)
    return (repeated and any(tolerance.same_money(ours, theirs - row.fen) for row in rows)) or (
        energy and tolerance.same_money(2 * ours, theirs)
    )


def _same_price(one: Compared, tolerance: Tolerance) -> bool:
    """Their amount is our mean price times their energy, as far as the energies' last steps can tell."""
    if not one.our_wh or not one.their_wh:
        return False
    theirs, price = one.their_fen or 0, Fraction(one.our_fen or 0, one.our_wh)
    steps = tolerance.fen + tolerance.relative * abs(theirs) + abs(price) * tolerance.wh
    return abs(theirs - price * one.their_wh) <= steps


def _sum(parts: Sequence[int | None]) -> int | None:
    """The energy that is stated; None where no part states any. A share without energy adds nothing."""
    known = [part for part in parts if part is not None]
    return sum(known) if known else None


def _all(parts: Sequence[int | None]) -> int | None:
    known = [part for part in parts if part is not None]
    return sum(known) if parts and len(known) == len(parts) else None
