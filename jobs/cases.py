"""异议: a participant's objection to a line of a run, from its receipt to the correction that follows from it.

A case is its acts in the log of acts: nothing of it can be changed afterwards. Deadlines are the profile's clock's,
counted from the day on which the letter came in.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow.parquet as pq

from jobs import access, actor
from jobs.access import Act
from market.calendars import ChinaCalendar
from market.clock import counted_from, month_deadline
from market.periods import TIME_ZONE, Month
from market.profiles import profile
from settlement.objections import CaseDeed, CaseError, CaseState, case_state, refuse
from warehouse import audit_log, runs
from warehouse.audit_log import Entry
from warehouse.evidence import keep_evidence
from warehouse.home import Home
from warehouse.runs import Run

DEEDS = tuple(CaseDeed)
# 核对版: one working day to object, one to answer; 正式版 and 追退补: the question window (market.md C.1)
STEPS = {"draft": ("confirm", "verify"), "final": ("objection", "objection_reply")}


@dataclass(frozen=True)
class Case:
    """One objection. ``due`` is the first instant too late for an answer; ``acts`` its rows in the log."""

    case_id: str
    state: CaseState
    run_id: str
    alias: str
    participant_id: str
    charge_code: str
    city: str | None
    claim: str
    received: str
    due: str
    acts: tuple[Entry, ...]
    correction: str | None = None

    def overdue(self, moment: datetime) -> bool:
        """Whether an answer is owed and late at a moment with its offset."""
        return self.state is CaseState.OPEN and moment >= datetime.fromisoformat(self.due)


def open_case(
    home: Home,
    run_name: str,
    participant: str,
    charge: str,
    claim: str,
    received: date,
    letter: Path | None = None,
) -> Case:
    """File an objection that came in on ``received``; one that came too late is refused with its deadline."""
    run = runs.find_run(home, run_name)
    who = actor.current(home)
    line = _line(run, participant, charge)
    access.require(who, Act.OPEN_CASE)
    access.refuse_hidden(who, line["city"], participant)
    due = _deadline(run, received)
    sha = None if letter is None else keep_evidence(home, letter)
    with audit_log.recording(home) as log:
        number = 1 + sum(entry.facts["month"] == run.month for entry in log.of_act(CaseDeed.OPEN))
        case_id = f"OBJ-{run.month}-{number:04d}"
        facts = {
            "month": run.month,
            "run_id": run.run_id,
            "alias": run.alias,
            "participant_id": participant,
            "charge_code": charge,
            "city": line["city"],
            "amount_cny": None if line["amount_cny"] is None else str(line["amount_cny"]),
            "received": received.isoformat(),
            "due": due,
        }
        log.append(who.signature, Act.OPEN_CASE, case_id, claim, evidence_sha256=sha, detail=facts)
    return case(home, case_id)


def case(home: Home, case_id: str) -> Case:
    """A case as the log holds it, where the actor may see it. Raises LookupError for one that is not there."""
    acts = audit_log.entries(home, case_id, DEEDS)
    if not acts:
        known = ", ".join(sorted({one.subject for one in audit_log.entries(home, acts=[CaseDeed.OPEN])}))
        raise LookupError(f"There is no case {case_id}; there are: {known or 'none yet'}.")
    found = _case(acts)
    who = actor.current(home)
    access.require(who, Act.READ)
    access.refuse_hidden(who, found.city, found.participant_id)
    return found


def cases(home: Home) -> list[Case]:
    """Every case the actor may see, oldest first."""
    who = actor.current(home)
    access.require(who, Act.READ)
    grouped: dict[str, list[Entry]] = {}
    for entry in audit_log.entries(home, acts=DEEDS):
        grouped.setdefault(entry.subject, []).append(entry)
    found = [_case(acts) for acts in grouped.values()]
    return [one for one in found if access.sees(who, one.city)]


def uphold(home: Home, case_id: str, reason: str) -> Case:
    """The participant is right; a correction is to follow."""
    return _decide(home, case_id, CaseDeed.UPHOLD, reason)


def reject(home: Home, case_id: str, reason: str) -> Case:
    """The line stands, for this reason."""
    return _decide(home, case_id, CaseDeed.REJECT, reason)


def withdraw(home: Home, case_id: str, reason: str) -> Case:
    """The participant takes the objection back."""
    return _decide(home, case_id, CaseDeed.WITHDRAW, reason)


def link(home: Home, case_id: str, correction: str, reason: str = "") -> Case:
    """Name the run that corrects the line: of the same month and not the run objected to."""
    run = runs.find_run(home, correction)
    found = case(home, case_id)
    if run.run_id == found.run_id or run.month != found.acts[0].facts["month"]:
        raise CaseError(f"{run.alias} does not correct {found.alias}; name a later run of the same month.")
    _line(run, found.participant_id, found.charge_code)
    return _decide(home, case_id, CaseDeed.LINK, reason or run.alias, {"correction": run.run_id})


def _decide(
    home: Home, case_id: str, deed: CaseDeed, reason: str, detail: Mapping[str, Any] | None = None
) -> Case:
    found = case(home, case_id)
    who = actor.current(home)
    access.require(who, Act(deed))
    if not reason.strip():
        raise ValueError("A case is decided by name and with a reason; write it in a sentence.")
    if deed in (CaseDeed.UPHOLD, CaseDeed.REJECT):
        _refuse_own(home, found, who.person)
    with audit_log.recording(home) as log:
        refuse([CaseDeed(entry.act) for entry in log.entries(case_id)], deed)
        log.append(who.signature, Act(deed), case_id, reason.strip(), detail=detail)
    return case(home, case_id)


def _refuse_own(home: Home, found: Case, person: str) -> None:
    prepared = audit_log.entries(home, found.run_id, [Act.SETTLE])
    for entry, what in ((found.acts[0], "filed this case"), *((one, "prepared the run") for one in prepared)):
        if entry.person == person:
            raise CaseError(f"{person} {what} and does not decide it; another approver does.")


def _case(acts: Sequence[Entry]) -> Case:
    facts = acts[0].facts
    return Case(
        acts[0].subject,
        case_state([CaseDeed(entry.act) for entry in acts]),
        facts["run_id"],
        facts["alias"],
        facts["participant_id"],
        facts["charge_code"],
        facts["city"],
        acts[0].reason,
        facts["received"],
        facts["due"],
        tuple(acts),
        acts[-1].facts.get("correction"),
    )


def _line(run: Run, participant: str, charge: str) -> dict[str, Any]:
    rows = pq.read_table(
        run.folder / "lines.parquet",
        filters=[("participant_id", "=", participant), ("charge_code", "=", charge)],
    ).to_pylist()
    if not rows:
        raise LookupError(f"{participant} has no line {charge} in run {run.alias}.")
    line: dict[str, Any] = rows[0]
    return line


def _deadline(run: Run, received: date) -> str:
    """When an answer is due. Raises CaseError where the objection itself came too late."""
    month, calendar = Month.parse(run.month), ChinaCalendar()
    rules = profile(run.manifest["profile"]).reaching_back_to(month.first)
    file_by, answer_by = STEPS.get(run.kind, STEPS["final"])
    last = month_deadline(rules, file_by, month, calendar)
    if last.passed(datetime.combine(received, time(), ZoneInfo(TIME_ZONE))):
        raise CaseError(
            f"An objection to {run.alias} had to come in by {last.day} ({last.step.clause}); this one came on "
            f"{received}. Until the look-back window closes a correction (追退补) may still be asked for."
        )
    return counted_from(rules, answer_by, month, received, calendar).due.isoformat()
