"""Every reason a row can be quarantined for: a row that gives it, beside a row that does not."""

from __future__ import annotations

from typing import NamedTuple

import openpyxl
import pytest
from delivered import LONG, METERS, PARTICIPANTS, READINGS, in_quarantine, put, reading

from ingest.deliver import deliver
from ingest.faults import CODES

EVENTS = "event_id,program_id,date,first_period,last_period,announced_at,need_mw,direction\n"
CONTRACT_CURVES = READINGS.replace("meter_id", "contract_id").replace(",quality", "")
ATC = READINGS.replace("meter_id", "section_id").replace("quality", "stage")
TRADES = (
    "trade_id,date,stage,round,period,path_id,seller_node,buyer_node,seller_id,buyer_id,sell_mw,buy_mw,"
    "sell_price,landed_price,executed_sell_mw,executed_buy_mw\n"
)
TRADE = ",2022-07-18,day_ahead,1,{period},{path},NX,SD,U1,U2,10,9,300,400,10,9\n"
CAPACITY = "participant_id,month,capacity_mw\n"
MIDNIGHT = READINGS.replace("00:15", "00:00,00:15", 1)


class Case(NamedTuple):
    """The last line of the file is the faulty one, the line before is good."""

    code: str
    file: str
    header: str
    good: str
    bad: str
    says: str


