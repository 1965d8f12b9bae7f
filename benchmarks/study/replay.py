"""Mornings replayed with something going wrong on each: what was handed in, how, and how long it took.

    python -m benchmarks.study.replay [--days 365] [--scenarios 5] [--seconds 3] [--wheels DIR] [--home FOLDER]

The mornings follow each other in one home, so what an earlier one left behind is there for the later ones. Two faults
lie in the data and are put there before (``without``); the others happen while the bid is made. After a crash the
bid is made once more, as the scheduler would; the seconds of a morning count from its first start to its file.
Prints the table of docs/benchmarks.md and ends with status 1 where a morning has no valid bid or a late one.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import signal
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any
from unittest.mock import patch

import numpy as np
import pandas as pd

import jobs.bid
import jobs.bid_store
from ingest.deliver import deliver_many
from jobs.bid import make_bid
from jobs.bid_checks import check_bid
from jobs.bid_ladder import STOPPING_SECONDS, Search, search_apart
from jobs.bid_store import BidResult
from market.profiles import profile
from optimization.bid_check import format_problems
from optimization.procurement import INCUMBENT, NoBidFoundError, Solution, solve
from optimization.purchase import Procurement
from warehouse.home import Home, create, home

NONE, TIME_OUT, HUNG, DEAD = "none", "solver time-out", "search hangs", "search dies"
NO_FORECAST, NO_CAPABILITY = "forecast missing", "capability missing"
CRASH, CORRUPT, DAMAGED = "crash at a random step", "corrupt delivery", "earlier bid damaged"
FAULTS = (NONE, TIME_OUT, HUNG, DEAD, NO_FORECAST, NO_CAPABILITY, CRASH, CORRUPT, DAMAGED)
STEPS = ("read_inputs", "climb_down", "import_by_clearing", "bid_page", "table_of", ".html", ".json", ".csv")
HANGING = (sys.executable, "-c", "import time; time.sleep(600)")
DYING = (sys.executable, "-c", "import os; os.abort()")
LATE_SECONDS = 20 * 60.0  # capability lands at 11:00, the approved bid is due at 11:20 (ruling 30)
FORKED = multiprocessing.get_context("fork")
GARBAGE = b"\xff\xfe series;node\x00\n1,2,3\n"


@dataclass(frozen=True)
class Morning:
    """What one morning handed in. seconds: from the first start to the file; wrong: what the checks say of it."""

    day: date
    fault: str
    result: BidResult
    seconds: float
    wrong: tuple[str, ...]

    @property
    def late(self) -> bool:
        """After the time by which a bid must be approved."""
        return self.seconds > LATE_SECONDS


def faults_of(days: Sequence[date], first: str = NONE) -> dict[date, str]:
    """A fault a morning, in turn. A forecast may be missing only where there is an earlier bid to repeat."""
    start = FAULTS.index(first)
    return {day: FAULTS[(start + number) % len(FAULTS)] for number, day in enumerate(days)}


def without(folder: Path, faults: dict[date, str]) -> None:
    """Take the load forecast or the capability of the mornings that lack them out of system.csv and atc.csv."""
    for table, fault, series in (("system", NO_FORECAST, "load_forecast"), ("atc", NO_CAPABILITY, None)):
        rows = pd.read_csv(folder / f"{table}.csv", dtype=str, keep_default_na=False)
        gone = rows["date"].isin([str(day) for day, one in faults.items() if one == fault])
        kept = rows[~(gone & (rows["series"] == series))] if series else rows[~gone]
        kept.to_csv(folder / f"{table}.csv", index=False)


def replay(
    at: Home,
    faults: dict[date, str],
    search: Search,
    *,
    scenarios: int,
    seconds: float,
    hung_after: float = 1.0,
) -> Iterator[Morning]:
    """Make the bid of every morning, its fault happening. search: for the mornings whose search is well.

    seconds: limit of the solver; hung_after: seconds after which a search that hangs is ended.
    """
    for day, fault in faults.items():
        random = np.random.default_rng(day.toordinal())
        searches: dict[str, Search] = {
            TIME_OUT: lambda problem, _, solver: search(problem, 0.0, solver),
            HUNG: partial(search_apart, command=HANGING, deadline=hung_after),
            DEAD: partial(search_apart, command=DYING),
        }
        make = partial(
            make_bid,
            at,
            day,
            scenario_count=scenarios,
            time_limit=seconds,
            search=searches.get(fault, search),
        )
        begun = perf_counter()
        if fault == CORRUPT:
            _deliver_garbage(at, day)
        elif fault == DAMAGED:
            _damage(at, day - timedelta(days=1), random)
        elif fault == CRASH:
            _killed_at(STEPS[random.integers(len(STEPS))], make)
        result = make()
        taken = perf_counter() - begun
        yield Morning(day, fault, result, taken, tuple(_wrong(at, result, fault)))


def table(mornings: Sequence[Morning]) -> Iterator[str]:
    """Rows of the report: by fault the rungs handed in and the seconds taken."""
    yield "| what went wrong | mornings | handed in | invalid | late | rungs | median s | longest s |"
    yield "|---|---|---|---|---|---|---|---|"
    by_fault = {fault: [one for one in mornings if one.fault == fault] for fault in FAULTS}
    for fault, own in [*by_fault.items(), ("all", list(mornings))]:
        if not own:
            continue
        rungs = ", ".join(
            f"{label} {count}" for label, count in Counter(m.result.label for m in own).most_common()
        )
        taken = [one.seconds for one in own]
        wrong, late = sum(bool(one.wrong) for one in own), sum(one.late for one in own)
        handed = sum(one.result.file.exists() for one in own)
        yield (
            f"| {fault} | {len(own)} | {handed} | {wrong} | {late} | {rungs} | {np.median(taken):.1f} | {max(taken):.1f} |"
        )


def _wrong(at: Home, result: BidResult, fault: str) -> Iterator[str]:
    """What the market would send back, and, where the day can be read, what the desk's own check says."""
    rows = pd.read_csv(result.file, dtype=str)
    yield from format_problems(rows, profile("IPSPOT_2022_TRIAL").traded)
    if fault != NO_FORECAST:
        yield from check_bid(at, result.file)


