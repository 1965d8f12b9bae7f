"""The morning bid on the sample month: what it reads, what it writes, what it refuses."""

from __future__ import annotations

import csv
import json
import pickle
import shutil
import sys
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest

import jobs.bid_ladder as ladder
from ingest.deliver import deliver_many
from jobs.bid import make_bid
from jobs.bid_checks import check_bid
from jobs.bid_inputs import BidInputsMissingError, read_inputs
from jobs.bid_ladder import search_apart, search_here
from jobs.bid_shown import show_bid
from jobs.bid_store import NoBidYetError
from optimization.procurement import NoBidFoundError, Solution
from warehouse.home import create, home

BID_DAY = date(2022, 7, 22)
TABLES = ("atc", "dr_enrolments", "dr_programs", "participants", "paths", "prices", "sections", "system")


@pytest.fixture(scope="module")
def bid_home(tmp_path_factory, sample_folder):
    """A home with what a bid reads and nothing else."""
    at = home(tmp_path_factory.mktemp("bid_home"))
    create(at)
    deliver_many(at, [sample_folder / f"{table}.csv" for table in TABLES])
    return at


@pytest.fixture(scope="module")
def made(bid_home):
    return make_bid(bid_home, BID_DAY, time_limit=120, scenario_count=4, search=search_here)


@pytest.fixture
def other_home(bid_home, tmp_path):
    """A copy of the home without bids, to which a test may deliver more."""
    at = home(tmp_path / "copy")
    shutil.copytree(bid_home.root, at.root, ignore=shutil.ignore_patterns("bids"))
    return at


def delivered(at, folder, table, frame):
    path = folder / f"{table}_more.csv"
    frame.to_csv(path, index=False)
    receipts = deliver_many(at, [path])
    assert receipts[0].status == "accepted"


def sample(sample_folder, table):
    return pd.read_csv(sample_folder / f"{table}.csv", dtype=str, keep_default_na=False)


def curves(frame):
    return [column for column in frame.columns if ":" in column]


def test_the_bid_of_the_sample_day_is_the_optimum_and_costs_under_half_of_the_flat_bids(made):
    facts = made.facts
    assert made.label == "optimum"
    assert facts["reason"] is None
    own = Decimal(facts["costs"]["total"])
    others = {name: Decimal(cost["total"]) for name, cost in facts["comparison"].items()}
    # foresight of each scenario would cost 0.35 of it, ours 0.407 (decision 0046)
    assert own < others["平报 3000 元/MWh"] * Decimal("0.42")
    assert own < others["平报 10000 元/MWh"] * Decimal("0.2")
    assert own < others["不购电"]
    assert facts["relative_gap"] <= 1e-3


def test_the_cost_components_of_the_record_add_up_to_the_fen(made):
    for cost in (made.facts["costs"], *made.facts["comparison"].values()):
        names = ("purchase", "response", "commitment", "shortage", "surplus")
        parts = sum(Decimal(cost[name]) for name in names)
        assert parts == Decimal(cost["total"])


def test_cost_and_risk_of_the_model_are_those_of_clearing_to_the_fen(made):
    """The model chose by its own figure; the record's figure is that of the market's clearing, in each scenario."""
    facts = made.facts
    cleared = float(Decimal(facts["costs"]["total"])) + 0.2 * facts["cvar_worst_fifth_cny"]
    assert cleared == pytest.approx(facts["objective_cny"], abs=0.05)


def test_the_bid_file_has_the_columns_of_the_bids_table_and_stands_in_the_evening(made):
    with made.file.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == [
        *("node", "date", "stage", "round", "period", "segment", "mw", "price_cny_per_mwh", "version"),
        "submitted_at",
    ]
    assert {(row["node"], row["date"], row["stage"], row["version"]) for row in rows} == {
        ("SD", "2022-07-22", "day_ahead", "1")
    }
    assert {int(row["period"]) for row in rows} <= set(range(69, 89))  # the forecast gap, 17:15 to 22:00


def test_what_was_written_passes_the_check_and_can_be_shown(bid_home, made):
    assert check_bid(bid_home, made.file) == []
    lines = list(show_bid(bid_home, BID_DAY))
    assert any("6" in line and "元" in line for line in lines)
    assert any(line.startswith("20:00") for line in lines)
    assert any("通道可用输电能力" in line for line in lines)


