"""A day through the DAG: cities, then the province, then the statements; again and for days back."""

from __future__ import annotations

from collections import Counter
from datetime import date, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from ingest.deliver import deliver_many
from warehouse.home import create, home
from warehouse.runs import list_runs, verify

BASE = Path(__file__).resolve().parents[1] / "scenarios" / "base"
SHANGHAI = ZoneInfo("Asia/Shanghai")

pytestmark = pytest.mark.xdist_group("airflow")


@pytest.fixture(scope="module")
def day_home(tmp_path_factory):
    """A home with the small month and no run."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GRIDSETTLE_HOME", str(tmp_path_factory.mktemp("home")))
        create(home())
        deliver_many(home(), [BASE])
        yield home()


def states(dag_run) -> Counter:
    return Counter((task.task_id, task.state) for task in dag_run.get_task_instances())


def test_a_day_is_checked_city_by_city_then_settled_then_printed(run_dag, day_home):
    assert states(run_dag("settle_day", {"day": "2022-07-22"})) == {
        ("find_cities", "success"): 1,
        ("check_city", "success"): 2,
        ("settle_province", "success"): 1,
        ("write_statements", "success"): 1,
    }
    (run,) = list_runs(day_home)
    assert (run.alias, run.status, verify(run)) == ("2022-07-22 day v1", "ready", [])
    assert (day_home.reports / run.run_id / "statements" / "day_2022-07-22_W1.csv").is_file()
    again = run_dag("settle_day", {"day": "2022-07-22"})
    assert (again.state, list_runs(day_home)) == ("success", [run])


def test_a_day_back_is_filled_without_touching_the_others(run_dag, day_home):
    before = list_runs(day_home)
    assert run_dag("settle_day", {"day": "2022-07-03"}).state == "success"
    after = list_runs(day_home)
    assert [run for run in after if run.month != "2022-07-03"] == before
    assert len(after) == len(before) + 1


def test_a_day_without_readings_fails_and_leaves_no_run(run_dag, day_home):
    before = list_runs(day_home)
    assert ("settle_province", "failed") in states(run_dag("settle_day", {"day": "2022-08-01"}))
    assert list_runs(day_home) == before


def test_the_run_of_an_afternoon_is_of_three_days_before_and_in_time_for_the_statement(dag_bag):
    import pendulum
    from airflow.serialization.encoders import coerce_to_core_timetable
    from airflow.timetables.base import TimeRestriction

    from market.calendars import ChinaCalendar
    from market.clock import day_deadline
    from market.profiles import profile

    morning = pendulum.instance(datetime(2022, 7, 25, tzinfo=SHANGHAI))
    run = coerce_to_core_timetable(dag_bag.dags["settle_day"].timetable).next_dagrun_info_v2(
        last_dagrun_info=None, restriction=TimeRestriction(earliest=morning, latest=None, catchup=True)
    )
    assert run.run_after == datetime(2022, 7, 25, 16, tzinfo=SHANGHAI)
    assert run.partition_key == "2022-07-22"
    statement = day_deadline(
        profile("SD_2022"), "day_statement", date.fromisoformat(run.partition_key), ChinaCalendar()
    )
    assert not statement.passed(run.run_after)
