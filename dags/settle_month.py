"""
### settle_month 月结

Settles a month: every city's readings are checked, the province is settled into one immutable run, the
reports are written. A final run then asks its people: each city with something to look at signs off its queue, an
approver approves or rejects. Their answers are logged under their names in Airflow (`users.yaml`), and refused as on
every other path: who prepared the run does not approve it.

- **Who cares**: finance; bills are due on working day 10.
- **When**: by itself as a draft, when `meter_days` has every day of the month. By hand (Trigger) for any month,
  as `draft` (5th working day) or `final` (8th).
- **A city lacks readings?** The run is computed all the same, without the amounts that rest on them; it is blocked
  and the city finds its meters in the log of `check_city` and in the run's findings.
- **Nobody answers?** The question stands under Required Actions for three days (final on the 8th working day,
  bills on the 10th), then its task fails; the run stays as it is and can be signed off and approved from a terminal.
  Until then the next month waits.
- **Run it again?** Always safe: the same inputs give the run that is there, new inputs a new version beside it.
"""

from __future__ import annotations

import logging
from typing import Any

from airflow.sdk import (
    MonthWindow,
    Param,
    PartitionedAssetTimetable,
    RollupMapper,
    StartOfMonthMapper,
    dag,
    task,
)

from dags.approval import ask_people
from dags.house import DAY, METER_DAYS, RUNS, TIME_ZONE, defaults

MONTH = "{{ partition_key or params.month }}"
KIND = "{{ params.kind }}"

EVERY_DAY_OF_THE_MONTH = PartitionedAssetTimetable(
    assets=METER_DAYS,
    default_partition_mapper=RollupMapper(
        upstream_mapper=StartOfMonthMapper(input_format=DAY, timezone=TIME_ZONE), window=MonthWindow()
    ),
)


@dag(
    doc_md=__doc__,
    schedule=EVERY_DAY_OF_THE_MONTH,
    catchup=False,
    is_paused_upon_creation=False,
    max_active_runs=1,
    tags=["settlement", "月结"],
    default_args=defaults("finance"),
    params={
        "month": Param("2022-07", type="string", pattern=r"^\d{4}-(0[1-9]|1[0-2])$", description="YYYY-MM"),
        "kind": Param("draft", type="string", enum=["draft", "final"], description="核对版 or 正式版"),
    },
)
def settle_month() -> None:
    """Cities, then the province, then the reports."""

    @task
    def find_cities(month: str) -> list[str]:
        from jobs.check_city import cities
        from market.periods import Month
        from warehouse.home import home

        return cities(home(), Month.parse(month))

    @task(map_index_template="{{ task.op_kwargs.city }}")
    def check_city(city: str, month: str) -> dict[str, Any]:
        from jobs.check_city import check_city
        from market.periods import Month
        from warehouse.home import home

        check = check_city(home(), Month.parse(month), city)
        for sentence in check.sentences():
            logging.getLogger(__name__).info(sentence)
        return {"city": city, "expected_days": check.expected_days, "present_days": check.present_days}

    @task(outlets=[RUNS])
    def settle_province(month: str, kind: str, *, outlet_events: Any = None) -> str:
        from jobs.settle_month import settle
        from market.periods import Month
        from warehouse.home import home

        run = settle(home(), Month.parse(month), kind=kind).run
        outlet_events[RUNS].extra = {"run_id": run.run_id, "alias": run.alias, "status": run.status}
        return run.run_id

    @task
    def write_reports(settled: str) -> str:
        from jobs.report import write_reports
        from warehouse.home import home

        return str(write_reports(home(), settled).folder)

    @task.short_circuit(task_id="ask_people")
    def is_final(kind: str) -> bool:
        return kind == "final"

    settled = settle_province(MONTH, KIND)
    check_city.partial(month=MONTH).expand(city=find_cities(MONTH)) >> settled
    final = is_final(KIND)
    write_reports(settled) >> final
    ask_people(settled, f"审批 {MONTH} {KIND}", after=final)


settle_month()
