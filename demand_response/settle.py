"""One event, all its participants: baseline, response, payment, penalty (A3; rulings 23, 24, 26).

What cannot be calculated is a missing amount with a reason, never a payment of zero; the caller turns it
into a finding. Curves are kW over 96 quarter-hours; amounts are fen, payment and penalty both >= 0.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from fractions import Fraction
from typing import TypedDict

import numpy as np
import pandas as pd

from demand_response.baseline import Baseline, Calendar, EventDayGap, NotEnoughHistory, baseline
from demand_response.day_selection import FloatArray
from demand_response.events import Event, PriceUnit, Program
from demand_response.response import Response, evaluate, payment, penalty, reduction_watts
from market.money import half_up
from market.periods import PERIODS, PERIODS_PER_HOUR

MINUTES = 60 // PERIODS_PER_HOUR


class _Amounts(TypedDict, total=False):
    payment_fen: int
    penalty_fen: int
    code: str
    missing_reason: str


@dataclass(frozen=True, kw_only=True)
class Commitment:
    """What a participant was awarded, and the baseline method fixed at its enrolment.

    ``price_cny`` and ``price_unit`` are the award's; None takes the programme's.
    """

    participant_id: str
    committed_kw: Decimal
    price_cny: Decimal | None = None
    price_unit: PriceUnit | str | None = None
    method: str = "mean_5"
    adjustment: str = "none"
    adjustment_window: tuple[int, int] | None = None
    adjustment_cap: tuple[float, float] = (0.8, 1.2)


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """One row of ``response.parquet``; what is None is missing.

    ``code``: empty when valid, the response's reason when invalid, else why amounts are missing:
    ``not_enough_history``, ``event_day_gap`` or ``missing_price``; ``missing_reason`` says it as a sentence.
    ``energy_wh``: metered response over the event, in the event's direction. ``reduction_wh``: baseline -
    actual of each quarter-hour of the event, Wh, so that load + reduction is the load without the event.
    """

    participant_id: str
    committed_kw: Decimal
    baseline: Baseline | None = None
    response: Response | None = None
    energy_wh: int | None = None
    reduction_wh: tuple[int, ...] | None = None
    payment_fen: int | None = None
    penalty_fen: int | None = None
    code: str = ""
    missing_reason: str = ""


def settle_event(
    event: Event,
    program: Program,
    commitments: Iterable[Commitment],
    histories: Mapping[str, pd.DataFrame],
    event_days: Mapping[str, FloatArray],
    *,
    calendar: Calendar | None = None,
    excluded: Mapping[str, Mapping[dt.date, str]] | None = None,
) -> list[Outcome]:
    """Settle an event; one outcome a commitment, by participant id.

    histories, event_days: kW by participant, as ``baseline`` takes them, 96 periods, NaN for a gap.
    excluded: days a participant's baseline must not use, with reasons (earlier events, outages).
    Raises ValueError when event and programme do not belong together or a participant stands twice.
    """
    if (event.program_id, event.direction) != (program.program_id, program.direction):
        raise ValueError(
            f"Event {event.event_id} is a {event.direction} of program {event.program_id}, but the terms given are those "
            f"of {program.program_id} ({program.direction}); settle it with its own program."
        )
    by_id: dict[str, Commitment] = {}
    for commitment in commitments:
        if commitment.participant_id in by_id:
            raise ValueError(
                f"Participant {commitment.participant_id} stands twice in the awards of event {event.event_id}; "
                "add its awards up before settling."
            )
        by_id[commitment.participant_id] = commitment
    return [
        _settle_one(
            event,
            program,
            by_id[participant],
            history=histories.get(participant, pd.DataFrame()),
            event_day=np.asarray(event_days.get(participant, np.full(PERIODS, np.nan)), dtype=np.float64),
            calendar=calendar,
            excluded=(excluded or {}).get(participant, {}),
        )
        for participant in sorted(by_id)
    ]


def _settle_one(
    event: Event,
    program: Program,
    award: Commitment,
    *,
    history: pd.DataFrame,
    event_day: FloatArray,
    calendar: Calendar | None,
    excluded: Mapping[dt.date, str],
) -> Outcome:
    outcome = Outcome(participant_id=award.participant_id, committed_kw=award.committed_kw)
    try:
        base = baseline(
            history,
            event.date,
            event_day,
            event.first_period,
            event.last_period,
            award.method,
            calendar=calendar,
            excluded=excluded,
            adjustment=award.adjustment,
            adjustment_window=award.adjustment_window,
            adjustment_cap=award.adjustment_cap,
        )
        outcome = replace(outcome, baseline=base)
        actual = _metered(event, event_day)
    except NotEnoughHistory as missing:
        code = "event_day_gap" if isinstance(missing, EventDayGap) else "not_enough_history"
        return replace(outcome, code=code, missing_reason=f"{award.participant_id}: {missing}")

    response = evaluate(
        base.curve,
        actual,
        award.committed_kw,
        direction=event.direction,
        floor=program.floor,
        cap=program.cap,
        minimum_minutes=program.minimum_minutes,
        interval_minutes=MINUTES,
        test=program.test,
    )
    reduced = reduction_watts(base.curve, actual)
    moved = reduced if event.direction == "cut" else [-w for w in reduced]
    return replace(
        outcome,
        response=response,
        energy_wh=half_up(Fraction(sum(moved), PERIODS_PER_HOUR)),
        reduction_wh=tuple(half_up(Fraction(w, PERIODS_PER_HOUR)) for w in reduced),
        **_amounts(event, program, award, response, moved),
    )


def _amounts(
    event: Event, program: Program, award: Commitment, response: Response, moved: list[int]
) -> _Amounts:
    """Payment for the confirmed kW; penalty for the shortfall below R1, hour by hour from the event's start."""
    price = program.price_cny if award.price_cny is None else award.price_cny
    unit = award.price_unit or program.price_unit
    if price is None:
        return _unpriced(award, program, "its response")
    paid = payment(
        response.confirmed_w / 1000,
        price,
        price_unit=unit,
        hours=event.hours,
        time_coefficient=program.time_coefficient(response.effective_minutes),
    )
    if program.penalty_share is None or program.penalty_factor is None:
        return {"payment_fen": paid, "penalty_fen": 0, "code": response.reason}
    missing_kwh_price = program.penalty_price_cny_per_kwh
    if missing_kwh_price is None:
        if unit != PriceUnit.PER_KWH:
            return _unpriced(award, program, "a missing kWh")
        missing_kwh_price = price
    hours = [moved[start : start + PERIODS_PER_HOUR] for start in range(0, len(moved), PERIODS_PER_HOUR)]
    charged = penalty(
        award.committed_kw,
        [(Fraction(sum(hour), 1000 * len(hour)), Fraction(len(hour), PERIODS_PER_HOUR)) for hour in hours],
        missing_kwh_price,
        required_share=program.penalty_share,
        factor=program.penalty_factor,
    )
    return {"payment_fen": paid, "penalty_fen": charged, "code": response.reason}


def _unpriced(award: Commitment, program: Program, what: str) -> _Amounts:
    sentence = f"{award.participant_id} has no price for {what}, neither in its award nor in program {program.program_id}."
    return {"code": "missing_price", "missing_reason": f"{sentence} Enter the price and run again."}


def _metered(event: Event, event_day: FloatArray) -> FloatArray:
    actual = event_day[event.first_period - 1 : event.last_period]
    gaps = np.flatnonzero(np.isnan(actual))
    if gaps.size:
        raise EventDayGap(
            f"{gaps.size} of {actual.size} readings in the event window are missing, the first in period "
            f"{event.first_period + int(gaps[0])} of {event.date}; load the late meter data and run again."
        )
    return actual
