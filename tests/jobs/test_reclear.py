"""Trades against clearing the session's offers and bids again."""

from __future__ import annotations

import shutil
from decimal import Decimal

import pandas as pd
import pytest

from ingest.deliver import deliver_many
from jobs.reclear import clearing_findings
from market.periods import Month
from market.profiles import profile
from warehouse.home import create, home
from warehouse.records import read_records

TABLES = ("participants", "sections", "paths", "trades", "offers", "bids", "atc")


@pytest.fixture
def market_home(tmp_path, sample_folder):
    at = home(tmp_path / "home")
    create(at)
    deliver_many(at, [sample_folder / f"{table}.csv" for table in TABLES])
    return at


def found(at):
    records = {table: read_records(at, table) for table in ("sections", "paths", "trades")}
    return clearing_findings(at, Month(2022, 7), records, profile("SD_2022"), None)


def revised(at, tmp_path, sample_folder, change) -> None:
    trades = pd.read_csv(sample_folder / "trades.csv", dtype=str, keep_default_na=False)
    change(trades)
    file = tmp_path / "trades_revised.csv"
    trades.to_csv(file, index=False)
    assert deliver_many(at, [file])[0].status == "accepted"


def test_trades_that_are_what_their_session_clears_to_are_not_mentioned(market_home) -> None:
    assert found(market_home) == []


def test_a_trade_at_another_price_is_found_in_its_session(market_home, tmp_path, sample_folder) -> None:
    def dearer(trades: pd.DataFrame) -> None:
        trades.loc[5, "sell_price"] = str(Decimal(trades.loc[5, "sell_price"]) + Decimal("0.5"))

    revised(market_home, tmp_path, sample_folder, dearer)
    (finding,) = found(market_home)
    assert finding.code == "clearing_differs"
    assert "sell_price" in finding.sentence


def test_power_that_was_not_cleared_is_found(market_home, tmp_path, sample_folder) -> None:
    def larger(trades: pd.DataFrame) -> None:
        trades.loc[7, "sell_mw"] = str(Decimal(trades.loc[7, "sell_mw"]) + 1)

    revised(market_home, tmp_path, sample_folder, larger)
    (finding,) = found(market_home)
    assert "sell_mw" in finding.sentence


def test_a_session_whose_trades_are_missing_is_found(tmp_path, sample_folder) -> None:
    folder = tmp_path / "files"
    folder.mkdir()
    for table in TABLES:
        shutil.copy(sample_folder / f"{table}.csv", folder)
    trades = pd.read_csv(folder / "trades.csv", dtype=str, keep_default_na=False)
    first = trades["date"].min()
    trades[trades["date"] != first].to_csv(folder / "trades.csv", index=False)
    at = home(tmp_path / "home")
    create(at)
    deliver_many(at, [folder])
    (finding,) = found(at)
    assert str(first) in finding.subject
    assert "no trade" in finding.sentence


def test_a_session_without_offers_is_left_alone(tmp_path, sample_folder) -> None:
    at = home(tmp_path / "home")
    create(at)
    deliver_many(at, [sample_folder / f"{table}.csv" for table in TABLES if table != "offers"])
    assert found(at) == []
