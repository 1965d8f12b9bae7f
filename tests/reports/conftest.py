"""The small month in a home of its own, with two versions of its run."""

from __future__ import annotations

import pytest
from small_month import add_run, changed, deliveries, month_lines

from ingest.deliver import deliver_many
from warehouse.home import Home, create, home


@pytest.fixture(scope="session")
def printed_home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """A home with two versions of the small month: the second moved 1.00 yuan between W1 and G1."""
    folder = tmp_path_factory.mktemp("deliveries")
    deliveries(folder)
    at = home(tmp_path_factory.mktemp("home"))
    create(at)
    receipts = deliver_many(at, [folder])
    assert {receipt.status for receipt in receipts} == {"accepted"}, receipts
    first = add_run(at, month_lines(), 1, None)
    moved = changed(month_lines(), "W1", "energy_real_time", amount_fen=123_457_79)
    moved = changed(moved, "G1", "energy_real_time", amount_fen=-123_457_79)
    add_run(at, moved, 2, first.run_id)
    return at