def _deliver_garbage(at: Home, day: date) -> None:
    with TemporaryDirectory() as folder:
        file = Path(folder) / f"system_{day}.csv"
        file.write_bytes(GARBAGE + str(day).encode())
        receipt = deliver_many(at, [file])[0]
    if receipt.status != "rejected":
        raise AssertionError(f"A file of garbage was {receipt.status}.")


def _damage(at: Home, day: date, random: np.random.Generator) -> None:
    """Cut off the newest bid of a day in the middle: its table or its record."""
    suffix = ("csv", "json")[int(random.integers(2))]
    for file in sorted((at.reports / "bids" / str(day)).glob(f"*.{suffix}"))[-1:]:
        content = file.read_bytes()
        file.write_bytes(content[: len(content) // 2] + b"\x00")


def _killed_at(step: str, make: Callable[[], BidResult]) -> None:
    """Make the bid in a process that is killed when it comes to a step; nothing of it may be visible."""
    child = FORKED.Process(target=_die_at, args=(step, make))
    child.start()
    child.join()
    if child.exitcode not in (0, -signal.SIGKILL):
        raise AssertionError(f"The process to be killed at {step} ended with {child.exitcode}.")


def _die_at(step: str, make: Callable[[], BidResult]) -> None:
    def die(*_: Any, **__: Any) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    put = jobs.bid_store._put

    def die_before(path: Path, content: bytes) -> None:
        die() if path.suffix == step else put(path, content)

    where = (jobs.bid, step, die) if hasattr(jobs.bid, step) else (jobs.bid_store, "_put", die_before)
    with patch.object(*where):
        make()


def search_forked(problem: Procurement, time_limit: float, solver: str) -> Solution:
    """As search_apart, in a fork of this process: a year of mornings starts no new interpreter for each."""
    receiving, sending = FORKED.Pipe(duplex=False)
    child = FORKED.Process(target=_send_solutions, args=(sending, problem, time_limit, solver))
    child.start()
    sending.close()
    found, finished = None, False
    ends = perf_counter() + time_limit + STOPPING_SECONDS
    while not finished and receiving.poll(max(ends - perf_counter(), 0.0)):
        try:
            found = receiving.recv()
        except EOFError:
            finished = True
    child.kill()
    child.join()
    if found is None:
        raise NoBidFoundError("The search ended without a bid.")
    return found if finished else replace(found, label=INCUMBENT)


def _send_solutions(sending: Connection, problem: Procurement, time_limit: float, solver: str) -> None:
    sending.send(solve(problem, time_limit=time_limit, solver=solver, report=sending.send))


def main() -> None:
    """Replay the study year."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--days", type=int, default=365)
    parser.add_argument("--scenarios", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--wheels", type=Path)
    parser.add_argument("--home", type=Path)
    chosen = parser.parse_args()
    sys.path.insert(0, str(Path(__file__).resolve().parent))
    import year as study

    faults = faults_of(study.DAYS[: chosen.days])
    with TemporaryDirectory() as temporary, TemporaryDirectory() as folder:
        at = home(chosen.home or Path(temporary))
        study.write(study.read(chosen.wheels), Path(folder))
        without(Path(folder), faults)
        create(at)
        deliver_many(at, sorted(path for path in Path(folder).glob("*.csv") if path.name != "offers.csv"))
        mornings = []
        for one in replay(
            at, faults, search_forked, scenarios=chosen.scenarios, seconds=chosen.seconds, hung_after=10.0
        ):
            mornings.append(one)
            print(
                one.day,
                one.fault,
                one.result.label,
                f"{one.seconds:.1f}",
                *one.wrong,
                file=sys.stderr,
                flush=True,
            )
    print("\n".join(table(mornings)))
    bad = [str(one.day) for one in mornings if one.wrong or one.late]
    if bad:
        sys.exit(f"No valid bid in time on {', '.join(bad)}.")


if __name__ == "__main__":
    main()
