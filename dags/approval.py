"""Cities sign off a run and an approver decides, asked under Required Actions: the same wiring for every run."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.providers.standard.operators.hitl import HITLOperator
from airflow.sdk import Param, task, task_group

TIME_TO_ANSWER = timedelta(days=3)
SIGN_OFF, APPROVE, REJECT = "Sign off", "Approve", "Reject"
WHY = {"reason": Param("", type="string", description="说明 / a sentence for the log; a rejection needs one")}


def ask_people(settled: Any, subject: str, after: Any) -> None:
    """Ask each city with a queue, then an approver; log the answers under their names. ``after``: what comes first."""

    @task
    def find_queues(settled: str) -> list[str]:
        from jobs.run_life import open_queues
        from warehouse.home import home

        return open_queues(home(), settled)

    @task_group
    def city_queue(city: str, settled: str) -> None:
        question = HITLOperator(
            task_id="ask_city",
            subject=city,
            body="地市签核: no blocking finding of the queue is open.",
            options=[SIGN_OFF],
            params=WHY,
            response_timeout=TIME_TO_ANSWER,
        )

        @task
        def sign_off(settled: str, city: str, answer: dict[str, Any]) -> int:
            from jobs.run_life import sign_off
            from warehouse.home import home

            return sign_off(home(), settled, city, answer["params_input"].get("reason", "")).seq

        sign_off(settled, city, question.output)

    @task
    def decide(settled: str, answer: dict[str, Any]) -> int:
        from jobs.run_life import approve, reject
        from warehouse.home import home

        act = approve if answer["chosen_options"] == [APPROVE] else reject
        return act(home(), settled, answer["params_input"].get("reason", "")).seq

    queues = find_queues(settled)
    after >> queues
    question = HITLOperator(
        task_id="ask_approval",
        subject=subject,
        options=[APPROVE, REJECT],
        params=WHY,
        response_timeout=TIME_TO_ANSWER,
        trigger_rule="none_failed",  # a run without exceptions has no queue
    )
    city_queue.partial(settled=settled).expand(city=queues) >> question
    decide(settled, question.output)
