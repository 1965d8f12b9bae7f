"""Demand-response events with their programs, enrolments and awards, as the warehouse knows them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from zoneinfo import ZoneInfo

import pandas as pd

from demand_response.events import Event, Program
from demand_response.lifecycle import begins
from demand_response.settle import Commitment
from jobs.roster import Roster, dated_in, valid_on
from market.periods import PERIODS_PER_HOUR, TIME_ZONE, Month
from market.profiles import ProvincialRules
from settlement.findings import Finding, Severity
from warehouse.home import Home
from warehouse.records import read_tables

EVENT_TABLES = (
    "dr_programs",
    "dr_events",
    "dr_enrolments",
    "dr_awards",
    "dr_cancellations",
    "dr_exclusions",
    "rota",
    "dr_funds",
    "dr_appeals",
)


class EventUnknownError(LookupError):
    """No event of that id is in the warehouse."""


@dataclass(frozen=True)
class MonthEvents:
    """The events of a month, or one of them, with the records they are settled by.

    events: those that took place. cancelled: those called off before they began, which nothing settles.
    """

    events: tuple[Event, ...]
    tables: Mapping[str, pd.DataFrame]
    cancelled: tuple[Event, ...] = ()

    @classmethod
    def read(cls, home: Home, month: Month, as_of: datetime | None) -> MonthEvents:
        """Events whose date lies in the month, by date and id, as known at ``as_of``."""
        tables = read_tables(home, EVENT_TABLES, as_of=as_of)
        inside = dated_in(tables["dr_events"], month).sort_values(["date", "event_id"])
        planned = [_event(row) for row in inside.itertuples()]
        off = [event for event in planned if _called_off(event, tables["dr_cancellations"])]
        return cls(tuple(event for event in planned if event not in off), tables, tuple(off))

    @classmethod
    def one(cls, home: Home, event_id: str, as_of: datetime | None) -> MonthEvents:
        """One event alone. Raises EventUnknownError, naming the events there are."""
        tables = read_tables(home, EVENT_TABLES, as_of=as_of)
        known = tables["dr_events"]
        rows = known[known["event_id"] == event_id]
        if rows.empty:
            there = ", ".join(known["event_id"]) or "none yet"
            raise EventUnknownError(f"There is no event {event_id}; events in the warehouse: {there}.")
        return cls(tuple(_event(row) for row in rows.itertuples()), tables)

    def is_cancelled(self, event: Event) -> bool:
        """True when it was called off before it began."""
        return _called_off(event, self.tables["dr_cancellations"])

    @property
    def days(self) -> frozenset[date]:
        """The days with an event."""
        return frozenset(event.date for event in self.events)

    def terms(self, event: Event) -> pd.Series:
        """The program's row in force on the event's day. Raises LookupError where none is."""
        valid = valid_on(self.tables["dr_programs"], event.date)
        rows = valid[valid["program_id"] == event.program_id]
        if len(rows) != 1:
            raise LookupError(
                f"{len(rows)} rows of program {event.program_id} are in force on {event.date}, the day of event "
                f"{event.event_id}; deliver a dr_programs file with exactly one."
            )
        return rows.iloc[0]

    def program(self, event: Event, rules: ProvincialRules) -> Program:
        """The terms in force on the event's day."""
        row = self.terms(event)
        return Program(
            program_id=event.program_id,
            kind=row["kind"],
            product=row["product"],
            direction=row["direction"],
            price_unit=row["price_unit"],
            price_cny=row["price_cny"],
            floor=row["floor"],
            cap=row["cap"],
            minimum_minutes=int(row["minimum_minutes"]),
            test=row["test"],
            time_coefficients=rules.dr_time_coefficients,
            penalty_share=given(row["penalty_share"]),
            penalty_factor=given(row["penalty_factor"]),
            penalty_price_cny_per_kwh=given(row["penalty_price_cny_per_kwh"]),
            capacity_price_cny_per_kw_month=given(row["capacity_price_cny_per_kw_month"]),
            fund_id=given(row["fund_id"]),
        )

    def enrolments(self, event: Event) -> pd.DataFrame:
        """Enrolments in the event's program valid on its day, by participant."""
        valid = valid_on(self.tables["dr_enrolments"], event.date)
        return valid[valid["program_id"] == event.program_id].set_index("participant_id")

    def awards(self, event: Event) -> pd.DataFrame:
        """Awards of the event."""
        awards = self.tables["dr_awards"]
        return awards[awards["event_id"] == event.event_id]

    def awarded(self) -> set[str]:
        """Everyone with an award in one of the events."""
        return {who for event in self.events for who in self.awards(event)["participant_id"]}

    def groups(self, event: Event) -> dict[str, tuple[str, ...]]:
        """Aggregators and virtual plants awarded as such, with those enrolled under them: declared at that level."""
        enrolments = self.enrolments(event)
        under = enrolments["aggregator_id"].map(given).dropna()
        awarded = set(self.awards(event)["participant_id"])
        return {
            str(group): tuple(sorted(under.index[under == group])) for group in sorted(awarded & set(under))
        }

    def metered(self) -> set[str]:
        """Everyone whose meters the events rest on: those awarded and the members of awarded aggregators."""
        members = {who for event in self.events for group in self.groups(event).values() for who in group}
        return self.awarded() | members

    def barred_days(self, event: Event) -> dict[str, dict[date, str]]:
        """Days before the event that a baseline must not use, by participant, with the reason.

        Earlier events by who was called, and days on which a participant's use was ordered (有序用电) or its supply out.
        An aggregator's call is one of its members, and a member's day is one of its aggregator's load.
        """
        days: dict[str, dict[date, str]] = {}
        for row in self.tables["dr_exclusions"].itertuples():
            if row.date < event.date:
                days.setdefault(row.participant_id, {})[row.date] = row.cause
        every = self.tables["dr_events"]
        for row in every[[day < event.date for day in every["date"]]].itertuples():
            earlier = _event(row)
            if self.is_cancelled(earlier):
                continue
            groups = self.groups(earlier)
            called = set(self.awards(earlier)["participant_id"])
            for who in called | {member for group in groups.values() for member in group}:
                days.setdefault(who, {})[earlier.date] = "event"
        for group, members in self.groups(event).items():
            for member in members:
                days.setdefault(group, {}).update(days.get(member, {}))
        return days

    def commitments(
        self, event: Event, rules: ProvincialRules, roster: Roster, findings: list[Finding]
    ) -> list[Commitment]:
        """Awards with the baseline method of their enrolment; adds to ``findings`` what is odd about them."""
        return list(self._commitments(event, rules, roster, findings))

    def _commitments(
        self, event: Event, rules: ProvincialRules, roster: Roster, findings: list[Finding]
    ) -> Iterable[Commitment]:
        enrolments, groups = self.enrolments(event), self.groups(event)
        for award in self.awards(event).sort_values("participant_id").itertuples():
            who = award.participant_id
            above = next((group for group, members in groups.items() if who in members), None)
            if above is not None:
                findings.append(_declared_twice(event, who, above, roster))
                continue
            if who not in enrolments.index:
                findings.append(_award_without_enrolment(event, who, roster))
                continue
            enrolment = enrolments.loc[who]
            fixed_at = datetime.fromisoformat(enrolment["fixed_at"])
            if event.announced_at is not None and fixed_at >= event.announced_at:
                findings.append(_fixed_after_call(event, who, enrolment["fixed_at"], roster))
            adjusted = enrolment["adjustment"] != "none"
            yield Commitment(
                participant_id=who,
                committed_kw=award.committed_kw,
                price_cny=award.price_cny,
                price_unit=award.price_unit,
                method=enrolment["baseline_method"],
                adjustment=enrolment["adjustment"],
                adjustment_window=adjustment_window(event.first_period, rules) if adjusted else None,
                adjustment_cap=adjustment_cap(rules),
            )


