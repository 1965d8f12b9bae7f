"""
### settle_demand_response 需求响应预结算

Settles the demand-response events of one day on the readings of that day: baseline, response, payment, who pays,
as a provisional report. The month's draft and final runs settle them again with everything that came late.

- **Who cares**: the demand-response desk and the participants, within 24 hours of the event; finance.
- **When**: by itself for every day that `meter_days` announces, once it is switched on; by hand for any `day`.
- **No event that day?** Nothing is settled; an event of a final month is left alone.
- **Run it again?** Always safe: the same readings and rules give the report that is there, others the next version
  beside it; `gridsettle dr bridge EVENT` explains the difference to the month's run.
"""

from __future__ import annotations

from airflow.sdk import Param, PartitionedAssetTimetable, dag, task

from dags.house import METER_DAYS, defaults

DAY = "{{ partition_key or params.day }}"


@dag(
    doc_md=__doc__,
    schedule=PartitionedAssetTimetable(assets=METER_DAYS),
    catchup=False,
    max_active_runs=1,
    tags=["settlement", "需求响应"],
    default_args=defaults("finance"),
    params={"day": Param("2022-07-21", type="string", format="date", description="Day, when run by hand")},
)
def settle_demand_response() -> None:
    """The day's events, each a report."""

    @task
    def find_events(day: str) -> list[str]:
        from datetime import date

        from jobs.dr_state import settleable_on
        from warehouse.home import home

        return settleable_on(home(), date.fromisoformat(day))

    @task(map_index_template="{{ task.op_kwargs.event }}")
    def settle_event(event: str) -> str:
        from jobs.dr_settle import settle_event_report
        from warehouse.home import home

        return str(settle_event_report(home(), event).page)

    settle_event.expand(event=find_events(DAY))


settle_demand_response()
