"""Which shape a file has, by its header: records, wide curves, or long readings."""

from __future__ import annotations

import re
from enum import StrEnum

from ingest.cells import Cells, checked_header
from ingest.faults import BadFileError
from market.periods import LABELS, TIME_ZONE
from market.tables import Table

MIDNIGHT = "00:00"
SKIPPED = 4  # quarter-hours of the hour that clocks skip
LONG_COLUMNS = ("meter_id", "interval_start", "kwh", "quality")
LONG_OPTIONAL = ("minutes",)


class Layout(StrEnum):
    """How the rows of a file carry a table."""

    RECORDS = "records"
    WIDE = "wide"
    LONG = "long"


def laid_out(table: Table, cells: Cells, file: str) -> tuple[Layout, Cells]:
    """The layout of a file and its cells under the registry's column names.

    Raises BadFileError for a column that is unknown, missing or stands twice; optional ones may be missing.
    """
    if not table.is_curve:
        _check_columns(table, cells, file, *_columns(table))
        return Layout.RECORDS, cells
    if table.name == "meter_readings" and "interval_start" in cells.columns:
        _check_columns(table, cells, file, LONG_COLUMNS, LONG_OPTIONAL)
        return Layout.LONG, cells
    cells = _with_labels(cells, file)
    required, optional = _columns(table)
    found = [name for name in LABELS if name in cells.columns]
    if len(found) < len(LABELS):
        _refuse_clock_change(cells, file)
        lacking = [name for name in LABELS if name not in cells.columns]
        ends_at_midnight = lacking == [LABELS[-1]] and MIDNIGHT in cells.columns
        raise BadFileError(
            f"{file} has {len(found)} of the 96 periods; it lacks {_listed(lacking)}. Periods carry the end of "
            "their quarter-hour, 00:15 to 24:00."
            + (
                " 00:00 does not say which day it means; call the end of the day 24:00."
                if ends_at_midnight
                else ""
            )
        )
    _check_columns(table, cells, file, (*required, *LABELS), (*optional, MIDNIGHT))
    return Layout.WIDE, cells


def _refuse_clock_change(cells: Cells, file: str) -> None:
    """92 quarter-hours without the hour that clocks skip in spring, as in Europe or America."""
    lacking = {place for place, name in enumerate(LABELS, start=1) if name not in cells.columns}
    if len(lacking) == SKIPPED and max(lacking) - min(lacking) == SKIPPED - 1 and max(lacking) <= 16:
        raise BadFileError(
            f"{file} has the 92 quarter-hours of a day on which clocks go forward; {TIME_ZONE} has no such day. Give "
            "the readings as long rows whose interval_start has its offset."
        )


def _columns(table: Table) -> tuple[tuple[str, ...], tuple[str, ...]]:
    required = tuple(column.name for column in table.columns if column.required)
    return required, tuple(column.name for column in table.columns if not column.required)


def _check_columns(
    table: Table, cells: Cells, file: str, required: tuple[str, ...], optional: tuple[str, ...]
) -> None:
    lacking = [name for name in required if name not in cells.columns]
    if lacking:
        raise BadFileError(f"{file} lacks the column {_listed(lacking)} of the table {table.name}; add it.")
    unknown = [name for name in cells.columns if name not in required and name not in optional]
    if unknown:
        raise BadFileError(
            f"{file} has the column {_listed(unknown)}, which the table {table.name} does not know; remove it "
            "or correct its name."
        )


def _listed(names: list[str]) -> str:
    shown = ", ".join(names[:5])
    return shown if len(names) <= 5 else f"{shown} and {len(names) - 5} more"


def _with_labels(cells: Cells, file: str) -> Cells:
    names = [_label(name) for name in cells.columns]
    if names == list(cells.columns):
        return cells
    checked_header(names, file)
    columns = dict(zip(names, cells.columns.values(), strict=True))
    return Cells(columns, cells.lines, cells.bad, {_label(name): mask for name, mask in cells.binary.items()})


def _label(name: str) -> str:
    """``0:15`` and ``00:15:00``, as spreadsheets write times, are ``00:15``."""
    match = re.fullmatch(r"(\d{1,2}):(\d{2})(?::00)?", name)
    return f"{int(match[1]):02d}:{match[2]}" if match else name
