"""Quarantine as a job: who acts, what is decided, and which runs follow from it.

A released row changes a month's inputs, so the month is settled again as a new draft; a month whose inputs are the
same keeps the run it has, and a city in which nothing has changed keeps what the checks found in its readings. The
province's own step is made as a whole: its pools tie all participants together (decision 0034). A month that has a final run is not settled again: what came late belongs in a
correction, which is somebody's decision.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from ingest import quarantine_queue
from ingest.receipt import Receipt
from ingest.waiting_rows import Entry, entries, whole_id
from jobs import actor
from jobs.access import Act, require
from jobs.actor import Actor
from jobs.settle_month import MonthRun, settle
from market.periods import Month
from warehouse.audit_log import recording_with
from warehouse.home import Home
from warehouse.runs import Run, list_runs

__all__ = ["Entry", "Released", "entries", "reject", "release", "settle_again"]


@dataclass(frozen=True)
class Released:
    """The delivery that carries the rows, the runs made anew, and months whose final run needs a correction.

    checked: by alias of a run made anew, the cities whose readings were checked and estimated again.
    """

    receipt: Receipt
    settled: tuple[Run, ...]
    to_correct: tuple[str, ...]
    checked: Mapping[str, tuple[str, ...]]


def release(
    home: Home,
    delivery: str,
    lines: Collection[int],
    reason: str,
    corrections: Mapping[int, Mapping[str, str]] | None = None,
) -> Released:
    """Release rows and settle again what they touch.

    Raises as ``ingest.quarantine_queue.release``, and NotAllowedError for whoever may not.
    """
    corrections = corrections or {}
    by = _allowed(home, Act.RELEASE)
    facts = {
        "lines": sorted(lines),
        "corrections": {str(line): dict(cells) for line, cells in corrections.items()},
    }
    with recording_with(home) as witness:
        receipt = quarantine_queue.release(
            home,
            delivery,
            lines,
            actor=by.person,
            reason=reason,
            corrections=corrections,
            witness=witness(by.signature, Act.RELEASE, whole_id(home, delivery), reason, facts),
        )
    made, to_correct = _settle_again(home)
    checked = {one.run.alias: one.checked or () for one in made}
    return Released(receipt, tuple(one.run for one in made), to_correct, checked)


def reject(home: Home, delivery: str, lines: Collection[int], reason: str) -> list[Entry]:
    """Decide that rows are never taken. Raises as ``ingest.quarantine_queue.reject``, and NotAllowedError."""
    by = _allowed(home, Act.REFUSE)
    facts = {"lines": sorted(lines)}
    with recording_with(home) as witness:
        return quarantine_queue.reject(
            home,
            delivery,
            lines,
            actor=by.person,
            reason=reason,
            witness=witness(by.signature, Act.REFUSE, whole_id(home, delivery), reason, facts),
        )


def _allowed(home: Home, act: Act) -> Actor:
    by = actor.current(home)
    require(by, act)
    return by


def settle_again(home: Home) -> tuple[tuple[Run, ...], tuple[str, ...]]:
    """New drafts of the months whose inputs have changed since their newest run, earliest first.

    Also the months that have a final run and whose draft changed: they are named, not settled.
    """
    made, to_correct = _settle_again(home)
    return tuple(one.run for one in made), to_correct


def _settle_again(home: Home) -> tuple[list[MonthRun], tuple[str, ...]]:
    by_month: dict[str, list[Run]] = {}
    for run in list_runs(home):
        by_month.setdefault(run.month, []).append(run)
    made: list[MonthRun] = []
    to_correct: list[str] = []
    for month, runs in sorted(by_month.items()):
        if any(run.kind != "draft" for run in runs):
            to_correct.append(month)
            continue
        newest = max(runs, key=lambda run: run.version)
        again = settle(home, Month.parse(month), kind="draft", profile_name=newest.manifest["profile"])
        if again.computed:
            made.append(again)
    return made, tuple(to_correct)
