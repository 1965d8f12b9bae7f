"""Days of other lengths and resolutions, mixed stamps, and numbers that are not plain."""

from __future__ import annotations

from datetime import date

import numpy as np
import pytest
from delivered import LONG, READINGS, in_quarantine, put, reading
from hypothesis import given
from hypothesis import strategies as st

from ingest.deliver import deliver
from market.curves import MISSING
from market.periods import LABELS
from market.quality import by_period, written
from market.tables import QUALITIES
from warehouse.curves import curve_days

DAY = "2022-03-27"
SPRING = [label for label in LABELS if label not in ("02:15", "02:30", "02:45", "03:00")]
AUTUMN = [*LABELS[:12], *LABELS[8:12], *LABELS[12:]]


def wide(labels: list[str], cells: list[str]) -> str:
    return f"meter_id,date,quality,{','.join(labels)}\nM1,{DAY},measured,{','.join(cells)}\n"


def curve(at, day=date(2022, 3, 27)):
    (found,) = curve_days(at, "meter_readings", day, date.fromordinal(day.toordinal() + 1))
    return found


@pytest.mark.parametrize(("labels", "says"), [(SPRING, "clocks go forward"), (AUTUMN, "clocks go back")])
def test_a_day_on_which_clocks_change_is_refused_with_a_sentence(at, tmp_path, labels, says):
    receipt = deliver(at, put(tmp_path, "meter_readings.csv", wide(labels, ["1"] * len(labels))))
    assert receipt.status == "rejected"
    assert says in receipt.reason
    assert "Asia/Shanghai" in receipt.reason


def test_the_same_hours_with_their_offsets_are_moments_and_are_taken(at, tmp_path):
    # 01:00+01:00 is followed by 03:00+02:00: one hour later, 08:00 and 09:00 in Shanghai.
    text = LONG + f"M1,{DAY}T01:00:00+01:00,4,measured\nM1,{DAY}T03:00:00+02:00,8,measured\n"
    assert deliver(at, put(tmp_path, "meter_readings.csv", text)).status == "accepted"
    assert curve(at).values[0, 32:40].tolist() == [1_000_000] * 4 + [2_000_000] * 4


def test_97_points_have_an_empty_midnight_and_a_filled_one_is_quarantined(at, tmp_path):
    labels = ["00:00", *LABELS]
    good = deliver(at, put(tmp_path, "meter_readings.csv", wide(labels, ["", *["1"] * 96])))
    assert good.status == "accepted"
    bad = deliver(at, put(tmp_path, "meter_readings_b.csv", wide(labels, ["9", *["1"] * 96])))
    assert [row.code for row in in_quarantine(at, bad.delivery_id)] == ["leading_midnight_value"]


def test_stamps_may_be_mixed_in_one_header(at, tmp_path):
    labels = [
        f"{label.lstrip('0') or '0'}" if place % 2 else f"{label}:00" for place, label in enumerate(LABELS)
    ]
    labels = ["0" + label if label.startswith(":") else label for label in labels]
    text = wide(labels, [str(place) for place in range(96)])
    assert deliver(at, put(tmp_path, "meter_readings.csv", text)).status == "accepted"
    assert curve(at).values[0].tolist() == [place * 1_000_000 for place in range(96)]


def test_midnight_of_the_next_day_does_not_pass_for_24_00(at, tmp_path):
    labels = [*LABELS[:-1], "0:00"]  # which day it means cannot be told from the header
    receipt = deliver(at, put(tmp_path, "meter_readings.csv", wide(labels, ["1"] * 96)))
    assert receipt.status == "rejected"
    assert receipt.reason.endswith("call the end of the day 24:00.")


def test_resolution_may_change_inside_a_month_where_every_row_says_its_minutes(at, tmp_path):
    head = LONG.replace("quality", "quality,minutes")
    hours = "".join(f"M1,{DAY}T{hour:02d}:00,4,measured,60\n" for hour in range(24))
    quarters = "".join(f"M1,2022-03-28T{p // 4:02d}:{p % 4 * 15:02d},2,measured,15\n" for p in range(96))
    assert deliver(at, put(tmp_path, "meter_readings.csv", head + hours + quarters)).status == "accepted"
    assert (curve(at).values == 1_000_000).all()
    assert (curve(at, date(2022, 3, 28)).values == 2_000_000).all()


@pytest.mark.parametrize("cell", ["1,234.5", "１２", "1e3", "NaN", "inf", "1 234", "1。5", "--1"])
def test_a_number_that_is_not_plain_is_quarantined_and_never_read_as_another(at, tmp_path, cell):
    row = reading("M1", DAY, 1).replace(",measured,1,", f',measured,"{cell}",')
    receipt = deliver(at, put(tmp_path, "meter_readings.csv", READINGS + row + reading("M2", DAY, 2)))
    (bad,) = in_quarantine(at, receipt.delivery_id)
    assert bad.code == "bad_number"
    assert "00:15" in bad.sentence
    assert curve(at).keys["meter_id"].to_pylist() == ["M2"]


def test_qualities_of_one_day_are_kept_by_quarter_hour(at, tmp_path):
    rows = [
        f"M1,{DAY}T{p // 4:02d}:{p % 4 * 15:02d},1,{'estimated' if p < 3 else 'measured'}\n"
        for p in range(96)
    ]
    assert deliver(at, put(tmp_path, "meter_readings.csv", LONG + "".join(rows))).status == "accepted"
    (quality,) = curve(at).quality.to_pylist()
    assert quality == "eee" + 93 * "m"
    assert not (curve(at).values == MISSING).any()


@given(st.lists(st.integers(0, len(QUALITIES) - 1), min_size=96, max_size=96))
def test_a_days_quality_reads_back_as_it_was_written(places):
    assert by_period(written(places)).tolist() == places
    assert np.unique(places).size > 1 or written(places) == QUALITIES[places[0]]


def test_a_text_that_is_no_quality_is_refused():
    with pytest.raises(ValueError, match="is no quality of a day"):
        by_period("mmee")
