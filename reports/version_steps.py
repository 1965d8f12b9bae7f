"""From the version before to this one by cause, users and suppliers apart: the waterfall of the month page."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from market.money import yuan
from reports.content import LineRow, RunContent, known_total
from reports.month_numbers import SUPPLY, kind_of
from settlement.bridge import Cause


@dataclass(frozen=True)
class Step:
    """``old``, a cause or ``new``: net yuan of users and of suppliers, and how many lines it moved."""

    name: str
    users: Decimal
    suppliers: Decimal
    lines: int

    @property
    def net(self) -> Decimal:
        """Both sides: what stays on clearing accounts, near zero."""
        return self.users + self.suppliers


def version_steps(content: RunContent) -> list[Step]:
    """Empty without a bridge. Every cause that moved money, and rounding always: it is never hidden."""
    if content.bridge is None or content.previous is None:
        return []
    rows = [row for by_charge in content.bridge.rows.values() for row in by_charge.values()]
    steps = [_whole("old", content, (line for lines in content.previous.values() for line in lines))]
    for cause in Cause:
        parts = [(row.participant_id, row.parts[cause]) for row in rows if row.parts.get(cause)]
        if parts or cause is Cause.ROUNDING:
            sides = {True: 0, False: 0}
            for who, fen in parts:
                sides[kind_of(content, who) in SUPPLY] += fen
            steps.append(Step(str(cause), yuan(sides[False]), yuan(sides[True]), len(parts)))
    return [*steps, _whole("new", content, content.all_lines())]


def _whole(name: str, content: RunContent, lines: Iterable[LineRow]) -> Step:
    sides: dict[bool, list[Decimal | None]] = {True: [], False: []}
    for line in lines:
        sides[kind_of(content, line.participant_id) in SUPPLY].append(line.amount_cny)
    users, suppliers = (known_total(sides[supplies]) for supplies in (False, True))
    return Step(name, users, suppliers, sum(map(len, sides.values())))
