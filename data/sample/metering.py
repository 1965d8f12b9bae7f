"""From curves to meter readings: kWh before the multiplier, four decimals, as a meter shows them.

The energy of the sample is reading x multiplier, exactly; everything that must balance is taken from it.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from people import Meter, Participant
from response import Response
from writing import CITIES, DATES, JULY, Floats, Ints, by_day, generator, half_up, write_curve_parquet

ESTIMATED = 0.005  # share of meter-days whose quality is `estimated`


def read(users: list[Participant], meters: list[Meter], response: Response) -> dict[str, Ints]:
    """Readings of the users' meters in 0.0001 kWh, (78, 96), after the demand-response cut."""
    curve = {user.participant_id: by_day(user.curve) for user in users}
    found = {}
    for meter in meters:
        cut_kw = response.cuts.get(meter.participant_id)
        kwh = curve[meter.participant_id] - (0 if cut_kw is None else cut_kw / 4)
        found[meter.meter_id] = half_up(kwh * meter.share / meter.multiplier, 4)
    return found


def metered_mwh(meters: list[Meter], readings: dict[str, Ints]) -> dict[str, Floats]:
    """MWh by participant, (78, 96): the sum of its meters' readings times their multipliers."""
    found: dict[str, Floats] = {}
    for meter in meters:
        energy = readings[meter.meter_id] * meter.multiplier / 1e7
        found[meter.participant_id] = found.get(meter.participant_id, 0) + energy
    return found


def write(
    folder: Path,
    participants: list[Participant],
    meters: list[Meter],
    readings: dict[str, Ints],
    response: Response,
) -> None:
    """July by city, and the history of enrolled users from 15 May; readings of generators hold July only."""
    city_of = {participant.participant_id: participant.city for participant in participants}
    july = range(JULY, len(DATES))
    for city in CITIES:
        of_city = [meter for meter in meters if city_of[meter.participant_id] == city]
        name = f"meter_readings_2022-07_{city}.parquet"
        _write(
            folder / name, of_city, {m.meter_id: readings[m.meter_id][-len(july) :] for m in of_city}, july
        )
    enrolled = {enrolment.participant_id for enrolment in response.enrolments}
    before = [meter for meter in meters if meter.participant_id in enrolled]
    _write(
        folder / "meter_readings_2022-05-15_2022-06-30.parquet",
        before,
        {meter.meter_id: readings[meter.meter_id][:JULY] for meter in before},
        range(JULY),
    )


def _write(path: Path, meters: list[Meter], readings: dict[str, Ints], days: range) -> None:
    ordered = sorted(meter.meter_id for meter in meters)
    rows = len(ordered) * len(days)
    estimated = generator(path.name).random(rows) < ESTIMATED
    write_curve_parquet(
        path,
        {
            "meter_id": [meter_id for meter_id in ordered for _ in days],
            "date": [DATES[day] for day in days] * len(ordered),
            "quality": np.where(estimated, "estimated", "measured").tolist(),
        },
        np.concatenate([readings[meter_id] for meter_id in ordered]),
        4,
    )
