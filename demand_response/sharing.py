"""One event's cost among those who gained: price without the response, benefits, drivers, charges (F3; rulings 25-27).

Rows are payers. Energy is whole Wh a quarter-hour, a price 0.001 元/MWh, money fen. A charge is positive.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pandas as pd

from demand_response.allocation import allocate
from demand_response.benefit import (
    NetBenefit,
    counterfactual,
    exposure_benefit,
    net_benefit_test,
    supply_curve,
)
from demand_response.events import Event
from demand_response.exact import exact
from market.money import INT64_MAX, IntArray, fen_of_nano
from market.periods import PERIODS

STACK = "convex piecewise-linear supply curve fitted to the day's 96 loads and user prices"

Rise = Callable[[IntArray, IntArray, IntArray, IntArray], IntArray]
"""(load Wh, price mills, response Wh, headroom mills), each (96,), to the rise without the response, mills (96,)."""


def stack_rise(load_wh: IntArray, price: IntArray, response_wh: IntArray, headroom: IntArray) -> IntArray:
    """The provincial stack cleared again with the response added back (F3, 1; model of ``supply_curve``)."""
    return counterfactual(supply_curve(load_wh, price), load_wh, response_wh, headroom_mills=headroom)


@dataclass(frozen=True, eq=False)
class EventMarket:
    """The event's day. use, day_ahead, contract: (payers, 96) Wh; load, prices: (96,).

    load_wh: generation and import of the province. nonmarket_wh: (payers,) energy of the event window generated
    outside the market. zone: of each payer, for the zonal rule. other_gain: nano yuan (payers, 96) or None.
    """

    payers: tuple[str, ...]
    use_wh: IntArray
    day_ahead_wh: IntArray
    contract_wh: IntArray
    load_wh: IntArray
    price_day_ahead: IntArray
    price_real_time: IntArray
    nonmarket_wh: IntArray
    zone: tuple[str, ...] = ()
    other_gain: IntArray | None = None


@dataclass(frozen=True)
class Policy:
    """Who pays, as the profile has it on the event's day.

    price_cap: mills; no counterfactual price passes it. deviation_tolerance: share of the position that is free
    (免考核带, C5). grid_states: (probability, zones that benefit) of M8.
    """

    rule: str = "two_tranche"
    residual_rule: str = "users_and_nonmarket_generation"
    price_cap: int | None = None
    deviation_tolerance: Decimal = Decimal(0)
    grid_states: tuple[tuple[Decimal, tuple[str, ...]], ...] = ()


@dataclass(frozen=True, eq=False)
class EventCase:
    """What one event is shared from; ``dataclasses.replace`` asks for another rule or another number.

    cost_fen: payments less penalties; negative is a credit. response_wh: as ``event_response``.
    funded_fen: what a fund pays of it, on top of cost_fen, which the payers bear.
    known_to_day_ahead: announced before day-ahead clearing, so that it moved that price too. rise: how the price
    without the response is found, named by ``model``; rise_day_ahead: another way for that price.
    """

    event: Event
    cost_fen: int
    response_wh: IntArray
    market: EventMarket
    policy: Policy
    known_to_day_ahead: bool
    rise: Rise = stack_rise
    rise_day_ahead: Rise | None = None
    model: str = STACK
    funded_fen: int = 0


@dataclass(frozen=True, eq=False)
class Shared:
    """One event shared. rise_*: mills (96,). drivers: a row a payer. charges: as ``allocate`` gives them.

    response_wh: (96,) verified reduction that was added back. ``model`` names how the price without it was found.
    """

    cost_fen: int
    response_wh: IntArray
    rise_day_ahead: IntArray
    rise_real_time: IntArray
    drivers: pd.DataFrame
    charges: pd.DataFrame
    model: str

    @property
    def benefit_fen(self) -> int:
        """All payers' benefit."""
        return int(self.drivers["benefit_fen"].sum())

    def charged(self, tranche: str | None = None) -> Mapping[str, int]:
        """Charge in fen by payer, of one tranche or of all."""
        rows = self.charges if tranche is None else self.charges[self.charges["tranche"] == tranche]
        sums = rows.groupby("participant_id")["charge_fen"].sum()
        return {str(who): int(fen) for who, fen in sums.items()}


