"""Whatever arrives: an answer, never a traceback, and every row is accepted, quarantined or refused with its file."""

from __future__ import annotations

import os
import random
import re
import shutil

import pytest
from mutations import cut_sample, mutated
from sqlalchemy import func, select

from ingest.deliver import deliver
from market.tables import table_of_file
from warehouse.home import create, engine, home
from warehouse.models import RECORDS, Arrival, CurveFile, Delivery, QuarantinedRow

CASES = 10_000 if os.environ.get("GRIDSETTLE_SOAK") else 500
A_HOME = 50  # cases that follow each other in one home


@pytest.fixture(scope="module")
def corpus(sample_folder):
    return cut_sample(sample_folder)


@pytest.fixture(scope="module")
def known(tmp_path_factory, sample_folder):
    """A home that knows whom the files speak of."""
    at = home(tmp_path_factory.mktemp("known"))
    create(at)
    for name in ("participants", "meters", "sections", "paths", "dr_programs"):
        assert deliver(at, sample_folder / f"{name}.csv").status == "accepted"
    return at


@pytest.fixture(autouse=True)
def _no_outside_settings(monkeypatch):
    monkeypatch.delenv("GRIDSETTLE_HOME", raising=False)
    monkeypatch.delenv("GRIDSETTLE_DATABASE_URL", raising=False)


def rows_in(content: bytes) -> int | None:
    """Rows of a plain CSV counted without our reader; None where a quotation mark makes lines and rows differ."""
    if b'"' in content or b"\xc2\xa0" in content or b"\xe3\x80\x80" in content or b"\xa1\xa1" in content:
        return None
    lines = re.split(rb"\r\n|\r|\n", content.removeprefix(b"\xef\xbb\xbf"))
    if not lines[0].strip():
        return None
    cells = lines[0].count(b",")
    return sum(not _blank(line, cells) for line in lines[1:])


def _blank(line: bytes, commas: int) -> bool:
    """No row: nothing on the line, or the right number of empty cells. Another number of them is a row, and odd."""
    return not line.strip() or (not line.strip(b", \t") and line.count(b",") == commas)


def stored(connection, receipt) -> int:
    """Rows that the warehouse got from a delivery."""
    table = table_of_file(receipt.file_name.rpartition(".")[0])
    if table.is_curve:
        count = select(func.coalesce(func.sum(CurveFile.rows), 0))
        return connection.scalar(count.where(CurveFile.delivery_id == receipt.delivery_id))
    record = RECORDS[table.name]
    return connection.scalar(
        select(func.count()).select_from(record).where(record.c.delivery_id == receipt.delivery_id)
    )


@pytest.mark.timeout(7200)
def test_a_damaged_file_gets_an_answer_and_every_row_is_accounted_for(corpus, known, tmp_path):
    statuses = set()
    for first in range(0, CASES, A_HOME):
        at = home(tmp_path / "home")
        shutil.rmtree(at.root, ignore_errors=True)
        shutil.copytree(known.root, at.root)
        for seed in range(first, min(first + A_HOME, CASES)):
            rng = random.Random(seed)
            name = rng.choice(sorted(corpus))
            content = mutated(name, corpus[name], rng)
            path = tmp_path / name
            path.write_bytes(content)
            receipt = deliver(at, path)
            statuses.add(receipt.status)
            account_for(at, receipt, content, seed)
    assert statuses == {"accepted", "partly", "rejected", "duplicate"}


def account_for(at, receipt, content: bytes, seed: int) -> None:
    case = seed, receipt
    assert receipt.rows == receipt.accepted + receipt.quarantined, case
    if receipt.status == "duplicate":
        return
    assert (at.inbox / receipt.delivery_id[:16] / receipt.file_name).read_bytes() == content, case
    with engine(at).connect() as connection:
        away = select(func.count()).select_from(QuarantinedRow)
        quarantined = connection.scalar(away.where(QuarantinedRow.delivery_id == receipt.delivery_id))
        status = connection.scalar(select(Delivery.status).where(Delivery.delivery_id == receipt.delivery_id))
        answered = connection.scalar(select(func.count()).where(Arrival.delivery_id == receipt.delivery_id))
        rows = stored(connection, receipt)
    assert (quarantined, status) == (receipt.quarantined, receipt.status), case
    assert answered >= 1, case
    if receipt.status == "rejected":
        assert rows == 0, case
        assert receipt.reason, case
        assert receipt.rows == receipt.quarantined, case
        return
    if "long" not in receipt.file_name:  # a day of long readings is one stored row
        assert rows == receipt.accepted - receipt.unchanged - receipt.repeated, case
    expected = rows_in(content) if receipt.file_name.endswith(".csv") else None
    assert expected is None or expected == receipt.rows, case
