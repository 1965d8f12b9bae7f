"""Every table is read as it was known at a moment."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from test_ingest_status import JULY, base_rows, put, ticking, with_value

from ingest.deliver import deliver, deliver_many
from jobs import actor
from jobs.access import NotAllowedError
from jobs.known_table import UnknownTableError, known_table
from market.tables import TABLES
from warehouse.home import Home, create, home

JUNE, LATER, LATEST = (datetime(2022, month, 30, tzinfo=UTC) for month in (6, 8, 9))


@pytest.fixture
def twice_told(tmp_path) -> Home:
    """W1's meter and its reading of 1 July, each revised at the end of August."""
    at = home(tmp_path / "home")
    create(at)
    meters, readings = (base_rows(name, "M-W1") for name in ("meters.csv", "meter_readings.csv"))
    readings = [readings[0], next(row for row in readings if ",2022-07-01," in row)]
    place, noon = meters[0].split(",").index("multiplier"), readings[0].split(",").index("12:00")
    people = base_rows("participants.csv", "")
    first = [put(tmp_path, f"{name}_1.csv", rows) for name, rows in
             (("participants", people), ("meters", meters), ("meter_readings", readings))]  # fmt: skip
    deliver_many(at, first, clock=ticking(JUNE))
    for name, row in (
        ("meters", with_value(meters[1], place, "90")),
        ("meter_readings", with_value(readings[1], noon, "7")),
    ):
        header = (meters if name == "meters" else readings)[0]
        deliver(at, put(tmp_path, f"{name}_2.csv", [header, row]), clock=ticking(LATER))
    return at


def cells(at: Home, name: str, column: str, as_of: datetime | None = None) -> list[str]:
    header, *rows = known_table(at, name, JULY, as_of)
    return [row[header.index(column)] for row in rows]


def test_a_revision_is_read_now_and_the_old_value_as_of_then(twice_told, tmp_path):
    assert cells(twice_told, "meters", "multiplier") == ["90.000"]
    assert cells(twice_told, "meters", "multiplier", datetime(2022, 8, 1, tzinfo=UTC)) == ["100.000"]
    assert cells(twice_told, "meter_readings", "12:00") == ["7.000000"]
    before = cells(twice_told, "meter_readings", "12:00", datetime(2022, 8, 1, tzinfo=UTC))
    assert before != ["7.000000"]
    assert cells(twice_told, "meter_readings", "line") == ["2"]
    assert cells(twice_told, "meter_readings", "12:00", datetime(2022, 1, 1, tzinfo=UTC)) == []


def test_every_table_can_be_read(twice_told):
    for name, table in TABLES.items():
        header, *_ = known_table(twice_told, name, JULY)
        assert set(table.key) <= set(header)


def test_an_unknown_table_and_a_reader_of_one_city_are_refused(twice_told, monkeypatch):
    with pytest.raises(UnknownTableError, match="There is no table metres"):
        known_table(twice_told, "metres", JULY)
    li = actor.Actor("li", "李", "os:li", frozenset({actor.Role.CHECKER}), cities=frozenset({"jinan"}))
    monkeypatch.setattr(actor, "current", lambda home: li)
    with pytest.raises(NotAllowedError, match="holds the rows of the whole province"):
        known_table(twice_told, "meters", JULY)
