"""What is stored of a curve table between two dates: the visible files and their row groups, one a date.

What a reader sees is decided by the database: a Parquet file without its committed row does not exist.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import ExitStack
from datetime import date, datetime
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from sqlalchemy import select

from market.curves import MISSING
from market.money import IntArray
from market.periods import PERIODS
from market.tables import TABLES, Table
from warehouse.curve_files import groups_by_date, key_columns
from warehouse.curve_parts import File, Part, Source
from warehouse.deliveries import visible
from warehouse.home import Home, engine
from warehouse.models import CurveFile, Delivery


def curve_definition(table: str) -> Table:
    """A curve table by name. Raises KeyError for a table without curves."""
    if table not in TABLES or not TABLES[table].is_curve:
        known = ", ".join(name for name, known in TABLES.items() if known.is_curve)
        raise KeyError(f"{table!r} is not a curve table; there are: {known}.")
    return TABLES[table]


class Plan(NamedTuple):
    """What is visible between two dates; files stand by city, then delivery."""

    first: date
    after: date
    files: list[File]


def visible_files(
    home: Home,
    table: str,
    first: date,
    after: date,
    as_of: datetime | None,
    delivered: Collection[str] | None,
) -> Plan:
    """The files with rows between the dates that the home shows. as_of, delivered: as in ``curve_days``."""
    delivered = delivered if home.sees is None else home.sees.of(table, delivered)
    of_file = ("path", "city", "first_date", "last_date", "revised", "rows")
    columns = [getattr(CurveFile, name) for name in of_file]
    query = (
        select(Delivery.delivery_id, *columns)
        .join(Delivery, Delivery.delivery_id == CurveFile.delivery_id)
        .where(visible(as_of, delivered), CurveFile.table_name == table)
        .where(CurveFile.last_date >= first, CurveFile.first_date < after)
        .order_by(Delivery.recorded_at, Delivery.delivery_id)
    )
    with engine(home).connect() as connection:
        rows = connection.execute(query).all()
    files = [
        File(row.path, row.delivery_id, age, row.city, row.first_date, row.last_date, row.revised, row.rows)
        for age, row in enumerate(rows)
        if home.partitions is None or row.city in home.partitions
    ]
    return Plan(first, after, sorted(files, key=lambda file: (file.city, file.delivery_id)))


class RowGroups:
    """The open Parquet files of one reading, several readers each, and which row group holds which date."""

    def __init__(self, home: Home, definition: Table, stack: ExitStack, readers: int = 1) -> None:
        self._readers = readers
        self._home = home
        self._keys = key_columns(definition)
        self._stack = stack
        self._files: dict[str, tuple[list[Any], dict[date, int]]] = {}

    def group(self, file: File, day: date) -> int | None:
        """The row group of a date in a file, or None; days are asked for in order."""
        if not file.first_date <= day <= file.last_date:
            if (day - file.last_date).days >= self._readers and file.path in self._files:
                for reader in self._files.pop(file.path)[0]:
                    reader.close()
            return None
        if file.path not in self._files:
            path = self._home.curves / file.path
            first = self._stack.enter_context(pq.ParquetFile(path))
            more = [pq.ParquetFile(path, metadata=first.metadata) for _ in range(1, self._readers)]
            readers = [first, *(self._stack.enter_context(reader) for reader in more)]
            self._files[file.path] = (readers, groups_by_date(first.metadata))
        return self._files[file.path][1].get(day)

    def read(self, file: File, group: int, reader: int, wanted: Sequence[str]) -> Part:
        """Decode one row group; the values are a view of what Arrow decoded where none is missing."""
        opened = self._files[file.path][0][reader]
        read = opened.read_row_group(group, columns=list(wanted), use_threads=False)
        return self._part(Source(self._home, file, group, read.num_rows), read)

    def batches(self, file: File, group: int, wanted: Sequence[str], rows: int) -> Iterator[Part]:
        """One row group by the first reader, in one part where it has at most ``rows``, else in parts of as many."""
        opened = self._files[file.path][0][0]
        if opened.metadata.row_group(group).num_rows <= rows:
            yield self.read(file, group, 0, wanted)
            return
        start, how = 0, {"row_groups": [group], "columns": list(wanted), "use_threads": False}
        # A file that was read by batches holds on to what it decoded last, so it is opened for this alone.
        with pq.ParquetFile(self._home.curves / file.path, metadata=opened.metadata) as once:
            for batch in once.iter_batches(rows, **how):
                places = np.arange(start, start + batch.num_rows)
                start += batch.num_rows
                table = pa.Table.from_batches([batch])
                yield self._part(Source(self._home, file, group, len(places), places), table)

    def _part(self, source: Source, read: pa.Table) -> Part:
        values, has_missing = np.empty((0, PERIODS), dtype=np.int64), False
        if "values" in read.column_names:
            values, has_missing = _array(read["values"])
        return Part(
            source,
            [joined(read[name]) for name in self._keys],
            joined(read["quality"]) if "quality" in read.column_names else None,
            values,
            has_missing,
        )


def joined(column: pa.ChunkedArray) -> Any:
    """A column in one piece, copied only where it is in several."""
    return column.chunk(0) if column.num_chunks == 1 else pa.concat_arrays(column.chunks)


def _array(column: pa.ChunkedArray) -> tuple[IntArray, bool]:
    flat = joined(column).flatten()
    has_missing = flat.null_count > 0
    whole = flat.fill_null(MISSING) if has_missing else flat
    return whole.to_numpy(zero_copy_only=True).reshape(-1, PERIODS), has_missing
