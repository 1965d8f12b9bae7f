"""A city's fingerprint covers every cell of its meters, reads and owners, and no cell of another city."""

from __future__ import annotations

import shutil
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.deliver import deliver
from jobs.check_scopes import RECORDS, Scope, places_by_city, restricted, scopes
from jobs.month_readings import read_roster, reading_spans
from market.periods import Month
from market.profiles import profile
from warehouse.home import Home, home

JULY, RULES = Month(2022, 7), profile("SD_2022")
FIXTURES = Path(__file__).parent / "fixtures"
CITIES = st.sampled_from(["jinan", "qingdao", "yantai"])
OWNERS = st.sampled_from(["A", "B", "C", "GRID"])


@settings(max_examples=50)
@given(
    st.dictionaries(
        st.sampled_from(["M1", "M2", "M3", "M4"]), st.tuples(CITIES, st.lists(OWNERS, min_size=1))
    ),
    st.lists(st.sampled_from(["M1", "M4", "M9"])),
    st.lists(st.tuples(OWNERS, st.booleans())),
)
def test_rows_grouped_at_once_are_those_looked_up_city_by_city(
    meters: dict[str, tuple[str, list[str]]], reads: list[str], people: list[tuple[str, bool]]
) -> None:
    spans = [(meter, owner) for meter, (_, owners) in meters.items() for owner in owners]
    kinds = [(who, "grid_company" if grid else "retail_user") for who, grid in people]
    records = {
        "meters": pd.DataFrame(spans, columns=["meter_id", "participant_id"]),
        "registers": pd.DataFrame({"meter_id": pd.Series(reads, dtype=object)}),
        "participants": pd.DataFrame(kinds, columns=["participant_id", "kind"]),
        "contracts": pd.DataFrame(),
    }
    city_of = {meter: city for meter, (city, _) in meters.items()}
    places = places_by_city(records, city_of)
    for city in set(city_of.values()):
        mine = restricted(records, {meter for meter, of in city_of.items() if of == city})
        for table in RECORDS:
            assert places[table][city] == mine[table].index.tolist()


@pytest.fixture(scope="module")
def at(base_home: Home, tmp_path_factory: pytest.TempPathFactory) -> Home:
    """The small month with a register of a meter in Jinan."""
    folder = tmp_path_factory.mktemp("registers")
    shutil.copytree(base_home.root, folder / "home")
    shutil.copy(FIXTURES / "register_backwards.registers.csv", folder / "registers.csv")
    assert deliver(home(folder / "home"), folder / "registers.csv").status == "accepted"
    return home(folder / "home")


def keys(at: Home, records: dict[str, pd.DataFrame]) -> dict[str, str]:
    roster, _ = read_roster(at, JULY, None)
    spans = reading_spans(JULY, RULES, "draft", JULY.first)
    found: list[Scope] = scopes(at, roster, records, RULES, "draft", spans, None)
    return {scope.city: scope.key for scope in found}


@pytest.mark.parametrize("table", RECORDS)
def test_any_cell_that_changes_changes_the_fingerprint_of_its_city_alone(at: Home, table: str) -> None:
    _, records = read_roster(at, JULY, None)
    before = keys(at, records)
    assert len(set(before.values())) == len(before) == 2
    places = places_by_city(records, {row.meter_id: "" for row in records["meters"].itertuples()})[table][""]
    key = {"participants": "participant_id", "meters": "meter_id", "registers": "meter_id"}[table]
    for name in sorted(set(records[table]) - {key, "kind", "main_meter_id", "participant_id", "valid_from"}):
        changed = records[table].copy()
        changed[name] = changed[name].astype(object)
        changed.loc[places[0], name] = "another"
        after = keys(at, {**records, table: changed})
        assert sum(before[city] != after[city] for city in before) == 1, name
    nothing = records[table].astype(object).copy()
    nothing.loc[places[0], "delivery_id"] = None
    as_text = records[table].copy()
    as_text.loc[places[0], "delivery_id"] = "None"
    assert keys(at, {**records, table: nothing}) != keys(at, {**records, table: as_text})
