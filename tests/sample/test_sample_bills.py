"""The second layer of the sample: everyone has a bill, and the trading centre's statement holds the first layer only."""

from __future__ import annotations

import pandas as pd
import pyarrow.parquet as pq
import pytest

from jobs.audit import looked_at
from jobs.reconcile import compare_lines, read_lines, read_statement
from market.periods import Month
from market.profiles import profile
from reports.content import RunContent
from reports.labels import Labels

pytestmark = pytest.mark.xdist_group("settled_sample")


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


def test_in_the_trading_centres_statement_every_seeded_error_is_found_by_its_kind_and_nothing_else_is(
    sample_folder, sample_home, settled_sample
):
    month, rules = Month(2022, 7), profile("SD_2022")
    seeded = table(sample_folder.parent / "truth", "seeded_errors")
    errors = seeded[seeded["error"] != "none"]
    expected = set(zip(errors["error"], errors["finding"], strict=True))
    compared, _, findings = compare_lines(
        read_lines(settled_sample),
        read_statement(sample_home, month, None),
        rules,
        rules.reconciled.limits(month.first),
    )
    found = {(one.code.removeprefix("reconcile_"), one.subject) for one in findings}
    assert found == expected  # all of them, and no false alarm among 1,773 comparisons
    assert (len(expected), len(seeded[seeded["error"] == "none"])) == (48, 40)
    assert len(compared) > 1500


def test_the_statement_of_the_trading_centre_is_no_input_of_the_run(sample_folder, settled_sample):
    assert not [
        entry for entry in settled_sample.manifest["inputs"] if "statements_received" in entry["path"]
    ]


def test_the_account_of_the_agency_result_carries_forward_and_holds(settled_sample, sample_home):
    from jobs.run_content import RunReader
    from reports.month_numbers import money_balance

    content: RunContent = RunReader(sample_home, settled_sample).content()
    checks = {check.code: check for check in money_balance(content, Labels("en")).accounts}
    assert checks["agency_result"].state == "yes"
    assert checks["agency_result"].closing != 0
    assert {check.state for check in checks.values()} == {"yes"}


def test_the_audit_says_how_many_each_rule_was_asked_about(settled_sample):
    asked = looked_at(settled_sample)
    users = 140 + 120 + 120 + 5  # wholesale, retail, agency, residents; generators have classes but no tariff
    assert (asked["R12"], asked["R13"], asked["R19"]) == (users, users, users + 20)
    assert (asked["R20"], asked["R25"], asked["R01"]) == (0, 460, None)
