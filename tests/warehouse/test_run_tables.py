"""A run's tables: ids are uuid5 whatever way they are made, and days of one series a row are as those of many."""

from __future__ import annotations

from datetime import date
from uuid import UUID, uuid5

import numpy as np

from settlement.parties import DailySeries
from warehouse.daily_file import daily_table
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
