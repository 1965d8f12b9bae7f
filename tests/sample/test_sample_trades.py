"""The sample's inter-provincial trades are what clearing makes of its offers and bids."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pandas as pd
import pytest

from jobs.session_files import SessionName, read_session_files
from market.profiles import profile
from optimization.clearing import clear
from optimization.session_check import session_findings

RULES = profile("IPSPOT_2022_TRIAL")
MW_TOLERANCE, PRICE_TOLERANCE = 1e-6, 0.001
CANCELLED = 1


def table(folder, name):
    return pd.read_csv(folder / f"{name}.csv", dtype=str, keep_default_na=False)


@pytest.fixture(scope="module")
def trades(sample_folder):
    frame = table(sample_folder, "trades")
    for column in ("round", "period"):
        frame[column] = frame[column].astype(int)
    return frame


@pytest.fixture(scope="module")
def sessions(sample_folder):
    """(date, stage, round) -> the session's files and what clearing makes of them."""
    named = table(sample_folder, "bids")[["date", "stage", "round"]].drop_duplicates()
    found = {}
    for day, stage, number in named.itertuples(index=False):
        files = read_session_files(
            *(sample_folder / f"{name}.csv" for name in ("offers", "bids", "paths", "atc")),
            sections=sample_folder / "sections.csv",
            name=SessionName(date.fromisoformat(day), stage, int(number)),
        )
        cleared = clear(files.offers, files.bids, files.paths, files.atc, RULES)
        found[day, stage, int(number)] = files, cleared
    return found


def test_eight_evenings_trade_day_ahead_and_three_of_them_in_two_rounds_of_the_day(sessions):
    stages = [stage for _, stage, _ in sessions]
    assert (stages.count("day_ahead"), stages.count("intraday")) == (8, 6)
    assert {number for _, stage, number in sessions if stage == "intraday"} == {10, 11}  # 18:00 to 22:00


def test_offers_and_bids_cleared_again_give_the_committed_trades(sessions, trades):
    rows = []
    for (day, stage, number), (_, cleared) in sessions.items():
        seller = cleared.seller_prices.rename(columns={"node": "seller_node", "price_cny_per_mwh": "seller"})
        landed = cleared.landed_prices.rename(columns={"price_cny_per_mwh": "landed"})
        power = cleared.trades.groupby(["period", "path_id", "seller_node"], as_index=False)[
            ["sell_mw", "buy_mw"]
        ].sum()
        priced = power.merge(seller, on=["period", "seller_node"]).merge(landed, on=["period", "path_id"])
        rows.append(priced.assign(date=day, stage=stage, round=number))
    again = pd.concat(rows)
    key = ["date", "stage", "round", "period", "path_id"]
    both = trades.merge(again, on=key, how="outer", suffixes=("", "_again"), indicator=True)
    assert (both["_merge"] == "both").all()
    assert not trades.duplicated(key).any()
    for column, cleared_column, tolerance in (
        ("sell_mw", "sell_mw_again", MW_TOLERANCE),
        ("buy_mw", "buy_mw_again", MW_TOLERANCE),
        ("sell_price", "seller", PRICE_TOLERANCE),
        ("landed_price", "landed", PRICE_TOLERANCE),
    ):
        gap = (both[column].astype(float) - both[cleared_column]).abs()
        assert gap.max() <= tolerance, column


def test_one_trade_was_cancelled_and_every_other_ran_as_cleared(trades):
    ran = trades["executed_sell_mw"] == trades["sell_mw"]
    assert (~ran).sum() == CANCELLED
    cancelled = trades[~ran].iloc[0]
    assert (cancelled["executed_sell_mw"], cancelled["executed_buy_mw"]) == ("0", "0")
    assert (trades.loc[ran, "executed_buy_mw"] == trades.loc[ran, "buy_mw"]).all()


def test_every_offer_and_bid_keeps_the_format_of_the_trial(sessions):
    for name, (files, _) in sessions.items():
        assert session_findings(files.offers, files.bids, files.paths, RULES.traded).empty, name


def test_bids_arrive_before_their_gate(sample_folder):
    bids = table(sample_folder, "bids")
    for day, stage, number, sent in (
        bids[["date", "stage", "round", "submitted_at"]].drop_duplicates().itertuples(index=False)
    ):
        midnight = pd.Timestamp(day, tz="Asia/Shanghai")
        gate = (
            midnight - pd.Timedelta(hours=12, minutes=30)  # 11:30 of the day before
            if stage == "day_ahead"
            else midnight + pd.Timedelta(hours=2 * (int(number) - 1)) - pd.Timedelta(minutes=110)  # T-110
        )
        assert pd.Timedelta(0) <= gate - pd.Timestamp(sent) <= pd.Timedelta(minutes=30)


def test_a_round_sees_only_what_the_day_ahead_trades_left(sample_folder, trades):
    atc = table(sample_folder, "atc").set_index(["section_id", "date", "stage"])
    paths = table(sample_folder, "paths")
    labels = [column for column in atc.columns if ":" in column]
    within = atc[atc.index.get_level_values("stage") == "intraday"]
    assert len(within) == 3 * 4  # days, limited sections
    cleared = trades[trades["stage"] == "day_ahead"].merge(paths[["path_id", "section_id"]], on="path_id")
    for section, day, _ in within.index:
        before, after = (
            atc.loc[(section, day, stage), labels].map(Decimal) for stage in ("day_ahead", "intraday")
        )
        sold = cleared[(cleared["section_id"] == section) & (cleared["date"] == day)]
        for period, mw in zip(sold["period"], sold["sell_mw"], strict=True):
            before.iloc[period - 1] -= Decimal(mw)
        assert ((before - after >= 0) & (before - after < 1)).all(), (section, day)
