"""The small month of the scenarios in a home, delivered once."""

from __future__ import annotations

from pathlib import Path

import pytest

from ingest.deliver import deliver_many
from warehouse.home import Home, create, home

BASE = Path(__file__).resolve().parent.parent / "scenarios" / "base"


@pytest.fixture(scope="session")
def base_home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """Not to be changed: copy its folder."""
    at = home(tmp_path_factory.mktemp("base_home"))
    create(at)
    deliver_many(at, [BASE])
    return at
