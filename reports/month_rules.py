"""What the profile says about the month's closing, and which of its rules rest on an uncertain source."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from market.calendars import ChinaCalendar
from market.clock import month_deadlines
from market.periods import Month
from market.profiles import Certainty, RuleProfile, RuleSet
from reports.labels import Labels


@dataclass(frozen=True)
class Milestone:
    """One step of closing a month; ``ordinal`` counts working days of the month after, None for the month's end."""

    step: str
    ordinal: int | None
    day: date


@dataclass(frozen=True)
class UncertainRule:
    """A rule or charge that was not read in a rule text."""

    name: str
    value: str
    unit: str
    clause: str
    certainty: Certainty


def close_calendar(month: Month, rules: RuleProfile, calendar: ChinaCalendar) -> list[Milestone]:
    """Draft, confirmation, answers to objections, final basis, bills: the profile's clock (SD25 14.4, market.md C.1)."""
    due = {one.code: one.day for one in month_deadlines(rules.reaching_back_to(month.first), month, calendar)}
    ordinals = dict(working_days(month, due["bills"], calendar))
    return [
        Milestone(step, ordinals.get(due[step]), due[step])
        for step in ("month_end", "draft", "confirm", "verify", "final", "bills")
    ]


def working_days(month: Month, last: date, calendar: ChinaCalendar) -> list[tuple[date, int | None]]:
    """Every day from the first of the month after to ``last`` with its working-day number, None on days off."""
    days: list[tuple[date, int | None]] = []
    ordinal, day = 0, month.after
    while day <= last:
        worked = calendar.is_workday(day)
        ordinal += worked
        days.append((day, ordinal if worked else None))
        day += timedelta(days=1)
    return days


def uncertain_rules(profile: RuleProfile, month: Month, labels: Labels) -> list[UncertainRule]:
    """Values and charges in force in the month whose certainty is not ``rule_text``."""
    rules, matrix = profile.settled
    found = _uncertain_values(rules, month)
    if profile.interprovincial is not None:
        found += _uncertain_values(profile.interprovincial, month)
    found += [
        UncertainRule(
            charge.name_zh if labels.lang == "zh" else charge.name_en,
            charge.key,
            "",
            charge.clause,
            charge.certainty,
        )
        for charge in matrix.charges
        if charge.certainty is not Certainty.RULE_TEXT
    ]
    return found


def _uncertain_values(rules: RuleSet, month: Month) -> list[UncertainRule]:
    found = []
    for name in type(rules).model_fields:
        value = getattr(rules, name)
        if name == "provenance":
            continue
        sources = (
            [(value, rules.provenance[name])] if name in rules.provenance else [(e.value, e) for e in value]
        )
        found += [
            UncertainRule(name, _shown(held), source.unit, source.clause, source.certainty)
            for held, source in sources
            if source.certainty is not Certainty.RULE_TEXT
            and source.valid_from < month.after
            and (source.valid_to is None or month.first < source.valid_to)
        ]
    return found


def _shown(value: Any) -> str:
    if isinstance(value, tuple):
        return ", ".join(
            _shown(part) if not isinstance(part, tuple) else f"({_shown(part)})" for part in value
        )
    return str(value)
