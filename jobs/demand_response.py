"""The month's demand-response events in the month's ledger and run tables (rulings 23-27)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from fractions import Fraction
from itertools import groupby

import pandas as pd

from demand_response.allocation import DRIVERS, allocate
from demand_response.events import Event
from demand_response.settle import Outcome
from demand_response.sharing import Shared, share
from jobs.dr_capacity import CapacityPool, capacity_findings, capacity_pools
from jobs.dr_case import SettledEvent, settle_one, valid_reductions
from jobs.dr_counterfactual import Counterfactual
from jobs.dr_events import EVENT_TABLES, MonthEvents, cancellation_findings, given
from jobs.dr_funds import FundMonth, fund_findings, limit_by_funds
from jobs.dr_loads import LOOK_BACK, read_loads
from jobs.dr_sessions import session_inputs
from jobs.dr_state import appeal_findings
from jobs.month_inputs import MonthInputs
from jobs.roster import Roster
from market.money import half_up, scaled
from market.periods import PERIODS, PERIODS_PER_HOUR, Month
from market.profiles import ProvincialRules
from settlement.findings import Finding, Severity
from settlement.month import EventAmount
from warehouse.home import Home

__all__ = [
    "EVENT_TABLES",
    "LOOK_BACK",
    "MonthEvents",
    "MonthResponse",
    "record_event",
    "session_inputs",
    "settle_events",
]


@dataclass
class MonthResponse:
    """Amounts for the ledger, rows for the run's three event tables, findings.

    allocations: one frame an event, a row a payer and tranche: event_id, participant_id, tranche, driver, benefit_fen,
    charge_fen.
    """

    amounts: list[EventAmount] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    baselines: list[dict[str, object]] = field(default_factory=list)
    responses: list[dict[str, object]] = field(default_factory=list)
    allocations: list[pd.DataFrame] = field(default_factory=list)


def settle_events(
    home: Home,
    events: MonthEvents,
    roster: Roster,
    inputs: MonthInputs,
    rules: ProvincialRules,
    as_of: datetime | None,
    bearing_wh: Mapping[str, int | None],
    openings: Mapping[str, int],
    meters: pd.DataFrame,
) -> MonthResponse:
    """Settle every event of the month; ``inputs`` has been streamed; it reads the event days again.

    bearing_wh: the month's use by user and non-market energy by generator, None where not known. openings: fen by account, for what funds hold.
    meters: the records, valid or not.
    """
    result = MonthResponse()
    result.findings += [*cancellation_findings(events), *appeal_findings(home, events, as_of)]
    settled = _settled(home, events, roster, inputs, rules, as_of, result.findings, meters)
    pools = capacity_pools(events, roster.month)
    limited = limit_by_funds(settled, pools, events.tables["dr_funds"], openings, roster.month)
    result.findings += [*capacity_findings(list(limited.pools)), *fund_findings(limited.funds)]
    for one in limited.settled:
        record_event(one, events.enrolments(one.event), roster, result)
    for pool in limited.pools:
        record_capacity(pool, bearing_wh, roster, rules, result)
    for fund in limited.funds:
        _record_income(fund, roster, max(roster.month.days()), result)
    return result


def _settled(
    home: Home,
    events: MonthEvents,
    roster: Roster,
    inputs: MonthInputs,
    rules: ProvincialRules,
    as_of: datetime | None,
    findings: list[Finding],
    meters: pd.DataFrame,
) -> list[SettledEvent]:
    if not events.events:
        return []
    first, after = min(events.days) - LOOK_BACK, max(events.days) + timedelta(days=1)
    book = read_loads(home, events.metered(), first, after, as_of, meters=meters)
    counterfactual = Counterfactual(home, rules, roster, events.tables["rota"], as_of)
    settled = []
    for day, of_day in groupby(events.events, key=lambda event: event.date):
        market = inputs.market(day)  # read again: kept, every event day would hold everybody's curves
        settled += [
            settle_one(event, events, book, market, roster, rules, findings, counterfactual)
            for event in of_day
        ]
    return settled


def record_event(
    settled: SettledEvent, enrolments: pd.DataFrame, roster: Roster, result: MonthResponse
) -> Shared | None:
    """Add one settled event to ``result``; how it was shared, None where it could not be or need not be."""
    event, outcomes = settled.event, settled.outcomes
    result.findings += _outcome_findings(event, outcomes, roster)
    _book_payments(event, outcomes, enrolments, result)
    _record(settled, result)
    if not settled.shares_cost:
        result.findings.append(_economic_finding(event))
        return None
    _book_fund(settled, result)
    if settled.case is None:
        result.amounts += [
            EventAmount(event.event_id, event.date, who, "demand_response_charge", None, None)
            for who in roster.users
        ]
        return None
    shared = share(settled.case)
    result.findings.append(_model_finding(settled, shared))
    _book_charges(event, shared, result)
    return shared


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
        aggregator = given(enrolments.loc[one.participant_id, "aggregator_id"])
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


def _book_fund(settled: SettledEvent, result: MonthResponse) -> None:
    """What the event costs the programme's fund, where it has one: payments less penalties."""
    fund = settled.program.fund_id
    if fund is None:
        return
    paid = [one.payment_fen for one in settled.outcomes], [one.penalty_fen for one in settled.outcomes]
    known = None not in paid[0]
    net = sum(fen or 0 for fen in paid[0]) - sum(fen or 0 for fen in paid[1]) if known else None
    event = settled.event
    result.amounts.append(EventAmount(event.event_id, event.date, fund, "demand_response_fund", 0, net))


