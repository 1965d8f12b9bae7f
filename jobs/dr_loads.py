"""Metered load of those who respond: one book of kW over the days a baseline may look at."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Collection, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import partial
from types import TracebackType

import numpy as np
import pandas as pd

from demand_response.batch import LoadBook
from demand_response.day_selection import FloatArray
from jobs.by_day import by_day
from jobs.curve_rows import Aligned, Kept
from jobs.day_rosters import Index
from jobs.roster import valid_on
from market.curves import is_missing
from market.money import IntArray, scaled
from market.periods import PERIODS, PERIODS_PER_HOUR
from settlement.metering import wh_of_reading
from warehouse.curve_blocks import BLOCK_ROWS, CurveBlocks
from warehouse.curve_groups import Plan, visible_files
from warehouse.home import Home
from warehouse.records import read_records

LOOK_BACK = timedelta(
    days=60
)  # 45 days of candidates (ruling 23) and what holidays and events push further back


def read_loads(
    home: Home,
    wanted: Collection[str],
    first: date,
    after: date,
    as_of: datetime | None,
    *,
    meters: pd.DataFrame | None = None,
    block_rows: int = BLOCK_ROWS,
) -> LoadBook:
    """kW of the wanted participants on every day from ``first`` to before ``after``, delivery counted negative.

    NaN where a reading, or one of the participant's meters of that day, is missing. meters: where they are read already.
    block_rows: of ``CurveBlocks``.
    """
    people = tuple(sorted(wanted))
    dates = tuple(first + timedelta(days=n) for n in range((after - first).days))
    kw = np.full((len(people), len(dates), PERIODS), np.nan)
    meters = read_records(home, "meters", as_of=as_of) if meters is None else meters
    meters = meters[meters["participant_id"].isin(people)]
    plan = visible_files(home, "meter_readings", first, after, as_of, None)
    reader = partial(_Loads, home, plan, meters, {who: row for row, who in enumerate(people)}, block_rows)
    for number, found in enumerate(by_day(dates, reader, _Loads.of)):
        if found is not None:
            kw[found[0], number] = found[1]
    return LoadBook(people, dates, kw)


@dataclass(frozen=True)
class _Meters:
    """The meters of the wanted that hold on some days, with the row of their participant."""

    ids: pd.Index
    owner: Index
    multiplier: IntArray
    direction: IntArray


class _Loads:
    """Reads the loads of days for one thread."""

    def __init__(
        self, home: Home, plan: Plan, meters: pd.DataFrame, place: Mapping[str, int], block_rows: int
    ) -> None:
        self._meters, self._place = meters, place
        ends = {edge for name in ("valid_from", "valid_to") for edge in meters[name] if not pd.isna(edge)}
        self._edges = sorted(ends)
        self._valid: dict[int, _Meters] = {}
        self._stack = ExitStack()
        self._blocks = self._stack.enter_context(CurveBlocks(home, "meter_readings", plan, block_rows))
        self._kept: Kept[Aligned] = Kept()

    def __enter__(self) -> _Loads:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def of(self, day: date) -> tuple[Index, FloatArray] | None:
        """The participants with a meter on the day and their kW, (rows, 96); None for a day without readings."""
        valid, empty = self._on(day), True
        shape = (len(self._place), PERIODS)
        total, gaps = np.zeros(shape, np.int64), np.zeros(shape, np.bool_)
        seen = np.zeros(len(valid.ids), np.bool_)
        for number, block in enumerate(self._blocks.of(day)):
            empty, keys = False, block.keys["meter_id"]
            found = self._kept.of(number, keys, valid, partial(Aligned.of, keys, valid.ids))
            energy = wh_of_reading(block.values[found.rows], valid.multiplier[found.places])
            gap, owner = is_missing(energy), valid.owner[found.places]
            np.add.at(total, owner, np.where(gap, 0, energy * valid.direction[found.places, None]))
            np.logical_or.at(gaps, owner, gap)
            seen[found.places] = True
        if empty:
            return None
        gaps[valid.owner[~seen]] = True
        read = np.unique(valid.owner)
        return read, np.where(gaps[read], np.nan, total[read] * PERIODS_PER_HOUR / 1000)

    def _on(self, day: date) -> _Meters:
        number = bisect_right(self._edges, day)
        if number not in self._valid:
            valid = valid_on(self._meters, day)
            self._valid[number] = _Meters(
                pd.Index(valid["meter_id"]),
                np.array([self._place[who] for who in valid["participant_id"]], np.intp),
                np.array([scaled(value, 3) for value in valid["multiplier"]], np.int64),
                np.array(valid["direction"], np.int64),
            )
        return self._valid[number]
