"""Bid curves worth judging in one period: steepest descent over curves on a grid of MW and price levels.

A curve is a price level for each cell of MW, falling. A move sets the level of a run of cells; cells before it are
raised and cells behind it lowered where needed, so the curve stays monotone. All moves are valued at once on the
merit order of each scenario: an offer is taken as far as the bid's MW at or above its landed price reach, and the MW
of a node pay the mean of the bid and the landed price of its last one (market.md A.8.2). The merit order is that of
landed prices, which a dear bid can change a little; the curves found are therefore cleared again, exactly, before
any is chosen.
"""

from __future__ import annotations

from dataclasses import dataclass
from heapq import heapify, heappop, heappush

import numpy as np

from optimization.single_buyer import HOURS, NOTHING_MW, Curve, FloatArray, IntArray, PeriodMarket

LEVELS, CELLS = 10, 10
MOST_MOVES = 12
SMALLEST_GAIN_CNY = 0.01


@dataclass(frozen=True)
class MeritOrder:
    """Offers of a period by landed price: (scenarios, offers) landed, width and mw below, at the buyer; node.

    pair: which of the market's (offer, path) pairs stands at that place.
    """

    landed: FloatArray
    width: FloatArray
    below: FloatArray
    node: IntArray
    pair: IntArray


@dataclass(frozen=True)
class Worth:
    """What imported MW are worth in each scenario, tranche after tranche: (scenarios, tranches) MW and 元/MWh.

    Prices fall from tranche to tranche. weight: (scenarios,) probability, with the weight of the tail.
    """

    mw: FloatArray
    cny_per_mwh: FloatArray
    weight: FloatArray

    def of(self, imported: FloatArray) -> FloatArray:
        """元 of the quarter-hour for (…, scenarios) MW."""
        ends = np.cumsum(self.mw, axis=1)
        taken = np.clip(imported[..., None] - (ends - self.mw), 0.0, self.mw)
        return np.asarray(HOURS * (taken * self.cny_per_mwh).sum(axis=-1))


def merit_order(market: PeriodMarket) -> MeritOrder:
    """Pairs of the period by landed price, cut to what the sections still carry when they are reached."""
    landed = market.landed()
    scenarios = np.arange(landed.shape[0])
    path_of, offer_of = market.pairs
    order = np.argsort(landed, axis=1, kind="stable")
    left, room = market._offers()[1].copy(), np.tile(market.atc, (scenarios.size, 1))
    width = np.zeros_like(landed)
    for place in range(path_of.size):
        path, offer = path_of[order[:, place]], offer_of[order[:, place]]
        fits = np.where(market.uses[path], room, np.inf).min(axis=1)
        mw = np.where(
            np.isfinite(landed[scenarios, order[:, place]]), np.minimum(left[scenarios, offer], fits), 0
        )
        left[scenarios, offer] -= np.where(np.isfinite(mw), mw, 0.0)
        room -= np.where(np.isfinite(mw), mw, 0.0)[:, None] * market.uses[path]
        width[:, place] = mw * market.coe[path]
    below = np.cumsum(width, axis=1) - np.where(np.isfinite(width), width, 0.0)
    below = np.where(np.isnan(below), np.inf, below)
    return MeritOrder(
        np.take_along_axis(landed, order, axis=1), width, below, market.seller[path_of[order]], order
    )


def price_levels(merit: MeritOrder, most_mw: float, floor: int, cap: int, count: int = LEVELS) -> list[int]:
    """At most ``count`` whole prices, dear to cheap, each just above a landed price some scenario can reach.

    Between two neighbouring landed prices the lower bid clears the same MW and pays less. Neighbours nearest to each
    other are joined to the dearer one, the most costly joint last.
    """
    reachable = (merit.width > NOTHING_MW) & (merit.below < most_mw) & np.isfinite(merit.landed)
    prices = sorted({max(floor, int(np.ceil(price - 1e-9))) for price in merit.landed[reachable].tolist()})
    prices = [price for price in prices if price <= cap]
    return _joined(prices, count)[::-1]


def _joined(prices: list[int], count: int) -> list[int]:
    """The rising prices after taking away the lower of the two nearest, the lowest such pair first, until count are left."""
    dearer = {place: place + 1 for place in range(len(prices) - 1)}
    cheaper = {after: place for place, after in dearer.items()}
    gaps = [(prices[after] - prices[place], place, after) for place, after in dearer.items()]
    heapify(gaps)
    left = len(prices)
    while left > count:
        _, place, after = heappop(gaps)
        if dearer.get(place) != after:
            continue  # one of the two is gone
        del dearer[place]
        left -= 1
        if place in cheaper:
            before = cheaper[after] = cheaper.pop(place)
            dearer[before] = after
            heappush(gaps, (prices[after] - prices[before], before, after))
        else:
            del cheaper[after]
    return [price for place, price in enumerate(prices) if place in dearer or place == len(prices) - 1]


def mw_grid(points: FloatArray, most_mw: int, count: int = CELLS) -> IntArray:
    """At most ``count`` rising whole MW up to ``most_mw`` that follow the distribution of ``points``."""
    inside = np.unique(np.ceil(points[(points > 0) & (points < most_mw)] - 1e-9)).astype(np.int64)
    if inside.size > count - 1:
        inside = np.unique(np.quantile(inside, np.linspace(0, 1, count - 1), method="nearest")).astype(
            np.int64
        )
    return np.unique(np.append(inside, most_mw))


