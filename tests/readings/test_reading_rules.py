"""Each defect on its own small file fires its rule and no other; the sibling that is right stays silent.

``fixtures/<code>.<table>.csv`` is the defect, ``<code>.good.<table>.csv`` its sibling; both are delivered after the
files of the scenarios' small month (``tests/scenarios/base``).
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli import app
from ingest.deliver import deliver, deliver_many
from jobs.month_readings import CheckedReadings, check_month
from market.periods import Month
from market.profiles import profile
from reports.labels import FINDINGS
from warehouse.home import Home, create, home

HERE = Path(__file__).parent
FIXTURES = HERE / "fixtures"
BASE = HERE.parent / "scenarios" / "base"
BAD = sorted(file for file in FIXTURES.glob("*.csv") if ".good." not in file.name)
CODES = sorted({file.name.split(".")[0] for file in BAD})
BLOCKING = {"negative_reading"}
INFORMING = {"register_rolled_over"}


@pytest.fixture(scope="session")
def base_home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    at = home(tmp_path_factory.mktemp("base_home"))
    create(at)
    deliver_many(at, [BASE])
    return at


def checked(base_home: Home, tmp_path: Path, files: list[Path]) -> CheckedReadings:
    shutil.copytree(base_home.root, tmp_path / "home")
    at = home(tmp_path / "home")
    for file in sorted(files):
        named = tmp_path / f"{file.name.split('.')[-2]}.csv"
        shutil.copy(file, named)
        receipt = deliver(at, named)
        assert receipt.status == "accepted", receipt.reason
    return check_month(at, Month(2022, 7), profile("SD_2022"))


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
