"""Homes with the plain market: delivered, drafted, final; copied for every test that writes."""

from __future__ import annotations

import pytest
from changed_books import JULY, copied

from jobs.settle_month import settle


@pytest.fixture(scope="session")
def _drafted(base_home, tmp_path_factory):
    at = copied(base_home, tmp_path_factory.mktemp("market") / "home")
    settle(at, JULY)
    return at


@pytest.fixture(scope="session")
def _final(_drafted, tmp_path_factory):
    at = copied(_drafted, tmp_path_factory.mktemp("final") / "home")
    settle(at, JULY, kind="final")
    return at


@pytest.fixture
def drafted(_drafted, tmp_path):
    """July is settled as draft v1."""
    return copied(_drafted, tmp_path / "home")


@pytest.fixture
def july_final(_final, tmp_path):
    """July is settled as draft v1 and final v1."""
    return copied(_final, tmp_path / "home")
