"""The money of the events is one number: in responses, allocation, lines, postings, accounts and on every day."""

from __future__ import annotations

from decimal import Decimal

import pandas as pd
import pytest

DR = ("demand_response_payment", "demand_response_penalty", "demand_response_charge")
ZERO = Decimal("0.00")


@pytest.fixture(scope="module")
def files(settled_sample) -> dict[str, pd.DataFrame]:
    names = ("response", "allocation", "lines", "daily", "postings", "accounts")
    return {name: pd.read_parquet(settled_sample.folder / f"{name}.parquet") for name in names}


@pytest.fixture(scope="module")
def aggregator_of(sample_folder) -> dict[str, str]:
    enrolments = pd.read_csv(sample_folder / "dr_enrolments.csv", dtype=str).fillna("")
    return dict(zip(enrolments["participant_id"], enrolments["aggregator_id"], strict=True))


def by_event(files) -> pd.DataFrame:
    paid = files["response"].groupby("event_id")[["payment_cny", "penalty_cny"]].sum()
    return paid.join(files["allocation"].groupby("event_id")["charge_cny"].sum())


def test_i1_every_event_charges_exactly_what_it_pays(files) -> None:
    events = by_event(files)
    assert len(events) == 3
    assert (events["payment_cny"] - events["penalty_cny"] == events["charge_cny"]).all()


def test_i1_every_day_and_the_month_are_sums_of_events(files) -> None:
    events = by_event(files)
    day = events.index.str[3:11]
    sums = events.groupby(day).sum()
    assert (sums["payment_cny"] - sums["penalty_cny"] == sums["charge_cny"]).all()
    lines = files["lines"].groupby("charge_code")["amount_cny"].sum()
    assert lines["demand_response_payment"] == -events["payment_cny"].sum()
    assert lines["demand_response_penalty"] == events["penalty_cny"].sum()
    assert lines["demand_response_charge"] == events["charge_cny"].sum()
    assert sum(lines[code] for code in DR) == 0


def test_each_line_is_the_sum_of_its_events_in_fen_and_is_not_rounded_again(files, aggregator_of) -> None:
    lines = files["lines"].set_index(["participant_id", "charge_code"])["amount_cny"]
    charged = files["allocation"].groupby("participant_id")["charge_cny"].sum()
    assert {who: lines[who, "demand_response_charge"] for who in charged.index} == charged.to_dict()
    response = files["response"]
    payee = [aggregator_of.get(who) or who for who in response["participant_id"]]
    paid = response["payment_cny"].groupby(payee).sum()
    assert {who: -lines[who, "demand_response_payment"] for who in paid.index} == paid.to_dict()
    fined = response["penalty_cny"].groupby(payee).sum()
    assert {who: lines.get((who, "demand_response_penalty"), ZERO) for who in fined.index} == fined.to_dict()


def test_postings_say_the_same_and_the_account_closes_at_zero(files) -> None:
    postings = files["postings"][files["postings"]["charge_code"].isin(DR)]
    assert postings["amount_cny"].sum() == 0
    to_participants = postings[postings["participant_id"].notna()].groupby("charge_code")["amount_cny"].sum()
    of_lines = (
        files["lines"][files["lines"]["charge_code"].isin(DR)].groupby("charge_code")["amount_cny"].sum()
    )
    assert to_participants.to_dict() == of_lines.to_dict()
    account = files["accounts"].set_index("account").loc["demand_response"]
    assert (account["closing_cny"], account["movement_cny"]) == (0, 0)


def test_daily_amounts_stand_on_the_days_of_the_events(files) -> None:
    daily = files["daily"][files["daily"]["charge_code"].isin(DR)]
    on_days = daily[daily["amount"] != 0].groupby("date")["amount"].sum()
    assert [str(day) for day in on_days.index] == ["2022-07-18", "2022-07-19", "2022-07-21"]
    assert (on_days == 0).all()


def test_i2_nobody_pays_more_than_its_benefit_in_the_benefit_tranche_and_others_pay_nothing(files) -> None:
    benefit = files["allocation"][files["allocation"]["tranche"] == "benefit"]
    assert (benefit["charge_cny"] <= benefit["benefit_cny"]).all()
    without = benefit[benefit["benefit_cny"] == 0]
    assert len(without) > 0
    assert (without["charge_cny"] == 0).all()


def test_nobody_is_paid_above_the_cap_or_below_the_floor(files) -> None:
    response = files["response"]
    valid = response["code"] == ""
    assert (response.loc[~valid, "payment_cny"] == 0).all()
    assert (response.loc[valid, "rate"] >= Decimal("0.8")).all()
    capped = response["committed_kw"] * Decimal("1.2")
    assert (response["confirmed_kw"] <= capped).all()
