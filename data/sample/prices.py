"""Prices of the sample from the French and Belgian day-ahead prices of the same dates of 2016.

One hour of 2016 becomes one hour of 2022; within the hour the price leans along the slope between its
neighbours, so that the four quarters sum to four times the hour exactly. All arithmetic after the first
rounding is in whole 0.001 元/MWh.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from sources import Sources
from writing import DATES, NODES, Floats, Ints, generator, half_up, write_curve_csv

LOWEST, HIGHEST = -100_000, 1_500_000  # 元/MWh x 1000; clearing limits of 2022, F.3
HOUR_LIMITS = (-80.0, 1450.0)
BASE, STEEPNESS, ANCHOR = 382.0, 44.0, 30.1  # 元/MWh, 元/MWh per EUR/MWh, EUR/MWh
SPREAD, SPREAD_MEAN, ROUGHNESS = 25.0, 1.22, 12.0
SELLERS = {  # node: zone, hours the zone's price is moved later, 元/MWh per EUR/MWh, 元/MWh
    "NX": ("FR", 8, 14.0, -83.0),
    "NMD": ("FR", 9, 12.0, -40.0),
    "SX": ("BE", 7, 14.0, -70.0),
}
SELLER_LIMITS = (80.0, 900.0)
CONGESTION = (1.0, 0.35, -0.55, 0.6, -1.4)  # by node; the last is what makes the five sum to zero


@dataclass(frozen=True)
class Prices:
    """Whole 0.001 元/MWh. province: stage -> (78, 96), the mean over nodes. nodes: (stage, node) -> (78, 96)."""

    province: dict[str, Ints]
    nodes: dict[tuple[str, str], Ints]
    sellers: dict[str, Ints]

    def user_hour(self, stage: str) -> Floats:
        """The unified user price of each hour repeated over its quarters, 元/MWh, (78, 96)."""
        hours = self.province[stage].reshape(len(DATES), 24, 4).sum(axis=2) / 4000.0
        return np.repeat(hours, 4, axis=1)


def build(sources: Sources) -> Prices:
    """Day-ahead and real-time prices of the five nodes and day-ahead prices of the three seller nodes."""
    france, belgium = sources.prices["FR"].to_numpy(), sources.prices["BE"].to_numpy()
    day_ahead = np.clip(BASE + STEEPNESS * (france - ANCHOR), *HOUR_LIMITS)
    smooth = np.convolve(np.pad(belgium, 2, mode="edge"), np.full(5, 0.2), mode="valid")
    premium = SPREAD * (belgium - france - SPREAD_MEAN) + ROUGHNESS * (belgium - smooth)
    real_time = np.clip(day_ahead + premium, *HOUR_LIMITS)
    province = {"day_ahead": _quarters(day_ahead), "real_time": _quarters(real_time)}
    nodes = {}
    for stage, curve in province.items():
        offsets = _congestion(stage, curve)
        for position, node in enumerate(NODES.values()):
            nodes[stage, node] = curve + offsets[position]
    sellers = {}
    for node, (zone, later, steepness, base) in SELLERS.items():
        price = base + steepness * np.roll(sources.prices[zone].to_numpy(), later)
        sellers[node] = _quarters(np.clip(price, *SELLER_LIMITS))
    return Prices(province, nodes, sellers)


def write(folder: Path, prices: Prices) -> None:
    """prices.csv; no SD_USER rows, the unified price is for the platform to compute."""

    def rows() -> Iterator[tuple[tuple[str, str, str], Ints]]:
        for (stage, node), curve in prices.nodes.items():
            yield from (((node, stage, str(day)), curve[n]) for n, day in enumerate(DATES))
        for node, curve in prices.sellers.items():
            yield from (((node, "day_ahead", str(day)), curve[n]) for n, day in enumerate(DATES))

    write_curve_csv(folder / "prices.csv", ("node", "stage", "date"), rows(), 3)


def _quarters(hourly: Floats) -> Ints:
    """Hours (with a day before and after) to (78, 96); the quarters of an hour sum to four times the hour.

    The lean stays within half the distance to the price limits, which leaves the other half to congestion.
    """
    hour = half_up(hourly, 3)
    slope = np.gradient(hour.astype(np.float64))
    room = np.minimum(hour - LOWEST, HIGHEST - hour) / 2.0
    outer = np.trunc(np.clip(slope * 0.375, -room, room)).astype(np.int64)
    inner = outer // 3
    leaned = hour[:, None] + np.stack([-outer, -inner, inner, outer], axis=1)
    return np.asarray(leaned[24:-24].reshape(-1, 96), dtype=np.int64)


def _congestion(stage: str, price: Ints) -> Ints:
    """Offsets (5, 78, 96) that sum to zero over the nodes: some mornings and evenings, 5 to 60 元/MWh."""
    random = generator(f"congestion {stage}")
    amplitude = np.zeros(price.shape)
    for first, last, probability in ((29, 48, 0.35), (65, 90, 0.55)):
        length = last - first + 1
        bump = np.sin(np.pi * (np.arange(length) + 0.5) / length)
        on = random.random(len(DATES)) < probability
        height = 5_000 + 55_000 * random.random(len(DATES))
        amplitude[:, first - 1 : last] = np.where(on, height, 0.0)[:, None] * bump
    room = np.minimum(price - LOWEST, HIGHEST - price) / 2.0 / max(np.abs(CONGESTION))
    amplitude = np.minimum(amplitude, room)
    offsets = np.stack([np.trunc(share * amplitude) for share in CONGESTION[:-1]]).astype(np.int64)
    return np.concatenate([offsets, -offsets.sum(axis=0, keepdims=True)])
