"""The home folder: where the database, the curves, the inbox, the runs and the reports stand."""

from __future__ import annotations

import json
import os
import pwd
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache, lru_cache, partial
from importlib import resources
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, column, create_engine, event, inspect, select, table
from sqlalchemy.engine import make_url
from sqlalchemy.pool import NullPool

from warehouse.sight import Sight

BUSY_TIMEOUT_MS = 30_000
VERSION = "alembic_version"


class HomeNotReadyError(RuntimeError):
    """The home has no database yet, or an older one; the sentence says how to make it."""


@dataclass(frozen=True)
class Home:
    """The folders of one installation. Nothing is created by naming it; ``create`` does that.

    sees: the deliveries that readers of records and curves see; None for all of them. partitions: the city partitions
    that readers of curves open; None for all.
    """

    root: Path
    sees: Sight | None = None
    partitions: frozenset[str] | None = None

    def seeing(self, sight: Sight | None) -> Home:
        """The same home, of which readers see these deliveries only."""
        return replace(self, sees=sight)

    def within(self, partitions: frozenset[str]) -> Home:
        """The same home, of whose curves only these city partitions are opened.

        For whoever knows that all he looks for has always stood there; of anything else old values may show.
        """
        return replace(self, partitions=partitions)

    @property
    def database_url(self) -> str:
        """GRIDSETTLE_DATABASE_URL when set, else the SQLite file ``gridsettle.db`` in the home."""
        # Asked for at every connection: the variable alone, without building all settings.
        return os.environ.get("GRIDSETTLE_DATABASE_URL") or f"sqlite:///{self.root / 'gridsettle.db'}"

    @property
    def curves(self) -> Path:
        """Parquet: ``<table>/month=YYYY-MM/city=<city>/<first 16 of the delivery's sha256>.parquet``."""
        return self.root / "curves"

    @property
    def inbox(self) -> Path:
        """The delivered files as they came: ``<first 16 of sha256>/<file name>``."""
        return self.root / "inbox"

    @property
    def quarantine(self) -> Path:
        """The rows that were not taken, one readable CSV a delivery."""
        return self.root / "quarantine"

    @property
    def runs(self) -> Path:
        """One immutable folder a run."""
        return self.root / "runs"

    @property
    def rules(self) -> Path:
        """The rules that runs were computed by, one file a hash."""
        return self.root / "rules"

    @property
    def reports(self) -> Path:
        """What people read, one folder a run."""
        return self.root / "reports"

    @property
    def checks(self) -> Path:
        """What the checks of readings found, by month and fingerprint; may be removed at any time."""
        return self.root / "checks"

    @property
    def bridges(self) -> Path:
        """What changed between two runs, by fingerprint; may be removed at any time."""
        return self.root / "bridges"

    @property
    def users(self) -> Path:
        """Who may do what: the people, their accounts and roles (``jobs.actor``)."""
        return self.root / "users.yaml"

    @property
    def anchors(self) -> Path:
        """The log's last hash after every act, beside the database and not in it (``warehouse.audit_log``)."""
        return self.root / "log_anchors.txt"

    @property
    def evidence(self) -> Path:
        """What people laid before a decision: ``<sha256>/<file name>``, named by its hash in the log of acts."""
        return self.root / "evidence"

    @property
    def reconciliations(self) -> Path:
        """Comparisons with the trading centre's statement: ``<run_id>/<id>/``, each an immutable folder."""
        return self.root / "reconciliations"

    @property
    def locks(self) -> Path:
        """The files that ``warehouse.lock`` locks; they hold nothing."""
        return self.root / "locks"

    def folders(self) -> tuple[Path, ...]:
        """Every folder ``create`` makes."""
        return (self.curves, self.inbox, self.quarantine, self.runs, self.reports, self.locks)


def home(path: Path | None = None) -> Home:
    """The home at ``path``, else at GRIDSETTLE_HOME, else at ``./var``; always an absolute path."""
    named = path or Path(os.environ.get("GRIDSETTLE_HOME") or "var")
    return Home(named.expanduser().absolute())


