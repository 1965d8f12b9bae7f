"""A small month: one wholesale user whose name looks like a formula, a generator, the agency book, one event."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy as np
import pandas as pd

from market.money import yuan
from market.periods import LABELS, Month
from market.profiles import profile
from reports.content import EventWindow, Party, RunContent, RunHead, VersionBridge
from settlement.bridge import BridgeRow, Cause, by_cause
from settlement.findings import Finding, Severity
from settlement.ledger import Line, balances, post
from settlement.month import DailySeries
from warehouse import run_tables
from warehouse.audit_log import Signature
from warehouse.daily_file import daily_table
from warehouse.deliveries import newest_recorded_at
from warehouse.home import Home
from warehouse.runs import InputFile, Run, RunIdentity, write_run

MONTH = Month(2022, 7)
DAYS = tuple(MONTH.days())
RUN_ID = UUID("11111111-2222-5333-8444-555555555555")
RULES = profile("SD_2022")
FORMULA_NAME = "=1+1"  # in memory: ingest does not let it in
DELIVERED_NAME = "@一号用户"
MONTH_WH = 31 * 96 * 1000  # 1 kWh in each of the 96 quarter-hours of 31 days

PEOPLE = (
    Party("W1", FORMULA_NAME, "wholesale_user", "jinan"),
    Party("A1", "代理用户一", "agency_user", "yantai"),
    Party("G1", "一号电厂", "generator", "jinan"),
    Party("OUT", "省外售方", "outside", None),
    Party("SGCC", "省电力公司", "grid_company", "province"),
)


def month_lines() -> list[Line]:
    """Lines that close every account: energy, contract, inter-provincial, demand response."""
    return [
        Line("A1", "interprovincial_gain_loss", "yantai", MONTH_WH, 1234, 950_000),
        Line("G1", "contract", "jinan", 2_000_000, -500, delivered=True),
        Line("G1", "energy_real_time", "jinan", 3_000_000, -123_456_79, 1_000_000, delivered=True),
        Line("OUT", "interprovincial_sale_day_ahead", None, 1_000_000, -1234, delivered=True),
        Line("SGCC", "demand_response_charge", "province", 100_000, 3000),
        Line("W1", "contract", "jinan", 2_000_000, 500),
        Line("W1", "demand_response_payment", "jinan", 80_000, -3000, delivered=True),
        Line("W1", "energy_real_time", "jinan", MONTH_WH, 123_456_79, 1_000_000),
    ]


def month_daily(lines: Sequence[Line]) -> list[DailySeries]:
    """The energy lines spread evenly over the days, in 1e-9 yuan."""
    rows = [line for line in lines if line.charge_code == "energy_real_time" and line.amount_fen is not None]
    if not rows:
        return []
    nano = np.array([[line.amount_fen * 10_000_000 // 31] * 31 for line in rows], dtype=np.int64)
    quantity = np.array([[line.quantity_wh // 31] * 31 for line in rows], dtype=np.int64)
    who = tuple(line.participant_id for line in rows)
    return [DailySeries("energy_real_time", who, DAYS, quantity, nano, np.zeros(nano.shape, np.bool_))]


RESPONSE = {
    "event_id": "E1",
    "participant_id": "W1",
    "committed_w": 50_000,
    "responded_w": 40_000,
    "rate_ppm": 800_000,
    "effective_minutes": 120,
    "confirmed_w": 40_000,
    "energy_wh": 80_000,
    "payment_fen": 3000,
    "penalty_fen": 0,
    "code": "valid",
}
ALLOCATION = [
    {"event_id": "E1", "participant_id": "SGCC", "tranche": tranche, "driver": 1, "benefit_fen": 1000, "charge_fen": fen}
    for tranche, fen in (("benefit", 1000), ("residual", 2000))
]  # fmt: skip


def arrow(lines: Sequence[Line], findings: Sequence[Finding] = ()) -> dict[str, Any]:
    """The run's tables as the settlement job writes them."""
    _, matrix = RULES.settled
    postings = post(lines, [], matrix)
    accounts = balances(postings, matrix, {}, sorted({line.participant_id for line in lines}))
    return {
        "lines": run_tables.lines_table(lines, matrix),
        "daily": daily_table(month_daily(lines)),
        "postings": run_tables.postings_table(postings, RUN_ID),
        "accounts": run_tables.accounts_table(accounts),
        "baseline": run_tables.baseline_table([]),
        "response": run_tables.response_table([RESPONSE]),
        "allocation": run_tables.allocation_table([pd.DataFrame(ALLOCATION)]),
        "findings": run_tables.findings_table(findings, RUN_ID),
    }


def totals(lines: Sequence[Line], findings: Sequence[Finding] = ()) -> dict[str, Any]:
    """The manifest's totals; 3.0 + 1.0 = 3.9 + 0.1 MWh."""
    severities = [str(finding.severity) for finding in findings]
    return {
        "use_mwh": "3.900000",
        "generation_mwh": "3.000000",
        "import_mwh": "1.000000",
        "loss_mwh": "0.100000",
        "lines": len(lines),
        "missing_lines": sum(line.amount_fen is None for line in lines),
        "participants": len({line.participant_id for line in lines}),
        "events": 1,
        "findings": {severity: severities.count(severity) for severity in map(str, Severity)},
    }


