"""Twenty mornings of July with something going wrong on each: every one hands in a valid bid (make study: 365)."""

from __future__ import annotations

import shutil
from collections import defaultdict
from datetime import date, timedelta

import pytest

import jobs.bid
from benchmarks.study import replay as mornings
from ingest.deliver import deliver_many
from jobs.bid_checks import check_bid
from jobs.bid_ladder import search_here
from jobs.bid_shown import show_bid
from jobs.bid_store import BidDamagedError
from optimization.procurement import NoBidFoundError
from warehouse.home import create, home

DAYS = [date(2022, 7, 12) + timedelta(days=n) for n in range(20)]
FAULTS = mornings.faults_of(DAYS, mornings.NO_CAPABILITY)  # so that most fall on days with a gap
TABLES = ("atc", "dr_enrolments", "dr_programs", "participants", "paths", "prices", "sections", "system")


@pytest.fixture(scope="module")
def at(tmp_path_factory, sample_folder):
    """The sample without the load forecasts and the transfer capability of some days."""
    folder = tmp_path_factory.mktemp("faulty")
    for table in TABLES:
        shutil.copy(sample_folder / f"{table}.csv", folder)
    mornings.without(folder, FAULTS)
    found = home(tmp_path_factory.mktemp("replay"))
    create(found)
    deliver_many(found, [folder])
    return found


def search(problem, time_limit, solver):
    """Without time the best curve of every period; with time the solver is tested elsewhere."""
    if time_limit == 0.0 or not problem.open_periods():
        return search_here(problem, time_limit, solver)
    raise NoBidFoundError("The solver is away.")


def test_every_morning_has_a_valid_bid_whatever_went_wrong(at, monkeypatch):
    monkeypatch.setattr(jobs.bid, "bid_page", lambda pack: "the page is tested elsewhere")
    labels = defaultdict(set)
    for one in mornings.replay(at, FAULTS, search, scenarios=2, seconds=1.0, hung_after=0.2):
        assert one.wrong == (), (one.day, one.fault)
        assert not one.late
        labels[one.fault].add(one.result.label)
    assert set(labels) == set(mornings.FAULTS)
    assert "rule" in labels[mornings.NO_FORECAST] <= {"rule", "no_need"}  # on our own forecast of the load
    assert "incumbent" in labels[mornings.TIME_OUT]
    for fault in (mornings.HUNG, mornings.DEAD, mornings.NO_CAPABILITY, mornings.CRASH):
        assert "rule" in labels[fault]
    # the bids of the days before are damaged now, and still every one of them is there to be looked at
    assert all(list(at.reports.glob(f"bids/{day}/*.html")) for day in DAYS)


def test_a_bid_that_cannot_be_explained_is_handed_in_all_the_same_and_says_why(at, monkeypatch):
    monkeypatch.setattr(jobs.bid, "bid_page", lambda pack: 1 / 0)
    made = jobs.bid.make_bid(at, date(2022, 7, 22), search=search, scenario_count=1)
    assert made.label == "rule"
    assert check_bid(at, made.file) == []
    assert "could not be explained (ZeroDivisionError: division by zero)" in made.facts["notes"][0]
    assert "could not be explained" in made.page.read_text(encoding="utf-8")


def test_whatever_stops_the_reading_of_a_day_costs_the_day_its_search_and_not_its_bid(at, monkeypatch):
    def unreadable(*_, **__):
        raise OSError("the curve file is cut off")

    monkeypatch.setattr(jobs.bid, "read_inputs", unreadable)
    made = jobs.bid.make_bid(at, date(2022, 7, 21))
    assert made.label == "yesterday"
    assert "The day cannot be read (OSError: the curve file is cut off)." in made.facts["reason"]


def test_a_damaged_record_is_named_until_the_bid_is_made_again(at):
    made = jobs.bid.make_bid(at, date(2022, 7, 19), search=search, scenario_count=1)
    made.record.write_text(made.record.read_text(encoding="utf-8")[:100], encoding="utf-8")
    with pytest.raises(BidDamagedError, match="cannot be read; run `gridsettle bid 2022-07-19`"):
        list(show_bid(at, date(2022, 7, 19)))
    again = jobs.bid.make_bid(at, date(2022, 7, 19), search=search, scenario_count=1)
    assert again.version == made.version + 1
    assert list(show_bid(at, date(2022, 7, 19)))