def members_of(enrolments: pd.DataFrame, wanted: Collection[str]) -> dict[str, tuple[str, ...]]:
    """Of the wanted participants those that others are enrolled under, with these, by id."""
    found: dict[str, set[str]] = {}
    for who, above in zip(enrolments["participant_id"], enrolments["aggregator_id"], strict=True):
        if given(above) in wanted:
            found.setdefault(str(above), set()).add(who)
    return {group: tuple(sorted(members)) for group, members in sorted(found.items())}


def adjustment_window(first_period: int, rules: ProvincialRules) -> tuple[int, int]:
    """Periods of the event day that a baseline may be adjusted to: hours before the event, a buffer between."""
    last = first_period - 1 - rules.dr_adjustment_buffer_hours * PERIODS_PER_HOUR
    return last - rules.dr_adjustment_hours * PERIODS_PER_HOUR + 1, last


def adjustment_cap(rules: ProvincialRules) -> tuple[float, float]:
    """Lowest and highest ratio of a multiplicative adjustment."""
    low, high = rules.dr_adjustment_cap
    return float(low), float(high)


def given(value: object) -> object | None:
    """The value of an optional cell, None where it is empty."""
    return None if value is None or pd.isna(value) else value


def _called_off(event: Event, cancellations: pd.DataFrame) -> bool:
    """Whether a cancellation came before the event began; one that came later does not undo what happened."""
    mine = cancellations[cancellations["event_id"] == event.event_id]
    start = begins(event, ZoneInfo(TIME_ZONE))
    return any(datetime.fromisoformat(at) < start for at in mine["cancelled_at"])


