"""The life of a run: prepared by one, checked by city, approved by another, published by a third.

Pure: the acts of a run in their order and its findings give its standing. What may follow what is one table;
that no person does two of the four stages is one rule, so it holds on every path by which an act arrives.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from settlement.findings import Severity

PROVINCE = "province"
MANUAL_ADJUSTMENT = "manual_adjustment"
MISSING_AMOUNT = "missing_amount"


class State(StrEnum):
    """Where a run stands."""

    PREPARED = "prepared"
    CHECKED = "checked"
    APPROVED = "approved"
    PUBLISHED = "published"
    REJECTED = "rejected"


class Deed(StrEnum):
    """What may happen to a run; the values stand in the log of acts."""

    PREPARE = "run.prepare"
    RESOLVE = "finding.resolve"
    WAIVE = "finding.waive"
    ADJUST = "adjustment.approve"
    SIGN_OFF = "run.signoff"
    APPROVE = "run.approve"
    REJECT = "run.reject"
    PUBLISH = "run.publish"


# A run without a queue is checked as it is prepared: what is clean passes by itself (省级智能、地市协同).
ALLOWED: Mapping[State, frozenset[Deed]] = {
    State.PREPARED: frozenset({Deed.RESOLVE, Deed.WAIVE, Deed.ADJUST, Deed.SIGN_OFF, Deed.REJECT}),
    State.CHECKED: frozenset({Deed.APPROVE, Deed.REJECT}),
    State.APPROVED: frozenset({Deed.PUBLISH, Deed.REJECT}),
    State.PUBLISHED: frozenset(),
    State.REJECTED: frozenset(),
}
# Which deeds make a person part of a stage; rejecting makes nobody part of anything.
STAGES: Mapping[str, frozenset[Deed]] = {
    "prepared": frozenset({Deed.PREPARE}),
    "checked": frozenset({Deed.RESOLVE, Deed.WAIVE, Deed.SIGN_OFF}),
    "approved": frozenset({Deed.ADJUST, Deed.APPROVE}),
    "published": frozenset({Deed.PUBLISH}),
}
WHAT_NOW: Mapping[State, str] = {
    State.PREPARED: "its cities must work and sign off their queues first",
    State.CHECKED: "it waits for approval",
    State.APPROVED: "it waits to be published",
    State.PUBLISHED: "it is final; a new version corrects it",
    State.REJECTED: "it was rejected; settle again when its cause is mended",
}


class NotNowError(ValueError):
    """The run does not stand where this may be done, or something must be done first."""


class SamePersonError(ValueError):
    """The person has already done another stage of this run."""


@dataclass(frozen=True)
class Done:
    """One deed on a run. ``finding_id`` and ``queue`` (a city or PROVINCE) where the deed has one."""

    deed: Deed
    person: str
    at: str = ""
    reason: str = ""
    finding_id: str | None = None
    queue: str | None = None
    seq: int = 0


@dataclass(frozen=True)
class Exceptional:
    """A finding somebody must deal with. ``since``: the log entry that brought it, 0 for one of the run itself."""

    finding_id: str
    code: str
    severity: Severity
    queue: str
    named_approver: str | None = None
    since: int = 0


@dataclass(frozen=True)
class Standing:
    """What the deeds of a run amount to."""

    state: State
    exceptions: Mapping[str, Exceptional]
    deeds: Sequence[Done]
    closed: Mapping[str, Done] = field(default_factory=dict)
    signed: Mapping[str, Done] = field(default_factory=dict)

    @property
    def queues(self) -> list[str]:
        """The cities that have something to look at, the province's own queue last."""
        return sorted({one.queue for one in self.exceptions.values()}, key=lambda q: (q == PROVINCE, q))

    def waiting(self, queue: str | None = None) -> list[Exceptional]:
        """Blocking findings nobody resolved or waived yet, of one queue or of all."""
        return [
            one
            for one in self.exceptions.values()
            if one.severity is Severity.BLOCK
            and one.finding_id not in self.closed
            and queue in (None, one.queue)
        ]

    def by(self, deed: Deed) -> Done | None:
        """The last deed of a kind."""
        return next((done for done in reversed(self.deeds) if done.deed is deed), None)


