"""The market's clock: when each step of a delivery day and of a month's close is due, and who owes it.

The steps are data of the profile (``clock.yaml``: owner, how it is counted, clause, validity); counts and times
that the profile already holds as rules (5th, 8th, 10th working day, gate closure, look-back) are named there, not
repeated. Nothing here reads the time of day: a caller brings the moment it asks about.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any, Literal, Protocol
from zoneinfo import ZoneInfo

from pydantic import model_validator

from market.calendars import ChinaCalendar
from market.dated import Certainty, Strict
from market.periods import TIME_ZONE, Month

Counting = Literal["day_offset", "working_day", "calendar_day", "working_days_after", "months_after"]


class Owner(Strict):
    """Who owes a step."""

    code: str
    name_zh: str
    name_en: str


class Step(Strict):
    """One step of the clock and how its day is counted.

    of: a delivery ``day`` or a delivery ``month``.
    counted: ``day_offset`` days from the delivery day; ``working_day`` n of the month after; ``calendar_day`` n of
    the month after (0: the last day of the month itself); ``working_days_after`` the step ``after``;
    ``months_after`` the month, to its last day.
    count, or ``rule``: the name of the profile's rule that holds it. ``at`` or ``at_rule``: the time of day; without
    either the step is due by the end of its day.
    """

    code: str
    name_zh: str
    name_en: str
    owner: str
    of: Literal["day", "month"]
    counted: Counting
    count: int | None = None
    rule: str | None = None
    after: str | None = None
    at: time | None = None
    at_rule: str | None = None
    clause: str
    certainty: Certainty
    valid_from: date
    valid_to: date | None = None

    @model_validator(mode="after")
    def _is_counted_one_way(self) -> Step:
        if (self.count is None) == (self.rule is None):
            raise ValueError(f"Step {self.code} of the clock needs either a count or the rule that holds it.")
        if self.at is not None and self.at_rule is not None:
            raise ValueError(f"Step {self.code} of the clock has two times of day; keep at or at_rule.")
        if (self.counted == "working_days_after") != (self.after is not None):
            raise ValueError(
                f"Step {self.code}: `after` names the step that working_days_after counts from, and no other needs it."
            )
        if (self.counted == "day_offset") != (self.of == "day"):
            raise ValueError(
                f"Step {self.code}: the steps of a day are counted by day_offset, those of a month not."
            )
        return self

    def holds(self, day: date) -> bool:
        """True when the step is in force on a delivery day (a month: on its first day)."""
        return self.valid_from <= day and (self.valid_to is None or day < self.valid_to)


class Clock(Strict):
    """The steps of a profile, in the order in which they are counted."""

    owners: tuple[Owner, ...]
    steps: tuple[Step, ...]

    @model_validator(mode="after")
    def _names_exist(self) -> Clock:
        owners = {owner.code for owner in self.owners}
        earlier: set[str] = set()
        for step in self.steps:
            if step.owner not in owners:
                raise ValueError(
                    f"Step {step.code} of the clock is owed by {step.owner}, who is not an owner."
                )
            if step.after is not None and step.after not in earlier:
                raise ValueError(
                    f"Step {step.code} of the clock is counted from {step.after}, which does not stand before it."
                )
            earlier.add(step.code)
        return self

    def reaching_back_to(self, day: date) -> Clock:
        """The clock itself, or where none of its steps holds that early, the first step of each code from ``day`` on."""
        if any(step.valid_from <= day for step in self.steps):
            return self
        first: dict[str, Step] = {}
        for step in self.steps:
            first.setdefault(step.code, step)
        steps = tuple(
            step.model_copy(update={"valid_from": day}) if step is first[step.code] else step
            for step in self.steps
        )
        return self.model_copy(update={"steps": steps})

    def owner(self, step: Step) -> Owner:
        """Who owes a step."""
        return next(owner for owner in self.owners if owner.code == step.owner)


class Clocked(Protocol):
    """A rule profile: its clock, and its rules by name."""

    @property
    def clocked(self) -> Clock: ...

    def rule(self, name: str, day: date) -> Any: ...


@dataclass(frozen=True)
class Deadline:
    """The day, and where the rule says so the time, by which a step is due in Asia/Shanghai."""

    step: Step
    owner: Owner
    day: date
    at: time | None
    announced: bool
    """False when the holidays of that year were not yet published in the calendar: the day may still move."""

    @property
    def code(self) -> str:
        """The step."""
        return self.step.code

    @property
    def due(self) -> datetime:
        """The first instant that is too late."""
        zone = ZoneInfo(TIME_ZONE)
        if self.at is not None:
            return datetime.combine(self.day, self.at, zone)
        return datetime.combine(self.day + timedelta(days=1), time(), zone)

    def passed(self, moment: datetime) -> bool:
        """True when ``moment`` (with its offset) is too late. Raises ValueError for a moment without offset."""
        if moment.tzinfo is None:
            raise ValueError(f"{moment} has no offset; a deadline is an instant in {TIME_ZONE}.")
        return moment >= self.due


def month_deadlines(rules: Clocked, month: Month, calendar: ChinaCalendar) -> tuple[Deadline, ...]:
    """Every step of a delivery month's close, earliest first."""
    found: dict[str, Deadline] = {}
    for step in rules.clocked.steps:
        if step.of == "month" and step.holds(month.first):
            start = None if step.after is None else _of(found, step.after, month).day
            day = _month_day(step, _count(rules, step, month.first), month, start, calendar)
            found[step.code] = _deadline(rules, step, day, month.first, calendar)
    return tuple(sorted(found.values(), key=lambda one: one.due))


