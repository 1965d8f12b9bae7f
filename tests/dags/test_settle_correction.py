"""A month is corrected through the DAG, and what it changed is on paper."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pandas as pd
import pytest

from ingest.deliver import deliver_many
from jobs.settle_month import settle
from market.periods import Month
from warehouse.runs import find_run

SCENARIOS = Path(__file__).resolve().parents[1] / "scenarios"

pytestmark = pytest.mark.xdist_group("airflow")


def states(dag_run) -> Counter:
    return Counter((task.task_id, task.state) for task in dag_run.get_task_instances())


def test_a_late_reading_becomes_a_correction_with_its_bridge_and_reports(run_dag, empty_home):
    deliver_many(empty_home, [SCENARIOS / "base"])
    settle(empty_home, Month(2022, 7), kind="final")
    deliver_many(empty_home, [SCENARIOS / "given_a_late_reading" / "later"])
    done = run_dag("correct_month", {"month": "2022-07"})
    assert states(done) == {
        ("correct_province", "success"): 1,
        ("explain_difference", "success"): 1,
        ("write_reports", "success"): 1,
    }
    run = find_run(empty_home, "2022-07 correction v1")
    assert run.manifest["posted_into"] == "2022-08"
    bridge = pd.read_csv(empty_home.reports / run.run_id / "bridge.csv").set_index(
        ["participant_id", "charge_code"]
    )
    # 9.6 MWh more of a customer of R1 at 490
    assert bridge.loc[("R1", "energy_real_time"), "reading_cny"] == 4704.00
