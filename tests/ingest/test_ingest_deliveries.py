"""A delivery is taken whole or not at all, once, and beside what it revises."""

from __future__ import annotations

import signal
import subprocess
import sys
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from delivered import METERS, PARTICIPANTS, READINGS, in_quarantine, put, reading, ticking
from sqlalchemy import func, select

from ingest import deliver as deliver_module
from ingest import ledger
from ingest.deliver import deliver, deliver_many, in_order
from warehouse.curves import curve_days, curve_inputs
from warehouse.home import HomeNotReadyError, engine, home
from warehouse.models import CurveFile, Delivery
from warehouse.records import read_records, record_inputs

JULY = date(2022, 7, 1), date(2022, 8, 1)
DAY = "2022-07-01"


def first_values(at, **known):
    return {
        key: int(value)
        for day in curve_days(at, "meter_readings", *JULY, **known)
        for key, value in zip(day.keys["meter_id"].to_pylist(), day.values[:, 0], strict=True)
    }


def counted(at, model):
    with engine(at).connect() as connection:
        return connection.scalar(select(func.count()).select_from(model))


def test_a_delivery_is_recorded_with_what_came_of_it(at, tmp_path):
    text = READINGS + reading("M1", DAY, 1) + reading("M2", "2022-07-03", 1) + reading("M9", DAY, 1)
    moment = datetime(2030, 8, 1, 9, tzinfo=UTC)
    receipt = deliver(
        at, put(tmp_path, "meter_readings_july.csv", text), sender="jinan", clock=lambda: moment
    )
    with engine(at).connect() as connection:
        row = connection.execute(select(Delivery).where(Delivery.delivery_id == receipt.delivery_id)).one()
    assert (row.table_name, row.file_name, row.sender) == (
        "meter_readings",
        "meter_readings_july.csv",
        "jinan",
    )
    assert (row.status, row.rows, row.accepted, row.quarantined, row.revised) == ("partly", 3, 2, 1, 0)
    assert (row.first_date, row.last_date, row.recorded_at) == (date(2022, 7, 1), date(2022, 7, 3), moment)
    assert "1 unknown_meter" in row.reason
    assert (at.inbox / receipt.delivery_id[:16] / "meter_readings_july.csv").read_text() == text


def test_the_same_bytes_twice_change_nothing(at, tmp_path):
    text = READINGS + reading("M1", DAY, 1)
    first = deliver(at, put(tmp_path, "meter_readings.csv", text))
    before = sorted(at.root.rglob("*.parquet")), counted(at, Delivery)

    again = deliver(at, put(tmp_path, "meter_readings_copy.csv", text))

    assert (again.status, again.delivery_id) == ("duplicate", first.delivery_id)
    assert "came as meter_readings.csv" in again.reason
    assert (sorted(at.root.rglob("*.parquet")), counted(at, Delivery)) == before


def test_other_bytes_with_the_same_rows_are_taken_without_revising_anything(at, tmp_path):
    first = deliver(at, put(tmp_path, "meter_readings.csv", READINGS + reading("M1", DAY, 1)))
    receipt = deliver(at, put(tmp_path, "meter_readings_2.csv", READINGS + reading("M1", DAY, "1.0")))
    assert (receipt.status, receipt.accepted, receipt.revised, receipt.unchanged) == ("accepted", 1, 0, 1)
    assert [i.delivery_id for i in curve_inputs(at, "meter_readings", *JULY)] == [first.delivery_id]


def test_a_revised_curve_stands_beside_the_old_and_an_earlier_moment_still_sees_the_old(at, tmp_path):
    clock = ticking(datetime(2031, 1, 1, tzinfo=UTC))
    old = READINGS + reading("M1", DAY, 1) + reading("M2", DAY, 2)
    new = READINGS + reading("M1", DAY, 5) + reading("M2", DAY, 2)
    deliver(at, put(tmp_path, "meter_readings.csv", old), clock=clock)

    receipt = deliver(at, put(tmp_path, "meter_readings_corrected.csv", new), clock=clock)

    assert (receipt.revised, receipt.unchanged) == (1, 1)
    assert first_values(at) == {"M1": 5_000_000, "M2": 2_000_000}
    known_then = datetime(2031, 1, 1, 12, tzinfo=UTC)
    assert first_values(at, as_of=known_then) == {"M1": 1_000_000, "M2": 2_000_000}
    assert first_values(at, as_of=datetime(2030, 1, 1, tzinfo=UTC)) == {}


