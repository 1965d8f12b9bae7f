"""Which rows of which delivered files a line rests on (architecture §2: every line down to the file)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, datetime, timedelta
from functools import cache

import numpy as np
import pandas as pd

from reports.explanation import Source
from warehouse.curves import CurveDay, curve_days
from warehouse.deliveries import file_names, inbox_path
from warehouse.home import Home, engine


class SourceFiles:
    """Finds rows as one run saw them: records known and curves delivered by ``as_of``."""

    def __init__(self, home: Home, as_of: datetime | None) -> None:
        self._home, self._as_of = home, as_of
        self._path = cache(self._read_path)

    def curves(
        self, table: str, day: date, keys: Sequence[str], column: str, stage: str | None = None
    ) -> list[Source]:
        """The rows of a curve table on one day whose ``column`` is one of ``keys`` (and of one stage)."""
        after = day + timedelta(days=1)
        curve = next(iter(curve_days(self._home, table, day, after, as_of=self._as_of)), None)
        if curve is None:
            return []
        rows = _rows(curve, keys, column, stage)
        names = curve.keys[column].to_pylist()
        found = curve.origins(rows) if rows else []
        return [
            Source(
                table,
                " ".join(part for part in (names[row], stage, str(day)) if part),
                self._path(delivery_id),
                line,
            )
            for row, origins in zip(rows, found, strict=True)
            for delivery_id, line in origins
        ]

    def records(self, table: str, rows: pd.DataFrame, key: str, shown: Sequence[str] = ()) -> list[Source]:
        """Rows of a record table as read, each with its key and what else of it decides."""
        return [
            Source(
                table,
                " ".join([str(getattr(row, key)), *(f"{name} {getattr(row, name)}" for name in shown)]),
                self._path(row.delivery_id),
                int(row.line),
            )
            for row in rows.itertuples()
        ]

    def _read_path(self, delivery_id: str) -> str:
        with engine(self._home).connect() as connection:
            return inbox_path(delivery_id, file_names(connection, [delivery_id])[delivery_id])


def _rows(curve: CurveDay, keys: Iterable[str], column: str, stage: str | None) -> list[int]:
    wanted = np.isin(np.asarray(curve.keys[column], dtype=object).astype(str), list(keys))
    if stage is not None:
        wanted &= np.asarray(curve.keys["stage"], dtype=object).astype(str) == stage
    return [int(row) for row in np.flatnonzero(wanted)]
