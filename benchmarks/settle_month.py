"""A month of 10,000 users: our settlement against a bare scan, DuckDB, polars and pandas, one process a measurement.

    python -P benchmarks/settle_month.py [--users 10000 30000 ...] [--keep FOLDER] [--only scan month] [--repeats 3]

Builds a month of 31 days of 96 quarter-hours through the product's own ingestion: six in ten users are wholesale
users with a position and a contract each, two are retail users of four retailers with packages, two are agency
users; residents, 20 generators, inter-provincial trades, a demand-response event, tariffs, reactive readings,
registers and market operation fees, so that every charge of the list has lines. Then it measures, each in a process of its own
with a warm file cache and imports not counted:

- scan: pyarrow reading every Parquet file of curves the run reads, nothing else
- inputs: pyarrow reading every input file of the run as it was delivered, Parquet and CSV
- energy: our three-part energy step (curves read, real time, day ahead, contract, capacity, balance of each day);
  participants, meters, contracts and rules are read before, as for DuckDB and pandas, which take users as numbers
- month: the whole job (energy, pools, fees, bills, ledger, findings, hashing, writing); a run before has checked the
  readings and what it found is taken over, as when a month is settled again or its cities were checked by themselves
- month_afresh: the same with nothing kept, as the very first run of a month
- duckdb, polars, pandas: the three-part energy settlement of the wholesale users, plainly, on three long tables that
  are joined
- duckdb_joined, polars_joined, pandas_joined: the same on one long table that somebody has joined and sorted before

All give the same amounts to the last 1e-9 元; the benchmark stops when they do not. Above 20,000 users there are no
long tables, only the scans and our own steps. With several numbers of users a table of time and memory over users comes
last, and a folder that is kept holds one folder a size (``b10000``).
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path

from benchmarks.month import measures, ours
from benchmarks.month.build import LONG_TABLES_UP_TO, build
from benchmarks.month.measures import MEASURES, OURS, Measured, in_own_process, installed
from benchmarks.month.tables import print_size, print_sizes


def measure(what: str, folder: Path) -> dict[str, object]:
    """One measurement in this process."""
    return measures.measure(what, folder)._asdict()


def main() -> None:
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--users", type=int, nargs="+", default=[10_000])
    options.add_argument("--keep", type=Path)
    options.add_argument("--measure", choices=MEASURES)
    options.add_argument("--only", nargs="+", choices=MEASURES)
    options.add_argument("--repeats", type=int, default=3)
    chosen = options.parse_args()
    if chosen.measure:
        print(json.dumps(measure(chosen.measure, chosen.keep)))
        return
    sizes = {}
    with tempfile.TemporaryDirectory() as temporary:
        for users in chosen.users:
            folder = chosen.keep or Path(temporary)
            folder = folder if len(chosen.users) == 1 else folder / f"b{users}"
            if not (folder / "home").is_dir():
                build(folder, users)
            wanted = chosen.only or (MEASURES if users <= LONG_TABLES_UP_TO else OURS)
            there = tuple(what for what in wanted if installed(what))
            if left_out := sorted(set(wanted) - set(there)):
                print(f"Not measured, for its package is not installed: {', '.join(left_out)}.")
            sizes[users] = measured(folder, there, chosen.repeats)
            print_size(users, sizes[users])
    if len(sizes) > 1:
        print_sizes(sizes)


def measured(folder: Path, what: tuple[str, ...], repeats: int) -> dict[str, list[Measured]]:
    """Every measure so many times, in turns: a slow minute of the machine meets all of them."""
    script = Path(__file__)
    found: dict[str, list[Measured]] = {one: [] for one in what}
    for _ in range(repeats):
        for one in what:
            done = in_own_process(script, one, folder)
            if one == "month" and not done.result.endswith(ours.ALL_KEPT):
                done = in_own_process(script, one, folder)  # what it takes over was only now made
            found[one].append(done)
    return found


if __name__ == "__main__":
    main()
