"""
### bid_day_ahead 日前申报

The morning of the inter-provincial day-ahead session, for the delivery day that is the run's partition: a bid by rule
at once, the best bid on what is known, the best bid again when transfer capability has landed, the approval of a
person, the file that is handed in.

- **Who cares**: the trading desk; a first bid is on disk by 11:00, an approved one by 11:20, the gate closes at 11:30.
- **When**: every day at 10:30 (Asia/Shanghai) for the next day; by hand for any `day`. Capability that lands later
  than this run waits for makes `bid_again` run.
- **Who approves**: a trader or an approver, under Required Actions until 11:20; a rejection needs a reason. The
  answer is logged under the Airflow user and refused as on every other path.
- **Nobody answers, or the bid is rejected?** `close` hands in the newest bid made by rule, labelled as such, and the
  log says why. The account that runs Airflow needs the role trader or operator for it.
- **The alarm**: the task `alarm` fails at 11:15 when nothing is handed in, with what to do; the run is then red even
  when `close` hands in a bid afterwards.
- **Something is missing?** It is tried again for seven minutes; what then fails does not stop `close`.
- **Run it again?** Always safe: the same data give the bid that is there, and what is handed in stays.
"""

from __future__ import annotations

from typing import Any

from airflow.sdk import CronPartitionTimetable, Param, dag, task

from dags.house import APPROVE, DAY, REJECT, TIME_ZONE, AskTrader, defaults

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
    def stand_by(day: str) -> int:
        from datetime import date

        from jobs.bid import make_bid
        from warehouse.home import home

        return make_bid(home(), date.fromisoformat(day), stand_by=True).version

    @task
    def first_bid(day: str) -> int:
        from datetime import date

        from jobs.bid import make_bid
        from warehouse.home import home

        return make_bid(home(), date.fromisoformat(day), score_own=True).version

    @task.sensor(poke_interval=20, timeout=3600, mode="reschedule")
    def wait_for_capability(day: str) -> bool:
        from datetime import date

        from jobs.bid_clock import may_go_on
        from warehouse.home import home

        return may_go_on(home(), date.fromisoformat(day))

    @task.sensor(poke_interval=20, timeout=7200, mode="reschedule")
    def alarm(day: str) -> bool:
        from datetime import date

        from jobs.bid_clock import alarm
        from warehouse.home import home

        return alarm(home(), date.fromisoformat(day))

    @task
    def best_bid(day: str) -> int:
        from datetime import date

        from jobs.bid import make_bid
        from warehouse.home import home

        return make_bid(home(), date.fromisoformat(day), score_own=True).version

    @task
    def decide(day: str, version: int, answer: dict[str, Any]) -> int:
        from datetime import date

        from jobs.bid_desk import approve, reject
        from warehouse.home import home

        (chosen,), reason = answer["chosen_options"], answer["params_input"].get("reason", "")
        if chosen == APPROVE:
            approve(home(), date.fromisoformat(day), version, reason)
        elif chosen == REJECT:
            reject(home(), date.fromisoformat(day), version, reason)
        return version

    @task(trigger_rule="all_done")
    def close(day: str) -> str:
        from datetime import date

        from jobs.bid_desk import close
        from warehouse.home import home

        return str(close(home(), date.fromisoformat(day)))

    alarm(DELIVERY_DAY)
    version = best_bid(DELIVERY_DAY)
    stand_by(DELIVERY_DAY) >> first_bid(DELIVERY_DAY) >> wait_for_capability(DELIVERY_DAY) >> version
    question = AskTrader(
        task_id="ask_approval",
        day=DELIVERY_DAY,
        subject=f"日前申报 {DELIVERY_DAY} v{{{{ ti.xcom_pull(task_ids='best_bid') }}}}",
        body="Read the page beside the bid file (`gridsettle bid show`); unanswered, the bid by rule goes in.",
    )
    version >> question
    decide(DELIVERY_DAY, version, question.output) >> close(DELIVERY_DAY)


bid_day_ahead()
