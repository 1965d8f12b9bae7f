"""One measurement in this process, or in a process of its own: seconds, peak memory, and what came out."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.month import others, ours

OURS = ("scan", "inputs", "energy", "month", "month_afresh")
OTHERS = ("duckdb", "polars", "pandas", "duckdb_joined", "polars_joined", "pandas_joined")
MEASURES = (*OURS, *OTHERS)
AMOUNTS = ("energy", *OTHERS)  # their results are hashes of the same amounts
MONTHS = ("month", "month_afresh")


class Measured(NamedTuple):
    """seconds, cpu: s without imports; peak_mb: of the process; result: hash of the amounts, or what was done."""

    seconds: float
    cpu: float
    peak_mb: float
    result: str


def measure(what: str, folder: Path) -> Measured:
    """Run one measurement here."""
    _warm_imports(what)
    if what in MONTHS:
        ours.forget_runs(folder)
    if what == "month_afresh":
        ours.forget_checks(folder)
    given = ours.month_inputs(folder) if what == "energy" else folder
    step: Callable[[Any], str] = getattr(ours if what in OURS else others, what)
    started, busy = time.perf_counter(), time.process_time()
    result = step(given)
    seconds, cpu = time.perf_counter() - started, time.process_time() - busy
    return Measured(seconds, cpu, _peak_mb(), result)


def in_own_process(script: Path, what: str, folder: Path) -> Measured:
    """The same in a process of its own, which ``script --measure`` is."""
    command = [sys.executable, "-P", str(script), "--measure", what, "--keep", str(folder)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return Measured(**json.loads(done.stdout.splitlines()[-1]))


def installed(what: str) -> bool:
    """Whether the package that a measure is about is there: the product needs neither polars nor DuckDB to settle."""
    return what in OURS or find_spec(what.removesuffix("_joined")) is not None


def _warm_imports(what: str) -> None:
    if what in ("energy", *MONTHS):
        import jobs.settle_month  # noqa: F401
    if what.startswith("duckdb"):
        import duckdb as _
    if what.startswith("polars"):
        import polars as _  # noqa: F401


def _peak_mb() -> float:
    """Peak resident memory of this process; ru_maxrss would count what its parent held when it forked."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    raise RuntimeError("This system does not tell VmHWM; run the benchmark on Linux.")
