"""Parquet: columns keep their number types; dates and moments become ISO text."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from ingest.cells import Cells, checked_header
from ingest.faults import BadFileError
from market.periods import TIME_ZONE


def read_parquet(path: Path) -> Cells:
    """Read a Parquet file. Raises BadFileError for a damaged file, a repeated column or a nested one."""
    try:
        with pq.ParquetFile(path) as opened:
            table = opened.read()
    except (pa.ArrowInvalid, OSError) as damaged:
        raise BadFileError(f"{path.name} cannot be read as Parquet ({damaged}); write it again.") from damaged
    header = checked_header(table.column_names, path.name)
    return Cells(
        {name: _plain(table.column(place), name, path.name) for place, name in enumerate(header)},
        np.arange(1, table.num_rows + 1, dtype=np.int32),
    )


def _plain(column: pa.ChunkedArray, name: str, file: str) -> pa.Array:
    array = column.combine_chunks()
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
