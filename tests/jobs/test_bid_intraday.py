"""Rounds within the day: only their periods, on top of what is bought and called, never later than their window."""

from __future__ import annotations

from datetime import date, datetime
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest

from ingest.deliver import deliver, deliver_many, in_order
from jobs.bid import make_bid
from jobs.bid_checks import check_bid
from jobs.bid_inputs import read_inputs
from jobs.bid_session import DAY_AHEAD, INTRADAY_STAGE, Session, round_of
from market.profiles import profile
from optimization.procurement import NoBidFoundError
from warehouse.home import create, home

DAY = date(2022, 7, 22)
TABLES = ("atc", "dr_enrolments", "dr_programs", "participants", "paths", "prices", "sections", "system")
EVENING = Session(INTRADAY_STAGE, 10)  # 18:00 to 20:00
SHANGHAI = ZoneInfo("Asia/Shanghai")


def no_search(problem, time_limit, solver):
    raise NoBidFoundError("The search is tested elsewhere.")


@pytest.fixture(scope="module")
def at(tmp_path_factory, sample_folder):
    """The sample with the day-ahead trades of the day and one event, without the intraday ones of that day."""
    folder = tmp_path_factory.mktemp("rounds")
    trades = pd.read_csv(sample_folder / "trades.csv", dtype=str)
    trades[(trades["date"] == str(DAY)) & (trades["stage"] == "day_ahead")].to_csv(
        folder / "trades.csv", index=False
    )
    rows = "event_id,program_id,date,first_period,last_period,announced_at,need_mw,direction\n"
    (folder / "dr_events.csv").write_text(
        rows
        + f"E1,DR-DA-2022,{DAY},75,78,2022-07-21T16:00:00+08:00,100,cut\n"
        + f"E2,DR-EM-2022,{DAY},79,82,2022-07-22T17:30:00+08:00,50,cut\n",
        encoding="utf-8",
    )
    someone = pd.read_csv(sample_folder / "dr_enrolments.csv", dtype=str)["participant_id"].iloc[0]
    (folder / "dr_awards.csv").write_text(
        "event_id,participant_id,committed_kw,price_cny,price_unit\n"
        + f"E1,{someone},40000,1.5,per_kwh\nE2,{someone},9000,1.5,per_kwh\n",
        encoding="utf-8",
    )
    found = home(tmp_path_factory.mktemp("rounds_home"))
    create(found)
    deliver_many(found, [*(sample_folder / f"{table}.csv" for table in TABLES), folder])
    return found


def test_a_round_has_its_periods_and_closes_110_or_95_minutes_before_it_begins():
    trial, new = profile("IPSPOT_2022_TRIAL").traded, profile("IPSPOT_2026").traded
    assert (np.flatnonzero(EVENING.open(trial)) + 1).tolist() == list(range(73, 81))
    assert EVENING.gate(DAY, trial) == datetime(2022, 7, 22, 16, 10, tzinfo=SHANGHAI)
    hour = Session(INTRADAY_STAGE, 19)
    assert (np.flatnonzero(hour.open(new)) + 1).tolist() == list(range(73, 77))
    assert hour.gate(DAY, new) == datetime(2022, 7, 22, 16, 25, tzinfo=SHANGHAI)
    assert Session(INTRADAY_STAGE, 1).gate(DAY, trial) == datetime(2022, 7, 21, 22, 10, tzinfo=SHANGHAI)
    assert sum(Session(INTRADAY_STAGE, n).open(new).sum() for n in range(1, 25)) == 96
    assert DAY_AHEAD.gate(DAY, trial) == datetime(2022, 7, 21, 11, 30, tzinfo=SHANGHAI)
    assert (round_of("3"), round_of("None")) == (Session(INTRADAY_STAGE, 3), DAY_AHEAD)


def test_a_round_the_profile_does_not_have_is_refused_by_name(at):
    with pytest.raises(ValueError, match=r"no round 13 of stage intraday; .* rounds 1 to 12"):
        make_bid(at, DAY, session=Session(INTRADAY_STAGE, 13))