def create(at: Home) -> None:
    """Make the folders, bring the database to the newest schema, and name a first user; twice changes nothing.

    A users.yaml that exists is left as it is.
    """
    # It takes long to load, and every other command only asks which schema there is.
    from alembic import command  # noqa: PLC0415
    from alembic.config import Config  # noqa: PLC0415

    for folder in at.folders():
        folder.mkdir(parents=True, exist_ok=True)
    config = Config()
    config.set_main_option("script_location", "warehouse:migrations")
    with _engine(at.database_url).begin() as connection:
        config.attributes["connection"] = connection
        config.attributes["curves"] = at.curves
        command.upgrade(config, "head")
    _name_first_user(at)


def _name_first_user(at: Home) -> None:
    """The account that makes a home may prepare; who checks, approves and publishes is for people to write."""
    if at.users.exists():
        return
    sample = resources.files("data").joinpath("reference", "users.yaml").read_text("utf-8")
    making = at.users.with_suffix(".making")
    making.write_text(sample.replace("<account>", pwd.getpwuid(os.getuid()).pw_name), "utf-8")
    making.chmod(0o644)
    making.replace(at.users)


def engine(at: Home) -> Engine:
    """The database of a home.

    Raises HomeNotReadyError where the SQLite file does not exist yet, or the schema is older than the software.
    """
    url = make_url(at.database_url)
    if url.get_backend_name() == "sqlite" and not Path(url.database or "").is_file():
        raise HomeNotReadyError(
            f"There is no database at {url.database}; run `gridsettle init`, or set GRIDSETTLE_HOME to the "
            "folder that has one."
        )
    _refuse_older_schema(at.database_url)
    return _engine(at.database_url)


@lru_cache(maxsize=256)
def _refuse_older_schema(url: str) -> None:
    with _engine(url).connect() as connection:
        revision = _schema(connection)
    known = _schemas()
    if revision is None or revision in known[1:]:
        raise HomeNotReadyError(
            f"The database {make_url(url).render_as_string()} has schema {revision or 'none'}, this software needs "
            f"{known[0]}; run `gridsettle init`, it keeps what is there."
        )


def _schema(connection: Connection) -> str | None:
    """The step the database stands at, as Alembic wrote it down."""
    if not inspect(connection).has_table(VERSION):
        return None
    revision: str | None = connection.scalar(select(column("version_num")).select_from(table(VERSION)))
    return revision


@cache
def _schemas() -> list[str]:
    """Every schema this software knows, the newest first; a database may have a newer one.

    A step's file is called by its number: ``0012_contract_records.py``.
    """
    steps = resources.files("warehouse").joinpath("migrations", "versions").iterdir()
    return sorted((step.name[:4] for step in steps if step.name[:4].isdigit()), reverse=True)


@contextmanager
def transaction(at: Home) -> Iterator[Connection]:
    """One writing transaction: everything is committed at the end of the block, or nothing is."""
    with engine(at).connect().execution_options(writes=True) as connection, connection.begin():
        yield connection


@lru_cache(maxsize=16)
def _engine(url: str) -> Engine:
    # No pool: jobs are batch processes that Airflow forks, and a connection must not cross a fork.
    made = create_engine(url, poolclass=NullPool, json_serializer=partial(json.dumps, ensure_ascii=False))
    if made.dialect.name == "sqlite":
        event.listen(made, "connect", _prepare_sqlite)
        event.listen(made, "begin", _begin_sqlite)
    return made


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    # The driver would begin late and commit before DDL; a migration must be one transaction like the rest.
    connection.isolation_level = None
    cursor = connection.cursor()
    cursor.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}")
    cursor.execute("PRAGMA journal_mode = WAL")
    cursor.execute("PRAGMA synchronous = FULL")
    cursor.execute("PRAGMA foreign_keys = ON")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    # A reader that turns into a writer fails at once when another has written since; a writer says so first.
    writes = connection.get_execution_options().get("writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
