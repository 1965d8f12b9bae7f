"""Hostile and broken files: a clear refusal or quarantine, bounded memory, nothing lost and nothing run."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import zipfile
from datetime import date
from pathlib import Path

import numpy as np
import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from delivered import METERS, PARTICIPANTS, READINGS, in_quarantine, put, reading

from ingest import deliver as deliver_module
from ingest.deliver import LeadsOutError, deliver, deliver_many
from market.curves import MISSING
from market.periods import LABELS
from warehouse.curves import curve_days
from warehouse.records import read_records

DAY = "2022-07-01"
ROOT = Path(__file__).resolve().parents[2]


def xlsx(folder: Path, rows: list[list], name: str = "meters.xlsx") -> Path:
    book = openpyxl.Workbook()
    for row in rows:
        book.active.append(row)
    book.save(folder / name)
    return folder / name


def repacked(path: Path, part: str, content: bytes) -> Path:
    """The workbook with another content of one part."""
    with zipfile.ZipFile(path) as packed:
        parts = {name: packed.read(name) for name in packed.namelist()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, data in (parts | {part: content}).items():
            packed.writestr(name, data)
    return path


@pytest.mark.parametrize(
    ("part", "megabytes"), [("xl/worksheets/sheet1.xml", 1030), ("xl/sharedStrings.xml", 80)]
)
def test_a_workbook_that_unpacks_to_a_gigabyte_is_refused_before_it_is_unpacked(
    at, tmp_path, part, megabytes
):
    path = xlsx(tmp_path, [["meter_id"], ["M3"]])
    with (
        zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED, compresslevel=1) as packed,
        packed.open(f"{part}.xml" if part in packed.namelist() else part, "w", force_zip64=True) as bomb,
    ):
        for _ in range(megabytes):
            bomb.write(b" " * (1 << 20))
    receipt = deliver(at, path)
    assert receipt.status == "rejected"
    assert "unpacks to" in receipt.reason


def test_entities_that_grow_without_end_are_refused(at, tmp_path):
    laughs = "".join(f'<!ENTITY a{n} "{f"&a{n - 1};" * 10}">' for n in range(1, 12))
    sheet = f'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a0 "ha">{laughs}]><worksheet><sheetData><row r="1"><c r="A1" t="inlineStr"><is><t>&a11;</t></is></c></row></sheetData></worksheet>'
    path = repacked(xlsx(tmp_path, [["meter_id"]]), "xl/worksheets/sheet1.xml", sheet.encode())
    receipt = deliver(at, path)
    assert (receipt.status, "cannot be opened" in receipt.reason) == ("rejected", True)


def test_a_row_number_behind_the_end_of_a_sheet_is_refused_at_once(at, tmp_path):
    path = xlsx(tmp_path, [["meter_id"], ["M3"]])
    with zipfile.ZipFile(path) as packed:
        sheet = packed.read("xl/worksheets/sheet1.xml")
    far = sheet.replace(b'<row r="2"', b'<row r="2000000000"')
    assert far != sheet
    receipt = deliver(at, repacked(path, "xl/worksheets/sheet1.xml", far))
    assert (receipt.status, "behind row 1048576" in receipt.reason) == ("rejected", True)


@pytest.mark.parametrize("filling", ["x", '"x', "1,"])
def test_a_cell_or_row_without_end_is_refused(at, tmp_path, filling):
    text = READINGS + "M1," + filling * (3 << 20)
    receipt = deliver(at, put(tmp_path, "meter_readings.csv", text))
    assert (receipt.status, "longer than 1048576 bytes" in receipt.reason) == ("rejected", True)


def test_a_parquet_file_of_a_few_bytes_that_would_be_gigabytes_is_refused(at, tmp_path):
    huge = pa.array(["x" * (40 << 20)]).dictionary_encode()
    columns = {"meter_id": huge.take(pa.array([0])), "date": [date(2022, 7, 1)], "quality": ["measured"]}
    path = tmp_path / "meter_readings.parquet"
    pq.write_table(pa.table(columns | {label: [1.0] for label in LABELS}), path, compression="zstd")
    assert path.stat().st_size < 100_000
    receipt = deliver(at, path)
    assert (receipt.status, "no table has cells of that size" in receipt.reason) == ("rejected", True)


@pytest.mark.parametrize(
    "value", ["NaN", "nan", "inf", "-Infinity", "1e5", "0x1F", "1_000", "٣", "1.0000001"]
)
def test_what_is_no_plain_number_waits_in_quarantine(at, tmp_path, value):
    receipt = deliver(at, put(tmp_path, "meter_readings.csv", READINGS + reading("M1", DAY, value, 1)))
    (row,) = in_quarantine(at, receipt.delivery_id)
    assert row.code in ("bad_number", "too_many_decimals")
    assert value in row.sentence


def test_minus_zero_is_zero_a_float_that_is_no_number_is_missing_and_infinity_is_put_away(at, tmp_path):
    columns = {"meter_id": ["M1", "M2", "M2", "M2"], "date": [f"2022-07-0{n}" for n in (1, 1, 2, 3)]}
    values = np.ones((4, 96))
    values[0, 0], values[1, 0], values[2, 0], values[3, 0] = -0.0, np.nan, np.inf, -np.inf
    table = columns | {"quality": ["measured"] * 4} | {label: values[:, n] for n, label in enumerate(LABELS)}
    path = tmp_path / "meter_readings.parquet"
    pq.write_table(pa.table(table), path)
    receipt = deliver(at, path)
    found = {
        (key, str(day.date)): int(day.values[row, 0])
        for day in curve_days(at, "meter_readings", date(2022, 7, 1), date(2022, 8, 1))
        for row, key in enumerate(day.keys["meter_id"].to_pylist())
    }
    assert found == {("M1", DAY): 0, ("M2", DAY): MISSING}
    rows = in_quarantine(at, receipt.delivery_id)
    assert [(row.line, row.code) for row in rows] == [(3, "out_of_range"), (4, "out_of_range")]


@pytest.mark.parametrize(
    "day", ["1899-12-31", "9999-12-31", "0001-01-01", "2022-02-30", "2022-13-01", "20220701"]
)
def test_an_absurd_day_waits_in_quarantine(at, tmp_path, day):
    receipt = deliver(at, put(tmp_path, "meter_readings.csv", READINGS + reading("M1", day, 1)))
    (row,) = in_quarantine(at, receipt.delivery_id)
    assert (receipt.status, row.code) == ("rejected", "bad_date")


def test_a_number_beyond_every_meter_is_refused_where_it_would_overflow(at, tmp_path):
    receipt = deliver(at, put(tmp_path, "meter_readings.csv", READINGS + reading("M1", DAY, "9" * 19, 1)))
    (row,) = in_quarantine(at, receipt.delivery_id)
    assert row.code == "out_of_range"


@pytest.mark.parametrize("name", ["=1+1", "=cmd|' /C calc'!A0", "@SUM(A1)"])
def test_a_name_that_a_spreadsheet_would_run_is_put_away_or_defused(at, tmp_path, name):
    quoted = '"' + name.replace('"', '""') + '"'
    rows = f"U7,{quoted},wholesale_user,jinan,2022-01-01,\nU8,{quoted},no_such_kind,jinan,2022-01-01,\n"
    receipt = deliver(at, put(tmp_path, "participants.csv", PARTICIPANTS + rows))
    readable = (at.quarantine / f"{receipt.delivery_id[:16]}.csv").read_text("utf-8-sig")
    assert f',"{name}' not in readable
    assert f"'{name[0]}" in readable


def test_nested_quotes_stay_what_they_are(at, tmp_path):
    text = PARTICIPANTS + 'U7,"他说""好"", 走",wholesale_user,jinan,2022-01-01,\n'
    deliver(at, put(tmp_path, "participants.csv", text))
    names = read_records(at, "participants").set_index("participant_id")["name"]
    assert names["U7"] == '他说"好", 走'


@pytest.mark.parametrize("city", ["../../../etc", "..", "/", "a/b", "con\u202e", "x" * 100, "济" * 99 + "/"])
def test_a_city_never_becomes_a_path_out_of_the_curves(at, tmp_path, city):
    deliver(
        at, put(tmp_path, "participants.csv", PARTICIPANTS + f"U7,新,wholesale_user,{city},2022-01-01,\n")
    )
    deliver(at, put(tmp_path, "meters.csv", METERS + "M7,U7,1,1,2022-01-01,\n"))
    assert (
        deliver(at, put(tmp_path, "meter_readings.csv", READINGS + reading("M7", DAY, 1))).status
        == "accepted"
    )
    (file,) = at.curves.rglob("*.parquet")
    assert file.resolve().relative_to(at.curves.resolve()).parts[0] == "meter_readings"
    (day,) = curve_days(at, "meter_readings", date(2022, 7, 1), date(2022, 7, 2), city=city)
    assert day.keys["meter_id"].to_pylist() == ["M7"]


@pytest.mark.parametrize(("column", "letters"), [("participant_id", 101), ("city", 101), ("name", 1001)])
def test_a_text_that_no_name_is_as_long_as_waits_in_quarantine(at, tmp_path, column, letters):
    cells = {"participant_id": "U7", "name": "新", "kind": "wholesale_user", "city": "jinan"}
    row = ",".join((cells | {column: "x" * letters}).values()) + ",2022-01-01,\n"
    receipt = deliver(at, put(tmp_path, "participants.csv", PARTICIPANTS + row))
    (entry,) = in_quarantine(at, receipt.delivery_id)
    assert (entry.code, f"{letters} letters" in entry.sentence) == ("bad_text", True)


def test_a_link_out_of_a_delivered_folder_is_refused_before_anything_is_taken(at, tmp_path):
    folder = tmp_path / "month"
    folder.mkdir()
    put(folder, "meters.csv", METERS + "M3,U1,1,1,2022-01-01,\n")
    (folder / "participants.csv").symlink_to(put(tmp_path, "secret.csv", PARTICIPANTS))
    with pytest.raises(LeadsOutError, match="leads out of"):
        deliver_many(at, [folder])
    assert read_records(at, "meters")["meter_id"].tolist() == ["M1", "M2"]


def test_a_file_that_grows_while_it_is_read_is_not_taken(at, tmp_path, monkeypatch):
    path = put(tmp_path, "meter_readings.csv", READINGS + reading("M1", DAY, 1))
    whole = path.read_text() + reading("M2", DAY, 1)
    fsync = os.fsync

    def grow(descriptor):
        monkeypatch.setattr(deliver_module.os, "fsync", fsync)
        path.write_text(whole)
        fsync(descriptor)

    monkeypatch.setattr(deliver_module.os, "fsync", grow)
    receipt = deliver(at, path)
    assert (receipt.status, "was being written" in receipt.reason) == ("rejected", True)
    assert deliver(at, path).accepted == 2


MEASURED = """
import resource, sys
from pathlib import Path
from ingest.deliver import deliver
from warehouse.home import home
print(deliver(home(Path(sys.argv[1])), Path(sys.argv[2])).status)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


@pytest.mark.skipif(not os.environ.get("GRIDSETTLE_SOAK"), reason="writes 400 MB: GRIDSETTLE_SOAK=1")
def test_four_times_the_file_takes_no_more_memory(at, tmp_path):
    deliver(
        at, put(tmp_path, "meters.csv", METERS + "".join(f"N{n},U1,1,1,2020-01-01,\n" for n in range(1000)))
    )
    peaks = []
    for days in (60, 240):
        rows = io.StringIO()
        for number in range(days):
            day = date.fromordinal(date(2021, 1, 1).toordinal() + number)
            rows.writelines(reading(f"N{n}", str(day), *range(n, n + 96)) for n in range(1000))
        path = put(tmp_path, f"meter_readings_{days}.csv", READINGS + rows.getvalue())
        done = subprocess.run(
            [sys.executable, "-c", MEASURED, str(at.root), str(path)],
            cwd=ROOT,
            check=True,
            capture_output=True,
            text=True,
        ).stdout.split()
        assert done[0] == "accepted"
        peaks.append(int(done[1]))
    assert peaks[1] < 1.15 * peaks[0]
