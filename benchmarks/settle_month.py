"""A month of 10,000 users: our settlement against a bare scan, DuckDB and pandas, one process a measurement.

    python benchmarks/settle_month.py [--users 10000] [--keep FOLDER]

Builds a month (readings, positions and contract curves of every user, 31 days of 96 quarter-hours) through
the product's own ingestion, then measures, each in a process of its own with a warm file cache and imports
not counted:

- scan: pyarrow reading every Parquet file the run reads, nothing else
- energy: our three-part energy step (curves read, real time, day ahead, contract, capacity, balance of each day);
  participants, meters, contracts and rules are read before, as for DuckDB and pandas, which take users as numbers
- month: the whole job (energy, pools, ledger, findings, hashing, writing)
- duckdb, pandas: the three-part energy settlement, plainly, on three long tables that are joined
- duckdb_joined, pandas_joined: the same on one long table that somebody has joined and sorted beforehand

All five give the same amounts to the last 1e-9 元; the benchmark stops when they do not.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import date, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

DAYS = [date(2022, 7, 1) + timedelta(days=n) for n in range(31)]
CITIES = ("jinan", "qingdao", "yantai", "weifang", "linyi")
GENERATORS = 20
MEASURES = ("scan", "energy", "month", "duckdb", "pandas", "duckdb_joined", "pandas_joined")
REPEATS = 3


def build(folder: Path, users: int) -> None:
    """Deliver the month into ``folder/home`` and lay the same data down as long tables in ``folder/long``."""
    from ingest.deliver import deliver_many
    from market.periods import LABELS
    from warehouse.home import create, home

    inbox, long = folder / "files", folder / "long"
    inbox.mkdir(parents=True)
    long.mkdir()
    draw = np.random.default_rng(2022)
    ids = [f"W{n:06d}" for n in range(users)]
    units = [f"G{n:03d}" for n in range(GENERATORS)]
    _people(inbox, ids, units)
    scale = draw.lognormal(5, 1.2, users)[:, None]
    shape = 1 + 0.4 * np.sin(np.linspace(0, 2 * np.pi, 96) - 2)[None, :]
    writers = {
        name: _Wide(inbox, name, LABELS) for name in ("meter_readings", "positions", "contract_curves")
    }
    joined = _Long(long / "joined.parquet", ("use", "position", "contract"))
    parts = {name: _Long(long / f"{name}.parquet", (name,)) for name in ("use", "position", "contract")}
    prices = []
    for day in DAYS:
        use = np.rint(scale * shape * draw.normal(1, 0.1, (users, 96)).clip(0.2) * 1000).astype(np.int64)
        position = np.rint(use * draw.normal(1, 0.05, (users, 1)) / 1000).astype(np.int64) * 1000
        contract = np.rint(use * 0.8 / 1000).astype(np.int64) * 1000
        supply = (
            np.rint(np.outer(np.full(GENERATORS, 1.03 / GENERATORS), use.sum(axis=0)) / 1000).astype(np.int64)
            * 1000
        )
        writers["meter_readings"](
            [f"M-{who}" for who in (*ids, *units)], day, np.vstack([use, supply]) / 1000, quality="measured"
        )
        writers["positions"]((*ids, *units), day, np.vstack([position, supply]) / 1e6, stage="day_ahead")
        writers["contract_curves"]([f"C-{who}" for who in ids], day, contract / 1e6)
        joined.write(users, day, use, position, contract)
        for name, values in (("use", use), ("position", position), ("contract", contract)):
            parts[name].write(users, day, values)
        prices.append(
            np.rint(draw.normal(400_000, 150_000, (2, 96)).clip(-80_000, 1_500_000)).astype(np.int64)
        )
    for close in (*writers.values(), joined, *parts.values()):
        close.close()
    _prices(inbox, prices, LABELS)
    at = home(folder / "home")
    create(at)
    started = time.perf_counter()
    receipts = deliver_many(at, [inbox])
    assert all(one.status == "accepted" for one in receipts), [vars(one) for one in receipts]
    print(f"ingested {3 * users * 31 * 96 / 1e6:.1f} M values in {time.perf_counter() - started:.1f} s")
    user_price = np.concatenate(
        [np.repeat(np.rint(_hourly(day)), 4, axis=1).astype(np.int64) for day in prices], axis=1
    )
    pd.DataFrame(
        {
            "date": np.repeat(np.array(DAYS, dtype="datetime64[us]"), 96),
            "period": np.tile(np.arange(1, 97, dtype=np.int16), 31),
            "day_ahead": user_price[0],
            "real_time": user_price[1],
        }
    ).to_parquet(long / "price.parquet")
    pd.DataFrame({"user": np.arange(users, dtype=np.int32), "price": _contract_price(users)}).to_parquet(
        long / "contract_price.parquet"
    )


def _hourly(day: np.ndarray) -> np.ndarray:
    total = day.reshape(2, 24, 4).sum(axis=2)
    return np.sign(total) * ((np.abs(total) * 2 + 4) // 8)


def _contract_price(users: int) -> np.ndarray:
    return 380_000 + (np.arange(users, dtype=np.int64) * 37) % 90_000


def _people(inbox: Path, ids: list[str], units: list[str]) -> None:
    start = "2022-01-01"
    rows = [
        {"participant_id": who, "kind": kind, "city": CITIES[i % 5], "node": "SD"}
        for kind, whole in (("wholesale_user", ids), ("generator", units))
        for i, who in enumerate(whole)
    ]
    rows.append({"participant_id": "SGCC", "kind": "grid_company", "city": "province", "node": "SD"})
    frame = pd.DataFrame(rows)
    frame["name"] = frame["participant_id"]
    for column in ("voltage_kv", "capacity_kva", "tariff_class", "retailer_id", "valid_to"):
        frame[column] = ""
    frame["valid_from"] = start
    order = "participant_id name kind city node voltage_kv capacity_kva tariff_class retailer_id valid_from valid_to"
    frame[order.split()].to_csv(inbox / "participants.csv", index=False)
    metered = [*ids, *units]
    pd.DataFrame(
        {
            "meter_id": [f"M-{who}" for who in metered],
            "participant_id": metered,
            "multiplier": 1,
            "direction": [1] * len(ids) + [-1] * len(units),
            "valid_from": start,
            "valid_to": "",
        }
    ).to_csv(inbox / "meters.csv", index=False)
    pd.DataFrame(
        {
            "contract_id": [f"C-{who}" for who in ids],
            "seller_id": [units[i % len(units)] for i in range(len(ids))],
            "buyer_id": ids,
            "price_cny_per_mwh": _contract_price(len(ids)) / 1000,
            "valid_from": start,
            "valid_to": "",
        }
    ).to_csv(inbox / "contracts.csv", index=False)
    pd.DataFrame({"participant_id": units, "month": "2022-07", "capacity_mw": 1000}).to_csv(
        inbox / "capacity_available.csv", index=False
    )


class _Wide:
    """Appends days of a wide table to one Parquet file a city-free delivery."""

    KEY: ClassVar = {
        "meter_readings": "meter_id",
        "positions": "participant_id",
        "contract_curves": "contract_id",
    }

    def __init__(self, inbox: Path, table: str, labels: tuple[str, ...]) -> None:
        self.path, self.table, self.labels = inbox / f"{table}_2022-07.parquet", table, labels
        self.writer: pq.ParquetWriter | None = None

    def __call__(self, keys: list[str], day: date, values: np.ndarray, **extra: str) -> None:
        columns = {self.KEY[self.table]: pa.array(list(keys)), "date": pa.array([day] * len(keys))}
        columns |= {name: pa.array([value] * len(keys)) for name, value in extra.items()}
        columns |= {label: values[:, i] for i, label in enumerate(self.labels)}
        table = pa.table(columns)
        if self.writer is None:
            self.writer = pq.ParquetWriter(self.path, table.schema, compression="zstd")
        self.writer.write_table(table)

    def close(self) -> None:
        assert self.writer is not None
        self.writer.close()


class _Long:
    """One row a user, day and quarter-hour."""

    def __init__(self, path: Path, columns: tuple[str, ...]) -> None:
        fields = [("user", pa.int32()), ("date", pa.timestamp("us")), ("period", pa.int16())]
        self.columns = columns
        self.schema = pa.schema([*fields, *((name, pa.int64()) for name in columns)])
        self.writer = pq.ParquetWriter(path, self.schema, compression="zstd")

    def write(self, users: int, day: date, *values: np.ndarray) -> None:
        rows = users * 96
        grain = [
            np.repeat(np.arange(users, dtype=np.int32), 96),
            np.full(rows, day, dtype="datetime64[us]"),
            np.tile(np.arange(1, 97, dtype=np.int16), users),
        ]
        arrays = [pa.array(part) for part in (*grain, *(value.ravel() for value in values))]
        self.writer.write_table(pa.Table.from_arrays(arrays, schema=self.schema))

    def close(self) -> None:
        self.writer.close()


def _prices(inbox: Path, prices: list[np.ndarray], labels: tuple[str, ...]) -> None:
    rows = [
        {
            "node": "SD",
            "stage": stage,
            "date": day,
            **dict(zip(labels, (values[s] / 1000).tolist(), strict=True)),
        }
        for day, values in zip(DAYS, prices, strict=True)
        for s, stage in enumerate(("day_ahead", "real_time"))
    ]
    pd.DataFrame(rows).to_csv(inbox / "prices.csv", index=False, float_format="%.3f")


def scan(folder: Path) -> str:
    rows = 0
    for path in sorted((folder / "home" / "curves").rglob("*.parquet")):
        rows += pq.read_table(path).num_rows
    return str(rows)


def _month_inputs(folder: Path) -> Any:
    """What the job has in hand when its energy step starts: master data and rules, no curve."""
    from jobs.month_inputs import MonthInputs
    from jobs.roster import Roster
    from market.periods import Month
    from market.profiles import profile
    from warehouse.home import home
    from warehouse.records import read_records

    at, month = home(folder / "home"), Month(2022, 7)
    roster = Roster(month, *(read_records(at, name) for name in ("participants", "meters", "contracts")))
    return MonthInputs(at, month, roster, profile("SD_2022").settled[0], {}, None)


def energy(inputs: Any) -> str:
    from settlement.day import settle_day

    users = len(inputs.roster.users) - 1  # the grid company's empty book stands first
    total = np.zeros((3, users), np.int64)
    for market in inputs.days():
        day = settle_day(market)
        total[0] += day.users["energy_real_time"].nano[1:]
        total[1] += day.users["energy_day_ahead"].nano[1:]
        total[2] += day.contract.nano[1 : users + 1]
    return _digest(total)


def month(folder: Path) -> str:
    from jobs.settle_month import settle
    from market.periods import Month
    from warehouse.home import home

    run = settle(home(folder / "home"), Month(2022, 7)).run
    return str(pq.read_metadata(run.folder / "daily.parquet").num_rows)


DUCKDB = """
    select
        u."user",
        sum(u.use * p.real_time)::hugeint as real_time,
        sum(q.position * (p.day_ahead - p.real_time))::hugeint as day_ahead,
        sum(c.contract * (k.price - p.day_ahead))::hugeint as contract
    from '{long}/use.parquet' u
    join '{long}/position.parquet' q using ("user", date, period)
    join '{long}/contract.parquet' c using ("user", date, period)
    join '{long}/price.parquet' p using (date, period)
    join '{long}/contract_price.parquet' k using ("user")
    group by 1 order by 1
