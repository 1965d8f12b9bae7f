"""Is a bid another one with its cells in the wrong place, or its numbers in the wrong unit? (users.md row 11)

A sheet pasted one row too low, a column swapped or a unit mistaken still looks like a bid, and the market takes it.
Held against the bid it was made from, it is that bid after one known mistake; each mistake is undone here, and where
nearly every row then agrees, and did not before, the mistake is named. Rows keep the order of the file.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from market.periods import PERIODS

FloatArray = NDArray[np.float64]
NEARLY_ALL = 0.9  # of the rows; pasting loses or invents a few at the edges
FEWEST_ROWS = 3
MOST_ROWS = 12
QUARTER, SMALL_MW = 0.25, 3.0
HALF_A_STEP = 0.5 + 1e-6  # MW and yuan made whole after the unit was mistaken
Mistake = tuple[float, str]  # share of the rows that agree when it is undone, what it is
UNIT_NAMES = {
    ("mw", 1000.0): "kW instead of MW",
    ("mw", 0.001): "GW instead of MW",
    ("mw", 4.0): "four times the MW",
    ("mw", QUARTER): "MWh of a quarter-hour instead of MW",
    ("price_cny_per_mwh", 1000.0): "a thousand times 元/MWh",
    ("price_cny_per_mwh", 0.001): "元/kWh instead of 元/MWh",
}
WORDS = {"mw": "MW", "price_cny_per_mwh": "price"}


@dataclass(frozen=True)
class _Bid:
    period: NDArray[np.int64]
    segment: NDArray[np.int64]
    mw: FloatArray
    price_cny_per_mwh: FloatArray

    @classmethod
    def of(cls, rows: pd.DataFrame) -> _Bid:
        return cls(
            rows["period"].to_numpy(dtype=np.int64),
            rows["segment"].to_numpy(dtype=np.int64),
            rows["mw"].to_numpy(dtype=np.float64),
            rows["price_cny_per_mwh"].to_numpy(dtype=np.float64),
        )

    def column(self, name: str) -> FloatArray:
        return self.mw if name == "mw" else self.price_cny_per_mwh

    @property
    def size(self) -> int:
        return int(self.period.size)

    def cells(self) -> dict[tuple[int, int], tuple[float, float]]:
        keys = zip(self.period.tolist(), self.segment.tolist(), strict=True)
        return dict(
            zip(keys, zip(self.mw.tolist(), self.price_cny_per_mwh.tolist(), strict=True), strict=True)
        )


def misplaced(bid: pd.DataFrame, proposed: pd.DataFrame) -> list[str]:
    """The mistake that makes ``proposed`` into ``bid``, as a sentence; empty where none does or they are the same.

    Both: period, segment, mw, price_cny_per_mwh as numbers, one row a segment. A mistake counts when undoing it makes
    nearly every row agree; where nearly every row agrees as it stands, only when it makes every row agree.
    """
    here, there = _Bid.of(bid), _Bid.of(proposed)
    if here.size < FEWEST_ROWS or there.size < FEWEST_ROWS:
        return []
    own, wanted = here.cells(), there.cells()
    before = sum(wanted.get(key) == cell for key, cell in own.items()) / len(own.keys() | wanted.keys())
    found = [
        (agreement, sentence)
        for mistake in (_moved_periods, _swapped, _cumulative, _moved_column, _mistaken_unit)
        for agreement, sentence in mistake(here, there)
        if agreement > before and agreement >= (NEARLY_ALL if before < NEARLY_ALL else 1.0)
    ]
    best = max(found, key=lambda one: one[0], default=None)
    return [] if best is None else [f"The bid is the proposed one with {best[1]}; undo it and check again."]


def _moved_periods(here: _Bid, there: _Bid) -> Iterator[Mistake]:
    """Everything in the wrong period, by the same number of periods."""
    own, wanted = here.cells(), there.cells()
    for by in sorted(range(1 - PERIODS, PERIODS), key=abs):
        at = {
            (period + by, segment): cell
            for (period, segment), cell in wanted.items()
            if 1 <= period + by <= PERIODS
        }
        if by and len(at) >= FEWEST_ROWS:
            same = sum(own.get(key) == cell for key, cell in at.items())
            yield (
                same / len(at.keys() | own.keys()),
                f"every row {_count(by, 'period')} too {'late' if by > 0 else 'early'}",
            )


def _swapped(here: _Bid, there: _Bid) -> Iterator[Mistake]:
    if here.size == there.size:
        agreement = _agreement((here.mw, there.price_cny_per_mwh), (here.price_cny_per_mwh, there.mw))
        yield agreement, "the columns mw and price_cny_per_mwh swapped"


def _cumulative(here: _Bid, there: _Bid) -> Iterator[Mistake]:
    """MW added up over the segments of a period, where the market wants increments."""
    if here.size == there.size:
        added = np.asarray(pd.Series(there.mw).groupby(there.period).cumsum(), dtype=np.float64)
        agreement = _agreement((here.mw, added), (here.price_cny_per_mwh, there.price_cny_per_mwh))
        yield agreement, "its MW added up over the segments; a segment is the increment"


def _moved_column(here: _Bid, there: _Bid) -> Iterator[Mistake]:
    """One column, or both, some rows away from where its periods are; rows at the edges do not count."""
    if here.size != there.size:
        return
    most = min(here.size - FEWEST_ROWS, MOST_ROWS)
    for by in sorted(range(-most, most + 1), key=abs):
        for names in (("mw",), ("price_cny_per_mwh",), ("mw", "price_cny_per_mwh")) if by else ():
            inside = slice(max(by, 0), here.size + min(by, 0))
            moved = {name: np.roll(there.column(name), by if name in names else 0)[inside] for name in WORDS}
            what = " and ".join(WORDS[name] for name in names)
            moved_agree, unmoved_agree = (
                _agreement(*((here.column(name)[inside], other[name]) for name in WORDS))
                for other in (moved, {name: there.column(name)[inside] for name in WORDS})
            )
            if moved_agree > unmoved_agree:
                yield moved_agree, f"its {what} {_count(by, 'row')} too {'low' if by > 0 else 'high'}"


def _mistaken_unit(here: _Bid, there: _Bid) -> Iterator[Mistake]:
    if here.size != there.size:
        return
    for (name, factor), words in UNIT_NAMES.items():
        scaled = {one: there.column(one) * (factor if one == name else 1.0) for one in WORDS}
        if factor == QUARTER and np.median(scaled[name]) < SMALL_MW:
            continue  # a quarter of a few MW is what rounding makes of anything
        yield (
            _agreement(*((here.column(one), scaled[one]) for one in WORDS), tolerance=HALF_A_STEP),
            words,
        )


def _agreement(*pairs: tuple[FloatArray, FloatArray], tolerance: float = 1e-6) -> float:
    """Share of the rows in which every pair is equal."""
    equal = [np.abs(own - other) <= tolerance for own, other in pairs]
    return float(np.logical_and.reduce(equal).mean())


def _count(by: int, word: str) -> str:
    return f"{abs(by)} {word}{'s' if abs(by) > 1 else ''}"
