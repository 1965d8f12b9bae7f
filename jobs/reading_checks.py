"""A month of readings through every rule of docs/readings.md: one pass over the days, then the registers.

Memory: one day of curves, a total a meter and day, and the rows that have gaps.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from jobs.roster import DayRoster, Index, Roster, valid_in
from market.curves import MISSING, is_missing, total
from market.money import IntArray, scaled
from market.periods import PERIODS, Month
from market.reading_rules import Check, ReadingLimits, ReadingRules
from settlement.metering import wh_of_reading
from settlement.vee import days, intervals
from settlement.vee.ratios import BoolArray, micro
from warehouse.curves import CurveDay, curve_days
from warehouse.home import Home


@dataclass(frozen=True)
class DayGaps:
    """Meters of one day that lack readings or had some rejected.

    readings: (rows, 96) as delivered, MISSING where missing. rejected: (rows, 96), the values not to be used.
    absent: True for meters without a row on that day.
    """

    date: date
    meter_ids: tuple[str, ...]
    participants: tuple[str, ...]
    readings: IntArray
    rejected: BoolArray
    absent: bool = False


@dataclass
class Seen:
    """What the pass found. odd[check][meter row]: (day, periods) of the quarter-hours that are odd.

    totals: (meters, days) Wh, MISSING where a day is not complete. owner: by meter, its participant. consumes:
    by meter, True where it takes energy; what wind and sun deliver may jump from day to day.
    """

    month: Month
    meter_ids: pd.Index
    owner: NDArray[np.object_]
    consumes: BoolArray
    totals: IntArray
    flat: intervals.FlatRuns
    odd: dict[Check, dict[int, list[tuple[date, list[int]]]]] = field(
        default_factory=lambda: defaultdict(lambda: defaultdict(list))
    )
    gaps: list[DayGaps] = field(default_factory=list)
    jumps: BoolArray | None = None


def look_through(
    home: Home, roster: Roster, participants: pd.DataFrame, rules: ReadingRules, as_of: datetime | None
) -> Seen:
    """One pass over the readings of the roster's month."""
    month = roster.month
    looked = _Pass(roster, participants, rules)
    following = curve_days(home, "meter_readings", month.first, month.after, as_of=as_of)
    curve = next(following, None)
    for number, day in enumerate(month.days()):
        if curve is not None and curve.date == day:
            looked.observe(number, day, curve)
            curve = next(following, None)
        else:
            looked.observe(number, day, None)
    return looked.seen()


