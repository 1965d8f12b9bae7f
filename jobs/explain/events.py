"""A demand-response line: its events, how each was answered or shared, and the rows of files behind it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from typing import Any

from jobs.explain.run import RunData
from reports.explanation import Pool, Source

CHARGE = "demand_response_charge"
PAID = {"demand_response_payment": "payment_cny", "demand_response_penalty": "penalty_cny"}
OF_EVENTS = (*PAID, CHARGE)


def events_of(run: RunData, who: str, code: str, day: date | None) -> dict[str, Any]:
    """Amount by event (a charge by event and tranche), of one day or all, with the rows the events rest on.

    A payment to an aggregator is made of its members' responses.
    """
    dates = dict(zip(*(run.read("dr_events")[name] for name in ("event_id", "date")), strict=True))
    rows = [row for row in _rows(run, who, code) if day in (None, dates.get(row[0]))]
    made_of = tuple((label, amount) for _, label, amount, _ in rows if amount)
    total = sum((amount for _, amount in made_of), Decimal(0))
    amount = run.line(who, code).amount_cny
    if day is None and amount is not None:
        run.agree(code, who, total == amount, "the events", total, amount)
    sources: list[Source] = []
    for event in dict.fromkeys(row[0] for row in rows):
        members = sorted({member for of, _, _, member in rows if of == event})
        sources += _sources(run, event, members, dates[event])
    return {
        "pool": Pool(sum((amount for _, amount in made_of), Decimal(0)), made_of, ()),
        "sources": tuple(sources),
    }


def _rows(run: RunData, who: str, code: str) -> Iterator[tuple[str, str, Decimal, str]]:
    """Event, label, amount as the line has it, and whose response or share it is."""
    if code == CHARGE:
        for row in run.rows("allocation.parquet"):
            if row["participant_id"] == who:
                yield (
                    row["event_id"],
                    f"{row['event_id']} {row['tranche']}",
                    row["charge_cny"] or Decimal(0),
                    who,
                )
        return
    enrolments = run.read("dr_enrolments")
    under = set(enrolments.loc[enrolments["aggregator_id"] == who, "participant_id"])
    sign = -1 if code == "demand_response_payment" else 1
    for row in run.rows("response.parquet"):
        member = row["participant_id"]
        if member == who or member in under:
            label = f"{row['event_id']} {member} {row['confirmed_kw']} kW"
            yield row["event_id"], label, sign * (row[PAID[code]] or Decimal(0)), member


def _sources(run: RunData, event: str, members: list[str], day: date) -> Iterator[Source]:
    for table in ("dr_events", "dr_awards"):
        frame = run.read(table)
        mine = frame[frame["event_id"] == event]
        if "participant_id" in mine:
            mine = mine[mine["participant_id"].isin(members)]
        yield from run.files.records(table, mine, "event_id")
    energy, meters = run.energy(day, *members), run.book(*members)["meters"]
    for member in members:
        yield from energy.meter_sources(member, meters, run.files)
