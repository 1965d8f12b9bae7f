"""Twenty mornings of July with something going wrong on each: every one hands in a valid bid."""

from __future__ import annotations

from datetime import date, timedelta

import pandas as pd
import pytest

import jobs.bid as bid_job
from ingest.deliver import deliver_many
from jobs.bid import bid_of_file, check_bid, make_bid
from jobs.bid_ladder import search_here
from market.profiles import profile
from optimization.bid_check import format_problems
from optimization.procurement import NoBidFoundError
from warehouse.home import create, home

DAYS = [date(2022, 7, 12) + timedelta(days=n) for n in range(20)]
NO_FORECAST, NO_CAPABILITY = DAYS[2::6], DAYS[3::6]
FAULTS = ("none", "time_out", "missing_forecast", "missing_capability", "crash_while_writing", "corrupt_file")
TABLES = ("dr_enrolments", "dr_programs", "participants", "paths", "prices", "sections")


def no_answer(problem, time_limit, solver):
    raise NoBidFoundError("The search did not answer within 35 s and was ended without a bid.")


@pytest.fixture(scope="module")
def at(tmp_path_factory, sample_folder):
    """The sample without the load forecasts and the transfer capability of some days."""
    folder = tmp_path_factory.mktemp("faulty")
    for table, column, days in (("system", "load_forecast", NO_FORECAST), ("atc", None, NO_CAPABILITY)):
        rows = pd.read_csv(sample_folder / f"{table}.csv", dtype=str, keep_default_na=False)
        gone = rows["date"].isin([day.isoformat() for day in days])
        kept = rows[~(gone & (rows["series"] == column))] if column else rows[~gone]
        kept.to_csv(folder / f"{table}.csv", index=False)
    found = home(tmp_path_factory.mktemp("replay"))
    create(found)
    deliver_many(
        found, [folder / "system.csv", folder / "atc.csv", *(sample_folder / f"{t}.csv" for t in TABLES)]
    )
    return found


def test_every_morning_has_a_valid_bid_whatever_went_wrong(at, tmp_path, monkeypatch):
    labels: dict[str, set[str]] = {}
    monkeypatch.setattr(bid_job, "bid_page", lambda pack: "the page is tested elsewhere")
    for number, day in enumerate(DAYS):
        fault = FAULTS[number % len(FAULTS)]
        if fault == "corrupt_file":
            (tmp_path / f"system_{day}.csv").write_bytes(b"\xff\xfe series;node\x00\n1,2,3\n")
            assert deliver_many(at, [tmp_path / f"system_{day}.csv"])[0].status == "rejected"
        if fault == "crash_while_writing":
            with monkeypatch.context() as broken:
                broken.setattr(bid_job, "_put", _disk_full)
                with pytest.raises(OSError, match="No space left"):
                    make_bid(at, day, search=no_answer)
            assert not list((at.reports / "bids" / day.isoformat()).glob("*.csv"))
        search = search_here if fault == "none" and number == 0 else no_answer
        result = make_bid(at, day, search=search, scenario_count=3)
        labels.setdefault(fault, set()).add(result.label)
        bid = pd.read_csv(result.file, dtype=str)
        assert format_problems(bid, profile("IPSPOT_2022_TRIAL").traded) == [], (day, fault)
        if fault != "missing_forecast":
            assert check_bid(at, result.file) == [], (day, fault)
        assert all(one.mw > 0 for one in bid_of_file(result.file))
    assert set(labels) == set(FAULTS)
    assert labels["missing_forecast"] == {"yesterday"}
    assert "rule" in labels["missing_capability"] | labels["time_out"] | labels["corrupt_file"]


def _disk_full(path, content):
    raise OSError("No space left on device")
