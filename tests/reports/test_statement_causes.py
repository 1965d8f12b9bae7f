"""Why a line changed, what was entered by hand, what each meter did: the sheets a statement has only when they say something."""

from __future__ import annotations

import csv
from datetime import date
from decimal import Decimal
from io import BytesIO

import pytest
from openpyxl import Workbook, load_workbook
from small_month import DAYS, MONTH_WH, changed, made_content, month_lines, moved_by
from test_reports_statement import flat_curve, line_rows, printed, summary

from reports.content import Adjustment, Closed, RunContent
from reports.labels import Labels
from reports.metered import Metered, MeterMonth
from reports.schema import StatementSchema, statement_schema
from reports.statement import statement
from reports.statement_csv import HEADS as CSV_HEADS
from reports.statement_csv import statement_csv
from reports.statement_facts import Statement
from settlement.bridge import Cause
from settlement.findings import Finding, Severity
from settlement.ledger import Line

ZH, EN = Labels(), Labels("en")
METERS = (MeterMonth("M-W1", Decimal(1), 1, 31, 31, MONTH_WH, MONTH_WH, 96_000),)


def two_causes() -> RunContent:
    """The reading moved W1's energy by 9.00, the price by -1.00; G1 has the counter-side."""
    now = changed(month_lines(), "W1", "energy_real_time", amount_fen=123_464_79)
    now = changed(now, "G1", "energy_real_time", amount_fen=-123_464_79)
    parts = {
        ("W1", "energy_real_time"): {Cause.PRICE: -100, Cause.READING: 900},
        ("G1", "energy_real_time"): {Cause.READING: -900, Cause.PRICE: 100},
    }
    return made_content(now, previous=month_lines(), bridge=moved_by(parts, month_lines(), now))


def by_hand() -> RunContent:
    line = Line("W1", "manual_adjustment", "jinan", 0, 250_00)
    other = Line("G1", "manual_adjustment", "jinan", 0, -250_00)
    made = Adjustment("ADJ-1", "contract", "W1", "G1", Decimal("250.00"), "=抄表争议", "函 12 号", "赵", "钱", date(2022, 7, 1), date(2022, 8, 1), "pending")  # fmt: skip
    refused = made._replace(adjustment_id="ADJ-2", amount_cny=Decimal("9.00"), state="refused")
    return made_content([*month_lines(), line, other], adjustments=(made, refused))


def opened(raw: bytes) -> Workbook:
    return load_workbook(BytesIO(raw), data_only=True)


def test_the_reason_of_a_line_is_its_causes_the_largest_first() -> None:
    rows = line_rows(printed(two_causes()))
    assert rows["省内实时电能量"][5:8] == [123456.79, 8, "计量数据、价格"]
    assert rows["中长期合约差价"][7] == "无变化"


def test_without_a_bridge_a_change_is_said_to_be_unattributed_and_why() -> None:
    now = changed(month_lines(), "W1", "contract", amount_fen=900)
    content = made_content(now, previous=month_lines(), unbridged="The rules of profile X are not at hand.")
    raw = printed(content)
    assert line_rows(raw)["中长期合约差价"][7] == "未归因"
    assert line_rows(raw)["省内实时电能量"][7] == "无变化"
    assert summary(raw)["未归因"] == "The rules of profile X are not at hand."
    assert "差异桥" not in opened(raw).sheetnames


def test_the_bridge_sheet_has_a_column_a_cause_and_rounding_is_never_hidden() -> None:
    sheet = opened(printed(two_causes()))["差异桥"]
    heads = [cell.value for cell in sheet[4]]
    row = dict(zip(heads, [cell.value for cell in sheet[5]], strict=True))
    assert (row["差额"], row["计量数据"], row["价格"], row["尾差"], row["校验"]) == (8, 9, -1, 0, 0)
    assert heads[-1] == "尾差"
    total = dict(zip(heads, [cell.value for cell in sheet[6]], strict=True))
    assert (total["差额"], total["校验"]) == (8, 0)


def test_parts_that_do_not_add_up_show_in_the_check_and_in_the_verdict() -> None:
    content = two_causes()
    row = content.bridge.rows["W1"]["energy_real_time"]
    row.parts[Cause.READING] = 899
    book = opened(printed(content))
    assert book["差异桥"]["F5"].value == 0.01
    verdicts = [row[3].value for row in book["汇总"].iter_rows() if row[0].value == "差异桥"]
    assert verdicts == ["不符"]


def test_the_summary_names_the_main_causes_with_the_files_that_brought_them() -> None:
    rows = [[cell.value for cell in row] for row in opened(printed(two_causes()))["汇总"].iter_rows()]
    at = next(place for place, row in enumerate(rows) if row[0] == "变化的主要原因")
    assert rows[at + 1][:3] == ["计量数据", "+ abc/meter_readings.csv", 9]
    assert rows[at + 2][:3] == ["价格", "", -1]


def test_every_check_stands_on_the_summary_with_its_verdict() -> None:
    raw = printed(two_causes(), curve=flat_curve(), meters=METERS)
    rows = [[cell.value for cell in row] for row in opened(raw)["汇总"].iter_rows()]
    at = next(place for place, row in enumerate(rows) if row[0] == "校核")
    checks = [row for row in rows[at + 1 :] if row[3] in ("OK", "不符")]
    assert [row[0] for row in checks] == ["科目明细", "科目明细", "分日", "分时(96点)", "计量点", "差异桥"]
    # the days of the sheet are of 123,464.79, so every check holds
    assert {row[3] for row in checks} == {"OK"}


