"""The life of a run after it is prepared: findings closed by name, cities sign off, approve, reject, publish.

Nothing is decided about a run that is not as it was written. Each act is one transaction that reads the run's log, asks whether the actor may and whether the run stands where
it may be done, and appends; two at once take turns, and a process that dies leaves the act done or not done.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jobs import access, actor, posted
from jobs.access import Act
from jobs.actor import Actor
from jobs.verify_run import verify
from settlement.run_life import (
    MANUAL_ADJUSTMENT,
    PROVINCE,
    Deed,
    NotNowError,
    Standing,
    State,
    refuse,
    standing,
)
from warehouse import audit_log, runs
from warehouse.audit_log import Entry, Recorder
from warehouse.evidence import keep_evidence
from warehouse.file_hash import file_sha256
from warehouse.home import Home
from warehouse.lock import SETTLEMENT, exclusive
from warehouse.run_log import (
    all_finding_rows,
    current_run_id,
    deeds,
    exceptions,
    point_to,
    run_standing,
)
from warehouse.runs import MANIFEST, Run

ORDER = ("day", "draft", "final", "correction")
LEAST_REASON = 4
WAIT_SECONDS = 60.0


@dataclass(frozen=True)
class FindingNow:
    """A finding and what became of it: ``open``, or the deed that closed it, by whom and why."""

    row: dict[str, Any]
    state: str
    by: str | None = None
    reason: str | None = None
    seq: int = 0  # of the act that closed it


def findings(home: Home, name: str) -> list[FindingNow]:
    """The findings of a run that the actor may see: a checker those of its cities. Raises NotAllowedError."""
    run = runs.find_run(home, name)
    who = actor.current(home)
    access.require(who, Act.READ)
    refuse_damage(home, run)
    closed = run_standing(home, run).closed
    seen = []
    for row in all_finding_rows(home, run, audit_log.entries(home, run.run_id)):
        if access.sees(who, row["city"]):
            done = closed.get(row["finding_id"])
            seen.append(
                FindingNow(row, "open")
                if done is None
                else FindingNow(row, done.deed, done.person, done.reason, done.seq)
            )
    return seen


def resolve(home: Home, name: str, finding: str, reason: str, evidence: Path | None = None) -> Entry:
    """The cause was looked into and the figure stands. A manual adjustment is approved by the person it names."""
    return _close(home, name, finding, Act.RESOLVE, reason, evidence)


def waive(home: Home, name: str, finding: str, reason: str, evidence: Path | None = None) -> Entry:
    """The figure is accepted as it is, by name."""
    return _close(home, name, finding, Act.WAIVE, reason, evidence)


def sign_off(home: Home, name: str, queue: str, reason: str = "") -> Entry:
    """A city (or ``province``) has worked its queue: no blocking finding of it is open."""
    with _deciding(home, name) as case:
        access.require(case.who, Act.SIGN_OFF, None if queue == PROVINCE else queue)
        return case.done(Act.SIGN_OFF, reason, queue=queue)


def approve(home: Home, name: str, reason: str = "") -> Entry:
    """A run that was checked, without a missing amount, and the newest of its kind.

    An approved correction is posted: the month it names takes it over from now on.
    """
    with _deciding(home, name) as case:
        access.require(case.who, Act.APPROVE)
        _refuse_missing_amounts(case.run)
        _refuse_superseded(home, case.run)
        posted.refuse_out_of_turn(home, case.run)
        return case.done(Act.APPROVE, reason)


def reject(home: Home, name: str, reason: str) -> Entry:
    """The run goes no further; the reason is what the next version must mend."""
    with _deciding(home, name) as case:
        access.require(case.who, Act.REJECT)
        posted.refuse_posted(home, case.run)
        return case.done(Act.REJECT, _said(reason))


def publish(home: Home, name: str, reason: str = "") -> Entry:
    """Put an approved run in force for its month. A month never goes back to an older kind or version."""
    with _deciding(home, name) as case:
        access.require(case.who, Act.PUBLISH)
        _refuse_going_back(home, case.run)
        entry = case.done(Act.PUBLISH, reason)
        point_to(case.log.connection, case.run, entry.seq)
        return entry


def history(home: Home, name: str) -> list[Entry]:
    """Everything that was done with a run, printing included."""
    run = runs.find_run(home, name)
    access.require(actor.current(home), Act.READ)
    return audit_log.entries(home, run.run_id)


def open_queues(home: Home, name: str) -> list[str]:
    """The cities (and ``province``) that have not signed off yet."""
    now = run_standing(home, runs.find_run(home, name))
    return [queue for queue in now.queues if queue not in now.signed]


@dataclass
class _Case:
    """One run within the transaction that will log the next act on it."""

    run: Run
    who: Actor
    log: Recorder
    now: Standing

    def done(
        self,
        act: Act,
        reason: str,
        *,
        finding: str | None = None,
        queue: str | None = None,
        sha: str | None = None,
    ) -> Entry:
        refuse(self.now, Deed(act), self.who.person, finding_id=finding, queue=queue)
        detail = {"alias": self.run.alias, "finding_id": finding, "queue": queue}
        return self.log.append(
            self.who.signature,
            act,
            self.run.run_id,
            reason,
            evidence_sha256=sha or file_sha256(self.run.folder / MANIFEST),
            detail={key: value for key, value in detail.items() if value is not None},
        )


@contextmanager
def _deciding(home: Home, name: str) -> Iterator[_Case]:
    run = runs.find_run(home, name)
    who = actor.current(home)
    refuse_damage(home, run)  # first of all: what was changed is not decided upon
    with ExitStack() as stack:
        if posted.hands_over(run):  # no month is being settled while what it takes over is decided
            stack.enter_context(exclusive(home, SETTLEMENT, timeout=WAIT_SECONDS))
        log = stack.enter_context(audit_log.recording(home))
        done = log.entries(run.run_id)
        now = standing(exceptions(all_finding_rows(home, run, done)), deeds(done))
        yield _Case(run, who, log, now)


def _close(home: Home, name: str, finding: str, act: Act, reason: str, evidence: Path | None) -> Entry:
    run = runs.find_run(home, name)
    refuse_damage(home, run)
    row = _finding(home, run, finding)
    act = Act.ADJUST if row["code"] == MANUAL_ADJUSTMENT else act
    sha = None if evidence is None else keep_evidence(home, evidence)
    with _deciding(home, run.run_id) as case:
        access.require(case.who, act, row["city"])
        return case.done(act, _said(reason), finding=row["finding_id"], queue=row["queue"], sha=sha)


def _finding(home: Home, run: Run, name: str) -> dict[str, Any]:
    rows = all_finding_rows(home, run, audit_log.entries(home, run.run_id))
    fitting = [row for row in rows if len(name) >= 6 and row["finding_id"].startswith(name)]
    if len({row["finding_id"] for row in fitting}) != 1:
        raise LookupError(
            f"{len(fitting)} findings of {run.alias} begin with {name!r}; `gridsettle run findings` lists them, "
            "six characters or more name one."
        )
    return fitting[0]


def _said(reason: str) -> str:
    if len(reason.strip()) < LEAST_REASON:
        raise ValueError("This is done by name and with a reason; write what was found in a sentence.")
    return reason.strip()


def _refuse_missing_amounts(run: Run) -> None:
    missing = run.manifest["totals"]["missing_lines"]
    if missing:  # ruling 14
        raise NotNowError(
            f"{run.alias} has {missing} lines without an amount and cannot be approved; deliver what is missing "
            "(see its findings) and settle again."
        )


def refuse_damage(home: Home, run: Run) -> None:
    """Raise RunDamagedError for a run that is not as it was written."""
    problems = verify(home, run)
    if problems:
        raise runs.RunDamagedError(f"{run.alias} is not as it was written: {' '.join(problems)}")


def _refuse_superseded(home: Home, run: Run) -> None:
    for other in runs.list_runs(home):
        newer = (other.kind, other.month) == (run.kind, run.month) and other.version > run.version
        if newer and run_standing(home, other).state is not State.REJECTED:
            raise NotNowError(
                f"{other.alias} is newer than {run.alias}; approve that one, or reject it first."
            )


def _refuse_going_back(home: Home, run: Run) -> None:
    in_force = current_run_id(home, run.month)
    if in_force is None:
        return
    other = runs.find_run(home, in_force)
    if _rank(other) >= _rank(run):
        raise NotNowError(
            f"{other.alias} is already in force for {run.month}; only a later kind or version can follow it, never "
            f"{run.alias}."
        )


def _rank(run: Run) -> tuple[int, int]:
    return ORDER.index(run.kind.partition("-")[0]), run.version
