"""A statement's lines as CSV that Excel opens with Chinese heads: UTF-8 with BOM, CRLF, one row a charge."""

from __future__ import annotations

import csv
from io import StringIO

from reports.labels import MOVED
from reports.lines_csv import BOM, inert
from reports.statement_facts import Statement
from reports.statement_lines import reason

HEADS = (
    "subject_code",
    "charge",
    "quantity",
    "price",
    "amount",
    "previous_amount",
    "difference",
    "reason",
    "clause",
    "moved",
    "quality",
    "statement_no",
    "month",
    "participant_id",
    "participant_name",
    "run_alias",
    "charge_code",
)


def statement_csv(what: Statement) -> bytes:
    """The statement's lines exactly; a missing amount is the word for missing, what does not apply is empty."""
    labels = what.labels
    out = StringIO(newline="")
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow([labels(head) for head in HEADS])
    has_previous = what.content.previous is not None
    missing = labels("missing")

    def number(value: object, *, applies: bool) -> object:
        return "" if not applies else missing if value is None else value

    for line in what.lines:
        gap = line.amount_cny is None
        writer.writerow(
            [
                what.charges.subject(line.charge_code),
                what.charges.name(line.charge_code),
                number(line.quantity_mwh, applies=gap or line.quantity_mwh is not None),
                number(line.price_cny_per_mwh, applies=gap or line.price_cny_per_mwh is not None),
                number(line.amount_cny, applies=True),
                number(line.previous_cny, applies=has_previous),
                number(line.difference_cny, applies=has_previous),
                reason(line, labels),
                inert(line.clause),
                labels.of(MOVED, line.moved),
                "" if line.quality is None else line.quality,
                what.number,
                str(what.content.head.month),
                inert(what.participant_id),
                inert(what.party.name or ""),
                what.content.head.alias,
                line.charge_code,
            ]
        )
    return (BOM + out.getvalue()).encode("utf-8")
