"""The Parquet files of curve tables: one a delivery, month and city; one row group a date; written once.

Columns: the key columns but ``date`` (text), ``date``, ``quality`` where the table has it, ``line`` (in the
delivered file), ``values`` (96 whole numbers of 10**-curve_decimals of the unit; null is a missing value).
Rows stand by date, then key.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from hashlib import sha256
from itertools import pairwise
from pathlib import Path
from types import TracebackType
from typing import IO, Any
from urllib.parse import quote

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from market.curves import MISSING
from market.money import IntArray
from market.periods import PERIODS
from market.tables import TABLES, Table
from warehouse.file_hash import file_sha256
from warehouse.home import Home
from warehouse.models import CurveFile

EPOCH = date(1970, 1, 1)
LONGEST_FOLDER = 200  # bytes; a file system takes 255 for a name
PROVINCE = "province"  # the partition of rows that belong to no city
VALUES_TYPE = pa.list_(pa.field("element", pa.int64()), PERIODS)


@dataclass(frozen=True)
class CurveRows:
    """Rows of one curve table in memory.

    keys: text arrays (n,) by name, without ``date``. days: (n,) days since 1970-01-01. quality: text (n,) or
    None. values: (n, 96), MISSING where missing. lines: (n,) lines of the delivered file.
    """

    keys: dict[str, pa.StringArray]
    days: NDArray[np.int32]
    quality: pa.StringArray | None
    values: IntArray
    lines: NDArray[np.int32]

    def __len__(self) -> int:
        return len(self.days)

    def take(self, rows: NDArray[Any]) -> CurveRows:
        """The rows at these places, in this order."""
        places = pa.array(rows)
        return CurveRows(
            {name: array.take(places) for name, array in self.keys.items()},
            self.days[rows],
            None if self.quality is None else self.quality.take(places),
            self.values[rows],
            self.lines[rows],
        )


def key_columns(table: Table) -> tuple[str, ...]:
    """The key columns of a curve table without its date."""
    return tuple(name for name in table.key if name != "date")


def has_quality(table: Table) -> bool:
    """True when the table's rows carry a reading quality."""
    return any(column.name == "quality" for column in table.columns)


def schema(table: Table) -> pa.Schema:
    """The columns of the table's Parquet files."""
    quality = [pa.field("quality", pa.string(), nullable=False)] if has_quality(table) else []
    return pa.schema(
        [
            *(pa.field(name, pa.string(), nullable=False) for name in key_columns(table)),
            pa.field("date", pa.date32(), nullable=False),
            *quality,
            pa.field("line", pa.int32(), nullable=False),
            pa.field("values", VALUES_TYPE, nullable=False),
        ]
    )


def relative_path(table: str, month: str, city: str, delivery_id: str) -> str:
    """Where a delivery's rows of one month and city stand under ``curves``."""
    folder = quote(city, safe="", encoding="utf-8") if _is_awkward(city) else city
    if len(folder.encode()) > LONGEST_FOLDER:
        folder = sha256(city.encode()).hexdigest()
    return f"{table}/month={month}/city={folder}/{delivery_id[:16]}.parquet"


def write_curves(
    home: Home,
    table: str,
    delivery_id: str,
    rows: CurveRows,
    cities: pa.StringArray,
    revised: NDArray[np.bool_],
) -> list[CurveFile]:
    """Write a delivery's rows and return what to record about the files; unseen until that is committed.

    cities: text (n,), the partition of each row. revised: (n,), True where an earlier delivery has the row's
    key and date. Each key and date stands once. A file is complete when it gets its name.
    """
    with CurveWriter(home, table, delivery_id) as writer:
        writer.write(rows, cities, revised)
        return writer.close()


@dataclass
class _Writing:
    """A file that is being written: one month and city of a delivery."""

    entry: CurveFile
    path: Path
    stream: IO[bytes]
    writer: Any


