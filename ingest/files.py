"""Delivered files, whatever their form, as columns of cells with the line each row stands on.

A line is the line of a CSV file (its header is 1), the row of an XLSX sheet, the row of a Parquet file counted
from 1. Rows without any filled cell are no rows.
"""

from __future__ import annotations

from pathlib import Path

from ingest.cells import Cells, without_blank_rows
from ingest.csv_files import read_csv
from ingest.faults import BadFileError
from ingest.parquet_files import read_parquet
from ingest.xlsx_files import read_xlsx

READERS = {".csv": read_csv, ".xlsx": read_xlsx, ".parquet": read_parquet}


def read_file(path: Path) -> Cells:
    """Read a file by its suffix. Raises BadFileError for a file that cannot be read as what it claims to be."""
    reader = READERS.get(path.suffix.lower())
    if reader is None:
        raise BadFileError(
            f"{path.name} is neither .csv, .xlsx nor .parquet; deliver the table in one of these forms."
        )
    if path.stat().st_size == 0:
        raise BadFileError(f"{path.name} is empty; a file has at least its header.")
    return without_blank_rows(reader(path))
