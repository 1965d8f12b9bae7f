"""The desk's clock on the morning before a delivery day: what is due when, how long is left, and the alarm.

Here, and only here, the bid looks at the time of day: to know how long a person may still be asked. Nothing that is
calculated depends on it.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

from jobs.bid_desk import handed_in
from jobs.bid_reading import read_curves
from jobs.bid_session import DAY_AHEAD, DAY_AHEAD_STAGE, Session
from jobs.bid_store import newest
from market.calendars import ChinaCalendar
from market.clock import day_deadline
from market.profiles import profile
from warehouse.home import Home

ALARM = "bid_alarm"  # the step of the clock at which the desk must hear that nothing is handed in
ASKED = "bid_approved"  # the step of the clock until which a person is asked
REHEARSAL = timedelta(minutes=30)  # to answer for a day whose gate has closed
SEARCHING = timedelta(
    minutes=10
)  # for the bid on transfer capability and for reading it, before the approval is due
BEFORE_CLOSING = timedelta(minutes=5)  # to hand in a round's bid


class NothingHandedInError(ValueError):
    """The alarm: it is 11:15 and nothing is handed in."""


def asked_until(day: date, session: Session = DAY_AHEAD, provincial_profile: str = "SD_2022") -> datetime:
    """Until when an approver is asked: 11:20 on D-1 by the clock of the profile, five minutes before a round closes."""
    rules = profile(provincial_profile)
    if session.intraday:
        return session.gate(day, profile(rules.settled[0].interprovincial_profile).traded) - BEFORE_CLOSING
    return day_deadline(rules, ASKED, day, ChinaCalendar()).due


def time_to_answer(day: date, session: Session = DAY_AHEAD, moment: datetime | None = None) -> timedelta:
    """What is left of it; half an hour for a rehearsal of a day that is over."""
    left = asked_until(day, session) - (moment or datetime.now(UTC))
    return left if left > timedelta(0) else REHEARSAL


def may_go_on(home: Home, day: date, moment: datetime | None = None) -> bool:
    """Whether the morning need not wait any longer: transfer capability of the day is in, or it is too late for it."""
    landed = read_curves(home, "atc", day, day + timedelta(days=1), ("section_id", "stage"))
    if any(stage == DAY_AHEAD_STAGE for _, stage in landed):
        return True
    return (moment or datetime.now(UTC)) >= asked_until(day) - SEARCHING


def alarm(home: Home, day: date, moment: datetime | None = None) -> bool:
    """True when something is handed in for the day, or its gate has closed; False while there is time.

    Raises NothingHandedInError from 11:15 of D-1 on, by the clock of the profile.
    """
    now, rules = moment or datetime.now(UTC), profile("SD_2022")
    gate = DAY_AHEAD.gate(day, profile(rules.settled[0].interprovincial_profile).traded)
    if handed_in(home, day) is not None or now >= gate:
        return True
    if now < day_deadline(rules, ALARM, day, ChinaCalendar()).due:
        return False
    there = newest(home, day)
    standing = "no bid is on disk" if there is None else f"version {there.version} ({there.label}) waits"
    raise NothingHandedInError(
        f"Nothing is handed in for {day}: {standing}. Answer under Required Actions, or run "
        f"`gridsettle bid approve {day}` and `gridsettle bid hand-in {day}`; else the bid by rule goes in."
    )
