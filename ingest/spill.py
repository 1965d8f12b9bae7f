"""The rows of a delivered curve file by day: in memory while they are few, else in a file without a name.

A file may bring its rows in any order, and the warehouse keeps them by day. What is read back is a stretch of
whole days at a time, so memory grows with the rows of a day and not with the file. The file has no name, so a
killed process leaves nothing behind.
"""

from __future__ import annotations

import tempfile
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import IO, NamedTuple

import numpy as np
import pyarrow as pa

from ingest.cells import Cells, concatenated
from market.money import IntArray

IN_MEMORY = 32 << 20  # bytes of cells before anything goes to disk, and read back at a time
NO_DAY = -1  # rows whose day cannot be read; they wait in quarantine one batch at a time
LINE, BINARY = (
    "\x00line",
    "\x00binary ",
)  # no column of a file is called so: its blanks and controls are refused


class _Piece(NamedTuple):
    """Where rows of one day stand in the file."""

    start: int
    size: int


class Spill:
    """``add`` every batch, then read ``stretches`` once."""

    def __init__(self, folder: Path, most: int = IN_MEMORY) -> None:
        self._folder = folder
        self._most = most
        self._held: list[tuple[IntArray, Cells]] = []
        self._size = 0
        self._file: IO[bytes] | None = None
        self._schema: pa.Schema | None = None
        self._pieces: dict[int, list[_Piece]] = defaultdict(list)
        self._end = 0

    def __enter__(self) -> Spill:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file is not None:
            self._file.close()

    def add(self, days: IntArray, cells: Cells) -> None:
        """Keep a batch. days: (n,) the day of each row since 1970-01-01, or NO_DAY."""
        self._held.append((days, cells))
        self._size += sum(array.nbytes for array in cells.columns.values())
        if self._size > self._most:
            self._write()

    def stretches(self) -> Iterator[Cells]:
        """The rows by stretches of whole days in order; all at once, in their own order, while they are few."""
        if self._file is None:
            if self._held:
                yield concatenated([cells for _, cells in self._held])
            return
        self._write()
        pieces: list[_Piece] = []
        for day in sorted(self._pieces):
            for piece in self._pieces[day]:
                pieces.append(piece)
                if day == NO_DAY:
                    yield self._read(pieces)
                    pieces = []
            if sum(piece.size for piece in pieces) > self._most // 2:
                yield self._read(pieces)
                pieces = []
        if pieces:
            yield self._read(pieces)

    def _write(self) -> None:
        if not self._held:
            return
        days = np.concatenate([days for days, _ in self._held])
        batch = _batch(concatenated([cells for _, cells in self._held]))
        self._held, self._size = [], 0
        if self._file is None:
            self._file = tempfile.TemporaryFile(dir=self._folder)  # noqa: SIM115  closed in __exit__
            self._schema = batch.schema
        if (np.diff(days) < 0).any():
            order = np.argsort(days, kind="stable")
            days, batch = days[order], batch.take(pa.array(order))
        self._file.seek(self._end)
        bounds = np.flatnonzero(np.diff(days, prepend=days[:1] - 1, append=days[-1:] + 1))
        for start, end in zip(bounds[:-1].tolist(), bounds[1:].tolist(), strict=True):
            data = batch.slice(start, end - start).serialize()
            self._file.write(data)
            self._pieces[int(days[start])].append(_Piece(self._end, data.size))
            self._end += data.size

    def _read(self, pieces: list[_Piece]) -> Cells:
        assert self._file is not None  # noqa: S101  pieces stand in it
        read = []
        for piece in pieces:
            self._file.seek(piece.start)
            read.append(pa.ipc.read_record_batch(pa.py_buffer(self._file.read(piece.size)), self._schema))
        return concatenated([_cells(batch) for batch in read])


def _batch(cells: Cells) -> pa.RecordBatch:
    columns = dict(cells.columns)
    columns |= {f"{BINARY}{name}": pa.array(mask) for name, mask in cells.binary.items()}
    columns[LINE] = pa.array(cells.lines)
    return pa.RecordBatch.from_pydict(columns)


def _cells(batch: pa.RecordBatch) -> Cells:
    columns = {name: batch.column(place) for place, name in enumerate(batch.schema.names)}
    lines = columns.pop(LINE).to_numpy()
    binary = {
        name.removeprefix(BINARY): columns.pop(name).to_numpy(zero_copy_only=False)
        for name in list(columns)
        if name.startswith(BINARY)
    }
    return Cells(columns, lines, [], binary)
