"""Generators: wind and sun by their SimBench profiles, thermal plants carry what is left.

Per quarter-hour: generation + import = use + loss, loss = LOSS of use, up to one step of one meter.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from people import Meter, Participant, transformer_ratio
from sources import Sources
from writing import CITIES, JULY, NODES, Floats, Ints, by_day, half_up

LOSS = 0.0307  # published line-loss rate of Shandong, F.3
WIND = (("yantai", "WP3", 2600), ("weifang", "WP4", 2400), ("qingdao", "WP6", 2000), ("linyi", "WP7", 1800))
SOLAR = (("weifang", "PV2", 6000), ("linyi", "PV4", 5000), ("jinan", "PV6", 4500))
THERMAL = (  # city, SimBench power-plant profile, share of the thermal capacity
    ("jinan", "pp_23", 0.10),
    ("jinan", "pp_43", 0.08),
    ("jinan", "pp_70", 0.06),
    ("linyi", "pp_10", 0.09),
    ("linyi", "pp_60", 0.07),
    ("weifang", "pp_5", 0.09),
    ("weifang", "pp_48", 0.07),
    ("weifang", "pp_79", 0.05),
    ("qingdao", "pp_42", 0.09),
    ("qingdao", "pp_68", 0.07),
    ("yantai", "pp_111", 0.09),
    ("yantai", "pp_28", 0.08),
    ("yantai", "pp_53", 0.06),
)
CLASSES = {"火电": "coal", "核电": "nuclear", "风电": "wind", "光伏": "solar"}
STEADY = 0.55  # share of a plant's weight that does not follow its profile


@dataclass(frozen=True)
class Plant:
    """A generator. ``curve``: its profile as output of the nameplate, MW (78, 96)."""

    participant: Participant
    meter: Meter
    source: str
    nameplate_mw: int
    curve: Floats


def renewables(sources: Sources) -> list[Plant]:
    """Seven wind and solar plants; output = nameplate x SimBench profile."""
    found = []
    for source, rows in (("风电", WIND), ("光伏", SOLAR)):
        for city, profile, nameplate in rows:
            curve = by_day(sources.res[profile].to_numpy()) * nameplate
            found.append(_plant(len(found) + len(THERMAL) + 1, source, city, nameplate, curve))
    return found


def thermal(sources: Sources, capacity_mw: float) -> list[Plant]:
    """Thirteen thermal plants that share ``capacity_mw``; the curve is the weight of the plant, not its output."""
    found = []
    for number, (city, profile, share) in enumerate(THERMAL, start=1):
        nameplate = int(np.ceil(capacity_mw * share / 100) * 100)
        shape = by_day(sources.plant[profile].to_numpy()) / 0.7  # SimBench runs a committed plant at 0.7
        curve = nameplate * (STEADY + (1 - STEADY) * shape)
        found.append(_plant(number, "核电" if profile == "pp_111" else "火电", city, nameplate, curve))
    return found


def renewable_mw(plants: list[Plant], source: str) -> Floats:
    """Output of all wind (风电) or all solar (光伏) plants, MW (78, 96)."""
    return np.sum([plant.curve for plant in plants if plant.source == source], axis=0)


def generate(
    renewable: list[Plant], thermals: list[Plant], needed_mw: Floats
) -> dict[str, tuple[Ints, Floats]]:
    """Readings (31, 96) in 0.0001 kWh before the multiplier, and MWh, of every plant in July.

    needed_mw: use + loss - import, (31, 96). Raises ValueError when renewables alone exceed it or the
    thermal plants cannot carry the rest.
    """
    found: dict[str, tuple[Ints, Floats]] = {}
    rest = needed_mw.copy()
    for plant in renewable:
        found[plant.participant.participant_id] = _read(plant, plant.curve[JULY:])
        rest -= found[plant.participant.participant_id][1] * 4
    outputs = share_out(rest, [plant.curve[JULY:] for plant in thermals], [p.nameplate_mw for p in thermals])
    carried = np.zeros_like(rest)
    for plant, output in zip(thermals[:-1], outputs[:-1], strict=True):
        # what rounding leaves goes to the next meter, so only the last meter's step is left over
        found[plant.participant.participant_id] = _read(plant, output + carried)
        carried += output - found[plant.participant.participant_id][1] * 4
    found[thermals[-1].participant.participant_id] = _read(thermals[-1], outputs[-1] + carried)
    return found


def share_out(total: Floats, weights: list[Floats], limits: list[int]) -> list[Floats]:
    """Split ``total`` by weights, no part above its limit; what a full plant cannot take goes to the others."""
    if (total < 0).any() or (total > sum(limits)).any():
        raise ValueError(
            f"Thermal plants of {sum(limits)} MW cannot carry {total.min():.0f}..{total.max():.0f} MW."
        )
    outputs = [np.zeros_like(total) for _ in weights]
    left = total.copy()
    for _ in range(len(weights)):
        room = [limit - output for limit, output in zip(limits, outputs, strict=True)]
        open_weights = [np.where(r > 1e-9, w, 0.0) for w, r in zip(weights, room, strict=True)]
        per_weight = left / np.maximum(np.sum(open_weights, axis=0), 1e-9)
        steps = [np.minimum(w * per_weight, r) for w, r in zip(open_weights, room, strict=True)]
        outputs = [output + step for output, step in zip(outputs, steps, strict=True)]
        left = total - np.sum(outputs, axis=0)
        if (left < 1e-6).all():
            break
    return outputs


def _read(plant: Plant, output_mw: Floats) -> tuple[Ints, Floats]:
    reading = half_up(output_mw * 250 / plant.meter.multiplier, 4)
    return reading, reading * plant.meter.multiplier / 1e7


def _plant(number: int, source: str, city: str, nameplate: int, curve: Floats) -> Plant:
    participant_id = f"G{number:03d}"
    participant = Participant(
        participant_id,
        f"{CITIES[city]}{source}{number:02d}",
        "generator",
        city,
        NODES[city],
        "500" if nameplate > 2000 else "220",
        nameplate * 1000,
        CLASSES[source],
    )
    ratio = transformer_ratio(participant.voltage_kv, nameplate * 1000.0)
    return Plant(
        participant, Meter(f"M-{participant_id}-01", participant_id, ratio, -1, 1.0), source, nameplate, curve
    )
