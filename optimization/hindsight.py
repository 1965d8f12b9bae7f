"""What a bid cost more than it had to, by cause; what it earned, by segment.

Regret is a chain of dispatches of the same day, each judged by clearing against what came, so its parts add up:

    forecast    the bid  -  the same prices with the MW of the gap that came
    shape       that     -  the best curves for the day that came, within the morning's limits
    constraint  that     -  the best curves with the declared need, transfer capability and the import limit out of the way

A part may be negative: a wrong forecast can be lucky.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from market.money import apportion
from optimization.evaluation import imports, outcome
from optimization.forecast import FloatArray
from optimization.procurement import solve
from optimization.purchase import HOURS, Bid, Procurement, bid_mw, bid_of, curves_of, half_up_fen
from optimization.response import Fixed

LIMIT_FREE = 3.0  # times the limit: more than any day wants


@dataclass(frozen=True)
class Regret:
    """Whole fen; forecast + shape + constraint = total = cost - least."""

    cost_fen: int
    least_fen: int
    forecast_fen: int
    shape_fen: int
    constraint_fen: int

    @property
    def total_fen(self) -> int:
        """The whole regret."""
        return self.cost_fen - self.least_fen


@dataclass(frozen=True)
class Earned:
    """What a cleared segment gained against the provincial price (market.md D): fen, positive is a gain."""

    period: int
    segment: int
    price_cny_per_mwh: int
    bid_mw: int
    cleared_mw: float
    gain_fen: int


def regret(bid: Bid, truth: Procurement, called: Fixed | None = None, *, time_limit: float = 10.0) -> Regret:
    """truth: the day with one scenario, what came, and the limits of the morning. called: events decided with the bid."""
    steps = [
        _cost(bid, truth, called),
        _cost(_with_the_gap_that_came(bid, truth), truth, None),
        _cost(solve(truth, time_limit=time_limit).bid, truth, None),
    ]
    free = replace(
        truth,
        need_limit_mw=np.ceil(truth.need_limit_mw * LIMIT_FREE).astype(np.int64),
        supply=replace(truth.supply, atc_mw=truth.supply.atc_mw * LIMIT_FREE),
        import_limit_mw=None,
    )
    steps.append(_cost(solve(free, time_limit=time_limit).bid, free, None))
    cost, informed, best, least = steps
    return Regret(cost, least, cost - informed, informed - best, best - least)


def earned(bid: Bid, cleared_mw: FloatArray, landed: FloatArray, provincial: FloatArray) -> list[Earned]:
    """Gain by segment: Q·(P_prov − P_landed), a period's MW given to its segments dear to cheap.

    cleared_mw: (96,) MW at the buyer. landed: (96,) mean landed price of the period, provincial: (96,), 元/MWh. The
    fen of the segments sum to the fen of the day.
    """
    curves = curves_of(bid)
    rows: list[tuple[int, int, int, int, float]] = []
    gains: list[float] = []
    for t, curve in curves.items():
        left = float(cleared_mw[t - 1])
        for number, (mw, price) in enumerate(curve, start=1):
            taken = min(float(mw), left)
            left -= taken
            gain = HOURS * taken * float(provincial[t - 1] - landed[t - 1]) if taken > 0 else 0.0
            rows.append((t, number, price, mw, taken))
            gains.append(gain)
    total = half_up_fen(float(sum(gains)))
    whole = [half_up_fen(one) for one in gains]
    rest = (
        apportion(total - sum(whole), [1] * len(whole), [f"{t:02d}.{n}" for t, n, *_ in rows]) if rows else []
    )
    return [
        Earned(t, n, price, mw, taken, fen + more)
        for (t, n, price, mw, taken), fen, more in zip(rows, whole, rest, strict=True)
    ]


def bid_against_market(
    bid: Bid, cleared_mw: FloatArray, executed_mw: FloatArray
) -> list[Mapping[str, float]]:
    """A row a period: MW bid, cleared and executed, and what share of the bid cleared."""
    mw = bid_mw(bid)
    return [
        {
            "period": t + 1,
            "bid_mw": float(mw[t]),
            "cleared_mw": round(float(cleared_mw[t]), 6),
            "executed_mw": round(float(executed_mw[t]), 6),
            "cleared_share": round(float(cleared_mw[t] / mw[t]), 6) if mw[t] else 0.0,
        }
        for t in np.flatnonzero((mw > 0) | (cleared_mw > 0)).tolist()
    ]


def _with_the_gap_that_came(bid: Bid, truth: Procurement) -> Bid:
    """The prices of the bid with its MW in proportion to the gap that came, within what may be bid."""
    gap, limit = np.ceil(truth.scenarios.gap_mw[0] - 1e-9), truth.bid_limit_mw()
    steps = []
    for t, curve in curves_of(bid).items():
        wanted, have = int(min(gap[t - 1], limit[t - 1])), sum(mw for mw, _ in curve)
        parts = (
            apportion(wanted, [mw for mw, _ in curve], [str(n) for n in range(len(curve))]) if have else []
        )
        steps += [(t, mw, price) for mw, (_, price) in zip(parts, curve, strict=True)]
    return bid_of(steps)


def _cost(bid: Bid, truth: Procurement, called: Fixed | None) -> int:
    return outcome(imports(bid, truth), truth, called).expected().total_fen
