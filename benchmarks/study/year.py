"""A year of mornings for the bid study, from the two packages of the sample month; nothing of it is committed.

    python benchmarks/study/year.py --out FOLDER [--wheels DIR]

2022 day by day from 2 January 2016 (both are Saturdays): load, wind and sun of SimBench, prices of France and
Belgium (November and December of 2015, where the set ends in October). Forecasts, thermal availability, transfer
capability and the sellers' offers are drawn from fixed seeds, one stream a series, so the same command writes the
same bytes. What the sellers offer does not know the bid. The folder is delivered like any other.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pandas as pd

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "data" / "sample")]

import interprovincial  # noqa: E402
import people  # noqa: E402
import plants  # noqa: E402
import prices as sample_prices  # noqa: E402
import sources  # noqa: E402
from writing import Floats, generator, half_up, write_csv, write_curve_csv  # noqa: E402

DAYS = tuple(date(2022, 1, 1) + timedelta(days=n) for n in range(365))
FIRST, LAST = pd.Timestamp("2016-01-02"), pd.Timestamp("2016-12-31")
SAMPLE = ROOT / "data" / "sample" / "2022-07"
EVENING = np.zeros(96)
EVENING[66:90] = np.sin(np.pi * (np.arange(24) + 0.5) / 24) ** 0.6
TIGHT_DAYS = 110  # the dearest evenings; the others have a margin
GAP_SHARES = (0.015, 0.085)  # of the load, lowest and highest
NODES = tuple(interprovincial.SELLERS)
NODE_SECTIONS = {"NX": ("SEC-YD", "SEC-ZY"), "NMD": ("SEC-LG",), "SX": ("SEC-SX-OUT",)}
STEP_SHARES = (0.35, 0.3, 0.2, 0.3)  # of what the node's sections carry; together more than all of it
STEP_FACTORS = (0.85, 1.0, 1.3, 1.9)  # of the node's price


@dataclass(frozen=True)
class Year:
    """series: (name, node) -> (365, 96) MW or 元/MWh. capability: section -> (365, 96) MW.

    offer_mw, offer_price: (365, nodes, steps, 96); prices (365, 96) by (node, stage).
    """

    series: dict[tuple[str, str], Floats]
    prices: dict[tuple[str, str], Floats]
    capability: dict[str, Floats]
    offer_mw: Floats
    offer_price: Floats


def build(source: sources.Sources, window: sources.Sources) -> Year:
    """source: the year; window: the sample's own 78 days, which choose the users."""
    load = _load(source, window) * (1 + plants.LOSS)
    wind = _renewables(source, plants.WIND)
    solar = _renewables(source, plants.SOLAR)
    home = _home_prices(source.prices["FR"].to_numpy())
    sellers = {
        node: sample_prices._quarters(
            np.clip(
                base + steepness * np.roll(source.prices[zone].to_numpy(), later),
                *sample_prices.SELLER_LIMITS,
            )
        )
        / 1000.0
        for node, (zone, later, steepness, base) in sample_prices.SELLERS.items()
    }
    forecast = interprovincial.forecast
    load_forecast = forecast("year load", load, 0.018, 0.018)
    wind_forecast, solar_forecast = (
        forecast("year wind", wind, 0.08, 0.10),
        forecast("year sun", solar, 0.08, 0.06),
    )
    reserve = interprovincial.RESERVE * load_forecast
    needed = load_forecast + reserve - wind_forecast - solar_forecast
    series = {
        ("load_forecast", "SD"): load_forecast,
        ("load_actual", "SD"): load,
        ("wind_forecast", "SD"): wind_forecast,
        ("wind_actual", "SD"): wind,
        ("solar_forecast", "SD"): solar_forecast,
        ("solar_actual", "SD"): solar,
        ("reserve", "SD"): reserve,
        ("tie_line_mlt", "SD"): np.zeros_like(load),
        ("thermal_available", "SD"): _thermal(needed, load_forecast, home["day_ahead"]),
        ("preclear_price", "SD"): np.maximum(forecast("year preclear", home["day_ahead"], 0.06, 0.04), 0),
    }
    series |= {
        ("seller_price_forecast", node): np.clip(forecast(f"year seller {node}", price, 0.12, 0.06), 0, 900)
        for node, price in sellers.items()
    }
    prices = {("SD_JINAN", "day_ahead"): home["day_ahead"]}
    prices |= {(node, "day_ahead"): price for node, price in sellers.items()}
    capability = _capability()
    mw, price = _offers(sellers, capability)
    return Year(series, prices, capability, mw, price)


