"""One event as it is settled and shared: the day's market, the outcomes, the case (rulings 23-27)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import numpy as np

from demand_response.batch import LoadBook
from demand_response.benefit import position_or_contract, retailer_gain
from demand_response.events import Event, Program
from demand_response.settle import Commitment, Outcome, settle_event
from demand_response.sharing import EventCase, EventMarket, Policy, event_response, event_window
from jobs.dr_events import MonthEvents
from jobs.roster import Roster
from market.calendars import ChinaCalendar
from market.curves import is_missing
from market.money import IntArray, scaled
from market.periods import PERIODS, TIME_ZONE
from market.profiles import ProvincialRules, on
from settlement.findings import Finding
from settlement.market_day import MarketDay

HOME_ZONE = "province"


@dataclass(frozen=True, eq=False)
class SettledEvent:
    """An event's commitments and outcomes; ``case`` is None where a figure its cost or benefit rests on is missing.

    book: the loads it was settled on, aggregators that were awarded as such among them.
    """

    event: Event
    program: Program
    commitments: tuple[Commitment, ...]
    outcomes: tuple[Outcome, ...]
    book: LoadBook
    shares_cost: bool
    case: EventCase | None


def settle_one(
    event: Event,
    events: MonthEvents,
    book: LoadBook,
    market: MarketDay,
    roster: Roster,
    rules: ProvincialRules,
    findings: list[Finding],
    counterfactual: Callable[[EventCase, Program], EventCase],
) -> SettledEvent:
    """Settle and prepare to share one event; adds to ``findings`` what is odd about its awards.

    counterfactual: puts into the case how its price without the response is found.
    """
    program = events.program(event, rules)
    commitments = tuple(events.commitments(event, rules, roster, findings))
    shares_cost = program.shares_cost or on(
        rules.dr_economic_events_allocated, event.date, "dr_economic_events_allocated"
    )
    declared = book.with_sums(events.groups(event))
    outcomes = tuple(
        settle_event(
            event,
            program,
            commitments,
            declared,
            calendar=ChinaCalendar(),
            excluded=events.barred_days(event),
            pays=shares_cost,
        )
    )
    case = None
    if not any(one.payment_fen is None for one in outcomes) and not _incomplete(market):
        case = counterfactual(_case(event, outcomes, market, roster, rules), program)
    return SettledEvent(event, program, commitments, outcomes, declared, shares_cost, case)


def valid_reductions(outcomes: Sequence[Outcome]) -> list[tuple[int, ...]]:
    """Wh by quarter-hour of everyone whose response was valid."""
    return [
        one.reduction_wh
        for one in outcomes
        if one.response is not None and one.response.valid and one.reduction_wh
    ]


def policy(event: Event, rules: ProvincialRules) -> Policy:
    """Who pays on the event's day."""
    return Policy(
        rule=rules.dr_allocation_rule,
        residual_rule=rules.dr_residual_rule,
        price_cap=scaled(rules.clearing_price_cap_cny_per_mwh, 3),
        deviation_tolerance=on(rules.dr_deviation_tolerance, event.date, "dr_deviation_tolerance"),
        grid_states=on(rules.dr_grid_states, event.date, "dr_grid_states"),
    )


def _case(
    event: Event, outcomes: Sequence[Outcome], market: MarketDay, roster: Roster, rules: ProvincialRules
) -> EventCase:
    cleared_at = _day_ahead_results(event.date, rules.day_ahead_results_at)
    return EventCase(
        event=event,
        cost_fen=sum((one.payment_fen or 0) - (one.penalty_fen or 0) for one in outcomes),
        response_wh=event_response(event, valid_reductions(outcomes)),
        market=_event_market(event, outcomes, market, roster, rules),
        policy=policy(event, rules),
        known_to_day_ahead=event.known_to_day_ahead(cleared_at),
    )


def _event_market(
    event: Event, outcomes: Sequence[Outcome], market: MarketDay, roster: Roster, rules: ProvincialRules
) -> EventMarket:
    outside = _nonmarket(event, market)
    units = tuple(
        roster.generators[row] for row in np.flatnonzero(outside)
    )  # they have no use and no benefit
    payers = (*roster.users, *units)
    positions, covered = _positions(market, len(roster.users))
    zone_of = dict(on(rules.dr_zone_of_node, event.date, "dr_zone_of_node"))
    retail_price = on(rules.dr_retailer_gain_at_cny_per_mwh, event.date, "dr_retailer_gain_at_cny_per_mwh")
    gain = None
    if retail_price is not None:
        reduced = _customers_reduction(event, outcomes, roster)
        gain = _over(retailer_gain(reduced, market.prices.user_real_time, scaled(retail_price, 3)), units)
    return EventMarket(
        payers=payers,
        use_wh=_over(market.use, units),
        day_ahead_wh=_over(positions, units),
        contract_wh=_over(covered, units),
        load_wh=market.generation.sum(axis=0) + market.import_day_ahead + market.import_intraday,
        price_day_ahead=market.prices.user_day_ahead,
        price_real_time=market.prices.user_real_time,
        nonmarket_wh=np.concatenate([np.zeros(len(roster.users), np.int64), outside[outside != 0]]),
        zone=tuple(zone_of.get(roster.node.get(who), HOME_ZONE) for who in payers),
        other_gain=gain,
    )


def _nonmarket(event: Event, market: MarketDay) -> IntArray:
    """Non-market energy of the event window, Wh (generators,); ruling 26 has its generators bear the residual."""
    if market.nonmarket is None:
        return np.zeros(len(market.generation), np.int64)
    return np.asarray(np.maximum(market.nonmarket[:, event_window(event)].sum(axis=1), 0), np.int64)


def _over(users: IntArray, units: Sequence[str]) -> IntArray:
    """The rows of users with a row of zeros for each unit."""
    if not units:
        return users  # as most days: a copy of everybody's curves is much
    return np.vstack([users, np.zeros((len(units), PERIODS), np.int64)])


def _customers_reduction(event: Event, outcomes: Sequence[Outcome], roster: Roster) -> IntArray:
    """Wh taken off by each payer's own customers (payers, 96); a wholesale user is nobody's customer."""
    reduced = np.zeros((len(roster.users), PERIODS), np.int64)
    holder = roster.on(event.date).holder
    row_of = {who: int(holder[place]) for place, who in enumerate(roster.metered)}
    for one in outcomes:
        row = row_of.get(one.participant_id, -1)
        own_account = 0 <= row < len(roster.users) and roster.users[row] == one.participant_id
        if one.response is None or not one.response.valid or own_account or not 0 <= row < len(roster.users):
            continue
        reduced[row, event_window(event)] += np.array(one.reduction_wh, dtype=np.int64)
    return reduced


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


def _day_ahead_results(day: date, at: time) -> datetime:
    return datetime.combine(day - timedelta(days=1), at, tzinfo=ZoneInfo(TIME_ZONE))
