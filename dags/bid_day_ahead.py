"""
### bid_day_ahead 日前申报

Makes the bid for tomorrow's inter-provincial day-ahead session: forecast, scenarios, optimisation, check, bid file
and the page that explains it. The run's partition is the delivery day.

- **Who cares**: the trading desk; the gate closes at 11:30.
- **When**: every day at 10:30 (Asia/Shanghai) for the next day; by hand for any `day`.
- **Nobody signs here yet**: the file is a proposal; the desk reads the page and hands it in.
- **Something is missing?** It is tried again for seven minutes; then Trigger when it is in.
- **Run it again?** Always safe: the same data give the bid that is there, new data a new version beside it.
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
