"""Scenarios a settlement clerk can open: ``base`` with the files of ``given_*/when`` gives ``then``.

A file in ``when`` takes the place of the file of that name in ``base``, or is delivered after it.
``upon.txt`` names another scenario whose files come first, ``profile.txt`` another profile than SD_2022; ``time_of_use.yaml`` has the
profile's periods in this scenario, ``rules.yaml`` some of its other rules. ``then/lines.csv`` names every line (an empty amount is missing) unless ``then/lines_among_others.csv`` names
some, ``accounts.csv`` some closing balances; ``findings.csv``, ``quarantine.csv`` and ``receipts.csv`` are complete where they stand.
"""

from __future__ import annotations

import csv
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from pathlib import Path

import pandas as pd
import pytest
import yaml
from pydantic import TypeAdapter

from ingest.deliver import deliver_many
from jobs.charge_cards import cards
from jobs.settle_month import settle
from market.consumer import TimeOfUse
from market.dated import Dated
from market.periods import Month
from market.profiles import RuleProfile, profile
from reports.finding_sentences import is_known
from settlement.corrections import CODE as RESETTLEMENT
from warehouse.home import Home, create, home
from warehouse.runs import Run

HERE = Path(__file__).parent
SCENARIOS = sorted(
    folder for folder in HERE.glob("given_*") if folder.is_dir() and not (folder / "later").is_dir()
)


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8-sig", newline="") as stream:
        return list(csv.DictReader(stream))


def amounts(run: Run) -> dict[tuple[str, str], str]:
    """(participant, charge) -> amount as the run states it; empty where it is missing."""
    lines = pd.read_parquet(run.folder / "lines.parquet")
    return {
        (line.participant_id, line.charge_code): "" if line.amount_cny is None else str(line.amount_cny)
        for line in lines.itertuples()
    }


def files_of(name: str) -> dict[str, Path]:
    """The files of a scenario by name, upon those of the scenario that it names."""
    upon = HERE / name / "upon.txt"
    before = files_of(upon.read_text("utf-8").strip()) if upon.is_file() else {}
    return before | {file.name: file for file in sorted((HERE / name / "when").glob("*.csv"))}


def rules_of(name: str) -> RuleProfile:
    """The profile a scenario is settled by."""
    named, periods = HERE / name / "profile.txt", HERE / name / "time_of_use.yaml"
    rules = profile(named.read_text("utf-8").strip() if named.is_file() else "SD_2022")
    stated = HERE / name / "rules.yaml"
    if stated.is_file():
        given = yaml.safe_load(stated.read_text("utf-8"))
        changed: dict[str, object] = {"sha256": sha256(stated.read_bytes()).hexdigest()}
        for part in ("provincial", "consumer"):
            held = getattr(rules, part)
            fields = type(held).model_fields
            own = {
                rule: TypeAdapter(fields[rule].annotation).validate_python(to)
                for rule, to in given.items()
                if rule in fields
            }
            changed[part] = held.model_copy(update=own)
        rules = rules.model_copy(update=changed)
    if not periods.is_file():
        return rules
    sets = TypeAdapter(tuple[Dated[TimeOfUse], ...]).validate_python(
        yaml.safe_load(periods.read_text("utf-8"))
    )
    consumer = rules.consumer.model_copy(update={"time_of_use": sets})
    return rules.model_copy(update={"consumer": consumer, "sha256": sha256(periods.read_bytes()).hexdigest()})


@dataclass(frozen=True)
class Settled:
    """A scenario that was delivered and settled."""

    home: Home
    receipts: list
    run: Run


@pytest.fixture(scope="module")
def settled(tmp_path_factory) -> Callable[[str], Settled]:
    """Settles a scenario once a module; those that only add to ``base`` start from a copy of its home."""
    start = home(tmp_path_factory.mktemp("base"))
    create(start)
    of_base = {file.name: file for file in sorted((HERE / "base").glob("*.csv"))}
    first_receipts = deliver_many(start, list(of_base.values()))

    @cache
    def settle_scenario(name: str) -> Settled:
        folder = tmp_path_factory.mktemp(name)
        files = files_of(name)
        at = home(folder)
        if of_base.keys() & files.keys():
            create(at)
            receipts = deliver_many(at, list((of_base | files).values()))
        else:
            shutil.copytree(start.root, at.root, dirs_exist_ok=True)
            receipts = [*first_receipts, *deliver_many(at, list(files.values()))]
        return Settled(at, receipts, settle(at, Month(2022, 7), profile_name=rules_of(name)).run)

    return settle_scenario


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda folder: folder.name)
def test_what_is_given_leads_to_what_then_says(scenario: Path, settled) -> None:
    made = settled(scenario.name)
    at, run, then = made.home, made.run, scenario / "then"
    found = amounts(run)
    if (then / "lines.csv").is_file():
        expected = rows(then / "lines.csv")
        assert found == {(row["participant_id"], row["charge_code"]): row["amount_cny"] for row in expected}
    for row in rows(then / "lines_among_others.csv") if (then / "lines_among_others.csv").is_file() else []:
        assert found[row["participant_id"], row["charge_code"]] == row["amount_cny"], row
    findings = pd.read_parquet(run.folder / "findings.parquet")
    english = [row.sentence for row in findings.itertuples() if not is_known(row.code, row.sentence)]
    assert english == [], "these findings have no Chinese sentence in data/reference/reports/findings_zh.yaml"
    if (then / "findings.csv").is_file():
        expected = [tuple(row.values()) for row in rows(then / "findings.csv")]
        assert sorted(
            zip(findings["code"], findings["severity"], findings["subject"], strict=True)
        ) == sorted(expected)
        assert run.status == (
            "blocked" if any(severity == "block" for _, severity, _ in expected) else "ready"
        )
    if (then / "accounts.csv").is_file():
        accounts = pd.read_parquet(run.folder / "accounts.parquet").set_index("account")["closing_cny"]
        for row in rows(then / "accounts.csv"):
            assert str(accounts[row["account"]]) == row["closing_cny"], row
    if (then / "quarantine.csv").is_file():
        quarantined = [row for file in sorted(at.quarantine.glob("*.csv")) for row in rows(file)]
        assert [(row["line"], row["code"]) for row in quarantined] == [
            (row["line"], row["code"]) for row in rows(then / "quarantine.csv")
        ]
    if (then / "receipts.csv").is_file():
        assert {one.file_name: one.status for one in made.receipts if one.status != "accepted"} == {
            row["file_name"]: row["status"] for row in rows(then / "receipts.csv")
        }
    postings = pd.read_parquet(run.folder / "postings.parquet")
    assert postings["amount_cny"].sum() == 0


EXAMPLES = [
    (card.code, example)
    for card in cards().values()
    if card.code != RESETTLEMENT  # stands in the month after: test_corrected_scenarios
    for example in card.examples
]


@pytest.mark.parametrize(
    ("code", "example"), EXAMPLES, ids=lambda part: getattr(part, "participant_id", part)
)
def test_the_example_of_a_charge_code_card_is_a_line_of_its_scenario(code: str, example, settled) -> None:
    made = settled(example.scenario)
    assert amounts(made.run)[example.participant_id, code] == str(example.amount_cny)
