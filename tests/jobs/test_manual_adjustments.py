"""A manual adjustment from its file to the ledger, and through approval by the person it names."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pandas as pd
import pytest
from life_cases import PEOPLE, finding_id

from ingest.deliver import deliver_many
from jobs import actor
from jobs import run_life as life
from jobs.settle_month import settle
from market.periods import Month
from settlement.run_life import NotNowError
from warehouse.home import create, home

BASE = Path(__file__).resolve().parents[1] / "scenarios" / "base"
HEADER = "adjustment_id,payer_id,payee_id,charge_code,amount_cny,reason,evidence,entered_by,approver,valid_from,valid_to"
ROWS = (
    "A1,W1,G1,energy_real_time,100.00,wired wrongly on 3 July,protocol 17,wang,zhao,2022-07-01,2022-08-01",
    "A0,W1,G1,energy_real_time,7.00,last month only,protocol 3,wang,zhao,2022-06-01,2022-07-01",
)


@pytest.fixture(scope="module")
def adjusted(tmp_path_factory):
    at = home(tmp_path_factory.mktemp("adjusted"))
    create(at)
    file = at.root / "manual_adjustments.csv"
    file.write_text("\n".join([HEADER, *ROWS]) + "\n", "utf-8")
    deliver_many(at, [BASE])
    assert deliver_many(at, [file])[0].accepted == 2
    return at, settle(at, Month(2022, 7)).run


def test_it_is_a_line_of_both_and_its_account_closes(adjusted):
    _, run = adjusted
    lines = pd.read_parquet(run.folder / "lines.parquet").query("charge_code == 'manual_adjustment'")
    assert dict(zip(lines["participant_id"], lines["amount_cny"], strict=True)) == {
        "W1": Decimal("100.00"),
        "G1": Decimal("-100.00"),
    }
    accounts = pd.read_parquet(run.folder / "accounts.parquet").set_index("account")
    assert accounts.loc["manual_adjustment", "closing_cny"] == 0
    assert pd.read_parquet(run.folder / "postings.parquet")["amount_cny"].sum() == 0


def test_the_run_is_blocked_until_the_named_approver_approves(adjusted, monkeypatch):
    at, run = adjusted
    assert run.status == "blocked"
    one = finding_id(run, "manual_adjustment")
    monkeypatch.setattr(actor, "current", lambda _home: PEOPLE["qian"])
    with pytest.raises(NotNowError, match="names zhao"):
        life.resolve(at, run.alias, one, "fine by me")
    monkeypatch.setattr(actor, "current", lambda _home: PEOPLE["zhao"])
    assert life.resolve(at, run.alias, one, "protocol 17 says so").act == "adjustment.approve"
