"""Settled events as the allocation page shows them: audit, sensitivity, like days, placebo errors, the alternative."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import numpy as np

from demand_response.audit import audit, sensitivity, with_baselines, with_loss, with_price_rise
from demand_response.lab import Variant
from demand_response.sharing import EventCase, Shared, event_window, net_benefit, share
from jobs.dr_case import SettledEvent
from jobs.dr_day import EventDays
from jobs.dr_lab import Lab
from jobs.dr_sessions import Sessions, sessions_without
from market.calendars import ChinaCalendar
from market.money import half_up
from market.periods import PERIODS, PERIODS_PER_HOUR
from reports.allocation_numbers import EventView, Fan, Outside, PlaceboError, SessionEffect

LIKE_DAYS = 10
BASELINE_STEP, PRICE_STEP, LOSS_STEP = Fraction(5, 100), Fraction(10, 100), Fraction(3, 100)


def event_view(days: EventDays, settled: SettledEvent, lab: Lab | None) -> EventView:
    """Everything the page says about one event; the lab gives the placebo errors where there is one."""
    case, shared = settled.case, None
    if case is not None and settled.shares_cost:
        shared = share(case)
    return EventView(
        event=settled.event,
        program=settled.program,
        commitments=settled.commitments,
        outcomes=settled.outcomes,
        shared=shared,
        audit=None if shared is None else audit(case, shared),
        shifts=() if shared is None else tuple(sensitivity(shared, _variants(settled, case))),
        net=None if shared is None else net_benefit(case, shared),
        fan=_fan(days, settled),
        placebo=None if lab is None else _placebo(lab, settled),
        outside=_outside(days, settled, shared),
    )


def _variants(settled: SettledEvent, case: EventCase) -> dict[tuple[str, Fraction], EventCase]:
    today = settled.book.on(settled.event.date)[:, event_window(settled.event)]
    row = {who: place for place, who in enumerate(settled.book.participants)}

    def baseline(factor: Fraction) -> EventCase:
        return with_baselines(
            case,
            settled.event,
            settled.program,
            settled.commitments,
            settled.outcomes,
            lambda who: today[row[who]],
            factor,
        )

    changes = (
        ("baseline", baseline, BASELINE_STEP),
        ("price", lambda f: with_price_rise(case, f), PRICE_STEP),
    )
    changes += (("loss", lambda f: with_loss(case, f), LOSS_STEP),)
    return {
        (what, 1 + sign * step): change(1 + sign * step) for what, change, step in changes for sign in (-1, 1)
    }


def _fan(days: EventDays, settled: SettledEvent) -> Fan:
    """The responders' sum on the event's day beside the last like days on which none of them was called."""
    event = settled.event
    book = settled.book.only([one.participant_id for one in settled.outcomes])
    called = {day for off in days.events.barred_days(event).values() for day in off}
    calendar = ChinaCalendar()
    kind = calendar.day_type(event.date)
    alike = [
        place
        for place, day in enumerate(book.dates)
        if day < event.date and day not in called and calendar.day_type(day) == kind
    ][-LIKE_DAYS:]
    past = book.kw[:, alike].sum(axis=0) / 1000
    baseline = np.full(PERIODS, np.nan)
    curves = [one.baseline.curve for one in settled.outcomes if one.baseline is not None]
    if len(curves) == len(settled.outcomes) and curves:
        baseline[event_window(event)] = np.sum(curves, axis=0) / 1000
    nothing = np.full(PERIODS, np.nan)
    bands = (past.min(axis=0), np.median(past, axis=0), past.max(axis=0)) if len(alike) else (nothing,) * 3
    return Fan(book.on(event.date).sum(axis=0) / 1000, baseline, *bands, days=len(alike))


def _placebo(lab: Lab, settled: SettledEvent) -> PlaceboError | None:
    """The daily error of the responders' sum before the event, each by the method it is enrolled with."""
    row = {who: place for place, who in enumerate(lab.placebos.participants)}
    before = lab.placebos.before(settled.event.date)
    called = [one for one in settled.commitments if one.participant_id in row]
    if not called or len(called) < len(settled.commitments) or not before.days:
        return None
    rows = [row[one.participant_id] for one in called]
    forecast = np.array(
        [
            before.forecast[Variant(one.method, one.adjustment)][place]
            for one, place in zip(called, rows, strict=True)
        ]
    )
    actual = before.actual[rows]
    known = ~(np.isnan(forecast) | np.isnan(actual)).any(axis=(0, 2))
    if not known.any():
        return None
    load = actual[:, known].sum(axis=(0, 2))
    daily = (forecast - actual)[:, known].sum(axis=(0, 2)) / load
    hours = float(settled.event.hours)
    baseline = sum(float(one.baseline.curve.mean()) for one in settled.outcomes if one.baseline is not None)
    return PlaceboError(
        days=int(known.sum()),
        bias=float(daily.mean()),
        spread=float(daily.std()),
        baseline_mwh=baseline * hours / 1000,
        reduction_mwh=sum(one.energy_wh or 0 for one in settled.outcomes) / 1e6,
    )


def _outside(days: EventDays, settled: SettledEvent, shared: Shared | None) -> Outside:
    event = settled.event
    trades = days.records["trades"]
    inside = trades[
        (trades["date"] == event.date)
        & trades["period"].between(event.first_period, event.last_period)
        & (trades["executed_buy_mw"] > 0)
    ]
    if inside.empty:
        mean, dearest = None, None
    else:
        weighted = sum(
            (mw * price for mw, price in zip(inside["executed_buy_mw"], inside["landed_price"], strict=True)),
            Decimal(0),
        )
        mean = Decimal(half_up(weighted / sum(inside["executed_buy_mw"], Decimal(0)) * 1000)) / 1000
        dearest = max(inside["landed_price"])
    effects: tuple[SessionEffect, ...] = ()
    if shared is not None:
        sessions = sessions_without(days.home, event.date, shared.response_wh, days.rules, days.as_of)
        effects = _effects(sessions, event_window(event), known=settled.case.known_to_day_ahead)
    return Outside(mean, dearest, effects)


def _effects(sessions: Sessions, window: slice, *, known: bool) -> tuple[SessionEffect, ...]:
    stages = {"day_ahead": sessions.day_ahead if known else None, "intraday": sessions.intraday}
    return tuple(
        SessionEffect(
            stage,
            Decimal(int(one.rise[window].max())) / 1000,
            round(float(one.bought_mw[window].sum()) / PERIODS_PER_HOUR, 6),
            round(float(one.unserved_mw[window].sum()) / PERIODS_PER_HOUR, 6),
            round(float(one.cost_cny[window].sum()), 2),
        )
        for stage, one in stages.items()
        if one is not None and one.covered[window].any()
    )
