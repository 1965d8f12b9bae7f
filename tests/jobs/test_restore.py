"""The restore drill of docs/runbooks/restore.md: a backup of a home, unpacked elsewhere, verifies."""

from __future__ import annotations

import shutil
import sqlite3
import tarfile
from pathlib import Path

import pytest
from life_cases import PEOPLE, make_run

from jobs import actor
from jobs import run_life as life
from jobs.verify_run import verify
from settlement.run_life import State
from warehouse.home import create, home
from warehouse.run_log import current_run_id, run_standing
from warehouse.runs import list_runs


@pytest.fixture
def published(tmp_path, monkeypatch):
    at = home(tmp_path / "first")
    create(at)
    run = make_run(at, ())
    for person, act in (("zhao", life.approve), ("sun", life.publish)):
        monkeypatch.setattr(actor, "current", lambda _home, person=person: PEOPLE[person])
        act(at, run.alias)
    return at, run


def back_up(at, to: Path) -> Path:
    """As the runbook says: the database by its own backup, then the folder without it."""
    with sqlite3.connect(at.root / "gridsettle.db") as live, sqlite3.connect(to / "gridsettle.db") as copy:
        live.backup(copy)
    archive = to / "home.tar"
    with tarfile.open(archive, "w") as pack:
        pack.add(at.root, "home", filter=lambda one: None if "gridsettle.db" in one.name else one)
        pack.add(to / "gridsettle.db", "home/gridsettle.db")
    return archive


def restore(archive: Path, to: Path):
    with tarfile.open(archive) as pack:
        pack.extractall(to, filter="data")
    return home(to / "home")


def test_a_backup_restored_elsewhere_verifies_and_work_goes_on(published, tmp_path, monkeypatch):
    at, run = published
    (tmp_path / "backup").mkdir()
    archive = back_up(at, tmp_path / "backup")
    shutil.rmtree(at.root)
    again = restore(archive, tmp_path / "elsewhere")
    create(again)
    (found,) = list_runs(again)
    assert found.run_id == run.run_id
    assert verify(again, found) == []
    assert (run_standing(again, found).state, current_run_id(again, run.month)) == (
        State.PUBLISHED,
        run.run_id,
    )
    newer = make_run(again, (), version=2)
    monkeypatch.setattr(actor, "current", lambda _home: PEOPLE["zhao"])
    life.approve(again, newer.alias)
    assert verify(again, newer) == []


def test_a_backup_older_than_its_anchors_is_found_out(published, tmp_path, monkeypatch):
    """The database of yesterday with the files of today: acts are missing, and that is said."""
    at, run = published
    (tmp_path / "backup").mkdir()
    archive = back_up(at, tmp_path / "backup")
    monkeypatch.setattr(actor, "current", lambda _home: PEOPLE["zhao"])
    newer = make_run(at, (), version=2)
    life.approve(at, newer.alias)
    again = restore(archive, tmp_path / "elsewhere")
    shutil.copy2(at.anchors, again.anchors)
    assert any("2 entries were cut off its end" in sentence for sentence in verify(again, run_of(again, run)))


def run_of(at, run):
    return next(one for one in list_runs(at) if one.run_id == run.run_id)
