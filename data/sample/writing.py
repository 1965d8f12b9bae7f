"""How the sample's tables are written: CSV with plain decimals, Parquet with whole-number decimals.

Curves are arrays (days, 96) or (rows, 96) of int64 in the smallest unit, e.g. 0.001 元/MWh or 0.0001 kWh.
Written bytes depend on nothing but the values.
"""

from __future__ import annotations

import csv
import zlib
from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from market.periods import LABELS

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

HISTORY_FIRST, JULY_FIRST = date(2022, 5, 15), date(2022, 7, 1)
DATES = tuple(HISTORY_FIRST + timedelta(days=n) for n in range(78))
JULY = DATES.index(JULY_FIRST)
FROM_15_JUNE = DATES.index(date(2022, 6, 15))
CITIES = {"jinan": "济南", "linyi": "临沂", "weifang": "潍坊", "qingdao": "青岛", "yantai": "烟台"}
CODES = {"jinan": "JN", "linyi": "LY", "weifang": "WF", "qingdao": "QD", "yantai": "YT"}
NODES = {city: f"SD_{city.upper()}" for city in CITIES}
SEED = 20220701


def generator(name: str) -> np.random.Generator:
    """A random stream of its own for each table, so that changing one table leaves the others as they are."""
    return np.random.Generator(np.random.PCG64([SEED, zlib.crc32(name.encode())]))


def half_up(values: Floats, decimals: int = 0) -> Ints:
    """Floats to whole numbers of 10**-decimals, halves away from zero."""
    scaled = np.abs(values) * 10.0**decimals
    return np.asarray(np.sign(values) * np.floor(scaled + 0.5), dtype=np.int64)


def by_day(values: Floats) -> Floats:
    """Quarter-hours in a row -> (days, 96)."""
    return values.reshape(-1, 96)


def plain(value: int, decimals: int) -> str:
    """A whole number of 10**-decimals as a decimal without trailing zeros: plain(412500, 3) == "412.5"."""
    if decimals == 0 or value == 0:
        return str(value)
    digits = f"{abs(value):0{decimals + 1}d}"
    fraction = digits[-decimals:].rstrip("0")
    sign = "-" if value < 0 else ""
    return sign + digits[:-decimals] + ("." + fraction if fraction else "")


def write_csv(path: Path, header: str, rows: Iterable[Sequence[object]]) -> None:
    """UTF-8, LF; ``header`` names the columns, blanks between them; None is an empty cell."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header.split())
        writer.writerows(rows)


def write_curve_csv(
    path: Path, keys: Sequence[str], rows: Iterable[tuple[Sequence[object], Ints]], decimals: int
) -> None:
    """A wide curve table; each row is its key cells and 96 whole numbers of 10**-decimals."""
    written = ([*cells, *(plain(int(value), decimals) for value in curve)] for cells, curve in rows)
    write_csv(path, " ".join([*keys, *LABELS]), written)


def write_curve_parquet(path: Path, keys: dict[str, Sequence[object]], curves: Ints, decimals: int) -> None:
    """A wide curve table (rows, 96) with decimal128(12, decimals) kept as INT64, zstd, one row group."""
    columns: dict[str, pa.Array] = {}
    for name, cells in keys.items():
        columns[name] = pa.array(cells, type=pa.date32() if name == "date" else pa.string())
    for position, label in enumerate(LABELS):
        columns[label] = _decimals(np.ascontiguousarray(curves[:, position]), decimals)
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(
        pa.table(columns),
        path,
        version="2.6",
        data_page_version="1.0",
        compression="zstd",
        compression_level=19,
        use_dictionary=True,
        write_statistics=False,
        store_schema=False,
        store_decimal_as_integer=True,
        row_group_size=len(curves),
    )


def _decimals(values: Ints, decimals: int) -> pa.Array:
    """decimal128 from whole numbers: the low word is the number, the high word its sign."""
    words = np.empty((len(values), 2), dtype=np.int64)
    words[:, 0] = values
    words[:, 1] = values >> 63
    return pa.Array.from_buffers(pa.decimal128(12, decimals), len(values), [None, pa.py_buffer(words)])
