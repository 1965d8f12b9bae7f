"""Why a bid looks as it does: what a MW more would cost, by what means, and where the money goes.

Demand response and imports stand in one merit order, delivered MWh against delivered MWh (market.md E.4). Prices
元/MWh, MW at the buyer node. The parts of the cost add up to its total to the fen. Binding limits and their shadow
prices are ``optimization.shadow_prices``.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from market.money import yuan
from market.periods import label
from optimization.curve_search import merit_order
from optimization.purchase import (
    HOURS,
    Bid,
    DemandResponse,
    Outcome,
    Procurement,
    bid_mw,
    curves_of,
    half_up_fen,
)
from optimization.single_buyer import clear_periods

IMPORT, RESPONSE, COMMITMENT, ORDERLY_USE = "import", "demand_response", "commitment", "orderly_use"
SMALLEST_MW = 1e-3


@dataclass(frozen=True)
class Means:
    """A way to cover a MWh in a period: expected price, its range over the scenarios, and expected MW (inf: no limit)."""

    kind: str
    name: str
    cny_per_mwh: float
    lowest: float
    highest: float
    mw: float


@dataclass(frozen=True)
class Part:
    """A part of the expected cost, 元 by component and name; a credit is negative."""

    component: str
    name: str
    fen: int


def merit(problem: Procurement, t: int) -> list[Means]:
    """Everything that could cover a MWh of period t, cheapest first: offers over paths, programmes, commitments, cuts."""
    order, probability = merit_order(problem.market(t)), problem.scenarios.probability
    steps = problem.offers[0].shape[2]
    found = []
    for pair in range(order.landed.shape[1]):
        path, step = divmod(pair, steps)
        at = order.pair == pair
        landed, width = order.landed[at], order.width[at]
        offered = np.isfinite(landed)
        if offered.any() and width[offered].sum() > SMALLEST_MW:
            share = probability[offered] / probability[offered].sum()
            found.append(
                Means(
                    IMPORT,
                    f"{problem.supply.path_ids[path]} {step + 1}",
                    float(share @ landed[offered]),
                    float(landed[offered].min()),
                    float(landed[offered].max()),
                    float(probability[offered] @ width[offered]),
                )
            )
    found += [_programme(one) for one in problem.demand_response if one.capability_mw > 0]
    for way in problem.ways_out:
        up, price = (
            np.broadcast_to(one, problem.scenarios.gap_mw.shape)[:, t - 1]
            for one in (way.up_mw, way.up_cny_per_mwh)
        )
        if (up > 0).any():
            kind = ORDERLY_USE if way.name == ORDERLY_USE else COMMITMENT
            mean, mw = float(probability @ price), float(probability @ up)
            found.append(Means(kind, way.name, mean, float(price.min()), float(price.max()), mw))
    return sorted(found, key=lambda one: (one.cny_per_mwh, one.name))


def next_best(problem: Procurement, bid: Bid, outcome: Outcome, t: int) -> Means:
    """The cheapest way to cover one MW more in period t than the bid does: import beyond it, a programme not yet used
    up in every scenario, a commitment, orderly use."""
    wanted, probability = float(bid_mw(bid)[t - 1]), problem.scenarios.probability
    order = merit_order(problem.market(t))
    beyond = np.where(order.below + order.width > wanted + SMALLEST_MW, order.landed, np.inf).min(axis=1)
    others = [
        one for one in merit(problem, t) if one.kind != IMPORT and one.name not in _used_up(problem, outcome)
    ]
    if wanted + 1 <= problem.bid_limit_mw()[t - 1] and np.isfinite(beyond).all():
        price = float(probability @ beyond)
        others.append(
            Means(IMPORT, problem.supply.buyer_node, price, float(beyond.min()), float(beyond.max()), 1.0)
        )
    return min(others, key=lambda one: one.cny_per_mwh)


def parts(problem: Procurement, bid: Bid, outcome: Outcome) -> list[Part]:
    """The expected cost by component: purchase by path, response by programme; together ``outcome.expected()``."""
    expected, probability = outcome.expected(), problem.scenarios.probability
    curves = curves_of(bid)
    cleared = clear_periods([problem.market(t) for t in curves], [[curve] for curve in curves.values()])
    by_path = np.zeros(len(problem.supply.path_ids))
    for one in cleared:
        paid = HOURS * one.path_mw[0] * np.where(one.path_mw[0] > 0, one.path_price[0], 0.0)
        by_path += probability @ paid
    by_programme = dict.fromkeys((one.program_id for one in problem.demand_response), 0.0)
    programmes = {one.program_id: one for one in problem.demand_response}
    for call in outcome.calls:
        cost = call.mw * programmes[call.program_id].cny_per_mw(call.last_period - call.first_period + 1)
        by_programme[call.program_id] += cost * (
            1.0 if call.scenario is None else float(probability[call.scenario])
        )
    purchase = dict(zip(problem.supply.path_ids, by_path.tolist(), strict=True))
    return [
        *_adding_up("purchase", purchase, expected.purchase_fen),
        *_adding_up("response", by_programme, expected.response_fen),
        Part("commitment", "", expected.commitment_fen),
        Part("shortage", "", expected.shortage_fen),
        Part("surplus", "", expected.surplus_fen),
    ]


def why(problem: Procurement, bid: Bid, outcome: Outcome) -> dict[str, Any]:
    """The explanation as data of the record: periods, the merit order where the gap is largest, parts of the cost."""
    gap, probability = problem.scenarios.expected_gap_mw(), problem.scenarios.probability
    imported, mw = probability @ outcome.import_mw, bid_mw(bid)
    response, short = probability @ outcome.response_mw, probability @ outcome.short_mw
    periods = [
        {
            "period": t,
            "time": label(t),
            "gap_mw": round(float(gap[t - 1]), 3),
            "bid_mw": int(mw[t - 1]),
            "imported_mw": round(float(imported[t - 1]), 3),
            "response_mw": round(float(response[t - 1]), 3),
            "short_mw": round(float(short[t - 1]), 3),
            "next_best": _record(next_best(problem, bid, outcome, t)),
        }
        for t in problem.open_periods()
    ]
    peak = int(np.argmax(gap)) + 1
    found = parts(problem, bid, outcome)
    return {
        "periods": periods,
        "merit_order": {
            "period": peak,
            "time": label(peak),
            "means": [_record(one) for one in merit(problem, peak)],
        },
        "parts": [{"component": one.component, "name": one.name, "cny": str(yuan(one.fen))} for one in found],
        "total_cny": str(yuan(sum(one.fen for one in found))),
    }


def _programme(one: DemandResponse) -> Means:
    prices = [one.cny_per_mw(length) / (length * HOURS) for length in one.lengths()]
    return Means(RESPONSE, one.program_id, min(prices), min(prices), max(prices), one.capability_mw)


def _used_up(problem: Procurement, outcome: Outcome) -> set[str]:
    """Programmes whose capability is called in full in every scenario."""
    count = len(problem.scenarios.names)
    called = {one.program_id: np.zeros(count) for one in problem.demand_response}
    for call in outcome.calls:
        called[call.program_id][slice(None) if call.scenario is None else call.scenario] += call.mw
    return {
        one.program_id
        for one in problem.demand_response
        if (called[one.program_id] > one.capability_mw - 10 * SMALLEST_MW).all()
    }


def _adding_up(component: str, amounts: dict[str, float], total_fen: int) -> list[Part]:
    """Each half up to the fen; what rounding leaves of the total stands with the largest."""
    fen = {name: half_up_fen(amount) for name, amount in amounts.items()}
    if not fen:
        return [Part(component, "", total_fen)]
    largest = max(fen, key=lambda name: (abs(fen[name]), name))
    fen[largest] += total_fen - sum(fen.values())
    return [Part(component, name, amount) for name, amount in fen.items() if amount]


def _record(means: Means) -> dict[str, Any]:
    return {
        name: None
        if isinstance(value, float) and not np.isfinite(value)
        else round(value, 2)
        if isinstance(value, float)
        else value
        for name, value in asdict(means).items()
    }
