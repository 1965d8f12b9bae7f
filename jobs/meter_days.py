"""One pass over a month's meters for the statements: own curves, what was not measured, and every meter's month."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence, Set
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from jobs.accepted import MEASURED, Accepted, accepted_days, measured_wh
from jobs.roster import DayRoster, Roster
from market.curves import MISSING, filled, is_missing
from market.money import IntArray
from market.periods import PERIODS, Month
from market.quality import by_period
from market.tables import ParticipantKind, Quality
from reports.metered import MeterMonth
from settlement.metering import wh_of_reading
from warehouse.curves import CurveDay
from warehouse.home import Home

SECOND_LAYER = (ParticipantKind.RETAIL_USER, ParticipantKind.AGENCY_USER, ParticipantKind.RESIDENTS)


class MeterDays:
    """One pass over the month's meters: own curves of the second layer, and what was not measured.

    own[who]: (days, 96) Wh of retail and agency users and residents among ``wanted``. estimated[who]: day -> Wh
    of readings that were estimated or substituted, in a retailer's or the grid company's book its customers'.
    meters[who]: the own meters of a wanted participant, by id. estimated_share: (days, 96) of all metered energy,
    NaN where nothing was read.
    """

    def __init__(
        self,
        home: Home,
        month: Month,
        roster: Roster,
        as_of: datetime | None,
        wanted: Set[str],
        accepted: Accepted,
    ) -> None:
        days = tuple(month.days())
        second = [row for row, who in enumerate(roster.metered) if roster.kind[who] in SECOND_LAYER]
        shown = [row for row in second if roster.metered[row] in wanted]
        energy = np.full((len(shown), len(days), PERIODS), MISSING, np.int64)
        own_row = np.full(len(roster.metered), -1, np.intp)
        own_row[shown] = np.arange(len(shown))
        settling = np.array([*roster.users, *roster.generators], dtype=object)
        self.estimated: dict[str, dict[date, int]] = defaultdict(dict)
        self.estimated_share = np.full((len(days), PERIODS), np.nan)
        spans = [_Span.of(span) for span in roster.spans]
        for day in days:
            spans[roster.on(day).number].expected += 1
        for curve in accepted_days(home, month, as_of, accepted):
            today = roster.on(curve.date)
            wh, measured, estimated = _meter_energy(curve, today)
            moved = np.abs(filled(wh)).sum(axis=0)
            self.estimated_share[days.index(curve.date)] = np.divide(
                estimated, moved, out=np.full(PERIODS, np.nan), where=moved > 0
            )
            row = own_row[today.participant]
            energy[:, days.index(curve.date)] = _added(wh[row >= 0], row[row >= 0], len(shown))
            guessed = np.abs(filled(wh)).sum(axis=1) - measured
            spans[today.number].add(wh, guessed)
            customers = np.zeros(len(roster.metered), np.int64)
            np.add.at(customers, today.participant, guessed)
            book = np.zeros(len(settling) + 1, np.int64)
            inside = (today.holder >= 0) & (today.holder < len(settling))
            np.add.at(book, today.holder[inside], customers[inside])
            self._note(curve.date, settling, book)
            self._note(curve.date, [roster.metered[place] for place in shown], customers[shown])
        self.meters = _by_meter(roster, spans, wanted)
        self.own = {roster.metered[place]: energy[row] for row, place in enumerate(shown)}

    def _note(self, day: date, who: Sequence[str] | NDArray[Any], wh: IntArray) -> None:
        for place in np.flatnonzero(wh).tolist():
            self.estimated[str(who[place])][day] = int(wh[place])


@dataclass
class _Span:
    """Sums by meter while one roster holds; Wh, and days with readings. ``expected`` counts the span's days."""

    energy: IntArray
    moved: IntArray
    estimated: IntArray
    days: IntArray
    gaps: NDArray[np.bool_]
    expected: int = 0

    @classmethod
    def of(cls, roster: DayRoster) -> _Span:
        energy, moved, estimated, days = (np.zeros(len(roster.meter_ids), np.int64) for _ in range(4))
        return cls(energy, moved, estimated, days, np.zeros(len(roster.meter_ids), np.bool_))

    def add(self, wh: IntArray, guessed: IntArray) -> None:
        missing = is_missing(wh)
        self.energy += filled(wh).sum(axis=1)
        self.moved += np.abs(filled(wh)).sum(axis=1)
        self.estimated += guessed
        self.days += ~missing.all(axis=1)
        self.gaps |= missing.any(axis=1)


def _by_meter(roster: Roster, spans: Sequence[_Span], wanted: Set[str]) -> dict[str, tuple[MeterMonth, ...]]:
    """A row a meter, multiplier and direction, by participant and meter id."""
    found: dict[str, dict[tuple[str, int, int], MeterMonth]] = defaultdict(dict)
    for one, span in zip(roster.spans, spans, strict=True):
        columns = (one.participant, one.multiplier, one.direction)
        for place, (owner, multiplier, direction) in enumerate(
            zip(*(c.tolist() for c in columns), strict=True)
        ):
            who = roster.metered[owner]
            if who not in wanted:
                continue
            key = (one.meter_ids[place], multiplier, direction)
            before = found[who].get(key) or MeterMonth(
                key[0], Decimal(multiplier) / 1000, direction, 0, 0, 0, 0, 0
            )
            gap = before.energy is None or span.gaps[place] or span.days[place] < span.expected
            found[who][key] = before._replace(
                days=before.days + int(span.days[place]),
                expected=before.expected + span.expected,
                energy=None if gap else before.energy + int(span.energy[place]),
                moved=before.moved + int(span.moved[place]),
                estimated=before.estimated + int(span.estimated[place]),
            )
    return {who: tuple(rows[key] for key in sorted(rows)) for who, rows in found.items()}


def _meter_energy(curve: CurveDay, roster: DayRoster) -> tuple[IntArray, IntArray, IntArray]:
    """(meters, 96) Wh of one day, delivery negative, MISSING where missing; (meters,) and (96,) of it in absolute
    value what was measured and what was not."""
    rows = pd.Index(curve.keys["meter_id"].to_pylist()).get_indexer(roster.meter_ids)
    present = rows >= 0
    energy = np.full((len(rows), PERIODS), MISSING, np.int64)
    energy[present] = wh_of_reading(curve.values[rows[present]], roster.multiplier[present])
    energy = np.where(is_missing(energy), MISSING, energy * roster.direction[:, None])
    measured = np.zeros(len(rows), np.int64)
    moved = np.abs(filled(energy))
    if curve.quality is None:
        return energy, measured, moved.sum(axis=0)
    quality = curve.quality.take(pa.array(rows[present]))
    measured[present] = measured_wh(moved[present], quality)
    estimated = np.zeros(PERIODS, np.int64)
    codes = quality.to_pylist()
    for place, row in enumerate(np.flatnonzero(present).tolist()):
        if codes[place] != Quality.MEASURED:
            estimated += np.where(by_period(codes[place]) == MEASURED, 0, moved[row])
    return energy, measured, estimated


def _added(energy: IntArray, owner: NDArray[np.intp], owners: int) -> IntArray:
    """(owners, 96): the sum of an owner's meters, MISSING where any of them is."""
    total, missing = np.zeros((owners, PERIODS), np.int64), np.zeros((owners, PERIODS), np.bool_)
    np.add.at(total, owner, filled(energy))
    np.logical_or.at(missing, owner, is_missing(energy))
    return np.where(missing, MISSING, total)
