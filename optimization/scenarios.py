"""A handful of joint scenarios of gap and seller prices for one day, resampled from whole past days.

A scenario adds one past day's errors - load and every seller price of that same day - to the forecasts of
the bid day, so the shape over the day and the bond between scarcity and price are the observed ones. Days are
drawn by strata of how short they turned out (unbiased, and the tail is never left out by chance). Because a
short history has not seen the worst, one stress scenario joins the shortest with the dearest past day; its
probability 1/(n + 1) is the chance that the next of n + 1 exchangeable days is the worst of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date

import numpy as np
from numpy.typing import NDArray

from market.periods import PERIODS
from optimization.forecast import ErrorHistory, FloatArray

# A buyer does not see offers (market.md A.8.2): an assumption, share of what the node's sections carry and factor
# on the node's price of each step, and how much the logarithms of depth and steepness differ between scenarios.
OFFER_STEPS = ((0.4, 0.9), (0.3, 1.0), (0.25, 1.25), (0.25, 1.7))
OFFER_DEPTH, OFFER_STEEPNESS = 0.2, 0.3

STRESS = "stress"
FORECAST = "forecast"


@dataclass(frozen=True)
class Scenarios:
    """names: the past day a scenario comes from, ``stress``, or ``forecast`` when there is no history.

    probability: (n,), sums to 1. gap_mw: (n, 96), never negative. seller_price: (n, nodes, 96) 元/MWh, NaN
    where a node has no price forecast. offer_price, offer_mw: (n, nodes, steps, 96) what the nodes offer, at the
    seller node; None for one offer a node at its price, without limit.
    """

    names: tuple[str, ...]
    probability: FloatArray
    seller_nodes: tuple[str, ...]
    gap_mw: FloatArray
    seller_price: FloatArray
    offer_price: FloatArray | None = None
    offer_mw: FloatArray | None = None

    def offers(self) -> tuple[FloatArray, FloatArray]:
        """Price and MW of every offer, (n, nodes, steps, 96); MW may be inf."""
        if self.offer_price is None or self.offer_mw is None:
            return self.seller_price[:, :, None], np.full_like(self.seller_price[:, :, None], np.inf)
        return self.offer_price, self.offer_mw

    def expected_gap_mw(self) -> FloatArray:
        """(96,) MW."""
        return np.asarray(self.probability @ self.gap_mw)

    def largest_gap_mw(self) -> FloatArray:
        """(96,) MW."""
        return np.asarray(self.gap_mw.max(axis=0))

    def at_nodes(self, nodes: Sequence[str]) -> Scenarios:
        """The same scenarios for other nodes: NaN where a node has no price here."""
        place = {node: n for n, node in enumerate(self.seller_nodes)}
        absent = np.full((len(self.names), PERIODS), np.nan)
        curves = [self.seller_price[:, place[node]] if node in place else absent for node in nodes]
        moved = replace(self, seller_nodes=tuple(nodes), seller_price=np.stack(curves, axis=1))
        if self.offer_price is None or self.offer_mw is None:
            return moved
        none = np.full(self.offer_price[:, 0].shape, np.nan)
        prices, powers = (
            [steps[:, place[node]] if node in place else none for node in nodes]
            for steps in (self.offer_price, self.offer_mw)
        )
        return replace(moved, offer_price=np.stack(prices, axis=1), offer_mw=np.stack(powers, axis=1))

    def at_risk(self) -> NDArray[np.int64]:
        """Periods (1-based) in which some scenario has a gap."""
        return np.flatnonzero(self.largest_gap_mw() > 0) + 1


def draw(
    shortage_mw: FloatArray,
    price_forecast: FloatArray,
    history: ErrorHistory,
    *,
    count: int = 6,
    seed: int = 0,
    floor: float = 0.0,
    cap: float = np.inf,
    carried_mw: FloatArray | None = None,
) -> Scenarios:
    """``count`` past days, one a stratum, and the stress scenario; all days when there are no more than ``count``.

    shortage_mw: (96,), of the pre-balance, signed. price_forecast: (nodes, 96) 元/MWh in the history's node order.
    floor, cap: limits of a seller price. carried_mw: (nodes, 96) what the sections of a node carry on the bid day,
    MW at the seller; with it a node offers rising steps of that (``OFFER_STEPS``), without it one price for any MW. The result depends on the arguments only, not on the order in which the
    history was loaded. Raises ValueError for count < 1 or a shortage with missing values.
    """
    if count < 1:
        raise ValueError(f"{count} scenarios were asked for; give at least 1.")
    if not np.isfinite(shortage_mw).all():
        period = int(np.flatnonzero(~np.isfinite(shortage_mw))[0]) + 1
        raise ValueError(
            f"The forecast shortage of period {period} is missing; complete the pre-balance of the day."
        )
    if not history.days:
        return Scenarios(
            names=(FORECAST,),
            probability=np.ones(1),
            seller_nodes=history.seller_nodes,
            gap_mw=np.maximum(shortage_mw, 0.0)[None],
            seller_price=np.clip(price_forecast, floor, cap)[None],
        )
    strata = _strata(shortage_mw, history, count)
    random = np.random.Generator(np.random.PCG64(seed))
    chosen = [int(stratum[random.integers(len(stratum))]) for stratum in strata]
    days = len(history.days)
    share = np.array([len(stratum) for stratum in strata]) / days

    shortest = int(_scores(shortage_mw, history)[-1][1])
    dearest = int(np.argmax(history.price.mean(axis=(1, 2))))
    load_errors = history.net_load_mw[[*chosen, shortest]]
    price_errors = history.price[[*chosen, dearest]]
    seller_price = np.clip(price_forecast + price_errors, floor, cap)
    offer_price = offer_mw = None
    if carried_mw is not None:
        factor, offered = _offer_shapes(random, seller_price.shape[:2])
        offer_price = np.clip(factor[..., None] * seller_price[:, :, None], floor, cap)
        offer_mw = offered[..., None] * carried_mw[:, None]
    return Scenarios(
        names=(*(history.days[day].isoformat() for day in chosen), STRESS),
        probability=np.append(share * days, 1.0) / (days + 1),
        seller_nodes=history.seller_nodes,
        gap_mw=np.maximum(shortage_mw + load_errors, 0.0),
        seller_price=seller_price,
        offer_price=offer_price,
        offer_mw=offer_mw,
    )


def _offer_shapes(random: np.random.Generator, shape: tuple[int, ...]) -> tuple[FloatArray, FloatArray]:
    """Factor on the node's price and share of its capability of every step, (scenarios, nodes, steps)."""
    share, factor = np.array(OFFER_STEPS).T
    depth = np.exp(OFFER_DEPTH * random.standard_normal((*shape, 1)))
    steep = np.exp(OFFER_STEEPNESS * random.standard_normal((*shape, 1)))
    depth[-1] = np.minimum(depth[-1], np.exp(-OFFER_DEPTH))  # in the stress scenario sellers are short too
    return 1 + (factor - 1) * steep, share * depth


def _scores(shortage_mw: FloatArray, history: ErrorHistory) -> list[tuple[tuple[float, float, date], int]]:
    """Past days by the gap they would have made of today's forecast, then by load error, then by date."""
    gap = np.maximum(shortage_mw + history.net_load_mw, 0.0).sum(axis=1)
    error = history.net_load_mw.sum(axis=1)
    keys = [(float(gap[n]), float(error[n]), history.days[n]) for n in range(len(history.days))]
    return sorted((key, n) for n, key in enumerate(keys))


def _strata(shortage_mw: FloatArray, history: ErrorHistory, count: int) -> list[NDArray[np.int64]]:
    order = np.array([n for _, n in _scores(shortage_mw, history)], dtype=np.int64)
    return np.array_split(order, min(count, len(order)))
