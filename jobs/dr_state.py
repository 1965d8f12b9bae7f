"""Where an event stands, from what the warehouse holds of it (``demand_response.lifecycle``)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow.compute as pc
import pyarrow.parquet as pq

from demand_response.events import Event
from demand_response.lifecycle import (
    TRANSITIONS,
    Facts,
    State,
    Step,
    StepRefusedError,
    check_appeal,
    state_of,
)
from demand_response.sharing import event_window
from jobs.dr_events import MonthEvents, given
from jobs.dr_loads import read_loads
from market.periods import TIME_ZONE, Month
from settlement.findings import Finding, Severity
from warehouse import runs
from warehouse.deliveries import newest_recorded_at
from warehouse.home import Home
from warehouse.records import read_records


def event_folder(home: Home, event_id: str) -> Path:
    """Where everything written about an event stands."""
    return home.reports / "events" / event_id


def facts_of(home: Home, events: MonthEvents, event: Event, as_of: datetime | None) -> Facts:
    """What is on record of an event at ``as_of``; a report or run counts once it is written."""
    awarded = set(events.awards(event)["participant_id"])
    return Facts(
        awarded=bool(awarded),
        measured=bool(awarded) and _measured(home, events, event, as_of),
        provisional=any(event_folder(home, event.event_id).glob("provisional-v*")),
        final=any(_holds(run, event.event_id) for run in _finals(home, event)),
        cancelled=events.is_cancelled(event),
        open_appeals=frozenset(one.participant_id for one in _appeals(home, event, as_of) if one.is_open),
    )


def state(home: Home, events: MonthEvents, event: Event, as_of: datetime | None = None) -> State:
    """The event's state at ``as_of``, by default the moment of the newest delivery: never the machine's clock."""
    moment = as_of or newest_recorded_at(home)
    if moment is None:
        return State.PLANNED
    return state_of(event, facts_of(home, events, event, as_of), moment, ZoneInfo(TIME_ZONE))


def settleable_on(home: Home, day: date) -> list[str]:
    """Events of a day that a provisional report can be made of now: measured, and not yet final."""
    events = MonthEvents.read(home, Month.of(day), None)
    return [
        event.event_id
        for event in events.events
        if event.date == day and (state(home, events, event), Step.SETTLE) in TRANSITIONS
    ]


@dataclass(frozen=True)
class Appeal:
    """One appeal against an event, as delivered; open until it has an outcome."""

    participant_id: str
    appealed_at: datetime
    outcome: str | None
    reason: str

    @property
    def is_open(self) -> bool:
        """Not decided yet."""
        return self.outcome is None


def appeal_findings(home: Home, events: MonthEvents, as_of: datetime | None) -> list[Finding]:
    """Open appeals against events that took place, and appeals that the rule does not admit (A3: from D+2, one open)."""
    return [
        finding for event in events.events for finding in _findings_of(event, _appeals(home, event, as_of))
    ]


def _findings_of(event: Event, appeals: list[Appeal]) -> Iterator[Finding]:
    settled, before = Facts(awarded=True, measured=True, provisional=True), frozenset[str]()
    for one in appeals:
        who, subject = one.participant_id, f"{event.event_id}/{one.participant_id}"
        try:
            check_appeal(
                event, who, one.appealed_at.date(), State.PROVISIONAL, replace(settled, open_appeals=before)
            )
        except StepRefusedError as refused:
            yield Finding(
                "appeal_not_admissible",
                Severity.REVIEW,
                subject,
                f"{refused} Answer it, and deliver dr_appeals with its outcome.",
            )
            continue
        if one.is_open:
            before |= {who}
            yield Finding(
                "appeal_open",
                Severity.REVIEW,
                subject,
                f"{who} appealed against event {event.event_id} at {one.appealed_at.isoformat()} ({one.reason}); it is settled "
                "as measured until dr_appeals is delivered with an outcome.",
            )


def _appeals(home: Home, event: Event, as_of: datetime | None) -> list[Appeal]:
    """Appeals against one event as known at ``as_of``, in the order in which they were made."""
    table = read_records(home, "dr_appeals", as_of=as_of)
    found = [
        Appeal(row.participant_id, datetime.fromisoformat(row.appealed_at), given(row.outcome), row.reason)
        for row in table[table["event_id"] == event.event_id].itertuples()
    ]
    return sorted(found, key=lambda one: (one.appealed_at, one.participant_id))


def _measured(home: Home, events: MonthEvents, event: Event, as_of: datetime | None) -> bool:
    awarded, groups = set(events.awards(event)["participant_id"]), events.groups(event)
    wanted = (awarded - groups.keys()) | {member for group in groups.values() for member in group}
    book = read_loads(home, wanted, event.date, event.date + timedelta(days=1), as_of)
    return not np.isnan(book.on(event.date)[:, event_window(event)]).any()


def _finals(home: Home, event: Event) -> list[runs.Run]:
    month = str(Month.of(event.date))
    return [run for run in runs.list_runs(home) if (run.kind, run.month) == ("final", month)]


def _holds(run: runs.Run, event_id: str) -> bool:
    named = pq.read_table(run.folder / "response.parquet", columns=["event_id"])["event_id"]
    return bool(pc.any(pc.equal(named, event_id)).as_py())
