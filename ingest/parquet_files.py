"""Parquet in batches: columns keep their number types; dates and moments become ISO text."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from ingest.cells import Cells, checked_header
from ingest.faults import BadFileError
from market.periods import TIME_ZONE

ROWS_A_BATCH = 8192
BUFFER = 1 << 16
MOST_ROWS = int(np.iinfo(np.int32).max)
BYTES_A_CELL = 256
SMALL_COLUMN = 16 << 20


def parquet_batches(path: Path) -> Iterator[Cells]:
    """The rows of a Parquet file, at least one batch.

    Raises BadFileError for a damaged file, a repeated column, a nested one, or cells of absurd size.
    """
    line = 0
    try:
        with pq.ParquetFile(path, buffer_size=BUFFER) as opened:
            header = checked_header(opened.schema_arrow.names, path.name)
            _check_sizes(opened.metadata, path.name)
            # One reader over all row groups would hold on to what it has read.
            for group in range(opened.num_row_groups):
                for batch in opened.iter_batches(batch_size=ROWS_A_BATCH, row_groups=[group]):
                    yield _cells(batch, header, line, path.name)
                    line += batch.num_rows
            if line == 0:
                yield _cells(pa.table(opened.schema_arrow.empty_table()), header, 0, path.name)
    except (pa.ArrowException, OSError, UnicodeDecodeError) as damaged:
        said = " ".join(str(damaged).split())
        raise BadFileError(f"{path.name} cannot be read as Parquet ({said}); write it again.") from damaged


def _check_sizes(metadata: pq.FileMetaData, file: str) -> None:
    """A few bytes can stand for gigabytes; what they would become is known before they are read."""
    if metadata.num_rows > MOST_ROWS:
        raise BadFileError(
            f"{file} has {metadata.num_rows} rows, more than {MOST_ROWS}; deliver it in parts."
        )
    for group in range(metadata.num_row_groups):
        part = metadata.row_group(group)
        for place in range(part.num_columns):
            column = part.column(place)
            if column.total_uncompressed_size > SMALL_COLUMN + BYTES_A_CELL * column.num_values:
                raise BadFileError(
                    f"The column {column.path_in_schema} of {file} would take {column.total_uncompressed_size} bytes "
                    f"for {column.num_values} cells; no table has cells of that size. Write it again."
                )


def _cells(rows: pa.RecordBatch | pa.Table, header: list[str], line: int, file: str) -> Cells:
    columns = {name: _plain(rows.column(place), name, file) for place, name in enumerate(header)}
    return Cells(columns, np.arange(line + 1, line + rows.num_rows + 1, dtype=np.int32))


def _plain(column: pa.Array | pa.ChunkedArray, name: str, file: str) -> pa.Array:
    array = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    kind = array.type
    if pa.types.is_dictionary(kind):
        array = array.dictionary_decode()
        kind = array.type
    if pa.types.is_large_string(kind) or pa.types.is_string_view(kind) or pa.types.is_null(kind):
        return array.cast(pa.string())
    if pa.types.is_decimal(kind):
        return array if pa.types.is_decimal128(kind) else _as_decimal128(array)
    if pa.types.is_string(kind) or pa.types.is_integer(kind) or pa.types.is_floating(kind):
        return array
    if pa.types.is_boolean(kind):
        return array.cast(pa.int8())
    if pa.types.is_date(kind):
        return array.cast(pa.date32()).cast(pa.string())
    if pa.types.is_timestamp(kind):
        return _instants(array)
    raise BadFileError(
        f"The column {name} of {file} has the type {kind}; use text, numbers, dates or moments, one a cell."
    )


def _as_decimal128(array: pa.Array) -> pa.Array:
    kind = pa.decimal128(38, array.type.scale)
    return array.cast(kind) if array.type.bit_width < 128 else array.cast(pa.string())


def _instants(array: pa.Array) -> pa.Array:
    """ISO text at the market's own offset; a moment without a zone is the market's local time."""
    micro = pa.timestamp("us")
    if array.type.tz is None:
        local = array.cast(micro)
    else:
        local = pc.local_timestamp(array.cast(pa.timestamp("us", TIME_ZONE)))
    coded = local.dictionary_encode()  # a reading's start stands once a meter, and writing it is slow
    text = pc.replace_substring(pc.strftime(coded.dictionary, "%Y-%m-%dT%H:%M:%S"), ".000000", "")
    return pc.binary_join_element_wise(text, "+08:00", "").take(coded.indices)
