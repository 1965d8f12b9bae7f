"""Events as records say them: terms of the day, aggregators, what a baseline must not use."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime
from decimal import Decimal

import pandas as pd
import pytest

from ingest.deliver import deliver_many
from jobs.demand_response import MonthResponse, record_event
from jobs.dr_day import EventDays
from jobs.dr_events import MonthEvents
from market.profiles import profile
from warehouse.home import create, home

EVENT, PROGRAM, GROUP = "DR-20220719-DA", "DR-DA-2022", "VPP01"


def days_with(sample_home, **changed) -> EventDays:
    """The event of the sample with some of its tables changed."""
    days = EventDays.of_event(sample_home, EVENT, profile("SD_2022"), None)
    days.events = replace(days.events, tables={**days.events.tables, **changed})
    return days


def declared(sample_home, *, also_members: bool):
    """The aggregator enrolled and awarded as such; its members' own awards kept or withdrawn."""
    tables = EventDays.of_event(sample_home, EVENT, profile("SD_2022"), None).events.tables
    enrolments, awards = tables["dr_enrolments"], tables["dr_awards"]
    members = enrolments[(enrolments["aggregator_id"] == GROUP) & (enrolments["program_id"] == PROGRAM)]
    pattern = members.iloc[:1].assign(
        participant_id=GROUP, aggregator_id=None, baseline_method="mean_5", adjustment="none"
    )
    mine = awards[awards["event_id"] == EVENT]
    own = mine[mine["participant_id"].isin(members["participant_id"])]
    award = mine.iloc[:1].assign(participant_id=GROUP, committed_kw=own["committed_kw"].sum())
    kept = awards if also_members else awards.drop(own.index)
    days = days_with(
        sample_home,
        dr_enrolments=pd.concat([enrolments, pattern], ignore_index=True),
        dr_awards=pd.concat([kept, award], ignore_index=True),
    )
    return days, tuple(sorted(members["participant_id"]))


def test_an_aggregator_that_is_awarded_is_settled_on_the_sum_of_its_members_and_paid_itself(
    sample_home,
) -> None:
    days, members = declared(sample_home, also_members=False)
    (settled,) = days.settle_all()
    outcome = next(one for one in settled.outcomes if one.participant_id == GROUP)
    assert outcome.payment_fen > 0
    assert not {one.participant_id for one in settled.outcomes} & set(members)
    book = days.book.only(members)
    (mean,) = {
        round(
            float(
                book.kw[:, [book.dates.index(day) for day in outcome.baseline.days_used], 68]
                .sum(axis=0)
                .mean()
            ),
            6,
        )
    }
    assert float(outcome.baseline.curve[0]) == pytest.approx(mean)
    assert date(2022, 7, 18) in outcome.baseline.excluded  # members were called the day before
    result = MonthResponse()
    record_event(settled, days.events.enrolments(settled.event), days.roster, result)
    paid = {one.participant_id for one in result.amounts if one.charge_code == "demand_response_payment"}
    assert GROUP in paid


def test_an_award_at_two_levels_is_settled_at_the_upper_one_and_blocks_the_run(sample_home) -> None:
    days, members = declared(sample_home, also_members=True)
    (settled,) = days.settle_all()
    found = [one for one in days.findings if one.code == "award_at_two_levels"]
    assert {one.subject.split("/")[1] for one in found} <= set(members)
    assert len(found) > 0
    assert {str(one.severity) for one in found} == {"block"}
    assert not {one.participant_id for one in settled.outcomes} & set(members)
    assert "withdraw one of the two awards" in found[0].sentence


def test_a_member_is_barred_on_days_its_aggregator_was_called(sample_home) -> None:
    days, members = declared(sample_home, also_members=False)
    later = MonthEvents.one(sample_home, "DR-20220721-DA", None)
    events = replace(later, tables=days.events.tables)
    barred = events.barred_days(events.events[0])
    assert all(barred[member][date(2022, 7, 19)] == "event" for member in members)
    assert all(day < date(2022, 7, 21) for days_off in barred.values() for day in days_off)


def test_the_price_of_a_missing_kwh_comes_with_the_program(tmp_path, sample_folder) -> None:
    at = home(tmp_path / "home")
    create(at)
    written = (sample_folder / "dr_programs.csv").read_text(encoding="utf-8-sig").splitlines()
    header, *rows = written
    priced = [
        row.replace("240,,,", "240,0.5,0.5,") + (",2.5" if row.startswith("DR-EM") else ",") for row in rows
    ]
    changed = tmp_path / "dr_programs.csv"
    changed.write_text("\n".join([header + ",penalty_price_cny_per_kwh", *priced]) + "\n", encoding="utf-8")
    deliver_many(at, [changed, sample_folder / "dr_events.csv"])
    events = MonthEvents.one(at, "DR-20220718-EM", None)
    program = events.program(events.events[0], profile("SD_2022").settled[0])
    assert (program.penalty_share, program.penalty_price_cny_per_kwh) == (Decimal("0.5"), Decimal("2.5"))


def test_a_method_fixed_after_the_call_is_said_and_an_award_without_enrolment_blocks(sample_home) -> None:
    tables = EventDays.of_event(sample_home, EVENT, profile("SD_2022"), None).events.tables
    enrolments = tables["dr_enrolments"]
    mine = enrolments["program_id"] == PROGRAM
    late = enrolments.assign(
        fixed_at=enrolments["fixed_at"].where(
            ~(mine & (enrolments["participant_id"] == "W0001")), "2022-07-19T00:00:00+08:00"
        )
    )
    without = late[~(mine & (late["participant_id"] == "W0002"))]
    days = days_with(sample_home, dr_enrolments=without)
    (settled,) = days.settle_all()
    assert {one.code: one.subject for one in days.findings} == {
        "method_fixed_after_call": f"{EVENT}/W0001",
        "award_without_enrolment": f"{EVENT}/W0002",
    }
    assert "W0002" not in {one.participant_id for one in settled.outcomes}


def test_a_program_that_is_not_in_force_on_the_day_is_refused(sample_home) -> None:
    tables = EventDays.of_event(sample_home, EVENT, profile("SD_2022"), None).events.tables
    ended = tables["dr_programs"].assign(valid_to=date(2022, 7, 1))
    with pytest.raises(LookupError, match=f"0 rows of program {PROGRAM} are in force on 2022-07-19"):
        list(days_with(sample_home, dr_programs=ended).settle_all())


def test_what_was_not_delivered_yet_is_not_known(sample_home) -> None:
    with pytest.raises(LookupError, match="none yet"):
        MonthEvents.one(sample_home, EVENT, datetime.fromisoformat("2022-01-01T00:00:00+08:00"))
