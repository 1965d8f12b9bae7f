"""The life of an event: the states it can be in, the steps between them, and why a step is refused.

planned 计划, invited 邀约, awarded 出清, called 执行, cancelled 取消, measured 计量, provisional 预结算, final 正式,
appealed 申诉. ``Facts`` are what is on record of an event; the state follows from them alone.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from enum import StrEnum

from demand_response.events import Event
from market.periods import PERIODS_PER_HOUR


class State(StrEnum):
    """Where an event stands."""

    PLANNED = "planned"
    INVITED = "invited"
    AWARDED = "awarded"
    CALLED = "called"
    CANCELLED = "cancelled"
    MEASURED = "measured"
    PROVISIONAL = "provisional"
    FINAL = "final"
    APPEALED = "appealed"


class Step(StrEnum):
    """What moves an event on."""

    INVITE = "invite"
    AWARD = "award"
    CALL = "call"
    CANCEL = "cancel"
    MEASURE = "measure"
    SETTLE = "settle"
    FINALISE = "finalise"
    APPEAL = "appeal"


TRANSITIONS: dict[tuple[State, Step], tuple[State, str]] = {
    (State.PLANNED, Step.INVITE): (State.INVITED, "the need is published and offers are asked for"),
    (State.PLANNED, Step.AWARD): (State.AWARDED, "standing contracts: agreed and real-time products"),
    (State.PLANNED, Step.CANCEL): (State.CANCELLED, "the need is gone"),
    (State.INVITED, Step.AWARD): (State.AWARDED, "offers are cleared against the need"),
    (State.INVITED, Step.CANCEL): (State.CANCELLED, "the need is gone"),
    (State.AWARDED, Step.AWARD): (State.AWARDED, "cleared again before the call: revised offers or need"),
    (State.AWARDED, Step.CALL): (State.CALLED, "the event begins"),
    (State.AWARDED, Step.CANCEL): (State.CANCELLED, "called off before it begins"),
    (State.CALLED, Step.MEASURE): (State.MEASURED, "every awarded participant has readings of the day"),
    (State.MEASURED, Step.SETTLE): (State.PROVISIONAL, "report within 24 hours, on readings of that day"),
    (State.PROVISIONAL, Step.SETTLE): (State.PROVISIONAL, "late or corrected readings"),
    (State.PROVISIONAL, Step.FINALISE): (State.FINAL, "settled with the month's final run"),
    (State.PROVISIONAL, Step.APPEAL): (State.APPEALED, "from D+2, one open appeal a participant"),
    (State.FINAL, Step.APPEAL): (State.APPEALED, "from D+2, one open appeal a participant"),
    (State.APPEALED, Step.SETTLE): (State.PROVISIONAL, "upheld before the month is final"),
    (State.APPEALED, Step.FINALISE): (State.FINAL, "dismissed, or upheld and corrected"),
}

_DONE = {
    Step.INVITE: "invited",
    Step.AWARD: "awarded",
    Step.CALL: "called",
    Step.CANCEL: "cancelled",
    Step.MEASURE: "measured",
    Step.SETTLE: "settled",
    Step.FINALISE: "finalised",
    Step.APPEAL: "appealed",
}
_INSTEAD = {
    State.CANCELLED: "A cancelled event stays cancelled; plan a new one.",
    State.CALLED: "It has begun: deliver the meter readings of its day and settle what was delivered.",
    State.FINAL: "A final event is changed by an appeal or by correcting the month.",
}


class StepRefusedError(ValueError):
    """The event is not in a state from which this step leads on."""


def advance(event_id: str, state: State, step: Step) -> State:
    """The state after a step. Raises StepRefusedError naming the states it leads from."""
    following = TRANSITIONS.get((state, step))
    if following is None:
        allowed = ", ".join(sorted({start for start, known in TRANSITIONS if known is step}))
        instead = f" {_INSTEAD[state]}" if state in _INSTEAD else ""
        raise StepRefusedError(
            f"Event {event_id} is {state.value}; it can be {_DONE[step]} only when {allowed}.{instead}"
        )
    return following[0]


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What is on record of an event at one moment.

    measured: the day's readings of every awarded participant are there. provisional, final: it was settled so.
    cancelled: it was called off. open_appeals: participants with an appeal that is not decided.
    """

    awarded: bool = False
    measured: bool = False
    provisional: bool = False
    final: bool = False
    cancelled: bool = False
    open_appeals: frozenset[str] = frozenset()


def begins(event: Event, zone: dt.tzinfo) -> dt.datetime:
    """When the event's first quarter-hour starts."""
    midnight = dt.datetime.combine(event.date, dt.time(), tzinfo=zone)
    return midnight + dt.timedelta(hours=(event.first_period - 1) / PERIODS_PER_HOUR)


def state_of(event: Event, facts: Facts, moment: dt.datetime, zone: dt.tzinfo) -> State:
    """The state at ``moment`` by what is on record, walked step by step through the table."""
    state = State.PLANNED
    if facts.cancelled:
        return advance(event.event_id, state, Step.CANCEL)
    if event.announced_at is not None and event.announced_at <= moment:
        state = advance(event.event_id, state, Step.INVITE)
    walk = (
        (facts.awarded, Step.AWARD),
        (facts.awarded and moment >= begins(event, zone), Step.CALL),
        (facts.measured, Step.MEASURE),
        (facts.provisional or facts.final, Step.SETTLE),
        (facts.final, Step.FINALISE),
    )
    for on_record, step in walk:
        if not on_record:
            break
        state = advance(event.event_id, state, step)
    if facts.open_appeals and state in (State.PROVISIONAL, State.FINAL):
        state = advance(event.event_id, state, Step.APPEAL)
    return state


def check_appeal(event: Event, who: str, day: dt.date, state: State, facts: Facts) -> State:
    """The state after ``who`` appeals on ``day`` (A3): from D+2 on, one open appeal a participant.

    Raises StepRefusedError with the day from which, or the appeal that is open.
    """
    first = event.date + dt.timedelta(days=2)
    if day < first:
        raise StepRefusedError(
            f"Event {event.event_id} was on {event.date}; {who} can appeal from {first}, when the next day's evaluation "
            "is final."
        )
    if who in facts.open_appeals:
        raise StepRefusedError(
            f"{who} has an open appeal against event {event.event_id}; it is decided before another is taken."
        )
    return State.APPEALED if state is State.APPEALED else advance(event.event_id, state, Step.APPEAL)


def transition_table() -> str:
    """The table as Markdown, one row a transition, as it stands in the documents."""
    rows = [
        f"| {start.value} | {step.value} | {end.value} | {why} |"
        for (start, step), (end, why) in TRANSITIONS.items()
    ]
    return "\n".join(["| from | step | to | why |", "|---|---|---|---|", *rows])
