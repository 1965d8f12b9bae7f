"""Energy of consumers as the month streams by, by time-of-use period, and their maximum demand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import pairwise

import numpy as np
import pandas as pd

from jobs.day_rosters import Index
from jobs.roster import Roster
from market.consumer import ConsumerRules
from market.curves import is_missing
from market.money import IntArray, half_up, scaled
from market.periods import PERIODS, Month
from settlement.market_day import Prices
from settlement.retail.bill import in_force
from settlement.retail.time_of_use import FLAT, PERIOD_NAMES, by_period, periods_of_day
from settlement.retail.use import ConsumerUse, levelled

SPOT = ("day_ahead", "real_time")
WATCHED = 1024  # blocks whose rows are remembered: those of all workers


class UseCollector:
    """Watches the days of a month and keeps what bills rest on; rows are consumers in order of their id.

    linked: consumers whose package follows a spot price. timed: those for whom periods of the day make a difference;
    the energy of the others counts as flat.
    """

    def __init__(
        self,
        month: Month,
        roster: Roster,
        consumers: Sequence[str],
        linked: frozenset[str],
        timed: frozenset[str],
        rules: ConsumerRules,
    ) -> None:
        self.participants, self.days = tuple(consumers), tuple(month.days())
        self._rules = rules
        place = {who: row for row, who in enumerate(self.participants)}
        self._row = np.array([place.get(who, -1) for who in roster.metered], np.intp)
        self._linked = np.array([who in linked for who in self.participants], np.bool_)
        self._timed = np.array([who in timed for who in self.participants], np.bool_)
        shape = (len(self.participants), len(self.days))
        # A plane a period: those of whom only the flat one counts never touch the memory of the others.
        self.periods = np.zeros((len(PERIOD_NAMES), *shape), np.int64).transpose(1, 2, 0)
        self.missing = np.zeros(shape, np.bool_)
        self.spot = {stage: np.zeros(shape, np.int64) for stage in SPOT}
        self.spot_missing = {stage: np.zeros(shape, np.bool_) for stage in SPOT}
        self._watched: dict[int, _Watched] = {}

    def watch(self, day: date, participant: Index, wh: IntArray, touched: Index, prices: Prices) -> None:
        """Meter rows of a day with their participant (into Roster.metered), Wh, and participants with a gap.

        May be called for several days at once and several times a day: every day has a column of its own.
        """
        d = self.days.index(day)
        gaps = self._row[touched]
        self.missing[gaps[gaps >= 0], d] = True
        mine = self._of(participant)
        rule = in_force(self._rules.time_of_use, day)
        clock = np.full(PERIODS, FLAT, np.intp) if rule is None else periods_of_day(rule, day)
        _add(self.periods[:, d], mine.timed_rows, by_period(wh[mine.timed], clock))
        _add(self.periods[:, d, FLAT], mine.flat_rows, wh[mine.flat].sum(axis=1))
        if not len(mine.linked):
            return
        energy = wh[mine.linked]
        for stage, price in zip(SPOT, (prices.user_day_ahead, prices.user_real_time), strict=True):
            unpriced = is_missing(price)
            _add(self.spot[stage][:, d], mine.linked_rows, energy @ np.where(unpriced, 0, price))
            if unpriced.any():
                self.spot_missing[stage][mine.linked_rows, d] = True

    def _of(self, participant: Index) -> _Watched:
        seen = self._watched.get(id(participant))
        if seen is None or seen.participant is not participant:
            seen = self._found(participant)
            if len(self._watched) >= WATCHED:
                self._watched.clear()
            self._watched[id(participant)] = seen
        return seen

    def _found(self, participant: Index) -> _Watched:
        rows = self._row[participant]
        mine = np.flatnonzero(rows >= 0)
        timed, linked = self._timed[rows[mine]], self._linked[rows[mine]]
        places = mine[timed], mine[~timed], mine[linked]
        return _Watched(participant, *places, *(rows[place] for place in places))

    def use(
        self,
        reactive: Mapping[str, int | None],
        demand: Mapping[str, int | None],
        difference: Mapping[str, int | None],
    ) -> ConsumerUse:
        """The month, once its days have been watched; difference: Wh by which registers go beyond the days."""
        return ConsumerUse(
            self.participants,
            self.days,
            self.periods,
            self.missing,
            self.spot,
            self.spot_missing,
            reactive,
            demand,
            levelled(self.participants, self.periods.sum(axis=2), difference),
        )


@dataclass(frozen=True)
class _Watched:
    """Rows of a block by what they count for, and the consumers' rows they are added to."""

    participant: Index
    timed: Index
    flat: Index
    linked: Index
    timed_rows: Index
    flat_rows: Index
    linked_rows: Index


def _add(into: IntArray, rows: Index, values: IntArray) -> None:
    if into.ndim == 1:
        np.add.at(into, rows, values)
        return
    for column in range(into.shape[1]):  # ufunc.at is quick along one axis only
        np.add.at(into[:, column], rows, values[:, column])


def maximum_demand(demand: pd.DataFrame, meters: pd.DataFrame, month: Month) -> dict[str, int | None]:
    """W of the month by participant: meters side by side are added, one after another the higher counts.

    None where a meter of a participant with any reading has none itself.
    """
    read = {row.meter_id: scaled(row.demand_kw, 6) for row in demand.itertuples() if row.month == str(month)}
    rows = [row for row in meters.itertuples() if row.direction == 1]
    edges = sorted(
        {month.first, month.after}
        | {
            edge
            for row in rows
            for edge in (row.valid_from, row.valid_to)
            if edge is not None and not pd.isna(edge) and month.first < edge < month.after
        }
    )
    found: dict[str, int | None] = {}
    measured = {row.participant_id for row in rows if row.meter_id in read}
    for day, _ in pairwise(edges):
        sums: dict[str, int | None] = {}
        for row in rows:
            if (
                row.participant_id not in measured
                or not row.valid_from <= day
                or not _open(row.valid_to, day)
            ):
                continue
            kw = read.get(row.meter_id)
            before = sums.get(row.participant_id, 0)
            watt = None if kw is None else half_up(kw * row.multiplier / 1000)
            sums[row.participant_id] = None if watt is None or before is None else before + watt
        for who, watt in sums.items():
            best = found.get(who, 0)
            found[who] = None if watt is None or best is None else max(best, watt)
    return found


def _open(end: date | None, day: date) -> bool:
    return end is None or bool(pd.isna(end)) or day < end
