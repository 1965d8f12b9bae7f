"""SIGKILL while a run is approved or published: the act is done or not done, and the chain is whole."""

from __future__ import annotations

import multiprocessing
import os
import random
import signal
import sys
from pathlib import Path

import pytest
from life_cases import PEOPLE, make_run

from jobs import actor
from jobs import run_life as life
from jobs.verify_run import verify
from settlement.run_life import State
from warehouse import audit_log
from warehouse.home import create, home
from warehouse.run_log import current_run_id, run_standing

KILLS = 200 if os.environ.get("GRIDSETTLE_SOAK") else 20
WHO = {"approve": "zhao", "publish": "sun"}
AFTER = {"approve": State.APPROVED, "publish": State.PUBLISHED}


def as_(step):
    actor.current = lambda _home: PEOPLE[WHO[step]]


FROM = (
    "the beginning",
    "recording",
    "_write_anchor",
)  # the whole act, its transaction, what follows the commit


def attempt(root, alias, step, last, calls, start):
    """In a process of its own: act, and die at the call number ``last`` from ``start``, of Python or of C."""
    as_(step)
    if start != FROM[0]:
        begin = getattr(audit_log, start)

        def begin_counting(*arguments):
            calls.value = 0
            return begin(*arguments)

        setattr(audit_log, start, begin_counting)

    def count(_frame, event, _argument):
        if event in ("call", "c_call"):
            calls.value += 1
            if calls.value == last:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.setprofile(count)
    getattr(life, step)(home(Path(root)), alias)
    sys.setprofile(None)


@pytest.mark.timeout(900)
def test_wherever_it_is_killed_an_act_is_whole_or_was_not_done(tmp_path, monkeypatch):
    monkeypatch.setattr(actor, "current", actor.current)  # as_ replaces it; this puts it back afterwards
    at = home(tmp_path / "home")
    create(at)
    fork = multiprocessing.get_context("fork")  # what a child needs is imported already

    def one(run, step, last, start):
        calls = fork.Value("q", 0 if start == FROM[0] else -(10**9), lock=False)
        child = fork.Process(target=attempt, args=(str(at.root), run.alias, step, last, calls, start))
        child.start()
        child.join()
        assert child.exitcode in (0, -signal.SIGKILL)
        return calls.value

    calls = {}
    for number, start in enumerate(FROM, 1):
        run = make_run(at, (), version=number)
        calls |= {(step, start): one(run, step, -1, start) for step in ("approve", "publish")}
        assert run_standing(at, run).state is State.PUBLISHED
    draw = random.Random(20220731)
    seen = {True: 0, False: 0}
    for number in range(4, KILLS // 2 + 4):
        run = make_run(at, (), version=number)
        for step in ("approve", "publish"):
            before = (run_standing(at, run).state, current_run_id(at, run.month))
            start = draw.choice(FROM)
            one(run, step, draw.randint(1, calls[step, start]), start)
            now = (run_standing(at, run).state, current_run_id(at, run.month))
            done = now[0] is AFTER[step]
            seen[done] += 1
            in_force = run.run_id if step == "publish" and done else before[1]
            assert now == ((AFTER[step] if done else before[0]), in_force)
            assert verify(at, run) == []
            if not done:
                as_(step)
                getattr(life, step)(at, run.alias)
        assert (run_standing(at, run).state, current_run_id(at, run.month)) == (State.PUBLISHED, run.run_id)
    assert verify(at, run) == []
    assert min(seen.values()) > 0, f"the moments were not spread: {seen}"
