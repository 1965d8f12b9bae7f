"""A month settled again after a reading was mended: the statement's reason is the bridge's cause."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from openpyxl import load_workbook

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "corrections"))
from changed_books import BASE, JULY, give, in_month

from ingest.deliver import deliver_many
from jobs.report import Reports, write_reports
from jobs.settle_month import settle
from warehouse.home import Home, create, home


@pytest.fixture(scope="module")
def mended(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """July drafted, then W1's first day delivered again with 1 % more in every quarter-hour, then drafted again."""
    at = home(tmp_path_factory.mktemp("mended"))
    create(at)
    deliver_many(at, [BASE])
    settle(at, JULY)
    day = next(row for row in in_month("meter_readings", JULY) if row["meter_id"].startswith("M-W1"))
    more = {k: str(float(v) * 1.01) if k[:1].isdigit() else v for k, v in day.items()}
    give(at, "meter_readings", [more])
    settle(at, JULY)
    return at


@pytest.fixture(scope="module")
def written(mended: Home) -> Reports:
    return write_reports(mended, "2022-07 draft v2", participants=["W1"])


def test_the_reason_is_the_cause_and_the_bridge_sheet_adds_up(written: Reports) -> None:
    book = load_workbook(written.statements[0], data_only=True)
    lines = {row[1].value: [cell.value for cell in row] for row in book["科目明细"].iter_rows(min_row=5)}
    energy = lines["省内实时电能量"]
    assert energy[6] > 0
    assert energy[7] == "计量数据"
    assert lines["中长期合约差价"][7] == "无变化"
    heads, total = [c.value for c in book["差异桥"][4]], list(book["差异桥"].iter_rows(values_only=True))[-1]
    row = dict(zip(heads, total, strict=True))
    assert row["差额"] == row["计量数据"] != 0
    assert (row["尾差"], row["校验"]) == (0, 0)
    summary = {row[0].value: row[1].value for row in book["汇总"].iter_rows()}
    assert "meter_readings" in summary["计量数据"]
    checks = {row[3].value for row in book["汇总"].iter_rows() if row[3].value in ("OK", "不符")}
    assert checks == {"OK"}
