"""Each defect on its own small file fires its rule and no other; the sibling that is right stays silent.

``fixtures/<code>.<table>.csv`` is the defect, ``<code>.good.<table>.csv`` its sibling; both are delivered after the
files of the scenarios' small month (``tests/scenarios/base``).
"""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli import app
from ingest.deliver import deliver
from jobs.month_readings import CheckedReadings, check_month
from jobs.reading_findings import GAPS, OF_INTERVALS, OF_REGISTERS
from market.periods import Month
from market.profiles import profile
from reports.labels import FINDINGS
from warehouse.home import Home, home

HERE = Path(__file__).parent
FIXTURES = HERE / "fixtures"
BAD = sorted(file for file in FIXTURES.glob("*.csv") if ".good." not in file.name)
CODES = sorted({file.name.split(".")[0] for file in BAD})
BLOCKING = {"negative_reading", "missing_reading", "missing_meter_day"}
INFORMING = {"register_rolled_over"}


def checked(base_home: Home, tmp_path: Path, files: list[Path]) -> CheckedReadings:
    shutil.copytree(base_home.root, tmp_path / "home")
    at = home(tmp_path / "home")
    for file in sorted(files):
        named = tmp_path / f"{file.name.split('.')[-2]}.csv"
        shutil.copy(file, named)
        receipt = deliver(at, named)
        assert receipt.status == "accepted", receipt.reason
    found = check_month(at, Month(2022, 7), profile("SD_2022"))
    return replace(found, findings=(*found.gaps, *found.findings))


def test_the_small_month_itself_is_clean(base_home: Home, tmp_path: Path) -> None:
    assert checked(base_home, tmp_path, []).findings == ()


@pytest.mark.parametrize("code", CODES)
def test_the_defect_is_found_and_nothing_else(code: str, base_home: Home, tmp_path: Path) -> None:
    found = checked(base_home, tmp_path, list(FIXTURES.glob(f"{code}.[mr]*.csv"))).findings
    assert [finding.code for finding in found] == [code]
    severity = "block" if code in BLOCKING else "inform" if code in INFORMING else "review"
    assert str(found[0].severity) == severity
    assert code in FINDINGS
    assert found[0].city in ("jinan", "qingdao")
    assert found[0].subject in found[0].sentence


@pytest.mark.parametrize("code", CODES)
def test_its_good_sibling_is_silent(code: str, base_home: Home, tmp_path: Path) -> None:
    assert checked(base_home, tmp_path, list(FIXTURES.glob(f"{code}.good.*.csv"))).findings == ()


def test_the_command_lists_what_was_found(
    base_home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    checked(base_home, tmp_path, list(FIXTURES.glob("negative_reading.[mr]*.csv")))
    monkeypatch.setenv("GRIDSETTLE_HOME", str(tmp_path / "home"))
    told = CliRunner().invoke(app, ["readings", "2022-07", "--json"])
    assert [(row["code"], row["meter_id"]) for row in json.loads(told.stdout)] == [
        ("negative_reading", "M-W1")
    ]
    assert "电量为负" in CliRunner().invoke(app, ["readings", "2022-07"]).stdout


def test_a_gap_is_counted_point_by_point(base_home: Home, tmp_path: Path) -> None:
    (gap,) = checked(base_home, tmp_path, [FIXTURES / "missing_reading.meter_readings.csv"]).findings
    assert gap.evidence["points"] == {"2022-07-20": 3}  # 93 of 96
    assert "lacks 3 quarter-hours, first on 2022-07-20 (R25)" in gap.sentence


def test_every_rule_has_its_defect_and_its_good_sibling() -> None:
    rules = {*GAPS, *OF_INTERVALS, "reading_flat", "daily_jump", *OF_REGISTERS}
    good = {file.name.split(".")[0] for file in FIXTURES.glob("*.good.*.csv")}
    assert set(CODES) == good == rules
