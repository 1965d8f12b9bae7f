"""Rows of a record table as columns, taken a stretch at a time; values that are equal are one object.

A hundred thousand participants share a few cities, dates and deliveries: held once each they cost a pointer a row.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from decimal import Decimal
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from market.tables import Column, Kind, Table

STRETCH = 500  # rows in memory as rows; few enough to be gone before Python looks for cycles among them
FEW = 10_000  # distinct values that are worth remembering
WHOLE = (Kind.INTEGER, Kind.FLAG)


class ColumnValues:
    """The values of one column as they are read: decimals exact, equal values one object."""

    def __init__(self, decimals: int | None = None) -> None:
        self._made: Callable[[Any], Any] | None = None if decimals is None else partial(_exact, decimals)
        self._known: dict[Hashable, Any] = {}
        self.values: list[Any] = []

    def add(self, stored: Sequence[Any]) -> None:
        """Take the next values as the database holds them."""
        distinct = set(stored)
        if self._made is None and 2 * len(distinct) > len(stored):
            self.values.extend(stored)  # ids: nothing to share
            return
        if len(self._known) > FEW:
            self._known.clear()
        for value in distinct - self._known.keys():
            self._known[value] = value if self._made is None else self._made(value)
        self.values.extend(map(self._known.__getitem__, stored))


def series_of(column: Column, stored: Sequence[Any]) -> pd.Series[Any]:
    """One column from its stored values."""
    values = _values(column)
    values.add(stored)
    return pd.Series(values.values, dtype=_dtype(column))


def frame_of(table: Table, stretches: Iterable[Sequence[Sequence[Any]]]) -> pd.DataFrame:
    """Rows by key: registry columns as in ``warehouse.records.read_records``, then ``delivery_id`` and ``line``.

    stretches: rows of these columns as the database holds them, in any order.
    """
    columns = [*map(_values, table.columns), ColumnValues(), ColumnValues()]
    for rows in stretches:
        for column, stored in zip(columns, zip(*rows, strict=True), strict=True):
            column.add(stored)
    names = [*(column.name for column in table.columns), "delivery_id", "line"]
    dtypes = [*map(_dtype, table.columns), "object", "int64"]
    order = _order([columns[names.index(name)].values for name in table.key])
    frame = {}
    for name, column, dtype in zip(names, columns, dtypes, strict=True):
        series = pd.Series(column.values, dtype=dtype)
        frame[name] = series if order is None else series.take(order).reset_index(drop=True)
        column.values = []
    return pd.DataFrame(frame)


def _order(keys: Sequence[Sequence[Any]]) -> np.ndarray | None:
    """The places of rows by key; None where they stand so already. Databases sort text in ways of their own."""
    rows = keys[0] if len(keys) == 1 else list(zip(*keys, strict=True))
    order = sorted(range(len(rows)), key=rows.__getitem__)
    return None if order == list(range(len(rows))) else np.array(order, np.intp)


def _values(column: Column) -> ColumnValues:
    return ColumnValues(column.decimals if column.kind is Kind.DECIMAL else None)


def _dtype(column: Column) -> str:
    return "int64" if column.kind in WHOLE and column.required else "object"


def _exact(decimals: int, value: int | None) -> Decimal | None:
    return None if value is None else Decimal(value).scaleb(-decimals)
