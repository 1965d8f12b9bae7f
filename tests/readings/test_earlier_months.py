"""R01-R04 compare with earlier months by their quarter-hours where no register was read; unknown months are silent."""

from __future__ import annotations

import shutil
from datetime import date, timedelta
from pathlib import Path

import pytest

from ingest.deliver import deliver
from jobs.month_readings import check_month, reading_inputs
from market.periods import LABELS, Month
from market.profiles import profile
from warehouse.home import Home, home

FIXTURES = Path(__file__).parent / "fixtures"
JULY, RULES = Month(2022, 7), profile("SD_2022")
HEAD = f"meter_id,date,quality,{','.join(LABELS)}\n"
APRIL_TO_JUNE = date(2022, 4, 1), date(2022, 7, 1)
A_YEAR_BEFORE = date(2021, 7, 1), date(2021, 8, 1)


def history(meter: str, span: tuple[date, date], kwh: object, lost: date | None = None) -> str:
    """Days of one reading throughout; on the lost day the last quarter-hour is missing."""
    days = [span[0] + timedelta(days=number) for number in range((span[1] - span[0]).days)]
    rows = (f"{meter},{day},measured,{f'{kwh},' * 95}{'' if day == lost else kwh}\n" for day in days)
    return HEAD + "".join(rows)


@pytest.fixture
def found(base_home: Home, tmp_path: Path):
    """The codes of July, with which month they were compared, after files of readings and of records."""

    def codes(text: str, *records: str) -> list[str]:
        shutil.copytree(base_home.root, tmp_path / "home")
        at = home(tmp_path / "home")
        for name in records:
            shutil.copy(FIXTURES / name, tmp_path / f"{name.split('.')[-2]}.csv")
            assert deliver(at, tmp_path / f"{name.split('.')[-2]}.csv").status == "accepted"
        (tmp_path / "meter_readings_history.csv").write_text(text)
        receipt = deliver(at, tmp_path / "meter_readings_history.csv")
        assert receipt.status == "accepted", receipt.reason
        inputs = reading_inputs(at, JULY, RULES, "draft", None, JULY.first)
        assert receipt.delivery_id in {
            one.delivery_id for one in inputs
        }  # what is compared is part of the run
        return [one.code for one in check_month(at, JULY, RULES).findings]

    return codes


# M-A1 takes 300 kWh in each quarter-hour of July.
@pytest.mark.parametrize(
    ("kwh", "codes"), [(100, ["energy_rise"]), (105, []), (1000, []), (1050, ["energy_fall"])]
)
def test_a_month_far_from_the_three_before_is_found_by_their_readings(found, kwh, codes):
    assert found(history("M-A1", APRIL_TO_JUNE, kwh)) == codes


@pytest.mark.parametrize(("kwh", "codes"), [(146, ["year_on_year"]), (151, [])])
def test_a_month_far_from_the_same_month_a_year_before_is_found_by_its_readings(found, kwh, codes):
    assert found(history("M-A1", A_YEAR_BEFORE, kwh), "year_on_year.meters.csv") == codes


@pytest.mark.parametrize(
    ("span", "lost"),
    [((date(2022, 5, 1), date(2022, 7, 1)), None), (APRIL_TO_JUNE, date(2022, 5, 17))],
    ids=["two months of three", "a reading is missing"],
)
def test_history_that_is_not_whole_is_silent(found, span, lost):
    assert found(history("M-A1", span, 100, lost)) == []


def test_what_a_register_counted_stands_before_the_readings(found):
    assert found(history("M-A1", APRIL_TO_JUNE, 100), "energy_fall.good.registers.csv") == []
