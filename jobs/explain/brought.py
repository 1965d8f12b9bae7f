"""A line ``resettlement``: which charges of which past months were corrected, before and after."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from jobs.explain.run import RunData
from reports.explanation import Pool, Source
from settlement.corrections import CODE
from warehouse.difference_tables import CORRECTIONS, DIFFERENCES


def brought_of(run: RunData, who: str) -> dict[str, Any]:
    """What the line is made of, by source month and charge, and the rows of the corrections it comes from."""
    rows = [row for row in run.rows(CORRECTIONS) if row["participant_id"] == who]
    total = sum((row["difference_cny"] for row in rows), Decimal(0))
    amount = run.line(who, CODE).amount_cny
    run.agree(CODE, who, total == amount, "the corrected charges", total, amount)
    made_of = tuple((f"{row['source_month']} {row['charge_code']}", row["difference_cny"]) for row in rows)
    sources = tuple(
        Source(
            "differences",
            f"{row['source_month']} {row['charge_code']} {row['previous_cny']} → {row['corrected_cny']}",
            f"runs/{row['correction']}/{DIFFERENCES}",
            place,
        )
        for place, row in enumerate(rows, start=1)
    )
    return {"pool": Pool(total, made_of, ()), "sources": sources}