def test_another_quality_with_the_same_values_is_a_revision(at, tmp_path):
    deliver(at, put(tmp_path, "meter_readings.csv", READINGS + reading("M1", DAY, 1, quality="estimated")))
    receipt = deliver(at, put(tmp_path, "meter_readings_2.csv", READINGS + reading("M1", DAY, 1)))
    assert receipt.revised == 1


def test_a_revised_record_stands_beside_the_old_and_an_earlier_moment_still_sees_the_old(at, tmp_path):
    clock = ticking(datetime(2031, 1, 1, tzinfo=UTC))
    head = "contract_id,seller_id,buyer_id,price_cny_per_mwh,valid_from,valid_to\n"
    first = put(tmp_path, "contracts_1.csv", head + "C1,U2,U1,380,2022-01-01,\nC2,U2,U1,400,2022-01-01,\n")
    second = put(tmp_path, "contracts_2.csv", head + "C1,U2,U1,390,2022-01-01,\nC2,U2,U1,400.0,2022-01-01,\n")

    assert deliver(at, first, clock=clock).revised == 1  # the home knew C1 at 372.5
    receipt = deliver(at, second, clock=clock)

    def prices(**known):
        return read_records(at, "contracts", **known).set_index("contract_id")["price_cny_per_mwh"].to_dict()

    assert (receipt.revised, receipt.unchanged) == (1, 1)
    assert prices() == {"C1": Decimal(390), "C2": Decimal(400)}
    assert prices(as_of=datetime(2031, 1, 1, 12, tzinfo=UTC)) == {"C1": Decimal(380), "C2": Decimal(400)}
    assert [
        (i.file_name, i.rows) for i in sorted(record_inputs(at, "contracts"), key=lambda i: i.file_name)
    ] == [
        ("contracts_1.csv", 1),
        ("contracts_2.csv", 1),
    ]


def test_a_clock_that_was_set_back_does_not_change_which_delivery_is_newest(at, tmp_path):
    deliver(at, put(tmp_path, "meter_readings.csv", READINGS + reading("M1", DAY, 1)))
    past = datetime(2001, 1, 1, tzinfo=UTC)
    deliver(at, put(tmp_path, "meter_readings_2.csv", READINGS + reading("M1", DAY, 2)), clock=lambda: past)
    assert first_values(at) == {"M1": 2_000_000}


def test_a_file_rejected_because_its_meters_came_later_goes_in_with_them_and_once(at, tmp_path):
    readings = put(tmp_path, "meter_readings.csv", READINGS + reading("M7", DAY, 1))
    early = deliver(at, readings)
    assert early.status == "rejected"
    deliver(at, put(tmp_path, "meters.csv", METERS + "M7,U1,1,1,2022-01-01,\n"))

    assert first_values(at) == {"M7": 1_000_000}
    assert in_quarantine(at, early.delivery_id) == []
    assert list(at.quarantine.iterdir()) == []
    assert (deliver(at, readings).status, first_values(at)) == ("duplicate", {"M7": 1_000_000})


def test_a_partly_taken_file_that_comes_again_says_how_to_mend_the_rest(at, tmp_path):
    file = put(tmp_path, "meter_readings.csv", READINGS + reading("M1", DAY, 1) + reading("M9", DAY, 1))
    deliver(at, file)
    assert "1 of its rows are in quarantine: mend them in quarantine/" in deliver(at, file).reason


@pytest.mark.parametrize(("module", "where"), [(deliver_module, "_commit"), (ledger, "recorded_at")])
def test_a_delivery_killed_before_its_commit_is_invisible_and_can_be_repeated(
    at, tmp_path, monkeypatch, module, where
):
    file = put(tmp_path, "meter_readings.csv", READINGS + reading("M1", DAY, 1))

    class Killed(BaseException):
        pass

    def die(*_):
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(module, where, die)
        with pytest.raises(Killed):
            deliver(at, file)

    assert list(at.curves.rglob("*.parquet")) != []  # left on disk, and no reader sees it
    assert first_values(at) == {}
    assert curve_inputs(at, "meter_readings", *JULY) == []
    assert counted(at, CurveFile) == 0
    assert deliver(at, file).status == "accepted"
    assert first_values(at) == {"M1": 1_000_000}


