"""What is measured of the product: its energy step, its whole job, and what merely reading the same files takes."""

from __future__ import annotations

import shutil
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

JULY = (2022, 7)
ALL_KEPT = "no city, all kept from before"


def scan(folder: Path) -> str:
    """Every Parquet file of curves the run reads, by pyarrow; the rows."""
    rows = 0
    for path in sorted((folder / "home" / "curves").rglob("*.parquet")):
        rows += pq.read_table(path).num_rows
    return f"{rows} rows"


def inputs(folder: Path) -> str:
    """Every delivered file of the run as it was delivered, Parquet and CSV, by pyarrow; the rows."""
    rows = 0
    for path in sorted((folder / "files").iterdir()):
        rows += (pq.read_table(path) if path.suffix == ".parquet" else pa_csv.read_csv(path)).num_rows
    return f"{rows} rows"


def month_inputs(folder: Path) -> Any:
    """What the job has in hand when its energy step starts: master data and rules, no curve."""
    from jobs.month_inputs import MonthInputs
    from jobs.roster import Roster
    from market.periods import Month
    from market.profiles import profile
    from warehouse.home import home
    from warehouse.records import read_records

    at, month = home(folder / "home"), Month(*JULY)
    roster = Roster(month, *(read_records(at, name) for name in ("participants", "meters", "contracts")))
    return MonthInputs(at, month, roster, profile("SD_2022").settled[0], {}, None)


def energy(given: Any) -> str:
    """The three parts of the energy of each wholesale user; the hash of the amounts."""
    rows = np.array([row for row, who in enumerate(given.roster.users) if who.startswith("W")])
    total = np.zeros((3, len(rows)), np.int64)
    for day in given.settled():
        total[0] += day.users["energy_real_time"].nano[rows]
        total[1] += day.users["energy_day_ahead"].nano[rows]
        total[2] += day.contract.nano[rows]
    return digest(total)


def month(folder: Path) -> str:
    """The whole job; says which cities' readings were checked, those of the others were taken over."""
    from jobs.settle_month import settle
    from market.periods import Month
    from warehouse.home import home

    done = settle(home(folder / "home"), Month(*JULY))
    rows = pq.read_metadata(done.run.folder / "daily.parquet").num_rows
    checked = ", ".join(done.checked or ()) or ALL_KEPT
    return f"{rows} daily rows, {charges(done.run.folder)}, readings checked: {checked}"


def charges(folder: Path) -> str:
    """How many charges of the profile have lines, and which have none."""
    from market.profiles import profile

    settled = set(
        pq.read_table(folder / "lines.parquet", columns=["charge_code"])["charge_code"].unique().to_pylist()
    )
    every = [charge.code for charge in profile("SD_2022").settled[1].charges]
    without = [code for code in every if code not in settled]
    return f"{len(settled)} of {len(every)} charges (without a line: {', '.join(without) or 'none'})"


month_afresh = month  # after ``forget_checks``


def digest(total: np.ndarray) -> str:
    """(3, users) of 1e-9 元 as a hash."""
    return sha256(np.ascontiguousarray(total).tobytes()).hexdigest()[:16]


def forget_runs(folder: Path) -> None:
    """Every measurement of the month computes it: runs of earlier measurements are taken away."""
    from sqlalchemy import delete

    from warehouse.home import home, transaction
    from warehouse.models import SettlementRun

    at = home(folder / "home")
    for old in at.runs.glob("*"):
        shutil.rmtree(old)
    with transaction(at) as connection:
        connection.execute(delete(SettlementRun))


def forget_checks(folder: Path) -> None:
    """As before the very first run of the month."""
    shutil.rmtree(folder / "home" / "checks", ignore_errors=True)
