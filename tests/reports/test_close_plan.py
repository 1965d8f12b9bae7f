"""The close of a month: which gate slips, what holds it, and the path that decides the day of the bills.

July 2022 by SD_2022: month meters due 1 August, draft the 5th, confirmed the 8th, objections answered the 9th, final the
10th, bills the 12th.
"""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from small_month import RULES, changed, made_content, month_lines, moved_by
from test_reports_month_page import page, province, text_of
from test_statement_causes import two_causes

from ingest.deliver import deliver_many
from jobs.report import write_reports
from jobs.run_content import RunReader
from jobs.settle_month import settle
from market.calendars import ChinaCalendar
from market.periods import Month
from reports.close_plan import ClosePlan, LateFeed, close_plan
from reports.labels import Labels
from reports.month_check import MonthPageDiffersError
from reports.month_numbers import city_work
from reports.month_page import month_page
from reports.version_steps import version_steps
from settlement.bridge import Cause
from settlement.findings import Finding, Severity
from warehouse.home import Home, create, home

ZH = Labels()
JULY = Month(2022, 7)
CALENDAR = ChinaCalendar()
BASE = Path(__file__).resolve().parents[1] / "scenarios" / "base"


def feed(table: str, city: str, day: int | None, cny: str = "0.00", lacking: int = 0) -> LateFeed:
    arrived = None if day is None else datetime(2022, 8, day, 15, tzinfo=ZoneInfo("Asia/Shanghai"))
    return LateFeed(table, city, arrived, 3, Decimal(1), Decimal(cny), 0, lacking)


def planned(*feeds: LateFeed) -> ClosePlan:
    return close_plan(JULY, RULES, CALENDAR, feeds)


def expected(plan: ClosePlan) -> dict[str, date | None]:
    return {gate.deadline.code: gate.expected for gate in plan.gates}


def test_a_month_in_time_passes_every_gate_when_it_is_due() -> None:
    plan = planned()
    assert [gate.slip for gate in plan.gates] == [0] * 8
    assert expected(plan)["bills"] == date(2022, 8, 12)
    assert not any(gate.critical for gate in plan.gates)


def test_a_feed_that_comes_before_the_draft_delays_its_own_gate_and_not_the_bills() -> None:
    plan = planned(feed("meter_readings", "jinan", 4))
    slips = {gate.deadline.code: gate.slip for gate in plan.gates}
    assert (slips["month_meters"], slips["draft"], slips["bills"]) == (3, 0, 0)
    assert not plan.critical_feeds
    assert [one.city for one in plan.gates[2].feeds] == ["jinan"]


def test_the_latest_feed_decides_the_bills_and_is_the_critical_path() -> None:
    # readings of yantai on Thursday the 11th: draft the 11th, confirmed Friday the 12th, answered Monday the 15th
    plan = planned(
        feed("prices", "province", 8),
        feed("meter_readings", "yantai", 11),
        feed("meter_readings", "jinan", 4),
    )
    assert expected(plan) == {
        "month_end": date(2022, 7, 31),
        "daily_updated": date(2022, 8, 8),
        "month_meters": date(2022, 8, 11),
        "draft": date(2022, 8, 11),
        "confirm": date(2022, 8, 12),
        "verify": date(2022, 8, 15),
        "final": date(2022, 8, 15),
        "bills": date(2022, 8, 15),
    }
    assert plan.critical_feeds == {("meter_readings", "yantai")}
    assert [gate.deadline.code for gate in plan.gates if gate.critical] == [
        "month_meters", "draft", "confirm", "verify", "final", "bills",
    ]  # fmt: skip
    assert plan.feeds[0].city == "yantai"  # what decides stands first


def test_a_feed_that_is_still_missing_leaves_the_bills_open() -> None:
    plan = planned(feed("positions", "province", None, lacking=2), feed("meter_readings", "jinan", 11))
    found = expected(plan)
    assert (found["daily_updated"], found["draft"], found["bills"]) == (None, None, None)
    assert plan.critical_feeds == {("positions", "province")}
    assert "month_meters" not in {gate.deadline.code for gate in plan.gates if gate.critical}


def test_the_page_shows_gates_owners_the_critical_path_and_the_money_of_each_late_feed() -> None:
    feeds = [feed("meter_readings", "yantai", 11, "1234.56"), feed("meter_readings", "jinan", 4, "7.00")]
    text = text_of(month_page(made_content(), province(), ZH, feeds))
    assert "电费账单 电网企业财务 第 10 个工作日 2022-08-12 五 2022-08-15 3 正式结算依据 关键路径" in text
    assert "分时读数 烟台 2022-08-11 3 1.000 1,234.56 关键路径" in text
    assert "分时读数 济南 2022-08-04 3 1.000 7.00" in text
    assert "2 项数据迟到或缺失, 涉及 1,241.56 元".replace(", ", "，") in text


def test_a_month_loaded_after_its_bills_were_due_is_not_judged() -> None:
    text = text_of(page())
    assert "本月数据均在账单日之后补录" in text
    assert "关键路径" not in text