KILLED = """
import os, signal, sys
from pathlib import Path
from ingest import deliver, ledger
from warehouse.home import home
setattr(ledger, sys.argv[1], lambda *_: os.kill(os.getpid(), signal.SIGKILL))
deliver.deliver(home(Path(sys.argv[2])), Path(sys.argv[3]))
"""


@pytest.mark.parametrize(
    "where", ["recorded_at", "commit_quarantine"]
)  # at the beginning and in the middle of the transaction
def test_a_process_that_is_killed_leaves_no_trace_and_no_lock(at, tmp_path, where):
    file = put(tmp_path, "meter_readings.csv", READINGS + reading("M1", DAY, 1) + reading("M9", DAY, 1))
    command = [sys.executable, "-c", KILLED, where, str(at.root), str(file)]

    killed = subprocess.run(command, check=False, cwd=Path(deliver_module.__file__).parent.parent)

    assert killed.returncode == -signal.SIGKILL
    assert first_values(at) == {}
    assert counted(at, CurveFile) == 0
    assert deliver(at, file).status == "partly"
    assert first_values(at) == {"M1": 1_000_000}


def test_rows_stand_in_the_partition_of_the_city_their_participant_was_in_that_day(at, tmp_path):
    moved = PARTICIPANTS + "U1,济南钢铁,wholesale_user,yantai,2022-07-02,\n"
    deliver(at, put(tmp_path, "participants.csv", moved))
    rows = reading("M1", DAY, 1) + reading("M1", "2022-07-02", 1) + reading("M2", DAY, 1)
    deliver(at, put(tmp_path, "meter_readings.csv", READINGS + rows))
    found = {
        (str(day.date), key, day.city(row))
        for day in curve_days(at, "meter_readings", *JULY)
        for row, key in enumerate(day.keys["meter_id"].to_pylist())
    }
    assert found == {(DAY, "M1", "jinan"), ("2022-07-02", "M1", "yantai"), (DAY, "M2", "qingdao")}


def test_a_folder_is_delivered_in_the_order_its_tables_need(at, tmp_path):
    folder = tmp_path / "month"
    (folder / "deep").mkdir(parents=True)
    put(folder, "meter_readings_a.csv", READINGS + reading("M7", DAY, 1))
    put(folder / "deep", "meters.csv", METERS + "M7,U7,1,1,2022-01-01,\n")
    put(folder, "participants.csv", PARTICIPANTS + "U7,新用户,retail_user,jinan,2022-01-01,\n")
    put(folder, "unknown.csv", "a\n1\n")
    put(folder, "README.md", "not data")
    put(folder, "~$meters.xlsx", "a lock of an editor")
    seen = []

    receipts = deliver_many(
        at, [folder], on_progress=lambda done, total, r: seen.append((done, total, r.table))
    )

    assert [(r.table, r.status) for r in receipts] == [
        ("participants", "accepted"),
        ("meters", "accepted"),
        ("meter_readings", "accepted"),
        (None, "rejected"),
    ]
    assert seen[-1] == (4, 4, None)
    assert len(in_order([folder, folder / "participants.csv"])) == 4


def test_a_missing_path_is_said_before_anything_is_delivered(at, tmp_path):
    good = put(tmp_path, "meters.csv", METERS + "M3,U1,1,1,2022-01-01,\n")
    before = counted(at, Delivery)
    with pytest.raises(FileNotFoundError, match=r"nothing at .*nowhere"):
        deliver_many(at, [good, tmp_path / "nowhere"])
    with pytest.raises(FileNotFoundError, match="no file"):
        deliver(at, tmp_path)
    assert counted(at, Delivery) == before


def test_a_home_that_was_never_made_is_refused_with_the_command_that_makes_it(tmp_path):
    file = put(tmp_path, "meters.csv", METERS)
    with pytest.raises(HomeNotReadyError, match="gridsettle init"):
        deliver(home(tmp_path / "none"), file)


def test_a_file_with_only_a_header_is_an_accepted_delivery_of_nothing(at, tmp_path):
    receipt = deliver(at, put(tmp_path, "meter_readings.csv", READINGS))
    assert (receipt.status, receipt.rows, receipt.first_date) == ("accepted", 0, None)
    assert deliver(at, put(tmp_path, "meters.csv", METERS)).status == "accepted"
