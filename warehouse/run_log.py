"""A run's acts as the log holds them, the findings somebody must deal with, and the run in force for a month."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
from sqlalchemy import Connection, delete, insert, select

from settlement.findings import Severity
from settlement.run_life import MANUAL_ADJUSTMENT, PROVINCE, Deed, Done, Exceptional, Standing, standing
from warehouse.audit_log import Entry, entries
from warehouse.home import Home, engine
from warehouse.models import CurrentRun
from warehouse.reconciliations import newest_reconciliation
from warehouse.runs import Run

DEEDS = frozenset(map(str, Deed))


def deeds(log: Iterable[Entry]) -> list[Done]:
    """The acts that make the life of a run; printing and reading are not among them."""
    return [
        Done(
            Deed(entry.act),
            entry.person,
            entry.at,
            entry.reason,
            entry.facts.get("finding_id"),
            entry.facts.get("queue"),
            entry.seq,
        )
        for entry in log
        if entry.act in DEEDS
    ]


def finding_rows(run: Run, folder: Path | None = None, since: int = 0) -> list[dict[str, Any]]:
    """The run's findings as written, with ``queue`` (a city or PROVINCE) and the evidence read.

    folder: of a reconciliation of the run instead; since: the log entry that brought them.
    """
    rows: list[dict[str, Any]] = pq.read_table((folder or run.folder) / "findings.parquet").to_pylist()
    return [
        {
            **row,
            "queue": row["city"] or PROVINCE,
            "evidence": json.loads(row["evidence"]),
            "since": since,
        }
        for row in rows
    ]


def all_finding_rows(home: Home, run: Run, log: Iterable[Entry]) -> list[dict[str, Any]]:
    """The run's own findings and those of its newest reconciliation. log: the entries of the run."""
    compared = newest_reconciliation(home, run, log)
    if compared is None:
        return finding_rows(run)
    return [*finding_rows(run), *finding_rows(run, compared.folder, compared.seq)]


def exceptions(rows: Iterable[Mapping[str, Any]]) -> list[Exceptional]:
    """What is more than information, of ``all_finding_rows``."""
    return [
        Exceptional(
            row["finding_id"],
            row["code"],
            Severity(row["severity"]),
            row["queue"],
            row["evidence"].get("approver") if row["code"] == MANUAL_ADJUSTMENT else None,
            row["since"],
        )
        for row in rows
        if row["severity"] != Severity.INFORM
    ]


def run_standing(home: Home, run: Run) -> Standing:
    """Where a run stands now."""
    log = entries(home, run.run_id)
    return standing(exceptions(all_finding_rows(home, run, log)), deeds(log))


def life_anchor(home: Home, run: Run) -> str:
    """The last act of the run's life as ``seq hash``: what its statements carry; empty before the first."""
    acts = entries(home, run.run_id, sorted(DEEDS))
    return f"{acts[-1].seq} {acts[-1].hash}" if acts else ""


def current_run_id(home: Home, month: str) -> str | None:
    """The run published last for a month."""
    with engine(home).connect() as connection:
        return connection.scalar(select(CurrentRun.run_id).where(CurrentRun.month == month))


def point_to(connection: Connection, run: Run, seq: int) -> None:
    """Put a run in force for its month; within the transaction that logs the publishing."""
    connection.execute(delete(CurrentRun).where(CurrentRun.month == run.month))
    connection.execute(insert(CurrentRun).values(month=run.month, run_id=run.run_id, seq=seq))
