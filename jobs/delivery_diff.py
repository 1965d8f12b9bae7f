"""What a delivery changed: rows, energy, and money where prices are known.

The money is an estimate of size for those who must decide what to do, at the prices known now: readings at the
real-time price, positions at day-ahead less real-time, contract curves at the contract price less the day-ahead
reference, prices on the energy they settle. What it means for a statement only a run says. Sign: a charge to the
participant is positive; a meter that delivers and a generator's position count the other way.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from sqlalchemy import select
from sqlalchemy.orm import Session

from jobs.price_book import PriceBook, Prices, just_before
from jobs.record_diff import RecordChange, record_changes
from jobs.roster import SUPPLY_KINDS
from market.curves import filled, is_missing
from market.money import IntArray, fen_of_nano, scaled, wide_sum, yuan
from market.profiles import profile
from market.tables import TABLES, Table
from settlement.metering import wh_of_reading
from warehouse.curve_files import key_columns
from warehouse.curves import CurveDay, curve_days
from warehouse.deliveries import TAKEN
from warehouse.home import Home, engine
from warehouse.models import Delivery
from warehouse.records import read_records

WH_A_MWH = 1_000_000
RULES = "SD_2022"


class NoSuchDeliveryError(LookupError):
    """No delivery, or more than one, has an id with that beginning."""


@dataclass(frozen=True)
class CurveChange:
    """One key and day: energy in Wh (net, and what moved either way), 1e-9 元 or None where a price is missing."""

    key: tuple[str, ...]
    city: str
    date: date
    known_before: bool
    net_wh: int
    moved_wh: int
    nano: int | None


@dataclass(frozen=True)
class DeliveryDiff:
    """All changes of a delivery. ``curves`` by day and key, ``records`` by key."""

    delivery_id: str
    file_name: str
    table: str
    recorded_at: datetime
    curves: list[CurveChange] = field(default_factory=list)
    records: list[RecordChange] = field(default_factory=list)

    @property
    def new(self) -> int:
        """Rows whose key was not known before."""
        return sum(not one.known_before for one in (*self.curves, *self.records))

    @property
    def revised(self) -> int:
        """Rows that were known with other values."""
        return sum(one.known_before for one in (*self.curves, *self.records))

    @property
    def impact(self) -> Impact:
        """Energy and money of all changes together."""
        return Impact.of([*self.curves, *self.records])


@dataclass(frozen=True)
class Impact:
    """net_mwh: by sign; moved_mwh: without it. amount_cny: of the priced part; unpriced: changes without a price."""

    net_mwh: Decimal
    moved_mwh: Decimal
    amount_cny: Decimal
    unpriced: int

    @classmethod
    def of(cls, changes: list[CurveChange | RecordChange] | list[CurveChange]) -> Impact:
        """The sum over changes; those whose money is unknown are counted, never taken as zero."""
        known = [one.nano for one in changes if one.nano is not None]
        return cls(
            Decimal(sum(one.net_wh for one in changes)) / WH_A_MWH,
            Decimal(sum(one.moved_wh for one in changes)) / WH_A_MWH,
            yuan(fen_of_nano(sum(known))),
            len(changes) - len(known),
        )


def diff(home: Home, delivery: str) -> DeliveryDiff:
    """What a delivery changed when it came. delivery: the beginning of its id, or its file name.

    Raises NoSuchDeliveryError.
    """
    row = _found(home, delivery)
    result = DeliveryDiff(row.delivery_id, row.file_name, str(row.table_name), row.recorded_at)
    if row.status not in TAKEN:
        return result
    table = TABLES[str(row.table_name)]
    if not table.is_curve:
        result.records.extend(record_changes(home, table, row))
    elif row.first_date is not None and row.last_date is not None:
        result.curves.extend(
            curve_changes(home, table, row, row.first_date, row.last_date + timedelta(days=1))
        )
    return result


def curve_changes(home: Home, table: Table, row: Delivery, first: date, after: date) -> Iterator[CurveChange]:
    """The changes of a taken delivery of curves on the days from ``first`` to before ``after``."""
    user_node = profile(RULES).settled[0].user_price_node
    before = _Aligned(curve_days(home, table.name, first, after, as_of=just_before(row.recorded_at)), table)
    since = _Aligned(curve_days(home, table.name, first, after, as_of=row.recorded_at), table)
    prices = Prices(home, first, after, user_node)
    valued = _VALUED.get(table.name, _Unpriced)(home, first, after, user_node, row.recorded_at)
    for day in curve_days(home, table.name, first, after, delivered=[row.delivery_id]):
        known, old = before.on(day)
        _, new = since.on(day)  # the delivery may be silent on some quarter-hours
        book = prices.on(day.date)
        for place, key in enumerate(_keys(day, table)):
            seen = bool(known[place])
            now, then = new[place], old[place]
            gone = seen & ~is_missing(then) & is_missing(now)
            change = filled(now) - filled(then) if seen else filled(now)
            wh, nano = valued.of(key, day.date, change, book)
            yield CurveChange(
                key,
                day.city(place),
                day.date,
                seen,
                wide_sum(wh),
                wide_sum(np.abs(wh)),
                None if gone.any() else nano,
            )


class _Aligned:
    """The rows of an earlier state beside those of a delivery, day by day."""

    def __init__(self, days: Iterator[CurveDay], table: Table) -> None:
        self._days = days
        self._table = table
        self._next = next(days, None)

    def on(self, day: CurveDay) -> tuple[np.ndarray[Any, np.dtype[np.bool_]], IntArray]:
        """Whether each row's key was known on that day, and its values then (those of row 0 where not)."""
        while self._next is not None and self._next.date < day.date:
            self._next = next(self._days, None)
        if self._next is None or self._next.date != day.date:
            return np.zeros(len(day.values), np.bool_), np.zeros_like(day.values)
        places = {key: row for row, key in enumerate(_keys(self._next, self._table))}
        rows = np.array([places.get(key, -1) for key in _keys(day, self._table)])
        return rows >= 0, self._next.values[rows]


