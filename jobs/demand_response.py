"""The month's demand-response events: baseline, response, payment, benefit, allocation (rulings 23-27)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from fractions import Fraction
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd

from demand_response.allocation import allocate
from demand_response.benefit import counterfactual, exposure_benefit, position_or_contract, supply_curve
from demand_response.events import Event, Program
from demand_response.settle import Commitment, Outcome, settle_event
from jobs.month_inputs import MonthInputs
from jobs.roster import Roster, dated_in, valid_on
from market.calendars import ChinaCalendar
from market.curves import MISSING, is_missing
from market.money import IntArray, fen_of_nano, half_up, scaled
from market.periods import PERIODS, PERIODS_PER_HOUR, TIME_ZONE, Month
from market.profiles import ProvincialRules
from settlement.day import MarketDay
from settlement.findings import Finding, Severity
from settlement.metering import wh_of_reading
from settlement.month import EventAmount
from warehouse.curves import curve_days
from warehouse.home import Home
from warehouse.records import read_records

EVENT_TABLES = ("dr_programs", "dr_events", "dr_enrolments", "dr_awards")
LOOK_BACK = timedelta(
    days=60
)  # 45 days of candidates (ruling 23) and what holidays and events push further back


@dataclass(frozen=True)
class MonthEvents:
    """The events of a month with their programs, enrolments and awards as known at ``as_of``."""

    events: tuple[Event, ...]
    tables: Mapping[str, pd.DataFrame]

    @classmethod
    def read(cls, home: Home, month: Month, as_of: datetime | None) -> MonthEvents:
        """Events whose date lies in the month, by date and id."""
        tables = {table: read_records(home, table, as_of=as_of) for table in EVENT_TABLES}
        inside = dated_in(tables["dr_events"], month)
        return cls(
            tuple(
                Event(
                    event_id=row.event_id,
                    program_id=row.program_id,
                    date=row.date,
                    first_period=row.first_period,
                    last_period=row.last_period,
                    direction=row.direction,
                    announced_at=datetime.fromisoformat(row.announced_at),
                    need_mw=row.need_mw,
                )
                for row in inside.sort_values(["date", "event_id"]).itertuples()
            ),
            tables,
        )

    @property
    def days(self) -> frozenset[date]:
        """The days with an event."""
        return frozenset(event.date for event in self.events)

    def program(self, event: Event, rules: ProvincialRules) -> Program:
        """The terms in force on the event's day."""
        row = valid_on(self.tables["dr_programs"], event.date).set_index("program_id").loc[event.program_id]
        return Program(
            program_id=event.program_id,
            kind=row["kind"],
            product=row["product"],
            direction=row["direction"],
            price_unit=row["price_unit"],
            price_cny=row["price_cny"],
            floor=row["floor"],
            cap=row["cap"],
            minimum_minutes=int(row["minimum_minutes"]),
            test=row["test"],
            time_coefficients=rules.dr_time_coefficients,
            penalty_share=_given(row["penalty_share"]),
            penalty_factor=_given(row["penalty_factor"]),
        )

    def enrolments(self, event: Event) -> pd.DataFrame:
        """Enrolments in the event's program valid on its day, by participant."""
        valid = valid_on(self.tables["dr_enrolments"], event.date)
        return valid[valid["program_id"] == event.program_id].set_index("participant_id")

    def awards(self, event: Event) -> pd.DataFrame:
        """Awards of the event."""
        awards = self.tables["dr_awards"]
        return awards[awards["event_id"] == event.event_id]


@dataclass
class MonthResponse:
    """Amounts for the ledger, rows for the run's three event tables, findings."""

    amounts: list[EventAmount] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    baselines: list[dict[str, object]] = field(default_factory=list)
    responses: list[dict[str, object]] = field(default_factory=list)
    allocations: list[dict[str, object]] = field(default_factory=list)


def settle_events(
    home: Home,
    events: MonthEvents,
    roster: Roster,
    inputs: MonthInputs,
    rules: ProvincialRules,
    as_of: datetime | None,
) -> MonthResponse:
    """Settle every event of the month; ``inputs`` has been streamed and kept the event days."""
    result = MonthResponse()
    if not events.events:
        return result
    load = _Loads(home, events, as_of)
    calendar = ChinaCalendar()
    for event in events.events:
        program, enrolments = events.program(event, rules), events.enrolments(event)
        commitments = list(
            _commitments(events.awards(event), enrolments, event, rules, result.findings, roster)
        )
        outcomes = settle_event(
            event,
            program,
            commitments,
            {one.participant_id: load.history(one.participant_id, event.date) for one in commitments},
            {one.participant_id: load.on(one.participant_id, event.date) for one in commitments},
            calendar=calendar,
            excluded=load.excluded(events, event),
        )
        result.findings += _outcome_findings(event, outcomes, roster)
        _book_payments(event, outcomes, enrolments, result)
        _record(event, commitments, outcomes, result)
        _charge(event, program, outcomes, inputs.kept[event.date], roster, rules, result)
    return result


