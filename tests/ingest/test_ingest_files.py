"""What files may look like: encodings, workbooks, Parquet, headers; and what refuses a file whole."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from decimal import Decimal

import numpy as np
import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from delivered import METERS, PARTICIPANTS, READINGS, in_quarantine, put, reading
from hypothesis import given
from hypothesis import strategies as st

from ingest.deliver import deliver
from ingest.files import read_file
from market.periods import LABELS
from warehouse.curves import curve_days
from warehouse.records import read_records

DAY = "2022-07-01"
CHINESE = PARTICIPANTS + "U3,青岛电缆厂,retail_user,qingdao,2022-01-01,\n"


def names(at):
    return read_records(at, "participants").set_index("participant_id")["name"].to_dict()


def values(at, table="meter_readings"):
    (day,) = curve_days(at, table, date(2022, 7, 1), date(2022, 7, 2))
    return day.values


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030"])
def test_chinese_names_arrive_whole_in_every_encoding(at, tmp_path, encoding):
    assert deliver(at, put(tmp_path, "participants.csv", CHINESE.encode(encoding))).status == "accepted"
    assert names(at)["U3"] == "青岛电缆厂"


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (CHINESE.encode("utf-16"), "not a text file in UTF-8 or GB18030"),
        (CHINESE.encode() + b"\xff\xff", "neither UTF-8 nor GB18030"),
        (b"\xef\xbb\xbf" + CHINESE.encode("gb18030"), "begins with the mark of UTF-8"),
        (PARTICIPANTS.encode() + "ä,".encode("latin-1"), "neither UTF-8 nor GB18030"),
        (b"", "is empty"),
        (
            PARTICIPANTS.encode() + b'U3,"open,retail_user,,2022-01-01,\nU4,b,retail_user,,2022-01-01,\n',
            "line 2",
        ),
    ],
)
def test_a_file_that_cannot_be_read_for_certain_is_rejected_whole(at, tmp_path, content, says):
    receipt = deliver(at, put(tmp_path, "participants.csv", content))
    assert receipt.status == "rejected"
    assert says in receipt.reason
    assert set(names(at)) == {"U1", "U2"}


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("meter_readings.csv", READINGS.replace("13:15,", ""), "has 95 of the 96 periods; it lacks 13:15"),
        ("meter_readings.csv", READINGS.replace(",24:00", "").replace("00:15", "00:00,00:15"), "lacks 24:00"),
        ("meter_readings.csv", READINGS.replace("13:15", "13:00"), "13:00 stands 2 times"),
        ("meter_readings.csv", READINGS.replace("meter_id,", ""), "lacks the column meter_id"),
        ("meters.csv", METERS.replace("valid_to", "valid_till"), "has the column valid_till"),
        ("meters.csv", METERS.replace("multiplier,", ""), "lacks the column multiplier"),
        ("meters.csv", METERS.replace("multiplier", ""), "Column 3 of meters.csv has no name"),
        ("prices_at_noon.txt", "x", "neither .csv, .xlsx nor .parquet"),
        ("readings.csv", READINGS, "belongs to no table"),
        ("meters.xlsx", "not a workbook", "cannot be opened as an XLSX workbook"),
        ("meters.parquet", "not parquet", "cannot be read as Parquet"),
    ],
)
def test_a_broken_header_or_an_unknown_form_rejects_the_file_with_a_sentence(at, tmp_path, name, text, says):
    receipt = deliver(at, put(tmp_path, name, text))
    assert receipt.status == "rejected"
    assert says in receipt.reason


def test_an_optional_column_may_be_left_out_and_columns_may_stand_in_any_order(at, tmp_path):
    text = "direction,valid_from,meter_id,participant_id,multiplier\n-1,2022-01-01,M3,U1,1.5\n"
    assert deliver(at, put(tmp_path, "meters.csv", text)).status == "accepted"
    row = read_records(at, "meters").set_index("meter_id").loc["M3"]
    assert (row["multiplier"], row["direction"], row["valid_to"]) == (Decimal("1.500"), -1, None)


def test_a_row_of_95_values_is_quarantined_with_its_count_and_the_others_stay(at, tmp_path):
    short = reading("M1", DAY, 1).replace(",1\n", "\n")
    receipt = deliver(at, put(tmp_path, "meter_readings.csv", READINGS + short + reading("M2", DAY, 2)))
    (row,) = in_quarantine(at, receipt.delivery_id)
    assert (row.line, row.code) == (2, "wrong_cell_count")
    assert "98 cells, the header has 99" in row.sentence
    assert (values(at) == 2_000_000).all()


def test_an_empty_cell_is_a_missing_value_and_not_a_zero(at, tmp_path):
    text = READINGS + reading("M1", DAY, "", " ", 0, 1)
    assert deliver(at, put(tmp_path, "meter_readings.csv", text)).status == "accepted"
    (day,) = curve_days(at, "meter_readings", date(2022, 7, 1), date(2022, 7, 2))
    missing = np.iinfo(np.int64).min
    assert day.values[0, :4].tolist() == [missing, missing, 0, 1_000_000]
    assert day.has_missing


def test_blank_lines_are_no_rows_and_lines_are_counted_as_an_editor_shows_them(tmp_path):
    text = 'a,b\r\n\r\n1,"x\r\ny"\r\n,\r\n2,z\r\n'
    cells = read_file(put(tmp_path, "x.csv", text))
    assert cells.lines.tolist() == [3, 6]
    assert cells.columns["b"].to_pylist() == ["x\r\ny", "z"]


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_every_kind_of_line_end_gives_the_same_rows_and_lines(tmp_path, newline):
    text = newline.join(["a,b", "", "1,x", "1,x,3", ",", "2,z", "", ""])
    cells = read_file(put(tmp_path, "x.csv", text))
    assert [cells.columns[name].to_pylist()[-1] for name in "ab"] == ["2", "z"]
    assert [(bad.line, bad.fault.code) for bad in cells.bad] == [(4, "wrong_cell_count")]
    assert {3, 6} <= set(cells.lines.tolist()) <= {3, 5, 6}


@pytest.mark.parametrize("newline", ["\n", "\r"])  # read by Arrow, read by csv
def test_a_line_of_blanks_is_no_row_and_one_with_another_number_of_empty_cells_is_a_row_gone_wrong(
    tmp_path, newline
):
    text = newline.join(["a,b", "1,x", ",", "  ", ",,", "2,z"])
    cells = read_file(put(tmp_path, "x.csv", text))
    wrong = [bad for bad in cells.bad if bad.fault.code == "wrong_cell_count"]
    assert [bad.cells["cells"] for bad in wrong] == [["", "", ""]]


@given(
    st.lists(
        st.lists(st.text(st.sampled_from('ab ,"\n1电'), max_size=4), min_size=2, max_size=2), max_size=8
    ),
    st.booleans(),
)
def test_the_fast_reading_of_csv_equals_pythons_own(tmp_path_factory, rows, quote_all):
    import csv
    import io

    stream = io.StringIO(newline="")
    csv.writer(stream, quoting=csv.QUOTE_ALL if quote_all else csv.QUOTE_MINIMAL).writerows(
        [["a", "b"], *rows]
    )
    cells = read_file(put(tmp_path_factory.getbasetemp(), "any.csv", stream.getvalue()))
    reader = csv.reader(io.StringIO(stream.getvalue(), newline=""))
    expected, start = [], 1
    for row in reader:
        expected.append((start, *row))
        start = reader.line_num + 1
    found = list(zip(cells.lines.tolist(), *(cells.columns[name].to_pylist() for name in "ab"), strict=True))
    filled = [row for row in expected[1:] if "".join(row[1:]).strip()]
    assert [row for row in found if "".join(row[1:]).strip()] == filled


def test_a_workbook_may_hold_real_dates_times_and_numbers(at, tmp_path):
    book = openpyxl.Workbook()
    clock = [time(p // 4, p % 4 * 15) for p in range(1, 96)]
    book.active.append(["meter_id", "date", "quality", *clock, timedelta(days=1)])
    book.active.append(["M1", datetime(2022, 7, 1), "measured", 0.1 + 0.2, *[2] * 94, 1 / 3])  # noqa: DTZ001
    book.save(tmp_path / "meter_readings.xlsx")
    assert deliver(at, tmp_path / "meter_readings.xlsx").status == "accepted"
    assert values(at)[0, [0, 1, 95]].tolist() == [300_000, 2_000_000, 333_333]


def test_in_a_workbook_with_several_sheets_the_one_named_like_the_table_is_read(at, tmp_path):
    book = openpyxl.Workbook()
    book.active.title = "notes"
    book.create_sheet("meters").append(METERS.strip().split(","))
    book["meters"].append(["M3", "U1", 1, 1, date(2022, 1, 1), None])
    book.save(tmp_path / "meters_july.xlsx")
    assert deliver(at, tmp_path / "meters_july.xlsx").accepted == 1
    del book["meters"]
    book.create_sheet("more")
    book.save(tmp_path / "meters_august.xlsx")
    assert "notes, more" in deliver(at, tmp_path / "meters_august.xlsx").reason


@pytest.mark.parametrize(
    ("kind", "cells"),
    [
        (pa.float64(), [1.5, 0.1 + 0.2, None]),
        (pa.decimal128(12, 4), [Decimal("1.5"), Decimal("0.3"), None]),
        (pa.decimal128(20, 9), [Decimal("1.5"), Decimal("0.3"), None]),
        (pa.string(), ["1.5", "0.30", ""]),
        (pa.dictionary(pa.int8(), pa.string()), ["1.5", "0.3", None]),
    ],
)
def test_parquet_may_be_typed_in_any_sensible_way(at, tmp_path, kind, cells):
    table = pa.table(
        {
            "meter_id": ["M1", "M2", "M2"],
            "date": [date(2022, 7, 1), date(2022, 7, 1), date(2022, 7, 2)],
            "quality": pa.array(["measured"] * 3).dictionary_encode(),
            **{label: pa.array(cells, kind) for label in LABELS},
        }
    )
    pq.write_table(table, tmp_path / "meter_readings.parquet")
    assert deliver(at, tmp_path / "meter_readings.parquet").status == "accepted"
    first, second = curve_days(at, "meter_readings", date(2022, 7, 1), date(2022, 7, 3))
    assert first.values[:, 0].tolist() == [1_500_000, 300_000]
    assert second.has_missing


def test_whole_numbers_and_moments_of_parquet_are_taken_as_they_are(at, tmp_path):
    table = pa.table(
        {
            "event_id": ["E2"],
            "program_id": ["D1"],
            "date": pa.array([datetime(2022, 7, 18)], pa.timestamp("ns")),  # noqa: DTZ001
            "first_period": pa.array([69], pa.int16()),
            "last_period": pa.array([76], pa.uint8()),
            "announced_at": pa.array([datetime(2022, 7, 18, 5)], pa.timestamp("ms", "UTC")),  # noqa: DTZ001
            "need_mw": pa.array([1], pa.int64()),
            "direction": ["cut"],
        }
    )
    pq.write_table(table, tmp_path / "dr_events.parquet")
    assert deliver(at, tmp_path / "dr_events.parquet").status == "accepted"
    row = read_records(at, "dr_events").set_index("event_id").loc["E2"]
    assert row["announced_at"] == "2022-07-18T13:00:00+08:00"
    assert (row["date"], row["last_period"], row["need_mw"]) == (date(2022, 7, 18), 76, Decimal("1.000"))


def test_a_decimal_that_is_too_fine_is_quarantined_and_never_rounded(at, tmp_path):
    table = pa.table(
        {
            "contract_id": ["C2", "C3"],
            "seller_id": ["U2", "U2"],
            "buyer_id": ["U1", "U1"],
            "price_cny_per_mwh": pa.array([Decimal("300.1230"), Decimal("300.1234")], pa.decimal128(10, 4)),
            "valid_from": [date(2022, 1, 1)] * 2,
            "valid_to": pa.nulls(2),
        }
    )
    pq.write_table(table, tmp_path / "contracts.parquet")
    receipt = deliver(at, tmp_path / "contracts.parquet")
    (row,) = in_quarantine(at, receipt.delivery_id)
    assert (row.line, row.code) == (2, "too_many_decimals")
    assert "C2" in set(read_records(at, "contracts")["contract_id"])
