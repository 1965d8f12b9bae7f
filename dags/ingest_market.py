"""
### ingest_market 市场数据

Takes in every waiting file that is not meter readings: registers (participants, meters, contracts), boundaries,
forecasts, transfer capability, prices, trades, demand-response tables.

- **Who cares**: the trading desk, before the bid of 10:30; everyone else through the registers.
- **When**: every day at 08:45 (Asia/Shanghai), and by hand when something arrives.
- **From where**: the home's folder `arrivals`, or the files and folders given as `paths`.
- **A file is refused?** The task fails with the sentence that says how to mend it; all other files are in.
  Rows that are wrong go to quarantine and do not stop the file.
- **Run it again?** Always safe: the same bytes are a no-op.
"""

from __future__ import annotations

from typing import Any

from airflow.sdk import CronTriggerTimetable, dag, task

from dags.house import FILES, TIME_ZONE, defaults


@dag(
    doc_md=__doc__,
    schedule=CronTriggerTimetable("45 8 * * *", timezone=TIME_ZONE),
    catchup=False,
    max_active_runs=1,
    tags=["ingest"],
    default_args=defaults("trading desk"),
    params={"paths": FILES},
)
def ingest_market() -> None:
    """Deliver the waiting files in the order in which their tables refer to each other."""

    @task
    def deliver(*, params: Any = None) -> int:
        from jobs.arrivals import deliver_waiting, is_meter_file, waiting
        from warehouse.home import home

        files = [file for file in waiting(home(), params["paths"]) if not is_meter_file(file)]
        return len(deliver_waiting(home(), files, sender="ingest_market"))

    deliver()


ingest_market()
