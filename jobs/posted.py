"""Which corrections count: an approved one is posted into the month it names, a waiting one is only spoken of.

The log of acts decides, never a column: a correction is approved while its last word is an approval.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from market.periods import Month
from market.profiles import ProvincialRules, RuleProfile
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


def is_approved(home: Home, run: Run) -> bool:
    """Whether the last word on a run is its approval, or its publication after that."""
    return state(home, run) in APPROVED


def hands_over(run: Run) -> bool:
    """Whether a run's difference is posted into another month: a correction, or a final run after a billed draft."""
    return run.manifest.get("posted_into") is not None


def billed_draft(home: Home, month: str, rules: ProvincialRules) -> Run | None:
    """The draft on which bills were made, where the rules bill the draft: the newest approved one."""
    if rules.billed_on != "draft":
        return None
    drafts = [run for run in runs.list_runs(home) if (run.kind, run.month) == ("draft", month)]
    return next((run for run in reversed(drafts) if is_approved(home, run)), None)


def open_after(home: Home, month: Month) -> str:
    """The first month after ``month`` that is not final."""
    into = month.shifted(1)
    while closed_from(home, str(into)) is not None:
        into = into.shifted(1)
    return str(into)


def unbilled_finding(billed: Run | None, month: Month, rules: RuleProfile) -> list[Finding]:
    """Said where bills should rest on a draft and none was approved: the final run is the first that is billed."""
    if rules.settled[0].billed_on != "draft" or billed is not None:
        return []
    return [
        Finding(
            "no_draft_was_billed",
            Severity.INFORM,
            str(month),
            f"Users are billed on the draft (SD25 14.12.4(九)), and no draft of {month} was approved: this final run is "
            "what is billed, and nothing is handed over to the next month.",
        )
    ]


def refuse_unposted_final(home: Home, final: Run) -> None:
    """Raise NotNowError for a final run whose difference to the billed draft is not approved yet."""
    if hands_over(final) and not is_approved(home, final):
        raise NotNowError(
            f"{final.alias} is not approved, so what it changes against the billed draft is not posted; approve it first, "
            "or settle it again as final with what is new."
        )


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
    """The approved corrections that a month takes over, by the month they correct, and what final runs differ by."""
    return tuple(
        run
        for run in (*_finals_over(home), *approved_corrections(home))
        if _target(run) == month and is_approved(home, run)
    )


def waiting_for(home: Home, month: str) -> tuple[Run, ...]:
    """Corrections that would be posted into a month if they were approved: of each corrected month the newest."""
    newest: dict[str, Run] = {}
    for run in _corrections(home, None):
        if state(home, run) is not State.REJECTED:
            newest[run.month] = run  # oldest first, so the last one stays
    return tuple(
        run
        for run in (*_finals_over(home), *newest.values())
        if _target(run) == month and not is_approved(home, run)
    )


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
    _refuse_unapproved_inside(home, run)
    if not hands_over(run):
        return
    closed = closed_from(home, _target(run))
    if closed is not None:
        raise NotNowError(
            f"{run.alias} was to be posted into {_target(run)}, and {closed.alias} exists without it; "
            f"{'correct' if run.kind == CORRECTION else 'settle'} {run.month} again, and the difference goes into the "
            "month that is open now."
        )
    if run.kind == FINAL:
        _refuse_second_final(home, run)
        return
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
    if hands_over(run) and is_approved(home, run):
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
    for one in (*_finals_over(home, every=True), *_corrections(home, None)):
        if f"runs/{one.run_id}/{DIFFERENCES}" in carried and state(home, one) not in APPROVED:
            raise NotNowError(
                f"{run.alias} holds {one.alias}, which is no longer approved; settle {run.month} again."
            )


def _refuse_second_final(home: Home, run: Run) -> None:
    """A final run whose difference a later month holds is corrected, not followed by another final one."""
    for other in _finals_over(home, every=True):
        if other.month == run.month and other.run_id != run.run_id and is_approved(home, other):
            taken = settled_final(home, _target(other))
            if taken is not None:
                raise NotNowError(f"{other.alias} is posted in {taken.alias}; correct {run.month} instead.")


def _finals_over(home: Home, *, every: bool = False) -> list[Run]:
    """Final runs that hand over their difference to a billed draft: of each month the newest not rejected, or every."""
    found: dict[str, Run] = {}
    finals = [run for run in runs.list_runs(home) if run.kind == FINAL and hands_over(run)]
    for run in finals:
        if state(home, run) is not State.REJECTED:
            found[run.month] = run
    return finals if every else list(found.values())


def _corrections(home: Home, month: str | None) -> list[Run]:
    return [run for run in runs.list_runs(home) if run.kind == CORRECTION and month in (None, run.month)]


def _target(run: Run) -> str:
    return str(run.manifest["posted_into"])
