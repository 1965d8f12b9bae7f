"""The month page: self-contained, balanced, honest about what is missing or uncertain."""

from __future__ import annotations

import re
from base64 import b64decode
from datetime import date
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest
from small_month import DAYS, MONTH_WH, RULES, changed, made_content, month_lines

from market.calendars import ChinaCalendar
from market.curves import MISSING
from market.periods import PERIODS, Month
from reports import charts
from reports.content import Charges, EventWindow, Party, RunContent
from reports.event_numbers import Share, clock, event_totals, fairness, shares
from reports.labels import FINDINGS, Labels
from reports.month_numbers import bridge, charge_totals, findings_by_city, money_balance, party_totals
from reports.month_page import TOP, Province, month_page
from reports.month_rules import close_calendar, uncertain_rules, working_days
from settlement.findings import Finding, Severity
from settlement.ledger import Line

ZH = Labels()
CALENDAR = ChinaCalendar()


def province(missing: bool = False) -> Province:
    use = np.full((31, PERIODS), 1_000_000, np.int64)
    if missing:
        use[0, 0] = MISSING
    return Province(DAYS, use, np.full((31, PERIODS), 450_000, np.int64))


def page(content: RunContent | None = None, *, lang: str = "zh", curves: Province | None = None) -> str:
    """The page without the chart library, which is somebody else's text."""
    whole = month_page(content or made_content(), curves or province(), Labels(lang))
    assert whole.count(charts.library()) == 1
    return whole.replace(charts.library(), "")


def text_of(html: str) -> str:
    return re.sub(
        r"\s+", " ", re.sub(r"<[^>]+>", " ", re.sub(r"(?s)<script.*?</script>|<style.*?</style>", "", html))
    )


def test_the_page_loads_nothing_from_anywhere() -> None:
    html = page()
    assert "http" not in html
    assert "//cdn" not in html
    assert not re.findall(r"<(?:link|img|iframe|script[^>]+src|a )", html)
    assert not re.findall(r"@import|url\(", html)


def test_the_page_says_which_run_it_prints() -> None:
    content = made_content()
    html = page(content)
    for mark in (
        content.head.run_id,
        content.head.alias,
        content.head.fingerprint,
        "2022-08-05 16:00:00+08:00",
    ):
        assert mark in html


def test_every_part_of_the_report_is_there_in_both_languages() -> None:
    sections = [
        "statement",
        "balance",
        "charges",
        "heat",
        "participants",
        "events",
        "findings",
        "calendar",
        "rules",
        "inputs",
    ]
    for lang in ("zh", "en"):
        assert re.findall(r'<section id="(\w+)">', page(lang=lang)) == sections
    with_previous = page(made_content(previous=month_lines()))
    assert re.findall(r'<section id="(\w+)">', with_previous)[2] == "bridge"


def test_a_name_cannot_bring_markup_into_the_page() -> None:
    people = [
        Party("SGCC", "<script>alert(1)</script>", "grid_company"),
        Party("W1", "<b>W</b>", "wholesale_user"),
    ]
    html = page(made_content(people=people))
    assert "<script>alert" not in html
    assert "<b>W</b>" not in html
    assert "&lt;b&gt;W&lt;/b&gt;" in html


def test_the_books_of_a_balanced_month_hold() -> None:
    money = money_balance(made_content(), ZH)
    assert money.holds
    assert (money.postings, money.postings_sum) == (16, Decimal("0.00"))
    energy = next(account for account in money.accounts if account.code == "energy")
    assert (energy.turnover, energy.movement, energy.state) == (Decimal("123456.79"), Decimal("0.00"), "yes")


def test_an_account_that_does_not_close_fails_openly() -> None:
    lines = changed(month_lines(), "G1", "contract", amount_fen=-499)
    states = {account.code: account.state for account in money_balance(made_content(lines), ZH).accounts}
    assert states["contract"] == "no"
    assert states["energy"] == "yes"
    assert "✗ 不平" in text_of(page(made_content(lines)))


