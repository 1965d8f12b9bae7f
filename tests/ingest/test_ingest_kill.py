"""A process killed at a random point of an ingest leaves whole deliveries, and the next start goes on from there."""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import sys
import time
from datetime import date
from pathlib import Path

import pytest
from delivered import METERS, READINGS, put, reading
from sqlalchemy import select

from ingest.deliver import deliver
from ingest.waiting_rows import entries
from warehouse.curves import curve_days
from warehouse.deliveries import TAKEN
from warehouse.home import Home, create, engine, home
from warehouse.models import CurveFile, Delivery
from warehouse.records import read_records

KILLS = 200 if os.environ.get("GRIDSETTLE_SOAK") else 20
ROOT = Path(__file__).resolve().parents[2]
JULY = date(2022, 7, 1), date(2022, 8, 1)
FILES = 3

# One process imports everything once and forks a child a kill: a fork takes milliseconds, an import a second.
WORKER = """
import json, os, signal, sys, time
from pathlib import Path
from ingest.deliver import deliver
from warehouse.home import home
print("ready", flush=True)
for order in sys.stdin:
    at, files, seconds = json.loads(order)
    child = os.fork()
    if child == 0:
        for file in files:
            deliver(home(Path(at)), Path(file))
        os._exit(0)
    time.sleep(seconds)
    os.kill(child, signal.SIGKILL)  # our own child, not waited for yet: the id cannot be another's
    print(os.WIFSIGNALED(os.waitpid(child, 0)[1]), flush=True)
"""


@pytest.fixture(scope="module")
def files(tmp_path_factory) -> list[Path]:
    """Readings of several days, a meter they need in the middle, revisions, and rows for quarantine."""
    folder = tmp_path_factory.mktemp("files")
    made = []
    for number in range(FILES):
        rows = [reading("M1", f"2022-07-{day:02d}", number, day) for day in range(1, 5)]
        rows += [
            reading(f"N{number % 2}", "2022-07-01", number),
            reading("M2", "2022-07-02", "x" if number % 2 else number),
        ]
        made.append(put(folder, f"meter_readings_{number}.csv", READINGS + "".join(rows)))
    made.insert(2, put(folder, "meters.csv", METERS + "N0,U1,1,1,2022-01-01,\nN1,U2,1,1,2022-01-01,\n"))
    return made


@pytest.fixture(scope="module")
def start(tmp_path_factory) -> Home:
    from delivered import KNOWN

    at = home(tmp_path_factory.mktemp("start"))
    create(at)
    folder = tmp_path_factory.mktemp("known")
    for name in ("participants.csv", "meters.csv"):
        deliver(at, put(folder, name, KNOWN[name]))
    return at


@pytest.fixture(autouse=True)
def _no_outside_settings(monkeypatch):
    monkeypatch.delenv("GRIDSETTLE_HOME", raising=False)
    monkeypatch.delenv("GRIDSETTLE_DATABASE_URL", raising=False)


@pytest.fixture
def worker():
    with subprocess.Popen(
        [sys.executable, "-c", WORKER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT, text=True
    ) as process:
        assert process.stdout.readline() == "ready\n"
        yield process
        process.stdin.close()


def contents(at: Home) -> dict:
    """Everything a reader sees, without moments."""
    return {
        "readings": [
            (str(day.date), meter, day.values[row].tolist())
            for day in curve_days(at, "meter_readings", *JULY)
            for row, meter in enumerate(day.keys["meter_id"].to_pylist())
        ],
        "meters": read_records(at, "meters").to_dict("list"),
        "waiting": [(entry.delivery_id, entry.line, entry.code) for entry in entries(at, decided=None)],
    }


def assert_whole(at: Home) -> None:
    """What is visible adds up: every delivery that was taken has all its rows, every other one none."""
    with engine(at).connect() as connection:
        deliveries = connection.execute(select(Delivery)).all()
        files = connection.execute(select(CurveFile)).all()
    taken = {row.delivery_id for row in deliveries if row.status in TAKEN}
    assert {row.delivery_id for row in files} <= taken
    for row in files:
        assert (at.curves / row.path).is_file()
    for row in deliveries:
        assert row.rows == row.accepted + row.quarantined
        put_away = [one for one in entries(at, decided=None) if one.delivery_id == row.delivery_id]
        assert len(put_away) == row.quarantined


@pytest.mark.timeout(3600)
def test_killed_at_random_points_the_home_holds_whole_deliveries_and_ends_the_same(
    files, start, worker, tmp_path
):
    whole = home(tmp_path / "whole")
    shutil.copytree(start.root, whole.root)
    begun = time.monotonic()
    for file in files:
        deliver(whole, file)
    length = time.monotonic() - begun
    expected = contents(whole)
    rng = random.Random(20220701)
    killed = 0
    for _ in range(KILLS):
        at = home(tmp_path / "killed")
        shutil.rmtree(at.root, ignore_errors=True)
        shutil.copytree(start.root, at.root)
        order = [str(at.root), [str(file) for file in files], rng.uniform(0, length)]
        worker.stdin.write(json.dumps(order) + "\n")
        worker.stdin.flush()
        killed += worker.stdout.readline() == "True\n"
        assert_whole(at)
        for file in files:
            deliver(at, file)
        assert contents(at) == expected
        assert_whole(at)
    assert killed >= KILLS // 4  # the moments lay within the work, not behind it
