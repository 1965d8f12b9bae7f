"""Which corrections count, over runs that hold nothing but their differences: approved, waiting, rejected, too late."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from approvals import APPROVER, acting, approved, rejected
from life_cases import PEOPLE, make_run

from jobs import posted
from jobs import run_life as life
from settlement.corrections import Brought, Difference
from settlement.run_life import NotNowError, SamePersonError
from warehouse import run_tables, runs
from warehouse.difference_tables import DIFFERENCES, differences_table
from warehouse.home import create, home

JULY, AUGUST = "2022-07", "2022-08"


@pytest.fixture
def at(tmp_path):
    made = home(tmp_path)
    create(made)
    return made


@pytest.fixture
def final(at):
    """July is final."""
    return make_run(at, (), kind="final")


def make_correction(at, previous, version, fen=1000, into=AUGUST, month=JULY, carries=()):
    """A correction of W1's energy by ``fen``; ``carries``: corrections a month of settlement takes over instead."""

    def compute(folder, run_id):
        line = Difference(month, "W1", "energy_real_time", None, 0, 0, 0, fen)
        brought = [Brought(str(run_id), month, (line,), {"energy": -fen})]
        rows = {DIFFERENCES: run_tables.write_table(differences_table(brought), folder / DIFFERENCES)}
        findings = run_tables.findings_table((), run_id)
        rows["findings.parquet"] = run_tables.write_table(findings, folder / "findings.parquet")
        return {"rows": rows, "totals": {"missing_lines": 0}, "status": "ready"}

    inputs = (runs.InputFile(f"a/{version}.csv", f"{version}".rjust(64, "0"), 1),)
    identity = runs.RunIdentity(
        "correction", month, "SD_2022", "0" * 64, inputs, previous.run_id, "1", posted_into=into
    )
    return runs.write_run(
        at, identity, version, datetime(2022, 8, 5, tzinfo=UTC), compute, PEOPLE["wang"].signature
    )


def ids(found):
    return [run.run_id for run in found]


def refused(at, run, match, act=life.approve):
    with acting(APPROVER), pytest.raises(NotNowError, match=match):
        act(at, run.run_id, "a reason in words")


def test_what_waits_is_posted_by_its_approval_and_by_nothing_else(at, final):
    one = make_correction(at, final, 1)
    assert (ids(posted.posted_into(at, AUGUST)), ids(posted.waiting_for(at, AUGUST))) == ([], [one.run_id])
    approved(at, one)
    assert (ids(posted.posted_into(at, AUGUST)), ids(posted.waiting_for(at, AUGUST))) == ([one.run_id], [])
    assert ids(posted.posted_into(at, "2022-09")) == []


def test_who_prepared_it_does_not_approve_it_under_another_account_either(at, final):
    one = make_correction(at, final, 1)
    both = APPROVER.__class__("wang", "王伟", "airflow:wang", APPROVER.roles)
    with acting(both), pytest.raises(SamePersonError, match="four different people"):
        life.approve(at, one.run_id)


def test_of_two_that_wait_the_newer_one_counts(at, final):
    old, new = make_correction(at, final, 1), make_correction(at, final, 2)
    assert ids(posted.waiting_for(at, AUGUST)) == [new.run_id]
    refused(at, old, "correction v2 is newer")
    rejected(at, new)
    assert ids(posted.waiting_for(at, AUGUST)) == [old.run_id]


def test_it_is_approved_only_on_top_of_what_is_posted(at, final):
    old, new = make_correction(at, final, 1), make_correction(at, final, 2)
    approved(at, new)
    rejected(at, old)
    third = make_correction(at, old, 3)  # compared with a version that is not posted
    refused(at, third, "another version than 2022-07 correction v2")
    assert posted.last_posted(at, JULY).run_id == new.run_id


def test_once_the_month_is_final_it_is_too_late(at, final):
    one = make_correction(at, final, 1)
    august = make_run(at, (), kind="final", month=AUGUST, salt="a")
    refused(at, one, "2022-08 final v1 exists without it; correct 2022-07 again")
    rejected(at, august)  # a rejected final run closes nothing
    approved(at, one)


def test_what_a_final_run_took_over_is_not_taken_back(at, final):
    one = approved(at, make_correction(at, final, 1))
    make_run(at, (), kind="final", month=AUGUST, salt="a")
    refused(at, one, "is posted in 2022-08 final v1; a further correction", life.reject)


def test_what_another_correction_builds_on_is_not_taken_back(at, final):
    one = approved(at, make_correction(at, final, 1))
    two = approved(at, make_correction(at, one, 2))
    refused(at, one, "correction v2 is approved and posts what it adds", life.reject)
    refused(at, final, "correction v1 is approved and posts what it adds", life.reject)
    rejected(at, two)
    rejected(at, one)
    assert posted.posted_into(at, AUGUST) == ()


def test_a_month_that_holds_a_correction_taken_back_is_not_approved(at, final):
    one = approved(at, make_correction(at, final, 1))
    carried = runs.output_as_input(one, DIFFERENCES)

    def compute(folder, run_id):
        table = run_tables.findings_table((), run_id)
        rows = {"findings.parquet": run_tables.write_table(table, folder / "findings.parquet")}
        return {"rows": rows, "totals": {"missing_lines": 0}, "status": "ready"}

    identity = runs.RunIdentity("draft", AUGUST, "SD_2022", "0" * 64, (carried,), None, "1")
    draft = runs.write_run(at, identity, 1, None, compute, PEOPLE["wang"].signature)
    rejected(at, one)
    refused(at, draft, "correction v1, which is no longer approved; settle 2022-08 again")


def test_the_finding_says_what_would_be_charged(at, final):
    one = make_correction(at, final, 1, fen=123456)
    (found,) = posted.waiting_findings([one], AUGUST, "draft")
    assert (found.code, found.amount_at_stake_fen) == ("correction_waiting", 123456)
    assert "would charge 1,234.56 and credit 0.00 元 to 1 participants" in found.sentence
