"""Whose readings are checked together: the meters of one city, with what their checks rest on.

A meter is checked where its owner is, a sub-meter where its main meter is (R16 compares the two); a meter that
nobody settles is the province's. No rule looks beyond its scope, so what was found in one city stays true while
nothing of that city has changed; ``Scope.key`` is the fingerprint of all it rests on.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from hashlib import sha256
from importlib.metadata import version as installed_version
from typing import Any

import numpy as np
import pandas as pd

from jobs.roster import OUTSIDE, Roster
from market.profiles import RuleProfile
from market.tables import ParticipantKind
from warehouse.curve_files import PROVINCE
from warehouse.curves import deliveries_of
from warehouse.home import Home

RECORDS = ("participants", "meters", "registers")
FORM = 2  # of what is kept; another number makes every kept check stale

PLAIN = {str, int, type(None)}


@dataclass(frozen=True)
class Scope:
    """One city's checks: its meters, and the fingerprint of everything that decides what they find.

    partitions: of the curves, all in which readings of its meters stand.
    """

    city: str
    meter_ids: frozenset[str]
    partitions: frozenset[str]
    key: str


def scopes(
    home: Home,
    roster: Roster,
    records: Mapping[str, pd.DataFrame],
    profile: RuleProfile,
    kind: str,
    spans: Sequence[tuple[date, date]],
    as_of: datetime | None,
) -> list[Scope]:
    """Every scope of the month, by city. records: RECORDS; kind: of the run; spans: the days that checks may read."""
    city_of = scope_of_meters(roster, records["meters"])
    if not city_of:
        return []
    delivered: dict[str, list[object]] = defaultdict(list)
    partitions: dict[str, frozenset[str]] = defaultdict(frozenset)
    for first, after in spans:
        found = deliveries_of(home, "meter_readings", first, after, "meter_id", city_of, as_of)
        for city, stands in found.items():
            delivered[city].append([str(first), str(after), stands.deliveries])
            partitions[city] |= stands.partitions
    assert profile.readings is not None  # noqa: S101  who asks has limits
    rules = profile.readings.model_dump_json()
    common = [FORM, installed_version("gridsettle"), str(roster.month), kind, rules]
    by_city: dict[str, set[str]] = defaultdict(set)
    for meter, city in city_of.items():
        by_city[city].add(meter)
    places = places_by_city(records, city_of)
    columns = {table: [_texts(records[table][name]) for name in records[table]] for table in RECORDS}
    made = []
    for city, meters in sorted(by_city.items()):
        mine = [
            (len(places[table][city]), [_brief(column[places[table][city]]) for column in columns[table]])
            for table in RECORDS
        ]
        text = json.dumps([*common, city, delivered[city], mine])
        made.append(Scope(city, frozenset(meters), partitions[city], sha256(text.encode()).hexdigest()))
    return made


def places_by_city(
    records: Mapping[str, pd.DataFrame], city_of: Mapping[str, str]
) -> dict[str, dict[str, list[int]]]:
    """By table and city, the places of the rows that ``restricted`` gives for its meters; city_of: of every meter."""
    meters, people = records["meters"], records["participants"]
    cities = sorted(set(city_of.values()))
    found: dict[str, dict[str, list[int]]] = {table: {city: [] for city in cities} for table in RECORDS}
    owned: dict[str, set[str]] = defaultdict(set)
    for place, (meter, who) in enumerate(zip(meters["meter_id"], meters["participant_id"], strict=True)):
        found["meters"][city_of[meter]].append(place)
        owned[who].add(city_of[meter])
    for place, (who, kind) in enumerate(zip(people["participant_id"], people["kind"], strict=True)):
        for city in cities if kind == ParticipantKind.GRID_COMPANY else owned.get(who, ()):
            found["participants"][city].append(place)
    for place, meter in enumerate(records["registers"]["meter_id"]):
        if meter in city_of:
            found["registers"][city_of[meter]].append(place)
    return found


def _texts(column: pd.Series[Any]) -> np.ndarray:
    """A column's values as JSON can hold them; of dates and decimals few differ, so each is written once."""
    values = column.tolist()
    if not set(map(type, values)) <= PLAIN:
        texts = {one: None if one is None else str(one) for one in set(values)}
        values = [texts[one] for one in values]
    return np.array(values, dtype=object)


def _brief(column: np.ndarray) -> object:
    """A column of some rows as JSON is made of it; the value once where all rows have the same."""
    values = column.tolist()
    return {"all": values[0]} if len(set(values)) == 1 else values


def scope_of_meters(roster: Roster, meters: pd.DataFrame) -> dict[str, str]:
    """By meter, the city in which it is checked."""
    ids = pd.Index(sorted(set(meters["meter_id"])), dtype=object)
    owner = np.full(len(ids), OUTSIDE, np.intp)
    last = None
    for span in roster.spans:
        if span.meter_ids is not last:  # as on most days
            places = ids.get_indexer(span.meter_ids)
            owner[places[places >= 0]] = span.participant[places >= 0]
        last = span.meter_ids
    cities = [roster.city[who] or PROVINCE for who in roster.metered]
    own = {meter: cities[of] for meter, of in zip(ids, owner.tolist(), strict=True) if of != OUTSIDE}
    main = {sub: of for sub, of in zip(meters["meter_id"], meters["main_meter_id"], strict=True) if of}

    def root(meter: str) -> str:
        seen = {meter}
        while (above := main.get(meter)) is not None and above not in seen:
            seen.add(above)
            meter = above
        return min(seen) if above in seen else meter

    return {
        meter: own.get(root(meter) if meter in main else meter, own.get(meter, PROVINCE)) for meter in ids
    }


def restricted(records: Mapping[str, pd.DataFrame], meter_ids: Collection[str]) -> dict[str, pd.DataFrame]:
    """The records of some meters: their rows, reads and owners, with the grid company, and no contract."""
    meters, people = records["meters"], records["participants"]
    mine = meters[meters["meter_id"].isin(meter_ids)]
    owners = people["participant_id"].isin(mine["participant_id"])
    registers = records["registers"]
    return {
        "meters": mine,
        "participants": people[owners | (people["kind"] == ParticipantKind.GRID_COMPANY)],
        "registers": registers[registers["meter_id"].isin(meter_ids)],
        "contracts": records["contracts"].iloc[:0],
    }
