"""恢复演练: a home restored from a backup is verified whole, and the drill is put on record in the home at work."""

from __future__ import annotations

import time
from dataclasses import dataclass

from jobs import access, actor
from jobs.access import Act
from jobs.verify_run import verify
from warehouse import audit_log, runs
from warehouse.audit_log import Anchor
from warehouse.home import Home


@dataclass(frozen=True)
class Drill:
    """What was verified: runs, the restored log's end, acts done since the backup, seconds, and what is wrong."""

    runs: int
    end: Anchor
    behind: int
    seconds: float
    problems: tuple[str, ...]


def drill(home: Home, restored: Home) -> Drill:
    """Verify every run of ``restored``, compare its log with this home's, and log the drill here.

    Raises NotAllowedError, ValueError where the restored home is this one.
    """
    who = actor.current(home)
    access.require(who, Act.DRILL)
    if restored.root.resolve() == home.root.resolve() or restored.database_url == home.database_url:
        raise ValueError(
            f"{restored.root} is the home at work; restore the backup into another folder and name that."
        )
    started = time.perf_counter()
    known = runs.list_runs(restored)
    problems = list(dict.fromkeys(problem for run in known for problem in verify(restored, run, inputs=True)))
    end, here = audit_log.anchor(restored), {entry.seq: entry.hash for entry in audit_log.entries(home)}
    if end.seq and here.get(end.seq) != end.hash:
        problems.append(
            f"The restored log ends at entry {end.seq}, which is another one here: it is no backup of {home.root}."
        )
    made = Drill(len(known), end, len(here) - end.seq, time.perf_counter() - started, tuple(problems))
    with audit_log.recording(home) as log:
        detail = {
            "runs": made.runs,
            "restored_end": str(end),
            "acts_since_the_backup": made.behind,
            "seconds": f"{made.seconds:.2f}",
            "problems": len(problems),
        }
        log.append(who.signature, Act.DRILL, "home", " ".join(problems), detail=detail)
    return made
