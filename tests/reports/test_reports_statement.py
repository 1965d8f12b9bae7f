"""The statement a participant receives, and the province's workbook: layout, live checks, what is missing."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from io import BytesIO
from zipfile import ZipFile

import numpy as np
import pytest
from openpyxl import Workbook, load_workbook
from small_month import DAYS, FORMULA_NAME, MONTH_WH, changed, made_content, month_lines

from market.curves import MISSING
from market.periods import LABELS, PERIODS
from reports.content import Charges, RunContent
from reports.labels import Labels
from reports.metered import Curve, Metered, MeterMonth
from reports.statement import statement
from reports.statement_facts import statement_number
from reports.statement_lines import findings_by_participant, net_of, statement_lines
from reports.workbook import province_workbook
from settlement.findings import Finding, Severity
from settlement.ledger import Line

ZH = Labels()
HEADS = {
    "科目明细": (4, ["科目编码", "科目名称", "电量(MWh)", "电价(元/MWh)", "金额(元)", "上版金额", "差额", "原因", "依据", "变化项", "实测占比"]),
    "分日": (4, ["日期", "省内实时电能量\n电量(MWh)", "省内实时电能量\n金额(元)", "日合计"]),
    "分时(96点)": (4, ["时段止", *LABELS]),
    "异常与估算": (4, ["级别", "异常", "对象", "说明", "涉及金额(元)", "处理"]),
    "规则与参数": (4, ["科目编码", "科目名称", "规则或科目", "公式", "取整", "依据", "依据程度"]),
    "版本与指纹": (4, ["文件", "行数", "sha256"]),
}  # fmt: skip


def printed(
    content: RunContent, who: str = "W1", curve: Curve | None = None, meters: tuple[MeterMonth, ...] = ()
) -> bytes:
    metered = None if curve is None else Metered(curve, meters)
    return statement(content, who, metered, findings_by_participant(content)[who], ZH)


def opened(raw: bytes, *, values: bool = False) -> Workbook:
    return load_workbook(BytesIO(raw), data_only=values)


def flat_curve(wh: int = 1000) -> Curve:
    return Curve(DAYS, np.full((len(DAYS), PERIODS), wh, np.int64))


def line_rows(raw: bytes) -> dict[str, list[object]]:
    sheet = opened(raw, values=True)["科目明细"]
    return {row[1].value: [cell.value for cell in row] for row in sheet.iter_rows(min_row=5)}


def summary(raw: bytes) -> dict[str, object]:
    return {row[0].value: row[1].value for row in opened(raw, values=True)["汇总"].iter_rows()}


def formulas(raw: bytes) -> list[str]:
    return [
        cell.value
        for sheet in opened(raw)
        for row in sheet.iter_rows()
        for cell in row
        if cell.data_type == "f"
    ]


def test_every_sheet_has_its_name_heads_and_frozen_panes() -> None:
    book = opened(printed(made_content(), curve=flat_curve()))
    assert book.sheetnames == ["汇总", *HEADS]
    for name, (row, heads) in HEADS.items():
        assert [cell.value for cell in book[name][row]][: len(heads)] == heads
    for sheet in book:
        assert sheet.freeze_panes is not None
        assert (sheet.page_setup.orientation, sheet.page_setup.paperSize) == ("landscape", 9)  # A4
        assert sheet.sheet_properties.pageSetUpPr.fitToPage


def test_the_head_says_which_run_and_version_and_whose_statement_it_is() -> None:
    content = made_content()
    head = summary(printed(content))
    assert statement_number(content, "W1") == "202207-W1-D2"
    assert head["结算单编号"] == "202207-W1-D2"
    assert head["指纹 (sha256)"] == content.head.fingerprint
    assert [head[key] for key in ("主体编码", "地市", "结算批次", "状态", "上一版本")] == [
        "W1",
        "济南",
        "2022-07 draft v2",
        "草稿",
        "无",
    ]
    assert head["实测电量占比"] == 1


def test_a_name_that_looks_like_a_formula_stays_text() -> None:
    for raw in (printed(made_content()), province_workbook(made_content(), ZH)):
        found = [
            cell.data_type
            for sheet in opened(raw)
            for row in sheet.iter_rows()
            for cell in row
            if cell.value == FORMULA_NAME
        ]
        assert found
        assert set(found) == {"s"}


def test_only_sums_and_checks_are_formulas_and_there_are_no_macros_or_links() -> None:
    for raw in (printed(made_content(), curve=flat_curve()), province_workbook(made_content(), ZH)):
        written = formulas(raw)
        assert written
        assert all(formula.startswith(("=SUM(", "=ROUND(", "=IF('", "='")) for formula in written)
        names = ZipFile(BytesIO(raw)).namelist()
        assert not [name for name in names if "vba" in name.lower() or "external" in name.lower()]


def test_the_lines_sum_to_the_stated_net_to_the_fen() -> None:
    # 123,456.79 energy + 5.00 contract - 30.00 demand response = 123,431.79
    raw = printed(made_content())
    amounts = [row[4] for name, row in line_rows(raw).items() if name and row[0] not in (None, "合计")]
    assert sum(Decimal(repr(amount)) for amount in amounts) == Decimal("123431.79")
    assert Decimal(repr(summary(raw)["净额(元)"])) == Decimal("123431.79")


def test_the_check_cells_hold_zero_and_are_live() -> None:
    raw = printed(made_content(), curve=flat_curve())
    live, shown = opened(raw), opened(raw, values=True)
    assert live["科目明细"]["E8"].value == "=SUM(E5:E7)"
    assert live["科目明细"]["E9"].value == "=ROUND(SUM(E5:E7)-'汇总'!$B$20,2)"
    assert shown["科目明细"]["E9"].value == 0
    assert shown["汇总"]["B20"].value == 123431.79
    assert shown["分时(96点)"].cell(36, 98).value == MONTH_WH / 1e6
    assert shown["分时(96点)"].cell(37, 98).value == 0


def test_a_curve_that_is_not_what_was_settled_shows_in_its_check_cell() -> None:
    shown = opened(printed(made_content(), curve=flat_curve(2000)), values=True)
    assert shown["分时(96点)"].cell(37, 98).value == MONTH_WH / 1e6  # twice the energy: 2.976 MWh too much


def test_money_has_two_decimals_energy_six_and_negatives_are_red() -> None:
    sheet = opened(printed(made_content()))["科目明细"]
    assert sheet["C5"].number_format == "0.000000;[Red]-0.000000"
    assert sheet["E5"].number_format == "#,##0.00;[Red]-#,##0.00"


def test_a_missing_amount_is_shown_as_missing_and_so_is_the_net() -> None:
    lines = changed(month_lines(), "W1", "contract", quantity_wh=None, amount_fen=None)
    raw = printed(made_content(lines))
    row = line_rows(raw)["中长期合约差价"]
    assert row[2:5] == ["缺失", "缺失", "缺失"]
    head = summary(raw)
    assert (head["净额(元)"], head["已知科目合计(元)"], head["缺失科目数"]) == ("缺失", 123426.79, 1)
    assert head["状态"] == "草稿 (有阻断异常)"
    assert opened(raw, values=True)["科目明细"]["E9"].value == 0


def test_a_quarter_hour_that_was_not_metered_is_missing_in_its_cell_and_its_day() -> None:
    curve = flat_curve()
    curve.energy[3, 41] = MISSING
    sheet = opened(printed(made_content(), curve=curve), values=True)["分时(96点)"]
    assert (sheet.cell(8, 43).value, sheet.cell(8, 98).value) == ("缺失", "缺失")
    assert (sheet.cell(8, 42).value, sheet.cell(9, 98).value) == (0.001, 0.096)


def test_the_96_points_stand_as_days_by_quarter_hours_with_start_and_end() -> None:
    sheet = opened(printed(made_content(), curve=flat_curve()), values=True)["分时(96点)"]
    assert [sheet.cell(3, 2).value, sheet.cell(4, 2).value] == ["00:00", "00:15"]
    assert [sheet.cell(3, 97).value, sheet.cell(4, 97).value] == ["23:45", "24:00"]
    assert [sheet.cell(5, 1).value.date(), sheet.cell(35, 1).value.date()] == [DAYS[0], DAYS[-1]]


def test_days_are_shown_unrounded_with_what_rounding_the_line_moved() -> None:
    sheet = opened(printed(made_content()), values=True)["分日"]
    totals = {row[0].value: row[2].value for row in sheet.iter_rows(min_row=5)}
    assert totals["明细金额"] == 123456.79
    assert totals["合计"] == pytest.approx(123456.79, abs=1e-6)
    assert abs(totals["取整差"]) < 0.005


def test_printing_twice_gives_the_same_bytes() -> None:
    assert printed(made_content(), curve=flat_curve()) == printed(made_content(), curve=flat_curve())
    assert province_workbook(made_content(), ZH) == province_workbook(made_content(), ZH)


MOVES = {
    "quantity": ({"quantity_wh": 2_000_001, "amount_fen": 500}, "电量与均价变化", Decimal("0.00")),
    "amount": ({"amount_fen": 501}, "均价变化", Decimal("0.01")),
    "nothing": ({}, "无变化", Decimal("0.00")),
    "missing": ({"amount_fen": None}, "本版缺失", None),
}


@pytest.mark.parametrize("case", MOVES)
def test_a_line_says_what_moved_against_the_version_before(case: str) -> None:
    values, reason, difference = MOVES[case]
    content = made_content(changed(month_lines(), "W1", "contract", **values), previous=month_lines())
    lines = statement_lines(content, "W1", Charges(content.matrix, ZH))
    line = next(line for line in lines if line.charge_code == "contract")
    assert line.difference_cny == difference
    assert line_rows(printed(content))["中长期合约差价"][9] == reason


def test_new_and_dropped_lines_are_named_and_count_in_the_change() -> None:
    before = [line for line in month_lines() if line.charge_code != "contract"]
    before.append(Line("W1", "congestion", "jinan", MONTH_WH, 700))
    content = made_content(previous=before)
    lines = statement_lines(content, "W1", Charges(content.matrix, ZH))
    by_code = {line.charge_code: (line.moved, line.amount_cny, line.difference_cny) for line in lines}
    assert by_code["contract"] == ("new_line", Decimal("5.00"), Decimal("5.00"))
    assert by_code["congestion"] == ("dropped_line", Decimal("0.00"), Decimal("-7.00"))
    assert net_of(lines, has_previous=True).change == Decimal("-2.00")
    assert summary(printed(content))["较上版变化(元)"] == -2


def test_a_share_of_a_pool_changes_as_a_share_and_not_by_its_price() -> None:
    content = made_content(
        changed(month_lines(), "A1", "interprovincial_gain_loss", amount_fen=1300), previous=month_lines()
    )
    assert statement_lines(content, "A1", Charges(content.matrix, ZH))[0].moved == "share"


def test_a_finding_goes_to_whom_it_names_to_their_book_and_to_nobody_else() -> None:
    meter = Finding(
        "missing_meter_day",
        Severity.BLOCK,
        "M-A1",
        "Meter M-A1 has no readings.",
        city="yantai",
        evidence={"participant_id": "A1"},
    )
    event = Finding("response_not_settled", Severity.BLOCK, "E1/W1", "Event E1: not enough history.")
    content = made_content(findings=[meter, event], books={"A1": "SGCC"})
    concerned = {who: [one.code for one in found] for who, found in findings_by_participant(content).items()}
    assert concerned == {
        "A1": ["missing_meter_day"],
        "SGCC": ["missing_meter_day"],
        "W1": ["response_not_settled"],
        "G1": [],
        "OUT": [],
    }


def test_a_missing_price_concerns_everyone_who_waits_for_an_amount() -> None:
    price = Finding("missing_price", Severity.BLOCK, "SD/real_time", "The price is missing.")
    lines = changed(month_lines(), "W1", "energy_real_time", amount_fen=None)
    concerned = findings_by_participant(made_content(lines, findings=[price]))
    assert [who for who, found in concerned.items() if found] == ["W1"]
    assert summary(printed(made_content(lines, findings=[price])))["未结异常"] == "阻断 1"


def test_the_province_workbook_closes_and_lists_every_participant() -> None:
    book = opened(province_workbook(made_content(), ZH), values=True)
    assert book.sheetnames == [
        "平衡校核",
        "账户",
        "科目汇总",
        "主体金额",
        "地市异常",
        "事件响应",
        "版本与指纹",
    ]
    assert all(sheet.freeze_panes for sheet in book)
    balance = {row[0].value: row[1].value for row in book["平衡校核"].iter_rows()}
    assert balance["全部分录合计(元) [16]"] == 0  # two postings for each of eight lines
    assert balance["上网 + 购入 − 用电 − 网损 (MWh)"] == 0
    # accounts: participants' balances and clearing accounts sum to zero
    assert book["账户"].cell(book["账户"].max_row, 4).value == pytest.approx(0, abs=1e-9)
    people = {row[0].value: row[4].value for row in book["主体金额"].iter_rows(min_row=5)}
    assert people["W1"] == 123431.79
    assert set(people) == {"W1", "SGCC", "A1", "OUT", "G1", "合计"}
    assert book["事件响应"]["A5"].value == "E1"
    assert book.properties.created.date() == date(2022, 8, 1)
