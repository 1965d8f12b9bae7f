"""A month is corrected through the DAG: on paper first, then its people are asked, then the difference is posted."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pandas as pd
import pytest

from ingest.deliver import deliver_many
from jobs import posted
from jobs.settle_month import settle
from market.periods import Month
from warehouse.audit_log import entries
from warehouse.runs import find_run

SCENARIOS = Path(__file__).resolve().parents[1] / "scenarios"

pytestmark = [pytest.mark.xdist_group("airflow"), pytest.mark.timeout(280)]


def states(dag_run) -> Counter:
    return Counter((task.task_id, task.state) for task in dag_run.get_task_instances())


@pytest.fixture
def late_reading(people):
    """July is final, and a reading came late."""
    deliver_many(people, [SCENARIOS / "base"])
    settle(people, Month(2022, 7), kind="final")
    deliver_many(people, [SCENARIOS / "given_a_late_reading" / "later"])
    return people


def test_a_late_reading_becomes_a_correction_that_is_posted_when_it_is_approved(late_reading, answered):
    questions = {
        "city_queue.ask_city": ("li.na", "Sign off", "the bills are not made here"),
        "ask_approval": ("zhao.min", "Approve", ""),
    }
    done = answered("correct_month", {"month": "2022-07"}, questions)
    assert states(done) == {
        ("correct_province", "success"): 1,
        ("explain_difference", "success"): 1,
        ("write_reports", "success"): 1,
        ("find_queues", "success"): 1,
        ("city_queue.ask_city", "success"): 1,
        ("city_queue.sign_off", "success"): 1,
        ("ask_approval", "success"): 1,
        ("decide", "success"): 1,
    }
    run = find_run(late_reading, "2022-07 correction v1")
    assert posted.posted_into(late_reading, "2022-08") == (run,)
    acts = [
        (entry.act, entry.person) for entry in entries(late_reading, run.run_id) if entry.act != "run.print"
    ]
    assert acts == [("run.prepare", "wang"), ("run.signoff", "li"), ("run.approve", "zhao")]
    bridge = pd.read_csv(late_reading.reports / run.run_id / "bridge.csv").set_index(
        ["participant_id", "charge_code"]
    )
    # 9.6 MWh more of a customer of R1 at 490
    assert bridge.loc[("R1", "energy_real_time"), "reading_cny"] == 4704.00


def test_who_prepared_the_correction_does_not_post_it(late_reading, answered):
    questions = {
        "city_queue.ask_city": ("li.na", "Sign off", "seen"),
        "ask_approval": ("wang", "Approve", ""),
    }
    done = answered("correct_month", {"month": "2022-07"}, questions, skip="write_reports|explain_difference")
    assert done.state == "failed"
    assert posted.posted_into(late_reading, "2022-08") == ()
