"""Transmission cost of a path from the seller node to the buyer node (market.md A.7; rule 4.3.1, 4.3.3 b).

Prices are 元/MWh as exact decimals or fractions. A section's tariff is paid on the energy that leaves it,
after its loss; a tariff that already contains the loss comes with loss rate 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Context, Decimal
from fractions import Fraction
from functools import cached_property

from market.money import half_up

Number = Decimal | Fraction | int
EXACT = Context(prec=200)  # products of published decimals end long before this


@dataclass(frozen=True)
class PathCost:
    """``coe``: energy at the buyer per energy at the seller, exact; ``price_cny_per_mwh``: price_coe of A.7."""

    coe: Decimal
    price_cny_per_mwh: Decimal

    @cached_property
    def _coe(self) -> Fraction:
        return Fraction(self.coe)

    @cached_property
    def _price_coe(self) -> Fraction:
        return Fraction(self.price_cny_per_mwh)

    def converted(self, buyer_price: Number) -> Fraction:
        """A buyer's price (元/MWh) at the seller node (折算)."""
        return Fraction(buyer_price) * self._coe - self._price_coe  # S14 4.3.1

    def landed(self, seller_price: Number) -> Fraction:
        """A seller-node price (元/MWh) at the buyer node: price and transmission, loss included."""
        return (Fraction(seller_price) + self._price_coe) / self._coe  # S14 4.3.3 b


def path_cost(sections: Sequence[tuple[Decimal, Decimal]]) -> PathCost:
    """Loss coefficient and transmission price of sections (tariff 元/MWh, loss rate), seller to buyer.

    ``path_cost([])`` is (1, 0). Raises ValueError for a loss outside [0, 1).
    """
    price = Decimal(0)
    for revenue in section_revenue_per_mwh(sections):
        price = EXACT.add(price, revenue)
    return PathCost(coe=_delivered(sections), price_cny_per_mwh=price)


def section_revenue_per_mwh(sections: Sequence[tuple[Decimal, Decimal]]) -> list[Decimal]:
    """What each section's owner receives per MWh sold at the seller node: Pt_m * prod_{r<=m}(1 - loss_r)."""
    return [
        EXACT.multiply(tariff, _delivered(sections[: position + 1]))
        for position, (tariff, _) in enumerate(sections)
    ]


def rounded_price(price: Fraction) -> Decimal:
    """A published price: half up to 0.001 元/MWh."""
    return Decimal(half_up(price * 1000)).scaleb(-3)


def _delivered(sections: Sequence[tuple[Decimal, Decimal]]) -> Decimal:
    remaining = Decimal(1)
    for position, (_, loss_rate) in enumerate(sections, start=1):
        if not 0 <= loss_rate < 1:
            raise ValueError(
                f"Section {position} has loss {loss_rate}; a loss rate is a share in [0, 1), "
                "so 6.5 % is written 0.065."
            )
        remaining = EXACT.multiply(remaining, EXACT.subtract(Decimal(1), Decimal(loss_rate)))
    return remaining
