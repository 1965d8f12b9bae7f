"""Registers, reactive energy, maximum demand and quality codes come in as the readings do."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import numpy as np
import pytest
from delivered import METERS, in_quarantine, put

from ingest.deliver import deliver
from market.curves import MISSING
from market.periods import LABELS
from market.tables import Quality
from warehouse.curves import curve_days
from warehouse.records import read_records

REGISTERS = "meter_id,flow,rate,valid_from,valid_to,start_kwh,end_kwh,digits\n"
MONTH = "2022-07-01,2022-08-01"
DAY = date(2022, 7, 1), date(2022, 7, 2)


def curve_file(table, first_cells, cells):
    return f"{table},{','.join(LABELS)}\n{first_cells},{','.join(cells)}\n"


def test_a_register_read_is_kept_by_meter_flow_rate_and_first_day(at, tmp_path):
    text = (
        REGISTERS + f"M1,forward,total,{MONTH},99990.25,120.5,5\nM1,forward,peak,{MONTH},10,20,5\n"
        f"M1,reverse,total,{MONTH},0,1,5\n"
    )
    assert deliver(at, put(tmp_path, "registers.csv", text)).status == "accepted"
    rows = read_records(at, "registers").set_index(["flow", "rate"])
    total = rows.loc[("forward", "total")]
    assert (total["start_kwh"], total["end_kwh"], total["digits"]) == (
        Decimal("99990.250000"), Decimal("120.500000"), 5,
    )  # fmt: skip
    assert total["multiplier"] is None
    assert len(rows) == 3


@pytest.mark.parametrize(
    ("row", "code"),
    [
        (f"M1,onward,total,{MONTH},1,2,5", "bad_code"),
        (f"M1,forward,night,{MONTH},1,2,5", "bad_code"),
        (f"M1,forward,total,{MONTH},1,2,2", "bad_code"),
        ("M1,forward,total,2022-07-01,2022-07-01,1,2,5", "bad_validity"),
        ("M1,forward,total,2022-07-01,,1,2,5", "missing_value"),
        (f"M9,forward,total,{MONTH},1,2,5", "unknown_meter"),
    ],
)
def test_a_register_read_that_cannot_be_is_quarantined(at, tmp_path, row, code):
    receipt = deliver(at, put(tmp_path, "registers.csv", f"{REGISTERS}{row}\n"))
    assert [entry.code for entry in in_quarantine(at, receipt.delivery_id)] == [code]


def test_reactive_energy_comes_as_two_curves_a_meter_and_day(at, tmp_path):
    head = "meter_id,flow,date,quality"
    text = curve_file(head, "M1,lagging,2022-07-01,measured", ["1.5"] * 96)
    text += f"M1,leading,2022-07-01,measured,{','.join(['0'] * 96)}\n"
    assert deliver(at, put(tmp_path, "reactive_readings.csv", text)).status == "accepted"
    (day,) = curve_days(at, "reactive_readings", *DAY)
    by_flow = dict(zip(day.keys["flow"].to_pylist(), day.values[:, 0].tolist(), strict=True))
    assert by_flow == {"lagging": 1_500_000, "leading": 0}


def test_the_maximum_demand_of_a_month_may_name_its_moment(at, tmp_path):
    text = "meter_id,month,demand_kw,reached_at\nM1,2022-07,1.25,2022-07-18T19:15:00+08:00\nM2,2022-07,3,\n"
    assert deliver(at, put(tmp_path, "maximum_demand.csv", text)).status == "accepted"
    rows = read_records(at, "maximum_demand").set_index("meter_id")
    assert rows.loc["M1", "demand_kw"] == Decimal("1.250000")
    assert rows.loc["M2", "reached_at"] is None


def test_quality_codes_come_as_words_one_a_quarter_hour_and_may_be_empty(at, tmp_path):
    cells = ["measured"] * 94 + ["estimated", ""]
    text = curve_file("meter_id,date", "M1,2022-07-01", cells)
    assert deliver(at, put(tmp_path, "meter_quality_jinan.csv", text)).status == "accepted"
    (day,) = curve_days(at, "meter_quality", *DAY)
    places = list(Quality)
    assert day.values[0, 93:].tolist() == [
        places.index(Quality.MEASURED),
        places.index(Quality.ESTIMATED),
        MISSING,
    ]


def test_a_quality_that_does_not_exist_is_quarantined_with_the_words_there_are(at, tmp_path):
    text = curve_file("meter_id,date", "M1,2022-07-01", ["guessed"] + ["measured"] * 95)
    receipt = deliver(at, put(tmp_path, "meter_quality.csv", text))
    (row,) = in_quarantine(at, receipt.delivery_id)
    assert row.code == "bad_code"
    assert "00:15" in row.sentence
    assert "substituted" in row.sentence


def test_a_meter_may_stand_behind_another_one(at, tmp_path):
    text = (
        METERS.replace("valid_to", "valid_to,main_meter_id")
        + "M3,U1,1,1,2022-01-01,,M1\nM4,U1,1,1,2022-01-01,,\n"
    )
    assert deliver(at, put(tmp_path, "meters.csv", text)).status == "accepted"
    mains = read_records(at, "meters").set_index("meter_id")["main_meter_id"]
    assert (mains["M3"], mains["M4"], mains["M1"]) == ("M1", None, None)
    assert np.dtype(object) == mains.dtype
