"""What the benchmark prints: a table and ratios of one size, and time and memory over the sizes."""

from __future__ import annotations

import os
import platform
import statistics
from collections.abc import Mapping, Sequence

from benchmarks.month.measures import AMOUNTS, MEASURES, Measured

Found = Mapping[str, Sequence[Measured]]
TOGETHER = ("duckdb", "polars", "pandas")
RATIOS = (
    ("energy / scan of the curves (bound 3)", ("energy",), "scan"),
    ("month / scan of the curves (bound 6)", ("month",), "scan"),
    ("month afresh / scan of the curves", ("month_afresh",), "scan"),
    ("energy / every input file as delivered", ("energy",), "inputs"),
    ("month / every input file as delivered", ("month",), "inputs"),
    ("month afresh / every input file as delivered", ("month_afresh",), "inputs"),
    ("fastest of duckdb, polars and pandas / energy (bound 3)", TOGETHER, "energy"),
    ("the same, tables joined beforehand / energy", tuple(f"{one}_joined" for one in TOGETHER), "energy"),
)


def print_size(users: int, found: Found) -> None:
    """Every measure of one size, then the ratios. Stops where amounts differ."""
    repeats = max(map(len, found.values()), default=0)
    print(
        f"{users} users x 31 days x 96; {platform.processor() or platform.machine()}, {os.cpu_count()} cores, "
        f"Python {platform.python_version()}; median of {repeats} processes [least-most]"
    )
    for what, measured in found.items():
        seconds = [one.seconds for one in measured]
        said = "" if what in AMOUNTS else f"; {measured[-1].result}"
        print(
            f"{what:<14} {statistics.median(seconds):7.2f} s [{min(seconds):.2f}-{max(seconds):.2f}], "
            f"CPU {_median(measured, 'cpu'):.2f} s, {_peak(measured):.0f} MB{said}"
        )
    amounts = {what: {one.result for one in found[what]} for what in AMOUNTS if what in found}
    if amounts and len(set.union(*amounts.values())) != 1:
        raise SystemExit(f"The amounts differ: {amounts}")
    for words, over, under in RATIOS:
        if under in found and all(what in found for what in over):
            print(f"{words}: {_ratio(found, over, under)}")


def print_sizes(sizes: Mapping[int, Found]) -> None:
    """Median seconds and peak memory of every measure, a column a size."""
    print(f"\n{'users':<14}" + "".join(f"{users:>32}" for users in sizes))
    for what in MEASURES:
        cells = [_cell(found[what]) if what in found else "-" for found in sizes.values()]
        if set(cells) != {"-"}:
            print(f"{what:<14}" + "".join(f"{cell:>32}" for cell in cells))


def _cell(measured: Sequence[Measured]) -> str:
    return (
        f"{_median(measured, 'seconds'):.2f} s, CPU {_median(measured, 'cpu'):.2f}, {_peak(measured):.0f} MB"
    )


def _ratio(found: Found, over: Sequence[str], under: str) -> str:
    medians = min(_median(found[what], "seconds") for what in over) / _median(found[under], "seconds")
    leasts = min(min(one.seconds for one in found[what]) for what in over) / min(
        one.seconds for one in found[under]
    )
    busy = min(_median(found[what], "cpu") for what in over) / _median(found[under], "cpu")
    return f"medians {medians:.2f}, least times {leasts:.2f}, CPU {busy:.2f}"


def _median(measured: Sequence[Measured], what: str) -> float:
    return statistics.median(getattr(one, what) for one in measured)


def _peak(measured: Sequence[Measured]) -> float:
    return max(one.peak_mb for one in measured)
