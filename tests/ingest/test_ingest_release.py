"""Rows leave quarantine by name with a reason, or by themselves when what they refer to has come."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from delivered import LONG, METERS, PARTICIPANTS, READINGS, put, reading, ticking
from sqlalchemy import select, text
from sqlalchemy.exc import DatabaseError

from ingest.deliver import deliver
from ingest.quarantine_queue import reject, release
from ingest.release import ReleaseRefusedError
from ingest.waiting_rows import NotInQuarantineError, entries
from warehouse.curves import curve_days
from warehouse.home import engine, transaction
from warehouse.models import Arrival, QuarantineDecision
from warehouse.records import read_records

DAY = "2022-07-01"
JULY = date(2022, 7, 1), date(2022, 8, 1)
CONTRACTS = "contract_id,seller_id,buyer_id,price_cny_per_mwh,valid_from,valid_to\n"
BY = {"actor": "wang (metering, jinan)", "reason": "read from the meter's display"}


def first_values(at, **known):
    return {
        key: int(value)
        for day in curve_days(at, "meter_readings", *JULY, **known)
        for key, value in zip(day.keys["meter_id"].to_pylist(), day.values[:, 0], strict=True)
    }


def states(at) -> dict:
    return {entry.line: entry.decision for entry in entries(at, decided=None)}


def test_a_mended_row_goes_in_as_a_delivery_of_its_own_and_the_decision_stays(at, tmp_path):
    file = put(tmp_path, "meter_readings.csv", READINGS + reading("M1", DAY, "1O", 2) + reading("M2", DAY, 3))
    origin = deliver(at, file)
    (waiting,) = entries(at)
    assert (waiting.line, waiting.code, waiting.decision) == (2, "bad_number", "waiting")

    receipt = release(at, origin.delivery_id[:8], [2], corrections={2: {"00:15": "10"}}, **BY)

    assert (receipt.status, receipt.accepted) == ("accepted", 1)
    assert receipt.file_name == f"meter_readings_released_{origin.delivery_id[:16]}_2.csv"
    assert first_values(at) == {"M1": 10_000_000, "M2": 3_000_000}
    assert entries(at) == []
    (decided,) = entries(at, decided=True)
    assert (decided.decision, decided.actor, decided.reason) == ("released", BY["actor"], BY["reason"])
    assert (decided.correction, decided.released_as) == ({"00:15": "10"}, receipt.delivery_id)
    assert file.read_bytes() == (at.inbox / origin.delivery_id[:16] / file.name).read_bytes()


def test_a_row_that_is_still_wrong_stays_and_says_why(at, tmp_path):
    origin = deliver(at, put(tmp_path, "meter_readings.csv", READINGS + reading("M1", DAY, "1O")))
    with pytest.raises(ReleaseRefusedError, match=r"Line 2 .* holds '1O', which is not a plain decimal"):
        release(at, origin.delivery_id, [2], **BY)
    with pytest.raises(ReleaseRefusedError, match="no column 00:16"):
        release(at, origin.delivery_id, [2], corrections={2: {"00:16": "1"}}, **BY)
    assert states(at) == {2: "waiting"}
    assert first_values(at) == {}


def test_a_rejected_row_never_comes_back_not_even_with_its_file(at, tmp_path):
    file = put(tmp_path, "meter_readings.csv", READINGS + reading("M9", DAY, 1) + reading("M8", DAY, 1))
    origin = deliver(at, file)
    reject(at, origin.delivery_id, [2], actor="li", reason="a meter of another province")
    assert states(at) == {2: "rejected", 3: "waiting"}
    meters = METERS + "M9,U1,1,1,2022-01-01,\nM8,U1,1,1,2022-01-01,\n"
    deliver(at, put(tmp_path, "meters.csv", meters))
    assert first_values(at) == {"M8": 1_000_000}
    assert deliver(at, file).status == "duplicate"
    assert states(at) == {2: "rejected", 3: "arrived"}


def test_a_decision_is_final(at, tmp_path):
    origin = deliver(at, put(tmp_path, "meter_readings.csv", READINGS + reading("M1", DAY, "x")))
    reject(at, origin.delivery_id, [2], actor="li", reason="no use")
    with pytest.raises(NotInQuarantineError, match=r"Line 2 was rejected by li .*no use.*final"):
        release(at, origin.delivery_id, [2], corrections={2: {"00:15": "1"}}, **BY)
    for change in ("UPDATE quarantine_decision SET actor = 'zhao'", "DELETE FROM arrival"):
        with pytest.raises(DatabaseError, match="never changed or removed"), transaction(at) as connection:
            connection.execute(text(change))


@pytest.mark.parametrize(
    ("delivery", "lines", "reason", "said"),
    [
        ("", [3], "ok", "Line 3 is not in quarantine; of this delivery wait the lines 2"),
        ("ffff", [2], "ok", "0 deliveries with quarantined rows begin with 'ffff'"),
        ("", [], "ok", "No line was named"),
        ("", [2], "  ", "needs a reason"),
    ],
)
def test_what_is_not_there_or_has_no_reason_is_refused(at, tmp_path, delivery, lines, reason, said):
    deliver(at, put(tmp_path, "meter_readings.csv", READINGS + reading("M1", DAY, "x")))
    with pytest.raises((NotInQuarantineError, ValueError), match=said):
        reject(at, delivery, lines, actor="li", reason=reason)


def test_an_old_row_does_not_cover_what_came_after_it(at, tmp_path):
    origin = deliver(at, put(tmp_path, "meter_readings.csv", READINGS + reading("M1", DAY, "x", 2)))
    deliver(at, put(tmp_path, "meter_readings_again.csv", READINGS + reading("M1", DAY, 7)))
    with pytest.raises(ReleaseRefusedError, match=r"meter_readings_again\.csv, which came after"):
        release(at, origin.delivery_id, [2], corrections={2: {"00:15": "1"}}, **BY)
    contract = deliver(at, put(tmp_path, "contracts.csv", CONTRACTS + "C1,U2,U1,3x,2022-01-01,\n"))
    deliver(at, put(tmp_path, "contracts_2.csv", CONTRACTS + "C1,U2,U1,400,2022-01-01,\n"))
    with pytest.raises(ReleaseRefusedError, match=r"contracts_2\.csv, which came after"):
        release(at, contract.delivery_id, [2], corrections={2: {"price_cny_per_mwh": "300"}}, **BY)


def test_a_record_is_released_as_a_revision_and_the_old_value_is_still_known(at, tmp_path):
    clock = ticking(datetime(2031, 1, 1, tzinfo=UTC))
    file = put(tmp_path, "contracts.csv", CONTRACTS + "C1,U2,U1,=3+4,2022-01-01,\n")
    origin = deliver(at, file, clock=clock)
    mended = {2: {"price_cny_per_mwh": "388.8"}}
    assert release(at, origin.delivery_id, [2], corrections=mended, clock=clock, **BY).revised == 1
    price = "price_cny_per_mwh"
    assert read_records(at, "contracts")[price].tolist() == [Decimal("388.8")]
    then = datetime(2031, 1, 1, 12, tzinfo=UTC)
    assert read_records(at, "contracts", as_of=then)[price].tolist() == [Decimal("372.5")]


def test_one_long_reading_goes_back_into_its_day(at, tmp_path):
    rows = [
        f"M1,{DAY}T{hour:02d}:00:00+08:00,{hour if hour != 5 else '5kWh'},measured\n" for hour in range(24)
    ]
    origin = deliver(at, put(tmp_path, "meter_readings_long.csv", LONG + "".join(rows)))
    assert origin.quarantined == 1
    receipt = release(at, origin.delivery_id, [7], corrections={7: {"kwh": "5"}}, **BY)
    assert (receipt.status, receipt.rows, receipt.revised) == ("accepted", 1, 1)
    (day,) = curve_days(at, "meter_readings", *JULY)
    assert not day.has_missing
    assert day.values[0, 20:24].tolist() == [1_250_000] * 4


def test_a_long_reading_is_only_covered_by_what_came_later_for_its_own_hour(at, tmp_path):
    hour = f"M1,{DAY}T05:00,{{}},measured\n"
    rest = f"M1,{DAY}T06:00,1,measured\nM1,{DAY}T07:00,1,measured\n"
    first = deliver(at, put(tmp_path, "meter_readings_a.csv", LONG + hour.format("x") + rest))
    deliver(at, put(tmp_path, "meter_readings_b.csv", LONG + rest.replace(",1,", ",3,")))
    assert release(at, first.delivery_id, [2], corrections={2: {"kwh": "8"}}, **BY).status == "accepted"
    (day,) = curve_days(at, "meter_readings", *JULY)
    assert day.values[0, 20:32].tolist() == [2_000_000] * 4 + [750_000] * 8

    second = deliver(at, put(tmp_path, "meter_readings_c.csv", LONG + hour.format("y") + rest))
    later = LONG + hour.format("12") + rest.replace(",1,", ",5,")
    deliver(at, put(tmp_path, "meter_readings_d.csv", later))
    with pytest.raises(ReleaseRefusedError, match=r"meter_readings_d\.csv, which came after"):
        release(at, second.delivery_id, [2], corrections={2: {"kwh": "8"}}, **BY)


def test_a_row_without_columns_of_its_own_is_given_whole(at, tmp_path):
    origin = deliver(at, put(tmp_path, "contracts.csv", CONTRACTS + "C7,U2,U1\n"))
    with pytest.raises(ReleaseRefusedError, match="did not fit the header"):
        release(at, origin.delivery_id, [2], corrections={2: {"price_cny_per_mwh": "1"}}, **BY)
    whole = dict(zip(CONTRACTS.strip().split(","), ["C7", "U2", "U1", "9", "2022-01-01", ""], strict=True))
    assert release(at, origin.delivery_id, [2], corrections={2: whole}, **BY).status == "accepted"
    assert read_records(at, "contracts")["contract_id"].tolist() == ["C1", "C7"]


def test_readings_before_meters_before_participants_go_in_when_the_last_has_come(at, tmp_path):
    rows = READINGS + reading("M7", DAY, 1) + reading("M1", DAY, 2)
    partly = deliver(at, put(tmp_path, "meter_readings.csv", rows))
    deliver(at, put(tmp_path, "meter_readings_b.csv", READINGS + reading("M7", "2022-07-02", 5)))
    deliver(at, put(tmp_path, "meters.csv", METERS + "M7,U7,1,1,2022-01-01,\n"))
    assert (partly.status, first_values(at)) == ("partly", {"M1": 2_000_000})
    deliver(at, put(tmp_path, "participants.csv", PARTICIPANTS + "U7,新,retail_user,jinan,2022-01-01,\n"))
    assert first_values(at) == {"M1": 2_000_000, "M7": 5_000_000}
    assert entries(at) == []
    with engine(at).connect() as connection:
        names = connection.scalars(select(Arrival.file_name).order_by(Arrival.number)).all()[-4:]
        decisions = connection.execute(select(QuarantineDecision.decision, QuarantineDecision.actor)).all()
    assert names == [
        "participants.csv",
        "meters.csv",
        f"meter_readings_released_{partly.delivery_id[:16]}_2.csv",
        "meter_readings_b.csv",
    ]
    assert [tuple(row) for row in decisions] == [("arrived", "gridsettle")]


def test_a_waiting_row_that_was_overtaken_is_superseded(at, tmp_path):
    early = put(tmp_path, "contracts.csv", CONTRACTS + "C7,U9,U1,300,2022-01-01,\n")
    deliver(at, early)
    deliver(at, put(tmp_path, "contracts_2.csv", CONTRACTS + "C7,U2,U1,310,2022-01-01,\n"))
    deliver(at, put(tmp_path, "participants.csv", PARTICIPANTS + "U9,新,retail_user,jinan,2022-01-01,\n"))
    frame = read_records(at, "contracts").set_index("contract_id")
    assert frame.loc["C7", "price_cny_per_mwh"] == Decimal(310)
    assert states(at) == {2: "superseded"}
