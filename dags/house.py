"""What all our DAGs share: how a task is retried, the assets that link DAGs, the market's clock."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.providers.standard.operators.hitl import HITLOperator
from airflow.sdk import Asset, ExceptionRetryPolicy, Param, RetryAction, RetryRule

TIME_ZONE = "Asia/Shanghai"
DAY = "%Y-%m-%d"

METER_DAYS = Asset(name="meter_days", uri="gridsettle://meter_days")
"""A partition YYYY-MM-DD is announced when the readings of every city are complete for that day."""

RUNS = Asset(name="runs", uri="gridsettle://runs")
"""A month's run is in place; the event's ``extra`` has run_id, alias and status."""

CAPABILITY_DAYS = Asset(name="capability_days", uri="gridsettle://capability_days")
"""A partition YYYY-MM-DD is announced when transfer capability of that delivery day has landed."""

APPROVE, REJECT, STAND_IN = "Approve", "Reject", "Let the rule stand"
WHY = {"reason": Param("", type="string", description="说明 / a sentence for the log; a rejection needs one")}

FILES = Param(
    [],
    type="array",
    items={"type": "string"},
    description="Files or folders, absolute or relative to the home; empty: the home's folder arrivals",
)


NAMED_DAY = Param(
    "",
    type="string",
    pattern=r"^(\d{4}-\d{2}-\d{2})?$",
    description="Delivery day, when run by hand: files of later days wait; empty: every file",
)

DAY_OF_RUN = "{{ partition_key or params.day }}"
"""The partition of a scheduled run or a backfill, else the parameter."""


class AskTrader(HITLOperator):
    """Asks for the approval of a bid until it is due; who does not answer lets the bid by rule stand."""

    template_fields = ("subject", "body", "day", "number")

    def __init__(self, *, day: str, number: str = "", **kwargs: Any) -> None:
        super().__init__(
            **(kwargs | {"options": [APPROVE, REJECT, STAND_IN], "defaults": STAND_IN, "params": WHY})
        )
        self.day, self.number = day, number

    def execute(self, context: Any) -> Any:
        """Ask for as long as the market's clock leaves."""
        from datetime import date

        from jobs.bid_clock import time_to_answer
        from jobs.bid_session import round_of

        self.response_timeout = time_to_answer(date.fromisoformat(self.day), round_of(self.number))
        return super().execute(context)


def defaults(owner: str) -> dict[str, Any]:
    """Default arguments: three retries after 1, 2 and 4 minutes; what refuses an input is not tried again."""
    return {
        "owner": owner,
        "retries": 3,
        "retry_delay": timedelta(minutes=1),
        "retry_exponential_backoff": 2.0,
        "max_retry_delay": timedelta(minutes=10),
        "retry_policy": ExceptionRetryPolicy(
            [
                RetryRule(
                    exception=ValueError,
                    action=RetryAction.FAIL,
                    reason="The input was refused; the same input is refused again.",
                )
            ]
        ),
    }
