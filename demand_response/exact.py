"""Numbers as they are written: a float counts as its shortest decimal, everything else is already exact."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from numbers import Integral

Exact = Fraction | Decimal | int
Number = Exact | float


def exact(value: Number) -> Fraction:
    """The number a person reads: ``exact(0.8) == Fraction(4, 5)``. Raises ValueError for NaN and infinity."""
    try:
        if isinstance(value, Integral):
            return Fraction(int(value))
        if isinstance(value, Fraction | Decimal):
            return Fraction(value)
        return Fraction(repr(float(value)))
    except (ValueError, OverflowError):
        raise ValueError(f"{value} is not a finite number; give the value or leave the row out.") from None


def money(value: Exact, what: str) -> Fraction:
    """An exact amount or price in yuan. Raises ValueError for a float: no float touches money."""
    if isinstance(value, float):
        raise ValueError(f"{what} {value!r} is a float; give a Decimal or a whole number.")
    return exact(value)