def test_the_summary_speaks_both_languages(made):
    assert "期望费用" in "".join(made.summary("zh"))
    assert "Expected cost" in "".join(made.summary("en"))


def test_the_page_stands_alone_and_says_what_it_costs_and_what_binds(made):
    page = made.page.read_text(encoding="utf-8")
    total = f"{Decimal(made.facts['costs']['total']):,}"
    assert total in page
    assert "起作用的约束与影子价格" in page
    assert "省间现货 NX-YD" in page
    assert page.count("<script") >= 1
    assert 'src="http' not in page
    assert made.facts["bid"]["sha256"] in page


def test_the_record_names_the_deliveries_the_seed_the_history_and_the_solver(made):
    facts = json.loads(made.record.read_text(encoding="utf-8"))
    assert {one["table"] for one in facts["inputs"]} == set(TABLES) - {"participants"}
    assert all(len(one["delivery_id"]) == 64 for one in facts["inputs"])
    assert facts["solver"].startswith("HiGHS")
    assert facts["seed"] == 0
    assert max(facts["scenarios"]["history_days"]) == "2022-07-20"  # D-2


def test_the_same_inputs_give_the_version_that_is_there(bid_home, made):
    again = make_bid(bid_home, BID_DAY, time_limit=120, scenario_count=4, search=search_here)
    assert (again.version, again.made) == (made.version, False)
    assert len(list(made.file.parent.iterdir())) == 3


def test_nothing_after_the_gate_enters_the_bid(other_home, bid_home, sample_folder, tmp_path):
    """Actual load and prices of D-1, of the day and of later days are changed; the problem stays."""
    system, prices = sample(sample_folder, "system"), sample(sample_folder, "prices")
    late = [(BID_DAY + timedelta(days=n)).isoformat() for n in range(-1, 3)]
    loads = system[(system["series"] == "load_actual") & system["date"].isin(late)].copy()
    loads[curves(loads)] = "99999"
    costs = prices[prices["date"].isin(late)].copy()
    costs[curves(costs)] = "1234"
    after = system[(system["date"] > BID_DAY.isoformat()) & (system["series"] != "load_actual")].copy()
    after[curves(after)] = "7"
    delivered(other_home, tmp_path, "system", pd.concat([loads, after]))
    delivered(other_home, tmp_path, "prices", costs)
    before, now = (read_inputs(at, BID_DAY).problem for at in (bid_home, other_home))
    assert before.scenarios.names == now.scenarios.names
    assert np.array_equal(before.scenarios.gap_mw, now.scenarios.gap_mw)
    assert np.array_equal(before.scenarios.seller_price, now.scenarios.seller_price)
    assert np.array_equal(before.provincial_price, now.provincial_price)
    assert np.array_equal(before.supply.atc_mw, now.supply.atc_mw)


def test_a_changed_forecast_of_the_day_does_enter(other_home, bid_home, sample_folder, tmp_path):
    system = sample(sample_folder, "system")
    load = system[(system["series"] == "load_forecast") & (system["date"] == BID_DAY.isoformat())].copy()
    load[curves(load)] = load[curves(load)].astype(float).add(100).astype(str)
    delivered(other_home, tmp_path, "system", load)
    before, now = (read_inputs(at, BID_DAY) for at in (bid_home, other_home))
    assert now.shortage_mw - before.shortage_mw == pytest.approx(np.full(96, 100.0))


def test_paths_carry_no_loss_where_the_tariff_contains_it(bid_home):
    paths = read_inputs(bid_home, BID_DAY).paths
    loss = {row.section_id: row.loss_rate for row in paths.itertuples()}
    assert loss["SEC-LG"] == 0  # 鲁固, loss included in the tariff
    assert loss["SEC-YD"] == Decimal("0.07")


def test_programmes_stand_with_their_enrolled_capability_and_their_notice(bid_home):
    day_ahead, intraday = read_inputs(bid_home, BID_DAY).problem.demand_response
    assert (day_ahead.program_id, day_ahead.called_with_the_bid) == ("DR-DA-2022", True)
    assert day_ahead.capability_mw == pytest.approx(1_103.18)
    assert day_ahead.cny_per_mw(4) == 1_500  # 1.5 元/kWh for an hour
    assert (intraday.called_with_the_bid, intraday.cny_per_mw(16)) == (False, 6_000)  # 6 元/kW an event


