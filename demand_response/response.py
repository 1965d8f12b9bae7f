"""Did the customer respond, by how much, and what is it paid or charged (demand_response.md A3, A6; ruling 24).

kW curves in, judged as whole watts against exact fractions; money in whole fen, rounded once an event, half up.
``cut`` (削峰) counts load below the baseline as response, ``fill`` (填谷) load above it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from demand_response.exact import Exact, Number, exact, money
from market.money import apportion, half_up

Curve: TypeAlias = "Sequence[float] | NDArray[np.float64] | pd.Series[Any]"

DIRECTIONS = ("cut", "fill")
TESTS = ("average", "max_and_average")
PRICE_UNITS = ("per_kw_event", "per_kwh")


@dataclass(frozen=True)
class Response:
    """The verdict on one customer in one event.

    ``reason`` is empty when valid, else ``peak_not_moved``, ``below_floor`` or ``too_short``.
    ``responded_kw``: mean response, negative when the load moved the wrong way. ``rate``: response over
    commitment, not capped. ``confirmed_kw``: what is paid, at most cap x commitment, 0 when invalid.
    ``confirmed_w`` is the same without a float's rounding; amounts are calculated from it.
    """

    valid: bool
    reason: str
    responded_kw: float
    rate: float
    effective_minutes: int
    confirmed_kw: float
    confirmed_w: Fraction = field(default=Fraction(0), repr=False)


def evaluate(
    baseline_kw: Curve,
    actual_kw: Curve,
    committed_kw: Number,
    *,
    direction: str = "cut",
    floor: Number = 0.8,
    cap: Number = 1.2,
    minimum_minutes: int = 60,
    interval_minutes: int = 15,
    test: str = "average",
) -> Response:
    """Judge a response over the event window; both curves in kW, one value an interval.

    ``average`` (规则二): the extreme and the mean moved the right way, rate >= floor, and the longest run of
    intervals at floor x commitment or more lasts ``minimum_minutes``. ``max_and_average`` (规则一): the extreme
    moved by the whole commitment and rate >= floor; no minimum run.
    Exactly the floor is valid; above the cap is paid at the cap.
    Raises ValueError for curves that differ in length or have gaps and for a bad parameter.
    """
    _check(committed_kw, direction, floor, cap, minimum_minutes, interval_minutes, test)
    sign = 1 if direction == "cut" else -1
    base, actual = _pair(baseline_kw, actual_kw)
    moved = [sign * (b - a) for b, a in zip(base, actual, strict=True)]
    committed, least = watts(committed_kw), exact(floor)

    responded = Fraction(sum(moved), len(moved))
    extreme = max(base) - max(actual) if direction == "cut" else min(actual) - min(base)
    rate = responded / committed
    minutes = interval_minutes * _longest_run([w >= least * committed for w in moved])

    if test == "max_and_average":
        reason = "peak_not_moved" if extreme < committed else "below_floor" if rate < least else ""
    elif extreme <= 0:
        reason = "peak_not_moved"
    elif responded <= 0 or rate < least:
        reason = "below_floor"
    else:
        reason = "too_short" if minutes < minimum_minutes else ""
    confirmed = Fraction(0) if reason else min(responded, exact(cap) * committed)
    return Response(
        valid=not reason,
        reason=reason,
        responded_kw=float(responded / 1000),
        rate=float(rate),
        effective_minutes=minutes,
        confirmed_kw=float(confirmed / 1000),
        confirmed_w=confirmed,
    )


def reduction_watts(baseline_kw: Curve, actual_kw: Curve) -> list[int]:
    """Baseline minus actual in whole watts, one value an interval; positive is load taken off the system."""
    base, actual = _pair(baseline_kw, actual_kw)
    return [b - a for b, a in zip(base, actual, strict=True)]


def payment(
    confirmed_kw: Number,
    price_cny: Exact,
    *,
    price_unit: str = "per_kw_event",
    hours: Exact | None = None,
    time_coefficient: Exact = 1,
    rate_coefficient: Exact = 1,
) -> int:
    """Compensation of one event in fen: confirmed kW x price x time coefficient x rate coefficient (A3).

    price_unit ``per_kw_event``: 元/kW; ``per_kwh``: 元/kWh, on confirmed kW x ``hours`` of the event.
    Raises ValueError for negative factors, a float price, an unknown unit, or ``per_kwh`` without hours.
    """
    if price_unit not in PRICE_UNITS:
        raise ValueError(f"Price unit {price_unit!r} is not known; choose one of {', '.join(PRICE_UNITS)}.")
    if price_unit == "per_kwh" and hours is None:
        raise ValueError("A price per kWh needs the hours of the event; give hours.")
    quantity = exact(confirmed_kw) * (exact(hours) if price_unit == "per_kwh" and hours is not None else 1)
    factors = {
        "confirmed quantity": quantity,
        "price_cny": money(price_cny, "price_cny"),
        "time_coefficient": money(time_coefficient, "time_coefficient"),
        "rate_coefficient": money(rate_coefficient, "rate_coefficient"),
    }
    amount = Fraction(100)
    for name, factor in factors.items():
        if factor < 0:
            raise ValueError(
                f"{name} is {factor}; a payment is never negative, a penalty is a line of its own."
            )
        amount *= factor
    return half_up(amount)


def penalty(
    awarded_kw: Number,
    delivered: Sequence[tuple[Number, Exact]],
    price_cny_per_kwh: Exact,
    *,
    required_share: Exact,
    factor: Exact,
) -> int:
    """Penalty of one event in fen, >= 0: sum over blocks of (award x R1 - actual)+ x hours x price x M (A6).

    ``delivered``: (mean response in kW, hours) of each block, an hour in Guangdong. ``required_share`` is R1,
    ``factor`` M. Raises ValueError for a negative award, price, share or factor and for a float price.
    """
    terms = {
        "awarded_kw": exact(awarded_kw),
        "price_cny_per_kwh": money(price_cny_per_kwh, "price_cny_per_kwh"),
        "required_share": money(required_share, "required_share"),
        "factor": money(factor, "factor"),
    }
    for name, value in terms.items():
        if value < 0:
            raise ValueError(f"{name} is {value}; a penalty is never a gain, give a value of 0 or more.")
    award, price, R1, M = terms.values()
    short_kwh = sum(
        (max(award * R1 - exact(kw), Fraction(0)) * exact(hours) for kw, hours in delivered), Fraction(0)
    )
    return half_up(short_kwh * price * M * 100)


def agreed_payment(
    contracted_kw: Number,
    called_kw: Number,
    hours: Exact,
    *,
    energy_price_cny_per_kwh: Exact,
    capacity_price_cny_per_kw_month: Exact,
) -> int:
    """A month's 约定型 compensation in fen: called energy, and capacity for the part not called (Hainan 2025).

    "Uncalled" is read as contracted minus called kW (TC-16). Raises ValueError when more was called than
    contracted or a quantity is negative.
    """
    contracted, called = exact(contracted_kw), exact(called_kw)
    if not 0 <= called <= contracted:
        raise ValueError(
            f"{called_kw} kW were called of {contracted_kw} kW contracted; called lies between 0 and the contract."
        )
    energy_price = money(energy_price_cny_per_kwh, "energy_price_cny_per_kwh")
    capacity_price = money(capacity_price_cny_per_kw_month, "capacity_price_cny_per_kw_month")
    return half_up((called * exact(hours) * energy_price + (contracted - called) * capacity_price) * 100)


def capacity_fee(parts: Sequence[tuple[Number, Exact, int]], days: int) -> int:
    """A month's capacity fee in fen: sum of kW x 元/kW·month x days it held / days of the month, rounded once.

    parts: (kW, price, days). Source: demand_response.md A1.1 (容量 price per kW and month); that a fee that holds for
    part of a month is counted by days is our reading. Raises ValueError for a negative figure or more days than the
    month has.
    """
    total = Fraction(0)
    for kw, price, held in parts:
        capacity, rate = exact(kw), money(price, "capacity_price_cny_per_kw_month")
        if capacity < 0 or rate < 0 or not 0 <= held <= days:
            raise ValueError(
                f"{kw} kW at {price} 元/kW·month for {held} of {days} days is no capacity fee; give figures of 0 or more."
            )
        total += capacity * rate * Fraction(held, days)
    return half_up(total * 100)


@dataclass(frozen=True)
class FundPayout:
    """``paid_fen`` by claimant, ``factor`` = min(1, fund / claims), ``carried_over_fen`` left in the fund."""

    paid_fen: dict[str, int]
    factor: Fraction
    carried_over_fen: int


def fund_limited(claims_fen: Mapping[str, int], fund_fen: int) -> FundPayout:
    """Pay claims out of a fund: in full, or scaled pro rata to exactly the fund; what is left rolls over (M4).

    Raises ValueError for a negative claim or fund.
    """
    for name, value in {**claims_fen, "the fund": fund_fen}.items():
        if value < 0:
            raise ValueError(f"{name} is {value} fen; claims and the fund are 0 or more.")
    claims = sum(claims_fen.values())
    paid = min(claims, fund_fen)
    shares = apportion(paid, list(claims_fen.values()), list(claims_fen))
    factor = Fraction(paid, claims) if claims else Fraction(1)
    return FundPayout(dict(zip(claims_fen, shares, strict=True)), factor, fund_fen - paid)


def watts(kw: Number) -> int:
    """kW as whole watts, half up on the decimal as written. Raises ValueError for NaN."""
    return half_up(exact(kw) * 1000)


def _pair(baseline_kw: Curve, actual_kw: Curve) -> tuple[list[int], list[int]]:
    base, actual = ([watts(kw) for kw in np.asarray(curve).tolist()] for curve in (baseline_kw, actual_kw))
    if len(base) != len(actual) or not base:
        raise ValueError(
            f"The baseline has {len(base)} values and the metered load {len(actual)}; "
            "give both for every interval of the event."
        )
    return base, actual


def _longest_run(reached: Sequence[bool]) -> int:
    longest = run = 0
    for hit in reached:
        run = run + 1 if hit else 0
        longest = max(longest, run)
    return longest


def _check(
    committed_kw: Number,
    direction: str,
    floor: Number,
    cap: Number,
    minimum_minutes: int,
    interval_minutes: int,
    test: str,
) -> None:
    if watts(committed_kw) <= 0:
        raise ValueError(f"The commitment is {committed_kw} kW; a response is judged against a positive one.")
    if direction not in DIRECTIONS:
        raise ValueError(f"Direction {direction!r} is not known; choose cut (削峰) or fill (填谷).")
    if test not in TESTS:
        raise ValueError(f"Test {test!r} is not known; choose one of {', '.join(TESTS)}.")
    if not 0 <= exact(floor) <= exact(cap):
        raise ValueError(
            f"The band runs from {floor} to {cap}; floor and cap are shares with 0 <= floor <= cap."
        )
    if minimum_minutes < 0 or interval_minutes <= 0:
        raise ValueError(
            f"minimum_minutes is {minimum_minutes} and interval_minutes {interval_minutes}; "
            "give minutes >= 0 and > 0."
        )
