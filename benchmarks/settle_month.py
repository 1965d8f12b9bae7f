"""A month of 10,000 users: our settlement against a bare scan, DuckDB, polars and pandas, one process a measurement.

    python benchmarks/settle_month.py [--users 10000] [--keep FOLDER] [--only scan month]

Builds a month of 31 days of 96 quarter-hours through the product's own ingestion: six in ten users are wholesale
users with a position and a contract each, two are retail users of four retailers with packages, two are agency
users; residents, 20 generators, inter-provincial trades, a demand-response event, tariffs, reactive readings,
registers and market operation fees, so that every charge of the list has lines. Then it measures, each in a process of its own
with a warm file cache and imports not counted:

- scan: pyarrow reading every Parquet file the run reads, nothing else
- energy: our three-part energy step (curves read, real time, day ahead, contract, capacity, balance of each day);
  participants, meters, contracts and rules are read before, as for DuckDB and pandas, which take users as numbers
- month: the whole job (energy, pools, fees, bills, ledger, findings, hashing, writing)
- duckdb, polars, pandas: the three-part energy settlement of the wholesale users, plainly, on three long tables that
  are joined
- duckdb_joined, polars_joined, pandas_joined: the same on one long table that somebody has joined and sorted before

All give the same amounts to the last 1e-9 元; the benchmark stops when they do not. Above 20,000 users there are no
long tables, only the scan and our own steps.
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
from dataclasses import dataclass
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
OURS = ("scan", "energy", "month")
OTHERS = ("duckdb", "polars", "pandas", "duckdb_joined", "polars_joined", "pandas_joined")
MEASURES = (*OURS, *OTHERS)
LONG_TABLES_UP_TO = 20_000
REPEATS = 3


def build(folder: Path, users: int) -> None:
    """Deliver the month into ``folder/home`` and lay the same data down as long tables in ``folder/long``."""
    from ingest.deliver import deliver_many
    from market.periods import LABELS
    from warehouse.home import create, home

    inbox, long = folder / "files", folder / "long"
    for place in (inbox, long):
        place.mkdir(parents=True)
    draw = np.random.default_rng(2022)
    everybody, users = users, users * 6 // 10
    ids = [f"W{n:06d}" for n in range(users)]
    units = [f"G{n:03d}" for n in range(GENERATORS)]
    others = second_layer(inbox, everybody - users)
    _people(inbox, ids, units, others)
    first_layer(inbox, ids, units)
    small = draw.lognormal(3, 1.0, len(others.metered))[:, None]
    scale = draw.lognormal(5, 1.2, users)[:, None]
    shape = 1 + 0.4 * np.sin(np.linspace(0, 2 * np.pi, 96) - 2)[None, :]
    writers = {
        name: _Wide(inbox, name, LABELS) for name in ("meter_readings", "positions", "contract_curves")
    }
    writers["reactive_readings"] = _Wide(inbox, "reactive_readings", LABELS)
    compared = everybody <= LONG_TABLES_UP_TO
    joined = _Long(long / "joined.parquet", ("use", "position", "contract"))
    parts = {name: _Long(long / f"{name}.parquet", (name,)) for name in ("use", "position", "contract")}
    prices, counted = [], np.zeros(everybody + 1, np.int64)
    for day in DAYS:
        use = np.rint(scale * shape * draw.normal(1, 0.1, (users, 96)).clip(0.2) * 1000).astype(np.int64)
        more = np.rint(small * shape * draw.normal(1, 0.1, (len(small), 96)).clip(0.2) * 1000).astype(
            np.int64
        )
        position = np.rint(use * draw.normal(1, 0.05, (users, 1)) / 1000).astype(np.int64) * 1000
        contract = np.rint(use * 0.8 / 1000).astype(np.int64) * 1000
        counted += np.concatenate([use.sum(axis=1), more.sum(axis=1)])
        supply = (
            np.rint(
                np.outer(np.full(GENERATORS, 1.03 / GENERATORS), use.sum(axis=0) + more.sum(axis=0)) / 1000
            ).astype(np.int64)
            * 1000
        )
        writers["meter_readings"](
            [f"M-{who}" for who in (*ids, *others.metered, *units)],
            day,
            np.vstack([use, more, supply]) / 1000,
            quality="measured",
        )
        books = np.vstack([more[others.of == book].sum(axis=0) for book in range(len(others.books))])
        writers["positions"](
            (*ids, *others.books, *units), day, np.vstack([position, books, supply]) / 1e6, stage="day_ahead"
        )
        writers["reactive_readings"](
            [f"M-{who}" for who in (*ids, *others.metered[:-1])],
            day,
            np.rint(np.vstack([use, more[:-1]]) * 0.4) / 1000,
            flow="lagging",
            quality="measured",
        )
        writers["contract_curves"]([f"C-{who}" for who in ids], day, contract / 1e6)
        if compared:
            joined.write(users, day, use, position, contract)
            for name, values in (("use", use), ("position", position), ("contract", contract)):
                parts[name].write(users, day, values)
        prices.append(
            np.rint(draw.normal(400_000, 150_000, (2, 96)).clip(-80_000, 1_500_000)).astype(np.int64)
        )
    for close in (*writers.values(), joined, *parts.values()):
        close.close()
    _prices(inbox, prices, LABELS)
    _registers(inbox, [*ids, *others.metered], counted)
    at = home(folder / "home")
    create(at)
    started = time.perf_counter()
    receipts = deliver_many(at, [inbox])
    assert all(one.status == "accepted" for one in receipts), [vars(one) for one in receipts]
    values = (4 * users + 2 * len(others.metered)) * len(DAYS) * 96 / 1e6
    print(f"ingested {values:.1f} M values in {time.perf_counter() - started:.1f} s")
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


@dataclass(frozen=True)
class Others:
    """Retail and agency users and residents; ``of``: which of ``books`` (retailers, the grid company) holds each."""

    frame: pd.DataFrame
    metered: list[str]
    books: list[str]
    of: np.ndarray


def second_layer(inbox: Path, count: int) -> Others:
    """Consumers with what their bills need: packages, tariffs and who chose what."""
    retailers = [f"R{n}" for n in range(4)]
    retail = [f"T{n:06d}" for n in range(count // 2)]
    agency = [f"A{n:06d}" for n in range(count - count // 2)]
    rows = [{"participant_id": who, "kind": "retailer"} for who in retailers]
    rows += [
        {"participant_id": who, "kind": "retail_user", "retailer_id": retailers[i % 4]}
        for i, who in enumerate(retail)
    ]
    rows += [{"participant_id": who, "kind": "agency_user"} for who in agency]
    rows += [{"participant_id": "RES", "kind": "residents"}, {"participant_id": "FUND-GOV", "kind": "fund"}]
    rows += [{"participant_id": "OUT", "kind": "outside"}, {"participant_id": "OWN", "kind": "channel_owner"}]
    frame = pd.DataFrame(rows)
    consumer = frame["kind"].isin(["retail_user", "agency_user"])
    frame["tariff_class"] = np.where(consumer, "general_industry", "")
    frame.loc[frame["kind"] == "residents", "tariff_class"] = "residents"
    frame["voltage_kv"] = np.where(consumer, "10", "")
    frame.loc[frame["kind"] == "residents", "voltage_kv"] = "10"
    frame["capacity_kva"] = np.where(consumer, "500", "")
    scenario = (
        Path(__file__).resolve().parents[1] / "tests" / "scenarios" / "given_tariffs_and_packages" / "when"
    )
    pd.read_csv(scenario / "tariffs.csv", dtype=str).to_csv(inbox / "tariffs.csv", index=False)
    package = pd.read_csv(scenario / "packages.csv", dtype=str)
    packages = pd.concat(
        [package.assign(retailer_id=who, package_id=f"FIXD22{i:04d}") for i, who in enumerate(retailers)]
    )
    packages.to_csv(inbox / "packages.csv", index=False)
    choice = pd.read_csv(scenario / "package_choices.csv", dtype=str)
    choices = pd.DataFrame(
        {
            **{name: choice[name].iloc[0] for name in choice.columns if name != "participant_id"},
            "participant_id": retail,
            "package_id": [f"FIXD22{i % 4:04d}" for i in range(len(retail))],
        }
    )
    choices[list(choice.columns)].to_csv(inbox / "package_choices.csv", index=False)
    of = [i % 4 for i in range(len(retail))] + [4] * len(agency) + [5]
    return Others(frame, [*retail, *agency, "RES"], [*retailers, "SGCC"], np.array(of))


def first_layer(inbox: Path, ids: list[str], units: list[str]) -> None:
    """Trades between provinces, a demand-response event, and what market operation fees need."""
    pd.DataFrame(
        {
            "section_id": ["S"],
            "name": ["S"],
            "tariff_cny_per_mwh": [50.8],
            "loss_rate": [0.07],
            "loss_included": [0],
            "capacity_mw": [4000],
            "source": ["benchmark"],
            "valid_from": ["2022-01-01"],
            "valid_to": [""],
            "owner_id": ["OWN"],
            "source_effective_from": [""],
        }
    ).to_csv(inbox / "sections.csv", index=False)
    pd.DataFrame(
        {"path_id": ["P"], "seq": [1], "section_id": ["S"], "seller_node": ["NX"], "buyer_node": ["SD"]}
    ).to_csv(inbox / "paths.csv", index=False)
    keys = [(day, period) for day in DAYS for period in range(65, 97)]
    landed = round((300 + 50.8 * 0.93) / 0.93, 3)
    pd.DataFrame(
        {
            "trade_id": [f"IP-{n}" for n in range(len(keys))],
            "date": [day for day, _ in keys],
            "stage": "day_ahead",
            "round": 1,
            "period": [period for _, period in keys],
            "path_id": "P",
            "seller_node": "NX",
            "buyer_node": "SD",
            "seller_id": "OUT",
            "buyer_id": "SGCC",
            "sell_mw": 100,
            "buy_mw": 93,
            "sell_price": 300,
            "landed_price": landed,
            "executed_sell_mw": 100,
            "executed_buy_mw": 93,
        }
    ).to_csv(inbox / "trades.csv", index=False)
    event = (
        Path(__file__).resolve().parents[1] / "tests" / "scenarios" / "given_a_demand_response_event" / "when"
    )
    for table in ("dr_programs", "dr_events"):
        pd.read_csv(event / f"{table}.csv", dtype=str).to_csv(inbox / f"{table}.csv", index=False)
    enrolment = pd.read_csv(event / "dr_enrolments.csv", dtype=str).iloc[:1]
    award = pd.read_csv(event / "dr_awards.csv", dtype=str).iloc[:1]
    called = ids[:100]
    pd.concat([enrolment.assign(participant_id=who) for who in called]).to_csv(
        inbox / "dr_enrolments.csv", index=False
    )
    pd.concat([award.assign(participant_id=who, committed_kw=10) for who in called]).to_csv(
        inbox / "dr_awards.csv", index=False
    )
    _fees(inbox, units)


def _fees(inbox: Path, units: list[str]) -> None:
    """A row of every named fee of the profile on every day; nothing where the profile has none."""
    from market.profiles import profile

    named = [
        charge.code
        for charge in profile("SD_2022").settled[1].charges
        if getattr(charge, "fee", None) is not None and charge.fee.role == "named"
    ]
    rows = [
        {
            "charge_code": code,
            "date": day,
            "amount_cny": 1000 + i,
            "cause": "benchmark",
            "participant_id": units[i],
        }
        for i, code in enumerate(named)
        for day in DAYS
    ]
    if rows:
        pd.DataFrame(rows).to_csv(inbox / "fee_pools.csv", index=False)


def _people(inbox: Path, ids: list[str], units: list[str], others: Others) -> None:
    start = "2022-01-01"
    connected = {"voltage_kv": "10", "capacity_kva": "100000", "tariff_class": "general_industry"}
    rows = [
        {"participant_id": who, "kind": kind, "city": CITIES[i % 5], "node": "SD", **of_kind}
        for kind, whole, of_kind in (("wholesale_user", ids, connected), ("generator", units, {}))
        for i, who in enumerate(whole)
    ]
    rows.append({"participant_id": "SGCC", "kind": "grid_company", "city": "province", "node": "SD"})
    more = others.frame.assign(city=[CITIES[i % 5] for i in range(len(others.frame))], node="SD")
    frame = pd.concat([pd.DataFrame(rows), more]).fillna("")
    frame["name"] = frame["participant_id"]
    frame["valid_from"], frame["valid_to"] = start, ""
    order = "participant_id name kind city node voltage_kv capacity_kva tariff_class retailer_id valid_from valid_to"
    frame[order.split()].to_csv(inbox / "participants.csv", index=False)
    metered = [*ids, *others.metered, *units]
    pd.DataFrame(
        {
            "meter_id": [f"M-{who}" for who in metered],
            "participant_id": metered,
            "multiplier": 1,
            "direction": [1] * (len(metered) - len(units)) + [-1] * len(units),
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


def _registers(inbox: Path, metered: list[str], counted: np.ndarray) -> None:
    """A read at either end of the month for every consuming meter, 1 kWh above the sum of its days. counted: Wh."""
    pd.DataFrame(
        {
            "meter_id": [f"M-{who}" for who in metered],
            "flow": "forward",
            "rate": "total",
            "valid_from": "2022-07-01",
            "valid_to": "2022-08-01",
            "start_kwh": 0,
            "end_kwh": (counted + 1000) / 1000,
            "digits": 12,
            "multiplier": "",
        }
    ).to_csv(inbox / "registers.csv", index=False, float_format="%.3f")


class _Wide:
    """Appends days of a wide table to one Parquet file a city-free delivery."""

    KEY: ClassVar = {
        "meter_readings": "meter_id",
        "positions": "participant_id",
        "contract_curves": "contract_id",
        "reactive_readings": "meter_id",
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

    rows = np.array([row for row, who in enumerate(inputs.roster.users) if who.startswith("W")])
    total = np.zeros((3, len(rows)), np.int64)
    for market in inputs.days():
        day = settle_day(market)
        total[0] += day.users["energy_real_time"].nano[rows]
        total[1] += day.users["energy_day_ahead"].nano[rows]
        total[2] += day.contract.nano[rows]
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


def polars(folder: Path) -> str:
    import polars as pl

    long, grain = folder / "long", ["user", "date", "period"]
    joined = pl.scan_parquet(long / "use.parquet")
    for name in ("position", "contract"):
        joined = joined.join(pl.scan_parquet(long / f"{name}.parquet"), on=grain)
    return _polars_amounts(long, joined)


def polars_joined(folder: Path) -> str:
    import polars as pl

    return _polars_amounts(folder / "long", pl.scan_parquet(folder / "long" / "joined.parquet"))


def _polars_amounts(long: Path, joined: Any) -> str:
    import polars as pl

    amounts = (
        joined.join(pl.scan_parquet(long / "price.parquet"), on=["date", "period"])
        .join(pl.scan_parquet(long / "contract_price.parquet"), on="user")
        .group_by("user")
        .agg(
            (pl.col("use") * pl.col("real_time")).sum().alias("a"),
            (pl.col("position") * (pl.col("day_ahead") - pl.col("real_time"))).sum().alias("b"),
            (pl.col("contract") * (pl.col("price") - pl.col("day_ahead"))).sum().alias("c"),
        )
        .sort("user")
        .collect(engine="streaming")
    )
    return _digest(amounts.select("a", "b", "c").to_numpy().astype(np.int64).T)


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
        import duckdb as _
    if what.startswith("polars"):
        import polars as _  # noqa: F401


def measure(what: str, folder: Path) -> dict[str, object]:
    """Run one measurement here; seconds without imports, peak memory of the process, hash of the amounts."""
    _warm_imports(what)
    if what == "month":
        _forget_runs(folder)
    given = _month_inputs(folder) if what == "energy" else folder
    started, busy = time.perf_counter(), time.process_time()
    result = globals()[what](given)
    seconds, cpu = time.perf_counter() - started, time.process_time() - busy
    return {"seconds": seconds, "cpu": cpu, "peak_mb": _peak_mb(), "result": result}


def _peak_mb() -> float:
    """Peak resident memory of this process; ru_maxrss would count what its parent held when it forked."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    raise RuntimeError("This system does not tell VmHWM; run the benchmark on Linux.")


