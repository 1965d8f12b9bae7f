"""Which offers of an event are taken, at what price, and who stands in reserve (储备库; demand_response.md A1, A2, F1).

Power is whole W, a price whole 1e-6 元 of the event's unit (per kW and event, or per kWh). Offers stand in one
order: low price, then large capacity, then participant id. The listed quantity, need x listing factor, is
covered at the least offered cost, and of equally cheap awards the one that follows that order is taken.

Without blocks that cut into the last place the order itself is the answer. Where a minimum block does, offers
are taken whole or not at all and the choice is an integer programme (Pyomo, HiGHS); power is then filled in
exactly, in whole W, and only the choice of offers comes from the solver.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Any

import pyomo.environ as pyo
from pyomo.contrib.solver.common.factory import SolverFactory
from pyomo.contrib.solver.common.results import SolutionStatus

from demand_response.exact import exact
from market.money import half_up

GAP = 1e-4  # a choice counts as cheapest within 0.01 %; closing the last of it is a search for subset sums
MARGIN = 1e-6  # asked for on top where the solver's tolerance left the listed quantity a few watts short
NODES = 2_000  # a bound on nodes, unlike one on seconds, gives the same award on every machine


class AwardNotSolvedError(RuntimeError):
    """The solver gave no optimum for an integer award."""


class Pricing(StrEnum):
    """统一出清价 (the dearest award's) or 按报价支付."""

    UNIFORM = "uniform"
    PAY_AS_BID = "pay_as_bid"


class Left(StrEnum):
    """Why an offer got nothing."""

    RESERVE = "reserve"
    ABOVE_CAP = "above_cap"
    BELOW_BLOCK = "below_block"


@dataclass(frozen=True, kw_only=True)
class Terms:
    """How an event is cleared. ``need_w`` x ``listing_factor`` is listed (2018 pilot: 1.5).

    price_cap: 1e-6 元, None without one. minimum_block_w: less is not worth calling; no award is smaller.
    maximum_block_w: most one participant is awarded, None without a bound. divisible: False takes every offer
    whole (up to the maximum block) or not at all.
    """

    need_w: int
    listing_factor: Decimal = Decimal(1)
    pricing: Pricing | str = Pricing.UNIFORM
    price_cap: int | None = None
    divisible: bool = True
    minimum_block_w: int = 0
    maximum_block_w: int | None = None

    def __post_init__(self) -> None:
        if self.pricing not in tuple(Pricing):
            raise ValueError(
                f"Pricing {self.pricing!r} is not known; choose one of {', '.join(Pricing)} (uniform is the dearest "
                "award's price for all)."
            )
        if self.need_w <= 0 or self.listing_factor <= 0:
            raise ValueError(
                f"The need is {self.need_w} W and the listing factor {self.listing_factor}; both must be positive."
            )
        most = self.maximum_block_w
        if self.minimum_block_w < 0 or (most is not None and most < max(self.minimum_block_w, 1)):
            raise ValueError(
                f"The blocks run from {self.minimum_block_w} to {most} W; give 0 <= minimum <= maximum, and a maximum "
                "above 0."
            )

    @property
    def listed_w(self) -> int:
        """What is put out to tender, whole W, half up."""
        return half_up(exact(self.need_w) * exact(self.listing_factor))


@dataclass(frozen=True, order=True)
class Place:
    """An offer in its place of the order; ``least_w`` and ``most_w`` bound its award when it is taken."""

    price: int
    largest_first: int
    participant_id: str
    least_w: int
    most_w: int


@dataclass(frozen=True)
class Award:
    """Power taken and the price it is paid."""

    participant_id: str
    committed_w: int
    price: int


@dataclass(frozen=True)
class Uncleared:
    """What of an offer was not taken, in the order in which it would be called, and why."""

    participant_id: str
    remaining_w: int
    price: int
    reason: Left


@dataclass(frozen=True)
class Cleared:
    """A cleared event: awards by id, the uncleared in order of call, and how the choice was made.

    ``short_w``: listed but not offered. ``over_w``: taken beyond the listed quantity because a block is whole.
    ``method``: ``merit_order`` or ``integer``.
    """

    awards: tuple[Award, ...]
    uncleared: tuple[Uncleared, ...]
    listed_w: int
    short_w: int
    over_w: int
    clearing_price: int | None
    method: str

    @property
    def reserve(self) -> tuple[Uncleared, ...]:
        """The reserve list: within the cap and large enough, but not needed."""
        return tuple(one for one in self.uncleared if one.reason is Left.RESERVE)


def award(offers: Iterable[tuple[str, int, int]], terms: Terms) -> Cleared:
    """Clear an event. offers: (participant_id, offered W, price in 1e-6 元), one a participant.

    Raises ValueError for a participant that offers twice, power that is not positive or a negative price;
    AwardNotSolvedError when the solver finds no optimum of the integer choice.
    Source: demand_response.md A1.1 (2018 pilot, 储备库), A2 (Jiangsu-type order), F1.
    """
    given = list(offers)
    places, refused = _places(given, terms)
    taken = merit_order(places, terms.listed_w)
    method = "merit_order"
    if taken is None:
        taken, method = whole_blocks(places, terms.listed_w), "integer"
    marginal = max((place.price for place in places if taken.get(place.participant_id)), default=None)
    uniform = terms.pricing == Pricing.UNIFORM
    total = sum(taken.values())
    return Cleared(
        awards=tuple(
            Award(
                place.participant_id,
                taken[place.participant_id],
                marginal if uniform and marginal is not None else place.price,
            )
            for place in sorted(places, key=lambda one: one.participant_id)
            if taken.get(place.participant_id)
        ),
        uncleared=(*_left_over(given, places, taken), *refused),
        listed_w=terms.listed_w,
        short_w=max(terms.listed_w - total, 0),
        over_w=max(total - terms.listed_w, 0),
        clearing_price=marginal if uniform else None,
        method=method,
    )


def merit_order(places: Sequence[Place], listed_w: int) -> dict[str, int] | None:
    """Offers taken in order until the listed quantity is covered, the last as far as it is needed.

    W by participant; None where the last would be cut below its least award, so that the order alone does not
    decide. Everyone is taken whole where all offers together do not reach the listed quantity.
    """
    taken: dict[str, int] = {}
    left = listed_w
    for place in sorted(places):
        if left <= 0:
            break
        if left < place.least_w:
            return None
        taken[place.participant_id] = min(place.most_w, left)
        left -= taken[place.participant_id]
    return taken


def whole_blocks(places: Sequence[Place], listed_w: int) -> dict[str, int]:
    """The cheapest choice of offers that covers the listed quantity when each is at least its least award.

    W by participant. Two aims one after the other: the least offered cost, within 0.01 %, then power early in the
    order. Everyone is taken whole where all offers together do not reach the listed quantity.
    Raises AwardNotSolvedError without an optimum.
    """
    order = sorted(places)
    if sum(place.most_w for place in order) <= listed_w:
        return {place.participant_id: place.most_w for place in order}
    for margin in (0.0, MARGIN):
        chosen = _choice(order, listed_w, 1 + margin)
        if sum(place.most_w for place in chosen) >= listed_w:
            return _filled(chosen, listed_w)
    raise AwardNotSolvedError(
        f"The solver's choice of {len(chosen)} offers falls short of {listed_w} W; clear the event with divisible offers."
    )


def _filled(chosen: Sequence[Place], listed_w: int) -> dict[str, int]:
    """Least awards first, then the room above them, cheapest first, as far as it is needed."""
    taken = {place.participant_id: place.least_w for place in chosen}
    left = listed_w - sum(taken.values())
    for place in chosen:
        more = min(place.most_w - place.least_w, max(left, 0))
        taken[place.participant_id] += more
        left -= more
    return {who: watts for who, watts in taken.items() if watts}


def _choice(order: Sequence[Place], listed_w: int, cover: float) -> list[Place]:
    """The offers the integer programme takes, in order; power in shares of the listed quantity, prices of the dearest."""
    model = pyo.ConcreteModel()
    rows = range(len(order))
    dearest = max(*(place.price for place in order), 1)
    model.taken = pyo.Var(rows, domain=pyo.Binary)
    model.power = pyo.Var(rows, domain=pyo.NonNegativeReals)
    model.at_least = pyo.Constraint(
        rows, rule=lambda m, i: m.power[i] >= order[i].least_w / listed_w * m.taken[i]
    )
    model.at_most = pyo.Constraint(
        rows, rule=lambda m, i: m.power[i] <= order[i].most_w / listed_w * m.taken[i]
    )
    model.covered = pyo.Constraint(expr=sum(model.power[i] for i in rows) >= cover)
    cost = sum(order[i].price / dearest * model.power[i] for i in rows)
    model.cheap = pyo.Objective(expr=cost)
    least = _optimum(model)
    model.cheap.deactivate()
    model.as_cheap = pyo.Constraint(expr=cost <= least * (1 + GAP))
    model.early = pyo.Objective(expr=sum((i + 1) * model.power[i] for i in rows))
    _optimum(model)
    return [place for i, place in enumerate(order) if pyo.value(model.taken[i]) > 0.5]


def _optimum(model: Any) -> float:
    found = SolverFactory("highs").solve(
        model,
        load_solutions=False,
        raise_exception_on_nonoptimal_result=False,
        threads=1,
        rel_gap=GAP,
        solver_options={"random_seed": 0, "mip_max_nodes": NODES},
    )
    if found.solution_status not in (SolutionStatus.optimal, SolutionStatus.feasible):
        raise AwardNotSolvedError(
            f"The solver stopped with {found.termination_condition.name} on an award of {len(model.power)} offers; "
            "clear the event with divisible offers, or look for offers of absurd size."
        )
    found.solution_loader.load_vars()
    return float(found.incumbent_objective)


def _places(offers: Sequence[tuple[str, int, int]], terms: Terms) -> tuple[list[Place], list[Uncleared]]:
    seen: set[str] = set()
    places: list[Place] = []
    refused: list[Uncleared] = []
    for who, offered_w, price in offers:
        if who in seen:
            raise ValueError(f"Participant {who} offers twice in one event; keep its last offer.")
        if offered_w <= 0 or price < 0:
            raise ValueError(
                f"Participant {who} offers {offered_w / 1000:g} kW at {price / 1e6:g} 元; power must be positive and a "
                "price 0 or more."
            )
        seen.add(who)
        most = offered_w if terms.maximum_block_w is None else min(offered_w, terms.maximum_block_w)
        if terms.price_cap is not None and price > terms.price_cap:
            refused.append(Uncleared(who, offered_w, price, Left.ABOVE_CAP))
        elif most < terms.minimum_block_w:
            refused.append(Uncleared(who, offered_w, price, Left.BELOW_BLOCK))
        else:
            least = terms.minimum_block_w if terms.divisible else most
            places.append(Place(price, -offered_w, who, least, most))
    return places, sorted(
        refused, key=lambda one: (one.reason, one.price, -one.remaining_w, one.participant_id)
    )


def _left_over(
    offers: Sequence[tuple[str, int, int]], places: Sequence[Place], taken: Mapping[str, int]
) -> list[Uncleared]:
    offered = {who: watts for who, watts, _ in offers}
    return [
        Uncleared(
            place.participant_id,
            offered[place.participant_id] - taken.get(place.participant_id, 0),
            place.price,
            Left.RESERVE,
        )
        for place in sorted(places)
        if offered[place.participant_id] > taken.get(place.participant_id, 0)
    ]
