"""Is a city's month of meter readings complete? Asked before settlement, of the same meters as settlement.

A meter-day is one meter on one day on which it and its participant are valid; it is there when all 96
quarter-hours are. What is missing here is missing in the run, with a blocking finding of the same meter.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from jobs.roster import Roster
from market.curves import is_missing
from market.periods import Month
from warehouse.curve_files import PROVINCE
from warehouse.curves import CurveDay, curve_days
from warehouse.home import Home
from warehouse.records import read_records


@dataclass(frozen=True)
class CityCheck:
    """A city's meters of a month and their meter-days. missing: (meter_id, its missing days), by meter."""

    city: str
    meters: int
    expected_days: int
    present_days: int
    missing: list[tuple[str, list[date]]]

    @property
    def complete(self) -> bool:
        """Every expected meter-day is there."""
        return self.present_days == self.expected_days

    def sentences(self, most: int = 20) -> list[str]:
        """What was found, then at most so many meters that lack days; the run's findings name them all."""
        return [
            f"{self.city}: {self.present_days} of {self.expected_days} meter-days of {self.meters} meters are there.",
            *(
                f"Meter {meter_id} lacks {', '.join(_stretches(days))}; deliver these days."
                for meter_id, days in self.missing[:most]
            ),
            *([f"{len(self.missing) - most} more meters lack days."] if len(self.missing) > most else []),
        ]


class _Day(NamedTuple):
    """The meters expected on a day, the city of each, and whether its day is complete."""

    date: date
    meter_ids: NDArray[np.object_]
    cities: NDArray[np.object_]
    present: NDArray[np.bool_]


def cities(home: Home, month: Month) -> list[str]:
    """The cities with a meter that settles in the month, sorted; meters of no city count as ``province``.

    Raises ValueError when there is no such meter.
    """
    roster = _roster(home, month)
    found = sorted({city for day in month.days() for city in _cities_of_meters(roster, day)})
    if not found:
        raise ValueError(
            f"No meter is valid in {month}; deliver participants and meters, or settle another month."
        )
    return found


def check_city(home: Home, month: Month, city: str, *, only: date | None = None) -> CityCheck:
    """Count the meter-days of one city; ``only``: of one day of the month.

    Raises ValueError for a city without meters in the month or on the day.
    """
    meters: set[str] = set()
    missing: dict[str, list[date]] = defaultdict(list)
    expected = 0
    for day in _days(home, month, only):
        mine = day.cities == city
        meters |= set(day.meter_ids[mine])
        expected += int(mine.sum())
        for meter_id in day.meter_ids[mine & ~day.present]:
            missing[meter_id].append(day.date)
    if not meters:
        raise ValueError(
            f"No meter of {city!r} is valid in {only or month}; the cities are: {', '.join(cities(home, month))}. "
            "Deliver participants and meters, or ask for one of these."
        )
    absent = sum(map(len, missing.values()))
    return CityCheck(city, len(meters), expected, expected - absent, sorted(missing.items()))


def complete_days(home: Home, month: Month) -> list[date]:
    """The days on which every city's meters are complete, in order; a day without meters is not."""
    return [day.date for day in _days(home, month) if len(day.meter_ids) and day.present.all()]


def _stretches(days: Sequence[date]) -> list[str]:
    """Days in order as single days and ``first..last``."""
    found: list[list[date]] = []
    for day in days:
        if found and day - found[-1][-1] == timedelta(days=1):
            found[-1][1:] = [day]
        else:
            found.append([day])
    return ["..".join(map(str, ends)) for ends in found]


def _days(home: Home, month: Month, only: date | None = None) -> Iterator[_Day]:
    roster = _roster(home, month)
    days = tuple(month.days()) if only is None else (only,)
    # A participant may have moved to another city since its readings came: every partition is read.
    curves = curve_days(home, "meter_readings", days[0], days[-1] + timedelta(days=1))
    following = next(curves, None)
    for day in days:
        meter_ids = roster.on(day).meter_ids
        present = np.zeros(len(meter_ids), dtype=np.bool_)
        if following is not None and following.date == day:
            present = _present(meter_ids, following)
            following = next(curves, None)
        cities_of = np.array(_cities_of_meters(roster, day), dtype=object)
        yield _Day(day, meter_ids.to_numpy(dtype=object), cities_of, present)


def _roster(home: Home, month: Month) -> Roster:
    return Roster(month, *(read_records(home, table) for table in ("participants", "meters", "contracts")))


def _cities_of_meters(roster: Roster, day: date) -> list[str]:
    return [roster.city[roster.metered[place]] or PROVINCE for place in roster.on(day).participant]


def _present(meter_ids: pd.Index, curves: CurveDay) -> NDArray[np.bool_]:
    rows = pd.Index(np.asarray(curves.keys["meter_id"], dtype=object)).get_indexer(meter_ids)
    whole = np.ones(len(curves.values), dtype=np.bool_)
    if curves.has_missing:
        whole = ~np.asarray(is_missing(curves.values).any(axis=1))
    return np.asarray((rows >= 0) & whole[rows], dtype=np.bool_)
