"""One event, all its participants: baseline, response, payment, penalty (A3; rulings 23, 24, 26).

What cannot be calculated is a missing amount with a reason, never a payment of zero; the caller turns it
into a finding. Curves are kW over 96 quarter-hours; amounts are fen, payment and penalty both >= 0.
"""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from fractions import Fraction
from typing import Any, TypedDict

import numpy as np

from demand_response.baseline import Baseline, Calendar, EventDayGap, NotEnoughHistory, baseline
from demand_response.batch import LoadBook, baselines
from demand_response.day_selection import FloatArray
from demand_response.events import Event, PriceUnit, Program
from demand_response.response import Response, evaluate, payment, penalty, reduction_watts
from market.money import half_up
from market.periods import PERIODS_PER_HOUR

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
    book: LoadBook,
    *,
    calendar: Calendar | None = None,
    excluded: Mapping[str, Mapping[dt.date, str]] | None = None,
    pays: bool = True,
) -> list[Outcome]:
    """Settle an event; one outcome a commitment, by participant id.

    book: kW of 96 quarter-hours, the event's day among its dates, NaN for a gap; who is not in it has no history.
    excluded: days a participant's baseline must not use, with reasons (earlier events, outages).
    pays: False judges and records the response but pays and charges nothing (经济型: its spot deviation pays it).
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
    found = _baselines(event, by_id, book.only(sorted(by_id)), calendar, excluded or {})
    return [
        _settle_one(event, program, by_id[who], base, event_day, pays=pays)
        for who, (base, event_day) in found.items()
    ]


def judge(
    event: Event,
    program: Program,
    award: Commitment,
    base: Baseline,
    actual_kw: FloatArray,
    *,
    pays: bool = True,
) -> Outcome:
    """The outcome of one participant from its baseline and the metered kW of the event window, without gaps."""
    response = evaluate(
        base.curve,
        actual_kw,
        award.committed_kw,
        direction=event.direction,
        floor=program.floor,
        cap=program.cap,
        minimum_minutes=program.minimum_minutes,
        interval_minutes=MINUTES,
        test=program.test,
    )
    reduced = reduction_watts(base.curve, actual_kw)
    moved = reduced if event.direction == "cut" else [-w for w in reduced]
    unpaid: _Amounts = {"payment_fen": 0, "penalty_fen": 0, "code": response.reason}
    return Outcome(
        participant_id=award.participant_id,
        committed_kw=award.committed_kw,
        baseline=base,
        response=response,
        energy_wh=half_up(Fraction(sum(moved), PERIODS_PER_HOUR)),
        reduction_wh=tuple(half_up(Fraction(w, PERIODS_PER_HOUR)) for w in reduced),
        **(_amounts(event, program, award, response, moved) if pays else unpaid),
    )


def _baselines(
    event: Event,
    awards: Mapping[str, Commitment],
    book: LoadBook,
    calendar: Calendar | None,
    excluded: Mapping[str, Mapping[dt.date, str]],
) -> dict[str, tuple[Baseline | NotEnoughHistory, FloatArray]]:
    """Baseline (or why there is none) and event day of every participant of the book, those alike together."""
    alike: dict[tuple[object, ...], list[int]] = defaultdict(list)
    for row, who in enumerate(book.participants):
        one = awards[who]
        alike[one.method, one.adjustment, one.adjustment_window, one.adjustment_cap].append(row)
    found: dict[int, Baseline | NotEnoughHistory] = {}
    today = book.on(event.date)
    for rows in alike.values():
        terms = awards[book.participants[rows[0]]]
        off = [excluded.get(book.participants[row], {}) for row in rows]
        call: dict[str, Any] = {
            "calendar": calendar,
            "adjustment": terms.adjustment,
            "adjustment_window": terms.adjustment_window,
            "adjustment_cap": terms.adjustment_cap,
        }
        window = (event.first_period, event.last_period, terms.method)
        batch = baselines(
            book.kw[rows],
            book.dates,
            event.date,
            today[rows],
            *window,
            barred=np.array([[date in days for date in book.dates] for days in off], dtype=np.bool_),
            **call,
        )
        for place, row in enumerate(rows):
            known = batch.one(place, off[place])
            found[row] = known or _why_not(
                book.history(row), event.date, today[row], *window, excluded=off[place], **call
            )
    return {who: (found[row], today[row]) for row, who in enumerate(book.participants)}


def _why_not(*arguments: Any, **terms: Any) -> Baseline | NotEnoughHistory:
    try:
        return baseline(*arguments, **terms)
    except NotEnoughHistory as missing:
        return missing


def _settle_one(
    event: Event,
    program: Program,
    award: Commitment,
    base: Baseline | NotEnoughHistory,
    event_day: FloatArray,
    *,
    pays: bool,
) -> Outcome:
    nothing = Outcome(participant_id=award.participant_id, committed_kw=award.committed_kw)
    try:
        if isinstance(base, NotEnoughHistory):
            raise base
        nothing = replace(nothing, baseline=base)
        return judge(event, program, award, base, _metered(event, event_day), pays=pays)
    except NotEnoughHistory as missing:
        code = "event_day_gap" if isinstance(missing, EventDayGap) else "not_enough_history"
        return replace(nothing, code=code, missing_reason=f"{award.participant_id}: {missing}")


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
