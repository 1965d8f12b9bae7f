"""The events of a day through the DAG, from the announced readings to the report."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from ingest.deliver import deliver_many
from jobs.dr_state import settleable_on
from warehouse.home import create, home

SAMPLE = Path(__file__).resolve().parents[2] / "data" / "sample" / "2022-07"

pytestmark = pytest.mark.xdist_group("airflow")


@pytest.fixture(scope="module")
def event_home(tmp_path_factory):
    """A home with the sample month and no run."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GRIDSETTLE_HOME", str(tmp_path_factory.mktemp("home")))
        create(home())
        deliver_many(home(), [SAMPLE])
        yield home()


def states(dag_run) -> Counter:
    return Counter((task.task_id, task.state) for task in dag_run.get_task_instances())


def test_the_events_of_a_day_become_provisional_reports_and_again_the_same(run_dag, event_home):
    day = {"day": "2022-07-21"}
    assert states(run_dag("settle_demand_response", day)) == {
        ("find_events", "success"): 1,
        ("settle_event", "success"): 1,
    }
    folder = event_home.reports / "events" / "DR-20220721-DA"
    report = folder / "provisional-v1" / "event_DR-20220721-DA.html"
    before = report.read_bytes()
    again = run_dag("settle_demand_response", day)
    assert again.state == "success"
    assert report.read_bytes() == before
    assert [path.name for path in folder.iterdir()] == ["provisional-v1"]


def test_a_day_without_an_event_settles_nothing(run_dag, event_home):
    assert states(run_dag("settle_demand_response", {"day": "2022-07-20"})) == {
        ("find_events", "success"): 1,
        ("settle_event", "skipped"): 1,
    }


def test_only_measured_events_of_the_day_are_found(event_home, empty_home):
    from datetime import date

    assert settleable_on(event_home, date(2022, 7, 18)) == ["DR-20220718-EM"]
    assert settleable_on(event_home, date(2022, 7, 22)) == []
    deliver_many(empty_home, [SAMPLE / f"{name}.csv" for name in ("dr_programs", "dr_events")])
    assert settleable_on(empty_home, date(2022, 7, 18)) == []


def test_each_announced_day_is_a_run_of_that_day(dag_bag):
    from airflow.serialization.encoders import coerce_to_core_timetable

    timetable = coerce_to_core_timetable(dag_bag.dags["settle_demand_response"].timetable)
    mapper = timetable.get_partition_mapper(name="meter_days")
    assert mapper.to_downstream("2022-07-21") == "2022-07-21"
