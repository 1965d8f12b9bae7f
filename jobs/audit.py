"""``audit``: what the rules found in a run, how much passed by itself, and how old is what is open (docs/audit.md)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow.parquet as pq

from jobs import access, actor
from jobs.run_life import FindingNow, findings
from market.periods import TIME_ZONE
from settlement.audit.summary import PROVINCE, CityRow, Noted, RuleRow, by_city, by_rule
from settlement.findings import Severity
from settlement.run_life import Deed
from warehouse import audit_log, runs
from warehouse.home import Home
from warehouse.run_tables import AUDIT
from warehouse.runs import Run


@dataclass(frozen=True)
class Audit:
    """The audit of a run on a date, as far as the actor may see."""

    run: Run
    on: date
    rules: Sequence[RuleRow]
    cities: Sequence[CityRow]
    findings: Sequence[FindingNow]


def audit(home: Home, run_name: str, on: date) -> Audit:
    """Rules and cities of a run; ages are counted to ``on``. Raises NotAllowedError, RunNotFoundError."""
    run = runs.find_run(home, run_name)
    seen = findings(home, run_name)
    who = actor.current(home)
    days = _days(home, run)
    noted = [_noted(one, days) for one in seen]
    cities = {
        participant: city for participant, city in cities_of(run).items() if access.sees(who, _own(city))
    }
    return Audit(run, on, by_rule(noted, looked_at(run)), by_city(noted, cities, on), seen)


def cities_of(run: Run) -> dict[str, str]:
    """Participant with a line -> its queue."""
    table = pq.read_table(run.folder / "lines.parquet", columns=["participant_id", "city"])
    names, cities = (table[name].to_pylist() for name in ("participant_id", "city"))
    return {name: city or PROVINCE for name, city in zip(names, cities, strict=True)}


def looked_at(run: Run) -> dict[str, int | None]:
    """How many subjects each rule was asked about; nothing for a run that was made before this was kept."""
    file = run.folder / AUDIT
    if not file.is_file():
        return {}
    table = pq.read_table(file)
    return dict(zip(table["rule_id"].to_pylist(), table["looked_at"].to_pylist(), strict=True))


def _own(queue: str) -> str | None:
    return None if queue == PROVINCE else queue


def _days(home: Home, run: Run) -> Mapping[Any, date]:
    """The local date of every act on the run, by its number; 0 is the day on which it was prepared."""
    acts = audit_log.entries(home, run.run_id)
    days = {act.seq: datetime.fromisoformat(act.at).astimezone(ZoneInfo(TIME_ZONE)).date() for act in acts}
    prepared = [days[act.seq] for act in acts if act.act == Deed.PREPARE]
    return {**days, 0: prepared[0]}


def _noted(one: FindingNow, days: Mapping[Any, date]) -> Noted:
    row = one.row
    return Noted(
        row["code"],
        Severity(row["severity"]),
        row["queue"],
        days[row["since"]],
        days.get(one.seq) if one.seq else None,
        touched_by(row),
        row["amount_at_stake_cny"],
    )


def touched_by(row: Mapping[str, Any]) -> tuple[str, ...]:
    """The participants a finding names: as its subject, or in its evidence."""
    evidence = row["evidence"]
    named = [row["subject"], evidence.get("participant_id"), *(evidence.get("participants") or ())]
    return tuple(sorted({name for name in named if isinstance(name, str)}))