def test_a_meter_has_its_row_with_the_share_that_was_measured() -> None:
    raw = printed(made_content(), curve=flat_curve(), meters=METERS)
    row = [cell.value for cell in opened(raw)["计量点"][5]]
    assert row == ["M-W1", 1, "用电", 31, 31, MONTH_WH / 1e6, 0.096, pytest.approx(1 - 96 / 2976)]


def test_a_meter_with_a_gap_has_no_energy_and_no_check() -> None:
    gap = (METERS[0]._replace(days=30, energy=None),)
    sheet = opened(printed(made_content(), curve=flat_curve(), meters=gap))["计量点"]
    assert sheet["F5"].value == "缺失"
    assert sheet.max_row == 6


def test_manual_adjustments_are_counted_on_page_one_and_listed_with_reason_and_approver() -> None:
    raw = printed(by_hand())
    head = summary(raw)
    assert (head["人工调整笔数"], head["人工调整金额(元)"]) == (1, 250)
    sheet = opened(raw)["人工调整"]
    rows = [[cell.value for cell in row] for row in sheet.iter_rows(min_row=5)]
    assert [row[0] for row in rows] == ["ADJ-1", "ADJ-2", "已入账合计"]
    assert (rows[0][4], rows[0][5], rows[0][8], rows[0][11]) == (250, "=抄表争议", "钱", "已入账, 待审批")
    assert sheet["F5"].data_type == "s"  # its reason begins like a formula
    assert (rows[1][11], rows[2][4]) == ("不成立, 未入账", 250)
    assert "人工调整" not in opened(printed(made_content())).sheetnames


def test_open_findings_stand_on_page_one_and_those_dealt_with_say_by_whom() -> None:
    findings = [
        Finding("missing_reading", Severity.REVIEW, "W1", "Two gaps."),
        Finding("missing_position", Severity.BLOCK, "W1", "No position."),
        Finding("trades_cut", Severity.INFORM, "W1", "Cut."),
    ]
    content = made_content(findings=findings)
    raw = printed(content)
    assert summary(raw)["未结异常"] == "阻断 1, 待核 1"
    first = next(one for one in content.findings if one.code == "missing_position")
    done = made_content(
        findings=findings, closed={first.finding_id: Closed("finding.waive", "孙", "已电话确认")}
    )
    raw = printed(done)
    states = {row[1].value: row[5].value for row in opened(raw)["异常与估算"].iter_rows(min_row=5)}
    assert states == {"日前申报缺失": "已豁免 孙: 已电话确认", "读数缺口": "未结", "成交调减": "告知"}
    assert summary(raw)["未结异常"] == "待核 1"


def test_a_row_is_as_high_as_its_longest_wrapped_text() -> None:
    long = "没有读数。" * 60  # 300 letters of twice the width of a Latin one, on a column of 90
    content = made_content(findings=[Finding("missing_reading", Severity.REVIEW, "W1", long)])
    sheet = opened(printed(content))["异常与估算"]
    assert sheet.row_dimensions[5].height == pytest.approx(3 + 12.5 * 7, abs=0.5)
    assert sheet.row_dimensions[4].height is None


def whole(labels: Labels) -> Workbook:
    """A statement with every sheet there is."""
    causes, hand = two_causes(), by_hand()
    content = made_content(
        [
            *month_lines(),
            *(Line(w, "manual_adjustment", "jinan", 0, f) for w, f in (("W1", 25000), ("G1", -25000))),
        ],
        previous=month_lines(),
        bridge=causes.bridge,
        adjustments=hand.adjustments,
    )
    return opened(statement(content, "W1", Metered(flat_curve(), METERS), [], labels))


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_sheet_names_and_headings_are_those_of_the_frozen_layout(lang: str) -> None:
    """A heading may come, at the end and with the next version of the layout; none may move, change or go."""
    book, layout = whole(Labels(lang)), statement_schema()
    assert book.sheetnames == [getattr(sheet, lang) for sheet in layout.sheets]
    for sheet in layout.sheets:
        printed_sheet = book[getattr(sheet, lang)]
        cells = [row[0] for row in printed_sheet.iter_rows(min_row=4)] if sheet.down else printed_sheet[4]
        heads = [str(cell.value) for cell in cells if cell.value][
            : len(sheet.headings) if sheet.down else None
        ]
        fixed = [getattr(heading, lang) for heading in sheet.headings]
        if sheet.repeats:  # one column a charge and quantity, between the first and the last
            ends = {getattr(heading, lang) for heading in sheet.repeats}
            assert {head.split("\n")[1] for head in heads if "\n" in head} == ends
            heads = [head for head in heads if "\n" not in head]
        assert heads == fixed


def test_a_new_heading_goes_to_the_end() -> None:
    sheet = {"zh": "x", "en": "x", "headings": [{"zh": "a", "en": "a", "since": 2}, {"zh": "b", "en": "b"}]}
    with pytest.raises(ValueError, match="put it last"):
        StatementSchema.model_validate({"version": 2, "sheets": [sheet], "csv": [{"zh": "a", "en": "a"}]})


@pytest.mark.parametrize("labels", [ZH, EN], ids=["zh", "en"])
def test_the_csv_beside_it_has_the_frozen_heads_and_the_exact_amounts(labels: Labels) -> None:
    raw = statement_csv(Statement(two_causes(), "W1", None, [], labels))
    assert raw.startswith(b"\xef\xbb\xbf")
    rows = list(csv.reader(raw.decode("utf-8-sig").splitlines()))
    assert rows[0] == [getattr(heading, labels.lang) for heading in statement_schema().csv]
    assert len(rows[0]) == len(CSV_HEADS)
    line = next(row for row in rows if row[-1] == "energy_real_time")
    assert line[4:7] == ["123464.79", "123456.79", "8.00"]
    assert line[14] == "'=1+1"  # W1's name would be a formula
    assert DAYS[0].isoformat()[:7] in line
