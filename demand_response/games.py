"""Rules that share a cost: by claims (a DR bill against benefits), by nested needs, by coalitions (C2-C4).

Claims and results stand in player order. Whole numbers and fractions in, exact fractions out.

For a bill C and benefits b the game max(0, b(S) - C) is a bankruptcy game (C3): ``proportional`` is its
Aumann-Shapley value, ``random_arrival`` its Shapley value, ``talmud`` its nucleolus, and every x with
sum C and 0 <= x <= b is in its core.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from fractions import Fraction
from functools import lru_cache
from statistics import NormalDist

import numpy as np

from demand_response.coalitions import shapley_exact, shapley_sampled
from demand_response.exact import Number, exact
from demand_response.nucleolus import nucleolus
from market.money import INT64_MAX, OverflowBoundError

__all__ = [
    "airport",
    "airport_nucleolus",
    "constrained_equal_awards",
    "constrained_equal_benefits",
    "constrained_equal_contributions",
    "nucleolus",
    "proportional",
    "random_arrival",
    "random_arrival_interval",
    "random_arrival_sampled",
    "serial",
    "shapley_exact",
    "shapley_sampled",
    "talmud",
]

MOST_CLAIMS = 20
ORDERS_AT_ONCE = 1_000_000  # claims x orders in memory


def proportional(cost: Number, claims: Sequence[Number]) -> list[Fraction]:
    """x_i = C b_i / B. Raises ValueError for negative numbers or a cost above the sum of claims."""
    C, b = _claims(cost, claims)
    B = sum(b)
    return [C * claim / B if B else Fraction(0) for claim in b]


def constrained_equal_awards(cost: Number, claims: Sequence[Number]) -> list[Fraction]:
    """Everyone the same, but no one more than its claim: x_i = min(b_i, level)."""
    left, b = _claims(cost, claims)
    shares = [Fraction(0)] * len(b)
    order = sorted(range(len(b)), key=lambda i: b[i])
    for position, i in enumerate(order):
        shares[i] = min(b[i], left / (len(order) - position))
        left -= shares[i]
    return shares


def talmud(cost: Number, claims: Sequence[Number]) -> list[Fraction]:
    """Equal awards on half claims up to half their sum, equal losses beyond: the nucleolus (C3, 3)."""
    C, b = _claims(cost, claims)
    half = [claim / 2 for claim in b]
    if sum(b) >= 2 * C:
        return constrained_equal_awards(C, half)
    forgiven = constrained_equal_awards(sum(b) - C, half)
    return [claim - loss for claim, loss in zip(b, forgiven, strict=True)]


def random_arrival(cost: Number, claims: Sequence[Number]) -> list[Fraction]:
    """Mean over all orders of arrival of min(claim, what is left): the Shapley value (C3, 4).

    Exact over all coalitions of the positive claims, up to 20 of them; beyond that use
    ``random_arrival_sampled``. Raises ValueError as ``proportional`` does.
    """
    C, b = _claims(cost, claims)
    positive = [i for i, claim in enumerate(b) if claim > 0]
    n = len(positive)
    if n > MOST_CLAIMS:
        raise ValueError(
            f"{n} positive claims; exact random arrival takes up to {MOST_CLAIMS}, use random_arrival_sampled."
        )
    scale = math.lcm(C.denominator, *(claim.denominator for claim in b))
    estate = int(C * scale)
    shares = [Fraction(0)] * len(b)
    for i in positive:
        claim = int(b[i] * scale)
        before: list[dict[int, int]] = [{0: 1}, *({} for _ in range(n - 1))]  # size -> {sum of claims: sets}
        for j in positive:
            if j == i:
                continue
            other = int(b[j] * scale)
            for size in range(n - 2, -1, -1):
                for total, sets in before[size].items():
                    if total + other < estate:  # later arrivals find nothing
                        grown = before[size + 1]
                        grown[total + other] = grown.get(total + other, 0) + sets
        expected = sum(
            math.factorial(size) * math.factorial(n - size - 1) * sets * min(claim, estate - total)
            for size, sums in enumerate(before)
            for total, sets in sums.items()
        )
        shares[i] = Fraction(expected, scale * math.factorial(n))
    return shares


def random_arrival_sampled(cost: int, claims: Sequence[int], samples: int, seed: int) -> list[Fraction]:
    """Random arrival over ``samples`` random orders; whole numbers in, sums to the cost exactly.

    Deterministic by seed. Raises ValueError as ``proportional`` does,
    OverflowBoundError when samples x claims could pass int64.
    """
    totals, _ = _arrivals(cost, tuple(claims), samples, seed)
    return [Fraction(total, samples) for total in totals]


def random_arrival_interval(
    cost: int, claims: Sequence[int], samples: int, seed: int, *, confidence: float = 0.95
) -> list[tuple[float, float, float]]:
    """(low, mean, high) of each share of ``random_arrival_sampled``: mean +- z x standard error, within [0, claim].

    The normal interval of the mean of independent orders; deterministic by seed. Raises ValueError for fewer than two
    samples or a confidence outside (0, 1), else as ``random_arrival_sampled``.
    """
    if samples < 2 or not 0 < confidence < 1:
        raise ValueError(
            f"An interval needs two samples or more and a confidence between 0 and 1; {samples} and {confidence} are given."
        )
    totals, squares = _arrivals(cost, tuple(claims), samples, seed)
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    found = []
    for total, square, claim in zip(totals, squares, claims, strict=True):
        mean = total / samples
        half = z * math.sqrt(max(square / samples - mean * mean, 0.0) / (samples - 1))
        found.append((max(mean - half, 0.0), mean, min(mean + half, float(claim))))
    return found


@lru_cache(maxsize=1)
def _arrivals(
    cost: Number, claims: tuple[Number, ...], samples: int, seed: int
) -> tuple[list[int], list[float]]:
    """Sum and sum of squares of each claimant's take over random orders; each order is one cumulative sum."""
    C, b = _claims(cost, claims)
    if samples < 1:
        raise ValueError(f"{samples} samples give no mean; take at least 1.")
    if sum(b) * samples > INT64_MAX:
        raise OverflowBoundError(
            f"Claims of {sum(b)} over {samples} samples would pass the int64 bound {INT64_MAX:.3e}; "
            "take fewer samples or check the unit of the claims (fen)."
        )
    whole = np.array([int(claim) for claim in b], dtype=np.int64)
    totals, squares = np.zeros_like(whole), np.zeros(whole.shape)
    generator = np.random.default_rng(seed)
    left, batch = samples, max(ORDERS_AT_ONCE // max(len(whole), 1), 1)
    while left:
        size = min(batch, left)
        orders = generator.permuted(np.tile(np.arange(len(whole)), (size, 1)), axis=1)
        reached = np.minimum(whole[orders].cumsum(axis=1), int(C))
        taken = np.empty_like(reached)
        np.put_along_axis(taken, orders, np.diff(reached, axis=1, prepend=0), axis=1)
        totals += taken.sum(axis=0)
        squares += (taken.astype(np.float64) ** 2).sum(axis=0)
        left -= size
    return [int(total) for total in totals], [float(square) for square in squares]


def airport(costs: Sequence[Number]) -> list[Fraction]:
    """Shapley value when the largest need serves all: each step c_k - c_(k-1) is shared by those who need it.

    Sequential equal contributions (Littlechild and Owen 1973), in input order. Raises ValueError below 0.
    """
    c, order = _rising(costs)
    return _placed(order, _steps([c[i] for i in order]))


def airport_nucleolus(costs: Sequence[Number]) -> list[Fraction]:
    """x_i = min over k = i..n-1 of (c_k - what is paid) / (k - i + 2), the last pays the rest (C2, TC-51)."""
    c, order = _rising(costs)
    rising = [c[i] for i in order]
    paid: list[Fraction] = []
    for i in range(len(rising) - 1):
        done = sum(paid)
        paid.append(min((rising[k] - done) / (k - i + 2) for k in range(i, len(rising) - 1)))
    return _placed(order, [*paid, rising[-1] - sum(paid)])


def constrained_equal_contributions(costs: Sequence[Number]) -> list[Fraction]:
    """Airport game, Dutta-Ray: x_i = min over r >= i of (c_r - what is paid) / (r - i + 1)."""
    c, order = _rising(costs)
    rising = [c[i] for i in order]
    paid: list[Fraction] = []
    for i in range(len(rising)):
        done = sum(paid)
        paid.append(min((rising[r] - done) / (r - i + 1) for r in range(i, len(rising))))
    return _placed(order, paid)


def constrained_equal_benefits(costs: Sequence[Number]) -> list[Fraction]:
    """Airport game: everyone saves the same beta, no one pays below 0: x_i = max(c_i - beta, 0), sum c_n."""
    c, _ = _rising(costs)
    saved = constrained_equal_awards(sum(c) - max(c), c)
    return [cost - gain for cost, gain in zip(c, saved, strict=True)]


def serial(demands: Sequence[Number], cost_of_total: Callable[[Fraction], Number]) -> list[Fraction]:
    """Serial cost sharing (Moulin and Shenker 1992), in input order; sums to the cost of the total demand.

    ``cost_of_total`` maps a total demand to its cost, non-decreasing; a fixed cost falls on all alike.
    Raises ValueError for a negative demand.
    """
    q, order = _rising(demands)
    rising = [q[i] for i in order]
    n = len(rising)
    totals = [(n - k) * rising[k] + sum(rising[:k]) for k in range(n)]  # Q_k
    return _placed(order, _steps([exact(cost_of_total(total)) for total in totals]))


def _steps(rising: Sequence[Fraction]) -> list[Fraction]:
    """Each rise of a cost, shared equally by all from there on."""
    shares: list[Fraction] = []
    paid = before = Fraction(0)
    for k, cost in enumerate(rising):
        paid += (cost - before) / (len(rising) - k)
        before = cost
        shares.append(paid)
    return shares


def _placed(order: Sequence[int], sorted_shares: Sequence[Fraction]) -> list[Fraction]:
    shares = [Fraction(0)] * len(order)
    for i, share in zip(order, sorted_shares, strict=True):
        shares[i] = share
    return shares


def _rising(values: Sequence[Number]) -> tuple[list[Fraction], list[int]]:
    numbers = [exact(value) for value in values]
    if not numbers or min(numbers) < 0:
        raise ValueError(f"The values are {list(values)}; give at least one, all 0 or more.")
    return numbers, sorted(range(len(numbers)), key=lambda i: numbers[i])


def _claims(cost: Number, claims: Sequence[Number]) -> tuple[Fraction, list[Fraction]]:
    C, b = exact(cost), [exact(claim) for claim in claims]
    if C < 0 or any(claim < 0 for claim in b):
        raise ValueError(f"The cost is {cost} and the claims {list(claims)[:5]}...; all must be 0 or more.")
    if sum(b) < C:
        raise ValueError(
            f"The cost {cost} is more than all claims together ({sum(b)}); no one pays more than its claim, "
            "so share the excess by another rule."
        )
    return C, b