def late_month(folder: Path) -> Home:
    """Everything in time but one city's readings of the last day, on the 11th of August."""
    at = home(folder / "home")
    create(at)
    files = {file.stem: file for file in sorted(BASE.glob("*.csv"))}
    rows = files["meter_readings"].read_text("utf-8-sig").splitlines()
    late = [row for row in rows[1:] if row.startswith("M-W1,2022-07-31")]
    assert late
    early, rest = folder / "meter_readings_a.csv", folder / "meter_readings_late.csv"
    early.write_text("\n".join([rows[0], *(row for row in rows[1:] if row not in late)]) + "\n", "utf-8")
    rest.write_text("\n".join([rows[0], *late]) + "\n", "utf-8")
    others = [file for name, file in files.items() if name != "meter_readings"]
    deliver_many(at, [*others, early], clock=lambda: datetime(2022, 6, 30, tzinfo=ZoneInfo("Asia/Shanghai")))
    deliver_many(at, [rest], clock=lambda: datetime(2022, 8, 11, 9, tzinfo=ZoneInfo("Asia/Shanghai")))
    return at


def test_a_simulated_month_with_a_late_city_shows_its_critical_path(tmp_path: Path) -> None:
    at = late_month(tmp_path)
    run = settle(at, JULY).run
    reader = RunReader(at, run)
    feeds = reader.late_feeds(reader.content())
    plan = close_plan(JULY, RULES, CALENDAR, feeds)
    (last,) = [one for one in plan.feeds if plan.is_critical(one)]
    assert (last.table, last.day, last.files) == (
        "meter_readings",
        date(2022, 8, 11),
        ("meter_readings_late.csv",),
    )
    assert last.moved_mwh > 0
    assert expected(plan)["bills"] == date(2022, 8, 15)
    html = write_reports(at, run.run_id, participants=[]).month_page.read_text("utf-8")
    assert "meter_readings_late.csv" in html
    assert f"{last.amount_cny:,.2f}" in html


def test_the_waterfall_leads_from_version_to_version_and_keeps_the_rounding_bar() -> None:
    steps = {step.name: step for step in version_steps(two_causes())}
    assert list(steps) == ["old", "reading", "price", "rounding", "new"]
    assert (steps["reading"].users, steps["price"].users, steps["rounding"].users) == (9, -1, 0)
    assert steps["old"].users + 8 == steps["new"].users
    html = page(two_causes())
    assert html.count('"type":"waterfall"') == 1
    assert "尾差" in text_of(html)
    assert version_steps(made_content()) == []


def test_parts_that_do_not_lead_to_the_new_version_keep_the_page_from_being_written() -> None:
    now = changed(month_lines(), "W1", "contract", amount_fen=900)
    short = moved_by({("W1", "contract"): {Cause.READING: 399}}, month_lines(), now)
    with pytest.raises(
        MonthPageDiffersError, match=r"The bridge of users comes to 123478\.12, this version has 123478\.13"
    ):
        month_page(made_content(now, previous=month_lines(), bridge=short), province(), ZH)


@pytest.mark.parametrize(
    ("name", "value"), [("charges_cny", "1.00"), ("lines", 9), ("findings", {"block": 1})]
)
def test_a_total_that_the_lines_do_not_give_keeps_the_page_from_being_written(
    name: str, value: object
) -> None:
    content = made_content()
    content.head.manifest["totals"][name] = value
    with pytest.raises(MonthPageDiffersError, match=r"month page of 2022-07 draft v2 is not written"):
        month_page(content, province(), ZH)


def test_an_account_that_differs_by_a_fen_from_the_lines_keeps_the_page_from_being_written() -> None:
    content = made_content()
    rows = tuple(
        row._replace(
            movement_cny=row.movement_cny + Decimal("0.01"), closing_cny=row.closing_cny + Decimal("0.01")
        )
        if row.account == "participant:W1"
        else row
        for row in content.accounts
    )
    object.__setattr__(content, "accounts", rows)
    with pytest.raises(
        MonthPageDiffersError, match=r"W1 is shown with 123431\.79, its account moved by 123431\.80"
    ):
        month_page(content, province(), ZH)


def test_a_city_passes_by_itself_but_for_those_with_something_to_deal_with() -> None:
    findings = [
        Finding("missing_reading", Severity.REVIEW, "W1", "Gap.", city="jinan", amount_at_stake_fen=500),
        Finding("trades_cut", Severity.INFORM, "G1", "Cut.", city="jinan"),
    ]
    work = {one.city: one for one in city_work(made_content(findings=findings))}
    jinan = work["jinan"]
    assert (jinan.participants, jinan.passed, jinan.pass_share) == (2, 1, Decimal("0.5"))
    assert (jinan.open, jinan.at_stake) == (1, Decimal("5.00"))
    assert work["yantai"].pass_share == 1


def test_the_statement_on_the_month_says_what_changed_what_waits_and_who_signed() -> None:
    content = two_causes()
    text = text_of(page(content))
    assert (
        "用户侧应付变化 +8.00 元，供电侧变化 -8.00 元；按原因：计量数据 +9.00 元、价格 -1.00 元、尾差 +0.00 元。"
        in text
    )
    assert "没有未结异常；100.00% 的主体自动通过。" in text
    assert "尚无人审核、审批或发布。" in text


def test_the_heat_map_has_layers_for_loss_and_estimated_share() -> None:
    source = np.full((31, 96), 1_030_000, np.int64)
    full = province()
    with_all = type(full)(full.days, full.use, full.price, source, np.full((31, 96), 0.25))
    html = page(curves=with_all)
    for layer in (ZH("heat_residual"), ZH("heat_estimated")):
        assert layer.encode("ascii", "backslashreplace").decode() in html  # plotly writes ASCII
