"""A past week through both ingest DAGs, day by day, with late and repeated files, and then the same week again."""

from __future__ import annotations

import os
from collections import Counter
from datetime import date, timedelta
from pathlib import Path

import pytest

from jobs.feeds import status
from market.periods import Month
from warehouse.curves import curve_days
from warehouse.home import Home, create, home
from warehouse.records import read_records

BASE = Path(__file__).resolve().parents[1] / "scenarios" / "base"
WEEK = [date(2022, 7, 1) + timedelta(days=number) for number in range(7)]
CITY_OF = {"M-W1": "jinan", "M-A1": "yantai"}
AN_HOUR_AGO = 3600

pytestmark = [pytest.mark.xdist_group("airflow"), pytest.mark.timeout(280)]


def put(folder: Path, name: str, lines: list[str]) -> None:
    path = folder / name
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    written = path.stat().st_mtime - AN_HOUR_AGO
    os.utime(path, (written, written))


def rows(table: str, start: str, day: date) -> list[str]:
    header, *lines = (BASE / f"{table}.csv").read_text("utf-8-sig").splitlines()
    return [header, *(line for line in lines if line.startswith(start) and f",{day}," in line)]


@pytest.fixture(scope="module")
def week_home(run_dag, tmp_path_factory):
    """Files of a week as they lie in ``arrivals`` when the week is long over."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GRIDSETTLE_HOME", str(tmp_path_factory.mktemp("home")))
        at = home()
        create(at)
        folder = at.root / "arrivals"
        folder.mkdir()
        for table in ("participants", "meters"):
            put(folder, f"{table}.csv", (BASE / f"{table}.csv").read_text("utf-8-sig").splitlines())
        for day in WEEK:
            put(folder, f"prices_{day}.csv", rows("prices", "SD_A", day))
            for meter, city in CITY_OF.items():
                put(folder, f"meter_readings_{day}_{city}.csv", rows("meter_readings", meter, day))
        yield at


def tables(at: Home) -> dict:
    return {
        "meters": read_records(at, "meters").to_dict("list"),
        **{
            table: [
                (
                    str(day.date),
                    {name: keys.to_pylist() for name, keys in day.keys.items()},
                    day.values.tolist(),
                )
                for day in curve_days(at, table, WEEK[0], date(2022, 8, 1))
            ]
            for table in ("meter_readings", "prices")
        },
    }


def states(run) -> Counter:
    return Counter((task.task_id, task.state) for task in run.get_task_instances())


@pytest.fixture(scope="module")
def backfilled(run_dag, week_home):
    """The tables after the market's files, after each day of readings, and after the whole week a second time."""
    seen = []
    late = rows("meter_readings", "M-W1", WEEK[1])
    late[1] = ",".join([*late[1].split(",")[:-1], "0.125"])
    for again in range(2):
        assert run_dag("ingest_market", {"day": str(WEEK[-1])}).state == "success"
        for day in WEEK if again == 0 else (WEEK[0], WEEK[-1]):
            if day == WEEK[3] and again == 0:
                put(week_home.root / "arrivals", f"meter_readings_{WEEK[1]}_late_jinan.csv", late)
            run = run_dag("ingest_meters", {"day": str(day)})
            assert states(run)["deliver", "success"] == 2
            assert (
                states(run)["check_readings", "success"] == 2
            )  # jinan and qingdao, where the meters' owners are
            seen.append(tables(week_home))
    return seen


def test_a_day_takes_its_own_readings_and_leaves_those_of_later_days(backfilled):
    for number, seen in enumerate(backfilled[: len(WEEK)]):
        assert [day for day, _, _ in seen["meter_readings"]] == [str(day) for day in WEEK[: number + 1]]


def test_a_late_file_revises_its_day_when_it_has_come(backfilled):
    days = [{day: values for day, _, values in seen["meter_readings"]} for seen in backfilled[2:4]]
    last = [values[str(WEEK[1])] for values in days]
    assert last[0] != last[1]
    assert 125_000 in [row[-1] for row in last[1]]


def test_the_same_week_again_changes_no_table_and_every_file_is_answered_as_a_duplicate(
    backfilled, week_home
):
    assert backfilled[len(WEEK) :] == [backfilled[len(WEEK) - 1]] * 2
    answers = Counter(answer.status for answer in status(week_home, Month(2022, 7)).arrivals)
    assert answers["accepted"] == 2 + 7 + 14 + 1
    assert set(answers) == {"accepted", "duplicate"}