def write(year: Year, folder: Path) -> None:
    """system, prices, atc, offers of the year; paths, sections and programmes of the sample."""

    def curves(
        table: dict[tuple[str, str], Floats], *after: str
    ) -> Iterator[tuple[list[object], np.ndarray]]:
        for key, values in table.items():
            yield from (([*key, *after, str(day)], half_up(values[n], 3)) for n, day in enumerate(DAYS))

    write_curve_csv(folder / "system.csv", ("series", "node", "date"), curves(year.series), 3)
    write_curve_csv(folder / "prices.csv", ("node", "stage", "date"), curves(year.prices), 3)
    limits = {(section, "day_ahead"): mw for section, mw in year.capability.items()}
    write_curve_csv(folder / "atc.csv", ("section_id", "stage", "date"), curves(limits), 3)
    write_csv(
        folder / "offers.csv",
        "node date stage round period segment mw price_cny_per_mwh",
        (
            [
                node,
                DAYS[d],
                "day_ahead",
                1,
                t,
                k + 1,
                int(year.offer_mw[d, n, k, t - 1]),
                int(year.offer_price[d, n, k, t - 1]),
            ]
            for d in range(len(DAYS))
            for n, node in enumerate(NODES)
            for t in range(65, 93)
            for k in range(len(STEP_SHARES))
            if year.offer_mw[d, n, k, t - 1] > 0
        ),
    )
    for table in ("paths", "sections", "dr_programs", "dr_enrolments", "participants"):
        text = (SAMPLE / f"{table}.csv").read_text(encoding="utf-8")
        (folder / f"{table}.csv").write_text(text.replace("2022-05-15", "2022-01-01"), encoding="utf-8")


def _load(source: sources.Sources, window: sources.Sources) -> Floats:
    """Use of all users and residents of the sample, MW (365, 96): the same loads over the whole year."""
    weight: dict[str, float] = {}
    for user in people.users(window):
        shape = window.load[user.profile].to_numpy()
        weight[user.profile] = weight.get(user.profile, 0.0) + float(user.curve.max() / shape.max())
    loads = window.loads.sort_values(["pLoad", "id"], ascending=[False, True])
    for profile in people.LOW_VOLTAGE_NETS:
        largest = loads[loads["profile"] == profile].head(len(people.CITIES))["pLoad"].sum()
        weight[profile] = weight.get(profile, 0.0) + float(largest) * 250.0 * people.RESIDENTS_SCALE
    total = sum(weight[profile] * source.load[profile].to_numpy() for profile in sorted(weight))
    return np.asarray(total / 250.0).reshape(-1, 96)


def _renewables(source: sources.Sources, rows: tuple[tuple[str, str, int], ...]) -> Floats:
    total = sum(source.res[profile].to_numpy() * nameplate for _, profile, nameplate in rows)
    return np.asarray(total).reshape(-1, 96)


def _home_prices(france: Floats) -> dict[str, Floats]:
    euro = sample_prices.BASE + sample_prices.STEEPNESS * (france - sample_prices.ANCHOR)
    return {"day_ahead": sample_prices._quarters(np.clip(euro, *sample_prices.HOUR_LIMITS)) / 1000.0}


def _thermal(needed: Floats, load_forecast: Floats, price: Floats) -> Floats:
    """A margin of 2 to 8 % of the need; on the dearest evenings a gap instead, the dearer the larger, with noise."""
    random = generator("year thermal")
    available = np.repeat(
        (1.02 + 0.06 * random.random(len(DAYS)))[:, None] * needed.max(axis=1)[:, None], 96, axis=1
    )
    dearest = np.argsort(-price[:, 66:90].mean(axis=1), kind="stable")[:TIGHT_DAYS]
    low, high = GAP_SHARES
    for rank, day in enumerate(dearest):
        share = low + (high - low) * (0.6 * (1 - rank / TIGHT_DAYS) + 0.4 * random.random())
        tight = needed[day] - share * EVENING * load_forecast[day]
        available[day] = np.where(EVENING > 0, np.minimum(available[day], tight), available[day])
    return available


def _capability() -> dict[str, Floats]:
    random = generator("year atc")
    hour = np.arange(96) / 4.0
    daily = 1.0 - 0.22 * np.exp(-(((hour - 19.5) / 2.5) ** 2)) - 0.10 * np.exp(-(((hour - 10.5) / 2.0) ** 2))
    found = {}
    for section, usual in interprovincial.LIMITED.items():
        level = 0.75 + 0.35 * random.random((len(DAYS), 1))
        hourly = np.repeat(0.96 + 0.08 * random.random((len(DAYS), 24)), 4, axis=1)
        found[section] = np.floor(usual * level * daily * hourly)
    return found


def _offers(sellers: dict[str, Floats], capability: dict[str, Floats]) -> tuple[Floats, Floats]:
    """Four rising steps a node: how much and how steep differs by day and hour, whatever is bid against them."""
    random = generator("year offers")
    shape = (len(DAYS), len(NODES), len(STEP_SHARES), 24)
    depth = 0.7 + 0.6 * random.random((len(DAYS), len(NODES), 1, 1))
    share = np.array(STEP_SHARES)[:, None] * depth * (0.8 + 0.4 * random.random(shape))
    steep = 0.6 + 0.8 * random.random((len(DAYS), len(NODES), 1, 1))
    factor = 1 + (np.array(STEP_FACTORS)[:, None] - 1) * steep * (0.9 + 0.2 * random.random(shape))
    share, factor = (np.repeat(one, 4, axis=3) for one in (share, factor))
    room = np.stack([sum(capability[s] for s in NODE_SECTIONS[node]) for node in NODES], axis=1)[
        :, :, None, :
    ]
    price = np.stack([sellers[node] for node in NODES], axis=1)[:, :, None, :]
    return np.floor(share * room), np.sort(np.ceil(factor * price), axis=2)


def read(wheels: Path | None) -> Year:
    """The year from the source packages."""
    return build(sources.read(wheels, FIRST, LAST), sources.read(wheels))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--wheels", type=Path)
    chosen = parser.parse_args()
    write(read(chosen.wheels), chosen.out)