def _commitments(
    awards: pd.DataFrame,
    enrolments: pd.DataFrame,
    event: Event,
    rules: ProvincialRules,
    findings: list[Finding],
    roster: Roster,
) -> Iterable[Commitment]:
    for award in awards.sort_values("participant_id").itertuples():
        who = award.participant_id
        if who not in enrolments.index:
            findings.append(
                Finding(
                    "award_without_enrolment",
                    Severity.BLOCK,
                    f"{event.event_id}/{who}",
                    f"{who} has an award in event {event.event_id} but no enrolment in program {event.program_id} on "
                    f"{event.date}; without a baseline method fixed before the event it is not paid. Deliver the "
                    "enrolment or withdraw the award.",
                    city=roster.city.get(who),
                )
            )
            continue
        enrolment = enrolments.loc[who]
        if (
            event.announced_at is not None
            and datetime.fromisoformat(enrolment["fixed_at"]) >= event.announced_at
        ):
            findings.append(
                Finding(
                    "method_fixed_after_call",
                    Severity.REVIEW,
                    f"{event.event_id}/{who}",
                    f"The baseline method of {who} was fixed at {enrolment['fixed_at']}, after event {event.event_id} was "
                    f"announced at {event.announced_at.isoformat()}; a method is fixed before the event.",
                    city=roster.city.get(who),
                )
            )
        yield Commitment(
            participant_id=who,
            committed_kw=award.committed_kw,
            price_cny=award.price_cny,
            price_unit=award.price_unit,
            method=enrolment["baseline_method"],
            adjustment=enrolment["adjustment"],
            adjustment_window=_adjustment_window(event, rules) if enrolment["adjustment"] != "none" else None,
            adjustment_cap=(float(rules.dr_adjustment_cap[0]), float(rules.dr_adjustment_cap[1])),
        )


def _adjustment_window(event: Event, rules: ProvincialRules) -> tuple[int, int]:
    last = event.first_period - 1 - rules.dr_adjustment_buffer_hours * PERIODS_PER_HOUR
    return last - rules.dr_adjustment_hours * PERIODS_PER_HOUR + 1, last


class _Loads:
    """Metered kW of the awarded participants over the look-back and the event days."""

    def __init__(self, home: Home, events: MonthEvents, as_of: datetime | None) -> None:
        wanted = {who for event in events.events for who in events.awards(event)["participant_id"]}
        meters = read_records(home, "meters", as_of=as_of)
        meters = meters[meters["participant_id"].isin(wanted)]
        first = min(event.date for event in events.events) - LOOK_BACK
        after = max(event.date for event in events.events) + timedelta(days=1)
        sums: dict[str, dict[date, IntArray]] = defaultdict(dict)
        for curve in curve_days(home, "meter_readings", first, after, as_of=as_of):
            valid = valid_on(meters, curve.date)
            rows = pd.Index(np.asarray(curve.keys["meter_id"], dtype=object)).get_indexer(valid["meter_id"])
            present = rows >= 0
            multiplier = np.array([scaled(value, 3) for value in valid["multiplier"]], dtype=np.int64)[
                present
            ]
            direction = np.array(valid["direction"], dtype=np.int64)[present]
            energy = wh_of_reading(curve.values[rows[present]], multiplier)
            signed = np.where(is_missing(energy), MISSING, energy * direction[:, None])
            absent = set(valid["participant_id"][~present])
            for who, one in zip(valid["participant_id"][present], signed, strict=True):
                before = sums[who].get(curve.date)
                sums[who][curve.date] = one if before is None else _add(before, one)
            for who in absent & sums.keys():
                sums[who].pop(curve.date, None)
        self._kw = {who: {day: _kw(wh) for day, wh in by_day.items()} for who, by_day in sums.items()}

    def history(self, who: str, event_day: date) -> pd.DataFrame:
        """Days before the event, one row a day."""
        before = {day: kw for day, kw in self._kw.get(who, {}).items() if day < event_day}
        return pd.DataFrame.from_dict(before, orient="index", columns=range(1, PERIODS + 1)).sort_index()

    def on(self, who: str, day: date) -> np.ndarray:
        """The event day; NaN where nothing was metered."""
        return self._kw.get(who, {}).get(day, np.full(PERIODS, np.nan))

    def excluded(self, events: MonthEvents, event: Event) -> dict[str, dict[date, str]]:
        """Days of earlier events a participant was awarded in."""
        days: dict[str, dict[date, str]] = defaultdict(dict)
        every = events.tables["dr_events"].set_index("event_id")["date"]
        for award in events.tables["dr_awards"].itertuples():
            if every[award.event_id] < event.date:
                days[award.participant_id][every[award.event_id]] = "event"
        return days


