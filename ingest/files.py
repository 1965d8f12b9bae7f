"""Delivered files, whatever their form, as columns of cells with the line each row stands on.

A line is the line of a CSV file (its header is 1), the row of an XLSX sheet, the row of a Parquet file counted
from 1. Rows without any filled cell are no rows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from ingest.cells import Cells, concatenated, without_blank_rows
from ingest.csv_files import csv_batches
from ingest.faults import BadFileError
from ingest.parquet_files import parquet_batches
from ingest.xlsx_files import xlsx_batches

READERS: dict[str, Callable[[Path], Iterator[Cells]]] = {
    ".csv": csv_batches,
    ".xlsx": xlsx_batches,
    ".parquet": parquet_batches,
}


def batches(path: Path) -> Iterator[Cells]:
    """The rows of a file in batches of one header, at least one; memory does not grow with the file.

    Raises BadFileError, at any batch, for a file that cannot be read as what its suffix claims it to be.
    """
    reader = READERS.get(path.suffix.lower())
    if reader is None:
        raise BadFileError(
            f"{path.name} is neither .csv, .xlsx nor .parquet; deliver the table in one of these forms."
        )
    if path.stat().st_size == 0:
        raise BadFileError(f"{path.name} is empty; a file has at least its header.")
    for cells in reader(path):
        yield without_blank_rows(cells)


def read_file(path: Path) -> Cells:
    """All rows of a file at once. Raises as ``batches``."""
    return concatenated(list(batches(path)))
