"""Printing a run: what is written, for whom, and when it is refused."""

from __future__ import annotations

import csv
from decimal import Decimal
from pathlib import Path

import pytest
from openpyxl import load_workbook

from jobs.report import write_reports
from warehouse.home import Home
from warehouse.runs import RunDamagedError, RunNotFoundError, find_run


def contents(folder: Path) -> dict[str, bytes]:
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def test_everyone_with_a_line_gets_a_statement_and_the_month_its_page_book_and_csv(
    printed_home: Home,
) -> None:
    written = write_reports(printed_home, "2022-07 draft v1")
    run = find_run(printed_home, "2022-07 draft v1")
    assert written.folder == printed_home.reports / run.run_id
    assert [path.name for path in written.statements] == [
        f"2022-07_{who}_draft-v1.xlsx" for who in ("A1", "G1", "OUT", "SGCC", "W1")
    ]
    assert {path.name for path in written.folder.iterdir()} == {
        "statements",
        "month_2022-07.html",
        "province_2022-07.xlsx",
        "lines_2022-07.csv",
        "printed.json",
    }
    assert run.fingerprint in written.month_page.read_text(encoding="utf-8")


def test_printing_again_gives_the_same_bytes(printed_home: Home) -> None:
    before = contents(write_reports(printed_home, "2022-07 draft v2").folder)
    assert contents(write_reports(printed_home, "2022-07 draft v2").folder) == before


def test_only_the_named_participants_statements_are_written(printed_home: Home) -> None:
    written = write_reports(printed_home, "2022-07 draft v1", participants=["W1"])
    assert [path.name for path in written.statements] == ["2022-07_W1_draft-v1.xlsx"]


def test_the_lines_file_opens_in_excel_with_chinese_heads_and_runs_no_formula(printed_home: Home) -> None:
    raw = write_reports(printed_home, "2022-07 draft v1", participants=[]).lines.read_bytes()
    assert raw.startswith(b"\xef\xbb\xbf")
    rows = list(csv.DictReader(raw.decode("utf-8-sig").splitlines()))
    assert {"主体编码", "科目编码", "电量(MWh)", "金额(元)"} <= rows[0].keys()
    assert sum(Decimal(row["金额(元)"]) for row in rows) == 0
    assert {row["市场主体"] for row in rows if row["主体编码"] == "W1"} == {"'@一号用户"}


def test_96_points_come_from_the_own_meter_and_the_grid_company_shows_its_agency_book(
    printed_home: Home,
) -> None:
    written = write_reports(printed_home, "2022-07 draft v1", participants=["A1", "SGCC", "OUT"])
    own, book, outside = (load_workbook(path, data_only=True)["分时(96点)"] for path in written.statements)
    for sheet in (own, book):
        assert [sheet.cell(5, column).value for column in (2, 97, 98)] == [0.001, 0.001, 0.096]
        assert sheet.cell(36, 98).value == 2.976  # 31 days x 96 x 1 kWh
    assert outside.max_row == 4  # heads only: nothing is metered


def test_energy_that_was_estimated_is_listed_by_day(printed_home: Home) -> None:
    written = write_reports(printed_home, "2022-07 draft v1", participants=["A1", "W1"])
    estimated, measured = (load_workbook(path, data_only=True)["异常与估算"] for path in written.statements)
    values = [[cell.value for cell in row[:2]] for row in estimated.iter_rows()]
    assert ["合计", 0.096] in values  # the 31st: 96 x 1 kWh
    assert "合计" not in [row[0].value for row in measured.iter_rows()]


def test_the_second_version_names_the_first_and_what_moved(printed_home: Home) -> None:
    written = write_reports(printed_home, "2022-07 draft v2", participants=["W1"])
    rows = {
        row[1].value: [cell.value for cell in row] for row in load_workbook(written.statements[0])["科目明细"]
    }
    row = rows["省内实时电能量"]
    assert row[4:8] == [123457.79, 123456.79, 1, "未归因"]  # these runs' inputs are not at hand
    assert row[9] == "均价变化"
    assert "2022-07 draft v1" in written.month_page.read_text(encoding="utf-8")


def test_a_participant_without_a_line_is_refused_by_name(printed_home: Home) -> None:
    with pytest.raises(ValueError, match="NOBODY has no line in run 2022-07 draft v1"):
        write_reports(printed_home, "2022-07 draft v1", participants=["W1", "NOBODY"])


def test_an_unknown_run_or_language_is_refused(printed_home: Home) -> None:
    with pytest.raises(RunNotFoundError, match="2022-07 draft v1"):
        write_reports(printed_home, "2022-07 draft v9")
    with pytest.raises(ValueError, match="'fr' is not a language of the reports"):
        write_reports(printed_home, "2022-07 draft v1", lang="fr")


def test_a_run_whose_files_were_changed_is_not_printed(printed_home: Home) -> None:
    lines = find_run(printed_home, "2022-07 draft v1").folder / "lines.parquet"
    honest = lines.read_bytes()
    lines.write_bytes(honest[:-1] + b"\0")
    try:
        with pytest.raises(RunDamagedError, match=r"lines\.parquet of run 2022-07 draft v1 was changed"):
            write_reports(printed_home, "2022-07 draft v1")
    finally:
        lines.write_bytes(honest)


def test_english_is_a_switch(printed_home: Home) -> None:
    written = write_reports(printed_home, "2022-07 draft v1", participants=["W1"], lang="en")
    assert load_workbook(written.statements[0]).sheetnames[:2] == ["Summary", "Lines"]
    assert "Monthly settlement report" in written.month_page.read_text(encoding="utf-8")


def test_statements_are_the_same_bytes_from_one_process_and_from_many(
    printed_home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    alone = contents(write_reports(printed_home, "2022-07 draft v1").folder)
    monkeypatch.setattr("jobs.statement_files.WORTH_MORE_PROCESSES", 2)
    monkeypatch.setattr("jobs.statement_files._cores", lambda: 2)
    assert contents(write_reports(printed_home, "2022-07 draft v1").folder) == alone


def test_a_csv_stands_beside_every_statement(printed_home: Home) -> None:
    written = write_reports(printed_home, "2022-07 draft v1", participants=["W1", "G1"])
    assert [path.name for path in written.tables] == [
        "2022-07_W1_draft-v1.csv",
        "2022-07_G1_draft-v1.csv",
    ]
    rows = list(csv.DictReader(written.tables[0].read_text("utf-8-sig").splitlines()))
    assert sum(Decimal(row["金额(元)"]) for row in rows) == Decimal("123431.79")
