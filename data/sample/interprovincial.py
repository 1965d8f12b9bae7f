"""Sections, paths, transfer capability and the province's balance with its evening gaps.

Sections are the published figures with their document; the document of some is later than July 2022, which
``source_effective_from`` shows. The balance series are made up around the sample's own load.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import numpy as np
import pandas as pd
from prices import SELLERS, Prices
from writing import DATES, FROM_15_JUNE, JULY, Floats, Ints, generator, half_up, write_csv, write_curve_csv

from market.paths import PathCost, path_cost

GRID_2026 = ("发改价格〔2026〕1077号, 2026-08-01", "2026-08-01")
SECTIONS = {  # name, 元/MWh, loss, loss included, MW, (document, effective), owner
    "SEC-NX-OUT": ("宁夏送出", "25", "0.005", 0, "", GRID_2026, "OWN-NX"),
    "SEC-NMD-OUT": ("蒙东送出", "26.8", "0.0071", 0, "", GRID_2026, "OWN-NMD"),
    "SEC-SX-OUT": ("山西送出", "21.7", "0.0019", 0, "", GRID_2026, "OWN-SX"),
    "SEC-YD": (
        "银东直流",
        "50.8",
        "0.07",
        0,
        "4000",
        ("发改价格〔2019〕842号, 2019-05-15", "2019-05-15"),
        "OWN-YD",
    ),
    "SEC-ZY": (
        *("昭沂直流", "58.95", "0.065", 0, "10000"),
        ("国家电网2026年跨省跨区交易各环节输电价格(备案价), 2026-07-22", "2026-07-22"),
        "OWN-ZY",
    ),
    "SEC-LG": (
        "鲁固直流",
        "41.2",
        "0.0269",
        1,
        "10000",
        ("发改价格〔2022〕1777号, 2022-11-23", "2022-11-23"),
        "OWN-LG",
    ),
    "SEC-HB": (
        *("华北区域共用网络", "10.8", "0.0242", 0, ""),
        ("发改价格〔2026〕1077号附件2, 2026-08-01; 网损为第三监管周期口径", "2026-08-01"),
        "OWN-HB",
    ),
}
PATHS = {
    "NX-YD": ("NX", ("SEC-NX-OUT", "SEC-YD", "SEC-HB")),
    "NX-ZY": ("NX", ("SEC-NX-OUT", "SEC-ZY", "SEC-HB")),
    "NMD-LG": ("NMD", ("SEC-NMD-OUT", "SEC-LG", "SEC-HB")),
    "SX-AC": ("SX", ("SEC-SX-OUT", "SEC-HB")),
}
LIMITED = {"SEC-YD": 900, "SEC-ZY": 1200, "SEC-LG": 1500, "SEC-SX-OUT": 900}  # spare MW at the seller, by day
LIMIT_OF = {"NX-YD": "SEC-YD", "NX-ZY": "SEC-ZY", "NMD-LG": "SEC-LG", "SX-AC": "SEC-SX-OUT"}

TIGHT_EVENINGS = 8
BID_DAY = "2022-07-22"
GAP_SHARES = (0.085, 0.075, 0.065, 0.055, 0.05, 0.045, 0.04, 0.035)  # of the load, the dearest evening first
BID_DAY_SHARE = 0.07
RESERVE = 0.04
IMPORT_LIMIT_MW = 27_000


@dataclass(frozen=True)
class Balance:
    """The province's series, 0.001 MW, (47, 96) from 2022-06-15; ``tight``: days of DATES, dearest first."""

    series: dict[str, Ints]
    seller_forecast: dict[str, Ints]
    thermal_capacity_mw: float
    tight: list[int]


def tight_evenings(prices: Prices) -> list[int]:
    """The eight dearest July evenings by day-ahead price 17:00-22:00, 22 July among them; dearest first."""
    evening = prices.user_hour("day_ahead")[JULY:, 68:88].mean(axis=1)
    order = [JULY + int(n) for n in np.argsort(-evening, kind="stable")]
    chosen = order[:TIGHT_EVENINGS]
    bid_day = [str(day) for day in DATES].index(BID_DAY)
    return chosen if bid_day in chosen else [*chosen[:-1], bid_day]