"""
DUCKDB_JOINED = """
    select
        j."user",
        sum(j.use * p.real_time)::hugeint as real_time,
        sum(j.position * (p.day_ahead - p.real_time))::hugeint as day_ahead,
        sum(j.contract * (k.price - p.day_ahead))::hugeint as contract
    from '{long}/joined.parquet' j
    join '{long}/price.parquet' p using (date, period)
    join '{long}/contract_price.parquet' k using ("user")
    group by 1 order by 1
"""


def duckdb(folder: Path, query: str = DUCKDB) -> str:
    import duckdb as engine

    with engine.connect() as connection:
        rows = connection.execute(query.format(long=folder / "long")).fetchall()
    return _digest(np.array([row[1:] for row in rows], dtype=np.int64).T)


def duckdb_joined(folder: Path) -> str:
    return duckdb(folder, DUCKDB_JOINED)


def pandas(folder: Path) -> str:
    long = folder / "long"
    grain = ["user", "date", "period"]
    joined = pd.read_parquet(long / "use.parquet")
    for name in ("position", "contract"):
        joined = joined.merge(pd.read_parquet(long / f"{name}.parquet"), on=grain)
    return _pandas_amounts(long, joined)


def pandas_joined(folder: Path) -> str:
    return _pandas_amounts(folder / "long", pd.read_parquet(folder / "long" / "joined.parquet"))


def _pandas_amounts(long: Path, joined: pd.DataFrame) -> str:
    price = pd.read_parquet(long / "price.parquet")
    joined = joined.merge(price, on=["date", "period"])
    joined = joined.merge(pd.read_parquet(long / "contract_price.parquet"), on="user")
    amounts = pd.DataFrame(
        {
            "user": joined["user"],
            "real_time": joined["use"] * joined["real_time"],
            "day_ahead_amount": joined["position"] * (joined["day_ahead"] - joined["real_time"]),
            "contract_amount": joined["contract"] * (joined["price"] - joined["day_ahead"]),
        }
    )
    return _digest(amounts.groupby("user").sum().sort_index().to_numpy(dtype=np.int64).T)


def _digest(total: np.ndarray) -> str:
    return sha256(np.ascontiguousarray(total).tobytes()).hexdigest()[:16]


def _forget_runs(folder: Path) -> None:
    """Every measurement of the month computes it: runs of earlier measurements are taken away."""
    import shutil

    from sqlalchemy import delete

    from warehouse.home import home, transaction
    from warehouse.models import SettlementRun

    at = home(folder / "home")
    for old in at.runs.glob("*"):
        shutil.rmtree(old)
    with transaction(at) as connection:
        connection.execute(delete(SettlementRun))


def _warm_imports(what: str) -> None:
    if what in ("energy", "month"):
        import jobs.settle_month  # noqa: F401
    if what.startswith("duckdb"):
        import duckdb as _  # noqa: F401


def measure(what: str, folder: Path) -> dict[str, object]:
    """Run one measurement here; seconds without imports, peak memory of the process, hash of the amounts."""
    _warm_imports(what)
    if what == "month":
        _forget_runs(folder)
    given = _month_inputs(folder) if what == "energy" else folder
    started = time.perf_counter()
    result = globals()[what](given)
    seconds = time.perf_counter() - started
    return {"seconds": seconds, "peak_mb": _peak_mb(), "result": result}


def _peak_mb() -> float:
    """Peak resident memory of this process; ru_maxrss would count what its parent held when it forked."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    raise RuntimeError("This system does not tell VmHWM; run the benchmark on Linux.")


