"""Real readings with real faults go in by small adapters, and the known bad reads are found, all of them."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
from real_meters import households, known, long_readings, reactive_readings, steel_plant

from ingest.deliver import deliver
from jobs.check_city import check_city
from jobs.month_readings import check_month
from market.periods import Month
from market.profiles import profile
from warehouse.curves import curve_days


def test_the_15_negative_and_594_too_large_readings_of_537_households_are_found(tmp_path: Path) -> None:
    at = households(tmp_path)
    found = {"negative_reading": 0, "reading_above_capacity": 0}
    meters: dict[str, set[str]] = {code: set() for code in found}
    for month in (Month(2022, 10), Month(2022, 11), Month(2022, 12)):
        for finding in check_month(at, month, profile("SD_2022")).findings:
            if finding.code in found:
                found[finding.code] += finding.evidence["count"]
                meters[finding.code].add(finding.subject)
    assert found == {"negative_reading": 15, "reading_above_capacity": 594}
    assert {code: len(of) for code, of in meters.items()} == {
        "negative_reading": 1,
        "reading_above_capacity": 2,
    }


def test_the_steel_plants_year_comes_in_whole_when_midnight_belongs_to_the_day_it_ends(
    tmp_path: Path,
) -> None:
    frame = steel_plant()
    at = known(tmp_path, {"STEEL": "1000"}, "2018-01-01")
    assert (
        deliver(at, long_readings(tmp_path, frame["interval_end"], frame["Usage_kWh"])).status == "accepted"
    )
    assert deliver(at, reactive_readings(tmp_path, frame)).status == "accepted"
    total = sum(
        int(day.values.sum()) for day in curve_days(at, "meter_readings", date(2018, 1, 1), date(2019, 1, 1))
    )
    assert total == round(frame["Usage_kWh"].sum() * 1_000_000)
    assert check_city(at, Month(2018, 12), "abroad").complete
    flows = dict.fromkeys(("lagging", "leading"), 0)
    for day in curve_days(at, "reactive_readings", date(2018, 1, 1), date(2019, 1, 1)):
        for flow, curve in zip(day.keys["flow"].to_pylist(), day.values, strict=True):
            flows[flow] += int(curve.sum())
    assert flows["lagging"] == round(frame["Lagging_Current_Reactive.Power_kVarh"].sum() * 1_000_000)
    assert flows["leading"] == round(frame["Leading_Current_Reactive_Power_kVarh"].sum() * 1_000_000)


def test_midnight_taken_as_the_start_of_its_day_is_found_as_a_reading_that_is_missing(tmp_path: Path) -> None:
    frame = steel_plant().tail(31 * 96)  # December
    at = known(tmp_path, {"STEEL": "1000"}, "2018-01-01")
    stamps = pd.to_datetime(frame["raw_ts"], format="%d/%m/%Y %H:%M")  # `31/12/2018 00:00` ends the 31st
    assert deliver(at, long_readings(tmp_path, stamps, frame["Usage_kWh"])).status == "accepted"
    check = check_city(at, Month(2018, 12), "abroad")
    assert check.missing == [("STEEL", [date(2018, 12, 31)])]
    last = list(curve_days(at, "meter_readings", date(2018, 12, 31), date(2019, 1, 1)))
    assert np.flatnonzero(last[0].values[0] == np.iinfo(np.int64).min).tolist() == [95]  # 24:00
