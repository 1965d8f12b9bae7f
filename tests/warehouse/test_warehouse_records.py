"""Records: every revision is kept, the newest known one is read, every value comes back exactly."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from market.tables import TABLES
from warehouse.deliveries import newest_recorded_at
from warehouse.records import read_records, record_inputs

MAY, JUNE = date(2022, 5, 1), date(2022, 6, 1)


def contract(name, mills, valid_to=None):
    return (name, "S", "B", mills, MAY, valid_to)


def prices(at, **known):
    return read_records(at, "contracts", **known).set_index("contract_id")["price_cny_per_mwh"].to_dict()


def test_columns_stand_in_registry_order_and_keep_their_kinds(at, put_records):
    put_records(at, "p.csv", 1, "paths", [("P2", 1, "S1", "NX", "SD"), ("P1", 2, "S1", "NX", "SD")])
    put_records(at, "c.csv", 2, "contracts", [contract("C1", 372_500, JUNE), contract("C0", -1)])
    frame = read_records(at, "contracts")
    names = [column.name for column in TABLES["contracts"].columns]
    assert list(frame.columns) == [*names, "delivery_id", "line"]
    first, second = frame.to_dict("records")
    assert (first["contract_id"], second["contract_id"]) == ("C0", "C1")
    assert (first["price_cny_per_mwh"], second["price_cny_per_mwh"]) == (
        Decimal("-0.001"),
        Decimal("372.500"),
    )
    assert (first["valid_to"], second["valid_to"], second["valid_from"]) == (None, JUNE, MAY)
    assert (first["line"], second["line"]) == (3, 2)
    assert read_records(at, "paths")["seq"].dtype == "int64"


def test_a_table_without_rows_is_an_empty_frame_with_its_columns(at):
    frame = read_records(at, "meters")
    assert frame.empty
    assert list(frame.columns)[:2] == ["meter_id", "participant_id"]


def test_other_values_are_the_next_revision_and_the_same_values_are_nothing(at, put_records, recorded):
    assert put_records(at, "1", 1, "contracts", [contract("C1", 100), contract("C2", 5)]).new == 2
    second = put_records(at, "2", 2, "contracts", [contract("C1", 200), contract("C2", 5), contract("C3", 7)])
    assert (second.new, second.revised, second.unchanged) == (1, 1, 1)
    put_records(at, "3", 3, "contracts", [contract("C1", 100)])

    assert prices(at) == {"C1": Decimal("0.100"), "C2": Decimal("0.005"), "C3": Decimal("0.007")}
    assert prices(at, as_of=recorded(2))["C1"] == Decimal("0.200")
    assert prices(at, as_of=recorded(1)) == {"C1": Decimal("0.100"), "C2": Decimal("0.005")}
    assert prices(at, as_of=recorded(0)) == {}


def test_a_reader_may_name_the_deliveries_it_wants_to_see(at, put_records, recorded):
    put_records(at, "1", 1, "contracts", [contract("C1", 100)])
    put_records(at, "2", 2, "contracts", [contract("C1", 200)])
    (older,) = record_inputs(at, "contracts", as_of=recorded(1))
    assert prices(at, delivered={older.delivery_id}) == {"C1": Decimal("0.100")}
    assert prices(at, delivered=set()) == {}


def test_the_inputs_of_a_table_are_the_deliveries_that_hold_a_newest_row(at, put_records, recorded):
    put_records(at, "1", 1, "contracts", [contract("C1", 100), contract("C2", 5)])
    put_records(at, "2", 2, "contracts", [contract("C1", 200)])
    put_records(at, "3", 3, "contracts", [contract("C1", 300)])
    assert sorted((entry.file_name, entry.rows) for entry in record_inputs(at, "contracts")) == [
        ("1", 1),
        ("3", 1),
    ]
    before = record_inputs(at, "contracts", as_of=recorded(1))
    assert [(entry.file_name, entry.rows) for entry in before] == [("1", 2)]
    assert before[0].path == f"{before[0].delivery_id[:16]}/1"


def test_rows_of_a_rejected_delivery_are_not_seen(at, put_records, recorded):
    put_records(at, "1", 1, "contracts", [contract("C1", 100)])
    put_records(at, "2", 2, "contracts", [contract("C1", 200)], status="rejected")
    assert prices(at) == {"C1": Decimal("0.100")}
    assert newest_recorded_at(at) == recorded(1)


def test_a_curve_table_is_no_record_table(at):
    with pytest.raises(KeyError, match="not a record table; there are: participants"):
        read_records(at, "prices")


def test_offers_are_compared_by_day_and_keys_of_seven_columns_work(at, put_records):
    def bid(segment, mills, day=MAY):
        return ("SD", day, "day_ahead", 1, 96, segment, 10**6, mills, 1, "2022-05-01T10:00:00+08:00")

    put_records(at, "1", 1, "bids", [bid(1, 5), bid(2, 6), bid(1, 5, JUNE)])
    written = put_records(at, "2", 2, "bids", [bid(1, 5), bid(2, 7), bid(3, 8)])
    assert (written.new, written.revised, written.unchanged) == (1, 1, 1)
    assert len(read_records(at, "bids")) == 4
    assert read_records(at, "bids", first=date(2022, 5, 2))["date"].tolist() == [JUNE]
    assert len(read_records(at, "bids", first=MAY, after=JUNE)) == 3
    with pytest.raises(KeyError, match="date"):
        read_records(at, "contracts", first=MAY)


def test_a_record_whose_date_was_revised_is_found_on_its_new_date_only(at, put_records):
    def event(day):
        return ("E1", "D1", day, 1, 2, "2022-05-01T10:00:00+08:00", 1, "cut")

    put_records(at, "1", 1, "dr_events", [event(MAY)])
    put_records(at, "2", 2, "dr_events", [event(JUNE)])
    assert read_records(at, "dr_events", first=MAY, after=JUNE).empty
    assert len(read_records(at, "dr_events", first=JUNE)) == 1


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.integers(-(2**63) + 1, 2**63 - 1), min_size=1, max_size=10))
def test_every_whole_number_of_64_bits_comes_back_as_the_same_decimal(new_home, put_records, numbers):
    at = new_home()
    put_records(at, "1", 1, "contracts", [contract(f"C{n:02d}", value) for n, value in enumerate(numbers)])
    found = read_records(at, "contracts")["price_cny_per_mwh"].tolist()
    assert [int(value * 1000) for value in found] == numbers
    assert all(value.as_tuple().exponent == -3 for value in found)
