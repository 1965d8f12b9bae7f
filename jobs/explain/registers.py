"""The counters behind a month-end adjustment: reads of the month and multipliers of the meters they stand on."""

from __future__ import annotations

import pandas as pd

from jobs.explain.run import RunData
from jobs.roster import USER_KINDS, valid_in
from reports.explanation import Source

OF_REGISTERS = ("month_adjustment", "retail_adjustment")


def registers_of(run: RunData, who: str) -> tuple[Source, ...]:
    """Rows of registers and meters of a user, or of all customers of a retailer or of the grid company."""
    month, customers = run.month, _customers(run, who)
    meters = valid_in(run.book(who)["meters"], month)
    meters = meters[meters["participant_id"].isin(customers) & (meters["direction"] == 1)]
    reads = run.read("registers", meter_id=sorted(set(meters["meter_id"])))
    touching = [
        first < month.after and month.first < after
        for first, after in zip(reads["valid_from"], reads["valid_to"], strict=True)
    ]
    reads = reads[pd.Series(touching, index=reads.index, dtype=bool)]
    reads = reads[
        (reads["flow"] == "forward") & (reads["rate"] == "total") & reads["meter_id"].isin(meters["meter_id"])
    ]
    meters = meters[meters["meter_id"].isin(reads["meter_id"])]
    shown = ("valid_from", "valid_to", "start_kwh", "end_kwh", "digits")
    return (
        *run.files.records("registers", reads, "meter_id", shown),
        *run.files.records("meters", meters, "meter_id", ("multiplier", "valid_from")),
    )


def _customers(run: RunData, who: str) -> set[str]:
    roster = run.roster_of(who)
    if roster.kind.get(who) not in USER_KINDS:
        return {who}
    row = int(roster.parties.get_indexer([who])[0])
    return {
        name
        for span in roster.spans
        for name, of in zip(roster.metered, span.holder, strict=True)
        if of == row
    }
