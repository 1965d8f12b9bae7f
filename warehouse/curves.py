"""Reading curves: day by day, the newest delivery of every key known at a moment, without copying.

What a reader sees is decided by the database: a Parquet file without its committed row does not exist.
Files whose rows never stood in an earlier delivery are read as they are; only days that a revision touches
are merged by key.
"""

from __future__ import annotations

import os
from collections import Counter, deque
from collections.abc import Collection, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from market.money import IntArray
from market.periods import PERIODS
from market.tables import Table
from warehouse.curve_files import groups_by_date, has_quality, key_columns
from warehouse.curve_groups import Plan, RowGroups, curve_definition, joined, visible_files
from warehouse.curve_parts import BoolArray, File, Part, Piece, Source, heard, newest_win, speaks
from warehouse.deliveries import Input
from warehouse.home import Home, engine
from warehouse.records import inputs_of

THREADS = min(4, os.cpu_count() or 1)
AHEAD = 2  # days being read while one is worked on


@dataclass(frozen=True)
class CurveDay:
    """One table on one date, or a block of its rows (``warehouse.curve_blocks``).

    keys: text arrays (n,) by name, without ``date``; the very same objects as on the day before when nothing
    changed, so that work on keys can be kept by identity. values: int64 (n, 96) in 10**-curve_decimals of the
    table's unit, MISSING where missing, read-only. quality: text (n,) or None. Rows stand by city, then
    delivery, then key: the order depends on the files alone, not on when they came.
    """

    date: date
    keys: dict[str, pa.StringArray]
    values: IntArray
    has_missing: bool
    quality: pa.StringArray | None
    _sources: tuple[Source, ...] = field(repr=False)
    _pieces: Mapping[int, tuple[Piece, ...]] = field(default_factory=dict, repr=False)
    _said: pa.StringArray | None = field(default=None, repr=False)

    def delivery(self, row: int) -> str:
        """The delivery that brought a row, the newest of several."""
        return self._source(row)[0].file.delivery_id

    def brought(self, row: int) -> list[tuple[str, BoolArray]]:
        """The deliveries that made a row together, the newest first, and the (96,) quarter-hours each brought."""
        if row in self._pieces:
            return [(piece.source.file.delivery_id, piece.periods) for piece in self._pieces[row]]
        said = None if self._said is None else self._said.slice(row, 1)
        return [(self.delivery(row), speaks(self.values[row : row + 1], said)[0])]

    def line(self, row: int) -> int:
        """The line of a row in the delivered file, of the newest of several (read on demand)."""
        return self.lines([row])[0]

    def lines(self, rows: Sequence[int]) -> list[int]:
        """The lines of several rows, each file read once."""
        return [found[0][1] for found in self.origins(rows)]

    def origins(self, rows: Sequence[int]) -> list[list[tuple[str, int]]]:
        """By row, delivery and line of everything that made it, the newest first; each file is read once."""
        places = [
            [(piece.source, piece.place) for piece in self._pieces[row]]
            if row in self._pieces
            else [self._source(row)]
            for row in rows
        ]
        wanted: dict[int, tuple[Source, dict[int, int]]] = {}
        for source, place in (one for of_row in places for one in of_row):
            wanted.setdefault(id(source), (source, {}))[1][place] = 0
        for source, lines in wanted.values():
            lines.update(zip(lines, source.lines(list(lines)), strict=True))
        return [
            [(source.file.delivery_id, wanted[id(source)][1][place]) for source, place in of_row]
            for of_row in places
        ]

    def city(self, row: int) -> str:
        """The city partition a row stands in."""
        return self._source(row)[0].file.city

    def _source(self, row: int) -> tuple[Source, int]:
        if row in self._pieces:
            newest = self._pieces[row][0]
            return newest.source, newest.place
        place = row
        for source in self._sources:
            if 0 <= place < source.rows:
                return source, place
            place -= source.rows
        raise IndexError(f"Row {row} does not exist; {self.date} has the rows 0 to {len(self.values) - 1}.")