def balance(load_mw: Floats, wind_mw: Floats, solar_mw: Floats, prices: Prices) -> Balance:
    """Forecasts around the actual curves, and thermal availability that leaves gaps on the tight evenings.

    load_mw: use + loss (78, 96); wind_mw, solar_mw: output (78, 96).
    """
    load = forecast("load", load_mw, 0.018, 0.018)
    wind, solar = forecast("wind", wind_mw, 0.08, 0.10), forecast("solar", solar_mw, 0.08, 0.06)
    reserve = RESERVE * load
    needed = load + reserve - wind - solar
    capacity = 1.08 * float(needed[FROM_15_JUNE:].max())
    usual = np.array([0.93 + 0.05 * share for share in generator("availability").random(len(DATES))])
    available = np.repeat((capacity * usual)[:, None], 96, axis=1)
    available = np.maximum(available, 1.02 * needed.max(axis=1)[:, None])
    bump = np.zeros(96)
    bump[68:88] = np.sin(np.pi * (np.arange(20) + 0.5) / 20) ** 0.6
    tight = tight_evenings(prices)
    shares = [
        BID_DAY_SHARE if str(DATES[day]) == BID_DAY else share
        for day, share in zip(tight, GAP_SHARES, strict=True)
    ]
    for day, share in zip(tight, shares, strict=True):
        # 高温受阻: what the plants cannot give in the evening opens a gap of that share of the load
        short = needed[day] - share * bump * load[day]
        available[day] = np.where(bump > 0, np.minimum(available[day], short), available[day])
    chosen = slice(FROM_15_JUNE, None)
    series = {
        "load_forecast": half_up(load[chosen], 3),
        "load_actual": half_up(load_mw[chosen], 3),
        "wind_forecast": half_up(wind[chosen], 3),
        "solar_forecast": half_up(solar[chosen], 3),
        "thermal_available": half_up(available[chosen], 3),
        "tie_line_mlt": np.zeros((len(DATES) - FROM_15_JUNE, 96), dtype=np.int64),
        "reserve": half_up(reserve[chosen], 3),
    }
    supply = series["wind_forecast"] + series["solar_forecast"] + series["thermal_available"]
    series["gap"] = np.maximum(
        series["load_forecast"] + series["reserve"] - supply - series["tie_line_mlt"], 0
    )
    sellers = {
        node: half_up(np.clip(forecast(f"seller {node}", price / 1000.0, 0.06, 0.05), 0, 900)[chosen], 3)
        for node, price in prices.sellers.items()
    }
    return Balance(series, sellers, capacity, tight)


def transfer_capability() -> dict[str, Ints]:
    """Whole MW at the seller, (31, 96), day-ahead, July: less in the evening, another level each day."""
    random = generator("atc")
    hour = np.arange(96) / 4.0
    daily = 1.0 - 0.22 * np.exp(-(((hour - 19.5) / 2.5) ** 2)) - 0.10 * np.exp(-(((hour - 10.5) / 2.0) ** 2))
    found = {}
    for section, usual in LIMITED.items():
        level = 0.75 + 0.35 * random.random((len(DATES) - JULY, 1))
        hourly = np.repeat(0.96 + 0.08 * random.random((len(DATES) - JULY, 24)), 4, axis=1)
        found[section] = np.floor(usual * level * daily * hourly).astype(np.int64)
    return found


def costs() -> dict[str, PathCost]:
    """Loss coefficient and transmission price of each path; a tariff that includes the loss counts none."""
    return {
        path: path_cost([(Decimal(SECTIONS[section][1]), _charged_loss(section)) for section in chain])
        for path, (_, chain) in PATHS.items()
    }


def path_rows() -> pd.DataFrame:
    """The paths as clear() takes them: a section a row, in order, loss 0 where the tariff contains it."""
    return pd.DataFrame(
        [
            (path, seq, section, node, "SD", Decimal(SECTIONS[section][1]), _charged_loss(section))
            for path, (node, chain) in PATHS.items()
            for seq, section in enumerate(chain, start=1)
        ],
        columns=[
            *("path_id", "seq", "section_id", "seller_node", "buyer_node"),
            *("tariff_cny_per_mwh", "loss_rate"),
        ],
    )


def write(folder: Path, state: Balance) -> None:
    """sections.csv, paths.csv, import_limits.csv, system.csv."""
    write_csv(
        folder / "sections.csv",
        "section_id name tariff_cny_per_mwh loss_rate loss_included capacity_mw source valid_from valid_to owner_id source_effective_from",
        (
            [section, name, tariff, loss, included, mw, source[0], "2022-01-01", None, owner, source[1]]
            for section, (name, tariff, loss, included, mw, source, owner) in SECTIONS.items()
        ),
    )
    write_csv(
        folder / "paths.csv",
        "path_id seq section_id seller_node buyer_node",
        (
            [path, seq, section, node, "SD"]
            for path, (node, chain) in PATHS.items()
            for seq, section in enumerate(chain, start=1)
        ),
    )

    write_csv(
        folder / "import_limits.csv",
        "node limit_mw source valid_from valid_to",
        [["SD", IMPORT_LIMIT_MW, "山东电网受电能力2700万千瓦(公开报道, 2021年)", "2022-01-01", None]],
    )

    def system_rows() -> Iterator[tuple[tuple[str, str, object], Ints]]:
        named = [(name, "SD", curves) for name, curves in state.series.items()]
        named += [("seller_price_forecast", node, state.seller_forecast[node]) for node in SELLERS]
        for name, node, curves in named:
            yield from (((name, node, DATES[FROM_15_JUNE + n]), curve) for n, curve in enumerate(curves))

    write_curve_csv(folder / "system.csv", ("series", "node", "date"), system_rows(), 3)


def _charged_loss(section: str) -> Decimal:
    return Decimal(0 if SECTIONS[section][3] else SECTIONS[section][2])


def forecast(name: str, actual: Floats, by_day_error: float, within_day_error: float) -> Floats:
    """Actual values with a relative error: a level for each day and a slow wander within the day."""
    random = generator(f"forecast {name}")
    level = by_day_error * random.standard_normal((len(actual), 1))
    steps = random.standard_normal(actual.shape)
    wander = np.empty(actual.shape)
    wander[:, 0] = steps[:, 0]
    for period in range(1, 96):
        wander[:, period] = 0.97 * wander[:, period - 1] + np.sqrt(1 - 0.97**2) * steps[:, period]
    return np.asarray(actual * np.maximum(1 + level + within_day_error * wander, 0.0))
