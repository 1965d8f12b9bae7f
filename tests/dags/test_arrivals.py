"""Which waiting files belong to whom."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from ingest.deliver import LeadsOutError
from ingest.receipt import Receipt
from jobs.arrivals import (
    EscapingPathError,
    FileRejectedError,
    deliver_waiting,
    is_meter_file,
    meter_files_by_city,
    months,
    named_day,
    waiting,
)
from market.periods import Month


@pytest.mark.parametrize(
    ("name", "city"),
    [
        ("meter_readings_2022-07_jinan.parquet", "jinan"),
        ("meter_readings_jinan.csv", "jinan"),
        ("meter_readings_2022-07_济南.csv", "济南"),
        ("meter_readings_2022-07.csv", "province"),
        ("meter_readings_2022-05-15_2022-06-30.parquet", "province"),
        ("meter_readings.csv", "province"),
    ],
)
def test_the_city_is_the_last_word_of_the_name_and_the_province_has_the_rest(name, city):
    assert meter_files_by_city([Path(name)]) == {city: [Path(name)]}


def test_other_tables_are_no_meter_files():
    assert not any(is_meter_file(Path(name)) for name in ("meters.csv", "prices_jinan.csv", "notes.csv"))
    assert meter_files_by_city([Path("meters.csv")]) == {}


def test_without_paths_the_arrivals_of_the_home_wait_meters_after_their_participants(empty_home):
    assert waiting(empty_home) == []
    folder = empty_home.root / "arrivals"
    folder.mkdir()
    for name in ("meters.csv", "participants.csv", "readme.txt", ".meters.csv", "prices.csv.part"):
        (folder / name).touch()
    assert [file.name for file in waiting(empty_home, clock=later(30))] == ["participants.csv", "meters.csv"]


def later(seconds):
    """A clock that shows a moment so many seconds after now."""
    return lambda: datetime.now(UTC) + timedelta(seconds=seconds)


def test_a_file_that_is_still_being_written_waits_for_the_next_look(empty_home):
    folder = empty_home.root / "arrivals"
    folder.mkdir()
    (folder / "meters.csv").touch()
    assert waiting(empty_home) == []
    assert waiting(empty_home, clock=later(29)) == []
    assert [file.name for file in waiting(empty_home, clock=later(31))] == ["meters.csv"]


def test_a_past_day_takes_files_of_that_day_late_ones_and_those_without_a_day(empty_home):
    folder = empty_home.root / "arrivals"
    folder.mkdir()
    for name in (
        "prices_2022-07-01",
        "prices_2022-07-02",
        "prices_2022-07-01_2022-07-03",
        "prices_2022-07",
        "prices_2022-99-99",
    ):
        (folder / f"{name}.csv").touch()
    found = waiting(empty_home, day=date(2022, 7, 2), clock=later(60))
    assert {file.stem for file in found} == {
        "prices_2022-07",
        "prices_2022-07-01",
        "prices_2022-07-02",
        "prices_2022-99-99",
    }
    assert (named_day("2022-07-02"), named_day(""), named_day("None")) == (date(2022, 7, 2), None, None)


def test_a_path_or_link_does_not_lead_out_of_its_folder(empty_home, tmp_path_factory):
    outside = tmp_path_factory.mktemp("outside")
    (outside / "prices.csv").touch()
    with pytest.raises(EscapingPathError, match=r"\.\./.* leads out of the home"):
        waiting(empty_home, ["../" + outside.name + "/prices.csv"])
    folder = empty_home.root / "arrivals"
    folder.mkdir()
    (folder / "prices.csv").symlink_to(outside / "prices.csv")
    with pytest.raises(LeadsOutError, match="is a link that leads out of"):
        waiting(empty_home)


def test_a_path_is_taken_from_the_home_unless_it_is_absolute(empty_home, tmp_path_factory):
    elsewhere = tmp_path_factory.mktemp("elsewhere") / "prices.csv"
    elsewhere.touch()
    (empty_home.root / "atc.csv").touch()
    found = waiting(empty_home, ["atc.csv", str(elsewhere)])
    assert sorted(file.name for file in found) == ["atc.csv", "prices.csv"]


def test_a_path_that_leads_nowhere_is_refused(empty_home):
    with pytest.raises(FileNotFoundError, match="nowhere"):
        waiting(empty_home, ["nowhere"])


def test_a_refused_file_is_named_and_the_others_are_in(empty_home, tmp_path):
    good, bad = tmp_path / "sections.csv", tmp_path / "prices_without_header.csv"
    good.write_text(
        "section_id,name,owner_id,tariff_cny_per_mwh,loss_rate,loss_included,capacity_mw,source,"
        "source_effective_from,valid_from,valid_to\n",
        encoding="utf-8",
    )
    bad.write_text("a,b\n1,2\n", encoding="utf-8")
    with pytest.raises(FileRejectedError, match=r"prices_without_header\.csv: .*lacks"):
        deliver_waiting(empty_home, [bad, good], sender="test")
    assert [path.name for path in empty_home.inbox.rglob("sections.csv")] == ["sections.csv"]


def test_the_months_of_a_delivery_are_those_between_its_first_and_last_day():
    def receipt(first, last):
        return Receipt("accepted", "meter_readings", "f", "0", 1, 1, 0, 0, None, first, last)

    early, late = date(2021, 12, 31), date(2022, 2, 1)
    found = months([receipt(early, late), receipt(late, late), receipt(None, None)])
    assert found == [Month(2021, 12), Month(2022, 1), Month(2022, 2)]
