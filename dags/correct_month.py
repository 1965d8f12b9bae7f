"""
### correct_month 追退补

Corrects a final month with what came since. Each city with something to look at signs off its queue and an approver
decides, under Required Actions; once approved, the difference is posted into the current month, before that nowhere.

- **Who cares**: finance, and the participants whose statements of the current month show it.
- **When**: by hand (Trigger), for any month inside the look-back of its rules: an upheld objection, a late or
  withdrawn meter, a supplier change found late.
- **Nothing came since?** The run is refused with a sentence, and nothing is posted.
- **Nobody answers?** The question stands for three days, then its task fails; the correction waits, the current
  month names it with the money at stake, and it can be signed off and approved from a terminal.
- **Run it again?** Always safe: the same inputs give the correction that is there; one that was rejected is not
  offered again until something new comes.
"""

from __future__ import annotations

from typing import Any

from airflow.sdk import Param, dag, task

from dags.approval import ask_people
from dags.house import RUNS, defaults

MONTH_PATTERN = r"^\d{4}-(0[1-9]|1[0-2])$"


@dag(
    doc_md=__doc__,
    schedule=None,
    catchup=False,
    max_active_runs=1,
    tags=["settlement", "追退补"],
    default_args=defaults("finance"),
    params={
        "month": Param(
            "2022-07", type="string", pattern=MONTH_PATTERN, description="The month to correct, YYYY-MM"
        ),
        "into": Param(
            None,
            type=["null", "string"],
            pattern=MONTH_PATTERN,
            description="The month that takes the difference; empty: the one after the newest final month",
        ),
    },
)
def correct_month() -> None:
    """The correction, what it changed and why, its reports; then the people."""

    @task(outlets=[RUNS])
    def correct_province(month: str, into: str, *, outlet_events: Any = None) -> str:
        from jobs.correct_month import correct
        from market.periods import Month
        from warehouse.home import home

        target = None if into in ("", "None") else Month.parse(into)
        run = correct(home(), Month.parse(month), into=target).run
        outlet_events[RUNS].extra = {"run_id": run.run_id, "alias": run.alias, "status": run.status}
        return run.run_id

    @task
    def explain_difference(corrected: str) -> str:
        from jobs.bridge import write_bridge
        from warehouse.home import home

        return str(write_bridge(home(), corrected))

    @task
    def write_reports(corrected: str) -> str:
        from jobs.report import write_reports
        from warehouse.home import home

        return str(write_reports(home(), corrected).month_page)

    corrected = correct_province("{{ params.month }}", "{{ params.into }}")
    on_paper = [explain_difference(corrected), write_reports(corrected)]
    ask_people(corrected, "审批 {{ params.month }} 追退补", after=on_paper)


correct_month()
