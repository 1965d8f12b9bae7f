"""SQLite and PostgreSQL hold the same: one set of models, one line of migrations, the same tables out."""

from __future__ import annotations

import tempfile
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import inspect, text
from sqlalchemy.exc import DatabaseError

from ingest.deliver import deliver, deliver_many
from ingest.quarantine_queue import reject, release
from ingest.waiting_rows import entries
from jobs.local_postgres import running
from jobs.settle_month import settle
from market.periods import Month
from market.tables import TABLES
from warehouse.curves import curve_days
from warehouse.home import Home, create, engine, home, transaction
from warehouse.models import Base
from warehouse.records import read_records

BASE = Path(__file__).resolve().parents[1] / "scenarios" / "base"
START = datetime(2022, 8, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def server():
    """A PostgreSQL server of our own; the development requirements bring one, so there always is."""
    pytest.importorskip("psycopg", reason="the extra postgres is not installed")
    with tempfile.TemporaryDirectory(prefix="gridsettle-") as folder:
        Path(folder).chmod(0o755)  # for root the account postgres runs the server and must be able to enter
        with running(Path(folder)) as running_server:
            yield running_server


@pytest.fixture
def in_database(server, tmp_path, monkeypatch):
    """``in_database(kind)``: a folder whose database is of that kind, not created yet; PostgreSQL starts empty."""
    count = iter(range(100))

    def made(kind: str) -> Home:
        at = home(tmp_path / f"{kind}{next(count)}")
        at.root.mkdir()
        if kind == "sqlite":
            monkeypatch.delenv("GRIDSETTLE_DATABASE_URL", raising=False)
            return at
        name = f"gridsettle_{abs(hash(tmp_path)) % 10**9}_{next(count)}"
        server.ensure_database(name)
        monkeypatch.setenv("GRIDSETTLE_DATABASE_URL", server.url(name, "psycopg"))
        return at

    return made


def migrate(at: Home, step: str, target: str) -> None:
    config = Config()
    config.set_main_option("script_location", "warehouse:migrations")
    with engine(at).begin() as connection:
        config.attributes["connection"] = connection
        getattr(command, step)(config, target)


def difference_from_models(at: Home) -> list:
    with engine(at).connect() as connection:
        return compare_metadata(
            MigrationContext.configure(connection, opts={"compare_type": True}), Base.metadata
        )


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_migrations_go_up_from_nothing_down_to_nothing_and_up_step_by_step(in_database, kind):
    at = in_database(kind)
    create(at)
    assert engine(at).dialect.name == kind
    assert difference_from_models(at) == []
    migrate(at, "downgrade", "base")
    assert set(inspect(engine(at)).get_table_names()) == {"alembic_version"}
    config = Config()
    config.set_main_option("script_location", "warehouse:migrations")
    steps = [step.revision for step in ScriptDirectory.from_config(config).walk_revisions()][::-1]
    for step in steps:
        migrate(at, "upgrade", step)
    assert difference_from_models(at) == []


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_a_home_of_the_revision_before_keeps_its_deliveries(in_database, kind, tmp_path):
    at = in_database(kind)
    create(at)
    deliver(at, BASE / "participants.csv", clock=lambda: START)
    before = read_records(at, "participants")
    migrate(at, "downgrade", "-1")
    create(at)
    assert difference_from_models(at) == []
    assert read_records(at, "participants").equals(before)
    migrate(at, "downgrade", "0003")  # before there was a ledger of answers
    create(at)
    with engine(at).connect() as connection:
        answers = connection.execute(text("SELECT file_name, status FROM arrival")).all()
    assert [tuple(row) for row in answers] == [("participants.csv", "accepted")]


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_the_ledger_only_grows(in_database, kind):
    at = in_database(kind)
    create(at)
    deliver(at, BASE / "participants.csv", clock=lambda: START)
    for change in ("UPDATE arrival SET status = 'rejected'", "DELETE FROM arrival"):
        with pytest.raises(DatabaseError, match="never changed or removed"), transaction(at) as connection:
            connection.execute(text(change))


def a_month(at: Home, folder: Path) -> dict:
    """Deliveries, a revision, quarantine, decisions and two runs; everything a reader can see afterwards."""
    moments = (START + timedelta(hours=n) for n in range(1000))
    clock = moments.__next__
    create(at)
    deliver_many(at, [BASE], clock=clock)
    first = settle(at, Month(2022, 7)).run
    known = START + timedelta(minutes=59, hours=len(list(BASE.glob("*.csv"))) - 1)
    header, *rows = (BASE / "meter_readings.csv").read_text("utf-8-sig").splitlines()
    mine = [row for row in rows if row.startswith("M-W1")]
    changed = folder / "meter_readings_revised.csv"
    changed.write_text(
        "\n".join([header, mine[0].replace(",", ",", 1) + "9", mine[1] + "x", mine[2] + "x"]), "utf-8"
    )
    origin = deliver(at, changed, clock=clock)
    last = header.split(",")[-1]
    release(
        at, origin.delivery_id, [3], actor="wang", reason="seen", corrections={3: {last: "1"}}, clock=clock
    )
    reject(at, origin.delivery_id, [4], actor="li", reason="no use", clock=clock)
    deliver(at, changed, clock=clock)
    second = settle(at, Month(2022, 7)).run
    return {
        "records": {
            (table, when): read_records(at, table, as_of=when).to_dict("list")
            for table, definition in TABLES.items()
            for when in (None, known)
            if not definition.is_curve
        },
        "curves": {
            (table, when): [
                (day.date, {name: keys.to_pylist() for name, keys in day.keys.items()}, day.values.tolist())
                for day in curve_days(at, table, date(2022, 7, 1), date(2022, 8, 1), as_of=when)
            ]
            for table, definition in TABLES.items()
            for when in (None, known)
            if definition.is_curve
        },
        "quarantine": [vars(entry) for entry in entries(at, decided=None)],
        "runs": [
            {path.name: path.read_bytes() for path in run.folder.iterdir() if path.name != "manifest.json"}
            for run in (first, second)
        ],
        "run ids": [first.run_id, second.run_id],
    }


def test_the_same_files_give_the_same_tables_runs_and_history_in_both(in_database, tmp_path):
    sqlite = a_month(in_database("sqlite"), tmp_path)
    postgres = a_month(in_database("postgresql"), tmp_path)
    for what in sqlite:
        assert postgres[what] == sqlite[what], what
    assert (
        sqlite["curves"]["meter_readings", None]
        != sqlite["curves"]["meter_readings", max((when for _, when in sqlite["curves"] if when is not None))]
    )
    assert [entry["decision"] for entry in sqlite["quarantine"]] == ["released", "rejected"]
