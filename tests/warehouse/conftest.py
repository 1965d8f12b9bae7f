"""An empty home, and curves put into it without going through files."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime, timedelta
from hashlib import sha256

import numpy as np
import pyarrow as pa
import pytest
from sqlalchemy import insert
from sqlalchemy.orm import Session

from warehouse.curve_files import CurveRows, number_of, write_curves
from warehouse.home import create, engine, home, transaction
from warehouse.models import Delivery
from warehouse.records import write_records

START = datetime(2022, 8, 1, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _no_outside_settings(monkeypatch):
    monkeypatch.delenv("GRIDSETTLE_HOME", raising=False)
    monkeypatch.delenv("GRIDSETTLE_DATABASE_URL", raising=False)


@pytest.fixture(scope="session")
def _empty_home(tmp_path_factory):
    made = home(tmp_path_factory.mktemp("empty"))
    create(made)
    return made


@pytest.fixture
def new_home(_empty_home, tmp_path):
    """Makes as many empty homes as a test asks for."""
    count = iter(range(1000))

    def make():
        root = tmp_path / f"home{next(count)}"
        shutil.copytree(_empty_home.root, root)
        return home(root)

    return make


@pytest.fixture
def at(new_home):
    return new_home()


def _delivery(name, day, status):
    return {
        "delivery_id": sha256(name.encode()).hexdigest(),
        "table_name": "any",
        "file_name": name,
        "sender": "test",
        "status": status,
        "rows": 0,
        "accepted": 0,
        "quarantined": 0,
        "revised": 0,
        "recorded_at": START + timedelta(days=day),
    }


@pytest.fixture
def recorded():
    """``recorded(day)``: the moment at which ``day`` deliveries were recorded."""
    return lambda day: START + timedelta(days=day)


@pytest.fixture
def put_records():
    """Commit a delivery of record rows, each a tuple in registry order."""

    def put(at, name, day, table, rows, *, status="accepted"):
        from market.tables import TABLES

        values = _delivery(name, day, status)
        columns = {
            column.name: [row[place] for row in rows] for place, column in enumerate(TABLES[table].columns)
        }
        with transaction(at) as connection:
            connection.execute(insert(Delivery).values(values))
            return write_records(connection, table, values["delivery_id"], columns, range(2, len(rows) + 2))

    return put


@pytest.fixture
def put_curves():
    """Write a delivery of meter readings ``{(meter, date): value or 96 values}``; ``commit=False`` as if killed."""

    def put(at, name, day, rows, *, cities=None, revised=(), commit=True, status="accepted"):
        values = _delivery(name, day, status)
        keys = list(rows)
        cities = cities or {}
        curves = CurveRows(
            {"meter_id": pa.array([meter for meter, _ in keys])},
            np.array([number_of(day) for _, day in keys], dtype=np.int32),
            pa.array(["measured"] * len(keys)),
            np.array([np.broadcast_to(rows[key], 96) for key in keys], dtype=np.int64),
            np.arange(2, len(keys) + 2, dtype=np.int32),
        )
        files = write_curves(
            at,
            "meter_readings",
            values["delivery_id"],
            curves,
            pa.array([cities.get(meter, "jinan") for meter, _ in keys]),
            np.array([key in revised for key in keys], dtype=np.bool_),
        )
        if commit:
            with Session(engine(at)) as session, session.begin():
                session.add(Delivery(**values))
                session.flush()
                session.add_all(files)
        return values["delivery_id"]

    return put