def test_a_day_without_transfer_capability_takes_the_last_published_and_says_so(
    bid_home, tmp_path, sample_folder
):
    at = home(tmp_path / "early")
    create(at)
    atc = sample(sample_folder, "atc")
    files = [sample_folder / f"{table}.csv" for table in TABLES if table != "atc"]
    atc[atc["date"] < BID_DAY.isoformat()].to_csv(tmp_path / "atc.csv", index=False)
    deliver_many(at, [*files, tmp_path / "atc.csv"])
    inputs = read_inputs(at, BID_DAY)
    assert not any("Transfer capability" in note for note in read_inputs(bid_home, BID_DAY).notes)
    assert any("that of 2022-07-21 is used" in note for note in inputs.notes)
    assert np.isfinite(inputs.problem.capability_mw).all()


def test_a_day_without_a_forecast_is_refused_by_name(bid_home):
    with pytest.raises(
        BidInputsMissingError, match=r"lacks load_forecast, .* in full; ingest the system table"
    ):
        make_bid(bid_home, date(2022, 8, 15))


def test_a_day_without_a_gap_has_a_bid_without_rows(bid_home):
    result = make_bid(bid_home, date(2022, 7, 10), search=search_here)
    assert result.label == "no_need"
    assert result.file.read_text(encoding="utf-8").splitlines() == [
        "node,date,stage,round,period,segment,mw,price_cny_per_mwh,version,submitted_at"
    ]
    assert check_bid(bid_home, result.file) == []


class TestNeverWithoutABid:
    def test_when_the_solver_finds_nothing_the_rule_bids_and_the_label_says_so(self, other_home):
        result = make_bid(other_home, BID_DAY, search=_nothing_found)
        assert result.label == "rule"
        assert "without a bid. This bid follows the rule." in result.facts["reason"]
        assert result.facts["solver"] == "none"
        assert check_bid(other_home, result.file) == []
        assert "规则兜底报价" in result.page.read_text(encoding="utf-8")

    def test_when_the_rule_fails_too_the_table_bids_and_then_yesterday(self, other_home, monkeypatch):
        monkeypatch.setattr(ladder, "rule_bid", _broken)
        table = make_bid(other_home, BID_DAY, search=_nothing_found)
        assert table.label == "table"
        monkeypatch.setattr(ladder, "table_bid", _broken)
        after = make_bid(other_home, BID_DAY + timedelta(days=1), search=_nothing_found)
        # 23 July has no gap, so that of yesterday is cut to nothing
        assert after.label in ("yesterday", "no_need")
        assert check_bid(other_home, after.file) == []

    def test_a_bid_that_fails_every_check_gives_way_to_buying_nothing(self, other_home, monkeypatch):
        monkeypatch.setattr(
            ladder,
            "problems",
            lambda bid, limits: [] if bid.empty else ["Period 80 (20:00): 9999 MW are bid."],
        )
        result = make_bid(other_home, BID_DAY, search=_nothing_found)
        assert (result.label, result.facts["bid"]["segments"]) == ("nothing", 0)
        assert "Period 80" in result.facts["reason"]

    def test_a_search_that_hangs_is_ended_at_its_deadline(self, bid_home):
        problem = read_inputs(bid_home, BID_DAY).problem
        hanging = (sys.executable, "-c", "import time; time.sleep(60)")
        with pytest.raises(NoBidFoundError, match=r"did not answer within 0\.5 s and was ended"):
            search_apart(problem, 20.0, "highs", hanging, deadline=0.5)

    def test_a_search_that_dies_is_named_with_its_last_words(self, bid_home):
        problem = read_inputs(bid_home, BID_DAY).problem
        dying = (sys.executable, "-c", "import sys; sys.exit('segmentation fault')")
        with pytest.raises(NoBidFoundError, match=r"status 1 without a bid\. segmentation fault"):
            search_apart(problem, 20.0, "highs", dying)

    def test_what_was_found_before_the_deadline_is_the_incumbent(self, bid_home, made):
        problem = read_inputs(bid_home, BID_DAY).problem
        answer = pickle.dumps(Solution((), "optimum", 1.0, 1.0, (), "HiGHS")).hex()
        script = (
            f"import sys, time; sys.stdout.buffer.write(bytes.fromhex('{answer}')); "
            "sys.stdout.buffer.flush(); time.sleep(60)"
        )
        found = search_apart(problem, 20.0, "highs", (sys.executable, "-c", script), deadline=3.0)
        assert found.label == "incumbent"

    def test_the_worker_gives_what_the_search_gives_here(self, bid_home):
        whole = read_inputs(bid_home, BID_DAY, scenario_count=1).problem
        at_20 = np.arange(1, 97) == 80
        short = replace(whole.scenarios, gap_mw=np.where(at_20, whole.scenarios.gap_mw, 0.0))
        problem = replace(whole, scenarios=short, need_limit_mw=np.where(at_20, whole.need_limit_mw, 0))
        assert search_apart(problem, 60.0, "highs").bid == search_here(problem, 60.0, "highs").bid

    def test_a_day_without_a_forecast_repeats_the_newest_bid_of_the_week(self, other_home):
        before = make_bid(other_home, date(2022, 7, 31), search=_nothing_found)
        result = make_bid(other_home, date(2022, 8, 1))
        assert result.label == "yesterday"
        assert "lacks wind_forecast" in result.facts["reason"]  # the load we forecast ourselves
        kept, repeated = (pd.read_csv(one.file) for one in (before, result))
        assert kept["mw"].tolist() == repeated["mw"].tolist()
        assert "沿用前日报价" in result.page.read_text(encoding="utf-8")


