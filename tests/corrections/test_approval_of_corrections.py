"""A correction goes the way of every run: prepared, checked by its cities, approved by another; then it is posted."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pandas as pd
import pytest
from approvals import APPROVER, acting, approved, checked, rejected
from changed_books import JULY, copied, give, in_month, lines_of, revise

from jobs import posted
from jobs import run_life as life
from jobs.correct_month import NotCorrectedError, correct
from jobs.settle_month import settle
from market.periods import Month
from settlement.run_life import NotNowError, SamePersonError
from warehouse import audit_log, runs
from warehouse.home import Home

AUGUST, SEPTEMBER = Month(2022, 8), Month(2022, 9)


def late(at: Home, cells: dict[str, str]) -> runs.Run:
    """A late reading of W1 on 12 July, and the correction prepared from it."""
    revise(at, "meter_readings", cells, meter_id="M-W1", date="2022-07-12")
    return correct(at, JULY).run


def taken(run: runs.Run) -> list[str]:
    """The corrections whose differences stand in a run."""
    return pd.read_parquet(run.folder / "corrections.parquet")["correction"].drop_duplicates().tolist()


def waiting(run: runs.Run) -> dict[str, Decimal]:
    """The corrections a run speaks of without taking them, with the money at stake."""
    rows = pd.read_parquet(run.folder / "findings.parquet")
    rows = rows[rows["code"] == "correction_waiting"]
    assert set(rows["severity"]) <= {"review"}
    return dict(zip(rows["subject"], rows["amount_at_stake_cny"], strict=True))


@pytest.fixture(scope="module")
def _with_august(_final, tmp_path_factory):
    """July is final, August is delivered, and a correction of July waits."""
    at = copied(_final, tmp_path_factory.mktemp("august") / "home")
    for table in ("meter_readings", "positions", "prices", "capacity_available"):
        give(at, table, in_month(table, AUGUST))
    late(at, {"12:00": "21"})
    return at


@pytest.fixture
def at(_with_august, tmp_path):
    return copied(_with_august, tmp_path / "home")


@pytest.fixture
def first(at):
    """The correction that waits: 0.1 MWh more for W1."""
    return runs.find_run(at, "2022-07 correction v1")


def test_a_draft_names_what_waits_with_the_money_and_takes_it_once_it_is_approved(at: Home, first) -> None:
    draft = settle(at, AUGUST).run
    assert (taken(draft), waiting(draft)) == ([], {first.alias: Decimal("58.83")})  # W1 58.60, others 0.23
    assert ("W1", "resettlement") not in lines_of(draft)
    approved(at, first)
    again = settle(at, AUGUST).run
    assert again.run_id != draft.run_id
    assert (taken(again), waiting(again)) == ([first.run_id], {})
    assert lines_of(again)["W1", "resettlement"] == Decimal("58.60")


def test_a_final_takes_approved_corrections_only_and_what_waited_goes_into_the_next_month(
    at: Home, first
) -> None:
    final = settle(at, AUGUST, kind="final").run
    assert (taken(final), list(waiting(final))) == ([], [first.alias])
    checked(at, first)
    with (
        acting(APPROVER),
        pytest.raises(NotNowError, match="2022-08 final v1 exists without it; correct 2022-07 again"),
    ):
        life.approve(at, first.run_id)
    second = correct(at, JULY).run
    assert (second.alias, second.manifest["posted_into"]) == ("2022-07 correction v2", str(SEPTEMBER))
    assert approved(at, second).previous == first.previous
    assert [run.run_id for run in posted.posted_into(at, str(SEPTEMBER))] == [second.run_id]


def test_the_preparer_approves_no_correction_and_a_queue_comes_first(at: Home, first) -> None:
    with acting(APPROVER), pytest.raises(NotNowError, match="while the run is prepared"):
        life.approve(at, first.run_id)
    checked(at, first)
    prepared = audit_log.entries(at, first.run_id)[0].person
    other_account = replace(APPROVER, person=prepared, account="airflow:one")
    with acting(other_account), pytest.raises(SamePersonError, match="four different people"):
        life.approve(at, first.run_id)
    assert posted.posted_into(at, str(AUGUST)) == ()


def test_the_next_correction_builds_on_the_last_approved_one(at: Home, first) -> None:
    second = late(at, {"12:00": "22"})
    assert second.previous == first.previous  # the first was never approved
    checked(at, first)
    with acting(APPROVER), pytest.raises(NotNowError, match="correction v2 is newer"):
        life.approve(at, first.run_id)
    approved(at, second)
    third = late(at, {"12:00": "23"})
    assert third.previous == second.run_id
    approved(at, third)
    assert taken(settle(at, AUGUST).run) == [second.run_id, third.run_id]


def test_a_rejected_correction_is_posted_nowhere_and_not_offered_again(at: Home, first) -> None:
    rejected(at, first, "the meter was read wrongly")
    draft = settle(at, AUGUST).run
    assert (taken(draft), waiting(draft)) == ([], {})
    with pytest.raises(NotCorrectedError, match="was rejected by zhao: the meter was read wrongly"):
        correct(at, JULY)
    assert late(at, {"12:00": "22"}).previous == first.previous


def test_an_approved_correction_is_taken_back_only_while_nothing_rests_on_it(at: Home, first) -> None:
    approved(at, first)
    draft = settle(at, AUGUST).run
    rejected(at, first)  # the month is open still
    checked(at, draft)
    with (
        acting(APPROVER),
        pytest.raises(NotNowError, match="correction v1, which is no longer approved; settle 2022-08"),
    ):
        life.approve(at, draft.run_id)
    second = approved(at, late(at, {"12:00": "22"}))
    final = settle(at, AUGUST, kind="final").run
    assert taken(final) == [second.run_id]
    with acting(APPROVER), pytest.raises(NotNowError, match="is posted in 2022-08 final v1"):
        life.reject(at, second.run_id, "found wrong too late")


def test_a_correction_under_another_one_stays(at: Home, first) -> None:
    approved(at, first)
    second = approved(at, late(at, {"12:00": "22"}))
    with (
        acting(APPROVER),
        pytest.raises(NotNowError, match="correction v2 is approved and posts what it adds"),
    ):
        life.reject(at, first.run_id, "found wrong too late")
    rejected(at, second)
    rejected(at, first)
    assert posted.posted_into(at, str(AUGUST)) == ()


def test_a_month_is_settled_as_final_again_once_what_waited_is_rejected(at: Home, first) -> None:
    with pytest.raises(ValueError, match="corrected already by 2022-07 correction v1"):
        settle(at, JULY, kind="final")
    rejected(at, first)
    again = settle(at, JULY, kind="final").run
    assert again.alias == "2022-07 final v2"
    assert late(at, {"12:00": "23"}).previous == again.run_id
