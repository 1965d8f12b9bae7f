"""CSV: which encoding, which line a row stands on, which rows do not fit the header.

Where every line is a row, the columns are cut by Arrow. Where a cell holds a line break, or quotation marks do
not pair, Python's csv module reads, which knows the line each row began on.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv
from numpy.typing import NDArray

from ingest.cells import BLANKS, Cells, checked_header
from ingest.faults import BadFileError, BadRow, Fault

UTF8_MARK = b"\xef\xbb\xbf"
UTF16_MARKS = (b"\xff\xfe", b"\xfe\xff")
ROWS_A_BATCH = 20_000
BLOCK = 1 << 20
NEWLINE, RETURN, QUOTE, COMMA = b'\n\r",'


def read_csv(path: Path) -> Cells:
    """Read a CSV file. Raises BadFileError for an unknown encoding, a bad header or an open quotation mark."""
    data = as_utf8(path.read_bytes(), path.name)
    shape = None if data.count(b"\r") != data.count(b"\r\n") else _shape(data)
    if shape is None:
        return _read_irregular(data.decode(), path.name)
    return _read_regular(data, shape, path.name)


def as_utf8(data: bytes, file: str) -> bytes:
    """The bytes as UTF-8 without mark. Raises BadFileError when they are neither UTF-8 nor GB18030 text."""
    if data.startswith(UTF16_MARKS) or b"\0" in data:
        raise BadFileError(f"{file} is not a text file in UTF-8 or GB18030; save it as CSV UTF-8.")
    body = data.removeprefix(UTF8_MARK)
    try:
        body.decode("utf-8")
    except UnicodeDecodeError as not_utf8:
        if data.startswith(UTF8_MARK):
            place = not_utf8.start + len(UTF8_MARK) + 1
            raise BadFileError(
                f"{file} begins with the mark of UTF-8 but its byte {place} is not UTF-8; save it again."
            ) from not_utf8
    else:
        return body
    try:
        text = body.decode("gb18030")
    except UnicodeDecodeError as not_chinese:
        raise BadFileError(
            f"{file} is neither UTF-8 nor GB18030: byte {not_chinese.start + 1} fits neither; save it as CSV UTF-8."
        ) from not_chinese
    if any("\ue000" <= letter <= "\uf8ff" for letter in set(text)):
        raise BadFileError(
            f"{file} is not UTF-8, and read as GB18030 it has letters that no text uses; save it as CSV UTF-8."
        )
    return text.encode("utf-8")


class _Shape(NamedTuple):
    """By line: where it starts, how many cells it has, whether it holds anything."""

    starts: NDArray[np.int64]
    cells: NDArray[np.int64]
    filled: NDArray[np.bool_]


def _shape(data: bytes) -> _Shape | None:
    """The lines of a file in which every line is a row; None when a quotation mark makes that doubtful."""
    letters = np.frombuffer(data, dtype=np.uint8)
    quotes = np.flatnonzero(letters == QUOTE)
    newlines = np.flatnonzero(letters == NEWLINE)
    if not _pairs(letters, quotes) or _inside(newlines, quotes).any():
        return None
    starts = np.concatenate([np.zeros(1, dtype=np.int64), newlines + 1])
    starts = starts[:-1] if starts[-1] == len(data) else starts
    ends = np.append(starts[1:], len(data))
    commas = np.flatnonzero(letters == COMMA)
    commas = commas[~_inside(commas, quotes)] if len(quotes) else commas
    bounds = np.searchsorted(commas, np.append(starts, len(data)))
    broken = letters[ends - 1] == NEWLINE
    returned = broken & (ends - starts >= 2) & (letters[np.maximum(ends - 2, 0)] == RETURN)
    return _Shape(starts, np.diff(bounds) + 1, ends - starts > broken.astype(np.int64) + returned)


def _pairs(letters: NDArray[np.uint8], quotes: NDArray[np.int64]) -> bool:
    """Every odd mark opens a cell and every even one closes it, or the two stand for one inside a cell."""
    if len(quotes) % 2:
        return False
    opening, closing = quotes[::2], quotes[1::2]
    before = letters[opening[opening > 0] - 1]
    behind = letters[closing[closing < len(letters) - 1] + 1]
    return bool(
        np.isin(before, (COMMA, NEWLINE, QUOTE)).all()
        and np.isin(behind, (COMMA, NEWLINE, RETURN, QUOTE)).all()
    )


def _inside(places: NDArray[np.int64], quotes: NDArray[np.int64]) -> NDArray[np.bool_]:
    return np.asarray(np.searchsorted(quotes, places) % 2 == 1)


def _read_regular(data: bytes, shape: _Shape, file: str) -> Cells:
    first, _, _ = data.partition(b"\n")
    header = checked_header(next(csv.reader([first.decode().rstrip("\r")]), []), file)
    fits = shape.filled & (shape.cells == len(header))
    misfits = np.flatnonzero(shape.filled & ~fits)
    fits[0] = False  # the header itself
    longest = int(np.diff(shape.starts, append=len(data)).max())
    table = pa_csv.read_csv(
        pa.BufferReader(data),
        pa_csv.ReadOptions(column_names=header, skip_rows=1, block_size=max(BLOCK, 2 * longest)),
        pa_csv.ParseOptions(invalid_row_handler=lambda _: "skip"),
        pa_csv.ConvertOptions(column_types=dict.fromkeys(header, pa.string()), strings_can_be_null=False),
    )
    if table.num_rows != int(fits.sum()):
        return _read_irregular(data.decode(), file)
    return Cells(
        {name: table[name].combine_chunks() for name in header},
        (np.flatnonzero(fits) + 1).astype(np.int32),
        _misfits(data, misfits.tolist(), len(header)),
    )


def _misfits(data: bytes, places: list[int], width: int) -> list[BadRow]:
    lines = data.split(b"\n") if places else []
    rows = csv.reader(lines[place].decode().rstrip("\r") for place in places)
    return [_misfit(place + 1, row, width) for place, row in zip(places, rows, strict=True)]


def _misfit(line: int, row: list[str], width: int) -> BadRow:
    sentence = f"The row has {len(row)} cells, the header has {width}; give the row one cell a column."
    return BadRow(line, Fault("wrong_cell_count", sentence), {"cells": row})


def _read_irregular(text: str, file: str) -> Cells:
    bad: list[BadRow] = []
    lines: list[int] = []
    batches: list[list[pa.Array]] = []
    rows: list[list[str]] = []
    records = _records(text, file, bad)
    header = checked_header(next(records)[1], file)
    for line, row in records:
        if not any(cell.strip(BLANKS) for cell in row):
            continue
        if len(row) != len(header):
            bad.append(_misfit(line, row, len(header)))
            continue
        lines.append(line)
        rows.append(row)
        if len(rows) == ROWS_A_BATCH:
            batches.append(_columns(rows))
            rows.clear()
    batches.append(_columns(rows) if rows else [pa.array([], pa.string()) for _ in header])
    columns = {
        name: pa.concat_arrays([batch[place] for batch in batches]) for place, name in enumerate(header)
    }
    return Cells(columns, np.array(lines, dtype=np.int32), bad)


def _columns(rows: list[list[str]]) -> list[pa.Array]:
    return [pa.array(column, pa.string()) for column in zip(*rows, strict=True)]


def _records(text: str, file: str, bad: list[BadRow]) -> Iterator[tuple[int, list[str]]]:
    """Every record with the line it begins on; a record whose quotation marks do not pair goes to ``bad``."""
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    while True:
        line = reader.line_num + 1
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error as wrong:
            if "expected after" not in str(wrong) or line == 1:
                raise BadFileError(
                    f"A quotation mark opened on line {line} of {file} is not closed, so the rows after it "
                    "cannot be told apart; close it."
                ) from wrong
            sentence = "A quotation mark stands inside a quoted cell; write it twice there, or remove it."
            bad.append(BadRow(line, Fault("bad_quotes", sentence), {"text": _physical_line(text, line)}))
            continue
        yield line, row


def _physical_line(text: str, line: int) -> str:
    return next(islice(io.StringIO(text, newline=""), line - 1, line)).rstrip("\r\n")
