"""Scenarios with a second delivery: July of ``base`` and ``when`` is final, then ``later`` comes and July is corrected.

``then/differences.csv`` names every participant's line that changed, ``then/differences_among_others.csv`` some;
a line that a version lacks is 0.00. ``then/totals.csv`` has the sum of a charge over everyone, ``then/causes.csv`` every
cause in the bridge from the final run, ``then/findings_among_others.csv`` findings of the correction.
"""

from __future__ import annotations

import csv
import shutil
from decimal import Decimal
from pathlib import Path

import pandas as pd
import pytest

from ingest.deliver import deliver_many
from jobs.bridge import bridge
from jobs.charge_cards import cards
from jobs.correct_month import correct
from jobs.settle_month import settle
from market.periods import Month
from settlement.corrections import CODE as RESETTLEMENT
from warehouse.home import Home, create, home

HERE = Path(__file__).parent
SCENARIOS = sorted(folder.parent for folder in HERE.glob("given_*/later"))
JULY = Month(2022, 7)


def rows(path: Path) -> list[dict[str, str]]:
    if not path.is_file():
        return []
    with path.open(encoding="utf-8-sig", newline="") as stream:
        return list(csv.DictReader(stream))


@pytest.fixture(scope="module")
def plain(tmp_path_factory) -> Home:
    """July of ``base`` as a final run."""
    at = home(tmp_path_factory.mktemp("plain") / "home")
    create(at)
    deliver_many(at, [HERE / "base"])
    settle(at, JULY, kind="final")
    return at


def final_july(plain: Home, scenario: Path, folder: Path) -> Home:
    shutil.copytree(plain.root, folder / "home")
    at = home(folder / "home")
    if (scenario / "when").is_dir():
        deliver_many(at, [scenario / "when"])
        settle(at, JULY, kind="final")
    return at


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda folder: folder.name)
def test_what_comes_later_leads_to_the_differences_that_then_says(
    scenario: Path, plain: Home, tmp_path: Path
) -> None:
    at = final_july(plain, scenario, tmp_path)
    receipts = deliver_many(at, [scenario / "later"])
    assert {receipt.status for receipt in receipts} == {"accepted"}
    run = correct(at, JULY).run
    every = pd.read_parquet(run.folder / "differences.parquet")
    assert every["difference_cny"].sum() == 0  # what participants owe more is what the accounts receive
    lines = every[every["participant_id"].notna()]
    found = {
        (row.participant_id, row.charge_code): tuple(
            "" if amount is None else str(amount)
            for amount in (row.previous_cny, row.corrected_cny, row.difference_cny)
        )
        for row in lines.itertuples()
    }
    then = scenario / "then"
    expected = {
        (row["participant_id"], row["charge_code"]): (
            row["previous_cny"],
            row["corrected_cny"],
            row["difference_cny"],
        )
        for name in ("differences.csv", "differences_among_others.csv")
        for row in rows(then / name)
    }
    assert {key: found.get(key) for key in expected} == expected
    if (then / "differences.csv").is_file():
        assert found == expected
    for row in rows(then / "totals.csv"):
        total = lines.loc[lines["charge_code"] == row["charge_code"], "difference_cny"].sum()
        assert str(total) == row["difference_cny"], row
    findings = pd.read_parquet(run.folder / "findings.parquet")
    named = set(zip(findings["code"], findings["severity"], findings["subject"], strict=True))
    assert {tuple(row.values()) for row in rows(then / "findings_among_others.csv")} <= named
    assert run.status == "ready"
    told = bridge(at, run.previous, run.run_id)
    assert {str(cause) for row in told.rows for cause in row.parts} == {
        row["cause"] for row in rows(then / "causes.csv")
    }
    assert {(row.participant_id, row.charge_code) for row in told.rows} >= expected.keys()


def test_the_example_on_the_card_is_the_sum_of_the_differences_of_its_scenario() -> None:
    for example in cards()[RESETTLEMENT].examples:
        changed = rows(HERE / example.scenario / "then" / "differences_among_others.csv")
        mine = [
            Decimal(row["difference_cny"])
            for row in changed
            if row["participant_id"] == example.participant_id
        ]
        assert sum(mine) == example.amount_cny
