"""Outside sets as deliveries: 537 Swiss households, a Korean steel plant (GRIDSETTLE_TEST_DATA; never copied here)."""

from __future__ import annotations

import os
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ingest.deliver import deliver
from market.periods import LABELS
from warehouse.home import Home, create, home

PEOPLE = "participant_id,name,kind,city,node,capacity_kva,valid_from\n"
METERS = "meter_id,participant_id,multiplier,direction,valid_from\n"


def outside(*parts: str) -> Path:
    """A file of the outside data; the test is skipped where there is none."""
    root = os.environ.get("GRIDSETTLE_TEST_DATA")
    if not root:
        pytest.skip("GRIDSETTLE_TEST_DATA is not set: the folder with the outside data sets")
    return Path(root, *parts)


def known(folder: Path, people: dict[str, str], since: str) -> Home:
    """A home that knows these participants (id: capacity in kVA), each with one meter of the same id."""
    at = home(folder / "home")
    create(at)
    rows = "".join(f"{who},{who},wholesale_user,abroad,SD_A,{kva},{since}\n" for who, kva in people.items())
    grid = f"SGCC,grid,grid_company,abroad,SD,,{since}\n"
    meters = "".join(f"{who},{who},1,1,{since}\n" for who in people)
    for name, text in (("participants", PEOPLE + rows + grid), ("meters", METERS + meters)):
        (folder / f"{name}.csv").write_text(text)
        assert deliver(at, folder / f"{name}.csv").status == "accepted"
    return at


def wide(folder: Path, table: str, keys: dict[str, pa.Array], values: np.ndarray) -> Path:
    """A wide Parquet file of curves; values (rows, 96)."""
    columns = {**keys, **{label: pa.array(values[:, place]) for place, label in enumerate(LABELS)}}
    path = folder / f"{table}.parquet"
    pq.write_table(pa.table(columns), path)
    return path


def households(folder: Path) -> Home:
    """All households, their weeks 44 to 50 laid on the year 2022, each with a connection of 66.66 kVA.

    Such a connection carries 66.66 x 1.2 / 4 = 19.998 kWh a quarter-hour, so that a reading above 20 kWh is too much.
    """
    frame = pd.read_parquet(outside("swiss_households_15min", "consumption_15min.parquet"))
    frame = frame.sort_values(["VID", "iso_week", "slot"], kind="stable")
    values = frame["kwh"].to_numpy(np.float64).round(6).reshape(-1, 96)
    first = frame.iloc[::96]
    days = [
        date.fromisocalendar(2022, int(week), 1) + timedelta(days=int(slot) // 96)
        for week, slot in zip(first["iso_week"], first["slot"], strict=True)
    ]
    ids = first["VID"].astype(str).tolist()
    at = known(folder, dict.fromkeys(sorted(set(ids)), "66.66"), "2022-01-01")
    keys = {
        "meter_id": pa.array(ids),
        "date": pa.array(days, pa.date32()),
        "quality": pa.array(["measured"] * len(ids)),
    }
    assert deliver(at, wide(folder, "meter_readings", keys, values)).status == "accepted"
    return at


def steel_plant() -> pd.DataFrame:
    """The plant's year as published, a row a quarter-hour; ``raw_ts`` is the stamp that is a trap."""
    return pd.read_parquet(outside("steel_plant_15min", "steel_plant_15min.parquet"))


def long_readings(folder: Path, ends: pd.Series, kwh: pd.Series) -> Path:
    """Long readings of the meter STEEL from end stamps."""
    starts = ends - pd.Timedelta(minutes=15)
    table = {
        "meter_id": ["STEEL"] * len(kwh),
        "interval_start": starts.dt.strftime("%Y-%m-%dT%H:%M").tolist(),
        "kwh": [f"{value:.2f}" for value in kwh],
        "quality": ["measured"] * len(kwh),
    }
    path = folder / "meter_readings_steel.csv"
    pd.DataFrame(table).to_csv(path, index=False)
    return path


def reactive_readings(folder: Path, frame: pd.DataFrame) -> Path:
    """Lagging and leading kvarh of the meter STEEL as wide curves."""
    flows = {
        "lagging": frame["Lagging_Current_Reactive.Power_kVarh"],
        "leading": frame["Leading_Current_Reactive_Power_kVarh"],
    }
    days = (frame["interval_end"] - pd.Timedelta(minutes=15)).dt.date.iloc[::96].tolist()
    values = np.concatenate([series.to_numpy().round(2).reshape(-1, 96) for series in flows.values()])
    rows = len(days)
    keys = {
        "meter_id": pa.array(["STEEL"] * 2 * rows),
        "flow": pa.array([flow for flow in flows for _ in range(rows)]),
        "date": pa.array(days * 2, pa.date32()),
        "quality": pa.array(["measured"] * 2 * rows),
    }
    return wide(folder, "reactive_readings", keys, values)
