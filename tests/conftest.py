"""Fixtures shared by all rooms: the sample month, ingested and settled once a process."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from hypothesis import settings

BASE = Path(__file__).resolve().parent / "scenarios" / "base"
SAMPLE = Path(__file__).resolve().parent.parent / "data" / "sample" / "2022-07"
SOAK = bool(os.environ.get("GRIDSETTLE_SOAK"))

settings.register_profile("test", deadline=None, max_examples=30, derandomize=True)
settings.register_profile("soak", deadline=None, max_examples=300)
settings.load_profile("soak" if SOAK else "test")


@pytest.fixture(scope="session")
def sample_folder() -> Path:
    """The committed sample month."""
    return SAMPLE


@pytest.fixture(scope="session")
def sample_home(tmp_path_factory):
    """A home with the sample month ingested; tests read it and do not write to it."""
    from ingest.deliver import deliver_many
    from warehouse.home import create, home

    at = home(tmp_path_factory.mktemp("sample_home"))
    create(at)
    deliver_many(at, [SAMPLE])
    return at


@pytest.fixture(scope="session")
def settled_sample(sample_home):
    """The draft run of the sample month in ``sample_home``."""
    from jobs.settle_month import settle
    from market.periods import Month

    return settle(sample_home, Month(2022, 7)).run


@pytest.fixture(scope="session")
def base_home(tmp_path_factory):
    """A home with the plain market of ``tests/scenarios/base`` ingested; tests read it and do not write to it."""
    from ingest.deliver import deliver_many
    from warehouse.home import create, home

    at = home(tmp_path_factory.mktemp("base_home") / "home")
    create(at)
    deliver_many(at, [BASE])
    return at


@pytest.fixture
def small_home(base_home, tmp_path):
    """A copy of ``base_home`` to write to."""
    from warehouse.home import home

    shutil.copytree(base_home.root, tmp_path / "home")
    return home(tmp_path / "home")
