"""A home that already knows two participants, a meter, a contract, a section, a path, a program and an event."""

from __future__ import annotations

import shutil

import pytest
from delivered import KNOWN, put

from ingest.deliver import deliver
from warehouse.home import create, home


@pytest.fixture(autouse=True)
def _no_outside_settings(monkeypatch):
    monkeypatch.delenv("GRIDSETTLE_HOME", raising=False)
    monkeypatch.delenv("GRIDSETTLE_DATABASE_URL", raising=False)


@pytest.fixture(scope="session")
def _known_home(tmp_path_factory):
    at = home(tmp_path_factory.mktemp("known"))
    create(at)
    files = tmp_path_factory.mktemp("known_files")
    for name, text in KNOWN.items():
        assert deliver(at, put(files, name, text)).status == "accepted"
    return at


@pytest.fixture
def at(_known_home, tmp_path):
    """A home of the test's own."""
    shutil.copytree(_known_home.root, tmp_path / "home")
    return home(tmp_path / "home")
