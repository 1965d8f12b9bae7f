"""Where an event stands, from what the warehouse holds of it (``demand_response.lifecycle``)."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow.compute as pc
import pyarrow.parquet as pq

from demand_response.events import Event
from demand_response.lifecycle import TRANSITIONS, Facts, State, Step, state_of
from demand_response.sharing import event_window
from jobs.dr_events import MonthEvents
from jobs.dr_loads import read_loads
from market.periods import TIME_ZONE, Month
from warehouse import runs
from warehouse.deliveries import newest_recorded_at
from warehouse.home import Home


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
