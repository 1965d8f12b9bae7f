"""对账: a run's lines against the trading centre's 结算依据 (docs/reconcile.md; market.md C.3).

The statement is no input of the settlement: a run is the same with it and without. What differs is kept beside the
run and worked like its own findings.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from uuid import UUID, uuid5

import pandas as pd
import pyarrow.parquet as pq

from jobs import access, actor
from jobs.run_life import refuse_damage
from market.money import scaled
from market.periods import Month
from market.profiles import RuleProfile, profile
from market.reconcile_rules import ReconcileLimits
from reports.labels import Labels
from reports.reconcile_book import reconcile_book, reconcile_csv
from settlement.findings import Finding, Severity
from settlement.reconcile.compare import Compared, Ours, Stated, compare
from settlement.reconcile.findings import findings
from settlement.reconcile.patterns import Group, recognised
from settlement.reconcile.subjects import subjects
from warehouse import run_tables, runs
from warehouse.deliveries import newest_recorded_at
from warehouse.home import Home
from warehouse.printed import log_print
from warehouse.reconcile_tables import comparison_table
from warehouse.reconciliations import Reconciliation, keep_reconciliation
from warehouse.records import read_records, record_inputs
from warehouse.runs import Run

STATEMENT = "statements_received"
KINDS = ("draft", "final", "correction")


class NothingToCompareError(ValueError):
    """There is no run, or no statement, of the month."""


@dataclass(frozen=True)
class Reconciled:
    """What a comparison gave. ``new`` is False where the same comparison was made before."""

    run: Run
    kept: Reconciliation
    compared: Sequence[Compared]
    groups: Sequence[Group]
    findings: Sequence[Finding]
    files: Sequence[Path]
    new: bool

    @property
    def at_stake_fen(self) -> int:
        """|theirs − ours| over all findings that are more than information."""
        return sum(
            one.amount_at_stake_fen or 0 for one in self.findings if one.severity is not Severity.INFORM
        )


def reconcile(
    home: Home, month: Month, *, run_name: str | None = None, as_of: datetime | None = None, lang: str = "zh"
) -> Reconciled:
    """Compare, keep, and print as a workbook and a CSV. run_name: by default the newest run of the month.

    Raises NothingToCompareError, NotAllowedError, RunNotFoundError, RunDamagedError, ValueError for a profile
    without tolerances or a run of another month.
    """
    who = actor.current(home)
    access.require(who, access.Act.RECONCILE)
    run = newest_run(home, month) if run_name is None else runs.find_run(home, run_name)
    if run.month != str(month):
        raise ValueError(f"{run.alias} is a run of {run.month}, not of {month}; name a run of the month.")
    refuse_damage(home, run)
    as_of = as_of or newest_recorded_at(home)
    limits, rules = _limits(run, month)
    stated = read_statement(home, month, as_of)
    compared, groups, found = compare_lines(read_lines(run), stated, rules, limits)
    inputs = sorted({entry.delivery_id for entry in record_inputs(home, STATEMENT, as_of=as_of)})
    key = _key(run, inputs, limits)

    def write(folder: Path) -> Mapping[str, int]:
        tables = {
            "comparison.parquet": comparison_table(compared),
            "findings.parquet": run_tables.findings_table(found, key),
        }
        return {name: run_tables.write_table(table, folder / name) for name, table in tables.items()}

    facts = {"month": str(month), "alias": run.alias, "statements": inputs, "profile": rules.name}
    kept, new = keep_reconciliation(home, run, key, facts, write, who.signature)
    files = _print(home, run, month, rules, compared, groups, found, lang)
    log_print(home, run, who.signature, files)
    return Reconciled(run, kept, compared, groups, found, files, new)


def newest_run(home: Home, month: Month) -> Run:
    """The newest version of the latest kind that settles the month. Raises NothingToCompareError."""
    of_month = [run for run in runs.list_runs(home) if run.month == str(month) and run.kind in KINDS]
    if not of_month:
        raise NothingToCompareError(
            f"There is no run of {month}; settle it first with `gridsettle settle month`."
        )
    return max(of_month, key=lambda run: (KINDS.index(run.kind), run.version))


def read_lines(run: Run) -> list[Ours]:
    """The run's lines as whole numbers."""
    names = ["participant_id", "charge_code", "city", "quantity_mwh", "amount_cny"]
    columns = [pq.read_table(run.folder / "lines.parquet", columns=names)[name].to_pylist() for name in names]
    return [
        Ours(who, code, city, _whole(mwh, 6), _whole(cny, 2))
        for who, code, city, mwh, cny in zip(*columns, strict=True)
    ]


def read_statement(home: Home, month: Month, as_of: datetime | None) -> list[Stated]:
    """The newest statement of the month known at ``as_of``. Raises NothingToCompareError."""
    frame = read_records(home, STATEMENT, as_of=as_of)
    frame = frame[frame["month"] == str(month)]
    if frame.empty:
        raise NothingToCompareError(
            f"No {STATEMENT} of {month} was delivered; ingest the trading centre's 结算依据 and reconcile again."
        )
    return [
        Stated(row.participant_id, row.charge_code, _whole(row.quantity_mwh, 6), scaled(row.amount_cny, 2))
        for row in frame.itertuples()
    ]


def compare_lines(
    ours: Sequence[Ours], stated: Sequence[Stated], rules: RuleProfile, limits: ReconcileLimits
) -> tuple[list[Compared], list[Group], list[Finding]]:
    """Comparisons in order of participant and subject, groups, findings: nothing read or written."""
    known = subjects(rules.settled[1], limits.subjects)
    compared, strangers = compare(ours, stated, known, limits)
    compared, groups = recognised(compared, limits)
    return compared, groups, findings(compared, groups, strangers)


def _limits(run: Run, month: Month) -> tuple[ReconcileLimits, RuleProfile]:
    """The packaged tolerances of the run's profile: what a difference is, is asked today, not when it was settled."""
    rules = profile(run.manifest["profile"]).reaching_back_to(month.first)
    return rules.reconciled.limits(month.first), rules


def _key(run: Run, inputs: Sequence[str], limits: ReconcileLimits) -> UUID:
    """The same run, statement and limits are the same comparison."""
    text = sha256(repr(limits).encode()).hexdigest()
    return uuid5(UUID(run.run_id), f"reconcile|{','.join(inputs)}|{text}")


def _print(
    home: Home,
    run: Run,
    month: Month,
    rules: RuleProfile,
    compared: Sequence[Compared],
    groups: Sequence[Group],
    found: Sequence[Finding],
    lang: str,
) -> list[Path]:
    folder, labels = home.reports / run.run_id, Labels(lang)
    folder.mkdir(parents=True, exist_ok=True)
    names = {
        row.participant_id: row.name
        for row in read_records(home, "participants")[["participant_id", "name"]].itertuples(index=False)
    }
    written = {
        f"reconcile_{month}.xlsx": reconcile_book(
            run.alias, month, rules.settled[1], names, compared, groups, found, labels
        ),
        f"reconcile_{month}.csv": reconcile_csv(rules.settled[1], names, compared, labels),
    }
    for name, content in written.items():
        making = folder / f".{name}.making"
        making.write_bytes(content)
        making.replace(folder / name)
    return [folder / name for name in written]


def _whole(value: object, decimals: int) -> int | None:
    return None if value is None or pd.isna(value) else scaled(value, decimals)  # type: ignore[call-overload, arg-type]
