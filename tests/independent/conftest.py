"""The sample month read by hand, once a process."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest
from month_books import Books, read_books
from response_books import Event, Outcome, outcomes


@pytest.fixture(scope="session")
def books(sample_folder: Path) -> Books:
    return read_books(sample_folder, date(2022, 7, 1))


@pytest.fixture(scope="session")
def responses(sample_folder: Path) -> list[tuple[Event, list[Outcome]]]:
    return outcomes(sample_folder)