def _add(left: IntArray, right: IntArray) -> IntArray:
    return np.where(is_missing(left) | is_missing(right), MISSING, left + right)


def _kw(wh: IntArray) -> np.ndarray:
    return np.where(is_missing(wh), np.nan, wh * PERIODS_PER_HOUR / 1000)


def _given(value: object) -> object | None:
    return None if value is None or pd.isna(value) else value


def _outcome_findings(event: Event, outcomes: Sequence[Outcome], roster: Roster) -> list[Finding]:
    return [
        Finding(
            "response_not_settled",
            Severity.BLOCK,
            f"{event.event_id}/{one.participant_id}",
            f"Event {event.event_id}: {one.missing_reason}",
            city=roster.city.get(one.participant_id),
            evidence={"code": one.code},
        )
        for one in outcomes
        if one.payment_fen is None
    ]


def _book_payments(
    event: Event, outcomes: Sequence[Outcome], enrolments: pd.DataFrame, result: MonthResponse
) -> None:
    for one in outcomes:
        aggregator = _given(enrolments.loc[one.participant_id, "aggregator_id"])
        payee = str(aggregator) if aggregator else one.participant_id  # ruling 26
        paid = None if one.payment_fen is None else -one.payment_fen
        result.amounts.append(
            EventAmount(
                event.event_id, event.date, payee, "demand_response_payment", _confirmed_wh(event, one), paid
            )
        )
        if one.penalty_fen:
            result.amounts.append(
                EventAmount(event.event_id, event.date, payee, "demand_response_penalty", 0, one.penalty_fen)
            )


def _confirmed_wh(event: Event, one: Outcome) -> int | None:
    return None if one.response is None else half_up(one.response.confirmed_w * event.hours)


def _charge(
    event: Event,
    program: Program,
    outcomes: Sequence[Outcome],
    market: MarketDay,
    roster: Roster,
    rules: ProvincialRules,
    result: MonthResponse,
) -> None:
    """Allocate the event's cost by benefit, then by the residual rule (F3, rulings 25-27)."""
    payers = list(roster.users)
    if not program.shares_cost:
        result.findings.append(_economic_finding(event))
    window = slice(event.first_period - 1, event.last_period)
    use = market.use[:, window]
    if any(one.payment_fen is None for one in outcomes) or _incomplete(market):
        result.amounts += [
            EventAmount(event.event_id, event.date, who, "demand_response_charge", None, None)
            for who in payers
        ]
        return
    cost = sum((one.payment_fen or 0) - (one.penalty_fen or 0) for one in outcomes)
    rise_da, rise_rt, model = _price_rise(event, outcomes, market, rules)
    positions, covered = _positions(market, len(payers))
    benefit = exposure_benefit(rise_da, rise_rt, positions, covered, market.use)
    drivers = pd.DataFrame(
        {
            "participant_id": payers,
            "benefit_fen": [fen_of_nano(nano) for nano in benefit.tolist()],
            "consumption_wh": use.sum(axis=1),
            "deviation_wh": np.maximum(use - positions[:, window], 0).sum(axis=1),
            "nonmarket_generation_wh": 0,
        }
    )
    shares = allocate(cost, drivers, rule=rules.dr_allocation_rule, residual_rule=rules.dr_residual_rule)
    result.findings.append(_model_finding(event, model, cost, int(drivers["benefit_fen"].sum())))
    benefit_of = dict(zip(drivers["participant_id"], drivers["benefit_fen"], strict=True))
    for row in shares.itertuples():
        result.allocations.append(
            {
                "event_id": event.event_id,
                "participant_id": row.participant_id,
                "tranche": row.tranche,
                "driver": int(row.driver),
                "benefit_fen": benefit_of[row.participant_id],
                "charge_fen": int(row.charge_fen),
            }
        )
    energy = dict(zip(drivers["participant_id"], drivers["consumption_wh"], strict=True))
    for who, fen in shares.groupby("participant_id")["charge_fen"].sum().items():
        result.amounts.append(
            EventAmount(
                event.event_id, event.date, str(who), "demand_response_charge", int(energy[who]), int(fen)
            )
        )


def _positions(market: MarketDay, users: int) -> tuple[IntArray, IntArray]:
    """Day-ahead position and contract energy of users, (users, 96); no position is read as the contract."""
    covered = np.zeros((users, PERIODS), np.int64)
    bought = (market.contracts.buyer >= 0) & (market.contracts.buyer < users)
    np.add.at(covered, market.contracts.buyer[bought], np.maximum(market.contracts.quantity[bought], 0))
    declared = ~is_missing(market.position).any(axis=1)
    return position_or_contract(market.position, covered, declared), covered


