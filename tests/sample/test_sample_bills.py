"""The second layer of the sample: everyone has a bill, and the trading centre's statement holds the first layer only."""

from __future__ import annotations

import pandas as pd
import pyarrow.parquet as pq
import pytest

from market.profiles import profile
from reports.content import RunContent
from reports.labels import Labels

pytestmark = pytest.mark.xdist_group("settled_sample")

LAYER = {charge.code: charge.layer for charge in profile("SD_2022").matrix.charges}


def table(folder, name):
    return pd.read_csv(folder / f"{name}.csv", dtype=str, keep_default_na=False)


@pytest.fixture(scope="module")
def lines(settled_sample):
    """(participant, charge) -> amount as text."""
    rows = pq.read_table(settled_sample.folder / "lines.parquet").to_pylist()
    return {(row["participant_id"], row["charge_code"]): str(row["amount_cny"]) for row in rows}


def test_every_retail_user_agency_user_and_residents_has_a_bill_without_a_gap(sample_folder, lines):
    people = table(sample_folder, "participants")
    expected = {
        "retail_user": {
            "retail_energy",
            "retail_capacity",
            "transmission_fee",
            "government_funds",
            "power_factor",
        },
        "agency_user": {
            "agency_energy",
            "agency_capacity",
            "time_of_use",
            "transmission_fee",
            "power_factor",
        },
        "residents": {"residents_bill"},
    }
    for kind, codes in expected.items():
        users = people.loc[people["kind"] == kind, "participant_id"]
        assert len(users) >= 5
        for who in users:
            assert codes <= {code for of, code in lines if of == who}, who
    assert "None" not in lines.values()


def test_packages_of_every_kind_and_users_who_pay_by_demand_and_by_capacity_are_in_it(sample_folder):
    assert set(table(sample_folder, "packages")["kind"]) == {
        "fixed",
        "spot_linked",
        "mixed",
        "reference_linked",
    }
    assert any(table(sample_folder, "packages")["cap_cny_per_mwh"])
    assert {"demand", "capacity"} <= set(table(sample_folder, "participants")["basic_fee"])


def test_every_tariff_names_its_source(sample_folder):
    assert all(table(sample_folder, "tariffs")["source"])


def test_the_trading_centre_states_the_wholesale_lines_and_only_the_seeded_errors_differ(
    sample_folder, lines
):
    stated = {
        (row.participant_id, row.charge_code): row.amount_cny
        for row in table(sample_folder, "statements_received").itertuples()
    }
    assert {LAYER[code] for _, code in stated} == {"wholesale"}
    seeded = table(sample_folder.parent / "truth", "seeded_errors")
    wrong = {(row.participant_id, row.charge_code) for row in seeded.itertuples()}
    sent = {key: amount for key, amount in lines.items() if LAYER[key[1]] == "wholesale"}
    assert {key for key in sent if stated.get(key) != sent[key]} == wrong
    assert stated.keys() <= sent.keys()


def test_the_account_of_the_agency_result_carries_forward_and_holds(settled_sample, sample_home):
    from jobs.report import _Known
    from reports.month_numbers import money_balance

    content: RunContent = _Known(sample_home, settled_sample).content()
    checks = {check.code: check for check in money_balance(content, Labels("en")).accounts}
    assert checks["agency_result"].state == "yes"
    assert checks["agency_result"].closing != 0
    assert {check.state for check in checks.values()} == {"yes"}
