"""What the morning bid is about: the day's problem, a bid, and what a bid costs.

Power MW at the buyer node, prices 元/MWh, periods 1..96, a quarter of an hour each. Costs are positive when the
buyer pays; the value of surplus energy is a credit. Money that leaves this room is whole fen.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import cached_property

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from market.money import half_up, yuan
from market.periods import PERIODS, PERIODS_PER_HOUR
from market.profiles import InterprovincialRules
from optimization.forecast import FloatArray
from optimization.scenarios import Scenarios
from optimization.single_buyer import Curve, PeriodMarket, market_of
from optimization.supply import Supply

HOURS = 1 / PERIODS_PER_HOUR
MINUTES = 60 // PERIODS_PER_HOUR
BID_COLUMNS = ("period", "segment", "mw", "price_cny_per_mwh")


@dataclass(frozen=True, order=True)
class Segment:
    """One step of a bid: MW and price are whole, segments of a period count 1, 2, … from the highest price."""

    period: int
    segment: int
    mw: int
    price_cny_per_mwh: int


Bid = tuple[Segment, ...]


def bid_of(steps: Iterable[tuple[int, int, int]]) -> Bid:
    """A bid from (period, mw, price); steps of 0 MW are dropped, those of one period and price joined."""
    joined: dict[tuple[int, int], int] = {}
    for period, mw, price in steps:
        if mw > 0:
            joined[period, -price] = joined.get((period, -price), 0) + mw
    segments: list[Segment] = []
    for period, falling in sorted(joined):
        number = segments[-1].segment + 1 if segments and segments[-1].period == period else 1
        segments.append(Segment(period, number, joined[period, falling], -falling))
    return tuple(segments)


def bid_frame(bid: Bid, node: str) -> pd.DataFrame:
    """node, period, segment, mw, price_cny_per_mwh: the rows clear() takes."""
    frame = pd.DataFrame(
        [(one.period, one.segment, one.mw, one.price_cny_per_mwh) for one in bid], columns=list(BID_COLUMNS)
    )
    frame.insert(0, "node", node)
    return frame


def curves_of(bid: Bid) -> dict[int, Curve]:
    """Period -> its segments as (MW, price), dear to cheap."""
    found: dict[int, Curve] = {}
    for one in sorted(bid):
        found[one.period] = (*found.get(one.period, ()), (one.mw, one.price_cny_per_mwh))
    return found


def bid_mw(bid: Bid) -> NDArray[np.int64]:
    """(96,) MW of all segments of a period."""
    total = np.zeros(PERIODS, dtype=np.int64)
    for one in bid:
        total[one.period - 1] += one.mw
    return total


@dataclass(frozen=True)
class DemandResponse:
    """A programme that can be called instead of importing (market.md E.4).

    An event holds one power from its first to its last period; a customer is called at most once a day, so all
    events of a day together stay within ``capability_mw``. ``called_with_the_bid``: its notice ends before the
    gap is known, so the call is the same in every scenario; otherwise it follows the scenario. time_coefficients:
    (minutes from, factor) on the payment, as in settlement (demand_response.md A3).
    """

    program_id: str
    capability_mw: float
    cny_per_mwh: float
    cny_per_mw_event: float
    minimum_periods: int
    maximum_periods: int
    called_with_the_bid: bool
    time_coefficients: tuple[tuple[int, float], ...] = ((0, 1.0),)

    def lengths(self) -> range:
        """Periods an event may last: the minimum, then in whole hours."""
        return range(
            self.minimum_periods, max(self.minimum_periods, self.maximum_periods) + 1, PERIODS_PER_HOUR
        )

    def cny_per_mw(self, periods: int) -> float:
        """元 for one MW called over that many periods and delivered in full."""
        minutes = periods * MINUTES
        factor = next((one for start, one in reversed(self.time_coefficients) if start <= minutes), 0.0)
        return (self.cny_per_mwh * periods * HOURS + self.cny_per_mw_event) * factor


@dataclass(frozen=True)
class Commitment:
    """A baseline that may be left upwards or downwards at a price; one concept for everything but imports and events.

    Orderly use of electricity (有序用电) is a way up at the value of lost load, a surplus sold at home a way down at
    minus its price, a contract's flexibility or an intraday purchase a way up or down within its MW. Arrays (96,)
    or (scenarios, 96): MW, inf without limit; 元/MWh the buyer pays for a MWh up or down, negative when it earns.
    imported: what is taken upwards comes over the province's border and counts against the limit of all imports.
    """

    name: str
    up_mw: FloatArray
    up_cny_per_mwh: FloatArray
    down_mw: FloatArray
    down_cny_per_mwh: FloatArray
    imported: bool = False

    def expected(self, probability: FloatArray) -> Commitment:
        """The same with the expectation of what differs by scenario."""

        def mean(values: FloatArray) -> FloatArray:
            return values if values.ndim == 1 else np.asarray(probability @ values)

        return replace(
            self,
            up_mw=mean(self.up_mw),
            up_cny_per_mwh=mean(self.up_cny_per_mwh),
            down_mw=mean(self.down_mw),
            down_cny_per_mwh=mean(self.down_cny_per_mwh),
        )


@dataclass(frozen=True)
class Procurement:
    """The problem of one day.

    need_limit_mw: (96,) most that may be bid (declared need of the pre-balance, S14 A.4). provincial_price: (96,)
    元/MWh a surplus MWh is worth, 0 where unknown. import_limit_mw: (96,) most that may still come in over all paths
    together, beside what is scheduled; None without one. The bid minimises expected cost + risk_weight x CVaR of the worst risk_share.
    orderly_use_mw: (96,) most that may be cut by orderly use, None without limit.
    """

    supply: Supply
    scenarios: Scenarios
    demand_response: tuple[DemandResponse, ...]
    need_limit_mw: NDArray[np.int64]
    provincial_price: FloatArray
    value_of_lost_load: float
    rules: InterprovincialRules
    commitments: tuple[Commitment, ...] = ()
    import_limit_mw: FloatArray | None = None
    risk_weight: float = 0.2
    risk_share: float = 0.2
    orderly_use_mw: FloatArray | None = None

    @cached_property
    def landed(self) -> FloatArray:
        """Seller prices at the buyer node: (scenarios, paths, 96)."""
        return self.supply.landed(self.scenarios.seller_price)

    @cached_property
    def offers(self) -> tuple[FloatArray, FloatArray]:
        """Price and MW of every offer, (scenarios, nodes, steps, 96)."""
        return self.scenarios.offers()

    def market(self, period: int) -> PeriodMarket:
        """What a period (1..96) offers in every scenario."""
        return market_of(self.supply, *self.offers, period)

    @cached_property
    def capability_mw(self) -> FloatArray:
        """(96,) MW all paths together can bring in."""
        return self.supply.capability()

    @cached_property
    def ways_out(self) -> tuple[Commitment, ...]:
        """What closes the balance: orderly use, surplus, then the commitments given."""
        none, endless = np.zeros(PERIODS), np.full(PERIODS, np.inf)
        return (
            Commitment(
                "orderly_use",
                endless if self.orderly_use_mw is None else self.orderly_use_mw,
                np.full(PERIODS, self.value_of_lost_load),
                none,
                none,
            ),
            Commitment("surplus", none, none, endless, -self.provincial_price),
            *self.commitments,
        )

    def open_periods(self) -> list[int]:
        """Periods (1-based) with a gap in some scenario or MW that may be bid."""
        return [
            int(t)
            for t in np.flatnonzero((self.scenarios.largest_gap_mw() > 0) | (self.bid_limit_mw() > 0)) + 1
        ]

    def bid_limit_mw(self) -> NDArray[np.int64]:
        """(96,) whole MW a bid may have: the declared need, cut to transfer capability and to the limit of all imports."""
        least = self.capability_mw
        if self.import_limit_mw is not None:
            least = np.minimum(least, np.maximum(self.import_limit_mw, 0.0))
        return np.minimum(self.need_limit_mw, np.floor(least + 1e-9)).astype(np.int64)

    def under(self, scenarios: Scenarios, commitments: tuple[Commitment, ...] | None = None) -> Procurement:
        """The same day under other scenarios; commitments not given stand at their expectation."""
        own = tuple(one.expected(self.scenarios.probability) for one in self.commitments)
        return replace(self, scenarios=scenarios, commitments=own if commitments is None else commitments)


@dataclass(frozen=True)
class Costs:
    """Expected cost of a day by component, whole fen; ``surplus`` is a credit and therefore not positive."""

    purchase_fen: int
    response_fen: int
    shortage_fen: int
    surplus_fen: int
    commitment_fen: int = 0

    @property
    def total_fen(self) -> int:
        """The sum of the components."""
        return (
            self.purchase_fen + self.response_fen + self.shortage_fen + self.surplus_fen + self.commitment_fen
        )

    @property
    def total_cny(self) -> Decimal:
        """The total in yuan."""
        return yuan(self.total_fen)


@dataclass(frozen=True)
class Call:
    """A demand-response event: scenario (from 0; None: the same in all), first and last period, constant MW."""

    program_id: str
    scenario: int | None
    first_period: int
    last_period: int
    mw: float


@dataclass(frozen=True)
class Outcome:
    """What a bid leads to in each scenario.

    MW arrays (scenarios, 96) at the buyer node: imported, demand response, load not served, surplus over the gap.
    cost_cny: (scenarios, 5) purchase, response, shortage, surplus (a credit), other commitments.
    """

    import_mw: FloatArray
    response_mw: FloatArray
    short_mw: FloatArray
    surplus_mw: FloatArray
    cost_cny: FloatArray
    probability: FloatArray
    calls: tuple[Call, ...]

    def scenario_cost_cny(self) -> FloatArray:
        """(scenarios,) total."""
        return np.asarray(self.cost_cny.sum(axis=1))

    def expected(self) -> Costs:
        """Probability-weighted components, each rounded half up to the fen."""
        return Costs(*(half_up_fen(value) for value in (self.probability @ self.cost_cny).tolist()))

    def cvar_cny(self, share: float = 0.2) -> float:
        """Mean cost of the worst ``share`` of the probability (CVaR); ValueError outside (0, 1]."""
        if not 0 < share <= 1:
            raise ValueError(f"A share of {share} is not in (0, 1]; the worst fifth is 0.2.")
        return float(self.tail(share) @ self.scenario_cost_cny())

    def tail(self, share: float) -> FloatArray:
        """(scenarios,) weight of each in the CVaR; they sum to 1."""
        worst_first = np.argsort(-self.scenario_cost_cny(), kind="stable")
        before = np.cumsum(self.probability[worst_first]) - self.probability[worst_first]
        weight = np.zeros_like(self.probability)
        weight[worst_first] = np.clip(share - before, 0.0, self.probability[worst_first]) / share
        return weight


def half_up_fen(cny: float) -> int:
    """A solver's amount in yuan as whole fen."""
    return half_up(Decimal(repr(cny)) * 100)
