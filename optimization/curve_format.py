"""Format of one declared curve: segments, steps, limits, monotone prices (S14 4.2.3.1; market.md A.4)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from itertools import pairwise
from typing import NamedTuple

from market.profiles import InterprovincialRules


class Side(StrEnum):
    """Sellers offer rising prices, buyers bid falling ones."""

    OFFER = "offer"
    BID = "bid"


@dataclass(frozen=True)
class Step:
    """One segment of a curve: its increment in MW and its price, 元/MWh."""

    segment: int
    mw: Decimal
    price: Decimal


class FormatFault(NamedTuple):
    """What is wrong with a curve. place: ``, segment 2`` or empty, to follow the name of the period."""

    code: str
    place: str
    sentence: str


def format_faults(curve: Sequence[Step], rules: InterprovincialRules, side: Side) -> Iterator[FormatFault]:
    """Every breach of the format in the curve of one node and period, whatever order its segments come in."""
    steps = sorted(curve, key=lambda step: step.segment)
    word = "bid" if side is Side.BID else "offered"
    if len(steps) > rules.segments:  # a
        yield FormatFault(
            "too_many_segments",
            "",
            f"{len(steps)} segments are {word}; the market takes {rules.segments}.",
        )
    numbers = [step.segment for step in steps]
    if numbers != list(range(1, len(steps) + 1)):
        listed = ", ".join(map(str, numbers))
        yield FormatFault(
            "segment_numbers", "", f"segments are numbered {listed}; count 1, 2, 3 … without a gap."
        )
    for step in steps:
        yield from _step_faults(step, rules)
    for before, after in pairwise(steps):  # b, c
        if side is Side.BID and after.price > before.price:
            yield FormatFault(
                "curve_not_monotone",
                "",
                f"segment {after.segment} bids {after.price} 元/MWh above segment {before.segment} with "
                f"{before.price}; prices must not rise.",
            )
        if side is Side.OFFER and after.price < before.price:
            yield FormatFault(
                "curve_not_monotone",
                "",
                f"segment {after.segment} offers {after.price} 元/MWh below segment {before.segment} with "
                f"{before.price}; prices must not fall.",
            )


def _step_faults(step: Step, rules: InterprovincialRules) -> Iterator[FormatFault]:
    place = f", segment {step.segment}"
    if step.mw <= 0 or step.mw % rules.mw_step != 0:  # d
        yield FormatFault(
            "power_off_step", place, f"{step.mw} MW; power must be above 0 in steps of {rules.mw_step} MW."
        )
    if step.price % rules.price_step_cny_per_mwh != 0:  # d
        yield FormatFault(
            "price_off_step",
            place,
            f"{step.price} 元/MWh; prices go in steps of {rules.price_step_cny_per_mwh} 元/MWh.",
        )
    if not rules.floor_cny_per_mwh <= step.price <= rules.cap_cny_per_mwh:  # e, f
        yield FormatFault(
            "price_outside_limits",
            place,
            f"{step.price} 元/MWh lies outside {rules.floor_cny_per_mwh} to {rules.cap_cny_per_mwh} 元/MWh.",
        )