class Stands(NamedTuple):
    """Where rows stand: the deliveries that brought them, oldest first, and the city partitions."""

    deliveries: tuple[str, ...]
    partitions: frozenset[str]


def curve_days(
    home: Home,
    table: str,
    first: date,
    after: date,
    *,
    as_of: datetime | None = None,
    delivered: Collection[str] | None = None,
    city: str | None = None,
) -> Iterator[CurveDay]:
    """The days of a curve table from ``first`` to before ``after``, in order; a day without rows is left out.

    The newest delivery (recorded_at, then id) wins per key and date, of readings per quarter-hour. as_of: a moment with its zone, None for
    now. delivered: only these delivery ids, None for all. city: only the rows of this partition. At most three
    days are in memory besides what the caller keeps. Raises KeyError for a table without curves.
    """
    definition = curve_definition(table)
    wanted = [*key_columns(definition), *(["quality"] if has_quality(definition) else []), "values"]
    last: dict[str, pa.StringArray] = {}
    for day, parts in _days(
        home, definition, visible_files(home, table, first, after, as_of, delivered), wanted, city
    ):
        if parts:
            curve_day = assembled(definition, day, parts, last)
            last = curve_day.keys
            yield curve_day


def curve_inputs(
    home: Home,
    table: str,
    first: date,
    after: date,
    as_of: datetime | None = None,
    *,
    delivered: Collection[str] | None = None,
) -> list[Input]:
    """The deliveries that brought at least one row of ``curve_days`` with the same arguments, by id."""
    definition = curve_definition(table)
    rows: Counter[str] = Counter()
    files = visible_files(home, table, first, after, as_of, delivered)
    if not any(file.revised for file in files.files):
        for file in files.files:
            rows[file.delivery_id] += _rows_between(home, file, first, after)
    else:
        wanted = list(key_columns(definition))
        if has_quality(definition):
            wanted += ["quality", "values"]  # they tell which deliveries show through
        for _, parts in _days(home, definition, files, wanted, None):
            for part in parts:
                rows[part.source.file.delivery_id] += part.source.rows - len(part.pieces)
                rows.update(
                    piece.source.file.delivery_id for pieces in part.pieces.values() for piece in pieces
                )
    with engine(home).connect() as connection:
        return inputs_of(connection, +rows)


def _rows_between(home: Home, file: File, first: date, after: date) -> int:
    """Rows of a file that no other file revises; the footer is read only where it reaches beyond the dates."""
    if first <= file.first_date and file.last_date < after:
        return file.rows
    metadata = pq.read_metadata(home.curves / file.path)
    groups = groups_by_date(metadata).items()
    return sum(metadata.row_group(group).num_rows for day, group in groups if first <= day < after)


def deliveries_of(
    home: Home,
    table: str,
    first: date,
    after: date,
    key: str,
    groups: Mapping[str, str],
    as_of: datetime | None = None,
) -> dict[str, Stands]:
    """By group, where rows of it stand in files that reach between the dates, whether they still count or not.

    groups: by value of the key column ``key``, its group; rows of other keys are left out. With the rows of one
    group nothing can have changed while these deliveries are the same.
    """
    curve_definition(table)
    names = sorted(set(groups.values()))
    known = pa.array(list(groups), pa.string())
    group_of = np.array([names.index(groups[one]) for one in groups], dtype=np.int64)
    ages: dict[str, dict[str, int]] = {name: {} for name in names}
    cities: dict[str, set[str]] = {name: set() for name in names}
    for file in visible_files(home, table, first, after, as_of, None).files:
        with pq.ParquetFile(home.curves / file.path, read_dictionary=[key]) as opened:
            keys = joined(opened.read(columns=[key])[key].unify_dictionaries()).dictionary
        places = pc.index_in(keys, known).drop_null().to_numpy(zero_copy_only=False)
        for number in np.unique(group_of[places]).tolist():
            ages[names[number]][file.delivery_id] = file.age
            cities[names[number]].add(file.city)
    return {
        name: Stands(tuple(sorted(ages[name], key=ages[name].__getitem__)), frozenset(cities[name]))
        for name in names
    }