def day_deadlines(rules: Clocked, day: date, calendar: ChinaCalendar) -> tuple[Deadline, ...]:
    """Every step of a delivery day, from the bid of the day before to its daily clearing, earliest first."""
    found = [
        _deadline(rules, step, day + timedelta(days=_count(rules, step, day)), day, calendar)
        for step in rules.clocked.steps
        if step.of == "day" and step.holds(day)
    ]
    return tuple(sorted(found, key=lambda one: one.due))


def month_deadline(rules: Clocked, code: str, month: Month, calendar: ChinaCalendar) -> Deadline:
    """One step of a month's close; KeyError with a sentence where the clock has none."""
    return _of({one.code: one for one in month_deadlines(rules, month, calendar)}, code, month)


def day_deadline(rules: Clocked, code: str, day: date, calendar: ChinaCalendar) -> Deadline:
    """One step of a delivery day; KeyError with a sentence where the clock has none."""
    return _of({one.code: one for one in day_deadlines(rules, day, calendar)}, code, day)


def counted_from(rules: Clocked, code: str, month: Month, start: date, calendar: ChinaCalendar) -> Deadline:
    """A step that is counted in working days after another one, from the day on which that one truly happened.

    An objection filed on ``start`` is answered by ``counted_from(rules, "objection_reply", month, start, calendar)``.
    Raises KeyError for an unknown step, ValueError for one that is not counted from another.
    """
    step = month_deadline(rules, code, month, calendar).step
    if step.after is None:
        raise ValueError(f"Step {code} is not counted from another step; ask month_deadline for its day.")
    day = calendar.working_days_after(start, _count(rules, step, month.first))
    return _deadline(rules, step, day, month.first, calendar)


def may_correct(rules: Clocked, month: Month, moment: datetime, calendar: ChinaCalendar) -> bool:
    """True while a month may still be corrected: the look-back window (追退补) is open at ``moment``."""
    return not month_deadline(rules, "look_back", month, calendar).passed(moment)


def _of(found: dict[str, Deadline], code: str, asked: Month | date) -> Deadline:
    if code not in found:
        raise KeyError(
            f"The clock has no step {code!r} for {asked}; it has {', '.join(sorted(found)) or 'none'}. "
            "Steps stand in clock.yaml of the profile."
        )
    return found[code]


def _count(rules: Clocked, step: Step, day: date) -> int:
    return step.count if step.count is not None else int(rules.rule(str(step.rule), day))


def _month_day(step: Step, count: int, month: Month, start: date | None, calendar: ChinaCalendar) -> date:
    match step.counted:
        case "working_day":
            return calendar.working_day(month.after, count)
        case "calendar_day":
            return month.after + timedelta(days=count - 1)
        case "months_after":
            after = month
            for _ in range(count):
                after = Month.of(after.after)
            return after.after - timedelta(days=1)
        case _:
            assert start is not None  # noqa: S101 - the model lets no other counting through
            return calendar.working_days_after(start, count)


def _deadline(rules: Clocked, step: Step, day: date, asked: date, calendar: ChinaCalendar) -> Deadline:
    at = step.at if step.at_rule is None else rules.rule(step.at_rule, asked)
    fixed = step.counted in ("day_offset", "calendar_day", "months_after")
    return Deadline(step, rules.clocked.owner(step), day, at, fixed or calendar.announced(day.year))
