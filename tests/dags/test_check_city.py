"""Which meter-days a city lacks, on a month of three meters written by hand.

February 2022 has 28 days. M1 and M2 are in Jinan, M3 in Linyi. M2 is valid from the 15th: 14 days. M2 lacks the
20th, M3 has a gap in one quarter-hour of the 3rd.
"""

from __future__ import annotations

from datetime import date

import pandas as pd
import pytest

from ingest.deliver import deliver_many
from jobs.check_city import CityCheck, check_city, cities, complete_days
from market.periods import LABELS, Month

FEBRUARY = Month(2022, 2)


def readings(meter_id: str, first: int, without: tuple[int, ...] = ()) -> list[dict[str, object]]:
    return [
        {"meter_id": meter_id, "date": f"2022-02-{day:02d}", "quality": "measured"}
        | dict.fromkeys(LABELS, "1.5")
        for day in range(first, 29)
        if day not in without
    ]


@pytest.fixture
def february(empty_home, tmp_path):
    files = tmp_path / "files"
    files.mkdir()
    participant = "{0},{0},wholesale_user,{1},,,,,,2022-01-01,"
    (files / "participants.csv").write_text(
        "participant_id,name,kind,city,node,voltage_kv,capacity_kva,tariff_class,retailer_id,valid_from,valid_to\n"
        + "\n".join(participant.format(*row) for row in (("P1", "jinan"), ("P2", "jinan"), ("P3", "linyi"))),
        encoding="utf-8",
    )
    (files / "meters.csv").write_text(
        "meter_id,participant_id,multiplier,direction,valid_from,valid_to\n"
        "M1,P1,1,1,2022-01-01,\nM2,P2,1,1,2022-02-15,\nM3,P3,1,1,2022-01-01,\n",
        encoding="utf-8",
    )
    rows = [*readings("M1", 1), *readings("M2", 15, without=(20,)), *readings("M3", 1)]
    table = pd.DataFrame(rows)
    table.loc[(table["meter_id"] == "M3") & (table["date"] == "2022-02-03"), "07:15"] = ""
    table.to_csv(files / "meter_readings.csv", index=False)
    assert [receipt.status for receipt in deliver_many(empty_home, [files])] == ["accepted"] * 3
    return empty_home


def test_the_cities_of_a_month_are_those_with_a_meter(february):
    assert cities(february, FEBRUARY) == ["jinan", "linyi"]


def test_a_day_counts_when_its_meter_is_valid_and_all_96_periods_are_there(february):
    assert check_city(february, FEBRUARY, "jinan") == CityCheck(
        "jinan", 2, 28 + 14, 28 + 13, [("M2", [date(2022, 2, 20)])]
    )
    assert check_city(february, FEBRUARY, "linyi") == CityCheck(
        "linyi", 1, 28, 27, [("M3", [date(2022, 2, 3)])]
    )


def test_the_sentences_name_the_meter_and_its_days(february):
    assert check_city(february, FEBRUARY, "jinan").sentences() == [
        "jinan: 41 of 42 meter-days of 2 meters are there.",
        "Meter M2 lacks 2022-02-20; deliver these days.",
    ]


def test_days_in_a_row_are_named_by_their_first_and_last():
    days = [date(2022, 2, day) for day in (1, 2, 3, 7, 27, 28)]
    assert CityCheck("jinan", 1, 28, 22, [("M1", days)]).sentences()[1] == (
        "Meter M1 lacks 2022-02-01..2022-02-03, 2022-02-07, 2022-02-27..2022-02-28; deliver these days."
    )


def test_a_long_list_of_meters_is_cut_and_says_so():
    check = CityCheck("jinan", 3, 84, 81, [(f"M{i}", [date(2022, 2, 1)]) for i in range(3)])
    assert check.sentences(most=1)[-1] == "2 more meters lack days."


def test_a_city_without_a_gap_is_complete_and_one_with_a_gap_is_not():
    assert CityCheck("jinan", 1, 28, 28, []).complete
    assert not CityCheck("jinan", 1, 28, 27, [("M1", [date(2022, 2, 1)])]).complete


def test_a_day_is_complete_when_every_city_is(february):
    expected = [date(2022, 2, day) for day in range(1, 29) if day not in (3, 20)]
    assert complete_days(february, FEBRUARY) == expected


def test_a_city_that_does_not_exist_is_refused_with_those_that_do(february):
    with pytest.raises(ValueError, match=r"'qingdao'.*jinan, linyi"):
        check_city(february, FEBRUARY, "qingdao")


def test_a_month_without_meters_is_refused(february):
    with pytest.raises(ValueError, match="No meter is valid in 2021-12"):
        cities(february, Month(2021, 12))
