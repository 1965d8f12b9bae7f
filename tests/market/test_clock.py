"""The market's clock: when a month closes over long holidays, when a day's gates are, who owes which step."""

from __future__ import annotations

from datetime import date, datetime, time
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from market.calendars import ChinaCalendar
from market.clock import (
    Clock,
    counted_from,
    day_deadline,
    day_deadlines,
    may_correct,
    month_deadline,
    month_deadlines,
)
from market.periods import Month
from market.profiles import profile

CHINA = ChinaCalendar()
SHANDONG = profile("SD_2022")
SHANGHAI = ZoneInfo("Asia/Shanghai")


def closing(month: str) -> dict[str, str]:
    return {one.code: f"{one.day:%m-%d}" for one in month_deadlines(SHANDONG, Month.parse(month), CHINA)}


def test_january_2022_closes_after_the_spring_festival() -> None:
    # 31 January to 6 February 2022 are off (29 and 30 January were worked instead). Working days of February:
    # 7 8 9 10 11 | 14 15 16 17 18 | 21 22 23 24 25 | 28, then March 1 2 3 4 | 7 8 9 10 11 | 14 15 16
    assert closing("2022-01") == {
        "month_end": "01-31",
        "daily_updated": "02-03",  # a calendar day: inside the holiday
        "daily_confirmed": "02-04",
        "month_meters": "02-07",
        "withdrawals": "02-08",
        "ancillary": "02-09",
        "draft": "02-11",
        "confirm": "02-14",
        "verify": "02-15",
        "final": "02-16",
        "bills": "02-18",
        "payment": "02-25",
        "objection": "03-09",
        "objection_reply": "03-16",
        "look_back": "01-31",
    }


def test_february_2022_has_its_fifth_working_day_on_the_seventh_of_march() -> None:
    # March 2022 begins on a Tuesday, no holiday: 1 2 3 4 | 7 8 9 10 11 | 14; Qingming is April 3 to 5,
    # Saturday 2 April is worked: from 31 March five working days are April 1, 2, 6, 7, 8
    days = closing("2022-02")
    assert [days[step] for step in ("draft", "confirm", "verify", "final", "bills")] == [
        "03-07",
        "03-08",
        "03-09",
        "03-10",
        "03-14",
    ]
    assert (days["objection"], days["objection_reply"]) == ("03-31", "04-08")


def test_september_2022_closes_after_the_national_holiday_with_two_make_up_days() -> None:
    # October 1 to 7 are off, Saturday 8 and Sunday 9 are worked: 8 9 10 11 12 13 14 | 17 18 19
    days = closing("2022-09")
    assert [days[step] for step in ("month_meters", "draft", "confirm", "final", "bills")] == [
        "10-08",
        "10-12",
        "10-13",
        "10-17",
        "10-19",
    ]


def test_october_2022_closes_in_a_november_without_holidays() -> None:
    # November 2022 begins on a Tuesday: 1 2 3 4 | 7 8 9 10 11 | 14
    days = closing("2022-10")
    assert (days["draft"], days["final"], days["bills"]) == ("11-07", "11-10", "11-14")


def test_december_2022_is_paid_on_a_make_up_saturday_after_the_spring_festival_of_2023() -> None:
    # January 2023: 2 off for New Year; 3 4 5 6 | 9 10 11 12 13 | 16 17 18 19 20 | 21 to 27 off | 28 29 worked
    days = closing("2022-12")
    assert (days["draft"], days["final"], days["bills"]) == ("01-09", "01-12", "01-16")
    assert days["payment"] == "01-28"  # 17 18 19 20, then Saturday the 28th


def test_january_2023_closes_in_february() -> None:
    # February 2023 begins on a Wednesday: 1 2 3 | 6 7 8 9 10 | 13 14
    days = closing("2023-01")
    assert (days["draft"], days["final"], days["bills"]) == ("02-07", "02-10", "02-14")


def test_a_delivery_day_has_its_gates_the_day_before_and_its_statement_three_days_after() -> None:
    due = {one.code: (one.day, one.at) for one in day_deadlines(SHANDONG, date(2022, 7, 22), CHINA)}
    eve = date(2022, 7, 21)
    assert due["first_bid"] == (eve, time(11))
    assert due["bid_alarm"] == (eve, time(11, 15))
    assert due["bid_approved"] == (eve, time(11, 20))
    assert due["gate"] == (eve, time(11, 30))
    assert due["day_statement"] == (date(2022, 7, 25), time(19, 30))
    assert due["day_objection"] == (date(2022, 7, 26), time(17, 30))
    assert due["day_interprovincial"] == (date(2022, 7, 27), None)


