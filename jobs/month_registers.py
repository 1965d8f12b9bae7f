"""The month's registers against the sum of days: what the month-end adjustment rests on (SD25; market.md B.2, C.6 R11).

A meter's month is the energy between its reads at 00:00 of its first and after its last day in the month, over every
change of meter and multiplier in between. Where such reads are not there, the meter's month is its days.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from jobs.month_inputs import MonthInputs
from jobs.register_checks import wh_of_counted
from jobs.roster import Roster
from market.curves import MISSING
from market.money import scaled
from market.periods import Month
from market.profiles import RuleProfile
from market.tables import ParticipantKind
from settlement.findings import Finding, Severity
from settlement.vee import registers

ADJUSTED_KINDS = frozenset(
    {
        ParticipantKind.WHOLESALE_USER,
        ParticipantKind.RETAIL_USER,
        ParticipantKind.AGENCY_USER,
        ParticipantKind.RESIDENTS,
    }
)
WITHOUT_LIMIT = Decimal(1)  # a profile without limits of readings takes every wrap as one


class Stretch(NamedTuple):
    """Days on which a meter belongs to one participant under one multiplier."""

    meter_id: str
    participant_id: str
    first: date
    after: date
    multiplier: Decimal


class RegisterRead(NamedTuple):
    """Two reads of one counter: what it counted between them in 1e-6 kWh, MISSING where it ran backwards."""

    first: date
    after: date
    counted: int


@dataclass(frozen=True, slots=True)
class MeterMonth:
    """A meter's stretch, its energy by registers and by days; None is missing. backwards: a read that covers it ran so."""

    stretch: Stretch
    register_wh: int | None
    days_wh: int | None
    backwards: bool

    @property
    def difference_wh(self) -> int | None:
        """Register less days; None where the register counts but a day is missing."""
        if self.register_wh is None:
            return 0
        return None if self.days_wh is None else self.register_wh - self.days_wh


def month_of_meters(
    roster: Roster, inputs: MonthInputs, records: Mapping[str, pd.DataFrame], profile: RuleProfile
) -> list[MeterMonth]:
    """Every consuming meter of the month beside its registers; ``inputs`` has been streamed.

    records: meters, registers. Nothing where no register of the month is delivered.
    """
    month, rules = roster.month, profile.readings
    rollover_share = WITHOUT_LIMIT if rules is None else rules.limits(month.first).rollover_share
    reads = _in_month(records["registers"], month)
    if reads.empty:
        return []
    stretches = _stretches(records["meters"], roster)
    by_meter = _reads(reads, {one.meter_id for one in stretches}, rollover_share)
    if not by_meter:
        return []
    of_days = _sums_of_days(stretches, by_meter.keys(), inputs)
    covered = [(stretch, _covering(by_meter.get(stretch.meter_id, ()), stretch)) for stretch in stretches]
    counted = [one.counted for _, reads_of in covered for one in reads_of]
    factors = [stretch.multiplier for stretch, reads_of in covered for _ in reads_of]
    energy = iter(wh_of_counted(np.array(counted, np.int64), factors).tolist())
    found = []
    for (stretch, covering), days in zip(covered, of_days, strict=True):
        wh = [next(energy) for _ in covering]
        register = sum(wh) if wh and MISSING not in wh else None
        found.append(MeterMonth(stretch, register, days, MISSING in wh))
    return found


def _sums_of_days(
    stretches: Sequence[Stretch], wanted: Collection[str], inputs: MonthInputs
) -> list[int | None]:
    """By stretch, Wh of the days of a meter wanted, None where one is missing; 0 of a meter that is not."""
    of_meter: dict[str, list[int]] = defaultdict(list)
    for number, one in enumerate(stretches):
        of_meter[one.meter_id].append(number)
    sums: list[int | None] = [0] * len(stretches)
    for meter, day, wh in inputs.meter_energy(wanted):
        for number in of_meter[meter]:
            if stretches[number].first <= day < stretches[number].after:
                before = sums[number]
                sums[number] = None if wh is None or before is None else before + wh
    return sums


def difference_by_participant(months: Sequence[MeterMonth]) -> dict[str, int | None]:
    """Wh by participant: its meters' registers less their days, of those that have any register; None is missing."""
    found: dict[str, int | None] = {}
    for one in months:
        if one.register_wh is None:
            continue
        who, before = one.stretch.participant_id, found.get(one.stretch.participant_id, 0)
        difference = one.difference_wh
        found[who] = None if before is None or difference is None else before + difference
    return found


