"""The study of the morning bid: policies on out-of-sample days of the study year, judged by clearing.

    python benchmarks/study/run.py [--days 60] [--scenarios 9] [--wheels DIR] [--home FOLDER]

Every day is made from the warehouse as it was known before its gate and cleared against the offers and the gap that
came. Prints the table of docs/benchmarks.md.
"""

from __future__ import annotations

import argparse
import sys
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent))
import year as study

from ingest.deliver import deliver_many
from jobs.bid_inputs import BidInputs, read_inputs
from optimization.backtest import FORESIGHT, NOTHING, OURS, PastDay, cvar, play, point_forecast
from optimization.scenarios import Scenarios
from warehouse.home import Home, create, home

FIRST_DAY = 60  # days of history before the first day that counts


def prepared(wheels: Path | None, at: Home) -> study.Year:
    """The year, delivered into the home."""
    found = study.read(wheels)
    with TemporaryDirectory() as folder:
        study.write(found, Path(folder))
        create(at)
        deliver_many(at, sorted(path for path in Path(folder).glob("*.csv") if path.name != "offers.csv"))
    return found


def gap_that_came(year: study.Year, n: int) -> np.ndarray:
    """(96,) MW, signed."""
    get = {name: curves[n] for (name, node), curves in year.series.items() if node == "SD"}
    return (
        get["load_actual"]
        + get["reserve"]
        - get["wind_actual"]
        - get["solar_actual"]
        - get["thermal_available"]
        - get["tie_line_mlt"]
    )


def past_day(year: study.Year, inputs: BidInputs) -> PastDay:
    """A morning as known and the truth of the day."""
    n = study.DAYS.index(inputs.day)
    nodes = inputs.problem.supply.seller_nodes
    place = [study.NODES.index(node) for node in nodes]
    truth = Scenarios(
        names=("truth",),
        probability=np.ones(1),
        seller_nodes=nodes,
        gap_mw=np.maximum(gap_that_came(year, n), 0.0)[None],
        seller_price=np.stack([year.prices[node, "day_ahead"][n] for node in nodes])[None],
        offer_price=year.offer_price[n][place][None],
        offer_mw=year.offer_mw[n][place][None],
    )
    forecast = np.stack([year.series["seller_price_forecast", node][n] for node in nodes])
    return PastDay(
        inputs.day,
        inputs.problem,
        point_forecast(inputs.problem, inputs.shortage_mw, forecast),
        truth,
        inputs.paths,
    )


def days_with_a_gap(year: study.Year, count: int) -> list[date]:
    """Days after the first history whose forecast or actual gap is open, spread evenly over the year."""
    series = year.series
    forecast = (
        series["load_forecast", "SD"]
        + series["reserve", "SD"]
        - series["wind_forecast", "SD"]
        - series["solar_forecast", "SD"]
        - series["thermal_available", "SD"]
    )
    open_days = [
        n
        for n in range(FIRST_DAY, len(study.DAYS))
        if (forecast[n] > 0).any() or (gap_that_came(year, n) > 0).any()
    ]
    chosen = np.unique(np.linspace(0, len(open_days) - 1, min(count, len(open_days))).round().astype(int))
    return [study.DAYS[open_days[k]] for k in chosen]


def main() -> None:
    """Run the study."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--days", type=int, default=60)
    parser.add_argument("--scenarios", type=int, default=9)
    parser.add_argument("--wheels", type=Path)
    parser.add_argument("--home", type=Path)
    chosen = parser.parse_args()
    with TemporaryDirectory() as temporary:
        at = home(chosen.home or Path(temporary))
        year = (
            prepared(chosen.wheels, at)
            if not (at.root / "gridsettle.db").exists()
            else study.read(chosen.wheels)
        )
        costs: dict[str, list[float]] = {}
        parts: dict[str, list[np.ndarray]] = {}
        begun = perf_counter()
        for day in days_with_a_gap(year, chosen.days):
            inputs = read_inputs(at, day, scenario_count=chosen.scenarios)
            for name, played in play(past_day(year, inputs)).items():
                costs.setdefault(name, []).append(played.cost_cny)
                parts.setdefault(name, []).append(played.result.cost_cny[0])
            print(
                day,
                {name: round(cost[-1] / 1e4) for name, cost in costs.items()},
                flush=True,
                file=sys.stderr,
            )
    count = len(costs[OURS])
    print(
        f"{count} days, {chosen.scenarios} + 1 scenarios, {perf_counter() - begun:.0f} s; million 元 a day\n"
    )
    print("| bid | mean | CVaR 20 % | purchase | response | shortage | surplus | above foresight |")
    print("|---|---|---|---|---|---|---|---|")
    foresight = np.mean(costs[FORESIGHT])
    for name, cost in sorted(costs.items(), key=lambda item: np.mean(item[1])):
        mean = np.mean(parts[name], axis=0) / 1e6
        figures = [
            np.mean(cost) / 1e6,
            cvar(np.array(cost)) / 1e6,
            *mean[:4],
            (np.mean(cost) - foresight) / 1e6,
        ]
        print(f"| {name} | " + " | ".join(f"{figure:.2f}" for figure in figures) + " |")
    beaten = [
        n for n in costs if n not in (OURS, FORESIGHT, NOTHING) and np.mean(costs[n]) <= np.mean(costs[OURS])
    ]
    print("\nCheaper on average than ours: " + (", ".join(beaten) or "none"))


if __name__ == "__main__":
    main()