def standing(exceptions: Iterable[Exceptional], deeds: Sequence[Done]) -> Standing:
    """Fold the deeds in their order. They are taken as they stand: what was refused was never logged."""
    held = {one.finding_id: one for one in exceptions}
    closed = {
        done.finding_id: done
        for done in deeds
        if done.finding_id is not None and done.deed in (Deed.RESOLVE, Deed.WAIVE, Deed.ADJUST)
    }
    newest: dict[str, int] = {}
    for one in held.values():
        newest[one.queue] = max(newest.get(one.queue, 0), one.since)
    signed = {
        done.queue: done
        for done in deeds
        if done.deed is Deed.SIGN_OFF
        and done.queue is not None
        and done.seq >= newest.get(done.queue, 0)  # what came after a signature was not seen by it
    }
    last = {done.deed for done in deeds}
    needed = {one.queue for one in held.values()}
    if Deed.REJECT in last:
        state = State.REJECTED
    elif Deed.PUBLISH in last:
        state = State.PUBLISHED
    elif Deed.APPROVE in last:
        state = State.APPROVED
    else:
        state = State.CHECKED if needed <= signed.keys() else State.PREPARED
    return Standing(state, held, tuple(deeds), closed, signed)


def refuse(
    now: Standing, deed: Deed, person: str, *, finding_id: str | None = None, queue: str | None = None
) -> None:
    """Raise NotNowError or SamePersonError where the deed may not follow; return where it may."""
    if deed not in ALLOWED[now.state]:
        raise NotNowError(f"{deed} cannot be done while the run is {now.state}: {WHAT_NOW[now.state]}.")
    _refuse_same_person(now, deed, person)
    if finding_id is not None:
        _refuse_finding(now, deed, person, finding_id)
    if deed is Deed.SIGN_OFF:
        _refuse_queue(now, queue or PROVINCE)


def _refuse_same_person(now: Standing, deed: Deed, person: str) -> None:
    stage = next((name for name, deeds in STAGES.items() if deed in deeds), None)
    if stage is None:
        return
    for other, deeds in STAGES.items():
        if other == stage:
            continue
        earlier = next((done for done in now.deeds if done.person == person and done.deed in deeds), None)
        if earlier is not None:
            raise SamePersonError(
                f"{person} may not do {deed}: the same person did {earlier.deed} on this run ({earlier.at}); who "
                "prepares, checks, approves and publishes a run are four different people."
            )


def _refuse_finding(now: Standing, deed: Deed, person: str, finding_id: str) -> None:
    one = now.exceptions.get(finding_id)
    if one is None:
        raise NotNowError(f"{finding_id} is no finding of this run that anybody must deal with.")
    if one.code == MISSING_AMOUNT:  # ruling 14: such a run cannot be approved
        raise NotNowError(
            "A line without an amount cannot be resolved or waived: deliver the input that is missing, settle again, "
            "and reject this run."
        )
    if finding_id in now.closed:
        done = now.closed[finding_id]
        raise NotNowError(f"{one.code} was already closed by {done.person} ({done.deed}): {done.reason}")
    if one.queue in now.signed:
        raise NotNowError(f"{one.queue} has signed off its queue; reject the run to open it again.")
    if (one.code == MANUAL_ADJUSTMENT) != (deed is Deed.ADJUST):
        raise NotNowError(f"{one.code} is not closed by {deed}.")
    if deed is Deed.ADJUST and person != one.named_approver:
        raise NotNowError(
            f"This adjustment names {one.named_approver} as its approver; {person} cannot approve it for them."
        )


def _refuse_queue(now: Standing, queue: str) -> None:
    if queue not in now.queues:
        raise NotNowError(
            f"{queue} has nothing to sign off; the queues are {', '.join(now.queues) or 'none'}."
        )
    if queue in now.signed:
        raise NotNowError(f"{queue} was already signed off by {now.signed[queue].person}.")
    left = now.waiting(queue)
    if left:
        codes = ", ".join(sorted({one.code for one in left}))
        raise NotNowError(
            f"{len(left)} blocking findings of {queue} are neither resolved nor waived ({codes}); "
            "`gridsettle run findings` lists them."
        )
