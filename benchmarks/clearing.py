"""How long a day of inter-provincial clearing takes, and how that grows with nodes and segments.

Run from the project root: ``python -m benchmarks.clearing [repetitions]``. The bound is 2 s on one core for 96
periods, 25 selling and 12 buying nodes, 3 paths a pair and 5 segments a curve. The market is random with a fixed
seed: offers around 300 and bids around 420 元/MWh that follow the day's double peak, sections with tariffs and
losses like those of real channels, a capability on each. Two harder days follow: every bid at 3,000 without any
limit, so that all supply is sold, and free paths with prices in tens, where most spreads are tied.
"""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter, process_time

import numpy as np
import pandas as pd

from optimization.clearing import clear

BOUND_SECONDS = 2.0
PERIODS = 96


@dataclass(frozen=True)
class Side:
    prefix: str
    level: float
    slope: int


OFFERS, BIDS = Side("S", 300.0, 1), Side("B", 420.0, -1)
Market = tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame, pd.DataFrame]


@dataclass(frozen=True)
class Size:
    sellers: int = 25
    buyers: int = 12
    paths_per_pair: int = 3
    segments: int = 5

    @property
    def pairs(self) -> int:
        """Pairs of a period: (seller segment, buyer segment, path)."""
        return self.sellers * self.buyers * self.paths_per_pair * self.segments**2


def curves(rng: np.random.Generator, side: Side, nodes: int, segments: int) -> pd.DataFrame:
    """Monotone curves of whole MW and 元/MWh: rising offers (slope 1), falling bids (slope -1)."""
    hours = np.arange(PERIODS) / 4
    shape = 1 + 0.35 * np.exp(-(((hours - 19) / 2.5) ** 2)) + 0.2 * np.exp(-(((hours - 10) / 2) ** 2))
    base = side.level * shape[:, None] * rng.uniform(0.7, 1.3, nodes)[None, :]
    steps = np.cumsum(rng.integers(5, 60, (PERIODS, nodes, segments)), axis=2)
    price = np.maximum(base[:, :, None] + side.slope * (steps - steps[:, :, :1]), 0).round().astype(int)
    period, node, segment = np.indices(price.shape)
    return pd.DataFrame(
        {
            "node": np.char.add(side.prefix, np.char.zfill(node.ravel().astype(str), 3)),
            "period": period.ravel() + 1,
            "segment": segment.ravel() + 1,
            "mw": rng.integers(20, 400, price.size),
            "price_cny_per_mwh": price.ravel(),
        }
    )


def market(size: Size, seed: int = 20220701) -> Market:
    """offers, bids, paths, atc. A path: export of the seller, one or two channels, the buyer's region."""
    rng = np.random.default_rng(seed)
    channels = 3 * size.buyers
    tariff, loss = rng.uniform(24, 64, channels).round(2), rng.uniform(0.01, 0.07, channels).round(4)
    rows = []
    for seller in range(size.sellers):
        for buyer in range(size.buyers):
            for k in range(size.paths_per_pair):
                used = rng.choice(channels, rng.integers(1, 3), replace=False)
                sections = [
                    (f"X{seller:03d}", 21 + 0.5 * (seller % 20), 0.005),
                    *((f"C{c:03d}", tariff[c], loss[c]) for c in used),
                    (f"R{buyer % 6:03d}", 9 + buyer % 6, 0.02),
                ]
                rows += [
                    (f"P{seller:03d}-{buyer:03d}-{k}", seq, *section, f"S{seller:03d}", f"B{buyer:03d}")
                    for seq, section in enumerate(sections, start=1)
                ]
    paths = pd.DataFrame(
        rows,
        columns=[
            "path_id",
            "seq",
            "section_id",
            "tariff_cny_per_mwh",
            "loss_rate",
            "seller_node",
            "buyer_node",
        ],
    )
    sections = np.unique(paths["section_id"].to_numpy(dtype=str))
    atc = pd.DataFrame(
        {
            "section_id": np.repeat(sections, PERIODS),
            "period": np.tile(np.arange(1, PERIODS + 1), sections.size),
            "mw": rng.integers(300, 4000, sections.size * PERIODS),
        }
    )
    return (
        curves(rng, OFFERS, size.sellers, size.segments),
        curves(rng, BIDS, size.buyers, size.segments),
        paths,
        atc,
    )


def all_sold(size: Size) -> Market:
    offers, bids, paths, atc = market(size)
    return offers, bids.assign(price_cny_per_mwh=3000), paths, atc.iloc[:0]


def tied(size: Size) -> Market:
    offers, bids, paths, atc = market(size)
    offers, bids = (
        frame.assign(price_cny_per_mwh=frame["price_cny_per_mwh"] // 10 * 10) for frame in (offers, bids)
    )
    return offers, bids, paths.assign(tariff_cny_per_mwh=0, loss_rate=0), atc


def report(title: str, sizes: list[Size], repetitions: int, build: Callable[[Size], Market] = market) -> None:
    print(f"\n{title}")
    print("sellers buyers paths/pair segments  pairs/period   trades   best s  worst s    cpu s")
    for size in sizes:
        tables = build(size)
        taken = []
        trades = 0
        for _ in range(repetitions):
            start, cpu = perf_counter(), process_time()
            trades = len(clear(*tables).trades)
            taken.append((perf_counter() - start, process_time() - cpu))
        print(
            f"{size.sellers:7} {size.buyers:6} {size.paths_per_pair:10} {size.segments:8} {size.pairs:13,} "
            f"{trades:8,} {min(taken)[0]:8.2f} {max(taken)[0]:8.2f} {min(cpu for _, cpu in taken):8.2f}"
        )


def main() -> None:
    repetitions = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    print(
        f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores (one used), Python "
        f"{platform.python_version()}, numpy {np.__version__}, pandas {pd.__version__}; "
        f"{PERIODS} periods, {repetitions} repetitions"
    )
    clear(*market(Size(2, 2, 1, 2)))  # profile and imports are not part of the measure
    report(f"the day (bound {BOUND_SECONDS:g} s)", [Size()], repetitions)
    report("all supply sold, no limits", [Size()], repetitions, all_sold)
    report("free paths, prices in tens: ties everywhere", [Size()], repetitions, tied)
    nodes = ((6, 3), (12, 6), (25, 12), (50, 24))
    report("by nodes", [Size(sellers=s, buyers=b) for s, b in nodes], repetitions)
    report("by segments", [Size(segments=k) for k in (1, 2, 5, 10)], repetitions)


if __name__ == "__main__":
    main()
