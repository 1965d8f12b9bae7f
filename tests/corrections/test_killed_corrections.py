"""SIGKILL at random moments of a correction: nothing half-made is visible, the log is whole, the next try ends it."""

from __future__ import annotations

import os
import random
import signal
import time
from multiprocessing import get_context

from changed_books import JULY, revise

from jobs.correct_month import correct
from warehouse import audit_log, runs
from warehouse.home import Home

KILLS = 200 if os.environ.get("GRIDSETTLE_SOAK") else 8


def test_a_killed_correction_leaves_nothing_half_made(july_final: Home) -> None:
    """The child is a fork, so that a kill costs a correction and not the start of Python."""
    draw, fork = random.Random(20220831), get_context("fork")
    number = 0

    def one_more() -> None:
        nonlocal number
        number += 1
        cells = {"12:00": f"{20 + number / 1000}"}
        revise(july_final, "meter_readings", cells, meter_id="M-W1", date="2022-07-12")

    one_more()
    started = time.perf_counter()
    correct(july_final, JULY)
    seconds = time.perf_counter() - started
    one_more()
    killed = 0
    for _ in range(KILLS):
        child = fork.Process(target=correct, args=(july_final, JULY))
        child.start()
        time.sleep(draw.uniform(0.2, 1.1) * seconds)
        os.kill(child.pid, signal.SIGKILL)
        child.join()
        killed += child.exitcode == -signal.SIGKILL
        for run in runs.list_runs(july_final):
            assert (run.folder / runs.MANIFEST).is_file()
        assert audit_log.damage(july_final) == []
        newest = runs.latest_run(july_final, "correction", str(JULY))
        if newest is not None and child.exitcode == 0:
            one_more()  # it was quicker than the kill: something new to correct
    done = correct(july_final, JULY)
    assert killed > KILLS / 4
    chain = [run for run in runs.list_runs(july_final) if run.kind == "correction"]
    assert [run.version for run in chain] == list(range(1, len(chain) + 1))
    assert all(runs.verify(run) == [] for run in chain)
    assert done.run.run_id == chain[-1].run_id
    assert {folder.name for folder in july_final.runs.iterdir()} == {
        run.run_id for run in runs.list_runs(july_final)
    }
