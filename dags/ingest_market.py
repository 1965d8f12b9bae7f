"""
### ingest_market 市场数据

Takes in every waiting file that is not meter readings: registers (participants, meters, contracts), boundaries,
forecasts, transfer capability, prices, trades, demand-response tables. Transfer capability of the delivery day that is
new is announced as a partition of `capability_days`, for `bid_again`.

- **Who cares**: the trading desk, before the bid of 10:30; everyone else through the registers.
- **When**: every day at 08:45 (Asia/Shanghai), and by hand when something arrives.
- **From where**: the home's folder `arrivals`, or the files and folders given as `paths`.
- **A file is refused?** The task fails with the sentence that says how to mend it; all other files are in.
  Rows that are wrong go to quarantine and do not stop the file.
- **Which files?** The run's partition is a delivery day (by schedule tomorrow, by hand `day`): files whose name speaks
  of a later day wait, those of earlier days that came late go in. By hand without `day`: all. A file in `arrivals`
  that somebody wrote to in the last 30 seconds waits for the next run.
- **Run it again?** Always safe: the same bytes are a no-op; a past day can be run again at any time.
"""

from __future__ import annotations

from typing import Any

from airflow.sdk import CronPartitionTimetable, dag, task
from airflow.sdk.exceptions import AirflowSkipException

from dags.house import CAPABILITY_DAYS, DAY, DAY_OF_RUN, FILES, NAMED_DAY, TIME_ZONE, defaults


@dag(
    doc_md=__doc__,
    schedule=CronPartitionTimetable("45 8 * * *", timezone=TIME_ZONE, run_offset=1, key_format=DAY),
    catchup=False,
    max_active_runs=1,
    tags=["ingest"],
    default_args=defaults("trading desk"),
    params={"paths": FILES, "day": NAMED_DAY},
)
def ingest_market() -> None:
    """Deliver the waiting files in the order in which their tables refer to each other."""

    @task
    def deliver(day: str, *, params: Any = None) -> bool:
        from jobs.arrivals import brings_capability, deliver_waiting, is_meter_file, named_day, waiting
        from warehouse.home import home

        there = waiting(home(), params["paths"], day=named_day(day))
        files = [file for file in there if not is_meter_file(file)]
        return brings_capability(deliver_waiting(home(), files, sender="ingest_market"), named_day(day))

    @task(outlets=[CAPABILITY_DAYS])
    def announce_capability(day: str, landed: bool, *, outlet_events: Any = None) -> None:
        if not landed:
            raise AirflowSkipException("Nothing new of the day's transfer capability; nothing is announced.")
        outlet_events[CAPABILITY_DAYS].add_partitions([day])

    announce_capability(DAY_OF_RUN, deliver(DAY_OF_RUN))


ingest_market()