def test_a_deadline_has_passed_at_its_time_and_without_a_time_when_its_day_is_over() -> None:
    statement = day_deadline(SHANDONG, "day_statement", date(2022, 7, 22), CHINA)
    assert not statement.passed(datetime(2022, 7, 25, 19, 29, tzinfo=SHANGHAI))
    assert statement.passed(datetime(2022, 7, 25, 19, 30, tzinfo=SHANGHAI))
    draft = month_deadline(SHANDONG, "draft", Month(2022, 7), CHINA)
    assert not draft.passed(datetime(2022, 8, 5, 23, 59, tzinfo=SHANGHAI))
    assert draft.passed(datetime(2022, 8, 5, 16, 0, tzinfo=ZoneInfo("UTC")))  # midnight in Shanghai
    with pytest.raises(ValueError, match="no offset"):
        draft.passed(datetime(2022, 8, 5))  # noqa: DTZ001


def test_an_objection_is_answered_five_working_days_after_it_was_filed() -> None:
    # filed on Thursday 25 August 2022: 26 | 29 30 31 | 1 September
    reply = counted_from(SHANDONG, "objection_reply", Month(2022, 7), date(2022, 8, 25), CHINA)
    assert reply.day == date(2022, 9, 1)
    assert reply.owner.code == "trading_centre"
    with pytest.raises(ValueError, match="not counted from another step"):
        counted_from(SHANDONG, "draft", Month(2022, 7), date(2022, 8, 25), CHINA)


def test_july_2022_may_be_corrected_to_the_end_of_july_2023_and_no_longer() -> None:
    last = datetime(2023, 7, 31, 23, 59, tzinfo=SHANGHAI)
    assert may_correct(SHANDONG, Month(2022, 7), last, CHINA)
    assert not may_correct(SHANDONG, Month(2022, 7), datetime(2023, 8, 1, tzinfo=SHANGHAI), CHINA)


def test_a_year_without_its_notice_is_told_apart() -> None:
    assert all(one.announced for one in month_deadlines(SHANDONG, Month(2022, 1), CHINA))
    late = {one.code: one.announced for one in month_deadlines(SHANDONG, Month(2090, 1), CHINA)}
    assert not late["draft"]
    assert late["daily_updated"]  # a calendar day does not move


def test_a_step_that_the_clock_does_not_have_is_refused_by_name() -> None:
    with pytest.raises(KeyError, match="no step 'tea'"):
        month_deadline(SHANDONG, "tea", Month(2022, 7), CHINA)
    with pytest.raises(KeyError, match="for 2019-01"):
        month_deadline(SHANDONG, "draft", Month(2019, 1), CHINA)  # the rules are not yet in force
    with pytest.raises(ValueError, match="no clock"):
        month_deadlines(profile("IPSPOT_2026"), Month(2026, 7), CHINA)


STEP = {
    "code": "a",
    "name_zh": "a",
    "name_en": "a",
    "owner": "o",
    "of": "month",
    "counted": "working_day",
    "count": 1,
    "clause": "c",
    "certainty": "design",
    "valid_from": "2021-12-01",
}


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"rule": "draft_working_day"}, "either a count or the rule"),
        ({"count": None}, "either a count or the rule"),
        ({"at": "10:00", "at_rule": "gate_closure"}, "two times"),
        ({"counted": "working_days_after"}, "`after` names the step"),
        ({"counted": "day_offset"}, "counted by day_offset"),
        ({"owner": "nobody"}, "not an owner"),
        ({"counted": "working_days_after", "after": "b"}, "does not stand before it"),
    ],
)
def test_a_clock_that_cannot_be_read_is_refused(change: dict[str, object], sentence: str) -> None:
    owners = [{"code": "o", "name_zh": "o", "name_en": "o"}]
    assert Clock.model_validate({"owners": owners, "steps": [STEP]}).steps[0].code == "a"
    with pytest.raises(ValueError, match=sentence):
        Clock.model_validate({"owners": owners, "steps": [{**STEP, **change}]})


