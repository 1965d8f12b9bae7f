"""Record tables read together and columns built a stretch at a time: the same as row by row, one by one."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from market.tables import TABLES
from warehouse import record_columns
from warehouse.curves import curve_days, curve_inputs
from warehouse.record_columns import frame_of
from warehouse.records import read_records, read_tables, record_inputs, table_inputs

MAY = date(2022, 5, 1)
DELIVERIES = st.lists(
    st.dictionaries(st.sampled_from(["C1", "C2", "C3"]), st.integers(1, 3), min_size=1),
    min_size=1,
    max_size=4,
)


def contract(name, mills):
    return (name, "S", "B", mills, MAY, None)


def path(name, seq):
    return (name, seq, "S1", "NX", "SD")


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(DELIVERIES)
def test_the_newest_row_of_every_key_is_read_and_counted_whether_anything_was_revised_or_not(
    new_home, put_records, recorded, deliveries
):
    at = new_home()
    known: dict[str, tuple[int, str]] = {}
    moments = []
    for number, prices in enumerate(deliveries):
        put_records(at, f"d{number}", number, "contracts", [contract(*one) for one in sorted(prices.items())])
        for name, mills in prices.items():
            if known.get(name, (None,))[0] != mills:
                known[name] = (mills, f"d{number}")
        moments.append(dict(known))
    for number, expected in enumerate(moments):
        frame = read_records(at, "contracts", as_of=recorded(number))
        assert frame["contract_id"].tolist() == sorted(expected)
        assert frame["price_cny_per_mwh"].tolist() == [
            Decimal(expected[name][0]).scaleb(-3) for name in sorted(expected)
        ]
        counted = {one.file_name: one.rows for one in record_inputs(at, "contracts", as_of=recorded(number))}
        assert counted == dict(pd.Series([file for _, file in expected.values()]).value_counts())


def test_tables_read_together_are_those_read_one_by_one(at, put_records, recorded):
    put_records(at, "p", 1, "paths", [path("P2", 1), path("P1", 1)])
    put_records(at, "c", 2, "contracts", [contract("C1", 5), contract("C0", 7)])
    put_records(at, "d", 3, "contracts", [contract("C1", 6)])
    tables = ["contracts", "meters", "paths"]
    for as_of in (None, recorded(2), recorded(0)):
        for table, frame in read_tables(at, tables, as_of=as_of).items():
            pd.testing.assert_frame_equal(frame, read_records(at, table, as_of=as_of))
        together = table_inputs(at, tables, as_of=as_of)
        assert together == [one for table in tables for one in record_inputs(at, table, as_of=as_of)]
    assert next(one.file_name for one in table_inputs(at, ["paths", "contracts"])) == "p"
    assert table_inputs(at, []) == []
    with pytest.raises(KeyError, match="not a record table"):
        read_tables(at, ["paths", "prices"])


def test_rows_of_many_stretches_stand_by_key_and_equal_values_are_one_object():
    size = 3 * record_columns.STRETCH + 7
    rows = [
        (f"C{n:06d}", "".join(["S", "1"]), "B", 1000 + n % 5, date(2022, 5, 1), None, "".join(["d"] * 64), n)
        for n in reversed(range(size))
    ]
    stretches = (rows[n : n + record_columns.STRETCH] for n in range(0, size, record_columns.STRETCH))
    frame = frame_of(TABLES["contracts"], stretches)
    assert frame["contract_id"].tolist() == [f"C{n:06d}" for n in range(size)]
    assert frame["price_cny_per_mwh"].tolist() == [Decimal(1000 + n % 5).scaleb(-3) for n in range(size)]
    assert frame["line"].tolist() == list(range(size))
    assert frame["line"].dtype == "int64"
    for name, most in (("delivery_id", 1), ("valid_from", 1), ("seller_id", 1), ("price_cny_per_mwh", 5)):
        assert len({id(value) for value in frame[name]}) == most


def test_rows_of_curve_files_are_counted_as_they_are_read_between_any_dates(at, put_curves):
    days = [date(2022, 7, day) for day in range(28, 32)] + [date(2022, 8, day) for day in range(1, 4)]
    put_curves(at, "a", 1, {(meter, day): 1 for meter in ("M1", "M2") for day in days})
    put_curves(at, "b", 2, {("M3", day): 1 for day in days[2:5]})
    for first in days:
        for after in days:
            read = [
                curve.delivery(row)
                for curve in curve_days(at, "meter_readings", first, after)
                for row in range(len(curve.values))
            ]
            counted = {one.delivery_id: one.rows for one in curve_inputs(at, "meter_readings", first, after)}
            assert counted == dict(pd.Series(read, dtype=object).value_counts())
