"""CSV in batches: which encoding, which line a row stands on, which rows do not fit the header.

A file is read in blocks that end with a line, so memory does not grow with it. Where every line of a block is a
row, the columns are cut by Arrow. Where a cell holds a line break, or quotation marks do not pair, Python's csv
module reads from there on, which knows the line each row began on.
"""

from __future__ import annotations

import codecs
import csv
import io
from collections.abc import Iterable, Iterator
from itertools import chain
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
BLOCK = 8 << 20
LONGEST_ROW = 1 << 20  # bytes; a wide row of 96 values has about 1,500
MOST_LINES = int(np.iinfo(np.int32).max)
NEWLINE, RETURN, QUOTE, COMMA = b'\n\r",'


def csv_batches(path: Path) -> Iterator[Cells]:
    """The rows of a CSV file, at least one batch.

    Raises BadFileError for an unknown encoding, a bad header, an open quotation mark or a row over LONGEST_ROW.
    """
    blocks = _blocks(path, _encoding(path))
    header: list[str] | None = None
    line = 0
    for block in blocks:
        shape = None if block.count(b"\r") != block.count(b"\r\n") else _shape(block)
        if shape is None:
            yield from _irregular(chain([block], blocks), path.name, header, line)
            return
        _check_length(shape, len(block), line, path.name)
        skip = 0
        if header is None:
            first, _, _ = block.partition(b"\n")
            header = checked_header(next(csv.reader([first.decode().rstrip("\r")]), []), path.name)
            skip = 1
        cells = _regular(block, shape, header, skip, line)
        if cells is None:
            yield from _irregular([block], path.name, None if skip else header, line)
        else:
            yield cells
        line += len(shape.starts)
        if line > MOST_LINES:
            raise BadFileError(f"{path.name} has more than {MOST_LINES} lines; deliver it in parts.")
    if header is None:
        yield Cells({}, np.zeros(0, dtype=np.int32))


def _encoding(path: Path) -> str:
    """``utf-8`` or ``gb18030``. Raises BadFileError when the bytes are neither."""
    with path.open("rb") as stream:
        start = stream.read(4)
    if start.startswith(UTF16_MARKS):
        raise BadFileError(_not_text(path.name))
    marked = start.startswith(UTF8_MARK)
    not_utf8 = _first_wrong_byte(path, "utf-8")
    if not_utf8 is None:
        return "utf-8"
    if marked:
        raise BadFileError(
            f"{path.name} begins with the mark of UTF-8 but its byte {not_utf8} is not UTF-8; save it again."
        )
    not_chinese = _first_wrong_byte(path, "gb18030")
    if not_chinese is not None:
        raise BadFileError(
            f"{path.name} is neither UTF-8 nor GB18030: byte {not_chinese} fits neither; save it as CSV UTF-8."
        )
    return "gb18030"


def _not_text(file: str) -> str:
    return f"{file} is not a text file in UTF-8 or GB18030; save it as CSV UTF-8."


def _first_wrong_byte(path: Path, encoding: str) -> int | None:
    """The first byte, counted from 1, that is not of the encoding; None when all are."""
    decoder = codecs.getincrementaldecoder(encoding)()
    seen = 0
    with path.open("rb") as stream:
        while True:
            block = stream.read(BLOCK)
            if b"\0" in block:
                raise BadFileError(_not_text(path.name))
            try:
                text = decoder.decode(block, final=not block)
            except UnicodeDecodeError as wrong:
                waiting = len(wrong.object) - len(block)  # bytes the decoder had kept from the block before
                return seen - waiting + wrong.start + 1
            if encoding == "gb18030" and any("\ue000" <= letter <= "\uf8ff" for letter in set(text)):
                raise BadFileError(
                    f"{path.name} is not UTF-8, and read as GB18030 it has letters that no text uses; save it as "
                    "CSV UTF-8."
                )
            if not block:
                return None
            seen += len(block)


def _blocks(path: Path, encoding: str) -> Iterator[bytes]:
    """The file as UTF-8 without mark, in blocks that end with a line or the file."""
    decoder = None if encoding == "utf-8" else codecs.getincrementaldecoder(encoding)()
    rest = b""
    with path.open("rb") as stream:
        if stream.read(len(UTF8_MARK)) != UTF8_MARK:
            stream.seek(0)
        while block := stream.read(BLOCK):
            rest += block if decoder is None else decoder.decode(block).encode()
            # A file of lone carriage returns has no newline; what follows one of them here is not a newline.
            end = rest.rfind(b"\n") + 1 or rest.rfind(b"\r", 0, -1) + 1
            if end:
                yield rest[:end]
                rest = rest[end:]
            if len(rest) > LONGEST_ROW:
                raise BadFileError(_too_long(path.name, None))
    if rest:
        yield rest


def _too_long(file: str, line: int | None) -> str:
    where = "A row" if line is None else f"The row on line {line}"
    return (
        f"{where} of {file} is longer than {LONGEST_ROW} bytes, which no table needs; look for a quotation mark "
        "that is not closed, or for a file that is no table."
    )


def _check_length(shape: _Shape, size: int, line: int, file: str) -> None:
    lengths = np.diff(shape.starts, append=size)
    if lengths.max(initial=0) > LONGEST_ROW:
        raise BadFileError(_too_long(file, line + int(lengths.argmax()) + 1))


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


