"""The events there are and where each stands."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from demand_response.events import Event
from jobs.dr_events import MonthEvents
from jobs.dr_settle import report_versions
from jobs.dr_state import state
from market.periods import Month, label
from warehouse.deliveries import newest_recorded_at
from warehouse.home import Home
from warehouse.records import read_records


@dataclass(frozen=True)
class EventRow:
    """One event as a list shows it; kW as delivered. reports: versions of its provisional report."""

    event_id: str
    program_id: str
    date: str
    window: str
    direction: str
    need_mw: str
    awarded: int
    committed_kw: str
    state: str
    reports: tuple[int, ...]

    def as_json(self) -> dict[str, Any]:
        """The row for machines."""
        return asdict(self)


def list_events(home: Home, month: Month | None = None, as_of: datetime | None = None) -> list[EventRow]:
    """Every event of a month, or of all months, by date and id, with its state at ``as_of`` (else the newest delivery)."""
    moment = as_of or newest_recorded_at(home)
    dates = read_records(home, "dr_events", as_of=moment)["date"]
    months = [month] if month is not None else sorted({Month.of(day) for day in dates})
    return [
        _row(home, known, event, moment) for each in months for known, event in _events(home, each, moment)
    ]


def _events(home: Home, month: Month, moment: datetime | None) -> list[tuple[MonthEvents, Event]]:
    known = MonthEvents.read(home, month, moment)
    both = sorted((*known.events, *known.cancelled), key=lambda event: (event.date, event.event_id))
    return [(known, event) for event in both]


def _row(home: Home, known: MonthEvents, event: Event, moment: datetime | None) -> EventRow:
    awards = known.awards(event)
    return EventRow(
        event.event_id,
        event.program_id,
        event.date.isoformat(),
        f"{label(event.first_period - 1) if event.first_period > 1 else '00:00'}–{label(event.last_period)}",
        str(event.direction),
        "" if event.need_mw is None else f"{event.need_mw:f}",
        len(awards),
        f"{awards['committed_kw'].sum():f}" if len(awards) else "0",
        state(home, known, event, moment).value,
        tuple(sorted(report_versions(home, event.event_id))),
    )
