"""Who approves in tests: a checker signs off what a run's cities have to see, an approver approves."""

from __future__ import annotations

from unittest.mock import patch

from jobs import actor
from jobs import run_life as life
from jobs.actor import Actor, Role
from warehouse.home import Home
from warehouse.runs import Run

CHECKER = Actor("li", "李娜", "os:li", frozenset({Role.CHECKER}), frozenset({"*"}))
APPROVER = Actor("zhao", "赵敏", "os:zhao", frozenset({Role.APPROVER}))


def acting(person: Actor):
    """Within it this person acts."""
    return patch.object(actor, "current", lambda _home: person)


def checked(at: Home, run: Run) -> Run:
    """Every queue of the run worked and signed off."""
    with acting(CHECKER):
        for one in life.findings(at, run.run_id):
            if one.row["severity"] == "block" and one.state == "open":
                life.waive(at, run.run_id, one.row["finding_id"], "accepted in this test")
        for queue in life.open_queues(at, run.run_id):
            life.sign_off(at, run.run_id, queue)
    return run


def approved(at: Home, run: Run) -> Run:
    """The run, checked by its cities and approved."""
    checked(at, run)
    with acting(APPROVER):
        life.approve(at, run.run_id)
    return run


def rejected(at: Home, run: Run, reason: str = "not as it should be") -> Run:
    """The run, sent back."""
    with acting(APPROVER):
        life.reject(at, run.run_id, reason)
    return run
