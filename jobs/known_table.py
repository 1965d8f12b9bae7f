"""A table of the warehouse as it was known at a moment: the newest revisions of then, with the delivery of each row."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal

from jobs import access, actor
from jobs.access import Act, NotAllowedError
from market.curves import MISSING
from market.periods import LABELS, Month
from market.tables import TABLES, Table
from warehouse.curves import CurveDay, curve_days
from warehouse.home import Home
from warehouse.records import read_records

SOURCE = ("delivery_id", "line")


class UnknownTableError(LookupError):
    """There is no table of that name."""


def known_table(home: Home, name: str, month: Month, as_of: datetime | None = None) -> Iterator[list[str]]:
    """A header and the rows as text, sorted by date and key; a missing value is empty.

    month: days of curves and of records that have a ``date``; other records are shown whole. as_of: a moment with its
    zone, None for now. Raises UnknownTableError, NotAllowedError where the reader may not see the whole province.
    """
    if name not in TABLES:
        raise UnknownTableError(f"There is no table {name}; there are: {', '.join(TABLES)}.")
    who = actor.current(home)
    access.require(who, Act.READ)
    if not access.sees_province(who):
        raise NotAllowedError(
            f"{who.name} ({who.account}) may not read table {name}: it holds the rows of the whole province."
        )
    return (_curve if TABLES[name].is_curve else _records)(home, TABLES[name], month, as_of)


def _records(home: Home, table: Table, month: Month, as_of: datetime | None) -> Iterator[list[str]]:
    dated = any(column.name == "date" for column in table.columns)
    span = {"first": month.first, "after": month.after} if dated else {}
    rows = read_records(home, table.name, as_of=as_of, **span)
    yield list(rows.columns)
    for row in rows.itertuples(index=False):
        yield ["" if cell is None else str(cell) for cell in row]


def _curve(home: Home, table: Table, month: Month, as_of: datetime | None) -> Iterator[list[str]]:
    keys = [name for name in table.key if name != "date"]
    yield ["date", *keys, *LABELS, *SOURCE]
    for day in curve_days(home, table.name, month.first, month.after, as_of=as_of):
        lines = day.lines(range(len(day.values)))
        for row, line in enumerate(lines):
            of_row = [str(day.keys[name][row]) for name in keys]
            yield [str(day.date), *of_row, *_cells(table, day, row), day.delivery(row), str(line)]


def _cells(table: Table, day: CurveDay, row: int) -> list[str]:
    values = day.values[row].tolist()
    if table.curve_codes:
        return ["" if value == MISSING else table.curve_codes[value] for value in values]
    return [
        "" if value == MISSING else format(Decimal(value).scaleb(-table.curve_decimals), "f")
        for value in values
    ]
