"""What changed between two versions of a month, by cause: parts that add up to the difference to the fen.

Grain: one row a participant and charge. The month is computed again with one group of inputs changed after
another; what each step moves a line by is the part of that cause. A change of one cause alone is therefore its
part wholly, with whatever it does to pools and to rounding. The order is stated because two changes may work on
each other (energy × price); what they do together falls to the later one.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum


class Cause(StrEnum):
    """Why a line changed, in the order in which inputs are exchanged; ``rounding`` is what no step explains."""

    READING = "reading"
    PRICE = "price"
    POSITION = "position"
    CONTRACT = "contract"
    MASTER_DATA = "master_data"
    RULE = "rule"
    EVENT = "event"
    MANUAL = "manual"
    CORRECTION = "correction"
    ROUNDING = "rounding"


LineKey = tuple[str, str]
Amounts = Mapping[LineKey, int | None]


@dataclass(frozen=True)
class BridgeRow:
    """One participant and charge, fen; an amount is None where that version has none (missing or no such line)."""

    participant_id: str
    charge_code: str
    before_fen: int | None
    after_fen: int | None
    parts: Mapping[Cause, int]

    @property
    def difference_fen(self) -> int:
        """What the books change by; a missing amount is not posted and counts as nothing (ruling 14)."""
        return (self.after_fen or 0) - (self.before_fen or 0)


def attribute(before: Amounts, steps: Sequence[tuple[Cause, Amounts]], after: Amounts) -> list[BridgeRow]:
    """The rows that differ or have parts, by participant and charge.

    steps: the lines after each exchange, in order. Where a step has no amount for a line because an input that
    comes later is missing until then, the step that gives it one takes the whole change; an amount that stays
    missing falls to the step that lost it.
    """
    keys = sorted(before.keys() | after.keys() | {key for _, lines in steps for key in lines})
    rows = []
    for key in keys:
        parts: dict[Cause, int] = defaultdict(int)
        standing = before.get(key) or 0
        lost_from = (
            _lost_from([_missing(lines, key) for _, lines in steps]) if _missing(after, key) else len(steps)
        )
        for place, (cause, lines) in enumerate(steps):
            if _missing(lines, key) and place < lost_from:
                continue
            now = lines.get(key) or 0
            parts[cause] += now - standing
            standing = now
        parts[Cause.ROUNDING] += (after.get(key) or 0) - standing
        told = {cause: parts[cause] for cause in Cause if parts.get(cause)}
        if told or before.get(key) != after.get(key):
            rows.append(BridgeRow(*key, before.get(key), after.get(key), told))
    return rows


def _missing(lines: Amounts, key: LineKey) -> bool:
    return key in lines and lines[key] is None


def _lost_from(missing: Sequence[bool]) -> int:
    """The place from which every step lacks the amount."""
    place = len(missing)
    while place and missing[place - 1]:
        place -= 1
    return place


def by_cause(rows: Sequence[BridgeRow]) -> dict[Cause, tuple[int, int]]:
    """Charges and credits of every cause over all rows, fen: what the waterfall shows."""
    charges: dict[Cause, int] = defaultdict(int)
    credits_: dict[Cause, int] = defaultdict(int)
    for row in rows:
        for cause, fen in row.parts.items():
            (charges if fen > 0 else credits_)[cause] += fen
    return {
        cause: (charges[cause], credits_[cause]) for cause in Cause if cause in charges or cause in credits_
    }
