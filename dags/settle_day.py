"""
### settle_day 日清

Settles one delivery day provisionally: every city's readings of the day are checked, the province is settled into a run
of kind `day`, the daily statements are written. What is monthly by rule is not in them.

- **Who cares**: finance and the participants; the statement is due on D+3 at 19:30, objections close on D+4 at 17:30.
- **When**: every day at 16:00 (Asia/Shanghai) for the day three days before; by hand for any `day`. Inter-provincial
  lines stay provisional until D+5.
- **A city lacks readings?** The run is computed without the amounts that rest on them and is blocked; the city finds
  its meters in the log of `check_city` and in the run's findings.
- **Run it again?** Always safe, for any day back: the same inputs give the run that is there, late ones the next version.
"""

from __future__ import annotations

import logging
from typing import Any

from airflow.sdk import CronPartitionTimetable, Param, dag, task

from dags.house import DAY, TIME_ZONE, defaults

DELIVERY_DAY = "{{ partition_key or params.day }}"


@dag(
    doc_md=__doc__,
    schedule=CronPartitionTimetable("0 16 * * *", timezone=TIME_ZONE, run_offset=-3, key_format=DAY),
    catchup=False,
    max_active_runs=1,
    tags=["settlement", "日清"],
    default_args=defaults("finance"),
    params={
        "day": Param("2022-07-22", type="string", format="date", description="Delivery day, when run by hand")
    },
)
def settle_day() -> None:
    """Cities, then the province, then the statements."""

    @task
    def find_cities(day: str) -> list[str]:
        from datetime import date

        from jobs.check_city import cities
        from market.periods import Month
        from warehouse.home import home

        return cities(home(), Month.of(date.fromisoformat(day)))

    @task(map_index_template="{{ task.op_kwargs.city }}")
    def check_city(city: str, day: str) -> dict[str, Any]:
        from datetime import date

        from jobs.check_city import check_city
        from market.periods import Month
        from warehouse.home import home

        of = date.fromisoformat(day)
        check = check_city(home(), Month.of(of), city, only=of)
        for sentence in check.sentences():
            logging.getLogger(__name__).info(sentence)
        return {"city": city, "expected_days": check.expected_days, "present_days": check.present_days}

    @task
    def settle_province(day: str) -> str:
        from datetime import date

        from jobs.settle_day import settle_one_day
        from warehouse.home import home

        return settle_one_day(home(), date.fromisoformat(day)).run.run_id

    @task
    def write_statements(settled: str) -> str:
        from jobs.settle_day import write_statements_of
        from warehouse.home import home

        return str(write_statements_of(home(), settled))

    settled = settle_province(DELIVERY_DAY)
    check_city.partial(day=DELIVERY_DAY).expand(city=find_cities(DELIVERY_DAY)) >> settled
    write_statements(settled)


settle_day()
