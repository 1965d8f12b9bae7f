"""A run's tables: ids are uuid5 whatever way they are made, and days of one series a row are as those of many."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from uuid import UUID, uuid5

import numpy as np
import pyarrow.parquet as pq
import pytest

from settlement.parties import DailySeries
from warehouse import daily_file
from warehouse.daily_file import DailyFile, daily_table
from warehouse.run_tables import ids5

RUN = UUID("dcd8f6d2-7687-5c8c-9662-8bac5bc2723f")


def test_ids_of_postings_are_uuid5_of_the_run_and_the_grain() -> None:
    names = [f"posting|retail_energy|T{n:04d}|青岛" for n in range(300)]
    assert ids5(RUN, names).to_pylist() == [str(uuid5(RUN, name)) for name in names]


def test_days_of_trades_written_one_by_one_are_the_rows_of_one_series() -> None:
    days = (date(2022, 7, 1), date(2022, 7, 2))
    missing = np.array([[False, True], [False, False]])
    whole = DailySeries(
        "loss", ("A", "B"), days, np.array([[1, 0], [3, 4]]), np.array([[5, 0], [7, -8]]), missing
    )
    apart = [
        DailySeries.single(
            "loss", who, day, None if missing[i, d] else int(whole.quantity[i, d]), int(whole.nano[i, d])
        )
        for i, who in enumerate(whole.participants)
        for d, day in enumerate(days)
    ]
    assert daily_table(apart).equals(daily_table([whole]))
    assert daily_table([whole, *apart]).num_rows == 8
    assert daily_table([]).num_rows == 0


def days_of_charge(code: str, participants: int) -> DailySeries:
    """Two days each: 1 Wh and 2 Wh of the first, 3 and 4 of the second, and so on; amounts ten times that."""
    days = (date(2022, 7, 1), date(2022, 7, 2))
    energy = np.arange(1, 2 * participants + 1).reshape(participants, 2)
    who = tuple(f"W{number:03d}" for number in range(participants))
    return DailySeries(code, who, days, energy, energy * 10, energy == 2)


def test_days_written_in_lots_are_the_rows_of_one_table_in_full_groups(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(daily_file, "ROWS_A_GROUP", 16)
    lots = [[days_of_charge("loss", 3), days_of_charge("contract", 20)], [], [days_of_charge("energy", 7)]]
    with DailyFile(tmp_path / "daily.parquet") as file:
        for lot in lots:
            file.add(lot)
    written = pq.ParquetFile(tmp_path / "daily.parquet")
    groups = [written.metadata.row_group(number).num_rows for number in range(written.num_row_groups)]
    assert groups == [16, 16, 16, 12]
    assert file.rows == sum(groups)
    whole = daily_table(one for lot in lots for one in lot)
    assert written.read().replace_schema_metadata(None).equals(whole)


def test_what_fails_while_days_are_written_is_raised_where_they_were_added(tmp_path: Path) -> None:
    broken = days_of_charge("loss", 3)
    short = DailySeries(
        "loss", broken.participants[:1], broken.days, broken.quantity, broken.nano, broken.missing
    )
    with pytest.raises(IndexError), DailyFile(tmp_path / "daily.parquet") as file:
        file.add([short])
