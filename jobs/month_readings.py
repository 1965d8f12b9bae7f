"""校核与补数: a month of readings checked, and where the profile allows it for the kind of run, estimated."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime

import pandas as pd

from jobs.accepted import DayPatch
from jobs.estimates import Estimate, estimate, estimate_findings, grounds, patches
from jobs.reading_checks import look_through
from jobs.reading_findings import reading_findings
from jobs.register_checks import check_registers
from jobs.roster import Roster
from market.periods import Month
from market.profiles import RuleProfile
from settlement.findings import Finding
from warehouse.curves import curve_inputs
from warehouse.deliveries import Input
from warehouse.home import Home
from warehouse.records import read_records

READING_RECORDS = ("participants", "meters", "registers")


@dataclass(frozen=True)
class CheckedReadings:
    """What the checks found, and what the run settles in the place of raw readings."""

    findings: tuple[Finding, ...] = ()
    estimates: tuple[Estimate, ...] = ()

    @property
    def accepted(self) -> Mapping[date, DayPatch]:
        """The estimates as patches, by day."""
        return patches(self.estimates)


def check_readings(
    home: Home,
    roster: Roster,
    records: Mapping[str, pd.DataFrame],
    profile: RuleProfile,
    kind: str,
    as_of: datetime | None,
) -> CheckedReadings:
    """Every rule of docs/readings.md over the roster's month; nothing for a profile without limits.

    records: READING_RECORDS. kind: of the run; gaps are estimated only in the profile's ``estimation_stages``.
    """
    rules = profile.readings
    if rules is None:
        return CheckedReadings()
    limits = rules.limits(roster.month.first)
    seen = look_through(home, roster, records["participants"], rules, as_of)
    estimates = estimate(home, seen.gaps, rules, as_of) if kind in limits.estimation_stages else []
    odd = check_registers(seen, records["meters"], records["registers"], limits)
    replaced = limits.substituted_checks if kind in limits.estimation_stages else ()
    return CheckedReadings(
        (
            *reading_findings(seen, odd, limits, roster.city, replaced),
            *estimate_findings(estimates, roster.city),
        ),
        tuple(estimates),
    )


def check_month(
    home: Home, month: Month, profile: RuleProfile, as_of: datetime | None = None
) -> CheckedReadings:
    """The checks of a month by themselves, as after a delivery of readings: nothing is estimated or written."""
    records = {table: read_records(home, table, as_of=as_of) for table in (*READING_RECORDS, "contracts")}
    roster = Roster(month, *(records[table] for table in ("participants", "meters", "contracts")))
    return check_readings(home, roster, records, profile, "check", as_of)


def reading_inputs(
    home: Home, month: Month, profile: RuleProfile, kind: str, as_of: datetime | None, history: date
) -> list[Input]:
    """The deliveries of readings that the month rests on: from ``history`` on, and what estimates may rest on."""
    spans = [(history, month.after)]
    if profile.readings is not None and kind in profile.readings.limits(month.first).estimation_stages:
        (first, after), *further = grounds(month, profile.readings)
        spans = [(min(first, history), after), *further]
    found: dict[str, Input] = {}
    for first, after in spans:
        for entry in curve_inputs(home, "meter_readings", first, after, as_of=as_of):
            found.setdefault(entry.delivery_id, entry)  # with the rows of the widest span
    return [found[delivery_id] for delivery_id in sorted(found)]
