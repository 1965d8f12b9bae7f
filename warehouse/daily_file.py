"""daily.parquet of a run, written while the month is still computed: it has many times the rows of all other tables.

Rows stand as the series come; a group of rows is full whatever series its rows come from.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from itertools import groupby
from pathlib import Path
from types import TracebackType

import numpy as np
import pyarrow as pa

from settlement.parties import DailySeries
from warehouse.run_tables import ENERGY, EXACT_AMOUNT, ROWS_A_GROUP, coded, decimals, writer

DAILY = "daily.parquet"
SCHEMA = pa.schema(
    [
        ("participant_id", pa.string()),
        ("charge_code", pa.string()),
        ("date", pa.date32()),
        ("quantity_mwh", ENERGY),
        ("amount", EXACT_AMOUNT),
    ]
)
# Lots of series that may wait for the disk; with more the caller waits too, so that memory is bounded.
WAITING = 2


class DailyFile:
    """The open file. ``add`` returns at once and writes beside the caller's work; ``rows`` counts what was added.

    Leaving the block completes the file; what failed beside the caller is raised there or at the next ``add``.
    """

    def __init__(self, path: Path) -> None:
        self._stack = ExitStack()
        self._file = self._stack.enter_context(writer(SCHEMA, path))
        self._thread = self._stack.enter_context(ThreadPoolExecutor(1, "daily"))
        self._waiting: deque[Future[None]] = deque()
        self._unwritten: list[pa.Table] = []
        self.rows = 0

    def __enter__(self) -> DailyFile:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._stack:
            if error is None:
                self._waiting.append(self._thread.submit(self._write, (), last=True))
                for one in self._waiting:
                    one.result()

    def add(self, series: Iterable[DailySeries]) -> None:
        """Append these days."""
        lot = tuple(series)
        self.rows += sum(one.quantity.size for one in lot)
        while len(self._waiting) >= WAITING:
            self._waiting.popleft().result()
        self._waiting.append(self._thread.submit(self._write, lot))

    def _write(self, lot: Sequence[DailySeries], *, last: bool = False) -> None:
        for table in _tables(lot):
            self._unwritten.append(table)
            if sum(one.num_rows for one in self._unwritten) >= ROWS_A_GROUP:
                self._write_groups()
        if last and self._unwritten:
            self._file.write_table(pa.concat_tables(self._unwritten), row_group_size=ROWS_A_GROUP)

    def _write_groups(self) -> None:
        whole = pa.concat_tables(self._unwritten)
        full = whole.num_rows // ROWS_A_GROUP * ROWS_A_GROUP
        self._file.write_table(whole.slice(0, full), row_group_size=ROWS_A_GROUP)
        self._unwritten = [whole.slice(full)] if full < whole.num_rows else []


def daily_table(series: Iterable[DailySeries]) -> pa.Table:
    """participant_id, charge_code, date, quantity_mwh, amount (unrounded); a missing value is null."""
    return pa.concat_tables([SCHEMA.empty_table(), *_tables(series)])


def _tables(series: Iterable[DailySeries]) -> Iterable[pa.Table]:
    for single, run in groupby(series, key=lambda one: one.quantity.size == 1):
        if single:
            yield _singles(list(run))
            continue
        for one in run:
            at_a_time = max(ROWS_A_GROUP // max(len(one.days), 1), 1)
            for first in range(0, len(one.participants), at_a_time):
                yield _of_series(one, slice(first, first + at_a_time))


def _singles(series: Sequence[DailySeries]) -> pa.Table:
    """Series of one participant and day, as those of trades and events are, in one table."""
    missing = np.concatenate([one.missing.ravel() for one in series])
    gaps = missing if missing.any() else None
    return pa.table(
        [
            pa.array([one.participants[0] for one in series], pa.string()),
            pa.array([one.charge_code for one in series], pa.string()),
            pa.array([one.days[0] for one in series], pa.date32()),
            decimals(np.concatenate([one.quantity.ravel() for one in series]), ENERGY, gaps),
            decimals(np.concatenate([one.nano.ravel() for one in series]), EXACT_AMOUNT, gaps),
        ],
        schema=SCHEMA,
    )


def _of_series(one: DailySeries, part: slice) -> pa.Table:
    """The rows of some participants."""
    rows, days = one.quantity[part].shape
    missing = one.missing[part].ravel()
    gaps = missing if missing.any() else None
    dates = np.tile(np.array(one.days, dtype="datetime64[D]"), rows)
    return pa.table(
        [
            coded(np.repeat(np.arange(rows), days), one.participants[part]),
            coded(np.zeros(rows * days, np.int64), [one.charge_code]),
            pa.array(dates, pa.date32()),
            decimals(one.quantity[part].ravel(), ENERGY, gaps),
            decimals(one.nano[part].ravel(), EXACT_AMOUNT, gaps),
        ],
        schema=SCHEMA,
    )
