"""Energy of consumers as the month streams by, by time-of-use period, and their reactive energy and demand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from itertools import pairwise

import numpy as np
import pandas as pd
import pyarrow as pa

from jobs.roster import DayRoster, Index, Roster
from market.consumer import ConsumerRules
from market.curves import is_missing
from market.money import IntArray, half_up, scaled
from market.periods import Month
from settlement.market_day import Prices
from settlement.metering import wh_of_reading
from settlement.retail.bill import in_force
from settlement.retail.time_of_use import FLAT, PERIOD_NAMES, by_period, periods_of_day
from settlement.retail.use import ConsumerUse, levelled
from warehouse.curves import curve_days
from warehouse.home import Home

SPOT = ("day_ahead", "real_time")


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
        self.periods = np.zeros((*shape, len(PERIOD_NAMES)), np.int64)
        self.missing = np.zeros(shape, np.bool_)
        self.spot = {stage: np.zeros(shape, np.int64) for stage in SPOT}
        self.spot_missing = {stage: np.zeros(shape, np.bool_) for stage in SPOT}

    def watch(self, day: date, participant: Index, wh: IntArray, touched: Index, prices: Prices) -> None:
        """One day: meter rows with their participant (into Roster.metered), Wh, and participants with a gap."""
        d = self.days.index(day)
        gaps = self._row[touched]
        self.missing[gaps[gaps >= 0], d] = True
        rows = self._row[participant]
        mine = rows >= 0
        rows, energy = (rows, wh) if mine.all() else (rows[mine], wh[mine])
        rule = in_force(self._rules.time_of_use, day)
        clock = np.full(energy.shape[1], FLAT, np.intp) if rule is None else periods_of_day(rule, day)
        timed = self._timed[rows]
        np.add.at(self.periods[:, d], rows[timed], by_period(energy[timed], clock))
        np.add.at(self.periods[:, d, FLAT], rows[~timed], energy[~timed].sum(axis=1))
        follows = self._linked[rows]
        if not follows.any():
            return
        rows, energy = rows[follows], energy[follows]
        for stage, price in zip(SPOT, (prices.user_day_ahead, prices.user_real_time), strict=True):
            unpriced = is_missing(price)
            np.add.at(self.spot[stage][:, d], rows, energy @ np.where(unpriced, 0, price))
            if unpriced.any():
                self.spot_missing[stage][rows, d] = True

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


def reactive_energy(
    home: Home, month: Month, roster: Roster, consumers: Sequence[str], as_of: datetime | None
) -> dict[str, int | None]:
    """varh of the month by consumer, lagging and leading together; None where a meter lacks a lagging day.

    Consumers none of whose meters has any reactive reading are left out.
    """
    place = {who: row for row, who in enumerate(consumers)}
    row_of = np.array([place.get(who, -1) for who in roster.metered], np.intp)
    varh = np.zeros(len(consumers), np.int64)
    read = np.zeros(len(consumers), np.bool_)
    gaps = np.zeros(len(consumers), np.bool_)
    unread_days = set(month.days())
    span: DayRoster | None = None
    ids: pa.StringArray | None = None
    flows: pa.StringArray | None = None
    for curve in curve_days(home, "reactive_readings", month.first, month.after, as_of=as_of):
        unread_days.discard(curve.date)
        today = roster.on(curve.date)
        if today is not span or curve.keys["meter_id"] is not ids or curve.keys["flow"] is not flows:
            span, ids, flows = today, curve.keys["meter_id"], curve.keys["flow"]
            meters = today.meter_ids.get_indexer(ids.to_pylist())
            known = meters >= 0
            multiplier, owner = today.multiplier[meters[known]], row_of[today.participant]
            rows = owner[meters[known]]
            mine = rows >= 0
            lagging = np.zeros(len(owner), np.bool_)
            lagging[meters[known & (np.array(flows.to_pylist()) == "lagging")]] = True
            absent = owner[~lagging]
            absent = absent[absent >= 0]
        values = wh_of_reading(curve.values if known.all() else curve.values[known], multiplier)
        gaps[absent] = True
        read[rows[mine]] = True
        if curve.has_missing:
            unread = is_missing(values).any(axis=1)
            gaps[rows[mine & unread]] = True
            np.add.at(varh, rows[mine & ~unread], np.abs(values[mine & ~unread]).sum(axis=1))
        else:
            np.add.at(varh, rows[mine], np.abs(values).sum(axis=1)[mine])
    for day in unread_days:
        owner = row_of[roster.on(day).participant]
        gaps[owner[owner >= 0]] = True
    return {who: None if gaps[row] else int(varh[row]) for who, row in place.items() if read[row]}


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
