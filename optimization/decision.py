"""Before the bid (事前研判): how likely a gap is, whether to buy, and up to which price.

A row a period. Probabilities come from the errors of past days, not from the handful of scenarios that were drawn.
The ceiling is what must be reported when it is exceeded (SX15 §10: oral report before bidding), no limit of the market:
what the market lets through is checked in ``optimization.bid_check``.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from enum import StrEnum

import numpy as np

from market.periods import PERIODS, PERIODS_PER_HOUR
from optimization.forecast import FloatArray
from optimization.purchase import Bid, Procurement, bid_mw, curves_of
from optimization.rule_table import situation, table_price


class Reason(StrEnum):
    """Why a period is bought for or not."""

    SHORTAGE = "shortage"  # the forecast itself is short (紧缺购电)
    LIKELY = "possible_shortage"  # short only if the forecast is wrong as it has been before
    CURTAILED = "curtailed"  # renewables are curtailed: may not buy
    NO_PATH = "no_path"  # nothing can be brought in
    CHEAPER_ELSEWHERE = "cheaper_elsewhere"  # a gap is possible, the model covers it otherwise


@dataclass(frozen=True)
class Decision:
    """One period. gap_mw: expected; probability: of a gap. landed, provincial: expected 元/MWh, None where unknown.

    ceiling: whole 元/MWh. mw, highest: of the bid. above_ceiling: whether a segment must be reported.
    """

    period: int
    gap_mw: float
    probability: float
    buy: bool
    reason: Reason
    landed: float | None
    provincial: float
    ceiling: int
    mw: int
    highest: int | None
    above_ceiling: bool


def gap_probability(shortage_mw: FloatArray, errors: FloatArray) -> FloatArray:
    """(96,) share of past errors, of the four quarters of an hour together, with which the forecast is short.

    errors: (days, 96) actual - forecast, MW. Without days: 1 where the forecast is short, else 0.
    """
    if len(errors) == 0:
        return np.where(shortage_mw > 0, 1.0, 0.0)
    hours = (
        errors.reshape(len(errors), -1, PERIODS_PER_HOUR)
        .swapaxes(0, 1)
        .reshape(PERIODS // PERIODS_PER_HOUR, -1)
    )
    pooled = np.repeat(hours, PERIODS_PER_HOUR, axis=0)
    return np.asarray((shortage_mw[:, None] + pooled > 0).mean(axis=1))


def decisions(
    problem: Procurement,
    bid: Bid,
    shortage_mw: FloatArray,
    errors: FloatArray,
    curtailed_mw: FloatArray | None,
    day: date,
    open_periods: np.ndarray[tuple[int, ...], np.dtype[np.bool_]],
) -> tuple[Decision, ...]:
    """Of every period that may be bid and in which a gap is possible or something is bid."""
    probability = gap_probability(shortage_mw, errors)
    landed = np.full(PERIODS, np.nan)
    found = problem.landed  # (scenarios, paths, 96)
    cheapest = np.where(np.isfinite(found), found, np.inf).min(axis=1)
    known = np.isfinite(cheapest).all(axis=0)
    landed[known] = (problem.scenarios.probability @ cheapest)[known]
    mw, curves = bid_mw(bid), curves_of(bid)
    rows = []
    for t in np.flatnonzero(open_periods & ((probability > 0) | (mw > 0))).tolist():
        highest = max((price for _, price in curves.get(t + 1, ())), default=None)
        ceiling = price_ceiling(problem, day, t + 1, int(mw[t]))
        curtailed = curtailed_mw is not None and bool(np.nan_to_num(curtailed_mw)[t] > 0)
        rows.append(
            Decision(
                period=t + 1,
                gap_mw=float(problem.scenarios.expected_gap_mw()[t]),
                probability=float(probability[t]),
                buy=bool(mw[t] > 0),
                reason=_reason(float(shortage_mw[t]), int(mw[t]), curtailed, float(problem.capability_mw[t])),
                landed=float(landed[t]) if known[t] else None,
                provincial=float(problem.provincial_price[t]),
                ceiling=ceiling,
                mw=int(mw[t]),
                highest=highest,
                above_ceiling=highest is not None and highest > ceiling,
            )
        )
    return tuple(rows)


def price_ceiling(problem: Procurement, day: date, period: int, mw: int) -> int:
    """Whole 元/MWh above which a segment must be reported, by the profile: the Shanxi table at the MW bid (market.md
    A.11), the provincial expectation times the profile's factor, or the market's cap."""
    rules, provincial = problem.rules, problem.provincial_price
    cap, floor = int(rules.cap_cny_per_mwh), int(rules.floor_cny_per_mwh)
    match rules.price_ceiling:
        case "shanxi_table":
            reference = max(float(provincial[period - 1]), float(provincial.mean()))
            price = table_price(reference, mw, period, situation(day))
        case "provincial_expectation":
            price = round(float(provincial[period - 1]) * float(rules.price_ceiling_factor))
        case "cap":
            price = cap
    return min(cap, max(floor, price))


def _reason(shortage: float, mw: int, curtailed: bool, capability: float) -> Reason:
    if mw > 0:
        return Reason.SHORTAGE if shortage > 0 else Reason.LIKELY
    if curtailed:
        return Reason.CURTAILED
    if capability <= 0:
        return Reason.NO_PATH
    return Reason.CHEAPER_ELSEWHERE
