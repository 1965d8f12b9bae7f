"""关账进度: when each gate of a month's close will truly be passed, what holds it, and the path that decides the bills.

Pure but for the calendar: the profile's clock says when a gate is due, late feeds say when it could be passed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

from market.calendars import ChinaCalendar
from market.clock import Deadline, counted_from, month_deadlines
from market.periods import TIME_ZONE, Month
from market.profiles import RuleProfile

GATES = ("month_end", "daily_updated", "month_meters", "draft", "confirm", "verify", "final", "bills")
AFTER = {
    "draft": ("daily_updated", "month_meters"),
    "confirm": ("draft",),
    "verify": ("confirm",),
    "final": ("verify",),
    "bills": ("final",),
}
COUNTED = ("confirm", "verify")  # in working days from when the step before truly happened
METER_TABLES = ("meter_readings", "meter_quality", "registers", "reactive_readings", "maximum_demand")


@dataclass(frozen=True)
class LateFeed:
    """One table and city that came after it was due, or that lacks something still (``arrived`` None).

    moved_mwh, amount_cny: what its late rows moved, of the priced part; unpriced: changes without a price.
    lacking: how many blocking findings wait for it. after_run: the run that had been made without it.
    """

    table: str
    city: str
    arrived: datetime | None
    late_days: int
    moved_mwh: Decimal
    amount_cny: Decimal
    unpriced: int
    lacking: int = 0
    after_run: str | None = None
    files: tuple[str, ...] = ()

    @property
    def gate(self) -> str:
        """The gate it must be in for."""
        return "month_meters" if self.table in METER_TABLES else "daily_updated"

    @property
    def day(self) -> date | None:
        """The day on which it was whole, in Asia/Shanghai."""
        return None if self.arrived is None else self.arrived.astimezone(ZoneInfo(TIME_ZONE)).date()


@dataclass(frozen=True)
class Gate:
    """A gate of the close. ``expected`` is None while a feed that holds it is not there; ``slip`` in calendar days.

    after: the gates before it that made it late; feeds: the feeds that did.
    """

    deadline: Deadline
    ordinal: int | None
    expected: date | None
    after: tuple[str, ...]
    feeds: tuple[LateFeed, ...]
    critical: bool

    @property
    def slip(self) -> int | None:
        """How much later than due; None where nobody knows."""
        return None if self.expected is None else (self.expected - self.deadline.day).days


@dataclass(frozen=True)
class ClosePlan:
    """The gates in order and the feeds that came late or lack, the ones on the critical path first."""

    gates: tuple[Gate, ...]
    feeds: tuple[LateFeed, ...]
    critical_feeds: frozenset[tuple[str, str]]

    def is_critical(self, feed: LateFeed) -> bool:
        """True where the bills wait for this feed."""
        return (feed.table, feed.city) in self.critical_feeds


def close_plan(
    month: Month, rules: RuleProfile, calendar: ChinaCalendar, feeds: Sequence[LateFeed]
) -> ClosePlan:
    """Gates up to the bills. A gate is passed when it is due, or when the last thing it waits for is there."""
    due = {one.code: one for one in month_deadlines(rules, month, calendar)}
    codes = [code for code in GATES if code in due]
    expected: dict[str, date | None] = {}
    causes: dict[str, tuple[str, ...]] = {}
    holding: dict[str, list[LateFeed]] = {}
    for code in codes:
        mine = [feed for feed in feeds if feed.gate == code]
        before = [one for one in AFTER.get(code, ()) if one in expected]
        if code in COUNTED and expected[before[0]] is not None:
            earliest = counted_from(rules, code, month, _known(expected[before[0]]), calendar).day
        else:
            earliest = due[code].day
        waits: dict[str, date | None] = {one: expected[one] for one in before if code not in COUNTED}
        if code in COUNTED and expected[before[0]] is None:
            waits = {before[0]: None}
        days = [*waits.values(), *(feed.day for feed in mine)]
        open_ones = [feed for feed in mine if feed.day is None]
        if None in days:
            expected[code] = None
            holding[code] = open_ones
            causes[code] = tuple(one for one, day in waits.items() if day is None)
            continue
        last = max([earliest, *map(_known, days)])
        expected[code] = last
        slipped = last > due[code].day
        holding[code] = [feed for feed in mine if slipped and feed.day == last]
        if code in COUNTED and slipped:
            causes[code] = tuple(before)
        else:
            causes[code] = tuple(one for one, day in waits.items() if slipped and day == last)
    path, critical = _critical(codes[-1], expected, due, causes, holding)
    gates = tuple(
        Gate(
            due[code],
            calendar.working_day_number(due[code].day) if due[code].day >= month.after else None,
            expected[code],
            causes[code],
            tuple(holding[code]),
            code in path,
        )
        for code in codes
    )
    ordered = sorted(
        feeds,
        key=lambda feed: (
            (feed.table, feed.city) not in critical,
            -abs(feed.amount_cny),
            feed.table,
            feed.city,
        ),
    )
    return ClosePlan(gates, tuple(ordered), frozenset(critical))


def _critical(
    last: str,
    expected: dict[str, date | None],
    due: dict[str, Deadline],
    causes: dict[str, tuple[str, ...]],
    holding: dict[str, list[LateFeed]],
) -> tuple[set[str], set[tuple[str, str]]]:
    """Back from the bills over what made each gate late; nothing where the bills are in time."""
    path: set[str] = set()
    feeds: set[tuple[str, str]] = set()
    day = expected[last]
    if day is not None and day <= due[last].day:
        return path, feeds
    waiting = [last]
    while waiting:
        code = waiting.pop()
        if code in path:
            continue
        path.add(code)
        feeds |= {(feed.table, feed.city) for feed in holding[code]}
        waiting += causes[code]
    return path, feeds


def _known(day: date | None) -> date:
    assert day is not None  # noqa: S101  # the caller looked
    return day
