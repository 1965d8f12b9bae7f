"""Checks of a bid before it leaves the house (事中校核; market.md A.4, A.8.2, D; users.md T2).

A bid has one row a segment with period, segment, mw and price_cny_per_mwh; cells may be text as read from a
file. Every problem is one sentence that names the period and the value. A bid with a problem must not be exported.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

import numpy as np
import pandas as pd

from market.periods import PERIODS, label
from market.profiles import InterprovincialRules
from optimization.curve_format import Side, Step, format_faults
from optimization.forecast import FloatArray
from optimization.purchase import BID_COLUMNS

SHIFTS = tuple(by for by in range(-8, 9) if by)
UNIT = 10.0  # a bid at a tenth of every landed price is no low bid but another unit
CLEARLY_NEARER = 0.5  # a moved curve must halve what separates the bid from its reference
LEFT_OVER = 0.1  # of what stood above the limit may stay above it when moved
NOTICEABLE = 0.05  # of the bid's energy; below that, bid and reference agree as they stand


@dataclass(frozen=True)
class BidLimits:
    """What a bid is held against; arrays (96,) MW at the buyer node.

    gap_mw: the expected gap. need_limit_mw: the most that may be bid. capability_mw: what all paths carry
    together. curtailed_mw: renewable energy curtailed, None when no series says so. yesterday_mw: total of
    yesterday's bid, None when there is none. cheapest_cny_per_mwh: lowest landed price of any scenario, None when not
    known. aligned: whether rows are held against the gap for a shift. import_limit_mw: what the province may still take
    in over all lines, None where not known.
    """

    rules: InterprovincialRules
    gap_mw: FloatArray
    need_limit_mw: FloatArray
    capability_mw: FloatArray
    curtailed_mw: FloatArray | None = None
    yesterday_mw: FloatArray | None = None
    cheapest_cny_per_mwh: FloatArray | None = None
    aligned: bool = True
    import_limit_mw: FloatArray | None = None


def problems(bid: pd.DataFrame, limits: BidLimits) -> list[str]:
    """Everything that is wrong with a bid, by period; an empty list is a bid that may be exported.

    bid: period, segment, mw, price_cny_per_mwh, other columns ignored; a bid without rows buys nothing.
    """
    missing = [column for column in BID_COLUMNS if column not in bid.columns]
    if missing:
        return [f"The bid has no column {', '.join(missing)}; it needs {', '.join(BID_COLUMNS)}."]
    rows, found = _read(bid)
    for period in sorted({row.period for row in rows}):
        found += _period(period, [row for row in rows if row.period == period], limits)
    found += _priced_in_another_unit(rows, limits)
    mw = np.zeros(PERIODS)
    for row in rows:
        mw[row.period - 1] += float(row.mw)
    return [*found, *(_shifted(mw, limits) if limits.aligned else ())]


def format_problems(bid: pd.DataFrame, rules: InterprovincialRules) -> list[str]:
    """What the market itself would send back: columns, numbers, segments, steps, monotone prices, limits."""
    anything = np.full(PERIODS, np.inf)
    return problems(bid, BidLimits(rules, anything, anything, anything, aligned=False))


@dataclass(frozen=True)
class _Row:
    period: int
    segment: int
    mw: Decimal
    price: Decimal


def _read(bid: pd.DataFrame) -> tuple[list[_Row], list[str]]:
    rows: list[_Row] = []
    found: list[str] = []
    cells = zip(*(bid[column].tolist() for column in BID_COLUMNS), strict=True)
    for line, (period, segment, mw, price) in enumerate(cells, start=1):
        numbers = [_number(cell) for cell in (period, segment, mw, price)]
        unread = [name for name, number in zip(BID_COLUMNS, numbers, strict=True) if number is None]
        if unread:
            found.append(f"Row {line} (period {period}): {', '.join(unread)} is no number.")
            continue
        t, n, power, at = (number for number in numbers if number is not None)
        if t != t.to_integral_value() or not 1 <= t <= PERIODS:
            found.append(f"Row {line}: period {t} does not exist; a day has the periods 1 to {PERIODS}.")
        elif n != n.to_integral_value():
            found.append(f"Period {t}: segment {n} is no whole number.")
        else:
            rows.append(_Row(int(t), int(n), power, at))
    return rows, found


def _number(cell: Any) -> Decimal | None:
    try:
        number = Decimal(str(cell).strip())
    except InvalidOperation:
        return None
    return number if number.is_finite() else None


def _period(period: int, rows: list[_Row], limits: BidLimits) -> Iterator[str]:
    here = f"Period {period} ({label(period)})"
    curve = [Step(row.segment, row.mw, row.price) for row in rows]
    for fault in format_faults(curve, limits.rules, Side.BID):
        yield f"{here}{fault.place}: {fault.sentence}"
    total = sum(float(row.mw) for row in rows)
    need, capability = limits.need_limit_mw[period - 1], limits.capability_mw[period - 1]
    if total > need + 1e-6:
        yield f"{here}: {total:g} MW are bid but the gap is at most {need:g} MW; bid no more than the need."
    if total > capability + 1e-6:
        yield f"{here}: {total:g} MW are bid but the paths carry {capability:.3f} MW; the rest can never clear."
    if limits.import_limit_mw is not None and total > limits.import_limit_mw[period - 1] + 1e-6:
        yield (
            f"{here}: {total:g} MW are bid but only {limits.import_limit_mw[period - 1]:g} MW may still be imported "
            "beside what is scheduled; bid no more than that."
        )
    if limits.curtailed_mw is not None and limits.curtailed_mw[period - 1] > 0:
        yield (
            f"{here}: {total:g} MW are bid while {limits.curtailed_mw[period - 1]:g} MW of renewables are "
            "curtailed; a province that curtails may not buy."
        )


def _priced_in_another_unit(rows: list[_Row], limits: BidLimits) -> Iterator[str]:
    """Prices that are all far below whatever lands: 元/kWh in a column of 元/MWh."""
    cheapest = limits.cheapest_cny_per_mwh
    if cheapest is None or not rows:
        return
    if all(float(row.price) * UNIT < cheapest[row.period - 1] for row in rows):
        highest = max(row.price for row in rows)
        yield (
            f"No price of the bid is above {highest} 元/MWh while the cheapest energy lands at "
            f"{min(cheapest[row.period - 1] for row in rows):.0f}; it can never clear. Are the prices in 元/kWh?"
        )


def _shifted(mw: FloatArray, limits: BidLimits) -> Iterator[str]:
    """Row/period alignment: a bid that fits the gap, or yesterday's bid, clearly better when moved."""
    if not mw.any():
        return
    bidable = np.minimum(limits.need_limit_mw, limits.capability_mw)
    today = [np.minimum(limits.gap_mw, limits.capability_mw), bidable]
    shift = _better_shift(mw, today, bidable)
    if shift is not None:
        first = int(np.flatnonzero(mw)[0]) + 1
        yield (
            f"The bid stands {abs(shift)} row{'s' if abs(shift) > 1 else ''} too {'late' if shift > 0 else 'early'} "
            f"(shift {shift:+d}): its first MW stand in period {first} ({label(first)}) but follow the gap of period "
            f"{first - shift}; move the curve back by {abs(shift)}."
        )
    elif limits.yesterday_mw is not None and limits.yesterday_mw.any():
        shift = _better_shift(mw, [limits.yesterday_mw], limits.yesterday_mw)
        moved = shift is not None and _distance(mw, np.roll(limits.yesterday_mw, shift)) < NOTICEABLE
        if moved and _distance_to(mw, today) >= NOTICEABLE:
            yield (
                f"The bid is yesterday's bid moved by {shift:+d} periods and does not follow today's gap; "
                "check that rows and periods belong together."
            )


