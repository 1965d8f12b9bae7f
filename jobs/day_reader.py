"""One day of a month from its curves: what ``settle_day`` settles, given away part by part as it is read.

A reader serves one thread. It reads blocks of rows, so that memory does not grow with the number of users.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field, fields, replace
from datetime import date, datetime, timedelta
from functools import partial
from types import TracebackType
from typing import Protocol

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from jobs.accepted import Accepted, accepted_blocks
from jobs.curve_rows import Aligned, Kept, Rows, stretch
from jobs.day_prices import PriceBook, UnifiedPrices, nonmarket_price
from jobs.day_rosters import BoolArray, DayRoster
from jobs.input_gaps import DayNotes, Gap
from jobs.metered_day import MeteredDays, MeterTally, Watch
from jobs.roster import Roster
from market.curves import MISSING, filled, is_missing
from market.money import IntArray, half_up_array
from market.periods import PERIODS
from market.profiles import ProvincialRules, on
from settlement.day import DayInParts, DaySettlement
from settlement.market_day import Contracts, MarketDay, Prices, Province
from warehouse.curve_blocks import BLOCK_ROWS, WHOLE, CurveBlocks
from warehouse.curve_groups import Plan, visible_files
from warehouse.curves import CurveDay
from warehouse.home import Home

MONTH_CURVES = ("meter_readings", "meter_quality", "positions", "contract_curves", "prices")
IN_BLOCKS = ("meter_readings", "positions", "contract_curves")


class Takes(Protocol):
    """What takes the parts of a day; every row is given once (``settlement.day.DayInParts``)."""

    def use(self, rows: Rows, energy: IntArray, mechanism: IntArray | None = None) -> None:
        """Users' energy, (rows, 96) Wh."""

    def position(self, rows: Rows, energy: IntArray) -> None:
        """Users' positions, (rows, 96) Wh."""

    def contracts(self, rows: Rows, quantity: IntArray, price: IntArray) -> None:
        """Contracts' curves, (rows, 96) Wh, with their prices (rows,)."""


@dataclass(frozen=True)
class MonthTerms:
    """What every day of a month is read with; ``plans`` are the visible files by curve table."""

    home: Home
    roster: Roster
    rules: ProvincialRules
    imports: Mapping[tuple[str, date], IntArray]
    plans: Mapping[str, Plan]
    accepted: Accepted
    watch: Watch | None
    unified: UnifiedPrices | None
    block_rows: int = BLOCK_ROWS

    @staticmethod
    def planned(home: Home, first: date, last: date, as_of: datetime | None) -> dict[str, Plan]:
        """The visible files of these days."""
        after = last + timedelta(days=1)
        return {table: visible_files(home, table, first, after, as_of, None) for table in MONTH_CURVES}


@dataclass
class DayTally:
    """What a day adds to its month besides money. contract_wh: (contracts,) Wh; contract_gaps: a value is missing."""

    meters: MeterTally
    contract_wh: IntArray
    contract_gaps: BoolArray
    notes: DayNotes = field(default_factory=DayNotes)


