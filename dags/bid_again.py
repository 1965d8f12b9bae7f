"""
### bid_again 通道能力落地后重算

Makes the day-ahead bid again when transfer capability of the delivery day lands, as a new version beside the others; the
same data give the version that is there. It asks nobody: `bid_day_ahead` asks about the newest version it made, and a
version made after that is approved and handed in from a terminal (`gridsettle bid approve`, `gridsettle bid hand-in`).

- **Who cares**: the trading desk, until the gate closes at 11:30.
- **When**: `ingest_market` announces the delivery day as a partition of `capability_days`; by hand for any `day`.
- **Run it again?** Always safe.
"""

from __future__ import annotations

from airflow.sdk import Param, PartitionedAssetTimetable, dag, task

from dags.house import CAPABILITY_DAYS, DAY_OF_RUN, defaults


@dag(
    doc_md=__doc__,
    schedule=PartitionedAssetTimetable(assets=CAPABILITY_DAYS),
    catchup=False,
    max_active_runs=1,
    tags=["bidding", "日前"],
    default_args=defaults("trading desk"),
    params={
        "day": Param("2022-07-22", type="string", format="date", description="Delivery day, when run by hand")
    },
)
def bid_again() -> None:
    """One new version for one delivery day."""

    @task
    def make_bid(day: str) -> int:
        from datetime import date

        from jobs.bid import make_bid
        from warehouse.home import home

        return make_bid(home(), date.fromisoformat(day), score_own=True).version

    make_bid(DAY_OF_RUN)


bid_again()
