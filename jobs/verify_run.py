"""``run verify``: whether a run is as it was written, from its files to the log of what was done with it.

Looked at: every file of the run, on request the deliveries, curve files, records and rules it rests on, the manifest against the log and the database, the run's reports, the evidence
people laid before decisions, the chain of the log with its anchors, the pointer to the run in force.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import select

from settlement.run_life import Deed
from warehouse import audit_log, runs
from warehouse.audit_log import Anchor
from warehouse.evidence import evidence_damage
from warehouse.file_hash import file_sha256
from warehouse.home import Home, engine
from warehouse.models import CurrentRun, SettlementRun
from warehouse.printed import print_damage
from warehouse.reconciliations import reconciliation_damage
from warehouse.runs import CARRIED, MANIFEST, Run
from warehouse.stored import stored_damage


def verify(home: Home, run: Run, printed: Sequence[Anchor] = (), *, inputs: bool = False) -> list[str]:
    """One sentence for everything that is not as it was written; none where all is.

    inputs: also hash the delivered files the run rests on, what the warehouse made of them, and its rules; acts do
    without, they decide on the run.
    printed: anchors read off statements, for a home whose own anchors may have been cut with the log.
    """
    problems = _manifest_damage(home, run)
    if not problems:  # a manifest that was changed says nothing about its files
        problems += runs.verify(run)
        problems += _pointer_damage(home, run)
        problems += print_damage(home, run)
        problems += _input_damage(home, run) if inputs else []
        problems += reconciliation_damage(home, run)
    return [*problems, *evidence_damage(home), *audit_log.damage(home, printed)]


def _manifest_damage(home: Home, run: Run) -> list[str]:
    file = run.folder / MANIFEST
    if not file.is_file():
        return [f"{MANIFEST} of run {run.alias} is missing; restore the folder {run.run_id} from a backup."]
    digest = file_sha256(file)
    with engine(home).connect() as connection:
        row = connection.execute(
            select(SettlementRun.__table__).where(SettlementRun.run_id == run.run_id)
        ).one()
    prepared = audit_log.entries(home, run.run_id, [Deed.PREPARE])
    if not prepared:
        return [
            f"The log of acts does not say who prepared {run.alias}; the run was put there by other means."
        ]
    if prepared[-1].evidence_sha256 != digest:
        return [f"{MANIFEST} of run {run.alias} was changed after the run was written."]
    if row.manifest_sha256 != digest:
        return [
            f"The database names another {MANIFEST} for run {run.alias} than the log of acts; its row was changed."
        ]
    return [
        f"The database says {name} = {getattr(row, name)} for run {run.run_id}, its {MANIFEST} says "
        f"{run.manifest[name]}; the row was changed."
        for name in ("kind", "month", "version", "alias", "previous", "status")
        if getattr(row, name) != run.manifest[name]
    ]


def _input_damage(home: Home, run: Run) -> list[str]:
    """Delivered files, outputs of other runs, and the rules, each by the hash that was written down with the run."""
    problems = []
    for entry in run.manifest["inputs"]:
        carried = entry["path"].startswith(CARRIED)
        file = (home.root if carried else home.inbox) / entry["path"]
        if not file.is_file():
            problems.append(f"{entry['path']}, an input of {run.alias}, is gone; restore it from a backup.")
        elif file_sha256(file) != entry["sha256"]:
            problems.append(
                f"{entry['path']}, an input of {run.alias}, was changed after the run was computed from it."
            )
    written = audit_log.entries(home, run.run_id, [Deed.PREPARE])[-1].facts
    kept = written.get("rules_file_sha256")
    rules = home.rules / f"{run.manifest['profile_sha256']}.json"
    if kept and (not rules.is_file() or file_sha256(rules) != kept):
        problems.append(
            f"The rules of {run.alias} (rules/{rules.name}) were changed after the run; restore them from a backup."
        )
    return problems + stored_damage(home, run.alias, runs.delivered(run.manifest), written.get("stored"))


def _pointer_damage(home: Home, run: Run) -> list[str]:
    with engine(home).connect() as connection:
        pointer = connection.execute(
            select(CurrentRun.__table__).where(CurrentRun.month == run.month)
        ).one_or_none()
    months = {other.run_id for other in runs.list_runs(home) if other.month == run.month}
    published = [entry for entry in audit_log.entries(home, acts=[Deed.PUBLISH]) if entry.subject in months]
    last = published[-1] if published else None
    if (pointer and (pointer.run_id, pointer.seq)) == (last and (last.subject, last.seq)):
        return []
    return [
        f"The run in force for {run.month} is {pointer.run_id if pointer else 'none'} in the database, but the log of "
        f"acts last published {last.subject if last else 'none'}; the pointer was changed."
    ]
