"""What this machine needs to run: versions, solver, database, disk, fonts."""

from __future__ import annotations

import shutil
import sys
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version

from sqlalchemy import text

from market.profiles import profile, profile_names
from reports.chinese_fonts import NoChineseFontError, chinese_font
from warehouse.home import Home, HomeNotReadyError, engine

NEEDED = ("pandas", "pyarrow", "pyomo", "highspy", "sqlalchemy", "alembic", "pydantic", "typer", "xlsxwriter")
LEAST_FREE_GB = 2


@dataclass(frozen=True)
class Check:
    """One thing looked at; ``sentence`` says what is there or how to mend it."""

    name: str
    passed: bool
    sentence: str


def examine(home: Home) -> list[Check]:
    """All checks; none changes anything."""
    return [
        _python(),
        *map(_package, NEEDED),
        _airflow(),
        _solver(),
        _profiles(),
        _fonts(),
        _database(home),
        _disk(home),
    ]


def _python() -> Check:
    found = sys.version.split()[0]
    return Check("python", (3, 11) <= sys.version_info[:2] < (3, 13), f"{found}; 3.11 and 3.12 are supported")


def _package(name: str) -> Check:
    try:
        return Check(name, True, version(name))
    except PackageNotFoundError:
        return Check(name, False, "not installed; run `make demo`, it sets up what is needed")


def _airflow() -> Check:
    try:
        return Check("apache-airflow", True, version("apache-airflow"))
    except PackageNotFoundError:
        return Check("apache-airflow", True, "not installed; only `make airflow` needs it")


def _solver() -> Check:
    from pyomo.contrib.solver.solvers.highs import Highs  # noqa: PLC0415

    found = Highs().available()
    return Check("HiGHS", bool(found), f"{found}" if found else "not usable; reinstall highspy")


def _profiles() -> Check:
    names = profile_names()
    return Check("profiles", True, ", ".join(f"{name} {profile(name).sha256[:8]}" for name in names))


def _fonts() -> Check:
    try:
        return Check("Chinese font", True, chinese_font())
    except NoChineseFontError as missing:
        return Check("Chinese font", False, str(missing))


def _database(home: Home) -> Check:
    try:
        with engine(home).connect() as connection:
            connection.execute(text("select 1"))
    except HomeNotReadyError as missing:
        return Check("database", False, str(missing))
    return Check("database", True, home.database_url.split("@")[-1])


def _disk(home: Home) -> Check:
    place = home.root if home.root.exists() else home.root.parent
    free = shutil.disk_usage(place).free / 1e9
    return Check(
        "disk", free > LEAST_FREE_GB, f"{free:.1f} GB free at {place}; a province-month needs about 1 GB"
    )
