"""All lines of a run as CSV that Excel opens with Chinese heads: UTF-8 with BOM, CRLF."""

from __future__ import annotations

import csv
from io import StringIO

from reports.content import Charges, Party, RunContent
from reports.labels import KINDS, Labels

BOM = "\ufeff"
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")
HEADS = (
    "month",
    "run_alias",
    "participant_id",
    "participant_name",
    "participant_kind",
    "city",
    "subject_code",
    "charge",
    "charge_code",
    "quantity",
    "price",
    "amount",
    "quality",
    "clause",
)


def lines_csv(content: RunContent, labels: Labels) -> bytes:
    """One row a participant and charge; a missing amount is the word for missing, an amount that is not is exact."""
    charges = Charges(content.matrix, labels)
    out = StringIO(newline="")
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow([labels(head) for head in HEADS])
    for line in content.all_lines():
        party = content.parties.get(line.participant_id) or Party(line.participant_id)
        missing = labels("missing") if line.amount_cny is None else ""
        writer.writerow(
            [
                str(content.head.month),
                content.head.alias,
                inert(line.participant_id),
                inert(party.name or ""),
                labels.of(KINDS, party.kind),
                inert(labels.city(line.city)) if line.city else "",
                charges.subject(line.charge_code),
                charges.name(line.charge_code),
                line.charge_code,
                missing if line.quantity_mwh is None else line.quantity_mwh,
                "" if line.price_cny_per_mwh is None else line.price_cny_per_mwh,
                missing if line.amount_cny is None else line.amount_cny,
                "" if line.quality is None else line.quality,
                inert(line.clause),
            ]
        )
    return (BOM + out.getvalue()).encode("utf-8")


def inert(text: str) -> str:
    """Text that a spreadsheet would run as a formula gets a leading apostrophe; CSV knows no text cells."""
    return f"'{text}" if text.startswith(FORMULA_STARTS) else text