class DayReader:
    """Reads days of a month; a ``with`` block closes its files. Days are asked for in order."""

    def __init__(self, terms: MonthTerms) -> None:
        self._terms = terms
        self._prices = PriceBook(terms.roster, terms.rules, terms.unified)
        self._metered = MeteredDays(terms.roster, terms.watch)
        self._stack = ExitStack()
        self._curves = {
            table: self._stack.enter_context(
                CurveBlocks(terms.home, table, plan, terms.block_rows if table in IN_BLOCKS else WHOLE)
            )
            for table, plan in terms.plans.items()
        }
        self._positions: Kept[_Positions] = Kept()
        self._contracts: Kept[Aligned] = Kept()

    def __enter__(self) -> DayReader:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def settled(self, day: date) -> tuple[DaySettlement, DayTally]:
        """The day settled as it is read: no matrix of all users is ever there."""
        roster = self._terms.roster.on(day)
        prices, tally = self._start(day, roster)
        parts = DayInParts(prices, len(self._terms.roster.users), len(roster.contract_ids))
        province = self._read(day, roster, prices, parts, tally)
        return parts.close(province, roster.buyer, roster.seller), tally

    def market(self, day: date) -> tuple[MarketDay, DayTally]:
        """The day with everybody's curves."""
        roster = self._terms.roster.on(day)
        prices, tally = self._start(day, roster)
        whole = _WholeDay(len(self._terms.roster.users), len(roster.contract_ids))
        province = self._read(day, roster, prices, whole, tally)
        return whole.market(province, roster), tally

    def prices(self, day: date) -> Prices:
        """The prices of the day alone."""
        return self._start(day, self._terms.roster.on(day))[0]

    def _start(self, day: date, roster: DayRoster) -> tuple[Prices, DayTally]:
        tally = self._tally(roster)
        curve = next(self._curves["prices"].of(day), None)
        return self._prices.of(day, curve, partial(self._market_energy, day, roster), tally.notes), tally

    def _tally(self, roster: DayRoster) -> DayTally:
        meters = MeterTally.of(len(self._terms.roster.metered), len(roster.meter_ids))
        contracts = len(roster.contract_ids)
        return DayTally(meters, np.zeros(contracts, np.int64), np.zeros(contracts, np.bool_))

    def _market_energy(self, day: date, roster: DayRoster) -> IntArray:
        """(generators, 96) Wh that the market buys, before the prices of the day are known: readings are read twice."""
        tally = self._tally(roster)
        energy = self._metered.add(day, self._readings(day), lambda *_: None, None, tally.meters, tally.notes)
        generation = _delivered(energy[:-1])
        nonmarket = self._nonmarket(day, roster, generation)
        if nonmarket is None:
            return generation
        return np.where(is_missing(generation), MISSING, generation - nonmarket)

    def _read(self, day: date, roster: DayRoster, prices: Prices, takes: Takes, tally: DayTally) -> Province:
        rule, share = self._terms.rules.capacity_less_mechanism, roster.mechanism
        if share is not None and not on(rule, day, "capacity_less_mechanism"):
            share = None

        def give(rows: Rows, energy: IntArray) -> None:
            takes.use(rows, energy, None if share is None else _share_of(energy, share[rows]))

        metered = self._metered.add(day, self._readings(day), give, prices, tally.meters, tally.notes)
        schedule = self._give_positions(day, roster, takes, tally.notes)
        self._give_contracts(day, roster, takes, tally)
        generation = _delivered(metered[:-1])
        return Province(
            day=day,
            residents=metered[-1],
            generation=generation,
            schedule=schedule,
            import_day_ahead=self._imported("day_ahead", day),
            import_intraday=self._imported("intraday", day),
            prices=prices,
            nonmarket=self._nonmarket(day, roster, generation),
        )

    def _give_positions(self, day: date, roster: DayRoster, takes: Takes, notes: DayNotes) -> IntArray:
        """Gives users' day-ahead positions away; generators', (generators, 96) Wh.

        Zero for a party that does not settle on the day.
        """
        parties, ids, active = self._terms.roster.parties, self._terms.roster.party_ids, roster.active
        users = len(self._terms.roster.users)
        schedule = np.full((len(parties) - users, PERIODS), MISSING, np.int64)
        present, holed = np.zeros(len(parties), np.bool_), np.zeros(len(parties), np.bool_)
        strangers: list[str] = []
        for place, curve in enumerate(self._curves["positions"].of(day)):
            find = partial(_positions, curve.keys, parties, users, active)
            found = self._positions.of(place, curve.keys["participant_id"], roster, find)
            strangers += found.all.outside.to_pylist()
            present[found.all.put] = True
            if curve.has_missing:
                holed[found.all.put] = is_missing(curve.values[found.all.take]).any(axis=1)
            takes.position(found.users.put, curve.values[found.users.take])
            schedule[found.units.places - users] = curve.values[found.units.take]
        self._note_strangers("positions", strangers, notes)
        notes.gaps += [Gap("unsettled_positions", ids[at], None) for at in np.flatnonzero(present & ~active)]
        lacking = [*np.flatnonzero(~present & active), *np.flatnonzero(holed & active)]
        notes.gaps += [Gap("missing_position", ids[at], ids[at]) for at in lacking]
        for rows, value in ((~present & active, MISSING), (~active, 0)):
            takes.position(np.flatnonzero(rows[:users]), _flat(rows[:users].sum(), value))
        schedule[~active[users:]] = 0
        return schedule

    def _give_contracts(self, day: date, roster: DayRoster, takes: Takes, tally: DayTally) -> None:
        ids, price = roster.contract_ids, roster.contract_price
        present, holed = np.zeros(len(ids), np.bool_), np.zeros(len(ids), np.bool_)
        strangers: list[str] = []
        for place, curve in enumerate(self._curves["contract_curves"].of(day)):
            keys = curve.keys["contract_id"]
            found = self._contracts.of(place, keys, roster, partial(Aligned.of, keys, ids))
            strangers += found.outside.to_pylist()
            present[found.put] = True
            quantity = curve.values[found.take]
            if curve.has_missing:
                holed[found.put] = is_missing(quantity).any(axis=1)
            takes.contracts(found.put, quantity, price[found.put])
            tally.contract_wh[found.put] = (filled(quantity) if curve.has_missing else quantity).sum(axis=1)
        self._note_strangers("contract_curves", strangers, tally.notes)
        lacking = [*np.flatnonzero(~present), *np.flatnonzero(holed)]
        gaps = [Gap("missing_contract_curve", str(ids[at]), roster.buyer_ids[at]) for at in lacking]
        tally.notes.gaps += gaps
        rest = np.flatnonzero(~present)
        takes.contracts(rest, _flat(len(rest), MISSING), price[rest])
        tally.contract_gaps |= holed | ~present

    @staticmethod
    def _note_strangers(table: str, strangers: list[str], notes: DayNotes) -> None:
        notes.gaps += [Gap(f"unsettled_{table}", stranger, None) for stranger in sorted(set(strangers))]

    def _readings(self, day: date) -> Iterator[CurveDay]:
        codes = next(self._curves["meter_quality"].of(day), None)
        blocks = self._curves["meter_readings"].of(day)
        return accepted_blocks(day, blocks, codes, self._terms.accepted.get(day))

    def _nonmarket(self, day: date, roster: DayRoster, generation: IntArray) -> IntArray | None:
        """Non-market energy of generators, where the rules of the day know it (B.2)."""
        if nonmarket_price(self._terms.rules, day) is None:
            return None
        ppm = np.zeros(len(generation), np.int64) if roster.nonmarket is None else roster.nonmarket
        return _share_of(generation, ppm)

    def _imported(self, stage: str, day: date) -> IntArray:
        return self._terms.imports.get((stage, day), np.zeros(PERIODS, np.int64))


