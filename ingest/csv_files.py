"""CSV: which encoding, which line a row stands on, which rows do not fit the header.

Without quotation marks a line is a row, and the columns are cut by Arrow. With them a cell may hold a line
break; then Python's csv module reads, which knows the line each row began on.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv
from numpy.typing import NDArray

from ingest.cells import BLANKS, Cells, checked_header
from ingest.faults import BadFileError, BadRow, Fault

UTF8_MARK = b"\xef\xbb\xbf"
UTF16_MARKS = (b"\xff\xfe", b"\xfe\xff")
ROWS_A_BATCH = 20_000
NEWLINE, COMMA, RETURN = 10, 44, 13


def read_csv(path: Path) -> Cells:
    """Read a CSV file. Raises BadFileError for an unknown encoding, a bad header or an open quotation mark."""
    data = as_utf8(path.read_bytes(), path.name)
    if b'"' in data or _has_lone_return(data):
        return _read_quoted(data.decode(), path.name)
    return _read_plain(data, path.name)


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


def _has_lone_return(data: bytes) -> bool:
    return data.count(b"\r") != data.count(b"\r\n")


def _read_plain(data: bytes, file: str) -> Cells:
    first, _, _ = data.partition(b"\n")
    header = checked_header(first.decode().rstrip("\r").split(","), file)
    cells, filled = _count_cells(data)
    fits = filled & (cells == len(header))
    fits[0] = False  # the header itself
    misfits = np.flatnonzero(filled & ~fits)[1:]
    # A single line longer than a block would not be read.
    block = max(1 << 20, 2 * _longest_line(data))
    table = pa_csv.read_csv(
        pa.BufferReader(data),
        pa_csv.ReadOptions(column_names=header, skip_rows=1, block_size=block),
        pa_csv.ParseOptions(quote_char=False, invalid_row_handler=lambda _: "skip"),
        pa_csv.ConvertOptions(column_types=dict.fromkeys(header, pa.string()), strings_can_be_null=False),
    )
    if table.num_rows != int(fits.sum()):
        return _read_quoted(data.decode(), file)
    return Cells(
        {name: table[name].combine_chunks() for name in header},
        (np.flatnonzero(fits) + 1).astype(np.int32),
        _misfits(data, misfits.tolist(), len(header)),
    )


def _line_starts(data: bytes) -> NDArray[np.int64]:
    starts = np.flatnonzero(np.frombuffer(data, dtype=np.uint8) == NEWLINE) + 1
    starts = np.concatenate([np.zeros(1, dtype=np.int64), starts])
    return starts[:-1] if starts[-1] == len(data) else starts


def _longest_line(data: bytes) -> int:
    return int(np.diff(_line_starts(data), append=len(data)).max())


def _count_cells(data: bytes) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Cells of every line, and whether the line holds anything at all."""
    letters = np.frombuffer(data, dtype=np.uint8)
    starts = _line_starts(data)
    commas = np.add.reduceat(letters == COMMA, starts, dtype=np.int64)
    breaks = np.add.reduceat((letters == NEWLINE) | (letters == RETURN), starts, dtype=np.int64)
    return commas + 1, np.diff(starts, append=len(data)) > breaks


def _misfits(data: bytes, places: list[int], width: int) -> list[BadRow]:
    lines = data.split(b"\n") if places else []
    return [_misfit(place + 1, lines[place].decode().rstrip("\r").split(","), width) for place in places]


def _misfit(line: int, row: list[str], width: int) -> BadRow:
    sentence = f"The row has {len(row)} cells, the header has {width}; give the row one cell a column."
    return BadRow(line, Fault("wrong_cell_count", sentence), {"cells": row})


def _read_quoted(text: str, file: str) -> Cells:
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
