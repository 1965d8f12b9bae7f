"""Tables fill the bid's model: bands of contracts, prices within the day, the limit of all imports."""

from __future__ import annotations

import json
from datetime import date, timedelta

import numpy as np
import pandas as pd
import pytest

from ingest.deliver import deliver_many
from jobs.bid import make_bid
from jobs.bid_checks import check_bid
from jobs.bid_inputs import read_inputs
from jobs.bid_ladder import search_here
from jobs.bid_shown import show_bid
from jobs.review import review_day
from market.periods import LABELS
from warehouse.home import create, home

DAY = date(2022, 7, 22)
TABLES = ("atc", "dr_enrolments", "dr_programs", "participants", "paths", "prices", "sections", "system")
CONTRACTS = "contract_id,seller_id,buyer_id,price_cny_per_mwh,valid_from,valid_to\n"
BANDS = (
    "band_id,contract_id,first_period,last_period,up_mw,up_price_cny_per_mwh,down_mw,down_price_cny_per_mwh,"
    "valid_from,valid_to\n"
)


@pytest.fixture(scope="module")
def at(tmp_path_factory, sample_folder):
    """The sample's morning and terms beside the market: a contract of the grid company that may be left by 200 MW
    upwards and 500 downwards, 300 MW expected within the day, an import limit of 1,000 MW in the evening."""
    found, folder = home(tmp_path_factory.mktemp("terms")), tmp_path_factory.mktemp("files")
    create(found)
    (folder / "contracts.csv").write_text(
        CONTRACTS
        + "C1,G001,SGCC-SD,458,2022-07-01,2022-08-01\nC2,G001,W0001,458,2022-07-01,2022-08-01\n"
        + "C3,G001,SGCC-SD,458,2022-07-01,2022-08-01\n"
    )
    (folder / "contract_bands.csv").write_text(
        BANDS
        + "B1,C1,69,88,200,620,500,-300,2022-07-01,\n"
        + "B2,C2,69,88,200,620,0,,2022-07-01,\n"
        + "B3,C3,69,88,100,,50,-300,2022-07-01,\n"
    )
    curve = pd.DataFrame([["C1", DAY, *[30.0] * 96]], columns=["contract_id", "date", *LABELS])  # 120 MW
    curve.to_csv(folder / "contract_curves.csv", index=False)
    (folder / "import_limits.csv").write_text(
        "node,limit_mw,source,valid_from,valid_to\nSD,1000,运行方式,2022-07-10,\nHN,5,x,2022-07-01,\n"
    )
    rows = [["intraday_mw_forecast", "SD", DAY, *[300.0] * 96], *prices_within_the_day()]
    pd.DataFrame(rows, columns=["series", "node", "date", *LABELS]).to_csv(
        folder / "system_later.csv", index=False
    )
    deliver_many(found, [*(sample_folder / f"{table}.csv" for table in TABLES), folder])
    return found


def prices_within_the_day():
    """Expected 900 every day; what came was 900 plus the number of the day, on every day of the history."""
    days = [DAY - timedelta(days=n) for n in range(61)]
    for n, day in enumerate(days):
        yield ["intraday_price_forecast", "SD", day, *[900.0] * 96]
        yield ["intraday_price_actual", "SD", day, *[900.0 + n] * 96]


@pytest.fixture(scope="module")
def inputs(at):
    return read_inputs(at, DAY, scenario_count=3)


@pytest.fixture(scope="module")
def made(at):
    return make_bid(at, DAY, time_limit=60, scenario_count=2, search=search_here)


def test_a_band_of_the_grid_company_s_contract_is_a_way_up_and_down_in_its_periods(inputs):
    band = inputs.problem.commitments[0]
    assert band.name == "B1"
    assert not band.imported  # the seller stands in the province
    assert (band.up_mw[68:88] == 200).all()
    assert band.up_mw[:68].max() == band.up_mw[88:].max() == 0
    assert (band.down_mw[68:88] == 120).all()  # the contract has no more than 120 MW to be left from
    assert (band.up_cny_per_mwh[70], band.down_cny_per_mwh[70]) == (620, -300)


def test_what_a_band_does_not_say_is_not_made_up(inputs):
    notes = " ".join(inputs.notes)
    assert "Band B2 of contract C2 is left out: its buyer W0001 is not the grid company." in notes
    assert "Band B3 of contract C3 is not used upwards: it has 100 MW up and no price for them." in notes
    assert "Band B3 of contract C3 is not left downwards: the contract has no curve of 2022-07-22" in notes


def test_the_price_within_the_day_differs_by_scenario_as_it_came_on_the_days_they_are_from(inputs):
    later = inputs.problem.commitments[-1]
    assert (later.name, later.imported, later.up_mw.max()) == ("intraday", True, 300)
    names = inputs.problem.scenarios.names
    came = [900 + (DAY - date.fromisoformat(name)).days for name in names if name != "stress"]
    assert later.up_cny_per_mwh[: len(came), 0] == pytest.approx(came)
    assert inputs.problem.scenarios.seller_nodes == ("NMD", "NX", "SX")  # it is no seller


def test_a_price_within_the_day_without_mw_is_left_out_with_a_note(at):
    other = DAY - timedelta(days=1)  # a day whose price is known and whose MW is not
    found = read_inputs(at, other, scenario_count=1)
    assert all(one.name != "intraday" for one in found.problem.commitments)
    assert any("intraday_price of SD is known and intraday_mw_forecast is not" in one for one in found.notes)


def test_what_may_come_in_is_the_limit_less_what_is_scheduled(at, inputs):
    assert inputs.problem.import_limit_mw == pytest.approx(1000 - inputs.balance.tie_line_mlt)
    before = read_inputs(at, date(2022, 7, 9), scenario_count=1, limits_only=True)
    assert before.problem.import_limit_mw is None
    assert any("limit of all imports of SD on 2022-07-09 is not known" in one for one in before.notes)


def test_bands_and_limit_bind_in_the_bid_and_are_shown_with_what_they_are_worth(at, made):
    bid = pd.read_csv(made.file).groupby("period")["mw"].sum()
    assert bid.max() == 1000
    assert check_bid(at, made.file) == []
    kinds = {one["kind"] for one in made.facts["limits"]}
    assert {"import_limit", "commitment_up"} <= kinds
    said = " ".join(show_bid(at, DAY))
    assert "全省受电能力 SD" in said
    assert "上调能力(合同、日内或有序用电) B1" in said
    assert "全省受电能力" in made.page.read_text(encoding="utf-8")
    assert float(made.facts["costs"]["commitment"]) > 0
    table = pd.read_csv(made.file, dtype=str).assign(mw="990")
    above = made.file.parent / "above.csv"
    table.to_csv(above, index=False)
    assert any("1000 MW may still be imported" in one for one in check_bid(at, above))
    above.unlink()


def test_the_record_names_the_files_of_the_terms_and_a_replay_reads_them_again(at, made):
    named = {one["table"] for one in made.facts["inputs"]}
    assert {"contract_bands", "contracts", "contract_curves", "participants", "import_limits"} <= named
    review = json.loads(review_day(at, DAY).file.read_text(encoding="utf-8"))
    parts = review["regret_cny"]
    total = sum(round(float(parts[name]) * 100) for name in ("forecast", "shape", "constraint"))
    assert total == round(float(parts["total"]) * 100)
    assert np.isfinite(float(review["cost_cny"]))
