"""The three-part energy settlement of the wholesale users in DuckDB, polars and pandas, on long tables."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.month.ours import digest

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
    return digest(np.array([row[1:] for row in rows], dtype=np.int64).T)


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
    return digest(amounts.select("a", "b", "c").to_numpy().astype(np.int64).T)


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
    return digest(amounts.groupby("user").sum().sort_index().to_numpy(dtype=np.int64).T)