def register_findings(roster: Roster, months: Sequence[MeterMonth]) -> Iterator[Finding]:
    """Meters whose month no register tells; one sentence for all where there is no register at all."""
    month = roster.month
    if not months:
        yield Finding(
            "month_without_registers",
            Severity.INFORM,
            str(month),
            f"No register of {month} is delivered, so nobody has a month-end adjustment (月度调平): every meter's month is "
            "the sum of its days. Deliver registers with a read at 00:00 of the first day and after the last.",
        )
    for one in months:
        if one.register_wh is not None:
            continue
        meter, who, first, after, _ = one.stretch
        yield Finding(
            "register_missing",
            Severity.REVIEW,
            meter,
            _missing(one),
            city=roster.city.get(who),
            evidence={"participant_id": who, "first": str(first), "after": str(after)},
        )


def _missing(one: MeterMonth) -> str:
    meter, who, first, after, _ = one.stretch
    why = (
        "has a register that ran backwards"
        if one.backwards
        else "has no reads of its register that reach without a gap"
    )
    return (
        f"Meter {meter} of {who} {why} from {first} to {after}, so its month is the sum of its days and has no "
        "month-end adjustment. Deliver a read at 00:00 of both days, split where the multiplier changes."
    )


def _stretches(meters: pd.DataFrame, roster: Roster) -> list[Stretch]:
    begins, ends, found = roster.month.first, roster.month.after, []
    names = ("meter_id", "participant_id", "direction", "multiplier", "valid_from", "valid_to")
    for meter, who, direction, multiplier, start, end in _rows(meters, names):
        if direction != 1 or roster.kind.get(who) not in ADJUSTED_KINDS:
            continue
        after = ends if end is None or pd.isna(end) else min(end, ends)
        first = max(start, begins)
        if first < after:
            found.append(Stretch(meter, who, first, after, multiplier))
    return _joined(sorted(found))


def _joined(stretches: Sequence[Stretch]) -> list[Stretch]:
    """Stretches that follow each other without a change are one: a read may span them."""
    found: list[Stretch] = []
    for one in stretches:
        last = found[-1] if found else None
        if (
            last is not None
            and last.after == one.first
            and last._replace(first=one.first, after=one.after) == one
        ):
            found[-1] = last._replace(after=one.after)
        else:
            found.append(one)
    return found


def _in_month(reads: pd.DataFrame, month: Month) -> pd.DataFrame:
    """Reads that touch the month."""
    begins, ends = month.first, month.after
    touching = [first < ends and begins < after for first, after in _rows(reads, ("valid_from", "valid_to"))]
    return reads[np.array(touching, np.bool_)]


def _reads(
    reads: pd.DataFrame, wanted: set[str], rollover_share: Decimal
) -> Mapping[str, list[RegisterRead]]:
    names = ("meter_id", "flow", "rate", "valid_from", "valid_to", "start_kwh", "end_kwh", "digits")
    rows = [
        (meter, *of_read)
        for meter, flow, rate, *of_read in _rows(reads, names)
        if flow == "forward" and rate == "total" and meter in wanted
    ]
    if not rows:
        return {}
    meters, firsts, afters, starts, ends, digits = zip(*rows, strict=True)
    start, end = (np.array([scaled(kwh, 6) for kwh in of_reads], np.int64) for of_reads in (starts, ends))
    counted = registers.advance(start, end, np.array(digits, np.int64), rollover_share).counted.tolist()
    found: dict[str, list[RegisterRead]] = defaultdict(list)
    for meter, *of_read in zip(meters, firsts, afters, counted, strict=True):
        found[meter].append(RegisterRead(*of_read))
    return {meter: sorted(of_meter) if len(of_meter) > 1 else of_meter for meter, of_meter in found.items()}


def _rows(frame: pd.DataFrame, names: Sequence[str]) -> Iterator[tuple[Any, ...]]:
    """These columns row by row; a frame of a province's meters is long, and ``itertuples`` makes a class of all."""
    return zip(*(frame[name].tolist() for name in names), strict=True)


def _covering(reads: Sequence[RegisterRead], stretch: Stretch) -> list[RegisterRead]:
    """Reads that follow each other from the stretch's first day to its end; none where there is a gap."""
    inside = [one for one in reads if stretch.first <= one.first and one.after <= stretch.after]
    at, found = stretch.first, []
    for one in inside:
        if one.first != at:
            return []
        found.append(one)
        at = one.after
    return found if at == stretch.after else []