def _in_own_process(what: str, folder: Path) -> dict[str, object]:
    command = [sys.executable, __file__, "--measure", what, "--keep", str(folder)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return json.loads(done.stdout.splitlines()[-1])


def main() -> None:
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--users", type=int, default=10_000)
    options.add_argument("--keep", type=Path)
    options.add_argument("--measure", choices=MEASURES)
    chosen = options.parse_args()
    if chosen.measure:
        print(json.dumps(measure(chosen.measure, chosen.keep)))
        return
    with tempfile.TemporaryDirectory() as temporary:
        folder = chosen.keep or Path(temporary)
        if not (folder / "home").is_dir():
            build(folder, chosen.users)
        compare(folder, chosen.users)


def compare(folder: Path, users: int) -> None:
    """Print the table and the ratios; stop where amounts differ."""
    print(
        f"{users} users x 31 days x 96; {platform.processor() or platform.machine()}, {os.cpu_count()} cores, "
        f"Python {platform.python_version()}; median of {REPEATS} processes [least-most]"
    )
    found: dict[str, list[dict[str, object]]] = {what: [] for what in MEASURES}
    for _ in range(REPEATS):  # in turns, so that a slow minute of the machine meets all of them
        for what in MEASURES:
            found[what].append(_in_own_process(what, folder))
    for what in MEASURES:
        seconds = [float(str(one["seconds"])) for one in found[what]]
        peak = max(float(str(one["peak_mb"])) for one in found[what])
        print(
            f"{what:<14} {statistics.median(seconds):7.2f} s [{min(seconds):.2f}-{max(seconds):.2f}] {peak:7.0f} MB"
        )
    amounts = {
        what: {str(one["result"]) for one in found[what]}
        for what in MEASURES
        if what not in ("scan", "month")
    }
    if len(set.union(*amounts.values())) != 1:
        raise SystemExit(f"The amounts differ: {amounts}")
    middle = {what: statistics.median(float(str(one["seconds"])) for one in found[what]) for what in MEASURES}
    print(f"energy / scan {middle['energy'] / middle['scan']:.2f} (bound 3)")
    print(f"month / scan {middle['month'] / middle['scan']:.2f} (bound 8)")
    print(
        f"faster of duckdb and pandas / energy {min(middle['duckdb'], middle['pandas']) / middle['energy']:.2f} (bound 3)"
    )
    print(
        "the same, tables joined beforehand / energy "
        f"{min(middle['duckdb_joined'], middle['pandas_joined']) / middle['energy']:.2f}"
    )


if __name__ == "__main__":
    main()
