"""A month of readings through every rule and the ladder: 10,000 meters, 31 days, 96 quarter-hours.

`python benchmarks/vee.py [--meters N]` builds a home (readings with one gap of eight quarter-hours in a thousand
meter-days, a monthly register a meter), then prints CPU and wall seconds of the pass over the readings with its rules,
of the registers, and of the estimates; then of the checks as a final run makes them, of all 16 cities, of none after
nothing changed, and of one after a reading of it was mended. Imports and the reading of master data are not counted.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from typing import TypeVar

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from ingest.deliver import deliver_many
from jobs.estimates import estimate
from jobs.month_readings import CheckedReadings, check_readings
from jobs.reading_checks import look_through
from jobs.register_checks import check_registers
from jobs.roster import ROSTER_TABLES, Roster
from market.periods import LABELS, Month
from market.profiles import profile
from warehouse.curves import curve_days
from warehouse.home import Home, create, home
from warehouse.records import read_records

DAYS = [date(2022, 7, 1) + timedelta(days=n) for n in range(31)]
Result = TypeVar("Result")


def build(folder: Path, meters: int) -> Home:
    """A home with the month delivered."""
    at = home(folder / "home")
    create(at)
    inbox = folder / "inbox"
    inbox.mkdir()
    ids = [f"M{n:05d}" for n in range(meters)]
    rng = np.random.default_rng(7)
    whole = rng.integers(2_000, 40_000, (meters, len(DAYS), 96))
    gaps = rng.random((meters, len(DAYS))) < 0.001
    registers = (whole.sum(axis=(1, 2)) // 1000).tolist()
    people = "".join(
        f"{one},{one},wholesale_user,city{n % 16},SD_A,1000,2022-01-01\n" for n, one in enumerate(ids)
    )
    (inbox / "participants.csv").write_text(
        "participant_id,name,kind,city,node,capacity_kva,valid_from\n"
        + people
        + "SGCC,grid,grid_company,jinan,SD,,2022-01-01\n"
    )
    (inbox / "meters.csv").write_text(
        "meter_id,participant_id,multiplier,direction,valid_from\n"
        + "".join(f"{one},{one},1,1,2022-01-01\n" for one in ids)
    )
    (inbox / "registers.csv").write_text(
        "meter_id,flow,rate,valid_from,valid_to,start_kwh,end_kwh,digits\n"
        + "".join(
            f"{one},forward,total,2022-07-01,2022-08-01,0,{kwh},8\n"
            for one, kwh in zip(ids, registers, strict=True)
        )
    )
    for number, day in enumerate(DAYS):
        values = whole[:, number].astype(np.float64) / 1000
        lost = np.zeros(values.shape, np.bool_)
        lost[gaps[:, number], 40:48] = True
        columns = {
            "meter_id": pa.array(ids),
            "date": pa.array([day] * meters, pa.date32()),
            "quality": pa.array(["measured"] * meters),
            **{label: pa.array(values[:, place], mask=lost[:, place]) for place, label in enumerate(LABELS)},
        }
        pq.write_table(pa.table(columns), inbox / f"meter_readings_{day}.parquet")
    deliver_many(at, [inbox])
    return at


def timed(what: str, work: Callable[[], Result]) -> Result:
    """Run, print wall and CPU seconds."""
    wall, cpu = time.perf_counter(), time.process_time()
    result = work()
    print(f"{what:<44} {time.process_time() - cpu:7.2f} s CPU {time.perf_counter() - wall:7.2f} s wall")
    return result


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--meters", type=int, default=10_000)
    meters = options.parse_args().meters
    rules = profile("SD_2022").readings
    assert rules is not None
    with tempfile.TemporaryDirectory() as temporary:
        at = build(Path(temporary), meters)
        records = {table: read_records(at, table) for table in {*ROSTER_TABLES, "registers"}}
        roster = Roster(Month(2022, 7), *(records[table] for table in ROSTER_TABLES))
        print(f"{meters} meters, {len(DAYS)} days")
        timed(
            "reading the curves alone",
            lambda: [len(day.values) for day in curve_days(at, "meter_readings", DAYS[0], date(2022, 8, 1))],
        )
        seen = timed(
            "the curves through the rules on readings",
            lambda: look_through(at, roster, records["participants"], rules, None),
        )
        limits = rules.limits(DAYS[0])
        odd = timed(
            "registers (R01-R11, R16)",
            lambda: check_registers(seen, records["meters"], records["registers"], limits, {}),
        )
        estimates = timed("estimates", lambda: estimate(at, seen.gaps, rules, None))
        gaps = sum(len(one.meter_ids) for one in seen.gaps)
        print(f"{len(odd)} registers odd, {len(estimates)} of {gaps} meter-days with a gap estimated")
        again(at, roster, records)


def again(at: Home, roster: Roster, records: dict[str, pd.DataFrame]) -> None:
    """The checks as a whole, afresh and with what was kept."""
    rules = profile("SD_2022")

    def check(reuse: bool) -> CheckedReadings:
        return check_readings(at, roster, records, rules, "final", None, reuse=reuse)

    whole = timed("checks of a final run afresh", lambda: check(False))
    timed("the same, kept by city", lambda: check(True))
    timed("nothing changed", lambda: check(True))
    meter = whole.estimates[0].meter_id
    mended = at.root / "meter_readings_mended.csv"
    mended.write_text(
        f"meter_id,date,quality,{','.join(LABELS)}\n{meter},{DAYS[9]},measured,{','.join(['5'] * 96)}\n"
    )
    deliver_many(at, [mended])
    one = timed("one city of 16 changed", lambda: check(True))
    print(f"checked again: {', '.join(one.checked or ())}; the same: {one.findings == check(False).findings}")


if __name__ == "__main__":
    main()
