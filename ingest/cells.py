"""The rows of a delivered file as columns of cells, before anything is interpreted."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ingest.faults import BadFileError, BadRow
from market.periods import TIME_ZONE

BLANKS = " \t\u3000\xa0"  # what may stand around a value without being part of it
CLOCK = re.compile(r"\d{1,2}:\d{2}(:00)?", re.ASCII)
DAY_OF_25_HOURS = 100
ONLY_BLANKS = r"^[ \t\x{3000}\x{a0}]*$"


@dataclass(frozen=True)
class Cells:
    """A file's rows. columns: arrays of one length, text unless the file has types. lines: (n,) int32.

    bad: rows that do not fit the header. binary: by column, True where the cell was a binary fraction, whose
    digits beyond a column's decimals mean nothing (XLSX; a Parquet float column is one by its type).
    """

    columns: dict[str, pa.Array]
    lines: NDArray[np.int32]
    bad: list[BadRow] = field(default_factory=list)
    binary: dict[str, NDArray[np.bool_]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.lines)

    def text(self, column: str, row: int) -> str:
        """One cell as text, for messages and the quarantine; empty for a null."""
        value = self.columns[column][row].as_py()
        return "" if value is None else str(value)

    def take(self, kept: NDArray[np.bool_]) -> Cells:
        """The rows where ``kept`` is True."""
        places = pa.array(np.flatnonzero(kept))
        return Cells(
            {name: array.take(places) for name, array in self.columns.items()},
            self.lines[kept],
            self.bad,
            {name: mask[kept] for name, mask in self.binary.items()},
        )

    def none(self) -> Cells:
        """No row, the same columns."""
        return self.take(np.zeros(len(self), dtype=np.bool_))


def concatenated(parts: Sequence[Cells]) -> Cells:
    """The rows of several batches of one file, in order; at least one batch."""
    if len(parts) == 1:
        return parts[0]
    first = parts[0]
    return Cells(
        {name: pa.concat_arrays([part.columns[name] for part in parts]) for name in first.columns},
        np.concatenate([part.lines for part in parts]),
        [bad for part in parts for bad in part.bad],
        {name: np.concatenate([part.binary[name] for part in parts]) for name in first.binary},
    )


def checked_header(names: list[Any], file: str) -> list[str]:
    """The column names without blanks around them. Raises BadFileError when one stands twice or is empty."""
    header = ["" if name is None else str(name).strip(BLANKS) for name in names]
    for place, name in enumerate(header, start=1):
        if not name:
            raise BadFileError(f"Column {place} of {file} has no name; name it or remove it.")
        if header.index(name) != place - 1:
            if sum(1 for one in header if CLOCK.fullmatch(one)) == DAY_OF_25_HOURS:
                raise BadFileError(
                    f"{file} has the 100 quarter-hours of a day on which clocks go back; {TIME_ZONE} has no such day. "
                    "Give the readings as long rows whose interval_start has its offset."
                )
            raise BadFileError(
                f"The column {name} stands {header.count(name)} times in {file}; keep one of them."
            )
    return header


def without_blank_rows(cells: Cells) -> Cells:
    """Leave out the rows in which no cell is filled."""
    filled = np.zeros(len(cells), dtype=np.bool_)
    for array in cells.columns.values():
        if filled.all():
            return cells
        filled |= ~is_blank(array)
    return cells if filled.all() else cells.take(filled)


def is_blank(array: pa.Array) -> NDArray[np.bool_]:
    """True where a cell is null or holds nothing but blanks."""
    blank = array.is_null()
    if pa.types.is_string(array.type):
        blank = pc.or_(blank, pc.fill_null(pc.match_substring_regex(array, ONLY_BLANKS), True))
    return as_mask(blank)


def as_mask(array: pa.Array) -> NDArray[np.bool_]:
    """An Arrow array of truth values as numpy; null counts as False."""
    return np.asarray(pc.fill_null(array, False).to_numpy(zero_copy_only=False), dtype=np.bool_)
