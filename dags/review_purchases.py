"""
### review_purchases 事后分析

Looks back at the bid of a day: regret by cause, what cleared beside what was bid, the provisional gain of every
segment, how good the forecasts were; and at the month so far, with its headline figures and the page *Purchase review*.

- **Who cares**: the trading desk, the morning after; the monthly report to the energy authorities.
- **When**: every day at 09:30 (Asia/Shanghai) for the day before; by hand for any `day`.
- **No bid, or the day is not over?** The day's task fails and names what is missing; Trigger when it is in.
- **Run it again?** Always safe: the same data give the same review.
"""

from __future__ import annotations

from airflow.sdk import CronPartitionTimetable, Param, dag, task

from dags.house import DAY, DAY_OF_RUN, TIME_ZONE, defaults


@dag(
    doc_md=__doc__,
    schedule=CronPartitionTimetable("30 9 * * *", timezone=TIME_ZONE, run_offset=-1, key_format=DAY),
    catchup=False,
    max_active_runs=1,
    tags=["bidding", "事后"],
    default_args=defaults("trading desk"),
    params={
        "day": Param("2022-07-22", type="string", format="date", description="Delivery day, when run by hand")
    },
)
def review_purchases() -> None:
    """One day, then its month."""

    @task
    def review_day(day: str) -> str:
        from datetime import date

        from jobs.review import review_day
        from warehouse.home import home

        return str(review_day(home(), date.fromisoformat(day)).file)

    @task
    def review_month(day: str) -> str:
        from datetime import date

        from jobs.review import review_month
        from market.periods import Month
        from warehouse.home import home

        return str(review_month(home(), Month.of(date.fromisoformat(day))).page)

    review_day(DAY_OF_RUN) >> review_month(DAY_OF_RUN)


review_purchases()
