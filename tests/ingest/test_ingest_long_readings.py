"""Long readings of 15, 30 and 60 minutes become days of 96 quarter-hours whose parts add up exactly."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import numpy as np
import pyarrow as pa
from delivered import LONG, in_quarantine, put
from hypothesis import given
from hypothesis import strategies as st

from ingest.cells import Cells
from ingest.deliver import deliver
from ingest.faults import Faults
from ingest.long import read_long
from market.curves import MISSING
from market.tables import TABLES
from warehouse.curves import curve_days


def days(at):
    return list(curve_days(at, "meter_readings", date(2022, 7, 1), date(2022, 8, 1)))


def test_an_hour_is_split_evenly_and_the_first_quarter_takes_what_does_not_divide(at, tmp_path):
    # 1.000003 kWh = 1,000,003 of 1e-6: 250,000 each, 3 left for the first
    text = LONG + "M1,2022-07-01T00:00,1.000003,measured\nM1,2022-07-01T01:00,-0.000001,measured\n"
    assert deliver(at, put(tmp_path, "meter_readings_long.csv", text)).status == "accepted"
    (day,) = days(at)
    assert day.values[0, :4].tolist() == [250_003, 250_000, 250_000, 250_000]
    assert day.values[0, 4:8].sum() == -1
    assert (day.values[0, 8:] == MISSING).all()


def test_half_hours_and_quarter_hours_keep_their_place_and_the_day_is_the_markets(at, tmp_path):
    text = (
        LONG
        + "M1,2022-07-01 00:15,1,measured\nM1,2022-07-01 00:00,2,measured\n"
        + "M2,2022-06-30T16:00:00Z,4,measured\nM2,2022-07-01T00:30+08:00,6,estimated\n"
    )
    assert deliver(at, put(tmp_path, "meter_readings_long.csv", text)).status == "accepted"
    (day,) = days(at)
    by_meter = dict(zip(day.keys["meter_id"].to_pylist(), day.values[:, :4].tolist(), strict=True))
    assert by_meter["M1"] == [2_000_000, 1_000_000, MISSING, MISSING]
    assert by_meter["M2"] == [2_000_000, 2_000_000, 3_000_000, 3_000_000]
    quality = dict(zip(day.keys["meter_id"].to_pylist(), day.quality.to_pylist(), strict=True))
    assert quality == {"M1": "measured", "M2": "mmee" + 92 * "x"}  # by quarter-hour where they differ


def test_a_faulty_reading_leaves_its_quarter_hours_missing_and_keeps_the_rest_of_the_day(at, tmp_path):
    rows = [
        f"M1,2022-07-01T{p // 4:02d}:{p % 4 * 15:02d},{'x' if p == 5 else 1},measured\n" for p in range(96)
    ]
    receipt = deliver(at, put(tmp_path, "meter_readings_long.csv", LONG + "".join(rows)))
    assert (receipt.rows, receipt.accepted) == (96, 95)
    assert [row.line for row in in_quarantine(at, receipt.delivery_id)] == [7]
    (day,) = days(at)
    assert np.flatnonzero(day.values[0] == MISSING).tolist() == [5]
    assert day.line(0) == 2


def test_a_column_of_minutes_settles_what_the_distances_cannot(at, tmp_path):
    head = LONG.replace("quality", "quality,minutes")
    text = head + "M1,2022-07-01T05:00,4,measured,60\nM2,2022-07-01T05:00,4,measured,15\n"
    assert deliver(at, put(tmp_path, "meter_readings_long.csv", text)).status == "accepted"
    (day,) = days(at)
    filled = {
        m: int((v != MISSING).sum())
        for m, v in zip(day.keys["meter_id"].to_pylist(), day.values, strict=True)
    }
    assert filled == {"M1": 4, "M2": 1}


def test_readings_that_cover_the_same_quarter_hour_are_both_quarantined(at, tmp_path):
    head = LONG.replace("quality", "quality,minutes")
    text = (
        head
        + "M1,2022-07-01T05:00,4,measured,60\nM1,2022-07-01T05:30,4,measured,15\nM1,2022-07-01T06:00,1,measured,15\n"
    )
    receipt = deliver(at, put(tmp_path, "meter_readings_long.csv", text))
    assert [(row.line, row.code) for row in in_quarantine(at, receipt.delivery_id)] == [
        (2, "conflicting_rows"),
        (3, "conflicting_rows"),
    ]


@given(
    st.sampled_from([15, 30, 60]),
    st.lists(st.one_of(st.none(), st.integers(-(10**12), 10**12)), min_size=2, max_size=30),
)
def test_the_parts_add_up_to_every_reading(minutes, readings):
    at_minute = [place * minutes for place in range(len(readings))]
    starts = [f"2022-07-{1 + m // 1440:02d}T{m % 1440 // 60:02d}:{m % 60:02d}" for m in at_minute]
    kwh = ["" if r is None else f"{Decimal(r).scaleb(-6):f}" for r in readings]
    columns = {
        "meter_id": ["M1"] * len(readings),
        "interval_start": starts,
        "kwh": kwh,
        "quality": ["measured"] * len(readings),
        "minutes": [str(minutes)] * len(readings),
    }
    lines = np.arange(2, len(readings) + 2, dtype=np.int32)
    cells = Cells({name: pa.array(column) for name, column in columns.items()}, lines)
    faults = Faults(len(cells))
    rows = read_long(TABLES["meter_readings"], cells, {"meters": {"M1"}}, faults).rows
    assert not faults.bad.any()
    parts = minutes // 15
    flat = rows.values.reshape(-1)[: len(readings) * parts].reshape(-1, parts)
    for reading, split in zip(readings, flat.tolist(), strict=True):
        if reading is None:
            assert split == [MISSING] * parts
        else:
            assert sum(split) == reading
            assert len(set(split[1:])) <= 1
