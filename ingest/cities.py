"""Which city's partition a curve row belongs to: meter, then participant, then city, as of the row's date."""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable
from datetime import date

import pandas as pd
import pyarrow as pa

from market.tables import Table
from warehouse.curve_files import PROVINCE, CurveRows, day_of
from warehouse.home import Home
from warehouse.records import read_records

History = dict[str, list[tuple[date, str | None]]]


def city_finder(home: Home, table: Table) -> Callable[[CurveRows], pa.StringArray]:
    """Gives the partition of each row; PROVINCE for a table without cities and for participants without one."""
    if table.city_by is None:
        return lambda rows: pa.array([PROVINCE] * len(rows), pa.string())
    homes = _history(read_records(home, "participants"), "participant_id", "city")
    owners = _history(read_records(home, "meters"), "meter_id", "participant_id")
    column = table.city_by
    by_meter = column == "meter_id"

    def city(key: str, day: date) -> str:
        participant = _at(owners, key, day) if by_meter else key
        return (participant and _at(homes, participant, day)) or PROVINCE

    return lambda rows: _looked_up(rows, column, city, owners if by_meter else {}, homes)


def _looked_up(
    rows: CurveRows, column: str, city: Callable[[str, date], str], owners: History, homes: History
) -> pa.StringArray:
    coded = rows.keys[column].dictionary_encode()
    distinct: list[str] = coded.dictionary.to_pylist()
    steady = [city(key, date.max) for key in distinct]
    moved = {place for place, key in enumerate(distinct) if _moves(key, owners, homes)}
    found = pa.array(steady, pa.string()).take(coded.indices)
    if not moved:
        return found
    texts = found.to_pylist()
    for row, place in enumerate(coded.indices.to_pylist()):
        if place in moved:
            texts[row] = city(distinct[place], day_of(rows.days[row]))
    return pa.array(texts, pa.string())


def _moves(key: str, owners: History, homes: History) -> bool:
    participants = [owner for _, owner in owners[key]] if key in owners else [key]
    places = {city for participant in participants for _, city in homes.get(participant or "", [])}
    return len(places) > 1


def _history(frame: pd.DataFrame, key: str, value: str) -> History:
    history: History = defaultdict(list)
    for name, first, held in zip(frame[key], frame["valid_from"], frame[value], strict=True):
        history[name].append((first, held))
    return {name: sorted(rows, key=lambda row: row[0]) for name, rows in history.items()}


def _at(history: History, key: str, day: date) -> str | None:
    """What held on a day; before the first row, what held first."""
    rows = history.get(key)
    if not rows:
        return None
    return rows[max(bisect_right(rows, day, key=lambda row: row[0]) - 1, 0)][1]