def test_an_account_with_a_missing_line_waits_and_the_page_says_so() -> None:
    lines = changed(month_lines(), "W1", "contract", amount_fen=None)
    content = made_content(lines)
    states = {account.code: account.state for account in money_balance(content, ZH).accounts}
    assert (states["contract"], states["energy"]) == ("waiting", "yes")
    text = text_of(page(content))
    assert "待补数据" in text
    assert "处理或具名豁免前不能审批" in text


def test_energy_that_is_not_known_is_missing_and_not_zero() -> None:
    content = made_content()
    content.head.manifest["totals"].update(loss_mwh=None, use_mwh=None)
    text = text_of(page(content))
    assert "缺失 用电量 (MWh)" in text
    assert "缺失 网损率" in text


def heat_values(html: str) -> np.ndarray:
    """The first layer of the heat-map as the page carries it."""
    content = re.search(r'"z":\{"dtype":"f8","bdata":"([^"]+)"', html)
    assert content is not None
    raw = content[1].encode().decode("unicode_escape")
    return np.frombuffer(b64decode(raw), dtype=np.float64)


def test_the_heat_map_shows_cost_and_leaves_a_missing_quarter_hour_blank() -> None:
    # 1 MWh at 450 yuan/MWh is 0.045 of 10,000 yuan
    whole, blank = heat_values(page()), heat_values(page(curves=province(missing=True)))
    assert len(whole) == 31 * PERIODS
    assert set(whole) == {0.045}
    assert np.flatnonzero(np.isnan(blank)).tolist() == [0]


def test_a_home_without_curves_prints_the_page_without_a_heat_map() -> None:
    assert "本机没有该月计量曲线" in month_page(made_content(), None, ZH)


def test_charges_say_who_pays_and_who_receives() -> None:
    content = made_content()
    one = charge_totals(content, Charges(content.matrix, ZH))[0]
    assert one.code == "energy_real_time"
    assert dict(one.by_kind) == {"wholesale_user": Decimal("123456.79"), "generator": Decimal("-123456.79")}
    assert (one.payers, one.payees, one.net) == (1, 1, Decimal("0.00"))
    assert (one.use_mwh, one.supply_mwh) == (Decimal(MONTH_WH) / 10**6, Decimal("3.000000"))


def test_only_the_largest_are_listed() -> None:
    many = [Line(f"W{number:04d}", "contract", "jinan", 1000, number) for number in range(1, 41)]
    many.append(Line("G1", "contract", "jinan", 1000, -sum(range(1, 41)), delivered=True))
    html = page(made_content(many))
    assert [one.party.participant_id for one in party_totals(made_content(many))][:2] == ["W0040", "W0039"]
    assert len(re.findall(r'<span class="id">W\d{4}</span>', html)) == TOP


def test_an_events_payment_is_what_its_tranches_charge() -> None:
    event = event_totals(made_content())[0]
    assert (event.called, event.valid, event.cost) == (1, 1, Decimal("30.00"))
    assert dict(event.tranches) == {"benefit": Decimal("10.00"), "residual": Decimal("20.00")}
    assert event.benefit == Decimal("10.00")  # it stands on both tranches and counts once
    assert event.benefit_ratio == Decimal(10) / Decimal(30)
    assert shares(made_content()) == [Share("SGCC", Decimal("10.00"), Decimal("30.00"))]


def test_an_event_window_reads_from_its_start_to_its_end() -> None:
    assert clock(EventWindow("E1", date(2022, 7, 18), 69, 76)) == "17:00-19:00"
    assert clock(EventWindow("E2", date(2022, 7, 18), 1, 96)) == "00:00-24:00"


@pytest.mark.parametrize(
    ("payers", "index"),
    [
        ([(100, 50), (200, 100)], Decimal(1)),  # equal ratios
        ([(100, 50), (100, 0)], Decimal("0.5")),  # one of two bears all: (1/2)² / (2·1/4)
        ([(0, 50)], None),  # nobody benefited
    ],
)
def test_the_fairness_index_is_one_where_all_bear_the_same_share_of_their_benefit(
    payers: list[tuple[int, int]], index: Decimal | None
) -> None:
    made = [Share(f"P{i}", Decimal(benefit), Decimal(charge)) for i, (benefit, charge) in enumerate(payers)]
    assert fairness(made) == index


