"""凭证导出: a run's postings as journal entries for the ledger (users.md F10), written beside its reports.

A draft is an accrual, a final run the actual figures, a correction its differences and nothing else; where the draft is
billed, it is the actual figures and the final run its difference. What a month
takes over from corrections is booked by their own journals, by charge, and left out of the month's: each fen once.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from importlib import resources
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from jobs import access, actor, posted
from jobs.access import Act
from jobs.basis import rules_of
from jobs.roster import valid_in
from market.money import scaled
from market.periods import Month
from market.profiles import ChargeMatrix
from reports.journal import Entry, journal_csv, journal_workbook
from reports.labels import Labels
from settlement.corrections import CODE as RESETTLEMENT
from settlement.ledger import participant_account
from settlement.run_life import NotNowError, State
from warehouse import runs
from warehouse.difference_tables import DIFFERENCES
from warehouse.home import Home
from warehouse.printed import log_print
from warehouse.records import read_records
from warehouse.runs import Run

KINDS = ("draft", "final", "correction")


class Account(BaseModel):
    """One ledger account."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    code: str
    name_zh: str
    name_en: str


class Mapped(BaseModel):
    """Ledger accounts by the kind of a participant and by clearing account; ``others`` for what is in neither."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    certainty: str
    participants: Mapping[str, Account]
    clearing: Mapping[str, Account]
    others: Account


@dataclass(frozen=True)
class Journal:
    """The files, and how many entries with what sum of debits (fen) they hold."""

    csv: Path
    workbook: Path
    entries: int
    debit_fen: int


def write_journal(home: Home, run_name: str, *, lang: str = "zh") -> Journal:
    """Write the journal of a run as CSV and xlsx and log it.

    Raises NotAllowedError, RunDamagedError, NotNowError for a final run or a correction that is not approved, for a
    rejected run and for one with missing amounts, JournalNotBalancedError.
    """
    who = actor.current(home)
    access.require(who, Act.JOURNAL)
    run = runs.find_run(home, run_name)
    problems = runs.verify(run)
    if problems:
        raise runs.RunDamagedError(f"No journal is made of {run.alias}. {' '.join(problems)}")
    _refuse_unready(home, run)
    entries = list(journal_entries(home, run, lang))
    folder = home.reports / run.run_id
    folder.mkdir(parents=True, exist_ok=True)
    stem = f"journal_{run.month}_{run.kind}-v{run.version}"
    written = {
        folder / f"{stem}.csv": journal_csv(entries, lang),
        folder / f"{stem}.xlsx": journal_workbook(entries, Month.parse(run.month), stem, Labels(lang)),
    }
    for path, content in written.items():
        making = path.with_suffix(path.suffix + ".making")
        making.write_bytes(content)
        making.replace(path)
    log_print(home, run, who.signature, list(written))
    csv, workbook = written
    return Journal(csv, workbook, len(entries), sum(one.debit_fen for one in entries))


def journal_entries(home: Home, run: Run, lang: str = "zh") -> Iterator[Entry]:
    """The entries in the order of the run's postings; of a correction its differences by charge."""
    matrix = rules_of(home, run.manifest).settled[1]
    accounts, kinds = mapping(home), _kinds(home, run)
    over = posted.hands_over(run)
    for number, row in enumerate(_differences(run) if over else _postings(run)):
        who, fen = row["participant_id"], row["fen"]
        account = (
            accounts.participants.get(kinds.get(who, "")) if who else accounts.clearing.get(row["account"])
        )
        account = account or accounts.others
        yield Entry(
            period=str(run.manifest["posted_into"]) if over else run.month,
            source_month=run.month,
            entry=_entry(home, run),
            run_alias=run.alias,
            version=run.version,
            run_id=run.run_id,
            account_code=account.code,
            account_name=account.name_zh if lang == "zh" else account.name_en,
            subject_code=_subject(matrix, row["charge_code"]),
            charge_code=row["charge_code"],
            participant_id=who or row["account"],
            debit_fen=max(fen, 0),
            credit_fen=max(-fen, 0),
            posting_id=row.get("posting_id") or f"{run.run_id}/{number}",
        )


def mapping(home: Home) -> Mapped:
    """The home's ``journal.yaml``, else the packaged one. Raises ValueError with the place that is wrong."""
    own = home.root / "journal.yaml"
    packaged = resources.files("data").joinpath("reference", "journal", "accounts.yaml")
    text = own.read_text("utf-8") if own.is_file() else packaged.read_text("utf-8")
    try:
        return Mapped.model_validate(yaml.safe_load(text))
    except (yaml.YAMLError, ValidationError) as wrong:
        raise ValueError(f"{own.name} of {home.root} is no mapping of accounts: {wrong}") from wrong


def _postings(run: Run) -> Iterator[dict[str, Any]]:
    """The run's postings; those of corrections stand in the corrections' own journals."""
    for row in pq.read_table(run.folder / "postings.parquet").to_pylist():
        if row["charge_code"] != RESETTLEMENT and row["amount_cny"]:
            yield {**row, "fen": scaled(row["amount_cny"], 2)}


def _differences(run: Run) -> Iterator[dict[str, Any]]:
    """A participant owes more: a debit there; the clearing account receives it: a credit of the same fen."""
    own = participant_account("")
    for row in pq.read_table(run.folder / DIFFERENCES).to_pylist():
        if row["difference_cny"]:
            charge = row["charge_code"] or RESETTLEMENT
            account = str(row["account"]).removeprefix(own)
            yield {**row, "charge_code": charge, "account": account, "fen": scaled(row["difference_cny"], 2)}


def _kinds(home: Home, run: Run) -> dict[str, str]:
    as_of = run.manifest["as_of"]
    known = read_records(home, "participants", as_of=None if as_of is None else datetime.fromisoformat(as_of))
    rows = valid_in(known, Month.parse(run.month)).sort_values("valid_from", kind="stable")
    return dict(zip(rows["participant_id"], rows["kind"], strict=True))


def _subject(matrix: ChargeMatrix, code: str) -> str:
    return next((one.subject_code for one in matrix.charges if one.code == code), "") or ""


def _entry(home: Home, run: Run) -> str:
    """accrual: a draft that is not billed; correction: a difference posted into another month; else actual."""
    if posted.hands_over(run):
        return "correction"
    billed = rules_of(home, run.manifest).settled[0].billed_on
    return "accrual" if run.kind == "draft" and billed == "final" else "actual"


def _refuse_unready(home: Home, run: Run) -> None:
    if run.kind not in KINDS:
        raise NotNowError(
            f"{run.alias} is provisional and is not booked; a draft, a final run or a correction is."
        )
    now = posted.state(home, run)
    if now is State.REJECTED:
        raise NotNowError(f"{run.alias} was rejected; no journal is made of it.")
    if run.manifest["totals"]["missing_lines"]:
        raise NotNowError(f"{run.alias} has lines without an amount; settle again, then export.")
    if _entry(home, run) != "accrual" and now not in posted.APPROVED:
        raise NotNowError(
            f"{run.alias} is not approved yet; only a draft is booked before that, as an accrual."
        )