class _Pass:
    def __init__(self, roster: Roster, participants: pd.DataFrame, rules: ReadingRules) -> None:
        self._roster, self._rules = roster, rules
        month = roster.month
        by_day = [roster.on(day) for day in month.days()]
        spans = list({id(one): one for one in by_day}.values())
        ids = sorted({str(meter) for span in spans for meter in span.meter_ids})
        index = pd.Index(ids, dtype=object)
        owner = np.full(len(ids), None, dtype=object)
        consumes = np.zeros(len(ids), np.bool_)
        self._place: dict[int, Index] = {}
        for span in spans:
            self._place[id(span)] = index.get_indexer(span.meter_ids)
            owner[self._place[id(span)]] = np.array(roster.metered, dtype=object)[span.participant]
            consumes[self._place[id(span)]] = span.direction == 1
        self._capacity = _capacities(participants, month)
        totals = np.full((len(ids), len(by_day)), MISSING, np.int64)
        self._seen = Seen(month, index, owner, consumes, totals, intervals.FlatRuns(len(ids)))
        self._rows: tuple[object, object, Index] | None = None
        self._limit: tuple[object, object, IntArray] | None = None

    def seen(self) -> Seen:
        limits = self._rules.limits(self._roster.month.first)
        floor = micro(limits.jump_floor_kwh, 3)
        odd = days.jumps(self._seen.totals, limits.jump_factor, floor)
        self._seen.jumps = odd & self._seen.consumes[:, None]
        return self._seen

    def observe(self, number: int, day: date, curve: CurveDay | None) -> None:
        roster, seen = self._roster.on(day), self._seen
        place = self._place[id(roster)]
        if curve is None:
            self._note_gaps(day, roster, np.arange(len(place)), None, None)
            return
        limits = self._rules.limits(day)
        rows = self._rows_of(roster, curve)
        present = np.flatnonzero(rows >= 0)
        mine = place[present]
        taken = rows[present]
        readings = curve.values
        if len(taken) != len(readings) or (taken != np.arange(len(taken))).any():
            readings = readings[taken]
        wh = wh_of_reading(readings, roster.multiplier[present])
        seen.totals[mine, number] = total(wh) if curve.has_missing else wh.sum(axis=1)
        seen.flat.observe(number, mine, readings)
        found: dict[Check, BoolArray] = {
            "negative_reading": intervals.negative(wh),
            "reading_above_capacity": intervals.above_capacity(wh, self._limits_of(roster, limits)[present]),
            "reading_spike": intervals.spikes(wh, limits.spike_factor, micro(limits.spike_floor_kwh, 3)),
        }
        rejected = np.zeros(0, np.bool_)
        for check, odd in found.items():
            for row in np.flatnonzero(odd.any(axis=1)).tolist():
                seen.odd[check][int(mine[row])].append((day, (np.flatnonzero(odd[row]) + 1).tolist()))
            if check in limits.substituted_checks and odd.any():
                rejected = odd if not rejected.size else rejected | odd
        self._note_gaps(day, roster, np.flatnonzero(rows < 0), None, None)
        self._note_rows(day, roster, present, readings, rejected, curve.has_missing)

    def _note_rows(
        self,
        day: date,
        roster: DayRoster,
        present: Index,
        readings: IntArray,
        rejected: BoolArray,
        has_missing: bool,
    ) -> None:
        lacking = is_missing(readings).any(axis=1) if has_missing else np.zeros(len(readings), np.bool_)
        if rejected.size:
            lacking |= rejected.any(axis=1)
        rows = np.flatnonzero(lacking)
        if len(rows):
            self._note_gaps(
                day, roster, present[rows], readings[rows], rejected[rows] if rejected.size else None
            )

    def _note_gaps(
        self,
        day: date,
        roster: DayRoster,
        places: Index,
        readings: IntArray | None,
        rejected: BoolArray | None,
    ) -> None:
        if len(places):
            shape = (len(places), PERIODS)
            self._seen.gaps.append(
                DayGaps(
                    day,
                    tuple(map(str, roster.meter_ids[places])),
                    tuple(self._roster.metered[place] for place in roster.participant[places]),
                    np.full(shape, MISSING, np.int64) if readings is None else readings,
                    np.zeros(shape, np.bool_) if rejected is None else rejected,
                    absent=readings is None,
                )
            )

    def _rows_of(self, roster: DayRoster, curve: CurveDay) -> Index:
        """The row of every meter of the roster in the curves, -1 where absent; kept while both stay the same."""
        keys = curve.keys["meter_id"]
        if self._rows is None or self._rows[0] is not roster or self._rows[1] is not keys:
            found = pd.Index(keys.to_numpy(zero_copy_only=False)).get_indexer(roster.meter_ids)
            self._rows = (roster, keys, found)
        return self._rows[2]

    def _limits_of(self, roster: DayRoster, limits: ReadingLimits) -> IntArray:
        factor = limits.above_capacity_factor
        if self._limit is None or self._limit[0] is not roster or self._limit[1] != factor:
            of = [
                intervals.capacity_limit_wh(self._capacity.get(who), factor) for who in self._roster.metered
            ]
            self._limit = (roster, factor, np.array(of, np.int64)[roster.participant])
        return self._limit[2]


def _capacities(participants: pd.DataFrame, month: Month) -> Mapping[str, int]:
    """0.001 kVA by participant, of those that have a capacity; the newest row of the month counts."""
    valid = valid_in(participants, month).sort_values("valid_from", kind="stable")
    return {
        who: scaled(kva, 3)
        for who, kva in zip(valid["participant_id"], valid["capacity_kva"], strict=True)
        if kva is not None
    }