DAY = "2022-07-01"
CASES = [
    Case("wrong_cell_count", "meter_readings.csv", READINGS, reading("M1", DAY, 1),
         reading("M2", DAY, 1).replace(",1\n", "\n"), "98 cells, the header has 99"),
    Case("bad_quotes", "participants.csv", PARTICIPANTS, 'U3,"甲,乙",retailer,,2022-01-01,\n',
         'U4,"甲"乙,retailer,,2022-01-01,\n', "quotation mark"),
    Case("formula_in_cell", "participants.csv", PARTICIPANTS, "U3,甲=乙,retailer,,2022-01-01,\n",
         "U4,=1+1,retailer,,2022-01-01,\n", "holds the formula =1+1"),
    Case("missing_value", "meters.csv", METERS, "M3,U1,1,1,2022-01-01,\n", "M4,U1,1, ,2022-01-01,\n",
         "direction is empty"),
    Case("bad_text", "participants.csv", PARTICIPANTS, "U3,甲 乙,retailer,,2022-01-01,\n",
         "U4,甲\x08乙,retailer,,2022-01-01,\n", "control letter"),
    Case("bad_number", "meter_readings.csv", READINGS, reading("M1", DAY, "-1.5", "+2", "007.250000"),
         reading("M2", DAY, 1, "1e3"), "00:30 holds '1e3', which is not a plain decimal number"),
    Case("too_many_decimals", "meter_readings.csv", READINGS, reading("M1", DAY, "1.2345670"),
         reading("M2", DAY, "1.2345678"), "6 decimals are kept"),
    Case("out_of_range", "meter_readings.csv", READINGS, reading("M1", DAY, "9223372036854.775807"),
         reading("M2", DAY, "9223372036854.775808"), "too large"),
    Case("bad_date", "meter_readings.csv", READINGS, reading("M1", "2024-02-29", 1),
         reading("M1", "2022-02-29", 1), "'2022-02-29' is not in the calendar"),
    Case("bad_month", "capacity_available.csv", CAPACITY, "U1,2022-07,3\n", "U1,2022-13,3\n",
         "'2022-13' is not a month"),
    Case("bad_instant", "dr_events.csv", EVENTS, "E2,D1,2022-07-18,1,2,2022-07-18T05:00:00Z,1,cut\n",
         "E3,D1,2022-07-18,1,2,2022-07-18T13:00:00,1,cut\n", "has no offset"),
    Case("bad_code", "participants.csv", PARTICIPANTS, "U3,甲,retailer,,2022-01-01,\n",
         "U4,乙,shop,,2022-01-01,\n", "'shop'; it takes one of wholesale_user, retailer"),
    Case("bad_period", "trades.csv", TRADES, "T1" + TRADE.format(period=96, path="P1"),
         "T2" + TRADE.format(period=97, path="P1"), "periods 1 to 96"),
    Case("leading_midnight_value", "meter_readings.csv", MIDNIGHT,
         reading("M1", DAY, "", *[1] * 96), reading("M2", DAY, 5, *[1] * 96), "24:00 of the day before"),
    Case("bad_interval", "meter_readings_long.csv", LONG,
         "M1,2022-07-01T00:00,1,measured\nM1,2022-07-01T00:15,1,measured\n",
         "M1,2022-07-01T00:20,1,measured\n", "2022-07-01T00:20"),
    Case("unknown_interval", "meter_readings_long.csv", LONG,
         "M1,2022-07-01T00:00,1,measured\nM1,2022-07-01T01:00,1,measured\n",
         "M2,2022-07-01T00:00,1,measured\n", "15, 30 or 60"),
    Case("bad_validity", "meters.csv", METERS, "M3,U1,1,1,2022-01-01,2022-01-02\n",
         "M4,U1,1,1,2022-01-01,2022-01-01\n", "does not lie behind valid_from 2022-01-01"),
    Case("unknown_participant", "meters.csv", METERS, "M3,U1,1,1,2022-01-01,\n", "M4,U9,1,1,2022-01-01,\n",
         "the participant U9, which no delivery of participants has brought"),
    Case("unknown_meter", "meter_readings.csv", READINGS, reading("M1", DAY, 1), reading("M9", DAY, 1), "meter M9"),
    Case("unknown_contract", "contract_curves.csv", CONTRACT_CURVES,
         reading("C1", DAY, 1).replace(",measured", ""), reading("C9", DAY, 1).replace(",measured", ""),
         "contract C9"),
    Case("unknown_section", "atc.csv", ATC, reading("S1", DAY, 1, quality="day_ahead"),
         reading("S9", DAY, 1, quality="day_ahead"), "section S9"),
    Case("unknown_path", "trades.csv", TRADES, "T1" + TRADE.format(period=1, path="P1"),
         "T2" + TRADE.format(period=1, path="P9"), "path P9"),
    Case("unknown_program", "dr_events.csv", EVENTS, "E2,D1,2022-07-18,1,2,2022-07-18T13:00:00+08:00,1,cut\n",
         "E3,D9,2022-07-18,1,2,2022-07-18T13:00:00+08:00,1,cut\n", "program D9"),
    Case("unknown_event", "dr_awards.csv", "event_id,participant_id,committed_kw,price_cny,price_unit\n",
         "E1,U1,100,2,per_kwh\n", "E9,U1,100,2,per_kwh\n", "event E9"),
]  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.code)
def test_a_faulty_row_is_quarantined_with_its_code_and_the_good_row_beside_it_is_taken(at, tmp_path, case):
    receipt = deliver(at, put(tmp_path, case.file, case.header + case.good + case.bad))

    (row,) = in_quarantine(at, receipt.delivery_id)
    lines = (case.header + case.good + case.bad).count("\n")
    assert (row.code, row.line) == (case.code, lines)
    assert case.says in row.sentence
    assert (receipt.status, receipt.quarantined, receipt.accepted) == ("partly", 1, lines - 2)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.code)
def test_without_the_faulty_row_nothing_is_quarantined(at, tmp_path, case):
    receipt = deliver(at, put(tmp_path, case.file, case.header + case.good))

    assert (receipt.status, receipt.reason) == ("accepted", None)
    assert in_quarantine(at, receipt.delivery_id) == []


def test_a_formula_and_a_spreadsheet_error_are_seen_in_a_workbook_and_never_evaluated(at, tmp_path):
    book = openpyxl.Workbook()
    book.active.append(PARTICIPANTS.strip().split(","))
    book.active.append(["U3", "甲", "retailer", None, "2022-01-01"])
    book.active.append(["U4", "=1+1", "retailer", None, "2022-01-01"])
    book.active.append(["U5", "#DIV/0!", "retailer", None, "2022-01-01"])
    book.active["B4"].data_type = "e"
    book.save(tmp_path / "participants.xlsx")

    receipt = deliver(at, tmp_path / "participants.xlsx")

    rows = in_quarantine(at, receipt.delivery_id)
    assert [(row.line, row.code) for row in rows] == [(3, "formula_in_cell"), (4, "error_in_cell")]
    assert rows[0].sentence == "The cell name holds the formula =1+1; put its value there."
    assert rows[0].content["participant_id"] == "U4"
    assert receipt.accepted == 1


