"""A home that was made by an older version takes every step to the newest schema and loses nothing."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import text

from warehouse.home import Home, _schemas, create, engine, home, transaction
from warehouse.records import read_records

PROGRAM = {
    "program_id": "P1", "kind": "emergency", "product": "intraday", "direction": "cut", "price_cny": 6_000_000,
    "price_unit": "per_kw_event", "notice_minutes": 240, "minimum_minutes": 60, "floor": 800_000, "cap": 1_200_000,
    "test": "average", "valid_from": "2022-01-01", "source": "by hand", "revision": 1, "delivery_id": "d", "line": 2,
}  # fmt: skip


def configuration() -> Config:
    config = Config()
    config.set_main_option("script_location", "warehouse:migrations")
    return config


def at_first_revision(folder: Path) -> Home:
    at = home(folder)
    create(at)
    config = configuration()
    with engine(at).begin() as connection:
        config.attributes["connection"] = connection
        command.downgrade(config, "0001")
    return at


def test_the_steps_form_one_line_from_the_first_to_the_newest():
    steps = ScriptDirectory.from_config(configuration())
    assert len(steps.get_heads()) == 1
    assert [step.revision for step in steps.walk_revisions()] == _schemas()  # as their files are called


def test_programs_delivered_before_there_was_a_penalty_price_have_none_and_stay(tmp_path):
    at = at_first_revision(tmp_path)
    with transaction(at) as connection:
        connection.execute(
            text(
                "INSERT INTO delivery (delivery_id, file_name, sender, status, rows, accepted, quarantined, revised, "
                "recorded_at) VALUES ('d', 'f', 's', 'accepted', 1, 1, 0, 0, '2022-07-01 00:00:00')"
            )
        )
        columns = ", ".join(PROGRAM)
        connection.execute(
            text(f"INSERT INTO record_dr_programs ({columns}) VALUES (:{', :'.join(PROGRAM)})"),  # noqa: S608
            PROGRAM,
        )
    create(at)
    with engine(at).connect() as connection:
        assert MigrationContext.configure(connection).get_current_revision() != "0001"
    (program,) = read_records(at, "dr_programs").to_dict("records")
    assert (program["program_id"], program["penalty_price_cny_per_kwh"]) == ("P1", None)


def test_curve_files_that_are_there_get_their_hash_and_a_lost_one_gets_none(tmp_path):
    at = home(tmp_path)
    create(at)
    config = configuration()
    with engine(at).begin() as connection:
        config.attributes["connection"] = connection
        command.downgrade(config, "0012")
    with transaction(at) as connection:
        connection.execute(
            text(
                "INSERT INTO delivery (delivery_id, file_name, sender, status, rows, accepted, quarantined, revised, "
                "recorded_at) VALUES ('d', 'f', 's', 'accepted', 1, 1, 0, 0, '2022-07-01 00:00:00')"
            )
        )
        connection.execute(
            text(
                "INSERT INTO curve_file (path, delivery_id, table_name, month, city, rows, revised, first_date, "
                "last_date) VALUES (:path, 'd', 'prices', '2022-07', 'province', 1, 0, '2022-07-01', '2022-07-01')"
            ),
            [{"path": "there"}, {"path": "lost"}],
        )
    (at.curves / "there").write_bytes(b"curves")
    create(at)
    with engine(at).connect() as connection:
        found = dict(connection.execute(text("SELECT path, sha256 FROM curve_file")).all())
    assert found == {"there": sha256(b"curves").hexdigest(), "lost": None}
