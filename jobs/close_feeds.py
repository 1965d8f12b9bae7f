"""Which feeds a month's close waits for: what came late by the ingest ledger, what still lacks by the run's findings."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal

from jobs.feeds import Late, first_recorded_at, late_deliveries
from market.calendars import ChinaCalendar
from market.clock import month_deadline
from market.periods import Month
from market.profiles import RuleProfile
from reports.close_plan import LateFeed
from reports.content import FindingRow
from warehouse.curve_files import PROVINCE
from warehouse.home import Home

LACKING = {
    "missing_meter_day": "meter_readings",
    "missing_reading": "meter_readings",
    "missing_position": "positions",
    "missing_price": "prices",
    "missing_contract_curve": "contract_curves",
}


def late_feeds(
    home: Home, month: Month, rules: RuleProfile, as_of: datetime | None, findings: Sequence[FindingRow]
) -> list[LateFeed] | None:
    """By table and city, as known at ``as_of``; None where the month was loaded after its bills were due.

    A feed lacks something while a blocking finding of the run waits for it.
    """
    first = first_recorded_at(home, month)
    if first is None or month_deadline(rules, "bills", month, ChinaCalendar()).passed(first):
        return None
    came: dict[tuple[str, str], list[Late]] = {}
    for table, city, late in late_deliveries(home, month, as_of):
        came.setdefault((table, city), []).append(late)
    lacking = Counter(
        (LACKING[one.code], (one.city or PROVINCE) if LACKING[one.code] == "meter_readings" else PROVINCE)
        for one in findings
        if one.code in LACKING and one.severity == "block"
    )
    return [
        _feed(table, city, came.get((table, city), []), lacking[table, city])
        for table, city in sorted(came.keys() | lacking.keys())
    ]


def _feed(table: str, city: str, came: Sequence[Late], lacking: int) -> LateFeed:
    impacts = [late.impact for late in came]
    return LateFeed(
        table,
        city,
        None if lacking or not came else max(late.recorded_at for late in came),
        max((late.latest_by_days for late in came), default=0),
        sum((one.moved_mwh for one in impacts), Decimal(0)),
        sum((one.amount_cny for one in impacts), Decimal("0.00")),
        sum(one.unpriced for one in impacts),
        lacking,
        next((late.after_run for late in reversed(came) if late.after_run), None),
        tuple(dict.fromkeys(late.file_name for late in came)),
    )
