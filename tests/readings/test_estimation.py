"""Where readings are missing: a draft shows the gap, a final run fills it by the ladder and says so."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from pathlib import Path

import numpy as np
import openpyxl
import pandas as pd
import pytest

from ingest.deliver import deliver, deliver_many
from jobs.accepted import accepted_of_run
from jobs.month_calculation import calculate
from jobs.month_readings import check_month
from jobs.report import write_reports
from jobs.settle_month import settle
from market.periods import LABELS, Month
from market.profiles import RuleProfile, profile
from warehouse.curves import curve_days
from warehouse.home import Home, create, home

BASE = Path(__file__).resolve().parent.parent / "scenarios" / "base"
JULY = Month(2022, 7)
HEAD = f"meter_id,date,quality,{','.join(LABELS)}\n"
LINE = "energy_real_time"


def with_lost_readings(at: Home, folder: Path, lost: dict[tuple[str, str], list[int]]) -> Home:
    """The small month; quarter-hours of (meter, day) are lost, the whole day's row where no period is named."""
    create(at)
    rows = (BASE / "meter_readings.csv").read_text().splitlines()
    kept = []
    for row in rows:
        cells = row.split(",")
        periods = lost.get((cells[0], cells[1]))
        if periods == []:
            continue
        for period in periods or []:
            cells[2 + period] = ""
        kept.append(",".join(cells))
    (folder / "meter_readings.csv").write_text("\n".join(kept) + "\n")
    deliver_many(at, [*(file for file in BASE.glob("*.csv") if file.name != "meter_readings.csv"), folder])
    return at


@pytest.fixture
def gappy(tmp_path: Path) -> Home:
    """A2 (100 kWh a quarter-hour) lacks one reading on the 20th and the whole 21st; T1 ten readings on the 1st."""
    (tmp_path / "files").mkdir()
    lost = {("M-A2", "2022-07-20"): [40], ("M-A2", "2022-07-21"): [], ("M-T1", "2022-07-01"): [*range(5, 15)]}
    return with_lost_readings(home(tmp_path / "home"), tmp_path / "files", lost)


def with_limits(**values: object) -> RuleProfile:
    rules = profile("SD_2022")
    assert rules.readings is not None
    changed = {
        name: tuple(entry.model_copy(update={"value": value}) for entry in getattr(rules.readings, name))
        for name, value in values.items()
    }
    return rules.model_copy(update={"readings": rules.readings.model_copy(update=changed)})


def test_a_draft_leaves_the_gap_and_blocks(gappy: Home) -> None:
    run = settle(gappy, JULY).run
    findings = pd.read_parquet(run.folder / "findings.parquet")
    assert run.status == "blocked"
    assert {"missing_reading", "missing_meter_day"} <= set(findings["code"])
    assert not any(code.startswith("reading_") for code in findings["code"])
    assert pd.read_parquet(run.folder / "estimates.parquet").empty


def test_a_final_run_fills_by_the_ladder_keeps_the_raw_value_and_names_the_method(gappy: Home) -> None:
    run = settle(gappy, JULY, kind="final").run
    estimates = pd.read_parquet(run.folder / "estimates.parquet")
    by_day = estimates.groupby(["meter_id", "date"])["method"].agg(["first", "nunique", "count"])
    assert by_day.to_dict("index") == {
        ("M-A2", date(2022, 7, 20)): {"first": "neighbours", "nunique": 1, "count": 1},
        ("M-A2", date(2022, 7, 21)): {"first": "history", "nunique": 1, "count": 96},
    }
    assert set(estimates["accepted_kwh"]) == {Decimal("100.000000")}
    assert estimates["reading_kwh"].isna().all()
    assert set(estimates["quality"]) == {"estimated"}
    findings = pd.read_parquet(run.folder / "findings.parquet").set_index("code")
    assert findings.loc["reading_estimated", "subject"] == "M-A2"
    assert (
        "1 by the mean of the neighbours, 96 by the historical ratio"
        in findings.loc["reading_estimated", "sentence"]
    )


def test_what_the_ladder_cannot_fill_stays_missing_and_blocks(gappy: Home) -> None:
    # T1's gap of ten on the first day of all has no week before, no day before, and is too long for a line.
    run = settle(gappy, JULY, kind="final").run
    findings = pd.read_parquet(run.folder / "findings.parquet")
    blocked = findings[findings["severity"] == "block"]
    assert set(blocked[blocked["code"] != "missing_amount"]["subject"]) == {"M-T1"}
    lines = pd.read_parquet(run.folder / "lines.parquet").set_index(["participant_id", "charge_code"])
    assert lines.loc[("R1", LINE), "amount_cny"] is None
    assert run.status == "blocked"