def cancellation_findings(events: MonthEvents) -> list[Finding]:
    """What was called off, and cancellations that came too late to undo an event."""
    cancellations = events.tables["dr_cancellations"].set_index("event_id")
    found = [
        Finding(
            "event_cancelled",
            Severity.INFORM,
            event.event_id,
            f"Event {event.event_id} of {event.date} was called off at {cancellations.loc[event.event_id, 'cancelled_at']} "
            f"({cancellations.loc[event.event_id, 'reason']}); nothing is paid and nothing is charged for it.",
        )
        for event in events.cancelled
    ]
    late = [event for event in events.events if event.event_id in cancellations.index]
    return found + [
        Finding(
            "cancellation_too_late",
            Severity.BLOCK,
            event.event_id,
            f"The cancellation of event {event.event_id} is of {cancellations.loc[event.event_id, 'cancelled_at']}, after it "
            "had begun; it is settled as called. Deliver the cancellation with its true time, or waive this by name.",
        )
        for event in late
    ]


def _event(row: object) -> Event:
    return Event(
        event_id=row.event_id,
        program_id=row.program_id,
        date=row.date,
        first_period=row.first_period,
        last_period=row.last_period,
        direction=row.direction,
        announced_at=datetime.fromisoformat(row.announced_at),
        need_mw=row.need_mw,
    )


def _award_without_enrolment(event: Event, who: str, roster: Roster) -> Finding:
    return Finding(
        "award_without_enrolment",
        Severity.BLOCK,
        f"{event.event_id}/{who}",
        f"{who} has an award in event {event.event_id} but no enrolment in program {event.program_id} on "
        f"{event.date}; without a baseline method fixed before the event it is not paid. Deliver the "
        "enrolment or withdraw the award.",
        city=roster.city.get(who),
    )


def _declared_twice(event: Event, who: str, above: str, roster: Roster) -> Finding:
    return Finding(
        "award_at_two_levels",
        Severity.BLOCK,
        f"{event.event_id}/{who}",
        f"{who} has an award in event {event.event_id} and so has {above}, under which it is enrolled; its load would count "
        "twice. It is settled within the aggregator; withdraw one of the two awards.",
        city=roster.city.get(who),
    )


def _fixed_after_call(event: Event, who: str, fixed_at: str, roster: Roster) -> Finding:
    return Finding(
        "method_fixed_after_call",
        Severity.REVIEW,
        f"{event.event_id}/{who}",
        f"The baseline method of {who} was fixed at {fixed_at}, after event {event.event_id} was "
        f"announced at {event.announced_at.isoformat()}; a method is fixed before the event.",
        city=roster.city.get(who),
    )
