"""Metered energy of one day, block by block: sums by participant and meter, and by who settles it.

A user whose meters all stand in one block is complete there; books, residents, generators and users spread over blocks
are complete when the day is. Consumption is positive, delivery negative. What is not there is ``MISSING``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date
from functools import partial

import numpy as np
import pyarrow as pa

from jobs.accepted import measured_wh
from jobs.curve_rows import Aligned, Kept, Rows, stretch
from jobs.day_rosters import OUTSIDE, BoolArray, DayRoster, Index
from jobs.input_gaps import DayNotes, Gap
from jobs.roster import Roster
from market.curves import MISSING, is_missing
from market.money import IntArray
from market.periods import PERIODS
from settlement.market_day import Prices
from settlement.metering import wh_of_reading
from warehouse.curves import CurveDay

# sees a block of a day's meter rows: day, participant of each row, Wh (rows, 96), participants with a gap, prices
Watch = Callable[[date, Index, IntArray, Index, Prices], None]
GiveUse = Callable[[Rows, IntArray], None]
"""Takes rows of users and their energy, (rows, 96) Wh."""
NO_ROWS: Index = np.zeros(0, np.intp)
LONG_RUN = 8  # rows: adding such runs one by one beats numpy's reduceat


@dataclass
class MeterTally:
    """Of one day: Wh by metered participant, of it measured, where a reading is missing; Wh and gaps by meter."""

    energy: IntArray
    measured: IntArray
    incomplete: BoolArray
    meter_energy: IntArray
    meter_incomplete: BoolArray

    @classmethod
    def of(cls, metered: int, meters: int) -> MeterTally:
        """Nothing yet."""
        energy, measured = np.zeros(metered, np.int64), np.zeros(metered, np.int64)
        wh, gaps = np.zeros(meters, np.int64), np.zeros(meters, np.bool_)
        return cls(energy, measured, np.zeros(metered, np.bool_), wh, gaps)


@dataclass(frozen=True)
class _Block:
    """Rows of a block with their meter (place in the roster), participant and factor; rows of others are left out.

    rows: None for all. delivering: rows of meters that deliver. alone, alone_users: rows that are all of a user.
    order, starts, holders: the other rows that anybody settles, by settling row, where each group starts, and that row;
    whole: True where the group is all of a user.
    """

    rows: Index | None
    seen: Index
    place: Index
    participant: Index
    multiplier: IntArray
    delivering: Index
    alone: Rows
    alone_users: Rows
    order: Index
    starts: Index
    holders: Index
    whole: BoolArray
    outside: pa.StringArray


class MeteredDays:
    """Adds up the days of a roster for one thread."""

    def __init__(self, roster: Roster, watch: Watch | None) -> None:
        self._roster, self._watch = roster, watch
        self._kept: Kept[_Block] = Kept()
        self._meters: tuple[DayRoster, IntArray] | None = None

    def add(
        self,
        day: date,
        blocks: Iterable[CurveDay],
        give: GiveUse,
        prices: Prices | None,
        tally: MeterTally,
        notes: DayNotes,
    ) -> IntArray:
        """Generators' energy, then residents', (generators + 1, 96) Wh; users' is given away part by part, each once.

        prices: for who watches; None: nobody does.
        """
        roster = self._roster.on(day)
        meters = _Day(day, roster, self._roster, prices, None if prices is None else self._watch, tally)
        missing: list[int] = []
        strangers: list[str] = []
        for place, curve in enumerate(blocks):
            keys = curve.keys["meter_id"]
            found = partial(_block, keys, roster, len(self._roster.users), self._expected(roster))
            block = self._kept.of(place, keys, roster, found)
            strangers += block.outside.to_pylist()
            missing += meters.add(block, curve, give)
        for stranger in sorted(strangers):
            notes.gaps.append(Gap("unsettled_meter_readings", stranger, None))
        for what, places in (("missing_meter_day", meters.absent()), ("missing_reading", missing)):
            for place in places:
                who = self._roster.metered[roster.participant[place]]
                notes.gaps.append(Gap(what, str(roster.meter_ids[place]), who))
        return meters.close(give)

    def _expected(self, roster: DayRoster) -> IntArray:
        """Number of meters by settling row."""
        if self._meters is None or self._meters[0] is not roster:
            holder = roster.holder[roster.participant]
            rows = self._roster.residents_row + 1
            self._meters = (roster, np.bincount(holder[holder != OUTSIDE], minlength=rows))
        return self._meters[1]


class _Day:
    """One day that is being added up."""

    def __init__(
        self,
        day: date,
        roster: DayRoster,
        month: Roster,
        prices: Prices | None,
        watch: Watch | None,
        tally: MeterTally,
    ) -> None:
        self._day, self._roster, self._prices, self._watch = day, roster, prices, watch
        self._tally = tally
        self._users = len(month.users)
        self._seen = np.zeros(len(roster.meter_ids), np.bool_)
        self._given = np.zeros(self._users, np.bool_)
        self._gone = np.zeros(month.residents_row + 1, np.bool_)  # settling rows with a gap
        self._spread: list[tuple[Index, IntArray]] = []
        self._others = np.zeros((month.residents_row + 1 - self._users, PERIODS), np.int64)

    def add(self, block: _Block, curve: CurveDay, give: GiveUse) -> list[int]:
        """One block; the meters of it (places in the roster) that miss a reading."""
        values = curve.values if block.rows is None else curve.values[block.rows]
        wh = wh_of_reading(values, block.multiplier)
        gaps: BoolArray | None = None
        if curve.has_missing:
            missing = is_missing(wh)
            gaps = np.asarray(missing.any(axis=1))
            wh[missing] = 0
        touched = NO_ROWS if gaps is None else block.participant[gaps]
        self._seen[block.seen] = True
        self._account(block, wh, curve.quality, gaps)
        wh[block.delivering] *= -1
        self._touch(touched)
        if self._watch is not None and self._prices is not None:
            self._watch(self._day, block.participant, wh, touched, self._prices)
        self._give(block.alone_users, wh[block.alone], give, gaps)
        if len(block.order):
            sums = _sums(wh[block.order], block.starts)
            self._give(block.holders[block.whole], sums[block.whole], give, gaps)
            self._keep(block.holders[~block.whole], sums[~block.whole])
        return [] if gaps is None else block.place[gaps].tolist()

    def absent(self) -> list[int]:
        """Meters (places in the roster) that no block had; their participants are marked."""
        absent = np.flatnonzero(~self._seen)
        touched = self._roster.participant[absent]
        self._tally.meter_incomplete[absent] = True
        self._touch(touched)
        if self._watch is not None and self._prices is not None and len(touched):
            self._watch(self._day, NO_ROWS, np.zeros((0, PERIODS), np.int64), touched, self._prices)
        return absent.tolist()

    def close(self, give: GiveUse) -> IntArray:
        """Gives the users who were in no block or in several; generators' energy and residents'."""
        rest = np.flatnonzero(~self._given)
        energy = np.zeros((len(rest), PERIODS), np.int64)
        for users, sums in self._spread:
            energy[np.searchsorted(rest, users)] += sums
        energy[self._gone[rest]] = MISSING
        if len(rest):
            give(rest, energy)
        self._others[self._gone[self._users :]] = MISSING
        return self._others

    def _touch(self, participants: Index) -> None:
        if len(participants):
            self._tally.incomplete[participants] = True
            rows = self._roster.holder[participants]
            self._gone[rows[rows != OUTSIDE]] = True

    def _account(
        self, block: _Block, wh: IntArray, quality: pa.StringArray | None, gaps: BoolArray | None
    ) -> None:
        tally = self._tally
        said = quality if quality is None or block.rows is None else quality.take(pa.array(block.rows))
        totals = wh.sum(axis=1)
        measured = np.abs(measured_wh(wh, said, totals))
        totals = np.abs(totals)
        if gaps is not None:
            totals[gaps] = measured[gaps] = 0
            tally.meter_incomplete[block.place[gaps]] = True
        np.add.at(tally.energy, block.participant, totals)
        np.add.at(tally.measured, block.participant, measured)
        tally.meter_energy[block.place] += totals  # a meter has one row a day

    def _give(self, users: Rows, energy: IntArray, give: GiveUse, gaps: BoolArray | None) -> None:
        if not len(energy):
            return
        if gaps is not None and (gone := self._gone[users]).any():
            energy = np.where(gone[:, None], MISSING, energy)
        self._given[users] = True
        give(users, energy)

    def _keep(self, holders: Index, sums: IntArray) -> None:
        user = holders < self._users
        if user.any():
            self._spread.append((holders[user], sums[user]))
        self._others[holders[~user] - self._users] += sums[~user]


def _block(keys: pa.StringArray, roster: DayRoster, users: int, expected: IntArray) -> _Block:
    found = Aligned.of(keys, roster.meter_ids)
    place = np.full(len(keys), OUTSIDE, np.intp)
    place[found.rows] = found.places
    rows = np.flatnonzero(place != OUTSIDE)
    place = place[rows]
    participant = roster.participant[place]
    holder = roster.holder[participant]
    alone = (holder != OUTSIDE) & (holder < users) & (expected[holder] == 1)
    others = np.flatnonzero((holder != OUTSIDE) & ~alone)
    order = others[np.argsort(holder[others], kind="stable")]
    holders, starts, count = np.unique(holder[order], return_index=True, return_counts=True)
    return _Block(
        rows=None if len(rows) == len(keys) else rows,
        seen=found.places,
        place=place,
        participant=participant,
        multiplier=roster.multiplier[place],
        delivering=np.flatnonzero(roster.direction[place] == -1),
        alone=stretch(np.flatnonzero(alone)),
        alone_users=stretch(holder[alone]),
        order=order,
        starts=starts,
        holders=holders,
        whole=(holders < users) & (count == expected[holders]),
        outside=found.outside,
    )


def _sums(ordered: IntArray, starts: Index) -> IntArray:
    if len(ordered) < LONG_RUN * len(starts):
        return np.asarray(np.add.reduceat(ordered, starts, axis=0))
    ends = [*starts[1:].tolist(), len(ordered)]
    return np.stack(
        [ordered[first:end].sum(axis=0) for first, end in zip(starts.tolist(), ends, strict=True)]
    )