def test_the_estimated_energy_is_settled_and_is_not_counted_as_measured(
    tmp_path: Path, small_home: Home
) -> None:
    (tmp_path / "files").mkdir()
    at = with_lost_readings(home(tmp_path / "gappy"), tmp_path / "files", {("M-W1", "2022-07-20"): [40, 41]})

    def lines(of: Home) -> pd.DataFrame:
        run = settle(of, JULY, kind="final").run
        assert run.status == "ready"
        return pd.read_parquet(run.folder / "lines.parquet").set_index(["participant_id", "charge_code"])

    estimated, measured = lines(at), lines(small_home)
    assert estimated["amount_cny"].tolist() == measured["amount_cny"].tolist()  # the load is constant
    assert measured.loc[("W1", LINE), "quality"] == 1
    # 2 of 31 x 96 quarter-hours are estimated: 1 - 2/2976, cut to six decimals
    assert estimated.loc[("W1", LINE), "quality"] == Decimal("0.999327")


def test_raw_readings_stay_in_the_warehouse_and_the_report_shows_what_was_accepted(gappy: Home) -> None:
    run = settle(gappy, JULY, kind="final").run
    (day,) = curve_days(gappy, "meter_readings", date(2022, 7, 20), date(2022, 7, 21))
    row = day.keys["meter_id"].to_pylist().index("M-A2")
    assert day.values[row, 39] == np.iinfo(np.int64).min
    patch = accepted_of_run(run.folder)[date(2022, 7, 20)]
    assert patch.readings[0, 39] == 100_000_000
    (statement,) = write_reports(gappy, run.run_id, participants=["SGCC"]).statements
    sheet = openpyxl.load_workbook(statement)["异常与估算"]
    said = {cells[0]: cells[1] for cells in sheet.iter_rows(values_only=True) if cells[1] is not None}
    by_day = {str(key)[:10]: float(value) for key, value in said.items() if str(key).startswith("2022-07-2")}
    assert by_day == {"2022-07-20": 0.1, "2022-07-21": 9.6}  # MWh: one quarter-hour, then ninety-six


def test_the_same_gaps_give_the_same_bytes_again(gappy: Home) -> None:
    settle(gappy, JULY, kind="final")
    assert settle(gappy, JULY, kind="final", force=True).differences == ()


def test_a_rejected_value_is_substituted_only_where_the_profile_names_its_check(
    tmp_path: Path, small_home: Home
) -> None:
    at = small_home
    row = (BASE / "meter_readings.csv").read_text().splitlines()[10].split(",")
    row[42] = "-5"
    (tmp_path / "meter_readings.csv").write_text(HEAD + ",".join(row) + "\n")
    assert deliver(at, tmp_path / "meter_readings.csv").status == "accepted"
    kept = calculate(at, JULY, profile("SD_2022"), kind="final").readings
    assert ([finding.severity for finding in kept.findings], kept.estimates) == (["block"], ())
    replaced = calculate(
        at, JULY, with_limits(substituted_checks=("negative_reading",)), kind="final"
    ).readings
    (one,) = replaced.estimates
    assert (int(one.raw[39]), int(one.accepted[39])) == (-5_000_000, 20_000_000)
    assert {finding.code: finding.severity for finding in replaced.findings} == {
        "negative_reading": "review",
        "reading_substituted": "review",
    }


def test_a_profile_may_allow_estimates_in_the_draft(gappy: Home) -> None:
    done = calculate(gappy, JULY, with_limits(estimation_stages=("draft",)), kind="draft")
    assert {one.meter_id for one in done.readings.estimates} == {"M-A2"}


def test_quality_codes_of_quarter_hours_stand_before_the_quality_of_the_row(
    tmp_path: Path, small_home: Home
) -> None:
    at = small_home
    codes = ",".join(["estimated"] * 24 + [""] * 72)
    (tmp_path / "meter_quality.csv").write_text(
        f"meter_id,date,{','.join(LABELS)}\nM-W1,2022-07-05,{codes}\n"
    )
    assert deliver(at, tmp_path / "meter_quality.csv").status == "accepted"
    run = settle(at, JULY).run
    lines = pd.read_parquet(run.folder / "lines.parquet").set_index(["participant_id", "charge_code"])
    assert lines.loc[("W1", LINE), "quality"] == Decimal("0.991935")  # 1 - 24/2976


def test_checking_by_itself_estimates_nothing(gappy: Home) -> None:
    assert check_month(gappy, JULY, profile("SD_2022")).estimates == ()