def _nothing_found(problem, time_limit, solver):
    raise NoBidFoundError(f"The solver stopped after {time_limit:g} s without a bid.")


def _broken(*_):
    raise ValueError("The table cannot be read.")


class TestCheckOfFiles:
    def test_a_bid_file_moved_by_one_row_is_caught(self, bid_home, made, tmp_path):
        bid = pd.read_csv(made.file)
        bid["period"] += 1
        moved = tmp_path / "moved.csv"
        bid.to_csv(moved, index=False)
        assert any("(shift +1)" in one for one in check_bid(bid_home, moved))

    def test_the_proposed_bid_with_a_column_moved_or_swapped_is_caught(self, bid_home, made, tmp_path):
        bid, file = pd.read_csv(made.file), tmp_path / "pasted.csv"
        pasted = {
            "its MW 1 row too low": bid.assign(mw=np.roll(bid["mw"], 1)),
            "swapped": bid.rename(columns={"mw": "price_cny_per_mwh", "price_cny_per_mwh": "mw"}),
            "元/kWh instead of": bid.assign(price_cny_per_mwh=bid["price_cny_per_mwh"] / 1_000),
        }
        for sentence, rows in pasted.items():
            rows.to_csv(file, index=False)
            assert any(sentence in one for one in check_bid(bid_home, file))

    def test_a_bid_of_another_node_or_of_an_unknown_day_is_caught(self, bid_home, made, tmp_path):
        bid = pd.read_csv(made.file)
        bid.assign(node="JS").to_csv(tmp_path / "node.csv", index=False)
        bid.assign(date="2023-01-01").to_csv(tmp_path / "day.csv", index=False)
        assert any("for node JS" in one for one in check_bid(bid_home, tmp_path / "node.csv"))
        assert ["cannot be held against" in one for one in check_bid(bid_home, tmp_path / "day.csv")] == [
            True
        ]

    def test_a_file_that_is_no_table_or_names_two_days_is_caught(self, bid_home, made, tmp_path):
        (tmp_path / "empty.csv").write_bytes(b"")
        assert "cannot be read as a CSV table" in check_bid(bid_home, tmp_path / "empty.csv")[0]
        bid = pd.read_csv(made.file)
        bid.loc[0, "date"] = "2022-07-23"
        bid.to_csv(tmp_path / "two.csv", index=False)
        assert "column date with one day" in check_bid(bid_home, tmp_path / "two.csv")[0]


def test_the_bid_file_can_be_delivered_like_any_table(other_home, made):
    receipt = deliver_many(other_home, [made.file])[0]
    assert (receipt.status, receipt.quarantined) == ("accepted", 0)


def test_a_day_without_a_bid_cannot_be_shown(bid_home):
    with pytest.raises(NoBidYetError, match="run `gridsettle bid 2022-07-02`"):
        list(show_bid(bid_home, date(2022, 7, 2)))
