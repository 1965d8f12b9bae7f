"""补数 of a month: the gaps that the checks found, through the ladder, with the days around them.

Only measured or delivered readings are ever a ground; an estimate never rests on another one.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from jobs.accepted import DayPatch
from jobs.reading_checks import DayGaps
from market.calendars import ChinaCalendar
from market.curves import MISSING, is_missing
from market.money import IntArray
from market.periods import PERIODS, Month
from market.quality import PLACE
from market.reading_rules import ReadingRules
from market.tables import QUALITIES, Quality
from settlement.findings import Finding, Severity
from settlement.vee.ladder import Around, Method, fill
from settlement.vee.reference_days import LOOK_BACK, reference_days
from warehouse.curves import curve_days
from warehouse.home import Home

ONE_DAY = timedelta(days=1)
READING = pa.decimal128(18, 6)
CHINA = ChinaCalendar()
WORDS = {
    Method.NEIGHBOURS: "the mean of the neighbours",
    Method.HISTORY: "the historical ratio",
    Method.DAY_BEFORE: "the day before",
    Method.LINEAR: "a straight line",
}


@dataclass(frozen=True)
class Estimate:
    """One meter and day: the raw readings, those accepted, and how each changed quarter-hour came about.

    rejected: (96,), values that a check took out. methods: by period, None where nothing was estimated.
    """

    day: date
    meter_id: str
    participant_id: str
    raw: IntArray
    accepted: IntArray
    rejected: NDArray[np.bool_]
    methods: tuple[str | None, ...]

    @property
    def changed(self) -> NDArray[np.bool_]:
        """(96,) where the accepted reading is not the raw one."""
        return np.asarray(self.raw != self.accepted)

    @property
    def quality(self) -> NDArray[np.int64]:
        """(96,) places in QUALITIES, of the changed quarter-hours."""
        lost = np.where(self.rejected, PLACE[Quality.SUBSTITUTED], PLACE[Quality.ESTIMATED])
        return np.where(is_missing(self.accepted), PLACE[Quality.MISSING], lost)


def grounds(month: Month, rules: ReadingRules) -> list[tuple[date, date]]:
    """The days that an estimate of the month may rest on, as stretches from the first to before the second."""
    further = {
        one
        for day in month.days()
        for one in reference_days(day, CHINA, rules.limits(day).short_holiday_days)
        if one < month.first - LOOK_BACK
    }
    return [
        (month.first - LOOK_BACK, month.after + ONE_DAY),
        *((one, one + ONE_DAY) for one in sorted(further)),
    ]


def estimate(
    home: Home, gaps: Sequence[DayGaps], rules: ReadingRules, as_of: datetime | None
) -> list[Estimate]:
    """Every gap through the ladder, by day and meter; days that no rung touches are left out."""
    known = _Known(home, gaps, rules, as_of)
    found = []
    for one in gaps:
        limits = rules.limits(one.date)
        for row, meter_id in enumerate(one.meter_ids):
            rejected = one.rejected[row]
            accepted, methods = fill(
                np.where(rejected, MISSING, one.readings[row]),
                known.around(meter_id, one.date),
                limits.linear_periods,
            )
            estimated = Estimate(
                one.date,
                meter_id,
                one.participants[row],
                one.readings[row],
                accepted,
                rejected,
                tuple(methods),
            )
            if estimated.changed.any():
                found.append(estimated)
    return sorted(found, key=lambda estimated: (estimated.day, estimated.meter_id))


class _Known:
    """The readings around the gaps, of the meters that have one; every day is read once."""

    def __init__(
        self, home: Home, gaps: Sequence[DayGaps], rules: ReadingRules, as_of: datetime | None
    ) -> None:
        self._references = {
            one.date: reference_days(one.date, CHINA, rules.limits(one.date).short_holiday_days)
            for one in gaps
        }
        wanted: dict[date, set[str]] = defaultdict(set)
        for one in gaps:
            for day in (one.date - ONE_DAY, one.date + ONE_DAY, *self._references[one.date]):
                wanted[day] |= set(one.meter_ids)
        self._rows: dict[tuple[str, date], IntArray] = {}
        rejected = {
            (meter, one.date): one.rejected[row]
            for one in gaps
            for row, meter in enumerate(one.meter_ids)
            if one.rejected[row].any()
        }
        for first, after in _stretches(sorted(wanted)):
            for curve in curve_days(home, "meter_readings", first, after, as_of=as_of):
                for row, meter in enumerate(curve.keys["meter_id"].to_pylist()):
                    if meter in wanted[curve.date]:
                        out = rejected.get((meter, curve.date), False)
                        self._rows[meter, curve.date] = np.where(out, MISSING, curve.values[row])
        self._unknown = np.full(PERIODS, MISSING, np.int64)

    def around(self, meter_id: str, day: date) -> Around:
        day_before = self._rows.get((meter_id, day - ONE_DAY), self._unknown)
        after = self._rows.get((meter_id, day + ONE_DAY), self._unknown)
        references = [self._rows.get((meter_id, one)) for one in self._references[day]]
        known = [one for one in references if one is not None]
        whole = bool(known) and len(known) == len(references)
        return Around(
            before=int(day_before[-1]),
            after=int(after[0]),
            day_before=day_before,
            references=np.stack(known) if whole else np.empty((0, PERIODS), np.int64),
        )


def _stretches(days: Sequence[date]) -> Iterator[tuple[date, date]]:
    for place, day in enumerate(days):
        if place == 0 or days[place - 1] != day - ONE_DAY:
            first = day
        if place + 1 == len(days) or days[place + 1] != day + ONE_DAY:
            yield first, day + ONE_DAY


def patches(estimates: Sequence[Estimate]) -> dict[date, DayPatch]:
    """The estimates as what each day settles."""
    by_day: dict[date, list[Estimate]] = defaultdict(list)
    for one in estimates:
        by_day[one.day].append(one)
    return {
        day: DayPatch(
            tuple(one.meter_id for one in mine),
            np.stack([one.changed for one in mine]),
            np.stack([one.accepted for one in mine]),
            np.stack([one.quality for one in mine]),
        )
        for day, mine in by_day.items()
    }


def estimates_table(estimates: Sequence[Estimate]) -> pa.Table:
    """participant_id, meter_id, date, period, reading_kwh (raw), accepted_kwh, quality, method; both before the
    multiplier, one row a quarter-hour whose accepted reading is not the raw one."""
    rows = [(one, int(period)) for one in estimates for period in np.flatnonzero(one.changed)]

    def kwh(values: Sequence[int]) -> pa.Array:
        exact = [None if value == MISSING else Decimal(value).scaleb(-6) for value in values]
        return pa.array(exact, READING)

    return pa.table(
        {
            "participant_id": pa.array([one.participant_id for one, _ in rows], pa.string()),
            "meter_id": pa.array([one.meter_id for one, _ in rows], pa.string()),
            "date": pa.array([one.day for one, _ in rows], pa.date32()),
            "period": pa.array([period + 1 for _, period in rows], pa.int32()),
            "reading_kwh": kwh([int(one.raw[period]) for one, period in rows]),
            "accepted_kwh": kwh([int(one.accepted[period]) for one, period in rows]),
            "quality": pa.array(
                [str(QUALITIES[int(one.quality[period])]) for one, period in rows], pa.string()
            ),
            "method": pa.array([one.methods[period] for one, period in rows], pa.string()),
        }
    )


def estimate_findings(estimates: Sequence[Estimate], city: dict[str, str | None]) -> Iterator[Finding]:
    """One finding a meter with estimated readings, one with substituted ones: nothing is filled in silence."""
    for code, of_rejected, verb in (
        ("reading_estimated", False, "were missing and are estimated"),
        ("reading_substituted", True, "were rejected and are substituted"),
    ):
        by_meter: dict[str, list[Estimate]] = defaultdict(list)
        for one in estimates:
            if _done(one, of_rejected):
                by_meter[one.meter_id].append(one)
        for meter_id, mine in sorted(by_meter.items()):
            methods = Counter(method for one in mine for method in _done(one, of_rejected))
            how = ", ".join(f"{methods[method]} by {WORDS[method]}" for method in Method if methods[method])
            days = [str(one.day) for one in mine]
            who = mine[-1].participant_id
            yield Finding(
                code,
                Severity.REVIEW,
                meter_id,
                f"{methods.total()} quarter-hours of meter {meter_id} of {who} {verb} (SD25 Annex 3): {how}; first on "
                f"{days[0]}. Deliver the readings if they can still be had.",
                city=city.get(who),
                evidence={
                    "participant_id": who,
                    "dates": days,
                    "quarter_hours": {str(method): count for method, count in sorted(methods.items())},
                },
            )


def _done(one: Estimate, of_rejected: bool) -> list[str]:
    return [
        method
        for method, rejected in zip(one.methods, one.rejected.tolist(), strict=True)
        if method is not None and rejected == of_rejected
    ]