def _incomplete(market: MarketDay) -> bool:
    """True when a reading, a price or a contract curve of the day is missing: the benefit is unknown then."""
    prices = market.prices
    known = (
        market.use,
        market.generation,
        market.contracts.quantity,
        prices.user_day_ahead,
        prices.user_real_time,
    )
    return any(is_missing(values).any() for values in known)


def _price_rise(
    event: Event, outcomes: Sequence[Outcome], market: MarketDay, rules: ProvincialRules
) -> tuple[IntArray, IntArray, dict[str, object]]:
    """How much dearer the event's quarter-hours would have been without the response, day ahead and real time."""
    load = market.generation.sum(axis=0) + market.import_day_ahead + market.import_intraday
    response = np.zeros(PERIODS, np.int64)
    valid = [one for one in outcomes if one.response is not None and one.response.valid and one.reduction_wh]
    window = slice(event.first_period - 1, event.last_period)
    response[window] = np.maximum(sum(np.array(one.reduction_wh) for one in valid), 0) if valid else 0
    nothing = np.zeros(PERIODS, np.int64)
    cap = scaled(rules.clearing_price_cap_cny_per_mwh, 3)

    def rise(price: IntArray) -> IntArray:
        return counterfactual(
            supply_curve(load, price), load, response, headroom_mills=np.maximum(cap - price, 0)
        )

    rise_rt, rise_da = rise(market.prices.user_real_time), nothing
    if event.known_to_day_ahead(_day_ahead_results(event.date, rules.day_ahead_results_at)):  # ruling 25
        rise_da = rise(market.prices.user_day_ahead)
    model = {
        "model": "convex piecewise-linear supply curve fitted to the day's 96 loads and user prices",
        "responders": len(valid),
        "largest_rise_real_time_cny_per_mwh": float(rise_rt.max()) / 1000,
        "largest_rise_day_ahead_cny_per_mwh": float(rise_da.max()) / 1000,
    }
    return rise_da, rise_rt, model


def _day_ahead_results(day: date, at: time) -> datetime:
    return datetime.combine(day - timedelta(days=1), at, tzinfo=ZoneInfo(TIME_ZONE))


def _model_finding(event: Event, model: dict[str, object], cost_fen: int, benefit_fen: int) -> Finding:
    return Finding(
        "counterfactual_is_a_model",
        Severity.INFORM,
        event.event_id,
        f"The price without event {event.event_id} is a model: {model['model']}, with the verified response of "
        f"{model['responders']} participants added back. It puts the benefit at {benefit_fen / 100:,.2f} 元 against a "
        f"cost of {cost_fen / 100:,.2f} 元; the rule of allocation is a proposal (F3), no Shandong formula is published.",
        evidence={**model, "benefit_fen": benefit_fen, "cost_fen": cost_fen},
        amount_at_stake_fen=cost_fen,
    )


def _economic_finding(event: Event) -> Finding:
    return Finding(
        "economic_event_allocated",
        Severity.INFORM,
        event.event_id,
        f"Event {event.event_id} belongs to an economic program; where its users are paid by their own spot deviation "
        "its payment should be zero (demand_response.md A1.2). What the program pays is allocated like any other event.",
    )


def _record(
    event: Event, commitments: Sequence[Commitment], outcomes: Sequence[Outcome], result: MonthResponse
) -> None:
    by_id = {one.participant_id: one for one in commitments}
    for one in outcomes:
        award = by_id[one.participant_id]
        if one.baseline is not None:
            curve: list[int | None] = [None] * PERIODS
            curve[event.first_period - 1 : event.last_period] = [
                half_up(Fraction(kw) * 1000 / PERIODS_PER_HOUR) for kw in one.baseline.curve.tolist()
            ]
            result.baselines.append(
                {
                    "event_id": event.event_id,
                    "participant_id": one.participant_id,
                    "baseline": curve,
                    "method": award.method,
                    "adjustment": f"{award.adjustment} {one.baseline.adjustment:.6f}",
                    "excluded_days": [
                        {"date": day, "reason": reason}
                        for day, reason in sorted(one.baseline.excluded.items())
                    ],
                }
            )
        response = one.response
        result.responses.append(
            {
                "event_id": event.event_id,
                "participant_id": one.participant_id,
                "committed_w": scaled(award.committed_kw, 3),
                "responded_w": None if response is None else half_up(Fraction(response.responded_kw) * 1000),
                "rate_ppm": None if response is None else half_up(Fraction(response.rate) * 1_000_000),
                "effective_minutes": None if response is None else response.effective_minutes,
                "confirmed_w": None if response is None else half_up(response.confirmed_w),
                "energy_wh": _confirmed_wh(event, one),
                "payment_fen": one.payment_fen,
                "penalty_fen": one.penalty_fen,
                "code": one.code,
            }
        )
