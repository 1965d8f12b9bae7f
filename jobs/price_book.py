"""What a kWh was worth on a day, as far as it is known: for impact estimates, never for a statement."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, timedelta

import numpy as np
import pandas as pd

from market.curves import MISSING
from market.money import IntArray
from market.periods import PERIODS
from market.tables import ParticipantKind
from settlement.prices import hourly_user_price
from warehouse.curves import CurveDay, curve_days
from warehouse.home import Home
from warehouse.records import read_records

STAGES = ("day_ahead", "real_time")


class PriceBook:
    """The prices of one day by node and stage; a user price that was not published is the mean of the nodes."""

    def __init__(self, curve: CurveDay | None, user_node: str, generator_nodes: frozenset[str]) -> None:
        self._book: dict[tuple[str, str], IntArray] = {}
        if curve is not None:
            keys = zip(curve.keys["node"].to_pylist(), curve.keys["stage"].to_pylist(), strict=True)
            self._book = {key: curve.values[row] for row, key in enumerate(keys)}
        self._user_node = user_node
        self._nodes = sorted(generator_nodes)

    def at(self, node: str | None, stage: str) -> IntArray:
        """(96,) 0.001 元/MWh, MISSING where nothing is known. node None: the user price."""
        if node is not None:
            return self._book.get((node, stage), np.full(PERIODS, MISSING, np.int64))
        published = self._book.get((self._user_node, stage))
        if published is not None:
            return published
        known = [self._book[of, stage] for of in self._nodes if (of, stage) in self._book]
        if not known or len(known) < len(self._nodes):
            return np.full(PERIODS, MISSING, np.int64)
        return hourly_user_price(np.array(known))


class Prices:
    """The price books of a stretch of days, in order of days; each day is asked for once."""

    def __init__(
        self, home: Home, first: date, after: date, user_node: str, *, as_of: datetime | None = None
    ) -> None:
        self._days: Iterator[CurveDay] = curve_days(home, "prices", first, after, as_of=as_of)
        self._next = next(self._days, None)
        self._user_node = user_node
        people = read_records(home, "participants")
        generators = people[people["kind"] == ParticipantKind.GENERATOR]
        self._nodes = frozenset(node for node in generators["node"] if not pd.isna(node))

    def on(self, day: date) -> PriceBook:
        """The book of a day; an empty one where nothing was delivered."""
        while self._next is not None and self._next.date < day:
            self._next = next(self._days, None)
        there = self._next if self._next is not None and self._next.date == day else None
        return PriceBook(there, self._user_node, self._nodes)


def just_before(moment: datetime) -> datetime:
    """The last moment at which a delivery recorded at ``moment`` was not yet known."""
    return moment - timedelta(microseconds=1)
