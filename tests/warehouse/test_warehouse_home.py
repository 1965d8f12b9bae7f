"""The home: its folders, its database and its locks."""

from __future__ import annotations

import sqlite3
import threading
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import exc, insert, inspect, text

from market.tables import TABLES
from warehouse.home import Home, HomeNotReadyError, create, engine, home, transaction
from warehouse.lock import HomeBusyError, exclusive
from warehouse.models import Base, Delivery, QuarantinedRow


def test_the_home_is_var_unless_the_environment_names_another(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert home().root == tmp_path / "var"
    monkeypatch.setenv("GRIDSETTLE_HOME", "elsewhere")
    assert home().root == tmp_path / "elsewhere"
    assert home(tmp_path / "given").root == tmp_path / "given"


def test_the_database_is_a_file_in_the_home_unless_the_environment_names_another(tmp_path, monkeypatch):
    at = home(tmp_path)
    assert at.database_url == f"sqlite:///{tmp_path}/gridsettle.db"
    monkeypatch.setenv("GRIDSETTLE_DATABASE_URL", "postgresql+psycopg://host/grid")
    assert at.database_url == "postgresql+psycopg://host/grid"


def test_creating_a_home_twice_and_from_anywhere_gives_the_same_home(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # migrations come from the package, not from the folder one stands in
    at = home(tmp_path / "new" / "home")
    create(at)
    with transaction(at) as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = version_num"))
    create(at)
    assert all(folder.is_dir() for folder in at.folders())


def test_the_migrations_make_exactly_the_tables_of_the_models(at):
    with engine(at).connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, Base.metadata) == []


def test_every_table_of_the_registry_without_curves_has_its_record_table(at):
    found = set(inspect(engine(at)).get_table_names())
    assert {f"record_{table.name}" for table in TABLES.values() if not table.is_curve} <= found


def test_no_column_of_the_database_is_a_float_or_numeric():
    kinds = {
        type(column.type).__name__ for table in Base.metadata.tables.values() for column in table.columns
    }
    assert kinds <= {"String", "BigInteger", "Integer", "Date", "Instant", "JSON"}


def test_a_home_without_a_database_is_refused_with_the_command_that_makes_it(tmp_path):
    with pytest.raises(HomeNotReadyError, match="run `gridsettle init`"):
        engine(home(tmp_path))
    assert list(tmp_path.iterdir()) == []


def test_a_home_of_an_older_version_is_refused_with_the_command_that_brings_it_up_to_date(tmp_path):
    older = home(tmp_path)
    create(older)
    with closing(sqlite3.connect(tmp_path / "gridsettle.db")) as database, database:
        database.execute("UPDATE alembic_version SET version_num = '0001'")
    with pytest.raises(HomeNotReadyError, match=r"has schema 0001.*run `gridsettle init`"):
        engine(older)


def test_the_database_keeps_foreign_keys_and_lets_readers_pass_a_writer(at):
    with engine(at).connect() as connection:
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
        assert connection.exec_driver_sql("PRAGMA busy_timeout").scalar() == 30_000
    orphan = {"delivery_id": "no such", "line": 1, "code": "x", "sentence": "x", "content": {}}
    with pytest.raises(exc.IntegrityError), transaction(at) as connection:
        connection.execute(insert(QuarantinedRow).values(orphan))


def test_a_transaction_that_fails_leaves_nothing_behind(at):
    def fail_half_way():
        with transaction(at) as connection:
            connection.execute(text("CREATE TABLE half_done (x INTEGER)"))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail_half_way()
    assert "half_done" not in inspect(engine(at)).get_table_names()


def test_a_moment_without_a_zone_is_refused(at):
    row = dict.fromkeys(("delivery_id", "file_name", "sender", "status"), "x")
    row |= dict.fromkeys(("rows", "accepted", "quarantined", "revised"), 0)
    naive = datetime(2022, 7, 1)  # noqa: DTZ001
    with pytest.raises(exc.StatementError, match="has no time zone"), transaction(at) as connection:
        connection.execute(insert(Delivery).values(**row, recorded_at=naive))


def test_moments_come_back_in_utc_whatever_zone_they_went_in(at):
    row = dict.fromkeys(("delivery_id", "file_name", "sender", "status"), "x")
    row |= dict.fromkeys(("rows", "accepted", "quarantined", "revised"), 0)
    moment = datetime.fromisoformat("2022-07-01T07:30:00+08:00")
    with transaction(at) as connection:
        connection.execute(insert(Delivery).values(**row, recorded_at=moment))
    with engine(at).connect() as connection:
        found = connection.execute(Delivery.__table__.select()).one().recorded_at
    assert found == datetime(2022, 6, 30, 23, 30, tzinfo=UTC)
    assert found.tzinfo is UTC


def test_a_second_writer_waits_and_then_says_who_is_in_the_way(at):
    inside, leave = threading.Event(), threading.Event()

    def hold():
        with exclusive(at, "ingest", 1):
            inside.set()
            leave.wait(10)

    holder = threading.Thread(target=hold)
    holder.start()
    assert inside.wait(10)
    with pytest.raises(HomeBusyError, match=r"'ingest' in .* 0\.05 s; wait"), exclusive(at, "ingest", 0.05):
        pass
    with exclusive(at, "settle", 0.05):
        pass
    leave.set()
    holder.join()
    with exclusive(at, "ingest", 1):
        pass


def test_naming_a_home_makes_nothing(tmp_path):
    Home(tmp_path / "x").folders()
    assert list(Path(tmp_path).iterdir()) == []