@given(st.dates(date(2005, 1, 1), date(2026, 6, 1)), st.integers(1, 30))
def test_working_days_after_a_day_are_counted_one_by_one(start: date, count: int) -> None:
    last = CHINA.working_days_after(start, count)
    between = [start.fromordinal(n) for n in range(start.toordinal() + 1, last.toordinal() + 1)]
    assert CHINA.is_workday(last)
    assert sum(CHINA.is_workday(day) for day in between) == count


SHANDONG_2025 = profile("SD_2025")


def test_the_rules_of_2025_have_a_clock_of_their_own_with_a_clause_for_every_step() -> None:
    mine, of_2022 = SHANDONG_2025.clocked, {step.code: step for step in SHANDONG.clocked.steps}
    assert of_2022.keys() < {step.code for step in mine.steps}
    assert all(step.clause and step.valid_from >= date(2025, 10, 1) for step in mine.steps)
    assert all(step.valid_from < date(2025, 10, 1) for step in of_2022.values())
    assert mine.owners == SHANDONG.clocked.owners


def test_january_2026_closes_around_the_spring_festival_under_the_rules_of_2025() -> None:
    # February 2026: 2 3 4 5 6 | 9 10 11 12 13, Saturday 14 worked, 15 to 23 off; 24 25 26 27, Saturday 28 worked
    days = {one.code: f"{one.day:%m-%d}" for one in month_deadlines(SHANDONG_2025, Month(2026, 1), CHINA)}
    steps = ("month_end", "month_meters", "withdrawals", "draft", "confirm", "verify", "final", "bills")
    assert [days[step] for step in steps] == [
        "01-31",
        "02-02",
        "02-03",
        "02-06",
        "02-09",
        "02-10",
        "02-11",
        "02-13",
    ]
    assert days["payment"] == "02-27"  # 14, then 24 25 26 27
    assert days["look_back"] == "01-31"


def test_a_day_of_2026_has_the_inter_provincial_morning_and_results_final_at_half_past_seven() -> None:
    due = {one.code: (one.day, one.at) for one in day_deadlines(SHANDONG_2025, date(2026, 7, 22), CHINA)}
    eve = date(2026, 7, 21)
    morning = {code: at for code, (day, at) in due.items() if day == eve}
    assert morning == {
        "boundary": time(8, 45),
        "provincial_declared": time(9, 45),
        "pre_balance": time(11),
        "transfer_capability": time(11),
        "first_bid": time(11),
        "bid_alarm": time(11, 15),
        "bid_approved": time(11, 20),
        "gate": time(11, 30),
        "bids_checked": time(11, 45),
        "interprovincial_cleared": time(12, 30),
        "agency_demand": time(15),
        "day_ahead_results": time(17),
        "day_ahead_final": time(19, 30),
    }
    assert due["day_data"] == (date(2026, 7, 23), None)
    assert due["day_statement"] == (date(2026, 7, 25), time(19, 30))
    assert due["day_objection"] == (date(2026, 7, 26), time(17, 30))


def test_in_december_2025_the_inter_provincial_steps_of_2026_are_not_yet_due() -> None:
    codes = {one.code for one in day_deadlines(SHANDONG_2025, date(2025, 12, 15), CHINA)}
    assert {"boundary", "bids_checked", "interprovincial_cleared"}.isdisjoint(codes)
    assert {"gate", "day_ahead_final", "day_statement", "agency_demand"} <= codes


def test_the_gate_is_a_rule_read_only_since_the_rule_of_2026() -> None:
    certainty = {
        day: {one.code: one.step.certainty for one in day_deadlines(SHANDONG_2025, day, CHINA)}["gate"]
        for day in (date(2026, 3, 31), date(2026, 4, 1))
    }
    assert list(certainty.values()) == ["design", "rule_text"]


def test_an_older_month_is_clocked_as_if_the_rules_of_2025_had_held() -> None:
    assert month_deadlines(SHANDONG_2025, Month(2022, 7), CHINA) == ()
    reaching = SHANDONG_2025.reaching_back_to(date(2022, 7, 1))
    as_if = {one.code: one.day for one in month_deadlines(reaching, Month(2022, 7), CHINA)}
    assert as_if == {one.code: one.day for one in month_deadlines(SHANDONG, Month(2022, 7), CHINA)}