def _days(
    home: Home,
    definition: Table,
    plan: Plan,
    wanted: Sequence[str],
    city: str | None,
) -> Iterator[tuple[date, list[Part]]]:
    """Every day that has rows, with its parts after the newest has won; the next days are read meanwhile."""
    # A revision may have moved a row to another city, so with revisions every city has to be looked at.
    whole = city is None or any(file.revised for file in plan.files)
    files = plan.files if whole else [file for file in plan.files if file.city == city]
    with ExitStack() as stack, ThreadPoolExecutor(THREADS, "curves") as threads:
        opened = RowGroups(home, definition, stack, AHEAD)
        coming: deque[_Coming] = deque()
        for number, day in enumerate(_dates(plan, files)):
            # A reader serves one thread at a time: the day it read last is complete before it gets another.
            done = coming.popleft() if len(coming) == AHEAD else None
            parts = done.parts() if done else []
            groups = [(file, group) for file in files if (group := opened.group(file, day)) is not None]
            asked = [threads.submit(opened.read, *found, number % AHEAD, wanted) for found in groups]
            coming.append(_Coming(day, asked))
            if done:
                yield done.day, _visible_parts(parts, city)
        for rest in coming:
            yield rest.day, _visible_parts(rest.parts(), city)


class _Coming(NamedTuple):
    """A day that is being read."""

    day: date
    asked: list[Future[Part]]

    def parts(self) -> list[Part]:
        return [part.result() for part in self.asked]


def _dates(plan: Plan, files: Sequence[File]) -> Iterator[date]:
    if not files:
        return
    day = max(plan.first, min(file.first_date for file in files))
    end = min(plan.after, max(file.last_date for file in files) + timedelta(days=1))
    while day < end:
        yield day
        day += timedelta(days=1)


def _visible_parts(read: list[Part], city: str | None) -> list[Part]:
    parts = newest_win(read) if any(part.source.file.revised for part in read) else read
    return [part for part in parts if part.source.rows and city in (None, part.source.file.city)]


def assembled(
    definition: Table, day: date, parts: Sequence[Part], last: dict[str, pa.StringArray]
) -> CurveDay:
    """Parts of one date as one, with the keys of ``last`` where they are the same."""
    names = key_columns(definition)
    arrays = {
        name: pa.concat_arrays([part.keys[place] for part in parts]) for place, name in enumerate(names)
    }
    keys = last if last and all(last[name].equals(arrays[name]) for name in names) else arrays
    said = pa.concat_arrays([part.quality for part in parts]) if has_quality(definition) else None
    quality = None if said is None else heard(said)
    values = parts[0].values if len(parts) == 1 else _stacked([part.values for part in parts])
    values.flags.writeable = False
    sources = tuple(part.source for part in parts)
    starts = np.cumsum([0, *(source.rows for source in sources)]).tolist()
    pieces = {
        start + row: made
        for start, part in zip(starts, parts, strict=False)
        for row, made in part.pieces.items()
    }
    return CurveDay(
        day, keys, values, any(part.has_missing for part in parts), quality, sources, pieces, said
    )


def _stacked(blocks: Sequence[IntArray]) -> IntArray:
    # Arrow's pool hands the memory of the day before back; numpy would ask the system for fresh pages each day.
    rows = sum(len(block) for block in blocks)
    memory = pa.allocate_buffer(rows * PERIODS * 8)
    stacked = np.frombuffer(memory, dtype=np.int64).reshape(rows, PERIODS)
    return np.concatenate(blocks, out=stacked)