def test_what_is_bought_and_called_before_the_window_closes_is_taken_off_the_shortage(at):
    morning, evening = read_inputs(at, DAY), read_inputs(at, DAY, session=EVENING)
    held = evening.position
    assert evening.shortage_mw == pytest.approx(morning.shortage_mw - held.bought_mw - held.called_mw)
    assert held.bought_mw[72:80].min() > 0
    # E1 was announced the day before; E2 at 17:30, after the window of the round closed at 16:10
    assert (held.called_mw[74:78] == 40.0).all()
    assert held.called_mw.sum() == 4 * 40.0
    assert [one["event_id"] for one in held.events] == ["E1"]


def test_only_the_round_s_periods_are_bid_and_the_check_holds_others_against_it(at, tmp_path):
    made = make_bid(at, DAY, session=EVENING, search=no_search, scenario_count=3)
    bid = pd.read_csv(made.file)
    assert made.label == "rule"
    assert set(bid["period"]) <= set(range(73, 81))
    assert set(zip(bid["stage"], bid["round"], strict=True)) <= {("intraday", 10)}
    assert check_bid(at, made.file) == []
    assert made.file.name == "bids_2022-07-22_intraday_10_v1.csv"
    assert "滚动持仓" in made.page.read_text(encoding="utf-8")
    late = pd.DataFrame([("SD", DAY, "intraday", 10, 85, 1, 10, 500, 1)], columns=bid.columns[:9])
    late.to_csv(tmp_path / "late.csv", index=False)
    assert any("Period 85" in one and "at most 0 MW" in one for one in check_bid(at, tmp_path / "late.csv"))


def test_what_the_day_ahead_trades_use_of_a_section_is_not_sold_again(at):
    """The sample publishes what is left within the day; without that, ours must not be more than it."""
    evening = read_inputs(at, DAY, session=EVENING)
    morning = read_inputs(at, DAY)
    own, before = evening.problem.supply, morning.problem.supply
    assert (own.atc_mw <= before.atc_mw + 1e-9).all()
    assert (own.atc_mw[:, 72:80] < before.atc_mw[:, 72:80] - 1).any()


def test_response_called_the_day_before_can_not_be_called_within_the_day(at):
    names = {one.program_id for one in read_inputs(at, DAY, session=EVENING).problem.demand_response}
    assert "DR-DA-2022" not in names


def test_a_round_whose_position_is_not_known_buys_nothing_and_says_why(at):
    day = date(2022, 7, 21)  # no trade of this day is in the warehouse
    folder = at.reports / "bids" / str(day) / "handed_in"
    folder.mkdir(parents=True)
    (folder / f"bids_{day}_v1.csv").write_text("node,date\nSD,2022-07-21\n", encoding="utf-8")
    made = make_bid(at, day, session=EVENING)
    assert (made.label, made.facts["bid"]["segments"]) == ("nothing", 0)
    assert "no day-ahead trade of it is in the warehouse; ingest trades." in made.facts["reason"]
    assert len(made.file.read_text(encoding="utf-8").splitlines()) == 1


def test_as_of_the_gate_nothing_recorded_later_enters(tmp_path, sample_folder):
    """The first delivery is recorded at 10:00 on D-1, a poisoned revision of everything at 13:00."""
    found = home(tmp_path / "gate")
    create(found)
    gate = DAY_AHEAD.gate(DAY, profile("IPSPOT_2022_TRIAL").traded)
    files = [sample_folder / f"{table}.csv" for table in TABLES]
    for file in in_order(files):
        deliver(found, file, clock=lambda: gate.replace(hour=10, minute=0))
    before = read_inputs(found, DAY, as_of=gate)
    rows = pd.read_csv(sample_folder / "system.csv", dtype=str)
    curves = [column for column in rows.columns if ":" in column]
    rows[curves] = rows[curves].astype(float).mul(2).round(3).astype(str)
    rows.to_csv(tmp_path / "system_late.csv", index=False)
    deliver(found, tmp_path / "system_late.csv", clock=lambda: gate.replace(hour=13))
    after, now = read_inputs(found, DAY, as_of=gate), read_inputs(found, DAY)
    assert np.array_equal(before.shortage_mw, after.shortage_mw)
    assert np.array_equal(before.problem.scenarios.gap_mw, after.problem.scenarios.gap_mw)
    assert np.array_equal(before.problem.scenarios.seller_price, after.problem.scenarios.seller_price)
    assert before.deliveries == after.deliveries
    assert not np.array_equal(before.shortage_mw, now.shortage_mw)
