"""Reactive energy of consumers over a month, day by day on all cores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import date, datetime
from functools import partial
from types import TracebackType

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from jobs.by_day import by_day
from jobs.curve_rows import Aligned, Kept, Rows
from jobs.day_rosters import BoolArray, DayRoster, Index
from jobs.roster import Roster
from market.curves import is_missing
from market.money import IntArray
from market.periods import Month
from settlement.metering import wh_of_reading
from warehouse.curve_blocks import BLOCK_ROWS, CurveBlocks
from warehouse.curve_groups import Plan, visible_files
from warehouse.home import Home


def reactive_energy(
    home: Home,
    month: Month,
    roster: Roster,
    consumers: Sequence[str],
    as_of: datetime | None,
    *,
    block_rows: int = BLOCK_ROWS,
) -> dict[str, int | None]:
    """varh of the month by consumer, lagging and leading together; None where a meter lacks a lagging day.

    Consumers none of whose meters has any reactive reading are left out. block_rows: of ``CurveBlocks``.
    """
    place = {who: row for row, who in enumerate(consumers)}
    row_of = np.array([place.get(who, -1) for who in roster.metered], np.intp)
    plan = visible_files(home, "reactive_readings", month.first, month.after, as_of, None)
    sums = _Day.of(len(consumers))
    reader = partial(_Reactive, home, plan, roster, row_of, len(consumers), block_rows)
    for one in by_day(tuple(month.days()), reader, _Reactive.of):
        sums.add(one)
    return {
        who: None if gap else varh
        for who, varh, read, gap in zip(
            consumers, sums.varh.tolist(), sums.read.tolist(), sums.gaps.tolist(), strict=True
        )
        if read
    }


@dataclass(frozen=True)
class _Day:
    """By consumer: varh, whether a meter of it was read, and whether one lacks its lagging reading."""

    varh: IntArray
    read: BoolArray
    gaps: BoolArray

    @classmethod
    def of(cls, consumers: int) -> _Day:
        read, gaps = np.zeros(consumers, np.bool_), np.zeros(consumers, np.bool_)
        return cls(np.zeros(consumers, np.int64), read, gaps)

    def add(self, day: _Day) -> None:
        """One day more."""
        np.add(self.varh, day.varh, out=self.varh)
        np.logical_or(self.read, day.read, out=self.read)
        np.logical_or(self.gaps, day.gaps, out=self.gaps)


@dataclass(frozen=True)
class _Rows:
    """Rows of a block that count, with factor and consumer; lagging: their meters with such a row."""

    rows: Rows
    multiplier: IntArray
    consumer: Index
    lagging: Index


class _Reactive:
    """Reads the reactive energy of days for one thread."""

    def __init__(
        self, home: Home, plan: Plan, roster: Roster, row_of: Index, consumers: int, block_rows: int
    ) -> None:
        self._roster, self._row_of, self._consumers = roster, row_of, consumers
        self._stack = ExitStack()
        self._blocks = self._stack.enter_context(CurveBlocks(home, "reactive_readings", plan, block_rows))
        self._kept: Kept[_Rows] = Kept()

    def __enter__(self) -> _Reactive:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def of(self, day: date) -> _Day:
        """One day; without any reading every meter lacks it."""
        today, found = self._roster.on(day), _Day.of(self._consumers)
        lagging = np.zeros(len(today.meter_ids), np.bool_)
        for place, block in enumerate(self._blocks.of(day)):
            keys = block.keys
            mine = self._kept.of(place, keys["meter_id"], today, partial(self._rows, keys, today))
            lagging[mine.lagging] = True
            found.read[mine.consumer] = True
            values = wh_of_reading(block.values[mine.rows], mine.multiplier)
            varh = np.abs(values).sum(axis=1)
            if block.has_missing:
                unread = is_missing(values).any(axis=1)
                found.gaps[mine.consumer[unread]] = True
                varh[unread] = 0
            np.add.at(found.varh, mine.consumer, varh)
        absent = self._row_of[today.participant[~lagging]]
        found.gaps[absent[absent >= 0]] = True
        return found

    def _rows(self, keys: Mapping[str, pa.StringArray], today: DayRoster) -> _Rows:
        found = Aligned.of(keys["meter_id"], today.meter_ids)
        consumer = self._row_of[today.participant[found.places]]
        mine = found.only(consumer >= 0)
        lags = pc.equal(keys["flow"], pa.scalar("lagging")).to_numpy(zero_copy_only=False)
        return _Rows(
            mine.take,
            today.multiplier[mine.places],
            consumer[consumer >= 0],
            mine.places[lags[mine.rows]],
        )
