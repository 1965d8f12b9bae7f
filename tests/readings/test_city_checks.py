"""What was found in a city is taken over while nothing of that city has changed, and is the same as if made anew."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from ingest.deliver import deliver
from jobs.kept_checks import Checked, written
from jobs.month_readings import CheckedReadings, check_city, check_readings
from jobs.roster import Roster
from market.periods import LABELS, Month
from market.profiles import profile
from warehouse.home import Home, home
from warehouse.records import read_records

JULY, RULES = Month(2022, 7), profile("SD_2022")
HEAD = f"meter_id,date,quality,{','.join(LABELS)}\n"
TABLES = ("participants", "meters", "registers", "contracts")
FIXTURES = Path(__file__).parent / "fixtures"
BASE = Path(__file__).parent.parent / "scenarios" / "base"


@pytest.fixture
def at(base_home: Home, tmp_path: Path) -> Home:
    """The small month with gaps in Jinan (M-A2) and in Qingdao (M-T1), and a register that ran backwards."""
    shutil.copytree(base_home.root, tmp_path / "home")
    there = home(tmp_path / "home")
    bring(there, tmp_path, "M-A2,2022-07-20,measured," + "100," * 39 + "-5," + "100," * 55 + "100\n")
    shutil.copy(FIXTURES / "register_backwards.registers.csv", tmp_path / "registers.csv")
    deliver(there, tmp_path / "registers.csv")
    return there


def bring(at: Home, folder: Path, rows: str, name: str = "meter_readings_more.csv") -> None:
    (folder / name).write_text(HEAD + rows)
    assert deliver(at, folder / name).status == "accepted"


def checked(at: Home, kind: str = "final", **how: object) -> CheckedReadings:
    records = {table: read_records(at, table) for table in TABLES}
    roster = Roster(JULY, records["participants"], records["meters"], records["contracts"])
    return check_readings(at, roster, records, RULES, kind, None, **how)  # type: ignore[arg-type]


def as_text(one: CheckedReadings) -> str:
    return written(Checked(one.findings, one.estimates))


@pytest.mark.parametrize("kind", ["draft", "final"])
def test_city_by_city_is_the_same_as_all_at_once(at: Home, kind: str) -> None:
    whole = checked(at, kind)
    first, second = checked(at, kind, reuse=True), checked(at, kind, reuse=True)
    assert (first.checked, second.checked) == (("jinan", "qingdao"), ())
    assert as_text(first) == as_text(second) == as_text(whole)
    assert whole.findings


def test_a_change_in_one_city_leaves_the_others_as_they_were(at: Home, tmp_path: Path) -> None:
    checked(at, reuse=True)
    bring(at, tmp_path, "M-T1,2022-07-09,missing," + "," * 95 + "\n", "meter_readings_qingdao.csv")
    again = checked(at, reuse=True)
    assert again.checked == ("qingdao",)
    assert {one.meter_id for one in again.estimates} == {"M-T1"}
    assert as_text(again) == as_text(checked(at))


def test_new_limits_and_another_kind_of_run_are_checked_anew(at: Home, tmp_path: Path) -> None:
    checked(at, "final", reuse=True)
    assert checked(at, "draft", reuse=True).checked == ("jinan", "qingdao")
    shutil.copy(FIXTURES / "sub_meters_exceed.meters.csv", tmp_path / "meters.csv")
    deliver(at, tmp_path / "meters.csv")
    assert checked(at, "final", reuse=True).checked != ()
    assert as_text(checked(at, "final", reuse=True)) == as_text(checked(at, "final"))


def test_a_kept_file_that_was_changed_is_not_used(at: Home) -> None:
    found = checked(at, reuse=True)
    for file in (at.root / "checks" / "2022-07").iterdir():
        file.write_text(file.read_text().replace("M-A2", "M-A1"))
    again = checked(at, reuse=True)
    assert again.checked == ("jinan",)  # only what Jinan had to say names the meter
    assert as_text(again) == as_text(found)


def test_a_city_checked_after_its_delivery_is_not_checked_again_by_the_run(at: Home) -> None:
    found = check_city(at, JULY, "jinan", RULES, "draft")
    assert {one.city for one in found.findings} == {"jinan"}
    assert json.loads(written(Checked(found.findings, ())))["findings"]
    records = {table: read_records(at, table) for table in TABLES}
    roster = Roster(JULY, records["participants"], records["meters"], records["contracts"])
    assert check_readings(at, roster, records, RULES, "draft", None, reuse=True).checked == ("qingdao",)


def test_a_meter_whose_owner_has_moved_is_found_where_its_readings_stand(at: Home, tmp_path: Path) -> None:
    people = (BASE / "participants.csv").read_text("utf-8-sig").splitlines()
    moved = [row.replace(",qingdao,", ",jinan,") for row in people if row.startswith("T1,")]
    (tmp_path / "participants.csv").write_text("\n".join([people[0], *moved]) + "\n")
    assert deliver(at, tmp_path / "participants.csv").revised == 1
    bring(at, tmp_path, "M-T1,2022-07-09,missing," + "," * 95 + "\n", "meter_readings_moved.csv")
    found = checked(at, reuse=True, cities=["jinan"])
    assert {one.meter_id for one in found.estimates} >= {"M-T1"}
    assert as_text(checked(at, reuse=True)) == as_text(checked(at))
