"""From a proposed bid to the file handed in: who may do what, and what blocks."""

from __future__ import annotations

from datetime import date

import pandas as pd
import pytest

from ingest.deliver import deliver_many
from jobs import actor
from jobs.access import NotAllowedError
from jobs.actor import Actor, Role
from jobs.bid import make_bid
from jobs.bid_desk import BidNotReadyError, approve, close, hand_in, history, override, reject
from optimization.procurement import NoBidFoundError
from warehouse.home import create, home

DAY = date(2022, 7, 22)
TABLES = ("atc", "dr_enrolments", "dr_programs", "participants", "paths", "prices", "sections", "system")
WANG = Actor("wang", "王", "os:wang", frozenset({Role.TRADER}))
LI = Actor("li", "李", "os:li", frozenset({Role.APPROVER}))
ZHAO = Actor("zhao", "赵", "os:zhao", frozenset({Role.ANALYST}))


def no_search(problem, time_limit, solver):
    raise NoBidFoundError("The solver is away.")


@pytest.fixture(scope="module")
def at(tmp_path_factory, sample_folder):
    found = home(tmp_path_factory.mktemp("bid_desk"))
    create(found)
    deliver_many(found, [sample_folder / f"{table}.csv" for table in TABLES])
    return found


@pytest.fixture
def proposed(at):
    return make_bid(at, DAY, search=no_search)


@pytest.fixture
def acts_as(monkeypatch):
    return lambda who: monkeypatch.setattr(actor, "current", lambda home: who)


def by_hand(proposed, folder, **changes):
    bid = pd.read_csv(proposed.file).assign(**changes)
    bid.to_csv(folder / "bids_by_hand.csv", index=False)
    return folder / "bids_by_hand.csv"


def test_nothing_is_handed_in_without_an_approval(at, proposed, acts_as):
    acts_as(WANG)
    with pytest.raises(BidNotReadyError, match="has not been approved as it stands"):
        hand_in(at, DAY)


def test_an_analyst_approves_no_bid(at, proposed, acts_as):
    acts_as(ZHAO)
    with pytest.raises(NotAllowedError, match=r"may not do bid\.approve"):
        approve(at, DAY)


def test_a_file_the_market_would_refuse_is_no_override_and_neither_is_one_without_a_reason(
    at, proposed, acts_as, tmp_path
):
    acts_as(WANG)
    with pytest.raises(BidNotReadyError, match=r"The market would refuse .* lies outside 0 to 10000"):
        override(at, DAY, by_hand(proposed, tmp_path, price_cny_per_mwh=20_000), "dearer")
    with pytest.raises(BidNotReadyError, match="needs a reason"):
        override(at, DAY, by_hand(proposed, tmp_path), "  ")


def test_an_override_needs_a_second_person_and_every_step_is_kept(at, proposed, acts_as, tmp_path):
    acts_as(WANG)
    bid = pd.read_csv(proposed.file)
    high = by_hand(proposed, tmp_path, mw=bid["mw"] + 5_000)
    made = override(at, DAY, high, "宁夏机组跳闸")
    assert made.label == "override"
    assert any("bid no more than the need" in note for note in made.facts["notes"])
    with pytest.raises(NotAllowedError, match="a second person approves it"):
        approve(at, DAY)
    acts_as(LI)
    with pytest.raises(BidNotReadyError, match="give a reason"):
        approve(at, DAY)
    approve(at, DAY, reason="dispatch confirms the outage")
    acts_as(WANG)
    handed = hand_in(at, DAY)
    assert handed.read_bytes() == made.file.read_bytes()
    kept = {one.version: [(act.act, act.person) for act in acts] for one, acts in history(at, DAY)}
    assert kept[made.version] == [("bid.override", "wang"), ("bid.approve", "li"), ("bid.hand_in", "wang")]


def test_an_approval_holds_for_the_bytes_that_were_approved(at, acts_as, proposed, tmp_path):
    acts_as(WANG)
    made = override(at, DAY, by_hand(proposed, tmp_path), "as proposed")
    acts_as(LI)
    approve(at, DAY)
    made.file.write_bytes(made.file.read_bytes().replace(b",1,", b",1,", 1) + b"\n")
    acts_as(WANG)
    with pytest.raises(BidNotReadyError, match="has not been approved as it stands"):
        hand_in(at, DAY)


def test_nobody_answers_and_the_bid_by_rule_goes_in_with_a_filing_record(at, acts_as, tmp_path):
    day = date(2022, 7, 21)
    made = make_bid(at, day, stand_by=True)
    assert made.label == "rule"
    assert make_bid(at, day, stand_by=True).version == made.version  # it stands already
    acts_as(LI)
    with pytest.raises(NotAllowedError, match=r"may not do bid\.stand_in"):
        close(at, day)
    acts_as(WANG)
    handed = close(at, day)
    assert handed.read_bytes() == made.file.read_bytes()
    ((_, acts),) = history(at, day)
    assert [(one.act, one.reason) for one in acts] == [
        ("bid.stand_in", "approved by rule; nobody approved in time")
    ]
    filed = pd.read_csv(handed.with_name(f"filing_{day}_v1.csv"), dtype=str)
    assert set(filed["报送人"]) == {"wang"}
    assert set(filed["批准人"]) == {"rule"}
    assert filed["理由"].isin(["紧缺购电", "可能缺口"]).all()
    assert filed["申报电量MWh"].astype(float).sum() == pytest.approx(
        float(made.facts["bid"]["mwh"]), abs=0.05
    )
    assert close(at, day) == handed  # once is enough


def test_a_rejected_bid_is_not_handed_in_and_an_approved_one_before_a_newer_is(at, acts_as):
    day = date(2022, 7, 20)
    acts_as(LI)
    standing = make_bid(at, day, stand_by=True)
    better = make_bid(at, day, search=no_search)  # the next version, of the same rule
    with pytest.raises(BidNotReadyError, match="needs a reason"):
        reject(at, day, better.version, " ")
    reject(at, day, better.version, "prices of 宁夏 are wrong")
    acts_as(WANG)
    assert close(at, day).name == standing.file.name
    day = date(2022, 7, 19)
    first, second = make_bid(at, day, stand_by=True), make_bid(at, day, search=no_search)
    acts_as(LI)
    approve(at, day, first.version)
    acts_as(WANG)
    assert second.version == first.version + 1
    assert close(at, day).name == first.file.name


def test_a_version_says_period_by_period_whether_to_buy_and_up_to_which_price(proposed):
    rows = {one["period"]: one for one in proposed.facts["decision"]}
    evening = rows[80]
    assert (evening["buy"], evening["reason"]) == (True, "shortage")
    assert evening["probability"] > 0.5
    # July is peak season, 20:00 the peak band: k is 1.6 to 2.0 by MW (market.md A.11)
    assert 1.6 <= evening["ceiling"] / max(evening["provincial"], 1) < 3
    assert all(one["probability"] > 0 or one["mw"] > 0 for one in rows.values())
