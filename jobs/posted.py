"""Which corrections count: an approved one is posted into the month it names, a waiting one is only spoken of.

The log of acts decides, never a column: a correction is approved while its last word is an approval.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from settlement.corrections import Brought
from settlement.findings import Finding, Severity
from settlement.run_life import NotNowError, State
from warehouse import runs
from warehouse.difference_tables import DIFFERENCES, read_brought
from warehouse.home import Home
from warehouse.run_log import run_standing
from warehouse.runs import Run

CORRECTION, FINAL = "correction", "final"
APPROVED = frozenset({State.APPROVED, State.PUBLISHED})


def state(home: Home, run: Run) -> State:
    """Where a run stands by the log of acts."""
    return run_standing(home, run).state


def approved_corrections(home: Home, month: str | None = None) -> list[Run]:
    """Corrections that somebody approved, of one month or of all, by month and version."""
    return [run for run in _corrections(home, month) if state(home, run) in APPROVED]


def standing_corrections(home: Home, month: str) -> list[Run]:
    """Corrections of a month that nobody rejected, approved or waiting, by version."""
    return [run for run in _corrections(home, month) if state(home, run) is not State.REJECTED]


def last_posted(home: Home, month: str) -> Run | None:
    """The newest approved correction of a month: what the next one is compared with."""
    return max(approved_corrections(home, month), key=lambda run: run.version, default=None)


def posted_into(home: Home, month: str) -> tuple[Run, ...]:
    """The approved corrections that a month takes over, by the month they correct."""
    return tuple(run for run in approved_corrections(home) if _target(run) == month)


def waiting_for(home: Home, month: str) -> tuple[Run, ...]:
    """Corrections that would be posted into a month if they were approved: of each corrected month the newest."""
    newest: dict[str, Run] = {}
    for run in _corrections(home, None):
        if state(home, run) is not State.REJECTED:
            newest[run.month] = run  # oldest first, so the last one stays
    return tuple(run for run in newest.values() if _target(run) == month and state(home, run) not in APPROVED)


def settled_final(home: Home, month: str) -> Run | None:
    """The newest final run of a month that nobody rejected."""
    finals = [run for run in runs.list_runs(home) if (run.kind, run.month) == (FINAL, month)]
    return next((run for run in reversed(finals) if state(home, run) is not State.REJECTED), None)


def closed_from(home: Home, month: str) -> Run | None:
    """The first final run, rejected ones apart, of the month or a later one: what is posted there is fixed."""
    finals = [run for run in runs.list_runs(home) if run.kind == FINAL and run.month >= month]
    return next((run for run in finals if state(home, run) is not State.REJECTED), None)


def refuse_out_of_turn(home: Home, run: Run) -> None:
    """Raise NotNowError where an approval would post a correction twice, never, or on top of what is no more."""
    if run.kind != CORRECTION:
        _refuse_unapproved_inside(home, run)
        return
    closed = closed_from(home, _target(run))
    if closed is not None:
        raise NotNowError(
            f"{run.alias} was to be posted into {_target(run)}, and {closed.alias} exists without it; correct "
            f"{run.month} again, and the difference goes into the month that is open now."
        )
    base = last_posted(home, run.month) or settled_final(home, run.month)
    if base is None or base.run_id != run.previous:
        raise NotNowError(
            f"{run.alias} is compared with another version than {base.alias if base else 'any that stands'}, which "
            f"is what is posted for {run.month} now; correct the month again."
        )


def refuse_posted(home: Home, run: Run) -> None:
    """Raise NotNowError where a rejection would take back what other books already rest on."""
    later = [one for one in approved_corrections(home, run.month) if one.previous == run.run_id]
    if later:
        raise NotNowError(
            f"{later[0].alias} is approved and posts what it adds to {run.alias}; a further correction changes it."
        )
    if run.kind == CORRECTION and state(home, run) in APPROVED:
        taken = settled_final(home, _target(run))
        if taken is not None:
            raise NotNowError(
                f"{run.alias} is posted in {taken.alias}; a further correction takes it back, a rejection does not."
            )


def waiting_findings(waiting: Sequence[Run], month: str, kind: str) -> list[Finding]:
    """One finding a correction that waits: what it would charge and credit, and that it is not in this run."""
    return [
        _waiting_finding(run, read_brought(run.folder, run.run_id, run.month), month, kind) for run in waiting
    ]


def _waiting_finding(run: Run, brought: Brought, month: str, kind: str) -> Finding:
    by_participant: dict[str, int] = defaultdict(int)
    for line in brought.lines:
        by_participant[line.participant_id] += line.fen or 0
    charged = sum(fen for fen in by_participant.values() if fen > 0)
    credited = sum(fen for fen in by_participant.values() if fen < 0)
    then = (
        "this run does not take it, and once this month is closed it has to be corrected again into a later one"
        if kind == FINAL
        else "when it is approved, the next version of this month takes it"
    )
    return Finding(
        "correction_waiting",
        Severity.REVIEW,
        run.alias,
        f"{run.alias} is prepared for posting into {month} and not approved; it would charge "
        f"{charged / 100:,.2f} and credit {-credited / 100:,.2f} 元 to {len(by_participant)} participants. "
        f"Approve or reject it: {then}.",
        evidence={
            "run_id": run.run_id,
            "charged_fen": charged,
            "credited_fen": credited,
            "participants": len(by_participant),
            "status": run.status,
        },
        amount_at_stake_fen=max(charged, -credited),
    )


def _refuse_unapproved_inside(home: Home, run: Run) -> None:
    """A month that took a correction over is not approved once that correction was rejected."""
    carried = {entry["path"] for entry in run.manifest["inputs"]}
    for one in _corrections(home, None):
        if f"runs/{one.run_id}/{DIFFERENCES}" in carried and state(home, one) not in APPROVED:
            raise NotNowError(
                f"{run.alias} holds {one.alias}, which is no longer approved; settle {run.month} again."
            )


def _corrections(home: Home, month: str | None) -> list[Run]:
    return [run for run in runs.list_runs(home) if run.kind == CORRECTION and month in (None, run.month)]


def _target(run: Run) -> str:
    return str(run.manifest["posted_into"])