def _in_own_process(what: str, folder: Path) -> dict[str, object]:
    command = [sys.executable, "-P", __file__, "--measure", what, "--keep", str(folder)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return json.loads(done.stdout.splitlines()[-1])


def main() -> None:
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--users", type=int, default=10_000)
    options.add_argument("--keep", type=Path)
    options.add_argument("--measure", choices=MEASURES)
    options.add_argument("--only", nargs="+", choices=MEASURES)
    chosen = options.parse_args()
    if chosen.measure:
        print(json.dumps(measure(chosen.measure, chosen.keep)))
        return
    with tempfile.TemporaryDirectory() as temporary:
        folder = chosen.keep or Path(temporary)
        if not (folder / "home").is_dir():
            build(folder, chosen.users)
        usual = MEASURES if chosen.users <= LONG_TABLES_UP_TO else OURS
        compare(folder, chosen.users, tuple(chosen.only or usual))


def compare(folder: Path, users: int, measures: tuple[str, ...]) -> None:
    """Print the table and the ratios; stop where amounts differ."""
    print(
        f"{users} users x 31 days x 96; {platform.processor() or platform.machine()}, {os.cpu_count()} cores, "
        f"Python {platform.python_version()}; median of {REPEATS} processes [least-most]"
    )
    found: dict[str, list[dict[str, object]]] = {what: [] for what in measures}
    for _ in range(REPEATS):  # in turns, so that a slow minute of the machine meets all of them
        for what in measures:
            found[what].append(_in_own_process(what, folder))
    for what in measures:
        seconds = [float(str(one["seconds"])) for one in found[what]]
        peak = max(float(str(one["peak_mb"])) for one in found[what])
        print(
            f"{what:<14} {statistics.median(seconds):7.2f} s [{min(seconds):.2f}-{max(seconds):.2f}], "
            f"CPU {statistics.median(float(str(one['cpu'])) for one in found[what]):.2f} s, {peak:.0f} MB"
        )
    amounts = {
        what: {str(one["result"]) for one in found[what]}
        for what in measures
        if what not in ("scan", "month")
    }
    if amounts and len(set.union(*amounts.values())) != 1:
        raise SystemExit(f"The amounts differ: {amounts}")
    middle = {what: statistics.median(float(str(one["seconds"])) for one in found[what]) for what in measures}
    least = {what: min(float(str(one["seconds"])) for one in found[what]) for what in measures}
    cpu = {what: statistics.median(float(str(one["cpu"])) for one in found[what]) for what in measures}

    def ratio(words: str, over: list[str], under: str) -> None:
        if under in middle and all(what in middle for what in over):
            medians = min(middle[what] for what in over) / middle[under]
            leasts = min(least[what] for what in over) / least[under]
            busy = min(cpu[what] for what in over) / cpu[under]
            print(f"{words}: medians {medians:.2f}, least times {leasts:.2f}, CPU {busy:.2f}")

    ratio("energy / scan (bound 3)", ["energy"], "scan")
    ratio("month / scan (bound 6)", ["month"], "scan")
    ratio("fastest of duckdb, polars and pandas / energy (bound 3)", ["duckdb", "polars", "pandas"], "energy")
    ratio(
        "the same, tables joined beforehand / energy",
        ["duckdb_joined", "polars_joined", "pandas_joined"],
        "energy",
    )


if __name__ == "__main__":
    main()