def search(
    merit: MeritOrder,
    levels: list[int],
    grid: IntArray,
    worth: Worth,
    segments: int,
    start: IntArray | None = None,
) -> list[tuple[IntArray, Curve]]:
    """Curves from buying nothing (or ``start``) to the best one found, each a step better than the one before.

    levels: dear to cheap. grid: rising MW. Returns (level of each cell, curve); level len(levels) is no bid.
    """
    none = len(levels)
    cells = np.diff(grid, prepend=0)
    now = np.full(cells.size, none, dtype=np.int64) if start is None else start
    found, reached = [now], _reached(merit, levels, grid)
    best = float(_cost(now[None], reached, worth)[0])
    for _ in range(MOST_MOVES):
        moves = _moves(now, none, segments)
        cost = _cost(moves, reached, worth)
        chosen = int(np.argmin(cost))
        if cost[chosen] > best - SMALLEST_GAIN_CNY:
            break
        now, best = moves[chosen], float(cost[chosen])
        found.append(now)
    return [(one, curve_of(one, levels, cells)) for one in found]


def curve_of(chosen: IntArray, levels: list[int], cells: IntArray) -> Curve:
    """The segments of a curve on the grid."""
    return tuple(
        (int(cells[chosen == level].sum()), levels[level])
        for level in np.unique(chosen).tolist()
        if level < len(levels)
    )


def _moves(now: IntArray, none: int, segments: int) -> IntArray:
    """Every run of cells set to every level, made monotone, within the segments allowed: (moves, cells)."""
    place = np.arange(now.size)
    first, last, level = (
        one.ravel() for one in np.meshgrid(place, place, np.arange(none + 1), indexing="ij")
    )
    keep = (first <= last) & ((now[first] != level) | (now[last] != level))
    first, last, level = first[keep][:, None], last[keep][:, None], level[keep][:, None]
    moved = np.where(
        place < first, np.minimum(now, level), np.where(place > last, np.maximum(now, level), level)
    )
    used = (np.diff(moved, axis=1, prepend=-1) > 0).sum(axis=1) - (moved[:, -1] == none)
    moved = moved[used <= segments]
    number = moved @ (none + 1) ** place[::-1]  # one number a curve, in the order of its cells
    return np.asarray(moved[np.unique(number, return_index=True)[1]])


@dataclass(frozen=True)
class _Reached:
    """What a node sells when the bid at or above a price level reaches so many cells of MW.

    mw, end, landed: (levels, cells + 1, scenarios, nodes) MW sold to that level's own offers, how far in the merit
    order they reach, and the dearest landed price among them; sum and maxima over the levels are those of a curve.
    grid: (cells + 1,) MW from 0. price: (levels + 1,) from the dearest level to 0.
    """

    mw: FloatArray
    end: FloatArray
    landed: FloatArray
    grid: FloatArray
    price: FloatArray


def _reached(merit: MeritOrder, levels: list[int], grid: IntArray) -> _Reached:
    falling, mw = np.array(levels, dtype=np.float64), np.append(0.0, grid)
    nodes, scenarios = int(merit.node.max()) + 1, len(merit.node)
    shape = (len(levels), mw.size, scenarios, nodes)
    found = _Reached(np.zeros(shape), np.zeros(shape), np.zeros(shape), mw, np.append(falling, 0.0))
    level = np.searchsorted(
        -falling, -merit.landed, side="right"
    )  # the lowest price at or above the landed one
    s, offer = np.nonzero((level > 0) & (merit.width > NOTHING_MW) & np.isfinite(merit.below))
    level, node = level[s, offer] - 1, merit.node[s, offer]
    below, width = merit.below[s, offer], merit.width[s, offer]
    for cell, reach in enumerate(mw):
        taken = np.clip(reach - below, 0.0, width)
        sold = taken > NOTHING_MW
        at = np.ravel_multi_index((level, np.full_like(level, cell), s, node), shape)
        np.add.at(found.mw.reshape(-1), at, taken)
        np.maximum.at(found.end.reshape(-1), at, np.where(sold, below + taken, 0.0))
        np.maximum.at(found.landed.reshape(-1), at, np.where(sold, merit.landed[s, offer], 0.0))
    return found


def _cost(curves: IntArray, reached: _Reached, worth: Worth) -> FloatArray:
    """Weighted cost less worth of every curve, 元 of the quarter-hour."""
    levels, _, scenarios, nodes = reached.mw.shape
    mw, end, landed = (np.zeros((len(curves), scenarios, nodes)) for _ in range(3))
    cells = [(curves <= level).sum(axis=1) for level in range(levels)]  # bid at or above the level
    for level, reach in enumerate(cells):
        mw += reached.mw[level, reach]
        np.maximum(end, reached.end[level, reach], out=end)
        np.maximum(landed, reached.landed[level, reach], out=landed)
    below = np.zeros(end.shape, dtype=np.int64)  # levels that do not reach the last MW sold
    for reach in cells:
        below += reached.grid[reach][:, None, None] < end - NOTHING_MW
    purchase = (mw * (reached.price[below] + landed)).sum(axis=2) / 2
    return np.asarray((HOURS * purchase - worth.of(mw.sum(axis=2))) @ worth.weight)
