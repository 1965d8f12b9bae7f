"""A final month in Airflow: its cities sign off, an approver decides, each under the name of their Airflow user."""

from __future__ import annotations

import os
import pwd
from collections import Counter
from pathlib import Path

import pytest

from ingest.deliver import deliver_many
from settlement.run_life import State
from warehouse.audit_log import entries
from warehouse.home import home
from warehouse.run_log import run_standing
from warehouse.runs import list_runs

BASE = Path(__file__).resolve().parents[1] / "scenarios" / "base"
ME = pwd.getpwuid(os.getuid()).pw_name

# the base has consumers and no tariffs, which waits in the province's own queue
PROVINCE = {"city_queue.ask_city": ("li.na", "Sign off", "bills are not made here")}

pytestmark = [pytest.mark.xdist_group("airflow"), pytest.mark.timeout(280)]


@pytest.fixture
def settled(people, answered):
    """``settled(answers)``: the final month with each question answered as ``{task: (user, option, reason)}``."""
    deliver_many(people, [BASE])
    conf = {"month": "2022-07", "kind": "final"}
    return lambda answers, skip="write_reports": answered("settle_month", conf, PROVINCE | answers, skip)


def states(dag_run):
    return Counter((task.task_id, task.state) for task in dag_run.get_task_instances())


def acts():
    (run,) = list_runs(home())
    return run_standing(home(), run).state, [
        (entry.act, entry.account) for entry in entries(home(), run.run_id) if entry.act != "run.print"
    ]


def test_an_approver_approves_under_the_own_name_in_airflow(settled):
    done = settled({"ask_approval": ("zhao.min", "Approve", "")}, skip=None)
    assert done.state == "success"
    assert states(done)["write_reports", "success"] == 1
    assert states(done)["decide", "success"] == 1
    assert acts() == (
        State.APPROVED,
        [
            ("run.prepare", f"os:{ME}"),
            ("run.signoff", "airflow:li.na"),
            ("run.approve", "airflow:zhao.min"),
        ],
    )


def test_a_rejection_is_logged_with_its_reason(settled):
    settled({"ask_approval": ("zhao.min", "Reject", "the price of 10 July is wrong")})
    (run,) = list_runs(home())
    assert run_standing(home(), run).state is State.REJECTED
    assert entries(home(), run.run_id)[-1].reason == "the price of 10 July is wrong"


@pytest.mark.parametrize("user", ["wang", "li.na", "somebody"])
def test_who_prepared_who_only_checks_and_who_is_unknown_do_not_approve(settled, user):
    done = settled({"ask_approval": (user, "Approve", "")})
    assert done.state == "failed"
    assert acts() == (State.CHECKED, [("run.prepare", f"os:{ME}"), ("run.signoff", "airflow:li.na")])


def test_each_city_with_a_queue_signs_off_before_the_question_of_approval(settled, monkeypatch):
    from warehouse import run_log

    rows = run_log.finding_rows

    def with_a_queue(run, *of_a_comparison):
        odd = {
            "finding_id": "f1",
            "code": "odd_trade",
            "severity": "review",
            "queue": "jinan",
            "city": "jinan",
        }
        return [
            *rows(run, *of_a_comparison),
            {**odd, "evidence": {}, "since": 0, "sentence": "odd", "subject": "T1"},
        ]

    monkeypatch.setattr(run_log, "finding_rows", with_a_queue)
    done = settled(
        {"city_queue.ask_city": ("li.na", "Sign off", "seen"), "ask_approval": ("zhao.min", "Approve", "")}
    )
    assert done.state == "success"
    signed = ("run.signoff", "airflow:li.na")  # Jinan and the province
    assert acts()[1][1:] == [signed, signed, ("run.approve", "airflow:zhao.min")]
