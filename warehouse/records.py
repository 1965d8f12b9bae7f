"""Record tables: every revision of every key is kept, the newest one known at a moment is read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import pandas as pd
from sqlalchemy import (
    ColumnElement,
    Connection,
    FromClause,
    Row,
    Select,
    func,
    insert,
    literal,
    or_,
    select,
    union_all,
)

from market.tables import TABLES, Table
from warehouse.deliveries import Input, file_names, visible
from warehouse.home import Home, engine
from warehouse.models import RECORDS, Delivery
from warehouse.record_columns import STRETCH, frame_of, series_of

KEYS_A_QUERY = 1000  # databases bound the number of values in one IN list


@dataclass(frozen=True)
class Written:
    """What a delivery did to a record table, in rows: keys never seen, keys with other values, the same again."""

    new: int
    revised: int
    unchanged: int


def read_records(
    home: Home,
    table: str,
    *,
    as_of: datetime | None = None,
    delivered: Collection[str] | None = None,
    first: date | None = None,
    after: date | None = None,
    holding: Mapping[str, Collection[str]] | None = None,
) -> pd.DataFrame:
    """The newest revision of every key known at ``as_of``, sorted by key.

    as_of: a moment with its zone; None for now. delivered: only these delivery ids; None for all.
    first, after: only rows whose ``date`` lies from ``first`` to before ``after``. holding: only rows of which one of
    these columns has one of its values.
    Columns in registry order, then ``delivery_id`` and ``line``. Decimals are exact Decimals, dates are
    datetime.date, instants and months ISO text, a missing value is None; required whole numbers are int64.
    Raises KeyError for a table that is not a record table, or dates for a table without a date.
    """
    definition = _record_definition(table)
    with engine(home).connect() as connection:
        revision = _newest_revisions(connection, [table], first, after)[table]
        return _read(home, connection, definition, revision, as_of, delivered, first, after, holding)


def read_tables(
    home: Home, tables: Collection[str], *, as_of: datetime | None = None
) -> dict[str, pd.DataFrame]:
    """``read_records`` of several tables as they stand at one moment. Raises KeyError as it does."""
    definitions = {table: _record_definition(table) for table in tables}
    with engine(home).connect() as connection:
        revisions = _newest_revisions(connection, list(definitions))
        return {
            table: _read(home, connection, definition, revisions[table], as_of)
            for table, definition in definitions.items()
        }


def record_inputs(
    home: Home,
    table: str,
    *,
    as_of: datetime | None = None,
    delivered: Collection[str] | None = None,
    first: date | None = None,
    after: date | None = None,
) -> list[Input]:
    """The deliveries that hold a newest revision in ``read_records`` of the same arguments, by id."""
    return table_inputs(home, [table], as_of=as_of, delivered=delivered, first=first, after=after)


def table_inputs(
    home: Home,
    tables: Collection[str],
    *,
    as_of: datetime | None = None,
    delivered: Collection[str] | None = None,
    first: date | None = None,
    after: date | None = None,
) -> list[Input]:
    """``record_inputs`` of several tables, by table in the order given, then by id; asked in one query."""
    definitions = {table: _record_definition(table) for table in tables}
    with engine(home).connect() as connection:
        counts = []
        revisions = _newest_revisions(connection, list(definitions), first, after)
        for table, revision in revisions.items():
            if revision:
                newest = _newest(
                    home, definitions[table], revision, as_of, delivered, first, after
                ).subquery()
                count = select(
                    literal(table).label("table_name"), newest.c.delivery_id, func.count().label("n")
                )
                counts.append(count.group_by(newest.c.delivery_id))
        rows: dict[str, dict[str, int]] = {table: {} for table in definitions}
        for row in connection.execute(union_all(*counts)) if counts else ():
            rows[row.table_name][row.delivery_id] = row.n
        names = file_names(connection, {one for of_table in rows.values() for one in of_table})
    return [
        Input(delivery_id, names[delivery_id], of_table[delivery_id])
        for of_table in rows.values()
        for delivery_id in sorted(of_table)
    ]


def inputs_of(connection: Connection, rows: Mapping[str, int]) -> list[Input]:
    """``{delivery_id: rows}`` as inputs with their file names, by id."""
    names = file_names(connection, list(rows))
    return [Input(delivery_id, names[delivery_id], rows[delivery_id]) for delivery_id in sorted(rows)]


def write_records(
    connection: Connection,
    table: str,
    delivery_id: str,
    columns: Mapping[str, Sequence[Any]],
    lines: Sequence[int],
) -> Written:
    """Add a delivery's rows: a new key is revision 1, other values are the next one, the same values nothing.

    columns: every registry column as stored (decimals as whole numbers), one value a row; each key once.
    The caller holds the ingest lock and has written the delivery in the same transaction.
    """
    definition = _record_definition(table)
    names = [column.name for column in definition.columns]
    known = _known(connection, definition, columns)
    places = [_position(definition, name) for name in definition.key]
    fresh: list[dict[str, Any]] = []
    counts: Counter[str] = Counter()
    for line, *values in zip(lines, *(columns[name] for name in names), strict=True):
        before = known.get(tuple(values[place] for place in places))
        if before is None:
            outcome, revision = "new", 1
        elif list(before[:-1]) == values:
            counts["unchanged"] += 1
            continue
        else:
            outcome, revision = "revised", before[-1] + 1
        counts[outcome] += 1
        row = dict(zip(names, values, strict=True))
        fresh.append({**row, "revision": revision, "delivery_id": delivery_id, "line": line})
    if fresh:
        connection.execute(insert(RECORDS[table]), fresh)
    return Written(counts["new"], counts["revised"], counts["unchanged"])


def first_keys(connection: Connection, table: str) -> set[str]:
    """Every value of the first key column that any taken delivery brought (what references may point to)."""
    record = RECORDS[table]
    return set(connection.scalars(select(record.c[TABLES[table].key[0]]).distinct()))


def _record_definition(table: str) -> Table:
    if table not in RECORDS:
        raise KeyError(f"{table!r} is not a record table; there are: {', '.join(RECORDS)}.")
    return TABLES[table]


def _newest_revisions(
    connection: Connection, tables: Collection[str], first: date | None = None, after: date | None = None
) -> dict[str, int]:
    """By table, the highest revision of any of its rows, 0 where it has none.

    Most tables of a month are empty and most others were never revised: asking first spares ranking them.
    """
    highest = [
        select(literal(table).label("table_name"), func.max(RECORDS[table].c.revision).label("n")).where(
            *_within_keys(TABLES[table], first, after)
        )
        for table in tables
    ]
    found = connection.execute(union_all(*highest)).all() if highest else []
    newest = {row.table_name: row.n or 0 for row in found}
    return {table: newest[table] for table in tables}


def _within_keys(definition: Table, first: date | None, after: date | None) -> list[ColumnElement[bool]]:
    """The dates asked for, of a table in which all revisions of a row share its date."""
    within = _within(RECORDS[definition.name], first, after)
    return within if "date" in definition.key else []


def _read(
    home: Home,
    connection: Connection,
    definition: Table,
    revision: int,
    as_of: datetime | None,
    delivered: Collection[str] | None = None,
    first: date | None = None,
    after: date | None = None,
    holding: Mapping[str, Collection[str]] | None = None,
) -> pd.DataFrame:
    if not revision:
        return frame_of(definition, ())
    newest = _newest(home, definition, revision, as_of, delivered, first, after)
    if holding is not None:
        known = newest.subquery()
        held = (known.c[name].in_(sorted(values)) for name, values in holding.items())
        newest = select(known).where(or_(*held))
    return frame_of(definition, connection.execute(newest).partitions(STRETCH))


@dataclass(frozen=True)
class Changed:
    """One cell of a record that a later delivery revised, as text; ``row`` holds the newer record."""

    key: str
    column: str
    before: str
    after: str
    row: Mapping[str, Any]
    delivery_id: str
    file_name: str
    sender: str
    recorded_at: datetime


def changed_cells(home: Home, table: str) -> list[Changed]:
    """Every cell that a revision changed, by key and revision; what stood from the first is no change."""
    definition = _record_definition(table)
    record = RECORDS[table]
    names = [column.name for column in definition.columns]
    query = (
        select(
            *(record.c[name] for name in names),
            record.c.revision,
            Delivery.delivery_id,
            Delivery.file_name,
            Delivery.sender,
            Delivery.recorded_at,
        )
        .join(Delivery, Delivery.delivery_id == record.c.delivery_id)
        .order_by(*(record.c[name] for name in definition.key), record.c.revision)
    )
    with engine(home).connect() as connection:
        rows = connection.execute(query).all()
    columns = list(zip(*rows, strict=True))
    decoded = {
        column.name: list(series_of(column, values))
        for column, values in zip(definition.columns, columns, strict=False)
    }
    found = []
    for number, row in enumerate(rows):
        if row.revision == 1:
            continue
        now = {name: decoded[name][number] for name in names}
        found += [
            Changed(
                "/".join(str(now[name]) for name in definition.key),
                name,
                _text(decoded[name][number - 1]),
                _text(now[name]),
                now,
                row.delivery_id,
                row.file_name,
                row.sender,
                row.recorded_at,
            )
            for name in names
            if _text(decoded[name][number - 1]) != _text(now[name])
        ]
    return found


def _text(value: Any) -> str:
    return "" if value is None or pd.isna(value) else str(value)


def _position(definition: Table, name: str) -> int:
    return [column.name for column in definition.columns].index(name)


def _newest(
    home: Home,
    definition: Table,
    revision: int,
    as_of: datetime | None,
    delivered: Collection[str] | None,
    first: date | None,
    after: date | None,
) -> Select[Any]:
    """The newest visible revision of every key; revision: the highest there is, 1 where nothing was revised."""
    record = RECORDS[definition.name]
    delivered = delivered if home.sees is None else home.sees.of(definition.name, delivered)
    names = [*(column.name for column in definition.columns), "delivery_id", "line"]
    seen = (
        select(*(record.c[name] for name in names))
        .join(Delivery, Delivery.delivery_id == record.c.delivery_id)
        .where(visible(as_of, delivered))
    )
    if revision == 1:
        return seen.where(*_within(record, first, after))
    rank = func.row_number().over(
        partition_by=[record.c[name] for name in definition.key], order_by=record.c.revision.desc()
    )
    # A newer revision may have another date where that is no key: the date is looked at last.
    newest = seen.add_columns(rank.label("newest_first")).where(*_within_keys(definition, first, after))
    ranked = newest.subquery()
    query = select(*(ranked.c[name] for name in names)).where(ranked.c.newest_first == 1)
    return query.where(*_within(ranked, first, after))


def _within(rows: FromClause, first: date | None, after: date | None) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    if first is not None:
        conditions.append(rows.c["date"] >= first)
    if after is not None:
        conditions.append(rows.c["date"] < after)
    return conditions


def _known(
    connection: Connection, definition: Table, columns: Mapping[str, Sequence[Any]]
) -> dict[tuple[Any, ...], Row[Any]]:
    """The newest revision of every key the delivery could touch: registry columns, then the revision."""
    places = [_position(definition, name) for name in definition.key]
    known: dict[tuple[Any, ...], Row[Any]] = {}
    for query in _touching(definition, columns):
        for row in connection.execute(query):
            key = tuple(row[place] for place in places)
            if key not in known or known[key][-1] < row[-1]:
                known[key] = row
    return known


def _touching(definition: Table, columns: Mapping[str, Sequence[Any]]) -> Iterator[Select[Any]]:
    record = RECORDS[definition.name]
    query = select(*(record.c[column.name] for column in definition.columns), record.c.revision)
    if "date" in definition.key and len(columns["date"]) > 0:
        yield query.where(record.c.date.between(min(columns["date"]), max(columns["date"])))
        return
    first = definition.key[0]
    values = sorted(set(columns[first]))
    for start in range(0, len(values), KEYS_A_QUERY):
        yield query.where(record.c[first].in_(values[start : start + KEYS_A_QUERY]))