class CurveWriter:
    """Writes a delivery's rows stretch by stretch, each of later days than those before.

    Every (month, city) is one file; it gets its name when it is complete. Leaving the block before ``close``
    removes what was written.
    """

    def __init__(self, home: Home, table: str, delivery_id: str) -> None:
        self._home = home
        self._table = TABLES[table]
        self._delivery_id = delivery_id
        self._open: dict[tuple[str, str], _Writing] = {}
        self._done: list[_Writing] = []
        self._closed = False

    def __enter__(self) -> CurveWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._closed:
            return
        for one in self._open.values():
            one.writer.close()
            one.stream.close()
            _unfinished(one.path).unlink(missing_ok=True)
        for one in self._done:
            one.path.unlink(missing_ok=True)

    def write(self, rows: CurveRows, cities: pa.StringArray, revised: NDArray[np.bool_]) -> None:
        """Add rows; the arguments are those of ``write_curves``."""
        codes, names = ranked(cities)
        last_first: list[NDArray[Any]] = [ranked(rows.keys[name])[0] for name in reversed(rows.keys)]
        order = np.lexsort([*last_first, rows.days, codes])
        months = _months(rows.days[order])
        for start, end in runs(codes[order], months):
            places = order[start:end]
            one = self._of(str(months[start]), names[codes[order[start]]], day_of(rows.days[places[0]]))
            for first, last in runs(rows.days[places]):
                part = rows.take(places[first:last])
                one.writer.write_table(_arrow(self._table, part), row_group_size=last - first)
            one.entry.rows += end - start
            one.entry.revised += int(revised[places].sum())
            one.entry.last_date = day_of(rows.days[places[-1]])
        if len(months):
            self._finish(str(months.max()))

    def close(self) -> list[CurveFile]:
        """Complete every file and return what to record about them; unseen until that is committed."""
        self._finish(None)
        self._closed = True
        return [one.entry for one in self._done]

    def _of(self, month: str, city: str, day: date) -> _Writing:
        if (month, city) not in self._open:
            name = relative_path(self._table.name, month, city, self._delivery_id)
            path = self._home.curves / name
            path.parent.mkdir(parents=True, exist_ok=True)
            entry = CurveFile(
                path=name,
                delivery_id=self._delivery_id,
                table_name=self._table.name,
                month=month,
                city=city,
                rows=0,
                revised=0,
                first_date=day,
                last_date=day,
            )
            stream = _unfinished(path).open("wb")
            writer = pq.ParquetWriter(stream, schema(self._table), compression="zstd")
            self._open[month, city] = _Writing(entry, path, stream, writer)
        return self._open[month, city]

    def _finish(self, month_now: str | None) -> None:
        for key in [key for key in self._open if month_now is None or key[0] < month_now]:
            one = self._open.pop(key)
            one.writer.close()
            one.stream.flush()
            os.fsync(one.stream.fileno())
            one.stream.close()
            one.entry.sha256 = file_sha256(_unfinished(one.path))
            _unfinished(one.path).replace(one.path)
            self._done.append(one)


def _unfinished(path: Path) -> Path:
    return path.with_name(f".{path.stem}.part")


def dates_in(home: Home, path: str) -> list[date]:
    """The days a curve file has rows of, in order, from its footer alone."""
    with pq.ParquetFile(home.curves / path) as opened:
        return sorted(groups_by_date(opened.metadata))


def groups_by_date(metadata: pq.FileMetaData) -> dict[date, int]:
    """Which row group holds which date."""
    place = metadata.schema.to_arrow_schema().get_field_index("date")
    found = {}
    for group in range(metadata.num_row_groups):
        smallest = metadata.row_group(group).column(place).statistics.min
        found[smallest if isinstance(smallest, date) else day_of(smallest)] = group
    return found


def day_of(number: int) -> date:
    """A day by its number since 1970-01-01."""
    return EPOCH + timedelta(days=int(number))


def number_of(day: date) -> int:
    """The number of a day since 1970-01-01."""
    return (day - EPOCH).days


def ranked(texts: pa.StringArray) -> tuple[NDArray[np.int64], list[str]]:
    """Each text as its place in the sorted list of distinct texts, and that list."""
    coded = pc.dictionary_encode(texts)
    distinct: list[str] = coded.dictionary.to_pylist()
    order = sorted(range(len(distinct)), key=distinct.__getitem__)
    rank = np.empty(len(distinct), dtype=np.int64)
    rank[order] = np.arange(len(distinct))
    return rank[coded.indices.to_numpy()], [distinct[place] for place in order]


def runs(*columns: NDArray[Any]) -> Iterator[tuple[int, int]]:
    """``(start, end)`` of every stretch of rows over which all columns stay the same."""
    size = len(columns[0])
    changes = np.zeros(max(size - 1, 0), dtype=np.bool_)
    for column in columns:
        changes |= column[1:] != column[:-1]
    bounds = [0, *(np.flatnonzero(changes) + 1).tolist(), size] if size else []
    yield from pairwise(bounds)


def _arrow(table: Table, rows: CurveRows) -> pa.Table:
    flat = np.ascontiguousarray(rows.values).reshape(-1)
    gaps = flat == MISSING
    elements = pa.array(flat, mask=gaps) if gaps.any() else pa.array(flat)
    columns = [
        *rows.keys.values(),
        pa.array(rows.days).view(pa.date32()),
        *([] if rows.quality is None else [rows.quality]),
        pa.array(rows.lines),
        pa.FixedSizeListArray.from_arrays(elements, type=VALUES_TYPE),
    ]
    return pa.table(columns, schema=schema(table))


def _months(days: NDArray[np.int32]) -> NDArray[np.datetime64]:
    return days.astype("datetime64[D]").astype("datetime64[M]")


def _is_awkward(city: str) -> bool:
    return city.startswith(".") or any(letter in '/\\:*?"<>|%=' or ord(letter) < 32 for letter in city)
