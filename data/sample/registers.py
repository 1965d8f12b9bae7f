"""What the counters of consuming meters showed at either end of July: the sum of the days, a little more or less.

A counter counts between quarter-hours too, and its clock is not the one of the curve: most differ from their days by
less than a thousandth, every fifth by nothing. Some run over their last digit.
"""

from __future__ import annotations

from pathlib import Path

from people import Meter
from writing import JULY, Ints, generator, plain, write_csv

DIGITS = 6
RANGE = 10**DIGITS * 10_000  # 0.0001 kWh
MONTH = ("2022-07-01", "2022-08-01")
HEADER = "meter_id flow rate valid_from valid_to start_kwh end_kwh digits multiplier"


def write(folder: Path, meters: list[Meter], readings: dict[str, Ints]) -> None:
    """registers.csv, a row for every consuming meter, by id; readings in 0.0001 kWh."""
    random = generator("registers")
    consuming = sorted((meter for meter in meters if meter.direction == 1), key=lambda meter: meter.meter_id)
    rows = []
    for number, meter in enumerate(consuming):
        counted = int(readings[meter.meter_id][JULY:].sum())
        share = 0.0 if number % 5 == 0 else float(random.uniform(-0.001, 0.001))
        counted += round(counted * share)
        room = RANGE - counted // 2 if number % 25 == 7 else int(random.integers(0, RANGE - counted))
        rows.append(
            [
                meter.meter_id,
                "forward",
                "total",
                *MONTH,
                plain(room, 4),
                plain((room + counted) % RANGE, 4),
                DIGITS,
                None,
            ]
        )
    write_csv(folder / "registers.csv", HEADER, rows)