def _better_shift(mw: FloatArray, references: list[FloatArray], limit: FloatArray) -> int | None:
    """The shift of the references that brings them clearly nearer to the bid; None when they fit as they stand.

    Nearer: it halves the distance, or what stands above the limit disappears without the distance growing.
    """
    here, above = _distance_to(mw, references), _above(mw, limit)
    found: list[tuple[float, int, int]] = []
    for shift in SHIFTS:
        there = _distance_to(mw, [np.roll(one, shift) for one in references])
        halved = here > NOTICEABLE and there < CLEARLY_NEARER * here
        fits = above > 0 and _above(mw, np.roll(limit, shift)) <= LEFT_OVER * above and there <= here
        if halved or fits:
            found.append((there, abs(shift), shift))
    return min(found)[2] if found else None


def _above(mw: FloatArray, limit: FloatArray) -> float:
    return float(np.maximum(mw - limit - 1e-6, 0.0).sum())


def _distance_to(mw: FloatArray, references: list[FloatArray]) -> float:
    return min(_distance(mw, reference) for reference in references)


def _distance(mw: FloatArray, reference: FloatArray) -> float:
    """Σ|bid − a·reference| / Σ bid with the best scale a, so that buying a share of the gap is no difference."""
    size = float(reference @ reference)
    scale = float(mw @ reference) / size if size > 0 else 0.0
    return float(np.abs(mw - scale * reference).sum() / mw.sum())