def test_cities_with_blocking_findings_stand_first_and_the_province_last() -> None:
    findings = [
        Finding("loss_out_of_range", Severity.REVIEW, "2022-07-03", "Loss.", city=None),
        Finding("missing_reading", Severity.REVIEW, "M1", "Gap.", city="jinan"),
        Finding("missing_meter_day", Severity.BLOCK, "M2", "Day.", city="yantai"),
    ]
    content = made_content(findings=findings)
    assert list(findings_by_city(content)) == ["yantai", "jinan", None]
    text = text_of(page(content))
    # city, participants, passed by themselves, their share, blocking, review
    assert (
        text.index("烟台 1 1 100.00% 1") < text.index("济南 2 2 100.00% 1") < text.index("省级 2 2 100.00% 1")
    )
    assert "没有异常" not in text


def test_a_month_without_findings_says_so() -> None:
    assert "本月没有异常。" in text_of(page())


def test_the_bridge_counts_what_changed_by_charge() -> None:
    content = made_content(changed(month_lines(), "W1", "contract", amount_fen=900), previous=month_lines())
    rows = {row.code: row for row in bridge(content, Charges(content.matrix, ZH))}
    assert (rows["contract"].now_charges - rows["contract"].before_charges, rows["contract"].changed) == (
        Decimal("4.00"),
        1,
    )
    assert rows["energy_real_time"].changed == 0
    assert bridge(made_content(), Charges(content.matrix, ZH)) == []


def test_july_2022_closes_on_working_days_five_to_ten_of_august() -> None:
    # August 2022: the 1st is a Monday, no holiday; SD25 14.4: 5th draft, +1 confirm, 8th final, 10th bills
    steps = {one.step: one.day for one in close_calendar(Month(2022, 7), RULES, CALENDAR)}
    assert steps == {
        "month_end": date(2022, 7, 31),
        "draft": date(2022, 8, 5),
        "confirm": date(2022, 8, 8),
        "verify": date(2022, 8, 9),
        "final": date(2022, 8, 10),
        "bills": date(2022, 8, 12),
    }


def test_september_2022_closes_after_the_holiday_with_its_make_up_days() -> None:
    # October 1-7 2022 are off; Saturday the 8th and Sunday the 9th are worked
    steps = {one.step: one.day for one in close_calendar(Month(2022, 9), RULES, CALENDAR)}
    assert steps["draft"] == date(2022, 10, 12)
    assert steps["bills"] == date(2022, 10, 19)
    days = working_days(Month(2022, 9), date(2022, 10, 9), CALENDAR)
    assert days[-2:] == [(date(2022, 10, 8), 1), (date(2022, 10, 9), 2)]
    assert {ordinal for _, ordinal in days[:7]} == {None}


def test_rules_without_a_rule_text_are_listed_and_the_others_are_not() -> None:
    names = {rule.name: rule for rule in uncertain_rules(RULES, Month(2022, 7), ZH)}
    assert names["capacity_price_cny_per_mwh"].value == "99.1"
    assert names["capacity_price_cny_per_mwh"].certainty == "secondary"
    assert "需求响应费用分摊" in names
    assert "look_back_months" not in names  # SD25, read
    assert "省内实时电能量" not in names


def test_every_finding_the_system_makes_has_a_name_in_both_languages() -> None:
    root = Path(__file__).resolve().parents[2]
    made = {
        code
        for room in ("settlement", "jobs")
        for file in (root / room).glob("*.py")
        for code in re.findall(r'\bFinding\(\s*"([a-z_]+)"', file.read_text(encoding="utf-8"))
    }
    assert "missing_price" in made
    assert made - FINDINGS.keys() == set(), "give these findings a name in reports/labels.py"
