"""From a planned event to a final one, and what is refused on the way (A3, A1; the table of docs/demand_response.md)."""

import datetime as dt
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from demand_response.events import Event
from demand_response.lifecycle import (
    TRANSITIONS,
    Facts,
    State,
    Step,
    StepRefusedError,
    advance,
    begins,
    check_appeal,
    state_of,
    transition_table,
)

SHANGHAI = ZoneInfo("Asia/Shanghai")
EVENT = Event(
    event_id="E1",
    program_id="P1",
    date=dt.date(2022, 7, 20),
    first_period=69,
    last_period=72,
    announced_at=dt.datetime(2022, 7, 19, 10, tzinfo=SHANGHAI),
)


def at(day, hour):
    return dt.datetime(2022, 7, day, hour, tzinfo=SHANGHAI)


def state(moment, **facts):
    return state_of(EVENT, Facts(**facts), moment, SHANGHAI)


def test_an_event_walks_from_plan_to_final():
    walked = [State.PLANNED]
    for step in (Step.INVITE, Step.AWARD, Step.CALL, Step.MEASURE, Step.SETTLE, Step.FINALISE):
        walked.append(advance("E1", walked[-1], step))
    assert walked == ["planned", "invited", "awarded", "called", "measured", "provisional", "final"]


def test_the_state_follows_from_what_is_on_record_and_the_moment():
    assert state(at(18, 9)) is State.PLANNED
    assert state(at(19, 10)) is State.INVITED
    assert state(at(19, 14), awarded=True) is State.AWARDED
    assert begins(EVENT, SHANGHAI) == at(20, 17)  # period 69 starts 17:00
    assert state(at(20, 17), awarded=True) is State.CALLED
    assert state(at(21, 6), awarded=True, measured=True) is State.MEASURED
    assert state(at(21, 9), awarded=True, measured=True, provisional=True) is State.PROVISIONAL
    assert state(at(30, 9), awarded=True, measured=True, final=True) is State.FINAL


def test_readings_that_are_there_before_anyone_was_awarded_settle_nothing():
    assert state(at(21, 9), measured=True, provisional=True) is State.INVITED


def test_an_event_without_an_announcement_may_stand_on_contracts():
    contracted = Event(event_id="E2", program_id="P1", date=EVENT.date, first_period=1, last_period=4)
    assert state_of(contracted, Facts(awarded=True), at(19, 9), SHANGHAI) is State.AWARDED


def test_a_cancelled_event_stays_cancelled():
    assert state(at(21, 9), awarded=True, cancelled=True) is State.CANCELLED
    with pytest.raises(
        StepRefusedError, match=r"E1 is cancelled; it can be called only when awarded\. .* plan a new one"
    ):
        advance("E1", State.CANCELLED, Step.CALL)


def test_an_event_that_has_begun_is_not_called_off():
    with pytest.raises(StepRefusedError, match="it can be cancelled only when awarded, invited, planned"):
        advance("E1", State.CALLED, Step.CANCEL)


def test_a_final_event_is_not_settled_again_without_an_appeal_or_a_correction():
    with pytest.raises(StepRefusedError, match="appeal or by correcting the month"):
        advance("E1", State.FINAL, Step.SETTLE)
    assert advance("E1", State.APPEALED, Step.FINALISE) is State.FINAL


def test_an_appeal_waits_until_the_day_after_the_next_and_only_one_is_open():
    done = Facts(awarded=True, measured=True, provisional=True)
    with pytest.raises(StepRefusedError, match="u1 can appeal from 2022-07-22"):
        check_appeal(EVENT, "u1", dt.date(2022, 7, 21), State.PROVISIONAL, done)
    assert check_appeal(EVENT, "u1", dt.date(2022, 7, 22), State.PROVISIONAL, done) is State.APPEALED
    open_one = Facts(awarded=True, measured=True, provisional=True, open_appeals=frozenset({"u1"}))
    assert state_of(EVENT, open_one, at(22, 9), SHANGHAI) is State.APPEALED
    with pytest.raises(StepRefusedError, match="u1 has an open appeal"):
        check_appeal(EVENT, "u1", dt.date(2022, 7, 23), State.APPEALED, open_one)
    assert check_appeal(EVENT, "u2", dt.date(2022, 7, 23), State.APPEALED, open_one) is State.APPEALED


def test_only_a_settled_event_can_be_appealed():
    with pytest.raises(StepRefusedError, match="it can be appealed only when final, provisional"):
        check_appeal(EVENT, "u1", dt.date(2022, 7, 23), State.MEASURED, Facts(awarded=True, measured=True))


@pytest.mark.parametrize("start", State)
@pytest.mark.parametrize("step", Step)
def test_every_step_leads_on_or_is_refused_with_a_sentence(start, step):
    if (start, step) in TRANSITIONS:
        assert advance("E1", start, step) in State
        return
    with pytest.raises(StepRefusedError, match=rf"Event E1 is {start}; it can be "):
        advance("E1", start, step)


def test_the_documents_show_the_table_as_it_is():
    page = Path(__file__).resolve().parents[2] / "docs" / "demand_response.md"
    assert transition_table() in page.read_text(encoding="utf-8")
