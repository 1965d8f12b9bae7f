"""XLSX: one sheet, its cells as text; a formula is seen as what it is and never evaluated."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
import openpyxl
import pyarrow as pa
from openpyxl.utils.exceptions import InvalidFileException

from ingest.cells import BLANKS, Cells, checked_header
from ingest.faults import BadFileError, BadRow, Fault
from market.tables import table_of_file

MIDNIGHTS = (datetime(1899, 12, 31), datetime(1900, 1, 1))  # noqa: DTZ001  24:00 as spreadsheets may store it


def read_xlsx(path: Path) -> Cells:
    """Read the sheet named like the file's table, or the only one. Raises BadFileError for anything else."""
    try:
        book = openpyxl.load_workbook(path, read_only=True, data_only=False)
    except (BadZipFile, InvalidFileException, KeyError, ValueError, OSError) as damaged:
        raise BadFileError(
            f"{path.name} cannot be opened as an XLSX workbook ({damaged}); save it again."
        ) from damaged
    try:
        return _read_sheet(_sheet(book, path), path.name)
    finally:
        book.close()


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


def _read_sheet(sheet: Any, file: str) -> Cells:
    sheet.reset_dimensions()  # some writers state wrong ones, and rows would be cut
    rows = _filled_rows(sheet)
    _, first = next(rows, (0, []))
    header = checked_header([_label(cell) for cell in first], file)
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


def _filled_rows(sheet: Any) -> Iterator[tuple[int, list[Any]]]:
    """Row number and cells up to the last filled one, for every row with a filled cell."""
    for number, row in enumerate(sheet.iter_rows(), start=1):
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