def _keys(day: CurveDay, table: Table) -> list[tuple[str, ...]]:
    return list(zip(*(day.keys[name].to_pylist() for name in key_columns(table)), strict=True))


class _Unpriced:
    """Tables whose values are no energy that anybody settles (MW, system series)."""

    def __init__(self, home: Home, first: date, after: date, user_node: str, moment: datetime) -> None:
        del home, first, after, user_node, moment

    def of(
        self, key: tuple[str, ...], day: date, change: IntArray, book: PriceBook
    ) -> tuple[IntArray, int | None]:
        """Wh (96,) and 1e-9 元 of a change of values."""
        del key, day, book
        return np.zeros_like(change), None


class _Person(NamedTuple):
    """Where somebody's energy is priced (None: at the user price) and its sign (-1 for who delivers)."""

    node: str | None
    sign: int


class _People:
    def __init__(self, home: Home) -> None:
        frame = read_records(home, "participants")
        self._of = {
            who: _Person(
                node if kind in SUPPLY_KINDS and not pd.isna(node) else None,
                -1 if kind in SUPPLY_KINDS else 1,
            )
            for who, kind, node in zip(frame["participant_id"], frame["kind"], frame["node"], strict=True)
        }

    def __getitem__(self, who: str) -> _Person:
        return self._of.get(who, _Person(None, 1))


class _Readings(_Unpriced):
    def __init__(self, home: Home, first: date, after: date, user_node: str, moment: datetime) -> None:
        super().__init__(home, first, after, user_node, moment)
        self._people = _People(home)
        self._meters: dict[str, list[tuple[date, str, int, int]]] = defaultdict(list)
        meters = read_records(home, "meters")
        for row in meters.itertuples():
            held = (row.valid_from, row.participant_id, scaled(row.multiplier, 3), row.direction)
            self._meters[row.meter_id].append(held)

    def of(
        self, key: tuple[str, ...], day: date, change: IntArray, book: PriceBook
    ) -> tuple[IntArray, int | None]:
        held = [row for row in sorted(self._meters[key[0]]) if row[0] <= day] or sorted(self._meters[key[0]])
        if not held:
            return np.zeros_like(change), None
        _, who, multiplier, direction = held[-1]
        wh = direction * wh_of_reading(change[None, :], np.array([multiplier]))[0]
        return wh, _product(wh, book.at(self._people[who].node, "real_time"))


class _Positions(_Unpriced):
    def __init__(self, home: Home, first: date, after: date, user_node: str, moment: datetime) -> None:
        super().__init__(home, first, after, user_node, moment)
        self._people = _People(home)

    def of(
        self, key: tuple[str, ...], day: date, change: IntArray, book: PriceBook
    ) -> tuple[IntArray, int | None]:
        del day
        person = self._people[key[0]]
        wh = person.sign * change
        return wh, _spread(wh, book.at(person.node, "day_ahead"), book.at(person.node, "real_time"))


