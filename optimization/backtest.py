"""How bids would have done on past days: each made from the scenarios of its morning, cleared against what came.

A day is a problem (what was known) and its truth (one scenario: the gap that came, the offers that were made).
Demand response with a long notice is decided with the bid; the rest of the day follows at least cost.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
import pandas as pd

from optimization.evaluation import called_with_the_bid, flat_bid, import_by_clearing, imports, outcome
from optimization.forecast import FloatArray
from optimization.procurement import solve
from optimization.purchase import Bid, Outcome, Procurement
from optimization.rule_table import table_bid
from optimization.scenarios import FORECAST, Scenarios

OURS, TABLE, DETERMINISTIC, FORESIGHT = "stochastic", "shanxi_table", "deterministic", "perfect_foresight"
FLAT_10000, FLAT_3000, NOTHING = "flat_10000", "flat_3000", "nothing"
POLICIES = (OURS, FLAT_10000, FLAT_3000, TABLE, DETERMINISTIC, FORESIGHT, NOTHING)


@dataclass(frozen=True)
class PastDay:
    """known: the problem of the morning. shortage_mw, price_forecast: its point forecast, (96,) and (nodes, 96).
    truth: one scenario with the gap and the offers of the day. paths: rows as for clear()."""

    day: date
    known: Procurement
    forecast: Scenarios
    truth: Scenarios
    paths: pd.DataFrame


@dataclass(frozen=True)
class Played:
    """A policy on a day: its bid and what it led to."""

    bid: Bid
    result: Outcome

    @property
    def cost_cny(self) -> float:
        """元."""
        return float(self.result.scenario_cost_cny()[0])


def point_forecast(problem: Procurement, shortage_mw: FloatArray, price_forecast: FloatArray) -> Scenarios:
    """One scenario: the forecast gap and prices, offers as the middle scenario has them."""
    base = problem.scenarios
    price, mw = base.offers()
    factor = np.nanmedian(price / np.maximum(base.seller_price[:, :, None], 1.0), axis=0)
    return Scenarios(
        names=(FORECAST,),
        probability=np.ones(1),
        seller_nodes=base.seller_nodes,
        gap_mw=np.maximum(shortage_mw, 0.0)[None],
        seller_price=price_forecast[None],
        offer_price=(factor * price_forecast[:, None])[None],
        offer_mw=np.median(mw, axis=0)[None],
    )


def play(
    day: PastDay, policies: Sequence[str] = POLICIES, *, time_limit: float = 3.0
) -> Mapping[str, Played]:
    """Every policy on one day, judged by the market's clearing."""
    truth, expected = day.known.under(day.truth), day.known.under(day.forecast)
    makers: dict[str, tuple[Procurement, Callable[[], Bid]]] = {
        OURS: (day.known, lambda: solve(day.known, time_limit=time_limit).bid),
        FLAT_10000: (day.known, lambda: flat_bid(day.known, 10_000)),
        FLAT_3000: (day.known, lambda: flat_bid(day.known, 3_000)),
        TABLE: (day.known, lambda: table_bid(day.known, day.day)),
        DETERMINISTIC: (expected, lambda: solve(expected, time_limit=time_limit).bid),
        FORESIGHT: (truth, lambda: solve(truth, time_limit=time_limit).bid),
        NOTHING: (day.known, lambda: ()),
    }
    found = {}
    for name in policies:
        plan, make = makers[name]
        bid = make()
        calls = called_with_the_bid(outcome(imports(bid, plan), plan).calls, plan)
        cleared = import_by_clearing(bid, truth, day.paths)
        found[name] = Played(bid, outcome(cleared, truth, calls))
    return found


def cvar(costs: FloatArray, share: float = 0.2) -> float:
    """Mean of the dearest ``share`` of equally likely costs."""
    worst = np.sort(costs)[::-1]
    weight = np.clip(share * costs.size - np.arange(costs.size), 0.0, 1.0)
    return float(weight @ worst / weight.sum())
