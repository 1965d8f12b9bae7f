"""By rule and by city: what passed by itself, what is open and how old, counted to a date that is given."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

from settlement.audit.summary import Noted, by_city, by_rule
from settlement.findings import Severity

FOUND = date(2022, 8, 5)
BLOCK, REVIEW, INFORM = Severity.BLOCK, Severity.REVIEW, Severity.INFORM
CITY_OF = {"W1": "jinan", "T1": "jinan", "A1": "jinan", "A2": "qingdao", "SGCC": "province"}


def noted(
    code="zero_energy", severity=REVIEW, queue="jinan", who=("W1",), found=FOUND, closed=None, cny="1.50"
):
    return Noted(code, severity, queue, found, closed, who, Decimal(cny))


def city(found, name="jinan", on=FOUND):
    return next(row for row in by_city(found, CITY_OF, on) if row.city == name)


def test_every_rule_stands_in_the_table_with_how_many_it_was_asked_about():
    rows = by_rule([], {"R20": 0, "R12": 7})
    assert [row.rule_id for row in rows] == [f"R{number:02d}" for number in range(1, 31)]
    assert {row.rule_id: row.looked_at for row in rows if row.rule_id in ("R01", "R12", "R20")} == {
        "R01": None,
        "R12": 7,
        "R20": 0,
    }
    assert {row.findings for row in rows} == {0}


def test_a_rule_counts_its_findings_by_severity_and_the_money_of_what_is_open():
    found = [
        noted(),
        noted(closed=FOUND),
        noted("register_rolled_over", INFORM),
        noted("tail_difference", BLOCK),
    ]
    rows = {row.rule_id: row for row in by_rule(found)}
    assert (rows["R01"].findings, rows["R01"].open, rows["R01"].at_stake_cny) == (2, 1, Decimal("1.50"))
    assert (rows["R06"].findings, rows["R06"].inform, rows["R06"].open) == (1, 1, 0)
    assert (rows["R27"].block, rows["R27"].open) == (1, 1)


def test_an_account_passes_by_itself_where_no_exception_names_it():
    found = [noted(who=("W1", "A2")), noted("register_rolled_over", INFORM, who=("T1",))]
    assert (city(found).accounts, city(found).passed, city(found).pass_share) == (3, 2, Decimal(2) / 3)
    assert city(found, "qingdao").pass_share == 0  # its account is named by another city's finding
    assert city([]).pass_share == 1


def test_an_account_whose_exception_was_closed_did_not_pass_by_itself():
    assert city([noted(closed=FOUND)]).passed == 2


def test_open_exceptions_are_put_by_their_age_on_the_date_that_is_given():
    days = [date(2022, 8, day) for day in (20, 18, 17, 15, 14, 10, 9)]  # 0, 2, 3, 5, 6, 10, 11 days old
    row = city([noted(found=day) for day in days], on=date(2022, 8, 20))
    assert (row.ages, row.oldest_days, row.open) == ((2, 2, 2, 1), 11, 7)
    later = city([noted(found=day) for day in days], on=date(2022, 9, 20))
    assert later.ages == (0, 0, 0, 7)


def test_what_is_closed_counts_by_the_days_it_took_and_no_longer_ages():
    row = city([noted(closed=date(2022, 8, 8)), noted(closed=date(2022, 8, 6))])
    assert (row.open, row.ages, row.oldest_days, row.worked_days) == (0, (0, 0, 0, 0), None, 2)


def test_information_is_no_exception_and_the_province_stands_last():
    rows = by_city([noted("trades_cut", INFORM, "province")], CITY_OF, FOUND)
    assert [row.city for row in rows] == ["jinan", "qingdao", "province"]
    assert {row.exceptions for row in rows} == {0}


def test_a_blocking_exception_of_a_queue_without_accounts_is_shown_there():
    row = city([noted("tail_difference", BLOCK, "yantai", who=("X",))], "yantai")
    assert (row.accounts, row.pass_share, row.open_blocking) == (0, None, 1)
