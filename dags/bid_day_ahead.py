"""
### bid_day_ahead 日前申报

Makes the bid for tomorrow's inter-provincial day-ahead session: forecast, scenarios, optimisation, check, bid file
and the page that explains it. The run's partition is the delivery day.

- **Who cares**: the trading desk; the gate closes at 11:30.
- **When**: every day at 10:30 (Asia/Shanghai) for the next day; by hand for any `day`.
- **Nobody signs here yet**: the file is a proposal; the desk reads the page, checks the file (`gridsettle bid check`)
  and submits it.
- **Run it again?** Safe: the same data give the same bid.
"""

from __future__ import annotations

from airflow.sdk import CronPartitionTimetable, Param, dag, task

from dags.house import DAY, TIME_ZONE, defaults

DELIVERY_DAY = "{{ partition_key or params.day }}"


@dag(
    doc_md=__doc__,
    schedule=CronPartitionTimetable("30 10 * * *", timezone=TIME_ZONE, run_offset=1, key_format=DAY),
    catchup=False,
    max_active_runs=1,
    tags=["bidding", "日前"],
    default_args=defaults("trading desk"),
    params={
        "day": Param("2022-07-22", type="string", format="date", description="Delivery day, when run by hand")
    },
)
def bid_day_ahead() -> None:
    """One bid for one delivery day."""

    @task
    def make_bid(day: str) -> str:
        from datetime import date

        from jobs.bid import make_bid
        from warehouse.home import home

        return str(make_bid(home(), date.fromisoformat(day)).page)

    make_bid(DELIVERY_DAY)


bid_day_ahead()
