"""Hindsight of a day and a month of the sample."""

from __future__ import annotations

import json
import shutil
from datetime import date
from decimal import Decimal

import pandas as pd
import pytest

from ingest.deliver import deliver_many
from jobs.bid import make_bid
from jobs.bid_inputs import read_inputs
from jobs.bid_store import NoBidYetError
from jobs.review import review_day, review_month
from market.periods import Month
from optimization.procurement import NoBidFoundError
from warehouse.home import home

DAY = date(2022, 7, 22)


def no_search(problem, time_limit, solver):
    raise NoBidFoundError("The solver is away.")


@pytest.fixture(scope="module")
def at(tmp_path_factory, sample_home):
    found = home(tmp_path_factory.mktemp("review") / "copy")
    shutil.copytree(sample_home.root, found.root, ignore=shutil.ignore_patterns("bids", "runs", "reports"))
    make_bid(found, DAY, search=no_search)
    return found


@pytest.fixture(scope="module")
def day(at):
    return review_day(at, DAY)


def test_the_causes_of_regret_sum_to_the_regret_of_the_day(day):
    parts = {name: Decimal(value) for name, value in day.facts["regret_cny"].items()}
    assert parts["forecast"] + parts["shape"] + parts["constraint"] == parts["total"]
    assert parts["total"] > 0  # the rule bids the expected gap at the dearest price


def test_the_gain_of_the_segments_is_that_of_the_day_and_the_record_is_kept(day):
    fen = sum(one["gain_fen"] for one in day.facts["segments"])
    assert Decimal(day.facts["gain_cny"]) == Decimal(fen) / 100
    assert json.loads(day.file.read_text(encoding="utf-8")) == day.facts
    assert float(day.facts["cleared_mwh"]) > 0


def test_the_score_ranks_the_periods_too(day):
    assert set(day.facts["accuracy"]) >= {"load", "NX", "SX", "NMD"}
    assert day.facts["accuracy"]["load"]["rank"] > 0.9


def test_a_month_sums_its_days_and_a_month_without_bids_is_refused(at, day):
    month = review_month(at, Month(2022, 7)).facts
    assert month["days"] == ["2022-07-22"]
    assert month["regret_cny"] == day.facts["regret_cny"]
    assert any("事后最优" in line for line in day.lines())
    with pytest.raises(NoBidYetError, match="No day of 2022-06"):
        review_month(at, Month(2022, 6))


def test_a_revision_that_comes_after_the_bid_changes_nothing_of_its_morning(at, day, sample_folder, tmp_path):
    """Poisoned forecasts, capability and prices of the past are delivered after the bid; only the truth may move."""
    system = pd.read_csv(sample_folder / "system.csv", dtype=str)
    curves = [column for column in system.columns if ":" in column]
    system = system[
        (system["date"] <= str(DAY)) & ~((system["series"] == "load_actual") & (system["date"] == str(DAY)))
    ]
    system[curves] = system[curves].astype(float).mul(1.5).round(3).astype(str)
    atc = pd.read_csv(sample_folder / "atc.csv", dtype=str)
    atc = atc[atc["date"] == str(DAY)]
    atc[curves] = "1"
    for name, frame in (("system", system), ("atc", atc)):
        frame.to_csv(tmp_path / f"{name}_late.csv", index=False)
    deliver_many(at, [tmp_path / "system_late.csv", tmp_path / "atc_late.csv"])
    assert read_inputs(at, DAY).problem.capability_mw.max() < 100  # a new reading does see it
    assert review_day(at, DAY).facts == day.facts


def test_the_page_shows_the_headline_figures_of_every_session(at, day):
    heads = day.facts["headlines"]
    assert heads["sessions"] >= 1
    assert heads["mwh"] >= float(day.facts["cleared_mwh"]) - 1e-3
    page = day.page.read_text(encoding="utf-8")
    assert "省间购电回顾 2022-07-22" in page
    assert f"{heads['largest_mw']:,.2f}" in page
    assert 'src="http' not in page
