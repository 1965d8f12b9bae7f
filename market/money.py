"""Money and energy as whole numbers: units, rounding, apportionment, overflow bounds (rulings 8-10).

Units: energy Wh, price 0.001 元/MWh ("mills"), amount 1e-9 元 ("nano"), statement line fen.
Wh x mills = nano yuan. Sign: a charge to the participant is positive, a credit negative.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

INT64_MAX = int(np.iinfo(np.int64).max)
NANO_PER_FEN = 10_000_000
NANO_PER_YUAN = 1_000_000_000
FEN = Decimal("0.01")

IntArray = NDArray[np.int64]


class OverflowBoundError(ArithmeticError):
    """A product or sum of whole numbers could pass int64; the sentence names the bound."""


def half_up(value: Fraction | Decimal | int) -> int:
    """Nearest integer, halves away from zero (ROUND_HALF_UP on the absolute value)."""
    exact = Fraction(value)
    return half_up_ratio(exact.numerator, exact.denominator)


def half_up_ratio(numerator: int, denominator: int) -> int:
    """``numerator / denominator`` as the nearest integer, halves away from zero; denominator not 0."""
    magnitude = (2 * abs(numerator) + abs(denominator)) // (2 * abs(denominator))
    return magnitude if (numerator >= 0) == (denominator > 0) else -magnitude


def half_up_array(numerator: IntArray, denominator: int) -> IntArray:
    """``numerator / denominator`` rounded half away from zero, elementwise; denominator > 0."""
    if denominator <= 0:
        raise ValueError(f"The denominator is {denominator}; rounding needs a positive one.")
    if numerator.size and numerator.min() >= 0:
        rounded = np.asarray(numerator + denominator // 2, dtype=np.int64)
        unsigned = rounded.view(
            np.uint64
        )  # in place, and quicker than a division that may meet a negative value
        unsigned //= np.uint64(denominator)
        return rounded
    magnitude = (np.abs(numerator) + denominator // 2) // denominator
    return np.asarray(np.sign(numerator) * magnitude, dtype=np.int64)


def scaled(value: Decimal | int | str, decimals: int) -> int:
    """A decimal as a whole number of its smallest unit, e.g. ``scaled("99.1", 3) == 99100``.

    Raises ValueError when the value has more decimals than the unit carries: nothing is rounded on entry.
    """
    number = Decimal(value).scaleb(decimals)
    if number != number.to_integral_value():
        raise ValueError(f"{value} has more than {decimals} decimals; give a value with at most {decimals}.")
    return int(number)


def fen_of_nano(nano: int) -> int:
    """1e-9 元 to fen, rounded once, half up."""
    return half_up_ratio(nano, NANO_PER_FEN)


def yuan(fen: int) -> Decimal:
    """Fen as a two-decimal amount in yuan."""
    return (Decimal(fen) / 100).quantize(FEN, ROUND_HALF_UP)


def apportion(total: int, weights: Sequence[int], keys: Sequence[str]) -> list[int]:
    """Share ``total`` by ``weights`` with largest remainder, ties by key; the parts sum to ``total`` exactly.

    total: whole number of any size and sign. weights: >= 0. keys: one distinct name a weight.
    A negative total is minus the apportionment of its absolute value (ruling 10).
    Raises ValueError for lengths that differ, a repeated key, a negative weight, or no positive weight.
    """
    if len(weights) != len(keys):
        raise ValueError(f"{len(weights)} weights stand against {len(keys)} keys; give one key a weight.")
    if len(set(keys)) != len(keys):
        raise ValueError("A key stands twice; ties are settled by key, so every key must be distinct.")
    integers = [int(weight) for weight in weights]
    if min(integers, default=0) < 0:
        worst = min(range(len(keys)), key=lambda i: integers[i])
        raise ValueError(f"Weight {integers[worst]} of {keys[worst]} is negative; weights must be >= 0.")
    if total == 0:
        return [0] * len(integers)
    weight_sum = sum(integers)
    if weight_sum == 0:
        raise ValueError(f"{total} cannot be shared: no weight is positive. Name a second key for this pool.")
    products = [abs(total) * weight for weight in integers]
    parts = [product // weight_sum for product in products]
    left = abs(total) - sum(parts)
    if left:
        remainders = [product % weight_sum for product in products]
        order = sorted(range(len(keys)), key=keys.__getitem__)
        order.sort(key=remainders.__getitem__, reverse=True)  # stable: ties stay in order of key
        for i in order[:left]:
            parts[i] += 1
    return parts if total > 0 else [-part for part in parts]


def apportioned_rows(totals: IntArray, weights: IntArray) -> IntArray:
    """``apportion`` of every row at once, ties to the earlier column. totals: (rows,); weights: (rows, n) >= 0.

    Raises ValueError for a row with a total and no positive weight.
    """
    if peak(totals) * peak(weights) > INT64_MAX or peak(weights) * weights.shape[1] > INT64_MAX:
        keys = [f"{column:06d}" for column in range(weights.shape[1])]
        pairs = zip(totals.tolist(), weights.tolist(), strict=True)
        return np.array([apportion(total, of, keys) for total, of in pairs], np.int64).reshape(weights.shape)
    sums = weights.sum(axis=1)
    if (totals[sums == 0] != 0).any():
        raise ValueError("A row has something to share and no positive weight; give it a weight first.")
    products = np.abs(totals)[:, None] * weights
    parts, remainders = np.divmod(products, np.maximum(sums, 1)[:, None])
    left = np.abs(totals) * (sums > 0) - parts.sum(axis=1)
    order = np.argsort(-remainders, axis=1, kind="stable")
    first = np.arange(weights.shape[1]) < left[:, None]
    np.put_along_axis(parts, order, np.take_along_axis(parts, order, axis=1) + first, axis=1)
    return np.asarray(np.sign(totals)[:, None] * parts, np.int64)


def checked_product_sum(
    quantity: IntArray, price: IntArray, what: str, largest: int | None = None
) -> IntArray:
    """``(quantity * price).sum(axis=-1)`` in int64, refused where the bound could be passed (ruling 9).

    quantity: (rows, n) Wh. price: (n,) or (rows, n) mills. largest: the peak of quantity where it is known.
    Returns (rows,) nano yuan.
    Raises OverflowBoundError naming ``what``.
    """
    bound = (peak(quantity) if largest is None else largest) * peak(price) * quantity.shape[-1]
    if bound > INT64_MAX:
        raise OverflowBoundError(
            f"{what}: up to {bound:.3e} would pass the int64 bound {INT64_MAX:.3e}; "
            "check the units of energy (Wh) and price (0.001 元/MWh), or split the participant."
        )
    if price.ndim == 1:
        return np.asarray(quantity @ price, dtype=np.int64)
    return np.asarray(np.einsum("rn,rn->r", quantity, np.broadcast_to(price, quantity.shape)), dtype=np.int64)


def peak(array: NDArray[Any]) -> int:
    """Largest absolute value as a Python integer; 0 for an empty array."""
    return max(int(array.max()), -int(array.min())) if array.size else 0


def wide_sum(array: IntArray) -> int:
    """Sum as a Python integer, whatever its size (sums over participants are not bound by int64)."""
    if peak(array) * max(array.size, 1) <= INT64_MAX:
        return int(array.sum())
    return sum(array.ravel().tolist())