def _regular(block: bytes, shape: _Shape, header: list[str], skip: int, line: int) -> Cells | None:
    """A block in which every line is a row, ``line`` lines into the file; None when Arrow sees other rows."""
    fits = shape.filled & (shape.cells == len(header))
    misfits = np.flatnonzero(shape.filled & ~fits)
    fits[:skip] = False  # the header itself
    misfits = misfits[misfits >= skip]
    longest = int(np.diff(shape.starts, append=len(block)).max(initial=1))
    if not fits.any():
        table = pa.table({name: pa.array([], pa.string()) for name in header})
    else:
        table = pa_csv.read_csv(
            pa.BufferReader(block),
            pa_csv.ReadOptions(column_names=header, skip_rows=skip, block_size=max(1 << 20, 2 * longest)),
            pa_csv.ParseOptions(invalid_row_handler=lambda _: "skip"),
            pa_csv.ConvertOptions(column_types=dict.fromkeys(header, pa.string()), strings_can_be_null=False),
        )
    if table.num_rows != int(fits.sum()):
        return None
    return Cells(
        {name: _one(table[name]) for name in header},
        (np.flatnonzero(fits) + line + 1).astype(np.int32),
        _misfits(block, misfits.tolist(), len(header), line),
    )


def _one(column: pa.ChunkedArray) -> pa.Array:
    return column.combine_chunks() if column.num_chunks != 1 else column.chunk(0)


def _misfits(block: bytes, places: list[int], width: int, line: int) -> list[BadRow]:
    lines = block.split(b"\n") if places else []
    rows = csv.reader(lines[place].decode().rstrip("\r") for place in places)
    numbered = zip(places, rows, strict=True)
    return [_misfit(line + place + 1, row, width) for place, row in numbered if not _no_row(row, width)]


def _no_row(cells: list[str], width: int) -> bool:
    """A line with nothing on it, or with an empty cell a column; another number of empty cells is a row gone wrong."""
    return len(cells) in (0, 1, width) and not any(cell.strip(BLANKS) for cell in cells)


def _misfit(line: int, row: list[str], width: int) -> BadRow:
    sentence = f"The row has {len(row)} cells, the header has {width}; give the row one cell a column."
    return BadRow(line, Fault("wrong_cell_count", sentence), {"cells": row})


def _irregular(blocks: Iterable[bytes], file: str, header: list[str] | None, line: int) -> Iterator[Cells]:
    """The rows from ``line`` lines into the file on, record by record."""
    bad: list[BadRow] = []
    lines: list[int] = []
    rows: list[list[str]] = []
    records = _records(_Lines(blocks, file, line), file, bad)
    if header is None:
        header = checked_header(next(records, (1, []))[1], file)
    for start, row in records:
        if _no_row(row, len(header)):
            continue
        if len(row) != len(header):
            bad.append(_misfit(start, row, len(header)))
            continue
        lines.append(start)
        rows.append(row)
        if len(rows) == ROWS_A_BATCH:
            yield _batch(header, rows, lines, bad)
            bad, rows, lines = _emptied(bad), [], []
    yield _batch(header, rows, lines, bad)


def _batch(header: list[str], rows: list[list[str]], lines: list[int], bad: list[BadRow]) -> Cells:
    columns = zip(*rows, strict=True) if rows else ([] for _ in header)
    arrays = {name: pa.array(column, pa.string()) for name, column in zip(header, columns, strict=True)}
    return Cells(arrays, np.array(lines, dtype=np.int32), list(bad))


def _emptied(bad: list[BadRow]) -> list[BadRow]:
    bad.clear()  # the very list that the reader of records goes on filling
    return bad


class _Lines:
    """The lines of the blocks with their endings; remembers those since a record began."""

    def __init__(self, blocks: Iterable[bytes], file: str, before: int) -> None:
        self._lines = (text for block in blocks for text in io.StringIO(block.decode(), newline=""))
        self._file = file
        self._size = 0
        self.of_record: list[str] = []
        self.begun = before
        self.read = before

    def __iter__(self) -> _Lines:
        return self

    def __next__(self) -> str:
        text = next(self._lines)
        self.read += 1
        self.of_record.append(text)
        self._size += len(text)
        if self._size > LONGEST_ROW:
            raise BadFileError(_too_long(self._file, self.begun))
        return text

    def begin(self) -> int:
        """A record begins; the line it will stand on."""
        self.of_record.clear()
        self._size = 0
        self.begun = self.read + 1
        return self.begun


def _records(lines: _Lines, file: str, bad: list[BadRow]) -> Iterator[tuple[int, list[str]]]:
    """Every record with the line it begins on; a record whose quotation marks do not pair goes to ``bad``."""
    reader = csv.reader(lines, strict=True)
    while True:
        line = lines.begin()
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error as wrong:
            if "field larger" in str(wrong):
                raise BadFileError(_too_long(file, line)) from wrong
            if "expected after" not in str(wrong) or line == 1:
                raise BadFileError(
                    f"A quotation mark opened on line {line} of {file} is not closed, so the rows after it "
                    "cannot be told apart; close it."
                ) from wrong
            sentence = "A quotation mark stands inside a quoted cell; write it twice there, or remove it."
            bad.append(
                BadRow(line, Fault("bad_quotes", sentence), {"text": lines.of_record[0].rstrip("\r\n")})
            )
            continue
        yield line, row
