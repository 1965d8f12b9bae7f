"""XLSX in batches: one sheet, its cells as text; a formula is seen as what it is and never evaluated."""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator
from contextlib import redirect_stdout
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO
from zipfile import BadZipFile, ZipFile

import numpy as np
import openpyxl
import pyarrow as pa

from ingest.cells import BLANKS, Cells, checked_header
from ingest.faults import BadFileError, BadRow, Fault
from market.tables import table_of_file

ROWS_A_BATCH = 5_000
LAST_ROW = (
    1_048_576  # of a sheet, by the format; a file may claim any number, and the rows between would be made
)
MOST_OF_SHEET = 1 << 30
MOST_OF_PART = 64 << 20  # shared strings and styles are held in memory whole
MOST_PARTS = 1_000
MIDNIGHTS = (datetime(1899, 12, 31), datetime(1900, 1, 1))  # noqa: DTZ001  24:00 as spreadsheets may store it


def xlsx_batches(path: Path) -> Iterator[Cells]:
    """The sheet named like the file's table, or the only one; at least one batch.

    Raises BadFileError for anything else, and for a workbook that unpacks to an absurd size.
    """
    _check_sizes(path)
    with path.open(
        "rb"
    ) as opened:  # openpyxl leaves a file that it opened itself and then dislikes to be collected
        try:
            yield from _read_sheet(_sheet(_workbook(opened), path), path.name)
        except BadFileError:
            raise
        except (
            Exception
        ) as damaged:  # openpyxl raises whatever it stumbles over, and parses a sheet while it is read
            raise _damaged(path, damaged) from damaged


def _workbook(opened: BinaryIO) -> openpyxl.Workbook:
    with (
        redirect_stdout(io.StringIO()),
        warnings.catch_warnings(action="ignore"),
    ):  # it prints what it dislikes
        return openpyxl.load_workbook(opened, read_only=True, data_only=False)


def _damaged(path: Path, reason: BaseException) -> BadFileError:
    said = " ".join(str(reason).split()) or type(reason).__name__
    return BadFileError(f"{path.name} cannot be opened as an XLSX workbook ({said}); save it again.")


def _check_sizes(path: Path) -> None:
    """What a workbook unpacks to stands in its directory, and no more than that is ever unpacked."""
    try:
        with ZipFile(path) as packed:
            parts = packed.infolist()
    except (BadZipFile, OSError, ValueError, NotImplementedError) as damaged:
        raise _damaged(path, damaged) from damaged
    for part in parts:
        most = MOST_OF_SHEET if part.filename.startswith("xl/worksheets/") else MOST_OF_PART
        if part.file_size > most:
            raise BadFileError(
                f"The part {part.filename} of {path.name} unpacks to {part.file_size} bytes, more than the {most} "
                "that a workbook of readings needs; save the table as CSV or Parquet."
            )
    if len(parts) > MOST_PARTS:
        raise BadFileError(f"{path.name} has {len(parts)} parts; a workbook with one table has a dozen.")


def _sheet(book: Any, path: Path) -> Any:
    titles = [sheet.title for sheet in book.worksheets]
    if len(titles) == 1:
        return book.worksheets[0]
    table = table_of_file(path.stem)
    if table is not None and table.name in titles:
        return book[table.name]
    wanted = path.stem if table is None else table.name
    raise BadFileError(
        f"{path.name} has the sheets {', '.join(titles)}; keep one, or name the one to read {wanted}."
    )


def _read_sheet(sheet: Any, file: str) -> Iterator[Cells]:
    sheet.reset_dimensions()  # some writers state wrong ones, and rows would be cut
    rows = _filled_rows(sheet, file)
    _, first = next(rows, (0, []))
    header = checked_header([_label(cell) for cell in first], file)
    while True:
        some = list(islice(rows, ROWS_A_BATCH))
        yield _batch(header, some)
        if len(some) < ROWS_A_BATCH:
            return


def _batch(header: list[str], rows: list[tuple[int, list[Any]]]) -> Cells:
    lines: list[int] = []
    bad: list[BadRow] = []
    texts: list[list[str | None]] = [[] for _ in header]
    binary: list[list[bool]] = [[] for _ in header]
    for line, row in rows:
        fault = _fault(row, header)
        if fault is not None:
            named = zip(
                [*header, *(f"column {n + 1}" for n in range(len(header), len(row)))], row, strict=False
            )
            bad.append(BadRow(line, fault, {name: _text(cell) or "" for name, cell in named}))
            continue
        lines.append(line)
        for place, (column, mask) in enumerate(zip(texts, binary, strict=True)):
            cell = row[place] if place < len(row) else None
            column.append(_text(cell))
            mask.append(cell is not None and isinstance(cell.value, float))
    return Cells(
        {name: pa.array(column, pa.string()) for name, column in zip(header, texts, strict=True)},
        np.array(lines, dtype=np.int32),
        bad,
        {name: np.array(mask, dtype=np.bool_) for name, mask in zip(header, binary, strict=True)},
    )


def _filled_rows(sheet: Any, file: str) -> Iterator[tuple[int, list[Any]]]:
    """Row number and cells up to the last filled one, for every row with a filled cell."""
    for number, row in enumerate(sheet.iter_rows(), start=1):
        if number > LAST_ROW:
            raise BadFileError(f"{file} has rows behind row {LAST_ROW}, where a sheet ends; save it again.")
        width = max((place for place, cell in enumerate(row, start=1) if not _is_empty(cell)), default=0)
        if width:
            yield number, list(row[:width])


def _is_empty(cell: Any) -> bool:
    return cell.value is None or (isinstance(cell.value, str) and not cell.value.strip(BLANKS))


def _fault(row: list[Any], header: list[str]) -> Fault | None:
    if len(row) > len(header):
        sentence = (
            f"The row has {len(row)} cells, the header has {len(header)}; remove what stands beside it."
        )
        return Fault("wrong_cell_count", sentence)
    for name, cell in zip(header, row, strict=False):
        if cell.data_type == "f":
            sentence = f"The cell {name} holds the formula {_text(cell)}; put its value there."
            return Fault("formula_in_cell", sentence, name)
        if cell.data_type == "e":
            sentence = f"The cell {name} holds the error {cell.value}; put its value there."
            return Fault("error_in_cell", sentence, name)
    return None


def _text(cell: Any) -> str | None:
    """The value as a person would type it; numbers with the 15 digits a spreadsheet carries."""
    value = None if cell is None else cell.value
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return str(int(value))
    if isinstance(value, float):
        return f"{Decimal(f'{value:.15g}'):f}"
    if isinstance(value, datetime):
        return f"{value.isoformat(timespec='seconds')}+08:00"  # a cell has no zone: the market's own
    if isinstance(value, date | time):
        return value.isoformat()
    return str(getattr(value, "text", value))  # whole numbers; an array formula has its text


def _label(cell: Any) -> str | None:
    """A header cell as text; a period may be stored as a time of day or a duration."""
    value = cell.value
    if value in MIDNIGHTS or (isinstance(value, timedelta) and value == timedelta(days=1)):
        return "24:00"
    if isinstance(value, timedelta):
        value = (datetime.min + value).time()  # noqa: DTZ901
    return value.strftime("%H:%M") if isinstance(value, time) else _text(cell)