def event_response(event: Event, reductions: Sequence[Sequence[int]]) -> IntArray:
    """Sum of verified reductions over the event, Wh (96,), never negative, 0 outside it.

    reductions: Wh of each quarter-hour of the event, one sequence a participant whose response was valid.
    """
    response = np.zeros(PERIODS, np.int64)
    if reductions:
        response[event_window(event)] = np.maximum(np.array(reductions, dtype=np.int64).sum(axis=0), 0)
    return response


def event_window(event: Event) -> slice:
    """The event's quarter-hours as a slice of a day."""
    return slice(event.first_period - 1, event.last_period)


def share(case: EventCase) -> Shared:
    """Share an event's cost by the case's policy.

    Raises ValueError where the policy's residual can be borne by nobody or a figure is missing.
    """
    market, policy, cap = case.market, case.policy, case.policy.price_cap
    nothing = np.zeros(PERIODS, np.int64)

    def without(price: IntArray, rise: Rise) -> IntArray:
        headroom = np.full(PERIODS, INT64_MAX) if cap is None else np.maximum(cap - price, 0)
        return rise(market.load_wh, price, case.response_wh, headroom)

    rise_rt, rise_da = without(market.price_real_time, case.rise), nothing
    if case.known_to_day_ahead:  # ruling 25
        rise_da = without(market.price_day_ahead, case.rise_day_ahead or case.rise)
    benefit = exposure_benefit(
        rise_da, rise_rt, market.day_ahead_wh, market.contract_wh, market.use_wh, market.other_gain
    )
    table = drivers(case.event, market, policy, [fen_of_nano(nano) for nano in benefit.tolist()])
    charges = allocate(case.cost_fen, table, rule=policy.rule, residual_rule=policy.residual_rule)
    return Shared(case.cost_fen, case.response_wh, rise_da, rise_rt, table, charges, case.model)


def drivers(event: Event, market: EventMarket, policy: Policy, benefit_fen: Sequence[int]) -> pd.DataFrame:
    """What every rule needs of each payer: benefit, use, deviation above the tolerance, non-market energy, zone."""
    window = event_window(event)
    use, position = market.use_wh[:, window], market.day_ahead_wh[:, window]
    columns: dict[str, object] = {
        "participant_id": list(market.payers),
        "benefit_fen": list(benefit_fen),
        "consumption_wh": use.sum(axis=1),
        "deviation_wh": positive_deviation(use, position, policy.deviation_tolerance),
        "nonmarket_generation_wh": market.nonmarket_wh,
    }
    if market.zone:
        columns["zone"] = list(market.zone)
    return pd.DataFrame(columns)


def positive_deviation(use_wh: IntArray, position_wh: IntArray, tolerance: Decimal) -> IntArray:
    """Use above the position and above its free band, Wh, (payers,): sum of (E - Q - tau |Q|)+ (M6, C5).

    The band of a quarter-hour is rounded down to the Wh. Raises ValueError for a negative tolerance.
    """
    tau = exact(tolerance)
    if tau < 0:
        raise ValueError(f"The tolerance is {tolerance}; a free band is a share of 0 or more.")
    free = np.abs(position_wh) // tau.denominator * tau.numerator + (
        np.abs(position_wh) % tau.denominator * tau.numerator // tau.denominator
    )
    return np.asarray(np.maximum(use_wh - position_wh - free, 0).sum(axis=1), dtype=np.int64)


def net_benefit(case: EventCase, shared: Shared) -> NetBenefit:
    """Did all load of the province save more at the lower real-time price than the event cost (B1; ruling 29)?

    Q1: load of the window, Q0: with the response, P1 and P1 + rise weighted by Q1, so that (P0 - P1) Q1 is the
    sum over quarter-hours; cost: the event's payments less penalties, whoever bears them. MWh and 元.
    """
    window, market = event_window(case.event), case.market
    load = [int(wh) for wh in market.load_wh[window]]
    after = sum(load)
    before = after + int(shared.response_wh[window].sum())
    paid = sum(p * q for p, q in zip(market.price_real_time[window].tolist(), load, strict=True))
    saved = sum(d * q for d, q in zip(shared.rise_real_time[window].tolist(), load, strict=True))
    return net_benefit_test(
        Fraction(before, 10**6),
        Fraction(after, 10**6),
        Fraction(paid + saved, after * 1000),
        Fraction(paid, after * 1000),
        payment=Fraction(shared.cost_fen + case.funded_fen, 100),
    )
