"""
### ingest_market 市场数据

Takes in every waiting file that is not meter readings: registers (participants, meters, contracts), boundaries,
forecasts, transfer capability, prices, trades, demand-response tables.

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

from dags.house import DAY, DAY_OF_RUN, FILES, NAMED_DAY, TIME_ZONE, defaults


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
    def deliver(day: str, *, params: Any = None) -> int:
        from jobs.arrivals import deliver_waiting, is_meter_file, named_day, waiting
        from warehouse.home import home

        there = waiting(home(), params["paths"], day=named_day(day))
        files = [file for file in there if not is_meter_file(file)]
        return len(deliver_waiting(home(), files, sender="ingest_market"))

    deliver(DAY_OF_RUN)


ingest_market()