def record_capacity(
    pool: CapacityPool,
    bearing_wh: Mapping[str, int | None],
    roster: Roster,
    rules: ProvincialRules,
    result: MonthResponse,
) -> None:
    """Fees to those enrolled; their sum to the fund, or to the payers by the rule of the residual over the month (ruling 26)."""
    amounts, cost = result.amounts, sum(pool.fees.values())
    for who, fen in pool.fees.items():
        amounts.append(
            EventAmount(pool.pool_id, pool.day, pool.payee[who], "demand_response_capacity", 0, -fen)
        )
    if pool.fund_id is not None:
        amounts.append(EventAmount(pool.pool_id, pool.day, pool.fund_id, "demand_response_fund", 0, cost))
        return
    units = set(roster.generators)
    if "nonmarket_generation_wh" not in DRIVERS[rules.dr_residual_rule]:
        bearing_wh = {who: wh for who, wh in bearing_wh.items() if who not in units}
    payers = list(bearing_wh)
    if None in bearing_wh.values():
        amounts += [
            EventAmount(pool.pool_id, pool.day, who, "demand_response_charge", None, None) for who in payers
        ]
        return
    drivers = pd.DataFrame(
        {
            "participant_id": payers,
            "consumption_wh": [0 if who in units else wh or 0 for who, wh in bearing_wh.items()],
            "nonmarket_generation_wh": [wh or 0 if who in units else 0 for who, wh in bearing_wh.items()],
        }
    ).assign(benefit_fen=0)
    charges = allocate(cost, drivers, rule=rules.dr_residual_rule, residual_rule=rules.dr_residual_rule)
    for row in charges.itertuples():
        amounts.append(
            EventAmount(
                pool.pool_id,
                pool.day,
                row.participant_id,
                "demand_response_charge",
                bearing_wh[row.participant_id],
                int(row.charge_fen),
            )
        )
    result.allocations.append(charges.assign(event_id=pool.pool_id, benefit_fen=0))


def _record_income(fund: FundMonth, roster: Roster, day: date, result: MonthResponse) -> None:
    """The month's income from the grid company, which collected it, to the fund."""
    if not fund.income_fen:
        return
    code, pool = "demand_response_fund_income", f"{fund.fund_id}/{Month.of(day)}"
    result.amounts += [
        EventAmount(pool, day, fund.fund_id, code, 0, -fund.income_fen),
        EventAmount(pool, day, roster.grid_company, code, 0, fund.income_fen),
    ]


def _confirmed_wh(event: Event, one: Outcome) -> int | None:
    return None if one.response is None else half_up(one.response.confirmed_w * event.hours)


def _book_charges(event: Event, shared: Shared, result: MonthResponse) -> None:
    drivers = shared.drivers
    benefit = dict(zip(drivers["participant_id"], drivers["benefit_fen"].tolist(), strict=True))
    payers = shared.charges["participant_id"]
    result.allocations.append(
        shared.charges.assign(event_id=event.event_id, benefit_fen=[benefit[who] for who in payers])
    )
    borne_by = drivers["consumption_wh"] + drivers["nonmarket_generation_wh"]  # a payer has one or the other
    energy = dict(zip(drivers["participant_id"], borne_by.tolist(), strict=True))
    for who, fen in shared.charged().items():
        result.amounts.append(
            EventAmount(event.event_id, event.date, who, "demand_response_charge", energy[who], fen)
        )


def _model_finding(settled: SettledEvent, shared: Shared) -> Finding:
    event, responders = settled.event, len(valid_reductions(settled.outcomes))
    return Finding(
        "counterfactual_is_a_model",
        Severity.INFORM,
        event.event_id,
        f"The price without event {event.event_id} is a model: {shared.model}, with the verified response of "
        f"{responders} participants added back. It puts the benefit at {shared.benefit_fen / 100:,.2f} 元 against a "
        f"cost of {shared.cost_fen / 100:,.2f} 元; the rule of allocation is a proposal (F3), no Shandong formula is published.",
        evidence={
            "model": shared.model,
            "responders": responders,
            "largest_rise_real_time_cny_per_mwh": float(shared.rise_real_time.max()) / 1000,
            "largest_rise_day_ahead_cny_per_mwh": float(shared.rise_day_ahead.max()) / 1000,
            "benefit_fen": shared.benefit_fen,
            "cost_fen": shared.cost_fen,
        },
        amount_at_stake_fen=shared.cost_fen,
    )


def _economic_finding(event: Event) -> Finding:
    return Finding(
        "economic_event_not_shared",
        Severity.INFORM,
        event.event_id,
        f"Event {event.event_id} belongs to an economic program: its response is recorded, and its users are paid by "
        "their own spot deviation, so nothing is paid here and nothing is shared (demand_response.md A1.2; profile "
        "rule dr_economic_events_allocated).",
    )


def _record(settled: SettledEvent, result: MonthResponse) -> None:
    event = settled.event
    by_id = {one.participant_id: one for one in settled.commitments}
    for one in settled.outcomes:
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
