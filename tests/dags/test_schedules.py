"""When a DAG runs and which month or day it then works on."""

from __future__ import annotations

from copy import deepcopy
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

SHANGHAI = ZoneInfo("Asia/Shanghai")

pytestmark = pytest.mark.xdist_group("airflow")


def core_timetable(dag_bag, dag_id):
    from airflow.serialization.encoders import coerce_to_core_timetable

    return coerce_to_core_timetable(dag_bag.dags[dag_id].timetable)


def next_run(timetable, day):
    """The run that is due next on the morning of a day."""
    import pendulum
    from airflow.timetables.base import TimeRestriction

    morning = pendulum.instance(datetime.combine(day, datetime.min.time(), tzinfo=SHANGHAI))
    return timetable.next_dagrun_info_v2(
        last_dagrun_info=None, restriction=TimeRestriction(earliest=morning, latest=None, catchup=True)
    )


def test_a_month_waits_for_each_of_its_days(dag_bag):
    mapper = core_timetable(dag_bag, "settle_month").get_partition_mapper(name="meter_days")
    days = {f"2022-07-{day:02d}" for day in range(1, 32)}
    assert {mapper.to_downstream(day) for day in days} == {"2022-07"}
    assert set(mapper.to_upstream("2022-07")) == days


def test_the_first_of_a_month_belongs_to_that_month_in_shanghai_not_in_utc(dag_bag):
    mapper = core_timetable(dag_bag, "settle_month").get_partition_mapper(name="meter_days")
    assert mapper.to_downstream("2022-08-01") == "2022-08"


def test_the_bid_of_10_30_is_for_the_next_day(dag_bag):
    run = next_run(core_timetable(dag_bag, "bid_day_ahead"), datetime(2022, 7, 31, tzinfo=SHANGHAI).date())
    assert run.run_after == datetime(2022, 7, 31, 10, 30, tzinfo=SHANGHAI)
    assert run.partition_key == "2022-08-01"


@pytest.mark.parametrize(
    ("dag_id", "hour", "minute", "day"),
    [("ingest_meters", 6, 0, "2022-07-30"), ("ingest_market", 8, 45, "2022-08-01")],
)
def test_readings_of_yesterday_and_the_market_of_tomorrow_are_taken_in_before_the_bid(
    dag_bag, dag_id, hour, minute, day
):
    run = next_run(core_timetable(dag_bag, dag_id), datetime(2022, 7, 31, tzinfo=SHANGHAI).date())
    assert run.run_after == datetime(2022, 7, 31, hour, minute, tzinfo=SHANGHAI)
    assert run.partition_key == day


@pytest.mark.parametrize(("name", "wrong"), [("month", "2022-13"), ("month", "July"), ("kind", "correction")])
def test_what_is_no_month_or_kind_is_refused_before_anything_runs(dag_bag, name, wrong):
    from airflow.sdk.exceptions import ParamValidationError

    params = deepcopy(dag_bag.dags["settle_month"].params)
    assert params.validate() == {"month": "2022-07", "kind": "draft"}
    with pytest.raises(ParamValidationError):
        params[name] = wrong