@dataclass(frozen=True)
class _Positions:
    """Day-ahead positions of a block: of all parties, of users and of generators that settle on the day."""

    all: Aligned
    users: Aligned
    units: Aligned


def _positions(
    keys: Mapping[str, pa.StringArray], parties: pd.Index, users: int, active: BoolArray
) -> _Positions:
    stage = pc.equal(keys["stage"], pa.scalar("day_ahead"))
    wanted = np.flatnonzero(stage.to_numpy(zero_copy_only=False))
    within = Aligned.of(keys["participant_id"].take(pa.array(wanted)), parties)
    found = replace(within, rows=wanted[within.rows], take=stretch(wanted[within.rows]))
    settles, user = active[found.places], found.places < users
    return _Positions(found, found.only(settles & user), found.only(settles & ~user))


class _WholeDay:
    """Keeps what it is given: (users, 96) and (contracts, 96)."""

    def __init__(self, users: int, contracts: int) -> None:
        self._use, self._position = np.zeros((users, PERIODS), np.int64), np.zeros((users, PERIODS), np.int64)
        self._quantity = np.zeros((contracts, PERIODS), np.int64)
        self._mechanism: IntArray | None = None

    def use(self, rows: Rows, energy: IntArray, mechanism: IntArray | None = None) -> None:
        self._use[rows] = energy
        if mechanism is not None:
            self._mechanism = np.zeros_like(self._use) if self._mechanism is None else self._mechanism
            self._mechanism[rows] = mechanism

    def position(self, rows: Rows, energy: IntArray) -> None:
        self._position[rows] = energy

    def contracts(self, rows: Rows, quantity: IntArray, price: IntArray) -> None:
        del price  # the roster has it
        self._quantity[rows] = quantity

    def market(self, province: Province, roster: DayRoster) -> MarketDay:
        """Everything of the day."""
        given = {one.name: getattr(province, one.name) for one in fields(Province)}
        contracts = Contracts(self._quantity, roster.contract_price, roster.buyer, roster.seller)
        return MarketDay(
            **given,
            use=self._use,
            position=self._position,
            contracts=contracts,
            mechanism=self._mechanism,
        )


def _flat(rows: int, value: int) -> IntArray:
    """(rows, 96) of one value, without the memory."""
    return np.broadcast_to(np.int64(value), (rows, PERIODS))


def _delivered(energy: IntArray) -> IntArray:
    return np.where(is_missing(energy), MISSING, -energy)


def _share_of(energy: IntArray, ppm: IntArray) -> IntArray:
    """Energy times a share of 1e-6, to Wh, half up; MISSING stays."""
    if not ppm.any():
        return np.where(is_missing(energy), MISSING, 0)
    known = np.where(is_missing(energy), 0, energy)
    return np.where(is_missing(energy), MISSING, half_up_array(known * ppm[:, None], 1_000_000))
