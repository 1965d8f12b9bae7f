"""日清: settle one day into a run of kind ``day`` and write its provisional statements (market.md C.1; ruling 30).

The run's ``month`` is its date. A day is settled by the roster, the prices and the formulas of its month's run, so
its exact amounts are those of the month; what is monthly by rule is named in the manifest instead.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import partial
from importlib.metadata import version as installed_version
from pathlib import Path
from typing import Any
from uuid import UUID

import pyarrow.parquet as pq

from jobs import access, actor
from jobs.month_inputs import MONTH_CURVES, MonthInputs
from jobs.month_trades import TRADE_TABLES, settled_trades
from jobs.roster import Roster
from jobs.settle_month import LOCK, NothingToSettleError
from market.calendars import ChinaCalendar
from market.clock import day_deadline
from market.money import yuan
from market.periods import Month
from market.profiles import ChargeMatrix, RuleProfile, profile
from reports.day_statement import DayHead, day_statement
from settlement.daily import DayLine, day_lines, day_series
from settlement.day import settle_day
from settlement.findings import Severity
from settlement.parties import DailySeries, Parties
from settlement.purchases import purchases, trade_daily
from warehouse import run_tables, runs
from warehouse.curves import curve_inputs
from warehouse.daily_file import daily_table
from warehouse.day_tables import day_lines_table
from warehouse.deliveries import newest_recorded_at
from warehouse.home import Home
from warehouse.lock import exclusive
from warehouse.records import read_records, record_inputs

KIND = "day"
DAY_RECORDS = ("participants", "meters", "contracts", *TRADE_TABLES)
INTERPROVINCIAL = "interprovincial"


@dataclass(frozen=True)
class DayRun:
    """The run and whether it was computed now or existed."""

    run: runs.Run
    computed: bool


def settle_one_day(
    home: Home,
    day: date,
    *,
    profile_name: str | RuleProfile = "SD_2022",
    as_of: datetime | None = None,
    wait_seconds: float = 600,
) -> DayRun:
    """Settle a day; the same inputs, rules and software give the run that already exists.

    Raises NothingToSettleError for a day without readings, warehouse.lock's refusal after ``wait_seconds``.
    """
    rules = profile_name if isinstance(profile_name, RuleProfile) else profile(profile_name)
    as_of = as_of or newest_recorded_at(home)
    who = actor.current(home)
    access.require(who, access.Act.SETTLE)
    with exclusive(home, LOCK, timeout=wait_seconds):
        inputs = day_inputs(home, day, as_of)
        newest = runs.latest_run(home, KIND, str(day))
        if (
            newest is not None
            and UUID(newest.run_id) == _identity(day, rules, inputs, newest.previous).run_id
        ):
            return DayRun(newest, computed=False)
        identity = _identity(day, rules, inputs, None if newest is None else newest.run_id)
        left = runs.orphan(home, identity.run_id)
        if left is not None:
            return DayRun(runs.register(home, left, who.signature), computed=False)
        compute = partial(_compute, home, day, rules, as_of)
        number = 1 if newest is None else newest.version + 1
        return DayRun(runs.write_run(home, identity, number, as_of, compute, who.signature), computed=True)


def day_inputs(home: Home, day: date, as_of: datetime | None) -> tuple[runs.InputFile, ...]:
    """The delivered files that the day rests on, by hash (ruling 13)."""
    after = day + timedelta(days=1)
    curves = {table: curve_inputs(home, table, day, after, as_of=as_of) for table in MONTH_CURVES}
    if not curves["meter_readings"]:
        raise NothingToSettleError(
            f"There are no meter readings of {day} in the warehouse; run `gridsettle ingest` on the day's files."
        )
    delivered = [entry for table in DAY_RECORDS for entry in record_inputs(home, table, as_of=as_of)]
    delivered += [entry for entries in curves.values() for entry in entries]
    return tuple(sorted({runs.InputFile(f"{sha[:16]}/{name}", sha, rows) for sha, name, rows in delivered}))


def write_statements(home: Home, run: runs.Run) -> Path:
    """One CSV a participant with its lines of the day, and one with all of them; returns the folder."""
    lines = pq.read_table(run.folder / "lines.parquet").to_pylist()
    manifest = run.manifest
    rules = profile(manifest["profile"])
    day = date.fromisoformat(run.month)
    head = DayHead(
        day,
        run.alias,
        run.fingerprint,
        day_deadline(rules.reaching_back_to(day), "day_objection", day, ChinaCalendar()),
        tuple(manifest["totals"]["not_in_a_day"]),
    )
    as_of = None if manifest["as_of"] is None else datetime.fromisoformat(manifest["as_of"])
    people = read_records(home, "participants", as_of=as_of)
    names = dict(zip(people["participant_id"], people["name"], strict=True))
    folder = home.reports / run.run_id
    (folder / "statements").mkdir(parents=True, exist_ok=True)
    matrix = rules.settled[1]
    for who in sorted({line["participant_id"] for line in lines}):
        mine = [line for line in lines if line["participant_id"] == who]
        file = folder / "statements" / f"day_{day}_{who}.csv"
        file.write_bytes(day_statement(head, mine, names, matrix))
    (folder / f"day_{day}.csv").write_bytes(day_statement(head, lines, names, matrix))
    return folder


def write_statements_of(home: Home, name: str) -> Path:
    """``write_statements`` of a run by id or alias. Raises ValueError for a run that is not of a day."""
    run = runs.find_run(home, name)
    if run.kind != KIND:
        raise ValueError(f"Run {run.alias} is not of a day; `gridsettle report` prints the runs of months.")
    return write_statements(home, run)


def _identity(
    day: date, rules: RuleProfile, inputs: tuple[runs.InputFile, ...], previous: str | None
) -> runs.RunIdentity:
    return runs.RunIdentity(
        KIND, str(day), rules.name, rules.sha256, inputs, previous, installed_version("gridsettle")
    )


def _compute(
    home: Home, day: date, rules_used: RuleProfile, as_of: datetime | None, folder: Path, run_id: UUID
) -> Mapping[str, Any]:
    rules, matrix = rules_used.settled
    month = Month.of(day)
    records = {table: read_records(home, table, as_of=as_of) for table in DAY_RECORDS}
    roster = Roster(month, *(records[table] for table in ("participants", "meters", "contracts")))
    of_day = {**records, "trades": records["trades"][[one == day for one in records["trades"]["date"]]]}
    trades, trade_findings = settled_trades(of_day, month, roster, rules_used)
    inputs = MonthInputs(home, month, roster, rules, trades.imports, as_of, only=day)
    (market,) = inputs.days()
    settled = settle_day(market)
    parties = _parties(roster, day)
    bought = purchases(trades, {(stage, day): price for stage, price in settled.reference.items()})
    series = [*day_series(settled, parties), *trade_daily(trades, bought, parties)]
    codes = frozenset(charge.code for charge in matrix.charges if charge.account == INTERPROVINCIAL)
    firm = day_deadline(rules_used.reaching_back_to(day), "day_interprovincial", day, ChinaCalendar())
    lines = day_lines(series, parties, codes, firm.day)
    findings = (*trade_findings, *roster.findings(), *inputs.findings())
    tables = {
        "lines.parquet": day_lines_table(lines, day, roster.city, matrix),
        "daily.parquet": daily_table(series),
        "interprovincial.parquet": run_tables.interprovincial_table(bought),
        "findings.parquet": run_tables.findings_table(findings, run_id),
    }
    rows = {name: run_tables.write_table(table, folder / name) for name, table in tables.items()}
    blocked = any(finding.severity is Severity.BLOCK for finding in findings)
    return {
        "rows": rows,
        "totals": _totals(lines, series, matrix, firm.day),
        "status": "blocked" if blocked else "ready",
    }


def _parties(roster: Roster, day: date) -> Parties:
    """Who settles on the day; what only the month needs stays empty."""
    settling = (*roster.users, *roster.generators)
    of_day = roster.on(day)
    with_contract = {settling[row] for side in (of_day.buyer, of_day.seller) for row in side if row >= 0}
    return Parties(
        users=roster.users,
        generators=roster.generators,
        grid_company=roster.grid_company,
        kind={who: roster.kind[who] for who in settling},
        city=roster.city,
        measured_ppm={},
        agency_energy={},
        capacity_mw_micro={},
        without_contract=frozenset(settling) - with_contract,
    )


def _totals(
    lines: Sequence[DayLine], series: Sequence[DailySeries], matrix: ChargeMatrix, firm: date
) -> dict[str, Any]:
    known = [line.amount_fen for line in lines if line.amount_fen is not None]
    settled = {one.charge_code for one in series}
    return {
        "lines": len(lines),
        "missing_lines": len(lines) - len(known),
        "participants": len({line.participant_id for line in lines}),
        "charges_cny": str(yuan(sum(fen for fen in known if fen > 0))),
        "credits_cny": str(yuan(sum(fen for fen in known if fen < 0))),
        "interprovincial_provisional_until": str(firm),
        "not_in_a_day": [
            charge.code
            for charge in matrix.charges
            if charge.code not in settled and charge.account != INTERPROVINCIAL
        ]
        + [code for code in ("interprovincial_gain_loss",) if code not in settled],
    }
