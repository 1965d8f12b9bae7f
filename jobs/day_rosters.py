"""The roster of a day as array indices, for every day of a month: what stays is looked up once, a day picks its rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from market.money import IntArray, scaled
from market.tables import ParticipantKind

Index = NDArray[np.intp]
BoolArray = NDArray[np.bool_]
OUTSIDE = -1
OPEN = date.max.toordinal() + 1
USER_KINDS = (
    ParticipantKind.WHOLESALE_USER,
    ParticipantKind.RETAILER,
    ParticipantKind.VPP,
    ParticipantKind.GRID_COMPANY,
)
SUPPLIER_KINDS = (ParticipantKind.RETAILER, ParticipantKind.VPP)  # whom a retail user's retailer_id may name
SUPPLY_KINDS = (
    ParticipantKind.GENERATOR,
    ParticipantKind.STORAGE,
)  # settle at their own node, delivery positive
PARTY_KINDS = (*USER_KINDS, *SUPPLY_KINDS)


@dataclass(frozen=True)
class DayRoster:
    """Indices that hold on one day.

    meter_ids with, per meter, participant (into Roster.metered), multiplier (0.001) and direction;
    holder: per metered participant the settling row (users first, then generators), RESIDENTS_ROW or OUTSIDE.
    agency: per metered participant, whether it is an agency user today. active: per party, whether it settles today.
    nonmarket, mechanism: share of a generator's output and of a user's book outside the market, 1e-6, None: none.
    """

    number: int
    meter_ids: pd.Index
    participant: Index
    multiplier: IntArray
    direction: IntArray
    holder: Index
    contract_ids: pd.Index
    contract_price: IntArray
    buyer: Index
    seller: Index
    buyer_ids: tuple[str, ...]
    agency: BoolArray
    active: BoolArray
    nonmarket: IntArray | None
    mechanism: IntArray | None


class Validity:
    """When rows hold: from ``valid_from`` to before ``valid_to``, open where that is empty."""

    def __init__(self, frame: pd.DataFrame) -> None:
        self._first = _each(frame["valid_from"], date.toordinal)
        self._after = _each(frame["valid_to"], lambda end: OPEN if _empty(end) else end.toordinal())

    def on(self, day: date) -> Index:
        """The places of the rows that hold on a day."""
        number = day.toordinal()
        return np.flatnonzero((self._first <= number) & (number < self._after))


class People:
    """Who is what on a day. metered, parties: ids in the order of the rows of a month."""

    def __init__(self, participants: pd.DataFrame, metered: Sequence[str], parties: Sequence[str]) -> None:
        self._validity = Validity(participants)
        self._metered = _places(participants["participant_id"], {who: n for n, who in enumerate(metered)})
        rows = {who: n for n, who in enumerate(parties)}
        self._party = _places(participants["participant_id"], rows)
        suppliers = set(participants["participant_id"][participants["kind"].isin(SUPPLIER_KINDS)])
        self._retailer = _places(
            participants["retailer_id"], {who: n for who, n in rows.items() if who in suppliers}
        )
        self._own = np.fromiter((rows.get(who, OUTSIDE) for who in metered), np.intp, len(metered))
        self._sizes = len(metered), len(parties)
        kinds = _places(participants["kind"], {kind: n for n, kind in enumerate(ParticipantKind)})
        self._is = {kind: kinds == n for n, kind in enumerate(ParticipantKind)}
        self._settles = np.logical_or.reduce([self._is[kind] for kind in PARTY_KINDS])

    def on(
        self, day: date, sides: Sequence[Index], grid_company: Callable[[], int], residents: int
    ) -> tuple[BoolArray, Index, BoolArray, BoolArray]:
        """Per metered participant whether it is valid, its holder, whether it is an agency user; per party whether active.

        sides: parties with a contract today. grid_company: its row, asked for where somebody needs it. residents: the
        settling row of residents.
        """
        rows = self._validity.on(day)
        metered, parties = self._sizes
        at, here = _last(rows, self._metered, metered)
        retail, agency, home = (
            here & self._is[kind][at]
            for kind in (ParticipantKind.RETAIL_USER, ParticipantKind.AGENCY_USER, ParticipantKind.RESIDENTS)
        )
        holder = np.where(retail, self._retailer[at], self._own)
        holder[home] = residents
        if agency.any():
            holder[agency] = grid_company()
        # Who has no customer and no contract today holds no position: a virtual power plant rests.
        customers = self._retailer[rows[self._is[ParticipantKind.RETAIL_USER][rows]]]
        booked = np.zeros(parties, np.bool_)
        for side in (customers, *sides):
            booked[side[side >= 0]] = True
        of, known = _last(rows, self._party, parties)
        rests = self._is[ParticipantKind.VPP][of] & ~booked
        return here, holder, agency, known & self._settles[of] & ~rests


class MeterRows:
    """The meters of metered participants with what turns their readings into energy."""

    def __init__(self, meters: pd.DataFrame, metered: Sequence[str]) -> None:
        self._validity = Validity(meters)
        self._ids = pd.Index(meters["meter_id"])
        self._owner = _places(meters["participant_id"], {who: n for n, who in enumerate(metered)})
        self._multiplier = _whole(meters["multiplier"], 3)
        self._direction = np.array(meters["direction"], dtype=np.int64)
        self._last: tuple[Index, tuple[pd.Index, Index, IntArray, IntArray]] | None = None

    def on(self, day: date, here: BoolArray) -> tuple[pd.Index, Index, IntArray, IntArray]:
        """Ids, owners, multipliers and directions on a day; here: per metered participant, whether it is valid.

        The very objects of the day before where no meter has changed.
        """
        rows = self._validity.on(day)
        rows = rows[self._owner[rows] >= 0]
        rows = rows[here[self._owner[rows]]]
        if self._last is None or not np.array_equal(self._last[0], rows):
            picked = (self._ids[rows], self._owner[rows], self._multiplier[rows], self._direction[rows])
            self._last = rows, picked
        return self._last[1]


class ContractRows:
    """The contracts with their price and the rows of their sides."""

    def __init__(self, contracts: pd.DataFrame, parties: pd.Index) -> None:
        self._validity = Validity(contracts)
        self._ids, self._buyers = pd.Index(contracts["contract_id"]), contracts["buyer_id"].to_numpy(object)
        self._price = _whole(contracts["price_cny_per_mwh"], 3)
        self._buyer, self._seller = (
            parties.get_indexer(contracts[name]) for name in ("buyer_id", "seller_id")
        )

        self._last: tuple[Index, tuple[pd.Index, IntArray, Index, Index, tuple[str, ...]]] | None = None

    def on(self, day: date) -> tuple[pd.Index, IntArray, Index, Index, tuple[str, ...]]:
        """Ids, prices (0.001 元/MWh), rows of buyers and sellers, and the buyers' ids on a day.

        The very objects of the day before where no contract has changed.
        """
        rows = self._validity.on(day)
        if self._last is None or not np.array_equal(self._last[0], rows):
            self._last = (
                rows,
                (
                    self._ids[rows],
                    self._price[rows],
                    self._buyer[rows],
                    self._seller[rows],
                    tuple(self._buyers[rows].tolist()),
                ),
            )
        return self._last[1]


def _last(rows: Index, place: Index, size: int) -> tuple[Index, BoolArray]:
    """By place, the last of the rows that belongs there (0 where none does), and whether there is one."""
    found = np.full(size, OUTSIDE, np.intp)
    belong = rows[place[rows] >= 0]
    np.maximum.at(found, place[belong], belong)
    return np.maximum(found, 0), found >= 0


def _places(column: pd.Series[Any], of: Mapping[str, int]) -> Index:
    values = column.tolist()
    return np.fromiter((of.get(value, OUTSIDE) for value in values), np.intp, len(values))


def _whole(column: pd.Series[Any], decimals: int) -> IntArray:
    return _each(column, lambda value: scaled(value, decimals))


def _each(column: pd.Series[Any], number: Callable[[Any], int]) -> IntArray:
    values = column.tolist()
    known = {value: number(value) for value in set(values)}
    return np.fromiter(map(known.__getitem__, values), np.int64, len(values))


def _empty(value: Any) -> bool:
    return value is None or bool(pd.isna(value))