class _ContractCurves(_Unpriced):
    def __init__(self, home: Home, first: date, after: date, user_node: str, moment: datetime) -> None:
        super().__init__(home, first, after, user_node, moment)
        frame = read_records(home, "contracts")
        self._price = {
            contract: scaled(price, 3)
            for contract, price in zip(frame["contract_id"], frame["price_cny_per_mwh"], strict=True)
        }

    def of(
        self, key: tuple[str, ...], day: date, change: IntArray, book: PriceBook
    ) -> tuple[IntArray, int | None]:
        del day
        if key[0] not in self._price:
            return change, None
        flat = np.full_like(change, self._price[key[0]])
        return change, _spread(change, flat, book.at(None, "day_ahead"))


class _OfPrices(_Unpriced):
    """A price moves no energy: its money is what the energy of the day pays more by the books before and after."""

    def __init__(self, home: Home, first: date, after: date, user_node: str, moment: datetime) -> None:
        super().__init__(home, first, after, user_node, moment)
        self._people = _People(home)
        self._energy = _DayEnergy(home, first, after, self._people)
        self._user_node = user_node

    def of(
        self, key: tuple[str, ...], day: date, change: IntArray, book: PriceBook
    ) -> tuple[IntArray, int | None]:
        del book  # of the day as it is now; the change already is the difference of two books
        node, stage = key
        where = None if node == self._user_node else node
        metered, position = self._energy.on(day, where)
        wh = position if stage == "day_ahead" else metered - position
        return np.zeros_like(change), wide_sum(wh * change)


class _DayEnergy:
    """Metered energy and day-ahead position (96,) in Wh of all who settle at a node, day by day."""

    def __init__(self, home: Home, first: date, after: date, people: _People) -> None:
        self._readings = {day.date: day for day in curve_days(home, "meter_readings", first, after)}
        self._positions = {day.date: day for day in curve_days(home, "positions", first, after)}
        self._people = people
        meters = read_records(home, "meters")
        self._meters = {
            row.meter_id: (row.participant_id, scaled(row.multiplier, 3), row.direction)
            for row in meters.itertuples()
        }

    def on(self, day: date, node: str | None) -> tuple[IntArray, IntArray]:
        metered, position = np.zeros(96, np.int64), np.zeros(96, np.int64)
        if day in self._readings:
            known = [
                self._meters.get(key, ("", 0, 1)) for key in self._readings[day].keys["meter_id"].to_pylist()
            ]
            here = np.array([bool(who) and self._people[who].node == node for who, _, _ in known])
            values = filled(self._readings[day].values[here])
            factors = np.array([multiplier for _, multiplier, _ in known], dtype=np.int64)[here]
            signs = np.array([direction for _, _, direction in known], dtype=np.int64)[here]
            if len(values):
                metered = (wh_of_reading(values, factors) * signs[:, None]).sum(axis=0)
        if day in self._positions:
            curve = self._positions[day]
            keys = zip(curve.keys["participant_id"].to_pylist(), curve.keys["stage"].to_pylist(), strict=True)
            for row, (who, stage) in enumerate(keys):
                person = self._people[who]
                if stage == "day_ahead" and person.node == node:
                    position = position + person.sign * filled(curve.values[row])
        return metered, position


_VALUED: dict[str, Callable[[Home, date, date, str, datetime], _Unpriced]] = {
    "meter_readings": _Readings,
    "positions": _Positions,
    "contract_curves": _ContractCurves,
    "prices": _OfPrices,
}


def _spread(wh: IntArray, price: IntArray, less: IntArray) -> int | None:
    first, second = _product(wh, price), _product(wh, less)
    return None if first is None or second is None else first - second


def _product(wh: IntArray, price: IntArray) -> int | None:
    """1e-9 元; None when a period that moved has no price."""
    moved = wh != 0
    if is_missing(price[moved]).any():
        return None
    return sum(
        energy * mills for energy, mills in zip(wh[moved].tolist(), price[moved].tolist(), strict=True)
    )


def _found(home: Home, delivery: str) -> Delivery:
    with Session(engine(home), expire_on_commit=False) as session:
        named = Delivery.delivery_id.startswith(delivery) | (Delivery.file_name == delivery)
        found = list(session.scalars(select(Delivery).where(named)))
    if len(found) != 1:
        raise NoSuchDeliveryError(
            f"{len(found)} deliveries are called {delivery!r}; take the id from `gridsettle ingest status`."
        )
    return found[0]
