"""Objections: in time or refused, decided by another person, and a pack that an outsider can recompute."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from datetime import date
from pathlib import Path

import pytest
from life_cases import PEOPLE

from ingest.deliver import deliver_many
from jobs import actor, cases
from jobs.access import NotAllowedError
from jobs.evidence_pack import write_pack
from jobs.settle_month import settle
from market.periods import Month
from settlement.objections import CaseError, CaseState
from warehouse import runs
from warehouse.home import create, home

BASE = Path(__file__).resolve().parents[1] / "scenarios" / "base"
JULY = Month(2022, 7)
LINE = ("W1", "energy_real_time")


@pytest.fixture(scope="module")
def settled(tmp_path_factory):
    at = home(tmp_path_factory.mktemp("cases"))
    create(at)
    deliver_many(at, [BASE])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(actor, "current", lambda _home: PEOPLE["all"])
        return at, settle(at, JULY, kind="final").run, settle(at, JULY, kind="draft").run


@pytest.fixture
def act_as(monkeypatch):
    return lambda person: monkeypatch.setattr(actor, "current", lambda _home: PEOPLE[person])


@pytest.fixture
def filed(settled, act_as):
    at, run, _ = settled
    act_as("wang")
    return at, cases.open_case(at, run.alias, *LINE, "the meter of 3 July is not ours", date(2022, 8, 20))


def test_an_answer_is_due_five_working_days_after_the_letter(filed):
    """20 August 2022 is a Saturday; the fifth working day after it is Friday the 26th."""
    _, case = filed
    assert (case.state, case.due) == (CaseState.OPEN, "2022-08-27T00:00:00+08:00")


def test_an_objection_after_fifteen_working_days_is_refused_with_its_deadline(settled, act_as):
    """The final basis is of 10 August 2022, the 8th working day; fifteen more end on 31 August."""
    at, run, _ = settled
    act_as("wang")
    cases.open_case(at, run.alias, *LINE, "just in time", date(2022, 8, 31))
    with pytest.raises(CaseError, match=r"had to come in by 2022-08-31 .*this one came on 2022-09-01"):
        cases.open_case(at, run.alias, *LINE, "too late", date(2022, 9, 1))


def test_an_objection_to_the_draft_has_one_working_day(settled, act_as):
    """The draft is of 5 August 2022, the 5th working day; one working day more is Monday the 8th."""
    at, _, draft = settled
    act_as("wang")
    cases.open_case(at, draft.alias, *LINE, "in time", date(2022, 8, 8))
    with pytest.raises(CaseError, match="by 2022-08-08"):
        cases.open_case(at, draft.alias, *LINE, "late", date(2022, 8, 9))


def test_a_line_that_is_not_there_cannot_be_objected_to(settled, act_as):
    at, run, _ = settled
    act_as("wang")
    with pytest.raises(LookupError, match="W1 has no line loss"):
        cases.open_case(at, run.alias, "W1", "loss", "why", date(2022, 8, 12))


def test_upheld_and_linked_to_the_correction_it_is_closed(filed, settled, act_as):
    at, case = filed
    _, _, other = settled
    act_as("zhao")
    assert cases.uphold(at, case.case_id, "the meter belongs to W2").state is CaseState.UPHELD
    act_as("wang")
    with pytest.raises(CaseError, match="does not correct"):
        cases.link(at, case.case_id, case.run_id)
    done = cases.link(at, case.case_id, other.run_id)
    assert (done.state, done.correction) == (CaseState.CORRECTED, other.run_id)
    assert [(entry.act, entry.person) for entry in done.acts] == [
        ("case.open", "wang"),
        ("case.uphold", "zhao"),
        ("case.link", "wang"),
    ]


def test_a_rejected_objection_leaves_the_line_says_why_and_leads_to_no_correction(filed, settled, act_as):
    at, case = filed
    _, run, other = settled
    act_as("zhao")
    done = cases.reject(at, case.case_id, "the register agrees with the readings")
    assert (done.state, done.correction) == (CaseState.REJECTED, None)
    assert [(entry.act, entry.person, entry.reason) for entry in done.acts[1:]] == [
        ("case.reject", "zhao", "the register agrees with the readings")
    ]
    act_as("wang")
    with pytest.raises(CaseError, match="cannot be done while the case is"):
        cases.link(at, case.case_id, other.run_id)
    assert runs.verify(run) == []


@pytest.mark.parametrize("first", ["uphold", "reject", "withdraw"])
def test_what_was_decided_is_not_decided_again(filed, act_as, first):
    at, case = filed
    act_as("wang" if first == "withdraw" else "zhao")
    getattr(cases, first)(at, case.case_id, "after a look at the meter")
    act_as("qian")
    with pytest.raises(CaseError, match="cannot be done while the case is"):
        cases.reject(at, case.case_id, "once more")


def test_who_filed_or_prepared_does_not_decide_even_with_the_role(settled, act_as):
    at, run, _ = settled
    act_as("all")  # prepared the run
    with pytest.raises(CaseError, match="filed this case"):
        cases.reject(at, cases.open_case(at, run.alias, *LINE, "x y z", date(2022, 8, 12)).case_id, "no")
    act_as("wang")
    case = cases.open_case(at, run.alias, *LINE, "x y z", date(2022, 8, 12))
    act_as("all")
    with pytest.raises(CaseError, match="prepared the run"):
        cases.reject(at, case.case_id, "no")
    act_as("wang")
    with pytest.raises(NotAllowedError, match=r"case.reject"):
        cases.reject(at, case.case_id, "no")


def test_a_case_of_another_city_is_not_for_a_checkers_eyes(filed, act_as):
    at, case = filed
    act_as("liu")  # yantai
    assert case.city != "yantai"
    assert cases.cases(at) == []
    with pytest.raises(NotAllowedError, match="may not see W1"):
        cases.case(at, case.case_id)


CHARGES = [
    ("W1", "energy_real_time"), ("G1", "contract"), ("W1", "congestion"),
]  # fmt: skip


@pytest.mark.parametrize(("who", "charge"), CHARGES)
def test_an_outsider_recomputes_the_line_from_the_pack_alone(settled, act_as, tmp_path, who, charge):
    at, run, _ = settled
    act_as("wang")
    case = cases.open_case(at, run.alias, who, charge, "please show", date(2022, 8, 12))
    with zipfile.ZipFile(write_pack(at, case.case_id)) as pack:
        pack.extractall(tmp_path)
    alone = [
        sys.executable,
        "-I",
        "-S",
        "recompute.py",
    ]  # no site packages, no environment: the standard library
    done = subprocess.run(
        alone, cwd=tmp_path, capture_output=True, text=True, check=False, env={"PYTHONUTF8": "1"}
    )
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    assert done.stdout.rstrip().endswith("The line is what its rows give.")


def test_the_pack_holds_the_rows_as_they_were_delivered_and_notices_a_changed_one(settled, act_as, tmp_path):
    at, run, _ = settled
    act_as("wang")
    case = cases.open_case(at, run.alias, *LINE, "please show", date(2022, 8, 12))
    with zipfile.ZipFile(write_pack(at, case.case_id)) as pack:
        pack.extractall(tmp_path)
    (readings,) = tmp_path.glob("rows/*meter_readings.csv")
    delivered = (BASE / "meter_readings.csv").read_text("utf-8-sig").splitlines()
    taken = readings.read_text("utf-8").splitlines()
    assert taken[0] == delivered[0]
    assert set(taken) < set(delivered)
    assert len(taken) == 1 + 31
    days = tmp_path / "days.csv"
    first = days.read_text().splitlines()[1]
    days.write_text(days.read_text().replace(first, first.rsplit(",", 1)[0] + ",1.00"))
    done = subprocess.run(
        [sys.executable, "-I", "recompute.py"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "cannot be recomputed: day 2022-07-01, line" in done.stdout
