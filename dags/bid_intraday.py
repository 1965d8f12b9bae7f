"""
### bid_intraday 日内申报

A round within the day, with the rolling position: what the day-ahead session and earlier rounds bought, response
that is called, the newest forecasts and what the paths have left. The same model, checks and ladder as in the morning.

- **Who cares**: the trading desk; the window closes 110 minutes before a round of two hours (95 before one of one hour),
  information comes 120 (105) minutes before.
- **When**: every two hours, 120 minutes before the round, for the 12 rounds of `IPSPOT_2022_TRIAL`; the partition is
  the hour in which the round begins. By hand for any `day` and `round`. With 24 rounds the cron is hourly.
- **Who approves**: as in the morning, until five minutes before the window closes; else the bid by rule goes in.
- **Something is missing?** A round whose position is not known buys nothing, and its label says so.
- **Run it again?** Always safe: the same data give the bid that is there, and what is handed in stays.
"""

from __future__ import annotations

from typing import Any

from airflow.sdk import CronPartitionTimetable, Param, dag, task

from dags.house import APPROVE, REJECT, TIME_ZONE, AskTrader, defaults

# the run at 10:00 is for the round that begins at 12:00; the partition is 2022-07-22T12
BEGINS = "%Y-%m-%dT%H"
DELIVERY_DAY = "{{ (partition_key or params.day)[:10] }}"
ROUND = "{{ (partition_key[11:13] | int // 2 + 1) if partition_key else params.round }}"


@dag(
    doc_md=__doc__,
    schedule=CronPartitionTimetable("0 */2 * * *", timezone=TIME_ZONE, run_offset=1, key_format=BEGINS),
    catchup=False,
    max_active_runs=1,
    tags=["bidding", "日内"],
    default_args=defaults("trading desk"),
    params={
        "day": Param(
            "2022-07-22", type="string", format="date", description="Delivery day, when run by hand"
        ),
        "round": Param(10, type="integer", minimum=1, maximum=24, description="Round, when run by hand"),
    },
)
def bid_intraday() -> None:
    """One bid for one round."""

    @task
    def stand_by(day: str, number: str) -> int:
        from datetime import date

        from jobs.bid import make_bid
        from jobs.bid_session import round_of
        from warehouse.home import home

        return make_bid(home(), date.fromisoformat(day), session=round_of(number), stand_by=True).version

    @task
    def best_bid(day: str, number: str) -> int:
        from datetime import date

        from jobs.bid import make_bid
        from jobs.bid_session import round_of
        from warehouse.home import home

        return make_bid(home(), date.fromisoformat(day), session=round_of(number)).version

    @task
    def decide(day: str, number: str, version: int, answer: dict[str, Any]) -> int:
        from datetime import date

        from jobs.bid_desk import approve, reject
        from jobs.bid_session import round_of
        from warehouse.home import home

        (chosen,), reason = answer["chosen_options"], answer["params_input"].get("reason", "")
        if chosen == APPROVE:
            approve(home(), date.fromisoformat(day), version, reason, round_of(number))
        elif chosen == REJECT:
            reject(home(), date.fromisoformat(day), version, reason, round_of(number))
        return version

    @task(trigger_rule="all_done")
    def close(day: str, number: str) -> str:
        from datetime import date

        from jobs.bid_desk import close
        from jobs.bid_session import round_of
        from warehouse.home import home

        return str(close(home(), date.fromisoformat(day), round_of(number)))

    version = best_bid(DELIVERY_DAY, ROUND)
    stand_by(DELIVERY_DAY, ROUND) >> version
    question = AskTrader(
        task_id="ask_approval",
        day=DELIVERY_DAY,
        number=ROUND,
        subject=f"日内申报 {DELIVERY_DAY} 第 {ROUND} 轮 v{{{{ ti.xcom_pull(task_ids='best_bid') }}}}",
        body="Read the page beside the bid file (`gridsettle bid show`); unanswered, the bid by rule goes in.",
    )
    version >> question
    decide(DELIVERY_DAY, ROUND, version, question.output) >> close(DELIVERY_DAY, ROUND)


bid_intraday()
