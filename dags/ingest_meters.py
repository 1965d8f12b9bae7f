"""
### ingest_meters 电表数据

Takes in the waiting files of meter readings, one task a city; then checks and estimates the months they speak of,
one task a city again; then announces every day on which all cities are complete as a partition of `meter_days`. When
the last day of a month is announced, `settle_month` starts.

- **Who cares**: the cities' metering teams; finance, whose month waits for it.
- **When**: every day at 06:00 (Asia/Shanghai) for the day before and whatever came late, and by hand.
- **From where**: files `meter_readings*` in the home's folder `arrivals`, or in the files and folders given as
  `paths`. The city is the last word of the name (`meter_readings_2022-07_jinan.parquet`).
- **What was found?** `check_readings` names it in its log and returns it by rule, with how many quarter-hours a final
  run would estimate; `gridsettle readings MONTH` lists it. Nothing that is odd stops the month: it is a finding of the
  run. The runs take over what was found here while nothing of the city changes.
- **A city's file is refused?** Its task fails with the sentence that says how to mend it; the other cities are in,
  and nothing is announced until it is mended and the run is repeated.
- **Which files?** The run's partition is a delivery day (by schedule yesterday, by hand `day`): files whose name speaks
  of a later day wait, those of earlier days that came late go in. By hand without `day`: all. A file in `arrivals`
  that somebody wrote to in the last 30 seconds waits for the next run.
- **Run it again?** Always safe: the same bytes are a no-op; a past day can be run again at any time.
"""

from __future__ import annotations

import logging
from typing import Any

from airflow.sdk import CronPartitionTimetable, dag, task
from airflow.sdk.exceptions import AirflowSkipException

from dags.house import DAY, DAY_OF_RUN, FILES, METER_DAYS, NAMED_DAY, TIME_ZONE, defaults


@dag(
    doc_md=__doc__,
    schedule=CronPartitionTimetable("0 6 * * *", timezone=TIME_ZONE, run_offset=-1, key_format=DAY),
    catchup=False,
    max_active_runs=1,
    tags=["ingest", "metering"],
    default_args=defaults("metering"),
    params={"paths": FILES, "day": NAMED_DAY},
)
def ingest_meters() -> None:
    """Each city's files, each city's checks, then the days that are complete."""

    @task
    def find_cities(day: str, *, params: Any = None) -> list[dict[str, Any]]:
        from jobs.arrivals import meter_files_by_city, named_day, waiting
        from warehouse.home import home

        by_city = meter_files_by_city(waiting(home(), params["paths"], day=named_day(day)))
        return [{"city": city, "files": [str(file) for file in files]} for city, files in by_city.items()]

    @task(map_index_template="{{ task.op_kwargs.city }}")
    def deliver(city: str, files: list[str]) -> list[str]:
        from pathlib import Path

        from jobs.arrivals import deliver_waiting, months
        from warehouse.home import home

        return [
            str(month)
            for month in months(deliver_waiting(home(), [Path(file) for file in files], sender=city))
        ]

    @task
    def find_checks(months: Any) -> list[dict[str, str]]:
        from jobs.readings_of_city import cities_to_check
        from market.periods import Month
        from warehouse.home import home

        delivered = sorted({month for city in months[:] for month in city})
        return [
            {"city": city, "month": month}
            for month in delivered
            for city in cities_to_check(home(), Month.parse(month))
        ]

    @task(map_index_template="{{ task.op_kwargs.city }} {{ task.op_kwargs.month }}")
    def check_readings(city: str, month: str) -> dict[str, Any]:
        from jobs.readings_of_city import check_readings_of_city
        from market.periods import Month
        from warehouse.home import home

        found = check_readings_of_city(home(), Month.parse(month), city)
        for sentence in found.sentences():
            logging.getLogger(__name__).info(sentence)
        return {"city": city, "month": month, "findings": found.counts, "estimated": found.estimated}

    @task(outlets=[METER_DAYS], trigger_rule="none_failed")
    def announce_days(months: Any, *, outlet_events: Any = None) -> int:
        from jobs.check_city import complete_days
        from market.periods import Month
        from warehouse.home import home

        delivered = sorted({Month.parse(month) for city in months[:] for month in city})
        days = [day.isoformat() for month in delivered for day in complete_days(home(), month)]
        if not days:
            raise AirflowSkipException("No day is complete in every city yet; nothing is announced.")
        outlet_events[METER_DAYS].add_partitions(days)
        return len(days)

    delivered = deliver.expand_kwargs(find_cities(DAY_OF_RUN))
    check_readings.expand_kwargs(find_checks(delivered)) >> announce_days(delivered)


ingest_meters()
