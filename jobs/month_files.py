"""The files of a month's run: the calculation as tables, their rows and totals for the manifest (architecture §4)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import pyarrow as pa

from jobs.accepted import ESTIMATES
from jobs.basis import Basis
from jobs.demand_response import MonthEvents
from jobs.estimates import estimates_table
from jobs.month_calculation import calculate_basis
from jobs.progress import Progress
from market.money import half_up, wide_sum, yuan
from market.periods import Month
from settlement.corrections import Brought, differences, moved
from settlement.findings import Finding, Severity
from settlement.lines import Lines
from settlement.month import MonthSettlement
from settlement.postings import Postings
from settlement.purchases import StageTotals, by_stage
from warehouse import run_tables, runs
from warehouse.daily_file import DAILY, DailyFile
from warehouse.difference_tables import (
    CORRECTIONS,
    DIFFERENCES,
    differences_table,
    read_clearing_movements,
    read_line_amounts,
)


def compute_run(
    basis: Basis,
    progress: Progress,
    folder: Path,
    run_id: UUID,
    *,
    checked: list[tuple[str, ...] | None] | None = None,
) -> Mapping[str, Any]:
    """Settle a month on its basis into the tables of a run; rows, totals and status for its manifest.

    checked: takes note of the cities whose readings were gone through; where it is given, the checks of cities in
    which nothing has changed are taken over. Without it everything is computed afresh.
    """
    with DailyFile(folder / DAILY) as daily:
        done = calculate_basis(basis, progress, reuse_checks=checked is not None, keep_days=daily.add)
    if checked is not None:
        checked.append(done.readings.checked)
    _, matrix = basis.rules.settled
    result, response, findings = done.result, done.response, done.findings
    lines, postings = Lines.of(result.lines), Postings.of(result.postings)
    made: dict[str, Iterable[pa.Table]] = {
        "lines.parquet": (run_tables.lines_table(part, matrix) for part in run_tables.in_groups(lines)),
        "postings.parquet": (
            run_tables.postings_table(part, run_id) for part in run_tables.in_groups(postings)
        ),
        run_tables.ACCOUNTS: [run_tables.accounts_table(result.accounts)],
        "baseline.parquet": [run_tables.baseline_table(response.baselines)],
        "response.parquet": [run_tables.response_table(response.responses)],
        "allocation.parquet": [run_tables.allocation_table(response.allocations)],
        "interprovincial.parquet": [run_tables.interprovincial_table(result.purchases)],
        ESTIMATES: [estimates_table(done.readings.estimates)],
        run_tables.GREEN_CERTIFICATES: [run_tables.certificates_table(done.certificates)],
        "findings.parquet": [run_tables.findings_table(findings, run_id)],
        CORRECTIONS: [differences_table(basis.brought())],
        run_tables.AUDIT: [run_tables.audit_table(done.looked_at)],
    }
    with ThreadPoolExecutor(2, "tables") as disk:
        written = {
            name: disk.submit(run_tables.write_groups, tables, folder / name) for name, tables in made.items()
        }
    rows = {name: one.result() for name, one in written.items()}
    rows[DAILY] = daily.rows
    if basis.billed is not None:
        rows[DIFFERENCES] = write_differences(basis.billed, basis.month, folder, run_id)
    blocked = any(finding.severity is Severity.BLOCK for finding in findings)
    return {
        "rows": rows,
        "totals": _totals(result, findings, done.events),
        "status": "blocked" if blocked else "ready",
    }


def write_differences(before: runs.Run, month: Month, folder: Path, run_id: UUID) -> int:
    """What the run in ``folder`` changes against a version before it, as DIFFERENCES; its rows."""
    changed = differences(str(month), read_line_amounts(before.folder), read_line_amounts(folder))
    clearing = moved(read_clearing_movements(before.folder), read_clearing_movements(folder))
    table = differences_table([Brought(str(run_id), str(month), changed, clearing)])
    return run_tables.write_table(table, folder / DIFFERENCES)


def _totals(result: MonthSettlement, findings: Sequence[Finding], events: MonthEvents) -> dict[str, Any]:
    systems = list(result.systems.values())
    lines = Lines.of(result.lines)
    fen = lines.amount.values
    severities = [str(finding.severity) for finding in findings]
    return {
        "use_mwh": _mwh([system.use for system in systems]),
        "generation_mwh": _mwh([system.generation for system in systems]),
        "import_mwh": _mwh([system.imported for system in systems]),
        "loss_mwh": _mwh([system.loss for system in systems]),
        "charges_cny": str(yuan(wide_sum(fen[fen > 0]))),
        "credits_cny": str(yuan(wide_sum(fen[fen < 0]))),
        "lines": len(lines),
        "missing_lines": int((~lines.amount.known).sum()),
        "participants": len(lines.participants),
        "interprovincial": {one.stage: _stage_totals(one) for one in by_stage(result.purchases)},
        "events": len(events.events),
        "demand_response_cny": str(
            yuan(-wide_sum(lines.with_codes(["demand_response_payment"]).amount.values))
        ),
        "findings": {severity: severities.count(severity) for severity in map(str, Severity)},
    }


def _stage_totals(one: StageTotals) -> dict[str, str | None]:
    landed, reference, gap = one.landed_fen, one.reference_fen, one.shown_gap_cny
    return {
        "bought_mwh": str(Decimal(one.bought_wh).scaleb(-6)),
        "landed_cost_cny": None if landed is None else str(yuan(landed)),
        "provincial_value_cny": None if reference is None else str(yuan(reference)),
        "gain_loss_cny": None if landed is None or reference is None else str(yuan(landed - reference)),
        "landed_price_rounding_cny": None if gap is None else str(yuan(half_up(gap * 100))),
    }


def _mwh(parts: Sequence[int | None]) -> str | None:
    known = [part for part in parts if part is not None]
    return str(Decimal(sum(known)).scaleb(-6)) if len(known) == len(parts) else None