def test_rows_that_contradict_each_other_are_all_quarantined_and_a_mere_repetition_is_taken_once(
    at, tmp_path
):
    text = (
        READINGS
        + reading("M1", DAY, 1)
        + reading("M2", DAY, 2)
        + reading("M1", DAY, 1)
        + reading("M2", DAY, 3)
    )

    receipt = deliver(at, put(tmp_path, "meter_readings.csv", text))

    rows = in_quarantine(at, receipt.delivery_id)
    assert [(row.line, row.code) for row in rows] == [(3, "conflicting_rows"), (5, "conflicting_rows")]
    assert "lines 3, 5 have the same key (meter_id M2, date 2022-07-01)" in rows[0].sentence
    assert (receipt.rows, receipt.accepted, receipt.repeated) == (4, 2, 1)


def test_every_code_is_shown_here():
    shown = {case.code for case in CASES} | {"error_in_cell", "conflicting_rows"}
    assert shown == set(CODES)


def test_a_row_with_several_faults_names_the_first_and_counts_the_rest(at, tmp_path):
    text = READINGS + reading("M1", DAY, "x", "1,234.5".replace(",", "，"), "１", 1)

    receipt = deliver(at, put(tmp_path, "meter_readings.csv", text))

    (row,) = in_quarantine(at, receipt.delivery_id)
    assert row.sentence.startswith("The cell 00:15 holds 'x'")
    assert row.sentence.endswith("The row has 2 more faults.")
    assert row.content == {"meter_id": "M1", "date": DAY, "quality": "measured", "00:15": "x"}


@pytest.mark.parametrize(
    ("cell", "says"),
    [
        ('"1,234.5"', "thousands separator"),
        ("1，234", "thousands separator"),
        ("１２", "full-width"),
        (".5", "plain"),
    ],
)
def test_numbers_in_other_spellings_are_refused_with_what_is_wrong(at, tmp_path, cell, says):
    text = READINGS + reading("M1", DAY, 1) + reading("M2", DAY, cell, 1)

    (row,) = in_quarantine(at, deliver(at, put(tmp_path, "meter_readings.csv", text)).delivery_id)

    assert row.code == "bad_number"
    assert says in row.sentence


def test_the_quarantine_file_says_where_and_why_and_can_be_mended_and_delivered(at, tmp_path):
    text = METERS + "M3,U1,1,1,2022-01-01,\nM4,U1,1,5,2022-01-01,\nM5,U1,=2,1\n"
    receipt = deliver(at, put(tmp_path, "meters.csv", text))

    file = at.quarantine / f"{receipt.delivery_id[:16]}.csv"
    head, bad_code, misfit = file.read_text(encoding="utf-8-sig").splitlines()

    assert head.startswith('"line","code","sentence","meter_id"')
    assert bad_code.startswith('3,"bad_code","The cell direction holds 5; it takes 1 or -1."')
    assert '"M4","U1","1","5","2022-01-01"' in bad_code
    assert misfit.startswith('4,"wrong_cell_count"')
    mended = METERS + "M4,U1,1,-1,2022-01-01,\n"
    assert deliver(at, put(tmp_path, "meters_mended.csv", mended)).status == "accepted"


def test_a_formula_in_the_quarantine_file_is_text_to_a_spreadsheet(at, tmp_path):
    text = PARTICIPANTS + '"=1+1",@甲,retailer,,2022-01-01,\n'
    receipt = deliver(at, put(tmp_path, "participants.csv", text))
    file = at.quarantine / f"{receipt.delivery_id[:16]}.csv"
    assert """"'=1+1","'@甲","retailer\"""" in file.read_text(encoding="utf-8-sig")
