"""A file that does not fit in memory gives the same tables as one that does, in whatever order its rows come."""

from __future__ import annotations

import random
import shutil
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from delivered import LONG, READINGS, in_quarantine, put, reading
from sqlalchemy import select

from ingest import csv_files, parquet_files, spill, take
from ingest.deliver import deliver
from ingest.files import batches, read_file
from market.periods import LABELS
from warehouse.curves import curve_days
from warehouse.home import engine, home
from warehouse.models import CurveFile

FIRST, AFTER = date(2022, 6, 1), date(2022, 9, 1)
DAYS = [date(2022, 6, 20) + timedelta(days=number) for number in range(25)]


@pytest.fixture
def little_memory(monkeypatch):
    """Everything goes to disk after a few rows, and comes back a few days at a time."""
    monkeypatch.setattr(csv_files, "BLOCK", 4000)
    monkeypatch.setattr(parquet_files, "ROWS_A_BATCH", 7)
    monkeypatch.setattr(take, "MISFITS_HELD", 2)

    class Small(spill.Spill):
        def __init__(self, folder: Path) -> None:
            super().__init__(folder, most=9000)

    monkeypatch.setattr(take, "Spill", Small)


def tables(at) -> list:
    return [
        (day.date, key, quality, day.values[row].tolist())
        for day in curve_days(at, "meter_readings", FIRST, AFTER)
        for row, (key, quality) in enumerate(
            zip(day.keys["meter_id"].to_pylist(), day.quality.to_pylist(), strict=True)
        )
    ]


def shuffled_rows() -> list[str]:
    rows = [
        reading(meter, str(day), place, place + 1, 0.25)
        for place, day in enumerate(DAYS)
        for meter in ("M1", "M2")
    ]
    rows += [
        reading("M1", str(DAYS[3]), 3, 4, 0.25),  # says again what another row says
        reading("M9", str(DAYS[5]), 1),
        reading("M1", "2022-06-31", 1),
        reading("M2", str(DAYS[7]), "1,5"),
        "M1,2022-07-01,measured,1\n",
        reading("M1", str(DAYS[9]), 99),  # against the row above: both are put away
    ]
    random.Random(1).shuffle(rows)
    return rows


def test_a_wide_file_through_the_disk_gives_what_it_gives_in_memory(at, tmp_path, monkeypatch, request):
    file = put(tmp_path, "meter_readings.csv", READINGS + "".join(shuffled_rows()))
    other = tmp_path / "other"
    shutil.copytree(at.root, other)
    in_memory = deliver(at, file)
    request.getfixturevalue("little_memory")
    by_disk = deliver(home(other), file)
    assert vars(by_disk) == vars(in_memory)
    assert (in_memory.rows, in_memory.quarantined, in_memory.repeated) == (56, 6, 1)
    assert tables(home(other)) == tables(at)
    codes = [
        sorted((row.line, row.code) for row in in_quarantine(home_, in_memory.delivery_id))
        for home_ in (at, home(other))
    ]
    assert codes[0] == codes[1]
    assert len(codes[0]) == 6
    assert list(other.rglob("*.part")) == []


def test_a_month_in_several_stretches_is_one_file_a_city_with_a_row_group_a_day(at, tmp_path, little_memory):
    rows = [reading("M1", str(day), 1) for day in DAYS]
    receipt = deliver(at, put(tmp_path, "meter_readings.csv", READINGS + "".join(reversed(rows))))
    assert (receipt.first_date, receipt.last_date) == (DAYS[0], DAYS[-1])
    with engine(at).connect() as connection:
        files = connection.execute(select(CurveFile.path, CurveFile.rows).order_by(CurveFile.month)).all()
    assert [file.rows for file in files] == [11, 14]
    for file in files:
        assert pq.ParquetFile(at.curves / file.path).num_row_groups == file.rows


def test_long_readings_through_the_disk_make_whole_days(at, tmp_path, little_memory):
    rows = [
        f"{meter},{day}T{hour:02d}:00:00+08:00,{hour},measured\n"
        for hour in range(24)
        for day in DAYS
        for meter in ("M1", "M2")
    ]
    receipt = deliver(at, put(tmp_path, "meter_readings_long.csv", LONG + "".join(rows)))
    assert (receipt.status, receipt.rows, receipt.quarantined) == ("accepted", 24 * 50, 0)
    found = tables(at)
    assert len(found) == 50
    assert found[0][3][4:8] == [250_000] * 4  # 1 kWh over the hour that ends at 02:00


def test_parquet_batches_count_rows_through(tmp_path, little_memory):
    count = 40
    columns = {"meter_id": ["M1"] * count, "date": [DAYS[0]] * count, "quality": ["measured"] * count}
    pq.write_table(
        pa.table(columns | dict.fromkeys(LABELS, np.arange(count) / 4)), tmp_path / "meter_readings.parquet"
    )
    parts = list(batches(tmp_path / "meter_readings.parquet"))
    assert len(parts) == 6
    assert np.concatenate([part.lines for part in parts]).tolist() == list(range(1, count + 1))


@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030"])
def test_lines_are_counted_through_blocks_in_every_encoding(tmp_path, monkeypatch, encoding, ending):
    monkeypatch.setattr(csv_files, "BLOCK", 64)
    lines = ["id,名称"] + [f"{place},第{place}行" for place in range(100)]
    lines[50] = '49,"引号, 逗号"'
    lines[60] = "59,a,b"
    lines[70] = '69,"两\n行"'
    path = tmp_path / "x.csv"
    path.write_bytes(ending.join(lines).encode(encoding))
    cells = read_file(path)
    assert [bad.line for bad in cells.bad] == [61]
    assert cells.lines.tolist() == [n for n in range(2, 72) if n != 61] + list(range(73, 103))
    assert cells.columns["名称"][48].as_py() == "第48行"
    assert cells.columns["名称"][49].as_py() == "引号, 逗号"


def test_an_open_quotation_mark_in_a_later_block_refuses_the_file_and_leaves_nothing(
    at, tmp_path, little_memory
):
    rows = [reading("M1", str(day), 1) for day in DAYS]
    rows[20] = 'M2,"2022-07-01,measured\n'
    receipt = deliver(at, put(tmp_path, "meter_readings.csv", READINGS + "".join(rows)))
    assert receipt.status == "rejected"
    assert "line 22" in receipt.reason
    assert [path for path in at.curves.rglob("*") if path.is_file()] == []
    assert list(at.quarantine.iterdir()) == []
