"""Files with different parts of one meter's day make the same day, whichever comes first."""

from __future__ import annotations

import json
import shutil
from datetime import UTC, date, datetime
from decimal import Decimal
from itertools import permutations

import pyarrow.parquet as pq
import pytest
from delivered import LONG, READINGS, put, ticking

from ingest.deliver import deliver
from jobs.delivery_diff import diff
from jobs.explain.sources import SourceFiles
from market.curves import MISSING
from warehouse.curves import curve_days, curve_inputs
from warehouse.home import home

DAY = "2022-07-01"
JULY = date(2022, 7, 1), date(2022, 8, 1)


def hours(first: int, after: int, kwh: object = 4, quality: str = "measured") -> str:
    return "".join(f"M1,{DAY}T{hour:02d}:00,{kwh},{quality}\n" for hour in range(first, after))


def wide(cells: list[object], quality: str = "measured") -> str:
    return READINGS + f"M1,{DAY},{quality},{','.join(map(str, cells))}\n"


NIGHT = ("meter_readings_night.csv", LONG + hours(0, 8, 4))
NOON = ("meter_readings_noon.csv", LONG + hours(8, 16, 8, "estimated"))
EVENING = ("meter_readings_evening.csv", wide([""] * 64 + [3] * 32))
WHOLE_DAY = [1_000_000] * 32 + [2_000_000] * 32 + [3_000_000] * 32


def the_day(at, **known):
    (day,) = curve_days(at, "meter_readings", *JULY, **known)
    return day


@pytest.fixture
def several(at, tmp_path):
    """Fresh copies of the home, one a call."""

    def copy(name: str):
        shutil.copytree(at.root, tmp_path / name)
        return home(tmp_path / name)

    return copy


def test_night_noon_and_evening_make_the_same_day_in_every_order(several, tmp_path):
    made = []
    for number, order in enumerate(permutations([NIGHT, NOON, EVENING])):
        at = several(f"home{number}")
        statuses = [deliver(at, put(tmp_path, *file)).status for file in order]
        assert statuses == ["accepted"] * 3
        day = the_day(at)
        inputs = [(one.file_name, one.rows) for one in curve_inputs(at, "meter_readings", *JULY)]
        made.append((day.values[0].tolist(), day.quality.to_pylist(), inputs))
    assert made[0][:2] == (WHOLE_DAY, ["m" * 32 + "e" * 32 + "m" * 32])
    assert {name for name, _ in made[0][2]} == {NIGHT[0], NOON[0], EVENING[0]}
    assert all(one == made[0] for one in made)


def test_a_later_file_corrects_only_the_quarter_hours_it_speaks_of(at, tmp_path):
    deliver(at, put(tmp_path, "meter_readings_first.csv", LONG + hours(0, 24)))
    late = deliver(at, put(tmp_path, "meter_readings_late.csv", LONG + hours(5, 7, 8)))
    assert (late.status, late.revised) == ("accepted", 1)
    assert the_day(at).values[0].tolist() == [1_000_000] * 20 + [2_000_000] * 8 + [1_000_000] * 68
    change = diff(at, late.delivery_id)
    assert (change.revised, change.impact.net_mwh) == (1, Decimal("0.008"))  # two hours, 4 kWh more each
    again = deliver(at, put(tmp_path, "meter_readings_again.csv", LONG + hours(0, 5) + hours(7, 24)))
    assert (again.unchanged, again.revised) == (1, 0)


def test_what_was_known_at_a_moment_stays_known(at, tmp_path):
    clock = ticking(datetime(2031, 1, 1, tzinfo=UTC))
    for file in (NIGHT, NOON, EVENING):
        deliver(at, put(tmp_path, *file), clock=clock)
    after_two = datetime(2031, 1, 2, 12, tzinfo=UTC)
    assert the_day(at, as_of=after_two).values[0].tolist() == WHOLE_DAY[:64] + [MISSING] * 32
    assert the_day(at, as_of=after_two).quality.to_pylist() == ["m" * 32 + "e" * 32 + "x" * 32]
    assert the_day(at).values[0].tolist() == WHOLE_DAY


def test_an_empty_cell_hides_nothing_and_the_receipt_says_so(at, tmp_path):
    deliver(at, put(tmp_path, *NIGHT))
    receipt = deliver(at, put(tmp_path, *EVENING))
    assert receipt.reason.startswith("32 empty quarter-hours are known from other deliveries and stay")
    assert the_day(at).values[0].tolist() == WHOLE_DAY[:32] + [MISSING] * 32 + WHOLE_DAY[64:]


@pytest.mark.parametrize("form", ["long", "wide"])
def test_the_word_missing_withdraws_a_reading(at, tmp_path, form):
    deliver(at, put(tmp_path, "meter_readings_first.csv", LONG + hours(0, 24)))
    text = LONG + hours(5, 7, "", "missing") if form == "long" else wide([""] * 96, "missing")
    assert deliver(at, put(tmp_path, "meter_readings_back.csv", text)).revised == 1
    day = the_day(at)
    gone = (day.values[0] == MISSING).tolist()
    assert gone == ([False] * 20 + [True] * 8 + [False] * 68 if form == "long" else [True] * 96)
    assert day.has_missing
    assert day.quality.to_pylist() == ["measured" if form == "long" else "missing"]  # of what is known


def test_every_file_that_brought_a_part_is_named_as_a_source(at, tmp_path):
    for file in (NIGHT, NOON, EVENING):
        deliver(at, put(tmp_path, *file))
    day = the_day(at)
    assert [(int(periods.sum()), line) for (_, periods), (_, line) in zip(day.brought(0), day.origins([0])[0], strict=True)] == [
        (32, 2), (32, 2), (32, 2),
    ]  # fmt: skip
    sources = SourceFiles(at, None).curves("meter_readings", JULY[0], ["M1"], "meter_id")
    assert [source.file.split("/")[1] for source in sources] == [EVENING[0], NOON[0], NIGHT[0]]


def test_the_warehouse_keeps_what_each_file_said(at, tmp_path):
    for file in (NIGHT, NOON):
        deliver(at, put(tmp_path, *file))
    stored = [pq.read_table(file).to_pylist()[0] for file in at.curves.rglob("meter_readings/**/*.parquet")]
    filled = sorted(sum(value is not None for value in row["values"]) for row in stored)
    assert filled == [32, 32]
    assert json.dumps(sorted(row["quality"] for row in stored)) == '["estimated", "measured"]'
