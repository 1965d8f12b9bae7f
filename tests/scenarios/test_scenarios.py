"""Scenarios a settlement clerk can open: ``base`` with the files of ``given_*/when`` gives ``then``.

A file in ``when`` takes the place of the file of that name in ``base``, or is delivered after it.
``then/lines.csv`` names every line (an empty amount is missing) unless ``then/lines_among_others.csv`` names
some; ``findings.csv``, ``quarantine.csv`` and ``receipts.csv`` are complete where they stand.
"""

from __future__ import annotations

import csv
from pathlib import Path

import pandas as pd
import pytest

from ingest.deliver import deliver_many
from jobs.settle_month import settle
from market.periods import Month
from warehouse.home import Home, create, home

HERE = Path(__file__).parent
SCENARIOS = sorted(folder for folder in HERE.glob("given_*") if folder.is_dir())


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8-sig", newline="") as stream:
        return list(csv.DictReader(stream))


def delivered(at: Home, scenario: Path) -> list:
    create(at)
    files = {file.name: file for file in sorted((HERE / "base").glob("*.csv"))}
    files |= {file.name: file for file in sorted((scenario / "when").glob("*.csv"))}
    return deliver_many(at, list(files.values()))


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda folder: folder.name)
def test_what_is_given_leads_to_what_then_says(scenario: Path, tmp_path: Path) -> None:
    at = home(tmp_path)
    receipts = delivered(at, scenario)
    run = settle(at, Month(2022, 7)).run
    lines = pd.read_parquet(run.folder / "lines.parquet")
    found = {
        (line.participant_id, line.charge_code): "" if line.amount_cny is None else str(line.amount_cny)
        for line in lines.itertuples()
    }
    then = scenario / "then"
    if (then / "lines.csv").is_file():
        expected = rows(then / "lines.csv")
        assert found == {(row["participant_id"], row["charge_code"]): row["amount_cny"] for row in expected}
    for row in rows(then / "lines_among_others.csv") if (then / "lines_among_others.csv").is_file() else []:
        assert found[row["participant_id"], row["charge_code"]] == row["amount_cny"], row
    if (then / "findings.csv").is_file():
        findings = pd.read_parquet(run.folder / "findings.parquet")
        expected = [tuple(row.values()) for row in rows(then / "findings.csv")]
        assert sorted(
            zip(findings["code"], findings["severity"], findings["subject"], strict=True)
        ) == sorted(expected)
        assert run.status == (
            "blocked" if any(severity == "block" for _, severity, _ in expected) else "ready"
        )
    if (then / "quarantine.csv").is_file():
        quarantined = [row for file in sorted(at.quarantine.glob("*.csv")) for row in rows(file)]
        assert [(row["line"], row["code"]) for row in quarantined] == [
            (row["line"], row["code"]) for row in rows(then / "quarantine.csv")
        ]
    if (then / "receipts.csv").is_file():
        assert {one.file_name: one.status for one in receipts if one.status != "accepted"} == {
            row["file_name"]: row["status"] for row in rows(then / "receipts.csv")
        }
    postings = pd.read_parquet(run.folder / "postings.parquet")
    assert postings["amount_cny"].sum() == 0
