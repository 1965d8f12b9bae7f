"""The rows that were not taken, for the database and as a file that people can read, mend and deliver."""

from __future__ import annotations

import json
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import IO, Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv
from numpy.typing import NDArray

from ingest.cells import Cells
from ingest.csv_files import UTF8_MARK
from ingest.faults import Fault, Faults
from market.tables import Table

IN_MEMORY = 8 << 20
ENTRIES_A_TIME = 5_000


class Quarantined(NamedTuple):
    """One row in quarantine."""

    line: int
    fault: Fault
    content: dict[str, Any]


class Quarantine:
    """The rows of one delivery that are not taken, written while the file is read.

    The file under ``path`` is CSV for people: line, code, sentence, then the file's own columns; a row that has no
    columns of its own stands whole in the last one. Without the first three columns and that one it can be
    delivered. It comes to be with the first row.
    """

    def __init__(self, table: Table | None, path: Path) -> None:
        self._table = table
        self._path = path
        self._entries = tempfile.SpooledTemporaryFile(IN_MEMORY, "w+", encoding="utf-8")  # noqa: SIM115
        self._stream: IO[bytes] | None = None
        self.codes: Counter[str] = Counter()

    def __enter__(self) -> Quarantine:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._entries.close()
        if self._stream is not None:
            self._stream.close()

    def __len__(self) -> int:
        return self.codes.total()

    def add(self, cells: Cells, faults: Faults) -> None:
        """Put away the rows of ``cells`` that have a fault or do not fit the header."""
        entries = _quarantined(self._table, cells, faults) if self._table is not None else []
        if not entries:
            return
        self.codes.update(entry.fault.code for entry in entries)
        for entry in entries:
            self._entries.write(json.dumps([entry.line, *entry.fault[:2], entry.content]) + "\n")
        first = self._stream is None
        if self._stream is None:
            self._stream = self._path.open("wb")
            self._stream.write(UTF8_MARK)  # spreadsheets take a file without the mark for the local encoding
        pa_csv.write_csv(
            _readable(cells, faults, entries), self._stream, pa_csv.WriteOptions(include_header=first)
        )
        self._stream.flush()

    def entries(self) -> Iterator[list[Quarantined]]:
        """All rows, some thousands at a time, by line within what was added at once."""
        self._entries.seek(0)
        while lines := list(islice(self._entries, ENTRIES_A_TIME)):
            read = (json.loads(line) for line in lines)
            yield [Quarantined(line, Fault(code, said), content) for line, code, said, content in read]

    def counted(self) -> str:
        """``3 unknown_meter, 1 bad_number``, most frequent first, then by code."""
        ordered = sorted(self.codes.items(), key=lambda counted: (-counted[1], counted[0]))
        return ", ".join(f"{count} {code}" for code, count in ordered)


def _quarantined(table: Table, cells: Cells, faults: Faults) -> list[Quarantined]:
    """Every row that is not taken, by line, with its cells; of a curve its key and the faulty cell."""
    rows = np.flatnonzero(faults.bad)
    found = [faults.of(row) for row in rows.tolist()]
    whole = not table.is_curve
    names = [name for name in cells.columns if whole or name in _heads(table)]
    kept = {name: _texts(cells, name, rows) for name in names}
    result = [Quarantined(bad.line, bad.fault, bad.cells) for bad in cells.bad]
    for place, (row, fault) in enumerate(zip(rows.tolist(), found, strict=True)):
        content = {name: texts[place] for name, texts in kept.items()}
        if fault.column is not None and fault.column in cells.columns:
            content[fault.column] = cells.text(fault.column, row)
        result.append(Quarantined(int(cells.lines[row]), fault, content))
    return sorted(result, key=lambda entry: entry.line)


def _readable(cells: Cells, faults: Faults, entries: Sequence[Quarantined]) -> pa.Table:
    rows = np.flatnonzero(faults.bad)
    place_of_line = {int(line): place for place, line in enumerate(cells.lines[rows])}
    places = pa.array([place_of_line.get(entry.line) for entry in entries], pa.int64())
    columns: dict[str, pa.Array] = {
        "line": pa.array([entry.line for entry in entries], pa.int64()),
        "code": pa.array([entry.fault.code for entry in entries], pa.string()),
        "sentence": _harmless(pa.array([entry.fault.sentence for entry in entries], pa.string())),
    }
    for name in cells.columns:
        columns[f"{name}" if name not in columns else f"file {name}"] = _harmless(
            pa.array(_texts(cells, name, rows), pa.string()).take(places)
        )
    misfits = {bad.line: json.dumps(bad.cells, ensure_ascii=False) for bad in cells.bad}
    columns["row as it came"] = pa.array([misfits.get(entry.line) for entry in entries], pa.string())
    return pa.table(columns)


def _heads(table: Table) -> tuple[str, ...]:
    return (*(column.name for column in table.columns), "interval_start", "kwh", "minutes")


def _texts(cells: Cells, name: str, rows: NDArray[np.int64]) -> list[str]:
    values = cells.columns[name].take(pa.array(rows)).to_pylist()
    return ["" if value is None else str(value) for value in values]


def _harmless(texts: pa.StringArray) -> pa.StringArray:
    # A spreadsheet runs a cell that begins with = or @ as a formula.
    return pc.replace_substring_regex(texts, r"^([=@])", r"'\1")