def made_content(
    lines: Sequence[Line] | None = None,
    *,
    findings: Sequence[Finding] = (),
    previous: Sequence[Line] | None = None,
    people: Sequence[Party] = PEOPLE,
    books: Mapping[str, str] | None = None,
    **beside: Any,
) -> RunContent:
    """A run in memory; beside: what ``RunContent.of`` takes beside its tables."""
    lines = month_lines() if lines is None else list(lines)
    manifest = {
        "profile": RULES.name,
        "profile_sha256": RULES.sha256,
        "software_version": "0.1.0",
        "as_of": "2022-08-05T08:00:00+00:00",
        "previous": None if previous is None else str(RUN_ID),
        "inputs": [{"path": "0123456789abcdef/participants.csv", "sha256": "ab" * 32, "rows": 5}],
        "outputs": [{"path": "lines.parquet", "sha256": "cd" * 32, "rows": len(lines)}],
        "totals": totals(lines, findings),
    }
    blocked = any(line.amount_fen is None for line in lines)
    head = RunHead(
        str(RUN_ID),
        "2022-07 draft v2",
        "draft",
        MONTH,
        2,
        "blocked" if blocked else "ready",
        "ef" * 32,
        None if previous is None else "2022-07 draft v1",
        manifest,
    )
    _, matrix = RULES.settled
    return RunContent.of(
        head,
        RULES,
        arrow(lines, findings),
        {party.participant_id: party for party in people},
        previous_lines=None if previous is None else run_tables.lines_table(previous, matrix),
        events=[EventWindow("E1", date(2022, 7, 18), 69, 76)],
        books=books,
        **beside,
    )


def moved_by(
    rows: Mapping[tuple[str, str], Mapping[Cause, int]], before: Sequence[Line], now: Sequence[Line]
) -> VersionBridge:
    """A bridge with the parts given, fen, as the job would hand it to the reports."""
    old, new = (
        {(line.participant_id, line.charge_code): line.amount_fen for line in lines}
        for lines in (before, now)
    )
    by_party: dict[str, dict[str, BridgeRow]] = {}
    for (who, code), parts in rows.items():
        by_party.setdefault(who, {})[code] = BridgeRow(
            who, code, old.get((who, code)), new.get((who, code)), parts
        )
    sums = by_cause([row for found in by_party.values() for row in found.values()])

    def sides(lines: Mapping[tuple[str, str], int | None]) -> tuple[Decimal, Decimal]:
        known = [fen for fen in lines.values() if fen is not None]
        return yuan(sum(fen for fen in known if fen > 0)), yuan(sum(fen for fen in known if fen < 0))

    steps = [
        ("old", *sides(old)),
        *((str(cause), *map(yuan, sums[cause])) for cause in sums),
        ("new", *sides(new)),
    ]
    return VersionBridge(by_party, tuple(steps), {"reading": (("abc/meter_readings.csv",), ())})


def changed(lines: Sequence[Line], who: str, code: str, **values: Any) -> list[Line]:
    """The same lines with one of them changed."""
    return [
        line._replace(**values) if (line.participant_id, line.charge_code) == (who, code) else line
        for line in lines
    ]


def add_run(
    at: Home, lines: Sequence[Line], version: int, previous: str | None, findings: Sequence[Finding] = ()
) -> Run:
    """A visible run in a home, written the way the settlement job does it."""
    tables = arrow(lines, findings)

    def compute(folder: Path, _: UUID) -> Mapping[str, Any]:
        rows = {
            f"{name}.parquet": run_tables.write_table(table, folder / f"{name}.parquet")
            for name, table in tables.items()
        }
        return {"rows": rows, "totals": totals(lines), "status": "ready"}

    identity = RunIdentity(
        "draft",
        str(MONTH),
        RULES.name,
        RULES.sha256,
        (InputFile("0123456789abcdef/participants.csv", "ab" * 32, 5),),
        previous,
        "0.1.0",
    )
    return write_run(
        at, identity, version, newest_recorded_at(at), compute, Signature("p1", "os:p1", ("preparer",))
    )


def deliveries(folder: Path) -> None:
    """Five participants; W1 and A1 use 1 kWh a quarter-hour, A1's last day was estimated."""
    people = [
        [
            p.participant_id,
            DELIVERED_NAME if p.name == FORMULA_NAME else p.name,
            p.kind,
            p.city or "",
            "SD_JINAN" if p.kind == "generator" else "",
            "2022-01-01",
        ]
        for p in PEOPLE
    ]
    _csv(
        folder / "participants.csv", ["participant_id", "name", "kind", "city", "node", "valid_from"], people
    )
    meters = [[f"M-{who}", who, 1, 1, "2022-01-01"] for who in ("W1", "A1")]
    _csv(
        folder / "meters.csv", ["meter_id", "participant_id", "multiplier", "direction", "valid_from"], meters
    )
    readings = [
        [f"M-{who}", day, "estimated" if (who, day) == ("A1", DAYS[-1]) else "measured", *[1] * 96]
        for who in ("W1", "A1")
        for day in DAYS
    ]
    _csv(folder / "meter_readings.csv", ["meter_id", "date", "quality", *LABELS], readings)


def _csv(path: Path, heads: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream).writerows([heads, *rows])
