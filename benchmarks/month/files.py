"""Parquet files of the benchmark's month, written a day at a time: wide as delivered, long as others read them."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq


class Wide:
    """Appends days of a wide table to one Parquet file a city-free delivery."""

    KEY: ClassVar = {
        "meter_readings": "meter_id",
        "positions": "participant_id",
        "contract_curves": "contract_id",
        "reactive_readings": "meter_id",
    }

    def __init__(self, inbox: Path, table: str, labels: tuple[str, ...]) -> None:
        self.path, self.table, self.labels = inbox / f"{table}_2022-07.parquet", table, labels
        self.writer: pq.ParquetWriter | None = None

    def __call__(self, keys: list[str], day: date, values: np.ndarray, **extra: str) -> None:
        columns = {self.KEY[self.table]: pa.array(list(keys)), "date": pa.array([day] * len(keys))}
        columns |= {name: pa.array([value] * len(keys)) for name, value in extra.items()}
        columns |= {label: values[:, i] for i, label in enumerate(self.labels)}
        table = pa.table(columns)
        if self.writer is None:
            self.writer = pq.ParquetWriter(self.path, table.schema, compression="zstd")
        self.writer.write_table(table)

    def close(self) -> None:
        assert self.writer is not None
        self.writer.close()


class Long:
    """One row a user, day and quarter-hour."""

    def __init__(self, path: Path, columns: tuple[str, ...]) -> None:
        fields = [("user", pa.int32()), ("date", pa.timestamp("us")), ("period", pa.int16())]
        self.columns = columns
        self.schema = pa.schema([*fields, *((name, pa.int64()) for name in columns)])
        self.writer = pq.ParquetWriter(path, self.schema, compression="zstd")

    def write(self, users: int, day: date, *values: np.ndarray) -> None:
        rows = users * 96
        grain = [
            np.repeat(np.arange(users, dtype=np.int32), 96),
            np.full(rows, day, dtype="datetime64[us]"),
            np.tile(np.arange(1, 97, dtype=np.int16), users),
        ]
        arrays = [pa.array(part) for part in (*grain, *(value.ravel() for value in values))]
        self.writer.write_table(pa.Table.from_arrays(arrays, schema=self.schema))

    def close(self) -> None:
        self.writer.close()
