"""Reads a month from the warehouse on all cores, day by day, as the determinants of settlement or settled at once.

Memory is bounded by blocks of a few days' curves (decision 0056). What is not there becomes ``MISSING`` and a finding,
never zero.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import replace
from datetime import date, datetime
from functools import partial
from typing import TypeVar

import numpy as np

from jobs.accepted import Accepted
from jobs.by_day import by_day
from jobs.day_prices import UnifiedPrices
from jobs.day_reader import MONTH_CURVES, DayReader, DayTally, MonthTerms
from jobs.input_gaps import MonthNotes
from jobs.metered_day import Watch
from jobs.roster import Roster
from market.money import IntArray
from market.periods import Month
from market.profiles import ProvincialRules
from settlement.day import DaySettlement, settle_day
from settlement.findings import Finding
from settlement.market_day import MarketDay, Prices
from warehouse.curve_blocks import BLOCK_ROWS
from warehouse.home import Home

__all__ = ["MONTH_CURVES", "MonthInputs", "UnifiedPrices"]

Result = TypeVar("Result")


class MonthInputs:
    """Streams the days of a month; energies, measured shares and gaps are ready when the stream has ended.

    span_energy[s, i], span_measured[s, i]: Wh of roster.metered[i] in the s-th span of the roster, and of it by
    measured readings; span_incomplete where a reading of it is missing. energy, measured, incomplete: of the month.
    only: stream this day of the month alone.
    accepted: what the run settles in the place of raw readings. watch: is called for several days at once.
    unified: the user prices of a month that is corrected; a correction never changes them (market.md B.11).
    workers, block_rows: nothing but time and memory depends on them.
    """

    def __init__(
        self,
        home: Home,
        month: Month,
        roster: Roster,
        rules: ProvincialRules,
        imports: Mapping[tuple[str, date], IntArray],
        as_of: datetime | None,
        only: date | None = None,
        accepted: Accepted | None = None,
        watch: Watch | None = None,
        unified: UnifiedPrices | None = None,
        workers: int | None = None,
        block_rows: int = BLOCK_ROWS,
    ) -> None:
        self._days = tuple(month.days()) if only is None else (only,)
        plans = MonthTerms.planned(home, self._days[0], self._days[-1], as_of)
        self._terms = MonthTerms(
            home, roster, rules, imports, plans, accepted or {}, watch, unified, block_rows
        )
        self._workers = workers
        self.roster = roster
        shape = (len(roster.spans), len(roster.metered))
        self.span_energy, self.span_measured = np.zeros(shape, np.int64), np.zeros(shape, np.int64)
        self.span_incomplete = np.zeros(shape, np.bool_)
        self._meter_energy = [np.zeros(len(span.meter_ids), np.int64) for span in roster.spans]
        self._meter_incomplete = [np.zeros(len(span.meter_ids), np.bool_) for span in roster.spans]
        self._contract_wh: dict[int, tuple[IntArray, np.ndarray]] = {}  # by span, of the days seen
        self._notes = MonthNotes()

    @property
    def energy(self) -> IntArray:
        """Wh of the month by metered participant."""
        return np.asarray(self.span_energy.sum(axis=0))

    @property
    def measured(self) -> IntArray:
        """Of it by measured readings."""
        return np.asarray(self.span_measured.sum(axis=0))

    @property
    def incomplete(self) -> np.ndarray:
        """Where a reading of the month is missing."""
        return np.asarray(self.span_incomplete.any(axis=0))

    @property
    def contract_wh(self) -> dict[str, int | None]:
        """Wh of the days seen by contract; None where a quarter-hour is missing."""
        found: dict[str, int | None] = {}
        for number, (sums, gaps) in sorted(self._contract_wh.items()):
            ids = self.roster.spans[number].contract_ids
            for contract, wh, gap in zip(ids, sums.tolist(), gaps.tolist(), strict=True):
                before = found.get(contract, 0)
                found[contract] = None if gap or before is None else before + wh
        return found

    def days(self) -> Iterator[MarketDay]:
        """Every day of the month in order, or the one day asked for, with everybody's curves."""
        for day, (market, tally) in self._each(DayReader.market):
            self._take(day, tally)
            yield market

    def market(self, day: date) -> MarketDay:
        """One day again with everybody's curves, as it was settled; nothing is noted a second time."""
        with DayReader(replace(self._terms, watch=None)) as reader:
            return reader.market(day)[0]

    def settled(self, *, positive_deviation: bool = False) -> Iterator[DaySettlement]:
        """Every day settled, in order, block by block: memory does not grow with users.

        positive_deviation: as in ``settle_day``, which needs everybody's curves of a day at once.
        """
        for day, (settlement, tally) in self._each(
            _with_deviation if positive_deviation else DayReader.settled
        ):
            self._take(day, tally)
            yield settlement

    def prices(self) -> Iterator[tuple[date, Prices]]:
        """The prices of every day, in order."""
        yield from self._each(DayReader.prices)

    def meter_energy(self, wanted: Collection[str]) -> Iterator[tuple[str, date, int | None]]:
        """Meter, first day of a span of the roster, and Wh of the meter's days in it, None where one is missing."""
        for (first, _), span in zip(self.roster.span_days, self.roster.spans, strict=True):
            energy, gaps = self._meter_energy[span.number], self._meter_incomplete[span.number]
            for meter, wh, gap in zip(span.meter_ids, energy.tolist(), gaps.tolist(), strict=True):
                if meter in wanted:
                    yield meter, first, None if gap else wh

    def findings(self) -> list[Finding]:
        """Gaps and odd prices seen while streaming."""
        return self._notes.findings(self.roster.city, self._terms.rules)

    def _each(self, work: Callable[[DayReader, date], Result]) -> Iterator[tuple[date, Result]]:
        results = by_day(self._days, partial(DayReader, self._terms), work, self._workers)
        yield from zip(self._days, results, strict=True)

    def _take(self, day: date, tally: DayTally) -> None:
        span, meters = self.roster.on(day).number, tally.meters
        self.span_energy[span] += meters.energy
        self.span_measured[span] += meters.measured
        self.span_incomplete[span] |= meters.incomplete
        self._meter_energy[span] += meters.meter_energy
        self._meter_incomplete[span] |= meters.meter_incomplete
        if span not in self._contract_wh:
            self._contract_wh[span] = (tally.contract_wh.copy(), tally.contract_gaps.copy())
        else:
            sums, gaps = self._contract_wh[span]
            sums += tally.contract_wh
            gaps |= tally.contract_gaps
        self._notes.add(day, tally.notes)


def _with_deviation(reader: DayReader, day: date) -> tuple[DaySettlement, DayTally]:
    market, tally = reader.market(day)
    return settle_day(market, positive_deviation=True), tally
