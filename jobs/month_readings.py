"""校核与补数: a month of readings checked, and where the profile allows it for the kind of run, estimated."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date, datetime

import pandas as pd

from jobs.accepted import DayPatch
from jobs.by_day import WORKERS
from jobs.check_scopes import Scope, restricted, scopes
from jobs.earlier_months import compared_months, earlier_energy, earlier_spans
from jobs.estimates import Estimate, estimate, estimate_findings, grounds, patches
from jobs.kept_checks import Checked, keep, load, parsed, written
from jobs.reading_checks import look_through
from jobs.reading_findings import gap_findings, place_of, reading_findings
from jobs.register_checks import check_registers
from jobs.roster import Roster
from market.periods import Month
from market.profiles import RuleProfile
from settlement.findings import Finding
from warehouse.curves import curve_inputs
from warehouse.deliveries import Input, newest_recorded_at
from warehouse.home import Home
from warehouse.records import read_tables

READING_RECORDS = ("participants", "meters", "registers")


@dataclass(frozen=True)
class CheckedReadings:
    """What the checks found, and what the run settles in the place of raw readings.

    checked: the cities that were gone through now, where others were taken over; None where all were. gaps: R25 on the
    readings as delivered; a run says itself what is still missing when it settles.
    """

    findings: tuple[Finding, ...] = ()
    estimates: tuple[Estimate, ...] = ()
    checked: tuple[str, ...] | None = None
    gaps: tuple[Finding, ...] = ()

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
    *,
    reuse: bool = False,
    cities: Collection[str] | None = None,
) -> CheckedReadings:
    """Every rule of docs/readings.md over the roster's month; nothing for a profile without limits.

    records: READING_RECORDS. kind: of the run; gaps are estimated only in the profile's ``estimation_stages``.
    reuse: take what was found in a city before where nothing that it rests on has changed, and keep what is found
    now; the result is the same. cities: only these, None for all.
    """
    if profile.readings is None:
        return CheckedReadings()
    if not reuse and cities is None:
        return _merged([_checked(home, roster, records, profile, kind, as_of)])
    spans = reading_spans(roster.month, profile, kind, roster.month.first)
    every = scopes(home, roster, records, profile, kind, spans, as_of)
    wanted = [scope for scope in every if cities is None or scope.city in cities]
    kept = {scope.city: load(home, roster.month, scope.key) if reuse else None for scope in wanted}
    stale = [scope for scope in wanted if kept[scope.city] is None]
    for scope, one in _checked_in_lots(home, roster.month, stale, records, profile, kind, as_of):
        kept[scope.city] = parsed(written(one))  # the same whether it was kept or is made now
        if reuse:
            keep(home, roster.month, scope.key, one)
    return _merged([one for one in kept.values() if one is not None], tuple(scope.city for scope in stale))


def _checked_in_lots(
    home: Home,
    month: Month,
    stale: Sequence[Scope],
    records: Mapping[str, pd.DataFrame],
    profile: RuleProfile,
    kind: str,
    as_of: datetime | None,
) -> Iterator[tuple[Scope, Checked]]:
    """Each scope with what its rules find; a lot of scopes a core, because no rule looks beyond its scope."""
    lots: list[list[Scope]] = [[] for _ in range(min(WORKERS, len(stale)))]
    for scope in sorted(stale, key=lambda one: -len(one.meter_ids)):
        min(lots, key=lambda lot: sum(len(one.meter_ids) for one in lot)).append(scope)

    def found(lot: Sequence[Scope]) -> Checked:
        mine = restricted(records, frozenset().union(*(scope.meter_ids for scope in lot)))
        some = Roster(month, mine["participants"], mine["meters"], mine["contracts"])
        there = home.within(frozenset().union(*(scope.partitions for scope in lot)))
        return _checked(there, some, mine, profile, kind, as_of)

    with ThreadPoolExecutor(max(len(lots), 1), "checks") as threads:
        for lot, of_lot in zip(lots, threads.map(found, lots), strict=True):
            for scope in lot:
                yield (
                    scope,
                    Checked(
                        tuple(one for one in of_lot.findings if one.subject in scope.meter_ids),
                        tuple(one for one in of_lot.estimates if one.meter_id in scope.meter_ids),
                        tuple(one for one in of_lot.gaps if one.subject in scope.meter_ids),
                    ),
                )


def _checked(
    home: Home,
    roster: Roster,
    records: Mapping[str, pd.DataFrame],
    profile: RuleProfile,
    kind: str,
    as_of: datetime | None,
) -> Checked:
    rules = profile.readings
    assert rules is not None  # noqa: S101  who asks has limits
    limits = rules.limits(roster.month.first)
    seen = look_through(home, roster, records["participants"], rules, as_of)
    estimates = estimate(home, seen.gaps, rules, as_of) if kind in limits.estimation_stages else []
    compared = compared_months(roster.month, limits.zero_months)
    earlier = earlier_energy(home, compared, seen.meter_ids, records["meters"], as_of)
    odd = check_registers(seen, records["meters"], records["registers"], limits, earlier)
    replaced = limits.substituted_checks if kind in limits.estimation_stages else ()
    findings = (
        *reading_findings(seen, odd, limits, roster.city, replaced),
        *estimate_findings(estimates, roster.city),
    )
    return Checked(findings, tuple(estimates), tuple(gap_findings(seen, roster.city)))


def _merged(parts: Sequence[Checked], checked: tuple[str, ...] | None = None) -> CheckedReadings:
    """The scopes together, in one order whatever was checked where."""
    estimates = [one for part in parts for one in part.estimates]
    return CheckedReadings(
        _in_order(finding for part in parts for finding in part.findings),
        tuple(sorted(estimates, key=lambda one: (one.day, one.meter_id))),
        checked,
        _in_order(finding for part in parts for finding in part.gaps),
    )


def _in_order(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    return tuple(sorted(findings, key=lambda one: (place_of(one.code), one.code, one.subject)))


def check_month(
    home: Home, month: Month, profile: RuleProfile, as_of: datetime | None = None
) -> CheckedReadings:
    """The checks of a month by themselves, as after a delivery of readings: nothing is estimated or written."""
    roster, records = read_roster(home, month, as_of)
    return check_readings(home, roster, records, profile, "check", as_of)


def check_city(home: Home, month: Month, city: str, profile: RuleProfile, kind: str) -> CheckedReadings:
    """The checks of one city as a run of this kind makes them, kept so that the run takes them over."""
    as_of = newest_recorded_at(home)
    roster, records = read_roster(home, month, as_of)
    return check_readings(home, roster, records, profile, kind, as_of, reuse=True, cities=[city])


def read_roster(home: Home, month: Month, as_of: datetime | None) -> tuple[Roster, dict[str, pd.DataFrame]]:
    """Who is who in the month, and the records that checks rest on."""
    records = read_tables(home, (*READING_RECORDS, "contracts"), as_of=as_of)
    return Roster(month, *(records[table] for table in ("participants", "meters", "contracts"))), records


def reading_spans(month: Month, profile: RuleProfile, kind: str, history: date) -> list[tuple[date, date]]:
    """The days of readings that a month rests on, as stretches: its own and those from ``history`` on, the grounds
    of estimates, and the months that it is compared with."""
    spans = [(history, month.after)]
    if profile.readings is None:
        return spans
    limits = profile.readings.limits(month.first)
    if kind in limits.estimation_stages:
        (first, after), *further = grounds(month, profile.readings)
        spans = [(min(first, history), after), *further]
    return [*spans, *earlier_spans(month, limits.zero_months)]


def reading_inputs(
    home: Home, month: Month, profile: RuleProfile, kind: str, as_of: datetime | None, history: date
) -> list[Input]:
    """The deliveries of readings that the month rests on: from ``history`` on, and what estimates may rest on."""
    found: dict[str, Input] = {}
    for first, after in reading_spans(month, profile, kind, history):
        for entry in curve_inputs(home, "meter_readings", first, after, as_of=as_of):
            found.setdefault(entry.delivery_id, entry)  # with the rows of the widest span
    return [found[delivery_id] for delivery_id in sorted(found)]
