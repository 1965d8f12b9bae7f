"""Curves: streamed by day, the newest known delivery wins, what was not committed does not exist."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from market.curves import MISSING
from warehouse import curves as curves_module
from warehouse.curve_files import relative_path
from warehouse.curves import curve_days, curve_inputs

JULY = date(2022, 7, 1)
AUGUST = date(2022, 8, 1)


def july(day):
    return date(2022, 7, day)


def read(at, **known):
    return {
        (key, day.date): int(values[0])
        for day in curve_days(at, "meter_readings", JULY, AUGUST, **known)
        for key, values in zip(day.keys["meter_id"].to_pylist(), day.values, strict=True)
    }


def test_days_come_in_order_and_only_those_asked_for(at, put_curves):
    put_curves(
        at,
        "a",
        1,
        {("M1", july(n)): n for n in (3, 1, 31)} | {("M1", AUGUST): 9, ("M1", date(2022, 6, 30)): 8},
    )
    days = [day.date for day in curve_days(at, "meter_readings", JULY, AUGUST)]
    assert days == [july(1), july(3), july(31)]
    assert [day.date for day in curve_days(at, "meter_readings", july(2), july(31))] == [july(3)]
    assert list(curve_days(at, "prices", JULY, AUGUST)) == []


def test_a_file_has_one_row_group_a_date_and_its_rows_stand_by_key(at, put_curves):
    rows = {(f"M{n}", july(day)): n for n in (3, 1, 2) for day in (2, 1)}
    delivery = put_curves(at, "a", 1, rows)
    file = pq.ParquetFile(at.curves / relative_path("meter_readings", "2022-07", "jinan", delivery))
    assert file.num_row_groups == 2
    assert file.read_row_group(1)["meter_id"].to_pylist() == ["M1", "M2", "M3"]
    assert file.read_row_group(1)["date"].to_pylist() == [july(2)] * 3
    assert file.read()["line"].to_pylist() == [5, 7, 3, 4, 6, 2]
    assert list(at.curves.rglob("*.part")) == []


def test_values_of_one_file_are_a_read_only_view_of_what_arrow_decoded(at, put_curves):
    put_curves(at, "a", 1, {("M1", JULY): 5})
    (day,) = curve_days(at, "meter_readings", JULY, AUGUST)
    assert (day.values.shape, day.values.dtype) == ((1, 96), np.int64)
    assert not day.values.flags.owndata
    with pytest.raises(ValueError, match="read-only"):
        day.values[0, 0] = 1


def test_a_missing_value_is_marked_and_the_day_says_so(at, put_curves):
    gap = np.full(96, 7)
    gap[4] = MISSING
    put_curves(at, "a", 1, {("M1", july(1)): gap, ("M1", july(2)): 7})
    first, second = curve_days(at, "meter_readings", JULY, AUGUST)
    assert (first.has_missing, second.has_missing) == (True, False)
    assert np.flatnonzero(first.values[0] == MISSING).tolist() == [4]


def test_the_newest_delivery_wins_for_its_keys_and_dates_only(at, put_curves, recorded):
    put_curves(at, "a", 1, {(m, july(d)): 1 for m in ("M1", "M2") for d in (1, 2)})
    put_curves(at, "b", 2, {("M2", july(2)): 2, ("M3", july(2)): 3}, revised={("M2", july(2))})
    put_curves(at, "c", 3, {("M2", july(2)): 4}, revised={("M2", july(2))})

    assert read(at) == {
        ("M1", july(1)): 1, ("M2", july(1)): 1, ("M1", july(2)): 1, ("M2", july(2)): 4, ("M3", july(2)): 3,
    }  # fmt: skip
    assert read(at, as_of=recorded(2))["M2", july(2)] == 2
    assert read(at, as_of=recorded(1)) == {(m, july(d)): 1 for m in ("M1", "M2") for d in (1, 2)}
    rows = {entry.file_name: entry.rows for entry in curve_inputs(at, "meter_readings", JULY, AUGUST)}
    assert rows == {"a": 3, "b": 1, "c": 1}
    before = curve_inputs(at, "meter_readings", JULY, AUGUST, recorded(2))
    assert {entry.file_name: entry.rows for entry in before} == {"a": 3, "b": 2}


def test_a_reader_may_name_the_deliveries_it_wants_to_see(at, put_curves):
    old = put_curves(at, "a", 1, {("M1", JULY): 1})
    put_curves(at, "b", 2, {("M1", JULY): 2}, revised={("M1", JULY)})
    assert read(at, delivered={old}) == {("M1", JULY): 1}
    assert read(at, delivered=set()) == {}


def test_a_row_leads_back_to_its_file_and_line(at, put_curves):
    a = put_curves(at, "a", 1, {("M3", JULY): 1, ("M1", JULY): 1, ("M2", JULY): 1})
    b = put_curves(at, "b", 2, {("M1", JULY): 2}, revised={("M1", JULY)}, cities={"M1": "yantai"})
    (day,) = curve_days(at, "meter_readings", JULY, AUGUST)
    found = {
        key: (day.delivery(row), day.line(row), day.city(row))
        for row, key in enumerate(day.keys["meter_id"].to_pylist())
    }
    assert found == {"M2": (a, 4, "jinan"), "M3": (a, 2, "jinan"), "M1": (b, 2, "yantai")}
    with pytest.raises(IndexError, match="Row 3 does not exist; 2022-07-01 has the rows 0 to 2"):
        day.delivery(3)


def test_a_killed_delivery_leaves_a_file_that_no_reader_sees(at, put_curves):
    put_curves(at, "a", 1, {("M1", JULY): 1})
    put_curves(at, "killed", 2, {("M1", JULY): 2, ("M2", JULY): 2}, revised={("M1", JULY)}, commit=False)
    assert len(list(at.curves.rglob("*.parquet"))) == 2
    assert read(at) == {("M1", JULY): 1}
    assert [entry.file_name for entry in curve_inputs(at, "meter_readings", JULY, AUGUST)] == ["a"]
    put_curves(at, "killed", 2, {("M1", JULY): 2, ("M2", JULY): 2}, revised={("M1", JULY)})
    assert read(at) == {("M1", JULY): 2, ("M2", JULY): 2}


def test_the_files_of_a_rejected_delivery_are_not_seen(at, put_curves):
    put_curves(at, "a", 1, {("M1", JULY): 1}, status="rejected")
    assert read(at) == {}


def test_one_citys_rows_can_be_read_alone_and_a_row_that_moved_is_not_seen_in_its_old_city(at, put_curves):
    put_curves(at, "a", 1, {("M1", JULY): 1, ("M2", JULY): 1}, cities={"M2": "yantai"})
    assert read(at, city="yantai") == {("M2", JULY): 1}
    put_curves(at, "b", 2, {("M1", JULY): 2}, revised={("M1", JULY)}, cities={"M1": "yantai"})
    assert read(at, city="jinan") == {}
    assert read(at, city="yantai") == {("M1", JULY): 2, ("M2", JULY): 1}


def test_a_city_whose_name_is_no_folder_name_still_has_its_partition(at, put_curves):
    put_curves(at, "a", 1, {("M1", JULY): 1, ("M2", JULY): 2}, cities={"M1": "../济/南", "M2": "济南"})
    assert {file.parent.name for file in at.curves.rglob("*.parquet")} == {
        "city=..%2F%E6%B5%8E%2F%E5%8D%97", "city=济南",
    }  # fmt: skip
    assert read(at, city="../济/南") == {("M1", JULY): 1}


def test_while_the_keys_stay_the_same_the_same_key_arrays_are_handed_out(at, put_curves):
    rows = {(meter, july(day)): day for meter in ("M1", "M2") for day in (1, 2)}
    put_curves(at, "a", 1, rows | {("M1", july(3)): 3}, cities={"M2": "yantai"})
    first, second, third = curve_days(at, "meter_readings", JULY, AUGUST)
    assert second.keys is first.keys
    assert third.keys["meter_id"].to_pylist() == ["M1"]


def test_a_reader_that_stops_early_leaves_nothing_open(at, put_curves):
    put_curves(at, "a", 1, {("M1", july(day)): day for day in range(1, 20)})
    days = curve_days(at, "meter_readings", JULY, AUGUST)
    assert next(days).date == july(1)
    days.close()


def test_a_record_table_has_no_curves(at):
    with pytest.raises(KeyError, match="not a curve table; there are: meter_readings, contract_curves"):
        next(curve_days(at, "meters", JULY, AUGUST))


ROWS = st.dictionaries(
    st.tuples(
        st.sampled_from(["M1", "M2", "M3", "M4"]), st.integers(0, 4).map(lambda n: JULY + timedelta(days=n))
    ),
    st.integers(0, 1000),
    min_size=1,
    max_size=12,
)


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(ROWS, min_size=1, max_size=4),
    st.lists(st.sampled_from(["jinan", "yantai"]), min_size=16, max_size=16),
)
def test_reading_equals_a_dictionary_updated_delivery_by_delivery(
    new_home, put_curves, recorded, deliveries, cities
):
    at = new_home()
    known: dict = {}
    moments = []
    for number, rows in enumerate(deliveries):
        city = {f"M{n}": cities[(4 * number + n) % 16] for n in range(1, 5)}
        put_curves(at, f"d{number}", number, rows, cities=city, revised=set(rows) & set(known))
        known |= rows
        moments.append(dict(known))
    for number, expected in enumerate(moments):
        assert read(at, as_of=recorded(number)) == expected
    assert sum(entry.rows for entry in curve_inputs(at, "meter_readings", JULY, AUGUST)) == len(known)


def test_the_direct_way_and_the_merging_way_give_the_same_day(at, put_curves, monkeypatch):
    rows = {(f"M{n:03d}", july(day)): n * day for n in range(50) for day in range(1, 6)}
    cities = {f"M{n:03d}": ("jinan", "yantai", "qingdao")[n % 3] for n in range(50)}
    put_curves(at, "a", 1, {key: value for key, value in rows.items() if key[1] < july(3)}, cities=cities)
    put_curves(at, "b", 2, {key: value for key, value in rows.items() if key[1] >= july(3)}, cities=cities)
    merged = []
    monkeypatch.setattr(curves_module, "newest_win", lambda parts: merged.append(len(parts)) or parts)
    direct = list(curve_days(at, "meter_readings", JULY, AUGUST))
    assert merged == []  # no revision, no merge
    monkeypatch.undo()
    for day in direct:
        again = curves_module.newest_win(_parts(at, day.date))
        assert np.array_equal(np.concatenate([part.values for part in again]), day.values)
        assert [key for part in again for key in part.keys[0].to_pylist()] == day.keys["meter_id"].to_pylist()


def _parts(at, day):
    from market.tables import TABLES

    table = TABLES["meter_readings"]
    plan = curves_module.visible_files(at, "meter_readings", day, day + timedelta(days=1), None, None)
    ((_, parts),) = curves_module._days(at, table, plan, ["meter_id", "quality", "values"], None)
    return parts
